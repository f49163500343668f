/* Model check: for random small topologies, what the flows do with a packet
 * is what the manifest means.
 *
 * Some of the workloads, in half of the topologies, are on other bridges.
 *
 * Each topology is compiled with two random sets of links and modes.  A
 * connection is opened under the first, and goes on, in both directions, with
 * the mark that it got, under the first and under the second.
 *
 * SDFW_SEED and SDFW_TOPOLOGIES repeat a run or make it longer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "check.h"
#include "compile.h"
#include "flow.h"
#include "meaning.h"
#include "packets.h"
#include "util.h"
#include "values.h"
#include "walk.h"

#define NOW 1000000
#define PACKETS_PER_TOPOLOGY 400
#define UNMANAGED_PORT 500

static const struct location nowhere = { .file = "random.xml", .line = 1 };
static uint64_t random_state;

/* xorshift64* (Vigna, 2016). */
static unsigned int
any(unsigned int n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 33) % n;
}

static bool
percent(unsigned int p)
{
    return any(100) < p;
}

#define ANY_OF(ARRAY) ((ARRAY)[any(ARRAY_SIZE(ARRAY))])

/* Random topologies. */

static const char *const prefixes[] = {
    "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.4/30",
    "192.0.2.0/24", "192.0.2.128/25", "::/0", "2001:db8::/32",
    "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:2::4/126",
};
static const uint16_t ports_of_services[] = { 80, 443, 1023, 1024, 1999, 5432,
                                              53, 67, 0, 65535 };

static struct prefix
random_prefix(void)
{
    struct prefix prefix;
    char *error = value_to_prefix(ANY_OF(prefixes), &prefix);
    assert_null(error);
    return prefix;
}

static struct in6_addr
random_address(bool ipv6)
{
    static const char *const bases4[] = { "10.1.2.", "10.1.2.", "10.1.9.",
                                          "192.0.2.", "203.0.113." };
    static const char *const bases6[] = { "2001:db8:1:2::", "2001:db8:1:2::",
                                          "2001:db8:2::", "2001:db9::" };
    char text[64];
    struct in6_addr address;
    snprintf(text, sizeof text, ipv6 ? "%s%x" : "%s%u",
             ipv6 ? ANY_OF(bases6) : ANY_OF(bases4), 1 + any(10));
    assert_true(value_parse_address(text, &address));
    return address;
}

static struct eth_addr
random_mac(void)
{
    struct eth_addr mac = ETH_ADDR_C(02,00,00,00,00,00);
    mac.ea[5] = any(40);
    return mac;
}

static void
add_networks(struct topology *t)
{
    for (unsigned int i = 0; i < 1 + any(4); i++) {
        char name[16];
        snprintf(name, sizeof name, "net%u", i);
        struct network *network = topology_add_network(t, name, nowhere);
        network->n_prefixes = 1 + any(3);
        network->prefixes = xcalloc(3, sizeof *network->prefixes);
        network->n_exceptions = any(3);
        network->exceptions = xcalloc(3, sizeof *network->exceptions);
        for (size_t j = 0; j < network->n_prefixes; j++) {
            network->prefixes[j] = random_prefix();
        }
        for (size_t j = 0; j < network->n_exceptions; j++) {
            network->exceptions[j] = random_prefix();
        }
        if (percent(20)) {
            network->segment = t->segments[any(t->n_segments)];
        }
    }
}

static void
add_workloads(struct service *service, bool ipv6)
{
    for (unsigned int i = any(4); i > 0; i--) {
        char name[16];
        snprintf(name, sizeof name, "w%u", i);
        struct workload *w = service_add_workload(service, name, nowhere);
        w->binding = BIND_INTERFACE;
        w->value = xasprintf("%s-%s", service->path, name);
        w->n_macs = 1 + percent(20);
        w->macs = xcalloc(2, sizeof *w->macs);
        w->n_addresses = 1 + any(3);
        w->addresses = xcalloc(3, sizeof *w->addresses);
        for (size_t j = 0; j < w->n_macs; j++) {
            w->macs[j] = random_mac();
        }
        for (size_t j = 0; j < w->n_addresses; j++) {
            w->addresses[j] = random_address(ipv6 && percent(50));
        }
    }
}

static struct topology *
random_nodes(void)
{
    static const char *const segment_names[] = { "red", "blue", "cell" };
    struct topology *t = topology_create();
    for (unsigned int i = 0; i < 3; i++) {
        if (percent(40)) {
            topology_add_segment(t, segment_names[i],
                                 i == 2 ? SEGMENT_ISOLATED : SEGMENT_VLAN,
                                 i == 2 ? 0 : 100 + i, nowhere);
        }
    }
    topology_number_segments(t);
    add_networks(t);
    bool ipv6 = percent(70);
    for (unsigned int i = 0; i < 1 + any(3); i++) {
        char name[16];
        snprintf(name, sizeof name, "app%u", i);
        struct application *a = topology_add_application(t, name, nowhere);
        for (unsigned int j = 0; j < 1 + any(3); j++) {
            snprintf(name, sizeof name, "s%u", j);
            struct service *s = application_add_service(t, a, name, nowhere);
            s->segment = t->segments[percent(60) ? 0 : any(t->n_segments)];
            add_workloads(s, ipv6);
        }
        struct service *s = a->services[any(a->n_services)];
        struct service *other = a->services[any(a->n_services)];
        if (other != s && s->n_workloads && s->segment == other->segment
            && s->workloads[0]->home == s) {
            service_add_member(other, s->workloads[0]);
        }
    }
    return t;
}

static struct opening
random_opening(void)
{
    struct opening o = { .first = 0, .last = UINT16_MAX, .icmp_type = -1,
                         .icmp_code = -1, .where = nowhere };
    static const uint16_t protocols[] = {
        IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
        IPPROTO_ICMPV6, 47, PROTOCOL_ANY,
    };
    o.protocol = ANY_OF(protocols);
    if (opening_has_ports(&o) && percent(90)) {
        uint16_t a = ANY_OF(ports_of_services);
        uint16_t b = percent(70) ? a : ANY_OF(ports_of_services);
        o.first = MIN(a, b);
        o.last = MAX(a, b);
    } else if (o.protocol == IPPROTO_ICMP || o.protocol == IPPROTO_ICMPV6) {
        if (percent(70)) {
            o.icmp_type = o.protocol == IPPROTO_ICMP ? 8 : 128;
            o.icmp_code = percent(50) ? 0 : -1;
        }
    }
    return o;
}

static struct service *
random_service(const struct topology *t)
{
    const struct application *a = t->applications[any(t->n_applications)];
    return a->services[any(a->n_services)];
}

static struct endpoint
random_end(const struct topology *t)
{
    if (percent(25)) {
        return (struct endpoint) {
            .network = t->networks[any(t->n_networks)],
        };
    }
    return (struct endpoint) { .service = random_service(t) };
}

/* What links may not join is left to check.c, which is asked later. */
static bool
is_sensible(const struct endpoint *a, const struct endpoint *b)
{
    const struct service *service = a->service ? a->service : b->service;
    const struct network *network = a->network ? a->network : b->network;
    if (!service || (a->service && a->service == b->service)) {
        return service != NULL;
    }
    if (network) {
        return service->segment->kind != SEGMENT_ISOLATED
               && (!network->segment || network->segment == service->segment);
    }
    return a->service->segment == b->service->segment
           || (a->service->segment->kind != SEGMENT_ISOLATED
               && b->service->segment->kind != SEGMENT_ISOLATED);
}

static void
add_accept(struct application *application, const struct link *link)
{
    struct link *accept = application_add_link(application, true, nowhere);
    accept->from = link->from;
    accept->to = link->to;
}

static void
random_links(struct topology *t)
{
    for (unsigned int i = 2 + any(10); i > 0; i--) {
        struct endpoint from = random_end(t), to = random_end(t);
        if (!is_sensible(&from, &to)) {
            continue;
        }
        struct application *owner = from.service ? from.service->application
                                    : to.service->application;
        struct link *link = application_add_link(owner, false, nowhere);
        link->from = from;
        link->to = to;
        link->n_openings = 1 + any(3);
        link->openings = xcalloc(3, sizeof *link->openings);
        for (size_t j = 0; j < link->n_openings; j++) {
            link->openings[j] = random_opening();
        }
        if (percent(10)) {
            link->not_after = percent(50) ? NOW : NOW + 1;
        } else if (percent(10)) {
            link->not_before = percent(50) ? NOW : NOW + 1;
        }
        if (to.service && to.service->application != owner) {
            add_accept(to.service->application, link);
        }
    }
}

static void
random_modes(struct topology *t, bool strict)
{
    for (size_t i = 0; i < t->n_applications; i++) {
        struct application *a = t->applications[i];
        a->mode = strict ? MODE_ENFORCE : MODE_LEARN + any(3);
        for (size_t j = 0; j < a->n_services; j++) {
            a->services[j]->mode = strict || percent(60)
                                   ? MODE_INHERIT : MODE_LEARN + any(3);
        }
    }
}

/* A topology with its ports and flows. */
struct world {
    struct topology *topology;
    struct ports *ports;
    struct flow_set flows;
    struct walker *walker;
};

/* Two worlds with the same nodes, made from the same seed, differ in links
 * and modes.  Returns false if check.c finds an error in this one. */
static void
random_ports(struct ports *ports)
{
    ports_number(ports);
    unsigned int elsewhere = percent(50) ? 20 + any(70) : 0;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (percent(elsewhere)) {
            ports->of_workload[i] = 0;
        }
    }
}

static bool
world_init(struct world *world, uint64_t seed, uint64_t link_seed)
{
    random_state = seed;
    world->topology = random_nodes();
    world->ports = ports_create(world->topology);
    random_ports(world->ports);
    bool strict = percent(50);
    random_state = link_seed;
    random_links(world->topology);
    random_modes(world->topology, strict);

    struct report report;
    report_init(&report);
    check_topology(world->topology, NOW, &report);
    bool ok = !report.n_errors;
    report_destroy(&report);

    const struct compile_options options = {
        .table_base = DEFAULT_TABLE_BASE, .now = NOW,
    };
    flow_set_init(&world->flows, DEFAULT_TABLE_BASE);
    compile(world->topology, world->ports, &options, &world->flows);
    flow_set_sort(&world->flows);
    world->walker = walker_create(&world->flows);
    return ok;
}

static void
world_destroy(struct world *world)
{
    walker_destroy(world->walker);
    flow_set_destroy(&world->flows);
    ports_destroy(world->ports);
    topology_destroy(world->topology);
}

/* Random packets, most of them right but for a detail. */

static struct workload *
random_workload(const struct world *world)
{
    return world->ports->n_workloads
           ? world->ports->workloads[any(world->ports->n_workloads)] : NULL;
}

static struct in6_addr
address_of(const struct workload *workload, bool ipv6)
{
    for (int i = 0; workload && i < 8; i++) {
        const struct in6_addr *a
            = &workload->addresses[any(workload->n_addresses)];
        if (ipv6 && percent(10)) {
            struct in6_addr lla;
            in6_generate_lla(workload->macs[any(workload->n_macs)], &lla);
            return lla;
        }
        if (IN6_IS_ADDR_V4MAPPED(a) != ipv6) {
            return *a;
        }
    }
    return random_address(ipv6);
}

static struct eth_addr
mac_of(const struct workload *workload)
{
    static const struct eth_addr router = ETH_ADDR_C(02,99,00,00,00,01);
    return workload ? workload->macs[any(workload->n_macs)] : router;
}

static void
set_addresses(struct flow *flow, const struct in6_addr *src,
              const struct in6_addr *dst)
{
    if (IN6_IS_ADDR_V4MAPPED(src)) {
        flow->dl_type = htons(ETH_TYPE_IP);
        flow->nw_src = in6_addr_get_mapped_ipv4(src);
        flow->nw_dst = in6_addr_get_mapped_ipv4(dst);
    } else {
        flow->dl_type = htons(ETH_TYPE_IPV6);
        flow->ipv6_src = *src;
        flow->ipv6_dst = *dst;
    }
}

static void
random_service_of_packet(struct flow *flow, struct opening *opening,
                         bool ipv6)
{
    *opening = (struct opening) { .icmp_type = -1, .icmp_code = -1 };
    static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_TCP,
                                         IPPROTO_UDP, IPPROTO_SCTP, 47, 50 };
    opening->protocol = percent(75) ? ANY_OF(protocols)
                        : ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    flow->nw_proto = opening->protocol;
    if (opening_has_ports(opening)) {
        opening->first = ANY_OF(ports_of_services) + (percent(20) ? 1 : 0);
        opening->last = opening->first;
        flow->tp_src = htons(40000);
        flow->tp_dst = htons(opening->first);
    } else if (!(opening->protocol == 47 || opening->protocol == 50)) {
        opening->icmp_type = percent(70) ? (ipv6 ? 128 : 8) : ipv6 ? 3 : 11;
        opening->icmp_code = any(2);
        flow->tp_src = htons(opening->icmp_type);
        flow->tp_dst = htons(opening->icmp_code);
    }
}

/* Where packets of 'from' (NULL: of somebody outside) come in. */
static ofp_port_t
port_of(const struct world *world, const struct workload *from)
{
    uint16_t port = from ? world->ports->of_workload[from->index] : 0;
    return u16_to_ofp(port ? port : UNMANAGED_PORT);
}

static bool
is_here(const struct world *world, const struct workload *workload)
{
    return workload && world->ports->of_workload[workload->index];
}

static void
set_in_port(struct flow *flow, const struct world *world,
            const struct workload *from)
{
    flow->in_port.ofp_port = port_of(world, from);
    if (from && !is_here(world, from) && from->home->segment->vlan) {
        flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        flow->vlans[0].tci = htons(VLAN_CFI | from->home->segment->vlan);
    }
    if (percent(from ? 3 : 40)) {
        flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        flow->vlans[0].tci = htons(VLAN_CFI | (99 + any(4)));
    }
}

/* Fills in a packet from 'from' to 'to' (NULL: somebody outside). */
static void
random_packet(const struct world *world, const struct workload *from,
              const struct workload *to, struct flow *flow,
              struct opening *opening)
{
    memset(flow, 0, sizeof *flow);
    bool ipv6 = percent(40);
    struct in6_addr src = address_of(from, ipv6);
    struct in6_addr dst = address_of(to, ipv6);
    bool near = to && from && to->home->segment == from->home->segment;
    set_in_port(flow, world, from);
    flow->dl_src = mac_of(from);
    flow->dl_dst = mac_of(near || (to && !from) ? to : NULL);
    if (percent(5)) {
        flow->dl_src = mac_of(random_workload(world));
    }
    if (percent(5)) {
        flow->dl_dst = percent(50) ? eth_addr_broadcast
                       : mac_of(random_workload(world));
    }
    if (percent(5)) {
        src = address_of(random_workload(world), ipv6);
    }
    if (percent(5)) {
        dst = address_of(random_workload(world), ipv6);
    }
    set_addresses(flow, &src, &dst);
    random_service_of_packet(flow, opening, ipv6);
}

/* The same connection, seen from the other end.  What is in another segment
 * answers through a router, from outside. */
static void
turn_round(const struct world *world, struct flow *flow,
           const struct workload *from, const struct workload *to)
{
    flow->in_port.ofp_port = port_of(world, to);
    memset(flow->vlans, 0, sizeof flow->vlans);
    const struct segment *segment = from ? from->home->segment : NULL;
    if (!is_here(world, to) && segment && segment->kind == SEGMENT_VLAN) {
        flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        flow->vlans[0].tci = htons(VLAN_CFI | segment->vlan);
    }
    struct eth_addr mac = flow->dl_src;
    flow->dl_src = flow->dl_dst;
    flow->dl_dst = mac;
    ovs_be32 nw = flow->nw_src;
    flow->nw_src = flow->nw_dst;
    flow->nw_dst = nw;
    struct in6_addr ipv6 = flow->ipv6_src;
    flow->ipv6_src = flow->ipv6_dst;
    flow->ipv6_dst = ipv6;
    if (flow->nw_proto == IPPROTO_ICMP || flow->nw_proto == IPPROTO_ICMPV6) {
        return;
    }
    ovs_be16 tp = flow->tp_src;
    flow->tp_src = flow->tp_dst;
    flow->tp_dst = tp;
}

/* Comparing. */

struct counts {
    unsigned long int packets, allowed, refused, tolerated, foreign;
};

static void
print_topology(const struct topology *t)
{
    for (size_t i = 0; i < t->n_networks; i++) {
        const struct network *n = t->networks[i];
        print_message("  network %s%s%s:", n->name, n->segment ? " in " : "",
                      n->segment ? n->segment->name : "");
        for (size_t j = 0; j < n->n_prefixes + n->n_exceptions; j++) {
            bool except = j >= n->n_prefixes;
            char *text = prefix_to_string(
                except ? &n->exceptions[j - n->n_prefixes] : &n->prefixes[j]);
            print_message(" %s%s", except ? "!" : "", text);
            free(text);
        }
        print_message("\n");
    }
    for (size_t i = 0; i < t->n_applications; i++) {
        for (size_t j = 0; j < t->applications[i]->n_links; j++) {
            const struct link *link = t->applications[i]->links[j];
            char *from = endpoint_to_string(&link->from);
            char *to = endpoint_to_string(&link->to);
            print_message("  link %s -> %s%s:", from, to,
                          link_is_valid(link, NOW) ? "" : " (not valid)");
            free(from);
            free(to);
            for (size_t k = 0; k < link->n_openings; k++) {
                char *text = opening_to_string(&link->openings[k]);
                print_message(" %s", text);
                free(text);
            }
            print_message("\n");
        }
    }
}

static void
explain(const struct world *world, const struct flow *flow,
        const struct walk_connection *connection,
        const struct walk_result *result, const char *what)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    flow_format(&s, flow, NULL);
    print_message("%s\n  packet %s\n  conntrack: state 0x%x, mark 0x%x, "
                  "protocol %u, ports %u, %u\n", what, ds_cstr(&s),
                  connection->state, connection->mark, connection->protocol,
                  connection->tp_src, connection->tp_dst);
    print_topology(world->topology);
    for (size_t i = 0; i < result->n_lookups; i++) {
        ds_clear(&s);
        if (result->path[i] == SIZE_MAX) {
            ds_put_cstr(&s, "no flow");
        } else {
            flow_record_format(&s, &world->flows,
                               &world->flows.flows[result->path[i]], true);
        }
        print_message("  %.900s\n", ds_cstr(&s));
    }
    ds_destroy(&s);
}

static bool
enforces_at(const struct world *world, uint16_t port)
{
    for (size_t i = 0; port && i < world->ports->n_workloads; i++) {
        const struct workload *w = world->ports->workloads[i];
        for (size_t j = 0; world->ports->of_workload[i] == port
                           && j < w->n_services; j++) {
            if (service_mode(w->services[j]) == MODE_ENFORCE) {
                return true;
            }
        }
    }
    return false;
}

/* NULL if 'result' is what 'judgement' says, or what is wrong. */
static const char *
compare(const struct world *world, const struct flow *flow,
        const struct judgement *judgement, const struct walk_result *result)
{
    uint16_t in_port = ofp_to_u16(flow->in_port.ofp_port);
    bool nowhere_to_go = judgement->port == in_port;
    switch (judgement->meaning) {
    case MEANS_FOREIGN:
        return result->passed && !result->n_outputs ? NULL
               : "not ours, but not left alone";
    case MEANS_ALLOW: {
        uint16_t port = judgement->port ? judgement->port : OFPP_NORMAL;
        if (nowhere_to_go) {
            return result->n_outputs ? "sent back" : NULL;
        }
        if (result->passed || result->n_outputs != 1
            || ofp_to_u16(result->outputs[0].port) != port) {
            return "a link allows it, but it does not arrive";
        }
        return judgement->port && result->outputs[0].tagged
               ? "arrives with its tag" : NULL;
    }
    case MEANS_DEVIATION:
        if (judgement->drop && (result->n_outputs || result->passed)) {
            return "an end enforces, but it is not dropped";
        }
        if (judgement->pass && !result->n_outputs && !result->passed) {
            return "no end enforces, but it is dropped";
        }
        for (size_t i = 0; i < result->n_outputs; i++) {
            if (enforces_at(world, result->outputs[i].port)) {
                return "a deviation reaches one who enforces";
            }
        }
        return NULL;
    }
    return NULL;
}

static const char *
check_packet(const struct world *world, const struct meaning_packet *packet,
             const struct walk_connection *connection, struct counts *counts,
             struct walk_result *result)
{
    struct judgement judgement = judge(world->topology, world->ports, packet,
                                       NOW);
    walk(world->walker, packet->flow, connection, result);
    counts->packets++;
    counts->allowed += judgement.meaning == MEANS_ALLOW;
    counts->refused += judgement.meaning == MEANS_DEVIATION && judgement.drop;
    counts->tolerated += judgement.meaning == MEANS_DEVIATION
                         && judgement.pass;
    counts->foreign += judgement.meaning == MEANS_FOREIGN;
    const char *wrong = compare(world, packet->flow, &judgement, result);
    if (wrong) {
        explain(world, packet->flow, connection, result, wrong);
    }
    return wrong;
}

static struct walk_connection
new_connection(const struct flow *flow, const struct opening *opening)
{
    struct walk_connection c = {
        .state = CS_NEW,
        .protocol = flow->nw_proto,
    };
    if (opening_has_ports(opening) || opening->icmp_type >= 0) {
        c.tp_src = ntohs(flow->tp_src);
        c.tp_dst = ntohs(flow->tp_dst);
    }
    return c;
}

/* True if 'flow' from 'from' is in the segment of 'to'. */
static bool
is_sent_in(const struct flow *flow, const struct workload *from,
           const struct workload *to)
{
    const struct segment *segment = to->home->segment;
    return from ? from->home->segment == segment
           : segment->vlan == vlan_tci_to_vid(flow->vlans[0].tci);
}

/* Of an isolated segment, nothing comes from another bridge. */
static bool
is_cut_off(const struct world *world, const struct workload *workload)
{
    return workload && !is_here(world, workload)
           && workload->home->segment->kind == SEGMENT_ISOLATED;
}

/* Opens a connection in the first world, then goes on with it in both.
 * Returns what went wrong. */
static const char *
check_connection(struct world worlds[2], struct counts *counts)
{
    const struct workload *from = percent(75) ? random_workload(&worlds[0])
                                  : NULL;
    const struct workload *to = percent(75) ? random_workload(&worlds[0])
                                : NULL;
    if (is_cut_off(&worlds[0], from)) {
        return NULL;
    }
    struct flow flow;
    struct opening opening;
    random_packet(&worlds[0], from, to, &flow, &opening);

    struct meaning_packet packet = { .flow = &flow, .opening = opening };
    struct walk_connection connection = new_connection(&flow, &opening);
    struct walk_result result;
    if (percent(5)) {
        packet.invalid = true;
        connection.state = CS_INVALID;
    }
    const char *wrong = check_packet(&worlds[0], &packet, &connection, counts,
                                     &result);
    if (wrong || !result.committed) {
        return wrong;
    }

    /* A link may make an address known that was anybody's: then its running
     * connections go on under their mark (docs/pipeline.md). */
    struct judgement first = judge(worlds[0].topology, worlds[0].ports,
                                   &packet, NOW);
    struct judgement second = judge(worlds[1].topology, worlds[1].ports,
                                    &packet, NOW);
    int n = first.src == second.src && first.dst == second.dst ? 4 : 2;

    connection.mark = result.mark;
    bool reversed = percent(20) && connection.mark >= MARK_FIRST_LINK
                    && (opening.protocol == IPPROTO_TCP
                        || opening.protocol == IPPROTO_UDP);
    if (reversed) {
        /* As if the server had sent the first packet that conntrack saw. */
        connection.mark |= UINT32_C(1) << MARK_REVERSED;
        uint16_t tp = connection.tp_src;
        connection.tp_src = connection.tp_dst;
        connection.tp_dst = tp;
    }
    if (to && (first.dst != to->index || !is_sent_in(&flow, from, to))) {
        to = NULL;
    }
    if ((!from && !to) || is_cut_off(&worlds[0], to)) {
        return NULL;
    }
    for (int i = 0; i < n && !wrong; i++) {
        bool reply = i & 1;
        if (reply) {
            turn_round(&worlds[0], &flow, from, to);
        }
        packet.backwards = reply;
        connection.state = CS_ESTABLISHED
                           | (reply != reversed ? CS_REPLY_DIR : 0);
        wrong = check_packet(&worlds[i / 2], &packet, &connection, counts,
                             &result);
        if (reply) {
            turn_round(&worlds[0], &flow, to, from);
        }
    }
    return wrong;
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void
test_flows_do_what_the_manifest_means(void **state OVS_UNUSED)
{
    uint64_t seed = number_from("SDFW_SEED", time(NULL) * 2654435761u | 1);
    uint64_t n_topologies = number_from("SDFW_TOPOLOGIES", 200);
    struct counts counts = { 0 };
    unsigned long int n_checked = 0;

    print_message("seed %"PRIu64"\n", seed);
    for (uint64_t i = 0; n_checked < n_topologies; i++) {
        struct world worlds[2];
        uint64_t nodes = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        bool first = world_init(&worlds[0], nodes, nodes ^ 0x1234567);
        bool second = world_init(&worlds[1], nodes, nodes ^ 0x7654321);
        const char *wrong = NULL;
        random_state = nodes ^ 0xabcdef;
        if (first && second && worlds[0].ports->n_workloads) {
            for (int j = 0; j < PACKETS_PER_TOPOLOGY && !wrong; j++) {
                wrong = check_connection(worlds, &counts);
            }
            n_checked++;
        }
        world_destroy(&worlds[0]);
        world_destroy(&worlds[1]);
        if (wrong) {
            fail_msg("%s; repeat with SDFW_SEED=%"PRIu64
                     " SDFW_TOPOLOGIES=1", wrong, seed + i);
        }
    }
    print_message("%lu topologies, %lu packets: %lu allowed, %lu refused, "
                  "%lu tolerated, %lu not ours\n", n_checked, counts.packets,
                  counts.allowed, counts.refused, counts.tolerated,
                  counts.foreign);
    /* Each kind must be met often, or this would show nothing. */
    assert_true(counts.allowed > counts.packets / 20);
    assert_true(counts.refused > counts.packets / 20);
    assert_true(counts.tolerated > counts.packets / 100);
    assert_true(counts.foreign > counts.packets / 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows_do_what_the_manifest_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
