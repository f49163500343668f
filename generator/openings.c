/* Elements that say what is opened: see openings.h. */

#include "openings.h"

#include <stdlib.h>

#include "util.h"
#include "values.h"
#include "xml.h"

struct opening_reader {
    const char *file;
    struct report *report;
    struct opening **openings;
    size_t *n, allocated;
};

struct opening
opening_of_protocol(uint16_t protocol, struct location place)
{
    return (struct opening) { .protocol = protocol, .last = UINT16_MAX,
                              .icmp_type = -1, .icmp_code = -1,
                              .where = place };
}

static void
add(struct opening_reader *r, const struct opening *opening)
{
    if (*r->n >= r->allocated) {
        *r->openings = x2nrealloc(*r->openings, &r->allocated,
                                  sizeof **r->openings);
    }
    (*r->openings)[(*r->n)++] = *opening;
}

/* Reports and frees 'error', if there is one.  Returns true if not. */
static bool
ok(const struct opening_reader *r, struct location place, char *error)
{
    if (error) {
        report_error(r->report, place, "%s", error);
        free(error);
    }
    return !error;
}

static void
read_ports(struct opening_reader *r, xmlNode *node, struct opening opening)
{
    const char *list = xml_attribute(node, "port");
    if (!list) {
        add(r, &opening);
        return;
    }
    while (list) {
        char *error = value_next_ports(&list, &opening.first, &opening.last);
        if (ok(r, opening.where, error)) {
            add(r, &opening);
        }
    }
}

static bool
read_icmp(struct opening_reader *r, xmlNode *node, struct opening *opening)
{
    const char *type = xml_attribute(node, "type");
    const char *code = xml_attribute(node, "code");
    if (code && !type) {
        report_error(r->report, opening->where, "code=\"%s\" needs a "
                     "type=\"...\", as codes differ by type", code);
        return false;
    }
    opening->icmp_code = code ? value_to_number(code) : -1;
    return !type || ok(r, opening->where,
                       value_to_icmp_type(type, opening->protocol,
                                          &opening->icmp_type));
}

static void
read_opening(struct opening_reader *r, xmlNode *node)
{
    struct location place = { .file = r->file, .line = xml_line(node) };
    struct opening opening = opening_of_protocol(PROTOCOL_ANY, place);
    if (xml_is(node, "protocol")) {
        /* Numbers of protocols that have ports or types mean all of them. */
        opening.protocol = value_to_number(xml_attribute(node, "number"));
        add(r, &opening);
    } else if (xml_is(node, "any")) {
        add(r, &opening);
    } else if (xml_is(node, "icmp") || xml_is(node, "icmp6")) {
        opening.protocol = xml_is(node, "icmp") ? IPPROTO_ICMP
                                                : IPPROTO_ICMPV6;
        if (read_icmp(r, node, &opening)) {
            add(r, &opening);
        }
    } else if (xml_is(node, "tcp") || xml_is(node, "udp")
               || xml_is(node, "sctp")) {
        opening.protocol = xml_is(node, "tcp") ? IPPROTO_TCP
                           : xml_is(node, "udp") ? IPPROTO_UDP
                           : IPPROTO_SCTP;
        read_ports(r, node, opening);
    }
}

void
openings_read(xmlNode *node, const char *file, struct opening **openings,
              size_t *n, struct report *report)
{
    struct opening_reader reader = {
        .file = file, .report = report, .openings = openings, .n = n,
        .allocated = *n,
    };
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        read_opening(&reader, child);
    }
}
