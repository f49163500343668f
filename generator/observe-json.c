/* Lines of JSON: sdfwd's records of deviations (docs/deviations.md), and the
 * simple form of docs/learn.md, of which this is all:
 *
 *   {"src": "10.0.0.1", "dst": "10.0.0.2", "protocol": "tcp", "port": 443,
 *    "connections": 7, "first_seen": "2026-01-31T08:00:00Z", ...}
 *
 * sdfwd tells of a deviation several times, each time with all it has so far;
 * the profile takes these as one connection (see 'cumulative'). */

#include "observe-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>

#include "packets.h"
#include "util.h"
#include "values.h"

struct json_reader {
    struct input *input;
    /* Texts that a record needs and does not have as such. */
    char *observer, *segment, *src_name, *dst_name;
};

struct json_reader *
json_reader_create(struct input *input)
{
    struct json_reader *reader = xzalloc(sizeof *reader);
    reader->input = input;
    return reader;
}

static void
set_text(char **text, char *value)
{
    free(*text);
    *text = value;
}

void
json_reader_destroy(struct json_reader *reader)
{
    if (reader) {
        set_text(&reader->observer, NULL);
        set_text(&reader->segment, NULL);
        set_text(&reader->src_name, NULL);
        set_text(&reader->dst_name, NULL);
        free(reader);
    }
}

/* Members.  Each of these leaves its result alone if the member is not there;
 * a member of another type or out of range is an error. */

static const struct json *
member(const struct json *json, const char *name)
{
    return shash_find_data(json->object, name);
}

static char *
get_text(const struct json *json, const char *name, const char **text)
{
    const struct json *m = member(json, name);
    if (m && m->type != JSON_STRING) {
        return xasprintf("\"%s\" should be a text", name);
    }
    *text = m ? json_string(m) : *text;
    return NULL;
}

static char *
get_number(const struct json *json, const char *name, uint64_t max,
           uint64_t *number)
{
    const struct json *m = member(json, name);
    if (!m) {
        return NULL;
    }
    if (m->type != JSON_INTEGER || m->integer < 0 || m->integer > max) {
        return xasprintf("\"%s\" should be a number from 0 to %"PRIu64, name,
                         max);
    }
    *number = m->integer;
    return NULL;
}

static char *
get_time(const struct json *json, const char *name, int64_t *time)
{
    const char *text = NULL;
    time_t value;
    char *error = get_text(json, name, &text);
    if (!error && text) {
        error = value_to_time(text, &value);
        if (!error) {
            *time = value;
        }
    }
    return error;
}

static char *
get_address(const struct json *json, const char *name,
            struct in6_addr *address)
{
    const char *text = NULL;
    char *error = get_text(json, name, &text);
    if (!error && (!text || !value_parse_address(text, address))) {
        error = xasprintf("\"%s\" should be an address", name);
    }
    return error;
}

static char *
get_mac(const struct json *json, const char *name, struct eth_addr *mac)
{
    const char *text = NULL;
    char *error = get_text(json, name, &text);
    if (!error && text && !eth_addr_from_string(text, mac)) {
        error = xasprintf("\"%s\" should be a MAC address", name);
    }
    return error;
}

/* Keeps the first error. */
static void
first_error(char **error, char *another)
{
    if (*error) {
        free(another);
    } else {
        *error = another;
    }
}

/* What both forms have. */
static char *
get_counts(const struct json *json, struct observation *o)
{
    char *error = NULL;
    first_error(&error, get_number(json, "packets", INT64_MAX,
                                   &o->n_packets));
    first_error(&error, get_number(json, "bytes", INT64_MAX, &o->n_bytes));
    first_error(&error, get_time(json, "first_seen", &o->first));
    o->last = o->first;
    first_error(&error, get_time(json, "last_seen", &o->last));
    return error;
}

/* The simple form. */

static char *
get_protocol(const struct json *json, uint8_t *protocol)
{
    const struct json *m = member(json, "protocol");
    if (m && m->type == JSON_STRING) {
        const char *name = json_string(m);
        int number = observe_protocol(name, strlen(name));
        if (number < 0) {
            return xasprintf("\"protocol\" is tcp, udp, sctp, icmp, icmp6 or "
                             "a number, not \"%s\"", name);
        }
        *protocol = number;
        return NULL;
    }
    uint64_t number = 0;
    char *error = m ? get_number(json, "protocol", 255, &number)
                    : xstrdup("no \"protocol\" in it");
    *protocol = number;
    return error;
}

static char *
get_opening(const struct json *json, struct observation *o)
{
    uint64_t port = 0, code = 0;
    bool is_icmp = o->protocol == IPPROTO_ICMP
                   || o->protocol == IPPROTO_ICMPV6;
    const struct opening what = { .protocol = o->protocol };
    const char *name = is_icmp ? "type" : "port";
    if ((is_icmp || opening_has_ports(&what)) && !member(json, name)) {
        return xasprintf("no \"%s\" in it", name);
    }
    char *error = NULL;
    first_error(&error, get_number(json, name, is_icmp ? 255 : UINT16_MAX,
                                   &port));
    first_error(&error, get_number(json, "code", 255, &code));
    o->dst_port = port;
    o->icmp_code = code;
    return error;
}

static char *
read_simple(struct json_reader *reader, const struct json *json,
            struct observation *o)
{
    uint64_t vlan = 0;
    char *error = NULL;
    o->n_connections = 1;
    first_error(&error, get_address(json, "src", &o->src.address));
    first_error(&error, get_address(json, "dst", &o->dst.address));
    first_error(&error, get_mac(json, "src_mac", &o->src.mac));
    first_error(&error, get_mac(json, "dst_mac", &o->dst.mac));
    first_error(&error, get_text(json, "src_name", &o->src.name));
    first_error(&error, get_text(json, "dst_name", &o->dst.name));
    first_error(&error, get_protocol(json, &o->protocol));
    first_error(&error, error ? NULL : get_opening(json, o));
    first_error(&error, get_number(json, "connections", INT64_MAX,
                                   &o->n_connections));
    first_error(&error, get_number(json, "unanswered", o->n_connections,
                                   &o->n_unanswered));
    first_error(&error, get_counts(json, o));
    first_error(&error, get_text(json, "observer", &o->observer));
    first_error(&error, get_number(json, "vlan", 4094, &vlan));
    if (vlan) {
        set_text(&reader->segment, xasprintf("vlan:%"PRIu64, vlan));
        o->segment = reader->segment;
    }
    first_error(&error, get_text(json, "segment", &o->segment));
    return error;
}

/* Records of sdfwd. */

/* Is it about one kind of connection, opened by who has sent it?  Spoofed and
 * invalid packets say nothing of who talks to whom. */
static bool
is_connection(const struct json *json)
{
    const char *level = "", *reason = "", *flags = NULL;
    char *error = NULL;
    first_error(&error, get_text(json, "level", &level));
    first_error(&error, get_text(json, "reason", &reason));
    first_error(&error, get_text(json, "tcp_flags", &flags));
    free(error);
    return !strcmp(level, "tuple") && member(json, "protocol")
           && (!strcmp(reason, "no-link") || !strcmp(reason, "unmanaged"))
           && (!flags || !strcmp(flags, "syn")
               || !strncmp(flags, "syn|ece", 7));
}

static char *
read_party(const struct json *json, const char *name,
           struct observed_end *end, char **name_text)
{
    const struct json *party = member(json, name);
    if (!party || party->type != JSON_OBJECT) {
        return xasprintf("no \"%s\" in it", name);
    }
    const char *application = NULL, *service = NULL, *workload = NULL;
    char *error = get_address(party, "address", &end->address);
    first_error(&error, get_mac(party, "mac", &end->mac));
    first_error(&error, get_text(party, "application", &application));
    first_error(&error, get_text(party, "service", &service));
    first_error(&error, get_text(party, "workload", &workload));
    if (!error && application && service && workload) {
        set_text(name_text, xasprintf("%s/%s/%s", application, service,
                                      workload));
        end->name = *name_text;
    }
    return error;
}

static char *
read_record(struct json_reader *reader, const struct json *json,
            struct observation *o)
{
    uint64_t protocol = 0, src_port = 0, dst_port = 0, code = 0;
    const char *bridge = NULL, *verdict = "";
    char *error = NULL;
    o->cumulative = true;
    o->n_connections = 1;
    first_error(&error, read_party(json, "src", &o->src, &reader->src_name));
    first_error(&error, read_party(json, "dst", &o->dst, &reader->dst_name));
    first_error(&error, get_number(json, "protocol", 255, &protocol));
    first_error(&error, get_number(json, "src_port", UINT16_MAX, &src_port));
    first_error(&error, get_number(json, "dst_port", UINT16_MAX, &dst_port));
    first_error(&error, get_number(json, "icmp_type", 255, &dst_port));
    first_error(&error, get_number(json, "icmp_code", 255, &code));
    first_error(&error, get_text(json, "segment", &o->segment));
    first_error(&error, get_text(json, "verdict", &verdict));
    first_error(&error, get_text(json, "bridge", &bridge));
    first_error(&error, get_counts(json, o));
    o->protocol = protocol;
    o->src_port = src_port;
    o->dst_port = dst_port;
    o->icmp_code = code;
    /* What was dropped has got no answer. */
    o->n_unanswered = !strcmp(verdict, "drop");
    if (bridge) {
        set_text(&reader->observer, xasprintf("%s/%s", o->observer, bridge));
        o->observer = reader->observer;
    }
    return error;
}

static char *
read_object(struct json_reader *reader, const struct json *json)
{
    struct input *input = reader->input;
    struct observation o = {
        .observer = input->observer, .segment = input->segment,
        .opener_known = true, .first = input->time, .last = input->time,
    };
    bool is_record = member(json, "event") != NULL;
    if (is_record && !is_connection(json)) {
        input->result->n_other++;
        return NULL;
    }
    char *error = is_record ? read_record(reader, json, &o)
                            : read_simple(reader, json, &o);
    if (!o.segment[0]) {
        o.segment = input->segment;
    }
    if (!error && o.last < o.first) {
        error = xstrdup("\"last_seen\" is before \"first_seen\"");
    }
    if (!error) {
        observe_add(input, &o);
    }
    return error;
}

char *
json_reader_line(struct json_reader *reader, const char *line)
{
    struct json *json = json_from_string(line);
    char *error = json->type == JSON_OBJECT ? read_object(reader, json)
        : json->type == JSON_STRING
          ? xasprintf("not JSON: %s", json_string(json))
          : xstrdup("not an object of JSON");
    json_destroy(json);
    return error;
}
