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
    const struct overlay *overlay;
    const struct segment *segment;
    struct party from, to;
    char *src, *dst;            /* Addresses; NULL if there are none. */
    char *opening;              /* "tcp/22"; NULL if it is not IP. */
    const struct network *src_network, *dst_network; /* Or NULL. */
    const char *reason;
    bool dropped;
    struct verdict verdict;     /* Of IP, by what is in force now. */
    const struct link *allowed; /* By now, though it was judged otherwise. */
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
find_party(const struct explain_context *context, const char *address,
           const struct segment *segment)
{
    struct party party = { .segment = segment };
    char *error = context->topology && address
                  ? party_parse(context->topology, address, segment, &party)
                  : NULL;
    free(error);
    const struct workload *by_hand
        = party.has_address ? overlay_find_address(context->overlay, segment,
                                                   &party.address) : NULL;
    if (by_hand) {
        party.workload = by_hand;
    }
    return party;
}

/* The network that holds 'address' by the longest prefix, or NULL. */
static const struct network *
find_network(const struct topology *topology, const struct segment *segment,
             const struct in6_addr *address)
{
    const struct network *best = NULL;
    int best_len = -1;
    for (size_t i = 0; topology && i < topology->n_networks; i++) {
        const struct network *n = topology->networks[i];
        if ((n->segment && n->segment != segment)
            || !network_holds(n, address)) {
            continue;
        }
        for (size_t j = 0; j < n->n_prefixes; j++) {
            if (n->prefixes[j].len > best_len
                && prefix_holds(&n->prefixes[j], address)) {
                best = n;
                best_len = n->prefixes[j].len;
            }
        }
    }
    return best;
}

static enum mode
mode_of(const struct party *party, const struct overlay *overlay)
{
    return party->workload
           ? overlay_service_mode(overlay, party->workload->home)
           : MODE_INHERIT;
}

/* The mode that decided: the strictest of the two ends'.  If it does not fit
 * what became of the packets, it has changed since. */
static enum mode
deciding_mode(const struct story *s)
{
    static const enum mode by_strictness[] = { MODE_AUDIT, MODE_LEARN };
    if (s->dropped) {
        return MODE_ENFORCE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(by_strictness); i++) {
        if (mode_of(&s->from, s->overlay) == by_strictness[i]
            || mode_of(&s->to, s->overlay) == by_strictness[i]) {
            return by_strictness[i];
        }
    }
    return MODE_INHERIT;
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
        .overlay = context->overlay,
        .segment = find_segment(context->topology, d->key.segment),
        .reason = d->key.reason == REASON_NO_LINK && p->revoked
                  ? reason_names[REASON_REVOKED]
                  : d->key.reason < N_REASONS ? reason_names[d->key.reason]
                  : "unknown",
        .dropped = d->key.enforced,
    };
    if (is_ip(d) || p->eth_type == ETH_TYPE_ARP) {
        s->src = address_to_string(&p->src);
        s->dst = address_to_string(&p->dst);
    }
    s->from = find_party(context, s->src, s->segment);
    s->to = find_party(context, s->dst, s->segment);
    if (context->from) {
        /* Whatever the packet says, it came from there. */
        s->from.workload = context->from;
    }
    if (is_ip(d)) {
        s->src_network = s->from.workload ? NULL
                         : find_network(context->topology, s->segment,
                                        &p->src);
        s->dst_network = s->to.workload ? NULL
                         : find_network(context->topology, s->segment,
                                        &p->dst);
    }
    if (d->key.reason == REASON_NO_LINK && !p->revoked && is_ip(d)
        && context->topology && !s->from.workload && !s->src_network) {
        s->reason = "unmanaged";
    }
    if (is_ip(d)) {
        struct opening opening = opening_of(d);
        s->opening = opening_to_string(&opening);
        if (context->topology) {
            s->verdict = evaluate(context->topology,
                                  p->reply ? &s->to : &s->from,
                                  p->reply ? &s->from : &s->to, &opening,
                                  context->now_ms / 1000);
            s->allowed = d->key.reason == REASON_NO_LINK ? s->verdict.link
                                                         : NULL;
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

static void
put_quarantine(struct json *json, const struct quarantine *quarantine)
{
    if (quarantine) {
        json_object_put_string(json, "quarantine", quarantine->reason);
    }
}

static struct json *
party_to_json(const struct party *party, const struct overlay *overlay,
              const struct network *network, const char *address,
              struct eth_addr mac)
{
    struct json *json = json_object_create();
    if (party->workload) {
        const struct service *service = party->workload->home;
        const struct application *application = service->application;
        json_object_put_string(json, "application", application->name);
        if (application->version) {
            json_object_put_string(json, "version", application->version);
        }
        json_object_put_string(json, "service", service->name);
        json_object_put_string(json, "workload", party->workload->name);
        json_object_put_string(json, "mode",
                               mode_to_string(overlay_service_mode(overlay, service)));
        put_quarantine(json, overlay_find_quarantine(overlay,
                                                     party->workload));
    } else if (network) {
        json_object_put_string(json, "network", network->name);
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
link_to_json(const struct link *link, const char *why)
{
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
    if (why) {
        json_object_put_string(json, "but", why);
    }
    json_object_put_string(json, "file", link->where.file);
    put_number(json, "line", link->where.line);
    return json;
}

/* What records of deviations and of incidents have in common. */
static void
put_common(struct json *json, enum deviation_event event,
           const struct story *s, const struct deviation *d,
           const struct explain_context *context)
{
    put_time(json, "time", context->now_ms);
    json_object_put_string(json, "event", event_names[event]);
    json_object_put_string(json, "bridge", context->bridge);
    put_number(json, "in_port", d->key.in_port);
    if (context->interface) {
        json_object_put_string(json, "interface", context->interface);
    }
    json_object_put_string(json, "segment", s->segment ? s->segment->name
                                            : "");
    json_object_put_string(json, "reason", s->reason);
    json_object_put_string(json, "verdict", s->dropped ? "drop" : "pass");
    enum mode mode = deciding_mode(s);
    if (mode != MODE_INHERIT) {
        json_object_put_string(json, "mode", mode_to_string(mode));
    }
    if (context->policy_ms) {
        put_time(json, "policy_since", context->policy_ms);
    }
    json_object_put(json, "src", party_to_json(&s->from, s->overlay,
                                               s->src_network, s->src,
                                               d->packet.src_mac));
}

static void
put_counts(struct json *json, uint64_t n_packets, uint64_t n_bytes,
           long long int first_ms, long long int last_ms)
{
    put_number(json, "packets", n_packets);
    put_number(json, "bytes", n_bytes);
    put_time(json, "first_seen", first_ms);
    put_time(json, "last_seen", last_ms);
}

static struct json *
to_json(enum deviation_event event, const struct deviation *d,
        const struct story *s, const struct explain_context *context)
{
    static const char *const levels[] = { "tuple", "pair", "source" };
    struct json *json = json_object_create();
    put_number(json, "id", d->id);
    if (d->incident_id) {
        put_number(json, "incident", d->incident_id);
    }
    put_common(json, event, s, d, context);
    json_object_put_string(json, "level", levels[d->key.level]);
    json_object_put(json, "dst", party_to_json(&s->to, s->overlay,
                                               s->dst_network, s->dst,
                                               d->packet.dst_mac));
    put_packet(json, d);
    put_counts(json, d->n_packets, d->n_bytes, d->first_ms, d->last_ms);
    if (s->allowed) {
        json_object_put(json, "allowed", link_to_json(s->allowed, NULL));
    } else if (s->verdict.nearest) {
        json_object_put(json, "nearest", link_to_json(s->verdict.nearest,
                                                      s->verdict.why));
    }
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

/* Who is in quarantine, and why. */
static void
put_who_is_in_quarantine(struct ds *text, const struct story *s)
{
    const struct quarantine *q = overlay_find_quarantine(s->overlay,
                                                         s->from.workload);
    q = q ? q : overlay_find_quarantine(s->overlay, s->to.workload);
    if (q) {
        char *path = workload_path(q->workload);
        ds_put_format(text, "; %s is in quarantine", path);
        free(path);
        if (q->reason[0]) {
            ds_put_format(text, ": %s", q->reason);
        }
    }
}

static void
put_link(struct ds *text, const char *what, const struct link *link)
{
    char *from = endpoint_to_string(&link->from);
    char *to = endpoint_to_string(&link->to);
    char *opens = opening_to_string(&link->openings[0]);
    ds_put_format(text, "; %s link %s -> %s %s%s (%s:%d)", what, from, to,
                  opens, link->n_openings > 1 ? ",..." : "",
                  link->where.file, link->where.line);
    free(from);
    free(to);
    free(opens);
}

static char *
to_text(enum deviation_event event, const struct deviation *d,
        const struct story *s, const struct explain_context *context)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_format(&text, "%s: %s %s: ", context->bridge, s->reason,
                  s->dropped ? "dropped" : "passed");
    put_party(&text, &s->from, s->src, d->packet.src_mac);
    ds_put_cstr(&text, " -> ");
    put_party(&text, &s->to, s->dst, d->packet.dst_mac);
    if (s->opening) {
        ds_put_format(&text, " %s", s->opening);
    } else {
        ds_put_format(&text, " ethertype 0x%04x", d->packet.eth_type);
    }
    if (event != DEVIATION_OPEN) {
        ds_put_format(&text, "; %s, %"PRIu64" packets, %"PRIu64" bytes",
                      event == DEVIATION_UPDATE ? "goes on" : "over",
                      d->n_packets, d->n_bytes);
    } else if (d->key.reason == REASON_QUARANTINE) {
        put_who_is_in_quarantine(&text, s);
    } else if (s->allowed) {
        put_link(&text, "allowed by now:", s->allowed);
    } else if (s->verdict.nearest) {
        put_link(&text, "nearest:", s->verdict.nearest);
        ds_put_format(&text, ", %s", s->verdict.why);
    }
    return ds_steal_cstr(&text);
}

void
explain(enum deviation_event event, const struct deviation *d,
        const struct explain_context *context, struct explanation *e)
{
    struct story s;
    story_init(&s, d, context);
    *e = (struct explanation) {
        .json = to_json(event, d, &s, context),
        .text = to_text(event, d, &s, context),
        .learning = deciding_mode(&s) == MODE_LEARN,
        .allowed = s.allowed != NULL,
    };
    story_destroy(&s);
}

void
explanation_destroy(struct explanation *e)
{
    json_destroy(e->json);
    free(e->text);
}

char *
explain_source(const struct deviation *d,
               const struct explain_context *context)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct story s;
    story_init(&s, d, context);
    if (s.from.workload) {
        char *path = workload_path(s.from.workload);
        ds_put_cstr(&text, path);
        free(path);
    } else {
        put_party(&text, &s.from, s.src, d->packet.src_mac);
    }
    ds_put_char_multiple(&text, ' ', MAX(41 - (int) text.length, 2));
    ds_put_cstr(&text, s.reason);
    story_destroy(&s);
    return ds_steal_cstr(&text);
}

/* Incidents. */

static const char *const kind_names[] = { "scan", "sweep", "flood" };

static struct json *
incident_to_json(enum deviation_event event, const struct incident *incident,
                 const struct story *s, const struct explain_context *context)
{
    struct json *json = json_object_create();
    put_number(json, "incident", incident->id);
    json_object_put_string(json, "kind", kind_names[incident_kind(incident)]);
    put_common(json, event, s, &incident->first, context);
    put_number(json, "deviations", incident->n_deviations);
    put_number(json, "hosts", incident_n_hosts(incident));
    json_object_put(json, "more_hosts",
                    json_boolean_create(incident->more_hosts));
    put_number(json, "ports", incident->n_ports);
    if (incident_n_hosts(incident) == 1) {
        json_object_put(json, "dst", party_to_json(
                            &s->to, s->overlay, s->dst_network, s->dst,
                            incident->first.packet.dst_mac));
    }
    put_counts(json, incident->n_packets, incident->n_bytes,
               incident->first_ms, incident->last_ms);
    put_number(json, "folded_packets", incident->n_folded);
    return json;
}

static char *
incident_to_text(enum deviation_event event, const struct incident *incident,
                 const struct story *s, const struct explain_context *context)
{
    const struct deviation *first = &incident->first;
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_format(&text, "%s: incident %"PRIu64", %s (%s) %s: ",
                  context->bridge, incident->id,
                  kind_names[incident_kind(incident)], s->reason,
                  s->dropped ? "dropped" : "passed");
    put_party(&text, &s->from, s->src, first->packet.src_mac);
    ds_put_cstr(&text, " -> ");
    if (incident_n_hosts(incident) == 1) {
        put_party(&text, &s->to, s->dst, first->packet.dst_mac);
    } else {
        ds_put_format(&text, "%s%"PRIuSIZE" hosts",
                      incident->more_hosts ? "more than " : "",
                      incident_n_hosts(incident));
    }
    ds_put_format(&text, ", %"PRIuSIZE" port%s; ", incident->n_ports,
                  incident->n_ports == 1 ? "" : "s");
    if (event == DEVIATION_OPEN) {
        ds_put_cstr(&text, "begins, single ones are no longer told here");
    } else {
        ds_put_format(&text, "%s, %"PRIu64" deviations, %"PRIu64" packets, "
                      "%"PRIu64" bytes",
                      event == DEVIATION_UPDATE ? "goes on" : "over",
                      incident->n_deviations, incident->n_packets,
                      incident->n_bytes);
    }
    if (incident->n_folded) {
        ds_put_format(&text, " (%"PRIu64" packets beyond --tuples)",
                      incident->n_folded);
    }
    return ds_steal_cstr(&text);
}

void
explain_incident(enum deviation_event event, const struct incident *incident,
                 const struct explain_context *context, struct explanation *e)
{
    struct story s;
    story_init(&s, &incident->first, context);
    *e = (struct explanation) {
        .json = incident_to_json(event, incident, &s, context),
        .text = incident_to_text(event, incident, &s, context),
        .learning = deciding_mode(&s) == MODE_LEARN,
    };
    story_destroy(&s);
}
