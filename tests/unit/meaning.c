/* What a topology means for one packet: see meaning.h. */

#include "meaning.h"

#include <string.h>

#include "flow.h"
#include "packets.h"

static bool
in_service(const struct workload *workload, const struct service *service)
{
    for (size_t i = 0; workload && i < workload->n_services; i++) {
        if (workload->services[i] == service) {
            return true;
        }
    }
    return false;
}

static bool
enforces(const struct workload *workload)
{
    for (size_t i = 0; workload && i < workload->n_services; i++) {
        enum mode mode = workload->services[i]->mode;
        if (mode == MODE_INHERIT) {
            mode = workload->services[i]->application->mode;
        }
        if (mode == MODE_ENFORCE) {
            return true;
        }
    }
    return false;
}

static bool
has_mac(const struct workload *workload, struct eth_addr mac)
{
    for (size_t i = 0; i < workload->n_macs; i++) {
        if (eth_addr_equals(workload->macs[i], mac)) {
            return true;
        }
    }
    return false;
}

static bool
has_address(const struct workload *workload, const struct in6_addr *address)
{
    for (size_t i = 0; i < workload->n_addresses; i++) {
        if (!memcmp(&workload->addresses[i], address, sizeof *address)) {
            return true;
        }
    }
    return false;
}

static bool
has_ipv6(const struct ports *ports)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        for (size_t j = 0; j < workload->n_addresses; j++) {
            if (!IN6_IS_ADDR_V4MAPPED(&workload->addresses[j])) {
                return true;
            }
        }
    }
    return false;
}

/* Where IPv6 is used, a host has the link-local addresses of its MACs too. */
static bool
makes_address(const struct workload *workload, const struct in6_addr *address)
{
    for (size_t i = 0; i < workload->n_macs; i++) {
        struct in6_addr lla;
        in6_generate_lla(workload->macs[i], &lla);
        if (!memcmp(&lla, address, sizeof lla)) {
            return true;
        }
    }
    return false;
}

static bool
link_joins(const struct topology *t, const struct workload *workload,
           const struct segment *segment)
{
    for (size_t i = 0; i < t->n_applications; i++) {
        for (size_t j = 0; j < t->applications[i]->n_links; j++) {
            const struct link *link = t->applications[i]->links[j];
            const struct service *from = link->from.service;
            const struct service *to = link->to.service;
            if (from && to && ((in_service(workload, from)
                                && to->segment == segment)
                               || (in_service(workload, to)
                                   && from->segment == segment))) {
                return true;
            }
        }
    }
    return false;
}

/* Who has 'address' when it is seen in 'segment': a workload of the segment,
 * 'local' if it is on this bridge, or one of another segment that a link leads
 * to. */
static const struct workload *
owner(const struct topology *t, const struct ports *ports,
      const struct segment *segment, const struct in6_addr *address,
      bool *local)
{
    *local = false;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        bool here = ports->of_workload[i];
        if (ports->workloads[i]->home->segment == segment
            && (has_address(ports->workloads[i], address)
                || (here && has_ipv6(ports)
                    && makes_address(ports->workloads[i], address)))) {
            *local = here;
            return ports->workloads[i];
        }
    }
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        if (workload->home->segment != segment
            && !IN6_IS_ADDR_LINKLOCAL(address)
            && has_address(workload, address)
            && link_joins(t, workload, segment)) {
            return workload;
        }
    }
    return NULL;
}

static const struct workload *
mac_owner(const struct ports *ports, const struct segment *segment,
          struct eth_addr mac)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (ports->of_workload[i]
            && ports->workloads[i]->home->segment == segment
            && has_mac(ports->workloads[i], mac)) {
            return ports->workloads[i];
        }
    }
    return NULL;
}

static bool
holds(const struct prefix *prefix, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(&prefix->addr)
        != IN6_IS_ADDR_V4MAPPED(address)) {
        return false;           /* ::/0 holds no IPv4 address. */
    }
    for (int bit = 0; bit < prefix->len; bit++) {
        int a = prefix->addr.s6_addr[bit / 8] >> (7 - bit % 8) & 1;
        int b = address->s6_addr[bit / 8] >> (7 - bit % 8) & 1;
        if (a != b) {
            return false;
        }
    }
    return true;
}

static bool
in_network(const struct network *network, const struct segment *segment,
           const struct in6_addr *address)
{
    int in = -1, out = -1;
    for (size_t i = 0; i < network->n_prefixes; i++) {
        if (holds(&network->prefixes[i], address)) {
            in = MAX(in, network->prefixes[i].len);
        }
    }
    for (size_t i = 0; i < network->n_exceptions; i++) {
        if (holds(&network->exceptions[i], address)) {
            out = MAX(out, network->exceptions[i].len);
        }
    }
    return in > out && (!network->segment || network->segment == segment);
}

static bool
opens(const struct opening *o, const struct opening *what)
{
    if (o->protocol == PROTOCOL_ANY) {
        return true;
    }
    return o->protocol == what->protocol
           && (what->first >= o->first && what->first <= o->last)
           && (o->icmp_type < 0 || o->icmp_type == what->icmp_type)
           && (o->icmp_code < 0 || o->icmp_code == what->icmp_code);
}

/* One side of a connection. */
struct side {
    const struct workload *workload;
    const struct in6_addr *address;
};

static bool
is_at(const struct side *side, const struct endpoint *end,
      const struct segment *segment)
{
    return end->service ? in_service(side->workload, end->service)
           : !side->workload && in_network(end->network, segment,
                                           side->address);
}

static bool
is_linked(const struct topology *t, const struct segment *segment,
          const struct side *client, const struct side *server,
          const struct opening *what, time_t now)
{
    for (size_t i = 0; i < t->n_applications; i++) {
        for (size_t j = 0; j < t->applications[i]->n_links; j++) {
            const struct link *link = t->applications[i]->links[j];
            if ((link->not_before && now < link->not_before)
                || (link->not_after && now >= link->not_after)
                || !is_at(client, &link->from, segment)
                || !is_at(server, &link->to, segment)) {
                continue;
            }
            for (size_t k = 0; k < link->n_openings; k++) {
                if (opens(&link->openings[k], what)) {
                    return true;
                }
            }
        }
    }
    return false;
}

static const struct segment *
segment_of(const struct topology *t, const struct workload *from,
           const struct flow *flow)
{
    if (from) {
        return from->home->segment;
    }
    uint16_t vlan = vlan_tci_to_vid(flow->vlans[0].tci);
    for (size_t i = 0; i < t->n_segments; i++) {
        const struct segment *s = t->segments[i];
        if (vlan ? s->kind == SEGMENT_VLAN && s->vlan == vlan
            : s->kind == SEGMENT_DEFAULT) {
            return s;
        }
    }
    return NULL;
}

static struct judgement
deviation(const struct workload *from, const struct workload *to,
          const struct workload *to_mac, const struct workload *claimed,
          const struct workload *claimed_mac)
{
    return (struct judgement) {
        .meaning = MEANS_DEVIATION,
        .drop = enforces(from) || enforces(to) || enforces(to_mac),
        .pass = !enforces(from) && !enforces(to) && !enforces(to_mac)
                && !enforces(claimed) && !enforces(claimed_mac),
        .src = claimed ? claimed->index : SIZE_MAX,
        .dst = to ? to->index : SIZE_MAX,
    };
}

struct judgement
judge(const struct topology *t, const struct ports *ports,
      const struct meaning_packet *packet, time_t now)
{
    const struct flow *flow = packet->flow;
    const struct workload *from = NULL;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (ports->of_workload[i] == ofp_to_u16(flow->in_port.ofp_port)) {
            from = ports->workloads[i];
        }
    }
    const struct segment *segment = segment_of(t, from, flow);
    if (!segment) {
        return (struct judgement) { .meaning = MEANS_FOREIGN,
                                    .src = SIZE_MAX, .dst = SIZE_MAX };
    }

    bool ipv4 = flow->dl_type == htons(ETH_TYPE_IP);
    struct in6_addr src = flow->ipv6_src, dst = flow->ipv6_dst;
    if (ipv4) {
        in6_addr_set_mapped_ipv4(&src, flow->nw_src);
        in6_addr_set_mapped_ipv4(&dst, flow->nw_dst);
    }
    bool src_local, dst_local;
    const struct workload *src_owner = owner(t, ports, segment, &src,
                                             &src_local);
    const struct workload *dst_owner = owner(t, ports, segment, &dst,
                                             &dst_local);
    const struct workload *src_mac = mac_owner(ports, segment, flow->dl_src);
    const struct workload *dst_mac = mac_owner(ports, segment, flow->dl_dst);
    const struct workload *to = dst_local ? dst_owner : NULL;
    struct judgement refused = deviation(from, dst_owner, dst_mac, src_owner,
                                         src_mac);
    /* Nobody gets what is for the sender, or leaves an isolated segment. */
    if ((from && (from == to || from == dst_mac))
        || (segment->kind == SEGMENT_ISOLATED && (!to || to != dst_mac))) {
        refused.pass = false;
    }

    if (src_mac != from || to != dst_mac) {
        return refused;
    }
    if (from) {
        if (flow->vlans[0].tci || src_owner != from || !src_local) {
            return refused;
        }
    } else if (!to) {
        return (struct judgement) { .meaning = MEANS_FOREIGN };
    } else if (src_local) {
        return refused;
    }

    struct side client = { from ? from : src_owner, &src };
    struct side server = { dst_owner, &dst };
    if (packet->backwards) {
        struct side side = client;
        client = server;
        server = side;
    }
    if (packet->invalid
        || !is_linked(t, segment, &client, &server, &packet->opening, now)) {
        return refused;
    }
    if (segment->kind == SEGMENT_ISOLATED && !to) {
        refused.drop = true;    /* It does not leave the bridge. */
        return refused;
    }
    return (struct judgement) {
        .meaning = MEANS_ALLOW,
        .port = to ? ports->of_workload[to->index] : 0,
        .src = refused.src,
        .dst = refused.dst,
    };
}
