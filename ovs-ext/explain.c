/* Deviations in words: see explain.h. */

#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "evaluate.h"
#include "flow.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

static const char *const reason_names[] = { REASON_NAMES };
BUILD_ASSERT_DECL(ARRAY_SIZE(reason_names) == N_REASONS);

static const char *const event_names[] = { "open", "update", "close" };

/* What can be said of a deviation, looked up once. */
struct story {
    const struct segment *segment;
    struct party from, to;
    char *src, *dst;            /* Addresses; NULL if there are none. */
    char *opening;              /* "tcp/22"; NULL if it is not IP. */
    const char *reason;
    bool dropped;
    struct verdict verdict;     /* Of reasons no-link and revoked. */
};

static const struct segment *
find_segment(const struct topology *topology, uint16_t id)
{
    for (size_t i = 0; topology && i < topology->n_segments; i++) {
        if (topology->segments[i]->id == id) {
            return topology->segments[i];
        }
    }
    return NULL;
}

static struct party
find_party(const struct topology *topology, const char *address,
           const struct segment *segment)
{
    struct party party = { .segment = segment };
    char *error = topology && address
                  ? party_parse(topology, address, segment, &party) : NULL;
    free(error);
    return party;
}

static struct opening
opening_of(const struct deviation *d)
{
    const struct deviation_packet *p = &d->packet;
    struct opening opening = {
        .protocol = p->protocol, .icmp_type = -1, .icmp_code = -1,
    };
    if (opening_has_ports(&opening)) {
        opening.first = opening.last = p->reply ? p->tp_src : p->tp_dst;
    } else if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
        opening.icmp_type = p->tp_src;
        opening.icmp_code = p->tp_dst;
    }
    return opening;
}

static bool
is_ip(const struct deviation *d)
{
    return d->packet.eth_type == ETH_TYPE_IP
           || d->packet.eth_type == ETH_TYPE_IPV6;
}

static void
story_init(struct story *s, const struct deviation *d,
           const struct explain_context *context)
{
    const struct deviation_packet *p = &d->packet;
    *s = (struct story) {
        .segment = find_segment(context->topology, d->key.segment),
        .reason = d->key.reason == REASON_NO_LINK && p->revoked
                  ? reason_names[REASON_REVOKED]
                  : d->key.reason < N_REASONS ? reason_names[d->key.reason]
                  : "unknown",
        .dropped = p->enforced || (p->unseen && context->topology),
    };
    if (is_ip(d) || p->eth_type == ETH_TYPE_ARP) {
        s->src = address_to_string(&p->src);
        s->dst = address_to_string(&p->dst);
    }
    s->from = find_party(context->topology, s->src, s->segment);
    s->to = find_party(context->topology, s->dst, s->segment);
    if (context->from) {
        /* Whatever the packet says, it came from there. */
        s->from.workload = context->from;
    }
    if (is_ip(d)) {
        struct opening opening = opening_of(d);
        s->opening = opening_to_string(&opening);
        if (context->topology) {
            s->verdict = evaluate(context->topology,
                                  p->reply ? &s->to : &s->from,
                                  p->reply ? &s->from : &s->to, &opening,
                                  context->now_ms / 1000);
            if (p->unseen) {
                s->dropped = s->verdict.kind == VERDICT_DENY;
            }
        }
    }
}

static void
story_destroy(struct story *s)
{
    free(s->src);
    free(s->dst);
    free(s->opening);
}

/* JSON. */

static void
put_time(struct json *json, const char *name, long long int ms)
{
    json_object_put(json, name, json_string_create_nocopy(
                        xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", ms, true)));
}

static void
put_number(struct json *json, const char *name, long long int number)
{
    json_object_put(json, name, json_integer_create(number));
}

static struct json *
party_to_json(const struct party *party, const char *address,
              struct eth_addr mac)
{
    struct json *json = json_object_create();
    if (party->workload) {
        const struct service *service = party->workload->home;
        json_object_put_string(json, "application",
                               service->application->name);
        json_object_put_string(json, "service", service->name);
        json_object_put_string(json, "workload", party->workload->name);
    }
    if (address) {
        json_object_put_string(json, "address", address);
    }
    json_object_put(json, "mac", json_string_create_nocopy(
                        xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac))));
    return json;
}

static void
put_packet(struct json *json, const struct deviation *d)
{
    const struct deviation_packet *p = &d->packet;
    json_object_put(json, "eth_type", json_string_create_nocopy(
                        xasprintf("0x%04x", p->eth_type)));
    if (p->vlan) {
        put_number(json, "vlan", p->vlan);
    }
    if (!is_ip(d)) {
        return;
    }
    put_number(json, "protocol", p->protocol);
    if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
        put_number(json, "icmp_type", p->tp_src);
        put_number(json, "icmp_code", p->tp_dst);
    } else if (p->tp_src || p->tp_dst) {
        put_number(json, "src_port", p->tp_src);
        put_number(json, "dst_port", p->tp_dst);
    }
    if (p->protocol == IPPROTO_TCP && !p->unseen) {
        struct ds flags = DS_EMPTY_INITIALIZER;
        format_flags(&flags, packet_tcp_flag_to_string, p->tcp_flags, '|');
        json_object_put(json, "tcp_flags", json_string_create_nocopy(
                            ds_steal_cstr(&flags)));
    }
}

static struct json *
link_to_json(const struct verdict *verdict)
{
    const struct link *link = verdict->nearest;
    struct json *json = json_object_create();
    struct ds openings = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < link->n_openings; i++) {
        char *text = opening_to_string(&link->openings[i]);
        ds_put_format(&openings, "%s%s", i ? " " : "", text);
        free(text);
    }
    json_object_put(json, "from", json_string_create_nocopy(
                        endpoint_to_string(&link->from)));
    json_object_put(json, "to", json_string_create_nocopy(
                        endpoint_to_string(&link->to)));
    json_object_put(json, "opens", json_string_create_nocopy(
                        ds_steal_cstr(&openings)));
    json_object_put_string(json, "but", verdict->why);
    json_object_put_string(json, "file", link->where.file);
    put_number(json, "line", link->where.line);
    return json;
}

struct json *
explain_to_json(enum deviation_event event, const struct deviation *d,
                const struct explain_context *context)
{
    static const char *const levels[] = { "tuple", "pair", "source" };
    struct story s;
    story_init(&s, d, context);

    struct json *json = json_object_create();
    put_time(json, "time", context->now_ms);
    json_object_put_string(json, "event", event_names[event]);
    put_number(json, "id", d->id);
    json_object_put_string(json, "bridge", context->bridge);
    put_number(json, "in_port", d->key.in_port);
    json_object_put_string(json, "segment", s.segment ? s.segment->name : "");
    json_object_put_string(json, "reason", s.reason);
    json_object_put_string(json, "verdict", s.dropped ? "drop" : "pass");
    json_object_put_string(json, "level", levels[d->key.level]);
    json_object_put(json, "src", party_to_json(&s.from, s.src,
                                               d->packet.src_mac));
    json_object_put(json, "dst", party_to_json(&s.to, s.dst,
                                               d->packet.dst_mac));
    put_packet(json, d);
    put_number(json, "packets", d->n_packets);
    put_number(json, "bytes", d->n_bytes);
    put_time(json, "first_seen", d->first_ms);
    put_time(json, "last_seen", d->last_ms);
    if (s.verdict.nearest) {
        json_object_put(json, "nearest", link_to_json(&s.verdict));
    }
    story_destroy(&s);
    return json;
}

/* Text. */

static void
put_party(struct ds *text, const struct party *party, const char *address,
          struct eth_addr mac)
{
    if (party->workload) {
        char *path = workload_path(party->workload);
        ds_put_format(text, "%s (", path);
        free(path);
    }
    if (address) {
        ds_put_cstr(text, address);
    } else {
        ds_put_format(text, ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
    }
    if (party->workload) {
        ds_put_char(text, ')');
    }
}

char *
explain_to_text(enum deviation_event event, const struct deviation *d,
                const struct explain_context *context)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct story s;
    story_init(&s, d, context);
    ds_put_format(&text, "%s: %s %s: ", context->bridge, s.reason,
                  s.dropped ? "dropped" : "passed");
    put_party(&text, &s.from, s.src, d->packet.src_mac);
    ds_put_cstr(&text, " -> ");
    put_party(&text, &s.to, s.dst, d->packet.dst_mac);
    if (s.opening) {
        ds_put_format(&text, " %s", s.opening);
    } else {
        ds_put_format(&text, " ethertype 0x%04x", d->packet.eth_type);
    }
    if (event != DEVIATION_OPEN) {
        ds_put_format(&text, "; %s, %"PRIu64" packets, %"PRIu64" bytes",
                      event == DEVIATION_UPDATE ? "goes on" : "over",
                      d->n_packets, d->n_bytes);
    } else if (s.verdict.nearest) {
        const struct link *link = s.verdict.nearest;
        char *from = endpoint_to_string(&link->from);
        char *to = endpoint_to_string(&link->to);
        char *opens = opening_to_string(&link->openings[0]);
        ds_put_format(&text, "; nearest: link %s -> %s %s%s (%s:%d), %s",
                      from, to, opens, link->n_openings > 1 ? ",..." : "",
                      link->where.file, link->where.line, s.verdict.why);
        free(from);
        free(to);
        free(opens);
    }
    story_destroy(&s);
    return ds_steal_cstr(&text);
}
