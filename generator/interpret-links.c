/* Links, accepts, members and expectations to model: what refers to others.
 * See interpret.h. */

#include "interpret-private.h"

#include <stdlib.h>
#include <string.h>

#include "openings.h"
#include "util.h"
#include "values.h"
#include "xml.h"

static void
read_window(struct interpreter *in, xmlNode *node, struct link *link)
{
    const char *before = xml_attribute(node, "not-before");
    const char *after = xml_attribute(node, "not-after");
    bool right = true;
    if (before) {
        right &= interpret_ok(in, node,
                              value_to_time(before, &link->not_before));
    }
    if (after) {
        right &= interpret_ok(in, node,
                              value_to_time(after, &link->not_after));
    }
    if (before && after && right && link->not_after <= link->not_before) {
        report_error(in->report, link->where, "not-after=\"%s\" is not after "
                     "not-before=\"%s\"; the link would never be valid",
                     after, before);
    }
}

static void
read_link(struct interpreter *in, xmlNode *node,
          struct application *application, bool accept)
{
    struct location place = interpret_place(in, node);
    struct endpoint from, to;
    char *error = resolve_ends(&in->resolver, application, accept,
                               xml_attribute(node, "from"),
                               xml_attribute(node, "to"), &from, &to);
    if (!interpret_ok(in, node, error)) {
        return;
    }
    const char *reason = xml_attribute(node, "reason");
    const char *ticket = xml_attribute(node, "ticket");
    struct link *link = application_add_link(application, accept, place);
    link->from = from;
    link->to = to;
    link->reason = nullable_xstrdup(reason);
    link->ticket = nullable_xstrdup(ticket);
    read_window(in, node, link);
    openings_read(node, in->document->name, &link->openings,
                  &link->n_openings, in->report);
}

static void
read_member(struct interpreter *in, xmlNode *node, struct service *service)
{
    struct workload *workload;
    char *error = resolve_member(&in->resolver, service,
                                 xml_attribute(node, "workload"), &workload);
    if (interpret_ok(in, node, error)) {
        service_add_member(service, workload);
    }
}

void
interpret_references(struct interpreter *in, xmlNode *node)
{
    struct application *application
        = shash_find_data(&in->topology->application_index,
                          xml_attribute(node, "name"));
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (xml_is(child, "link") || xml_is(child, "accept")) {
            read_link(in, child, application, xml_is(child, "accept"));
        }
        if (!xml_is(child, "service")) {
            continue;
        }
        char *path = xasprintf("%s/%s", application->name,
                               xml_attribute(child, "name"));
        struct service *service
            = shash_find_data(&in->topology->service_index, path);
        free(path);
        for (xmlNode *member = xml_first(child); member && service;
             member = xml_next(member)) {
            if (xml_is(member, "member")) {
                read_member(in, member, service);
            }
        }
    }
}

static char *
read_expected_opening(xmlNode *node, struct opening *opening)
{
    const char *port = xml_attribute(node, "port");
    const char *type = xml_attribute(node, "type");
    const char *code = xml_attribute(node, "code");
    char *error = value_to_protocol(xml_attribute(node, "protocol"),
                                    &opening->protocol);
    if (error) {
        return error;
    }
    bool icmp = opening->protocol == IPPROTO_ICMP
                || opening->protocol == IPPROTO_ICMPV6;
    bool ports = opening_has_ports(opening);
    if (ports != !!port) {
        return xasprintf(ports ? "protocol %s needs a port=\"...\""
                         : "protocol %s has no ports; remove port=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    if (icmp != !!type) {
        return xasprintf(icmp ? "protocol %s needs a type=\"...\""
                         : "protocol %s has no types; remove type=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    if (code && !type) {
        return xasprintf("protocol %s has no codes; remove code=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    opening->first = opening->last = port ? value_to_number(port) : 0;
    opening->icmp_code = code ? value_to_number(code) : icmp ? 0 : -1;
    return type ? value_to_icmp_type(type, opening->protocol,
                                     &opening->icmp_type) : NULL;
}

void
interpret_expect(struct interpreter *in, xmlNode *node)
{
    struct location place = interpret_place(in, node);
    const char *from = xml_attribute(node, "from");
    const char *to = xml_attribute(node, "to");
    const char *segment = xml_attribute(node, "segment");
    struct opening opening = opening_of_protocol(0, place);
    bool right = interpret_ok(in, node,
                              resolve_expected(&in->resolver, from));
    right &= interpret_ok(in, node, resolve_expected(&in->resolver, to));
    right &= interpret_ok(in, node, read_expected_opening(node, &opening));
    struct segment *scope
        = segment ? interpret_find_segment(in, segment, place) : NULL;
    if (!right || (segment && !scope)) {
        return;
    }
    struct expect *expect = topology_add_expect(in->topology, place);
    expect->from = xstrdup(from);
    expect->to = xstrdup(to);
    expect->segment = scope;
    expect->opening = opening;
    expect->allow = !strcmp(xml_attribute(node, "verdict"), "allow");
}
