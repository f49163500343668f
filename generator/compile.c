/* Policy to flows: see compile.h and, for the tables, pipeline.h.
 *
 * What there is many of (MACs, addresses, links) is encoded directly; what
 * there is few of is written as text and parsed by libopenvswitch. */

#include "compile.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/hmap.h>
#include <openvswitch/match.h>
#include <openvswitch/meta-flow.h>
#include <openvswitch/ofp-actions.h>

#include "byte-order.h"
#include "classes.h"
#include "flow.h"
#include "hash.h"
#include "packets.h"
#include "util.h"

struct compiler {
    const struct topology *topology;
    const struct ports *ports;
    const struct compile_options *options;
    struct classes *classes;
    struct flow_set *flows;
    struct ofpbuf ofpacts;      /* Scratch. */
};

static uint64_t
make_cookie(enum origin_kind kind, uint64_t id)
{
    return COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT
           | (id & COOKIE_ID_MASK);
}

static uint64_t
workload_cookie(const struct workload *workload)
{
    uint64_t hash = stable_hash(workload->home->path, 0);
    return make_cookie(ORIGIN_WORKLOAD,
                       stable_hash(workload->name, stable_hash("/", hash)));
}

/* Adds a flow from text; the arguments are those of printf(). */
static void OVS_PRINTF_FORMAT(6, 7)
add_text(struct compiler *c, enum table table, uint16_t priority,
         uint64_t cookie, struct origin origin, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    struct flow_record *flow = flow_set_add_text(
        c->flows, c->flows->table_base + table, priority, cookie, text);
    flow->origin = origin;
    free(text);
}

static struct flow_record *
add_match(struct compiler *c, enum table table, uint16_t priority,
          uint64_t cookie, struct origin origin, const struct match *match)
{
    struct flow_record *flow = flow_set_add(
        c->flows, c->flows->table_base + table, priority, cookie, match,
        &c->ofpacts);
    flow->origin = origin;
    return flow;
}

/* Actions. */

static void
put_load(struct ofpbuf *ofpacts, unsigned int reg, int first, int n_bits,
         uint32_t value)
{
    uint32_t mask = (n_bits == 32 ? UINT32_MAX
                     : (UINT32_C(1) << n_bits) - 1) << first;
    ovs_be32 be_value = htonl(value << first);
    ovs_be32 be_mask = htonl(mask);
    ofpact_put_reg_load(ofpacts, mf_from_id(MFF_REG0 + reg), &be_value,
                        &be_mask);
}

static void
put_resubmit(struct compiler *c, enum table table)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(&c->ofpacts);
    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = c->flows->table_base + table;
}

/* PORT: managed ports, as the fewest blocks of port numbers. */

struct port_group {
    const struct segment *segment;
    bool enforce;
    uint8_t *member;            /* By port. */
};

static void
add_port_block(struct compiler *c, const struct port_group *group,
               struct port_mask block)
{
    uint64_t id = (uint64_t) block.value << 16 | block.mask;
    struct origin origin = { .kind = ORIGIN_PORTS };
    add_text(c, TABLE_PORT, 20, make_cookie(ORIGIN_PORTS, id), origin,
             "reg3=%u/0x%x,actions=load:%u->NXM_NX_REG2[0..15],"
             "load:%d->NXM_NX_REG6[0..2],"
             "move:NXM_NX_REG3[0..15]->NXM_NX_REG5[16..31],"
             "resubmit(,ADMIT)", block.value, 0xffff0000 | block.mask,
             group->segment->id,
             FLAG(FLAG_MANAGED) | (group->enforce ? FLAG(FLAG_ENFORCE) : 0));
}

static void
add_port_group(struct compiler *c, const struct port_group *group)
{
    /* No packet comes from port 0, and with it blocks are larger. */
    group->member[0] = group->member[1];
    for (uint32_t first = 0; first < PORT_MAX; first++) {
        if (!group->member[first]) {
            continue;
        }
        uint32_t last = first;
        while (last + 1 < PORT_MAX && group->member[last + 1]) {
            last++;
        }
        struct port_mask blocks[32];
        size_t n = port_range_to_masks(first, last, blocks);
        for (size_t i = 0; i < n; i++) {
            add_port_block(c, group, blocks[i]);
        }
        first = last;
    }
}

static void
add_managed_ports(struct compiler *c, const struct segment *segment,
                  bool enforce)
{
    struct port_group group = {
        .segment = segment,
        .enforce = enforce,
        .member = xzalloc(PORT_MAX),
    };
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        const struct workload *workload = c->ports->workloads[i];
        if (c->ports->of_workload[i] && workload->home->segment == segment
            && c->classes->of_workload[i]->enforce == enforce) {
            group.member[c->ports->of_workload[i]] = 1;
        }
    }
    add_port_group(c, &group);
    free(group.member);
}

static uint64_t
segment_cookie(const struct segment *segment)
{
    return make_cookie(ORIGIN_SEGMENT, segment->id);
}

static const struct segment *
segment_of_vlan(const struct topology *topology, uint16_t vlan)
{
    for (size_t i = 0; i < topology->n_segments; i++) {
        const struct segment *segment = topology->segments[i];
        if (segment->kind == SEGMENT_VLAN ? segment->vlan == vlan
            : segment->kind == SEGMENT_DEFAULT && !vlan) {
            return segment;
        }
    }
    return NULL;
}

/* Unmanaged ports whose untagged traffic is in a VLAN. */
static void
add_access_ports(struct compiler *c)
{
    for (size_t i = 0; i < c->ports->n_access; i++) {
        const struct access_port *access = &c->ports->access[i];
        const struct segment *segment = segment_of_vlan(c->topology,
                                                        access->vlan);
        struct origin origin = { .kind = ORIGIN_PORTS };
        uint64_t cookie = make_cookie(ORIGIN_PORTS,
                                      (uint64_t) access->port << 32);
        if (segment) {
            add_text(c, TABLE_PORT, 10, cookie, origin,
                     "reg3=%u,vlan_tci=0/0x1000,"
                     "actions=load:%u->NXM_NX_REG2[0..15],set_field:0->reg3,"
                     "resubmit(,ADMIT)", access->port, segment->id);
        } else {
            add_text(c, TABLE_PORT, 10, cookie, origin,
                     "reg3=%u,actions=set_field:0->xxreg0,"
                     "set_field:1->xxreg3,resubmit(,0)", access->port);
        }
    }
}

/* FLOOD: what is for all managed ports of a segment.  A message holds at most
 * 64 kB, so large segments take several flows, told apart by REG_DST_PORT. */
#define FLOOD_PORTS 2000

static int
compare_ports(const void *a, const void *b)
{
    return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* The ports that a flood in 'segment' reaches, in order; if 'tolerated', the
 * flood is a deviation, and only for those who do not enforce. */
static uint16_t *
list_flooded(const struct compiler *c, const struct segment *segment,
             bool tolerated, size_t *np)
{
    uint16_t *ports = xmalloc((c->ports->n_workloads + 1) * sizeof *ports);
    size_t n = 0;
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        if (c->ports->of_workload[i]
            && c->ports->workloads[i]->home->segment == segment
            && !(tolerated && c->classes->of_workload[i]->enforce)) {
            ports[n++] = c->ports->of_workload[i];
        }
    }
    qsort(ports, n, sizeof *ports, compare_ports);
    *np = n;
    return ports;
}

static void
add_flood(struct compiler *c, const struct segment *segment, bool tolerated)
{
    struct origin origin = { .kind = ORIGIN_SEGMENT, .object = segment };
    size_t n;
    uint16_t *ports = list_flooded(c, segment, tolerated, &n);
    for (size_t chunk = 0; !chunk || chunk * FLOOD_PORTS < n; chunk++) {
        struct match match;
        match_init_catchall(&match);
        match_set_reg_masked(&match, REG_SEGMENT, segment->id, 0xffff);
        match_set_reg_masked(&match, REG_DST_PORT, chunk, 0xffff);
        if (tolerated) {
            match_set_reg_masked(&match, REG_FLAGS, FLAG(FLAG_TOLERATED),
                                 FLAG(FLAG_TOLERATED));
        }
        ofpbuf_clear(&c->ofpacts);
        size_t end = MIN(n, (chunk + 1) * FLOOD_PORTS);
        for (size_t i = chunk * FLOOD_PORTS; i < end; i++) {
            ofpact_put_OUTPUT(&c->ofpacts)->port = u16_to_ofp(ports[i]);
        }
        bool more = end < n;
        put_load(&c->ofpacts, REG_DST_PORT, 0, 16, more ? chunk + 1 : 0);
        if (more) {
            put_resubmit(c, TABLE_FLOOD);
        }
        add_match(c, TABLE_FLOOD, tolerated ? 20 : 10,
                  segment_cookie(segment), origin, &match);
    }
    free(ports);
}

static void
add_segment(struct compiler *c, const struct segment *segment, bool lenient)
{
    struct origin origin = { .kind = ORIGIN_SEGMENT, .object = segment };
    uint64_t cookie = segment_cookie(segment);

    add_managed_ports(c, segment, true);
    add_managed_ports(c, segment, false);
    add_flood(c, segment, false);
    if (lenient) {
        add_flood(c, segment, true);
    }
    if (segment->kind == SEGMENT_VLAN) {
        add_text(c, TABLE_PORT, 5, cookie, origin,
                 "dl_vlan=%u,actions=load:%u->NXM_NX_REG2[0..15],"
                 "set_field:0->reg3,resubmit(,ADMIT)",
                 segment->vlan, segment->id);
    } else if (segment->kind == SEGMENT_ISOLATED) {
        add_text(c, TABLE_GUARD, 82, cookie, origin,
                 "reg2=%u/0xffff,udp,tp_src=68,tp_dst=67,actions=drop",
                 segment->id);
        add_text(c, TABLE_OUTPUT, 30, cookie, origin,
                 "reg2=%u/0xffff,reg4=0/0xffff,actions=drop", segment->id);
    }
}

/* MAC and ADDRESS: who is who. */

static void
put_owner(struct compiler *c, const struct class *class, uint16_t port)
{
    put_load(&c->ofpacts, REG_CLASS, 0, 32, class->id);
    put_load(&c->ofpacts, REG_OWNER, 0, 16, port);
    if (class->enforce) {
        put_load(&c->ofpacts, REG_FLAGS, FLAG_ENFORCE, 1, 1);
    }
}

static void
add_mac(struct compiler *c, const struct workload *workload,
        const struct eth_addr *mac, uint16_t port)
{
    struct match match;
    match_init_catchall(&match);
    match_set_reg_masked(&match, REG_SEGMENT, workload->home->segment->id,
                         0xffff);
    match_set_xreg(&match, XREG_MAC, eth_addr_to_uint64(*mac));
    ofpbuf_clear(&c->ofpacts);
    put_owner(c, c->classes->of_workload[workload->index], port);
    add_match(c, TABLE_MAC, 10, workload_cookie(workload),
              (struct origin) { .kind = ORIGIN_WORKLOAD, .object = workload },
              &match);
}

static void
add_address(struct compiler *c, const struct segment *segment,
            const struct workload *workload, const struct in6_addr *address,
            const struct class *class, uint16_t port)
{
    struct match match;
    ovs_be128 key;
    match_init_catchall(&match);
    match_set_reg_masked(&match, REG_SEGMENT, segment->id, 0xffff);
    memcpy(&key, address, sizeof key);
    match_set_xxreg(&match, XXREG_ADDRESS, ntoh128(key));

    ofpbuf_clear(&c->ofpacts);
    put_owner(c, class, port);
    add_match(c, TABLE_ADDRESS, 10, workload_cookie(workload),
              (struct origin) { .kind = ORIGIN_WORKLOAD, .object = workload },
              &match);
}

static void
add_macs(struct compiler *c, const struct workload *workload)
{
    uint16_t port = c->ports->of_workload[workload->index];
    for (size_t i = 0; port && i < workload->n_macs; i++) {
        add_mac(c, workload, &workload->macs[i], port);
    }
}

static void
add_addresses(struct compiler *c, const struct class_segment *cs)
{
    for (size_t i = 0; i < cs->n_addresses; i++) {
        const struct class_address *a = &cs->addresses[i];
        uint16_t port = c->ports->of_workload[a->workload->index];
        add_address(c, cs->segment, a->workload, &a->address, a->class,
                    a->foreign ? 0 : port);
    }
}

/* CLASSIFY and SOURCE: prefixes. */

static void
add_prefix(struct compiler *c, const struct class_segment *cs,
           const struct class_prefix *cp, bool source)
{
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&cp->prefix.addr);
    const char *field = ipv4 ? (source ? "nw_src" : "nw_dst")
                             : (source ? "ipv6_src" : "ipv6_dst");
    const char *nxm = ipv4 ? (source ? "NXM_OF_IP_SRC" : "NXM_OF_IP_DST")
                           : (source ? "NXM_NX_IPV6_SRC" : "NXM_NX_IPV6_DST");
    struct ds s = DS_EMPTY_INITIALIZER;
    char *prefix = prefix_to_string(&cp->prefix);
    ds_put_format(&s, "reg2=%u/0xffff,%s%s,%s=%s,"
                  "actions=set_field:%u->reg14,", cs->segment->id,
                  source ? "reg6=0/1," : "", ipv4 ? "ip" : "ipv6", field,
                  prefix, cp->class ? cp->class->id : 0);
    free(prefix);
    if (cp->exact) {
        if (ipv4) {
            ds_put_format(&s, "set_field:0xffff00000000->xxreg2,"
                          "move:%s[]->NXM_NX_REG11[],", nxm);
        } else {
            ds_put_format(&s, "move:%s[]->NXM_NX_XXREG2[],", nxm);
        }
        ds_put_cstr(&s, "set_field:0->reg7,resubmit(,ADDRESS),");
        if (source) {
            /* Nobody outside may have the address of a local workload. */
            ds_put_cstr(&s, "set_field:0->reg5,resubmit(,COMPARE),");
        }
    }
    ds_put_cstr(&s, source ? "move:NXM_NX_REG14[]->NXM_NX_REG0[],"
                             "resubmit(,TRACK)" : "resubmit(,ROUTE)");

    uint64_t id = cp->network ? stable_hash(cp->network->name, 0)
                              : cs->segment->id;
    struct origin origin = {
        .kind = cp->network ? ORIGIN_NETWORK : ORIGIN_SEGMENT,
        .object = cp->network ? (const void *) cp->network
                              : (const void *) cs->segment,
    };
    add_text(c, source ? TABLE_SOURCE : TABLE_CLASSIFY, 100 + cp->prefix.len,
             make_cookie(origin.kind, id), origin, "%s", ds_cstr(&s));
    ds_destroy(&s);
}

/* LINK and STATE. */

struct open_id {
    const struct link *link;
    const struct opening *opening;
    char *name;
    uint32_t id;
};

static int
compare_open_ids(const void *a_, const void *b_)
{
    const struct open_id *a = a_;
    const struct open_id *b = b_;
    int cmp = strcmp(a->name, b->name);
    /* Of two that say the same, the one that stands first counts. */
    return cmp ? cmp : a->opening < b->opening ? -1 : a->opening > b->opening;
}

/* Lists the openings that are valid now, with identifiers that derive from
 * the ends and the opening: a link that is renamed, moved or given another
 * reason keeps its connections, one that changes its ports does not. */
static struct open_id *
list_openings(struct compiler *c, size_t *np)
{
    struct open_id *ids = NULL;
    size_t n = 0, allocated = 0;
    for (size_t i = 0; i < c->topology->n_applications; i++) {
        const struct application *application = c->topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            if (!link_is_valid(link, c->options->now)) {
                continue;
            }
            char *from = endpoint_to_string(&link->from);
            char *to = endpoint_to_string(&link->to);
            for (size_t k = 0; k < link->n_openings; k++) {
                if (n >= allocated) {
                    ids = x2nrealloc(ids, &allocated, sizeof *ids);
                }
                char *what = opening_to_string(&link->openings[k]);
                ids[n++] = (struct open_id) {
                    .link = link,
                    .opening = &link->openings[k],
                    .name = xasprintf("%s>%s>%s", from, to, what),
                };
                free(what);
            }
            free(from);
            free(to);
        }
    }
    if (n) {
        qsort(ids, n, sizeof *ids, compare_open_ids);
    }

    struct hmap used = HMAP_INITIALIZER(&used);
    struct id { struct hmap_node node; } *nodes = xmalloc((n + 1)
                                                          * sizeof *nodes);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (m && !strcmp(ids[m - 1].name, ids[i].name)) {
            free(ids[i].name);
            continue;
        }
        uint64_t hash = stable_hash(ids[i].name, 0);
        uint32_t id = (hash ^ hash >> 32) & MARK_ID_MASK;
        while (id < MARK_FIRST_LINK || hmap_first_with_hash(&used, id)) {
            hash = stable_hash(ids[i].name, hash);
            id = (hash ^ hash >> 32) & MARK_ID_MASK;
        }
        hmap_insert(&used, &nodes[i].node, id);
        ids[m] = ids[i];
        ids[m++].id = id;
    }
    hmap_destroy(&used);
    free(nodes);
    *np = m;
    return ids;
}

/* A key that LINK flows have: to drop what two links both open between
 * classes that are parts of both. */
struct link_key {
    struct hmap_node node;
    uint32_t from, to, key, mask;
    int16_t icmp_type;
};

static bool
is_new_key(struct hmap *keys, struct link_key key)
{
    uint32_t hash = hash_3words(hash_2words(key.from, key.to),
                                hash_2words(key.key, key.mask),
                                key.icmp_type);
    struct link_key *old;
    HMAP_FOR_EACH_WITH_HASH (old, node, hash, keys) {
        if (old->from == key.from && old->to == key.to && old->key == key.key
            && old->mask == key.mask && old->icmp_type == key.icmp_type) {
            return false;
        }
    }
    old = xmalloc(sizeof *old);
    *old = key;
    hmap_insert(keys, &old->node, hash);
    return true;
}

/* What an opening matches in LINK: alternatives of REG_LINK, and for ICMP the
 * type.  The more specific a match, the higher its priority, so that which of
 * two overlapping links counts does not depend on their order. */
struct link_match {
    uint32_t key, mask;
    int16_t icmp_type;          /* -1: any. */
};

static size_t
opening_to_matches(const struct opening *o, struct link_match out[])
{
    if (o->protocol == PROTOCOL_ANY) {
        out[0] = (struct link_match) { .icmp_type = -1 };
        return 1;
    }
    struct link_match m = {
        .key = (uint32_t) o->protocol << 16,
        .mask = 0x00ff0000,
        .icmp_type = -1,
    };
    switch (o->protocol) {
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        m.icmp_type = o->icmp_type;
        if (o->icmp_code >= 0) {
            m.key |= o->icmp_code;
            m.mask |= 0xff;
        }
        break;
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP: {
        struct port_mask masks[32];
        size_t n = port_range_to_masks(o->first, o->last, masks);
        for (size_t i = 0; i < n; i++) {
            out[i] = m;
            out[i].key |= masks[i].value;
            out[i].mask |= masks[i].mask;
        }
        return n;
    }
    }
    out[0] = m;
    return 1;
}

static uint16_t
link_priority(const struct link_match *m)
{
    return 10 + count_1bits(m->mask) + (m->icmp_type >= 0 ? 8 : 0);
}

static void
add_link_flow(struct compiler *c, const struct open_id *open,
              const struct link_match *m, const struct class *from,
              const struct class *to)
{
    struct match match;
    match_init_catchall(&match);
    match_set_reg(&match, REG_SRC_CLASS, from->id);
    match_set_reg(&match, REG_DST_CLASS, to->id);
    if (m->mask) {
        match_set_reg_masked(&match, REG_LINK, m->key, m->mask);
    }
    if (m->icmp_type >= 0) {
        bool v4 = open->opening->protocol == IPPROTO_ICMP;
        match_set_dl_type(&match, htons(v4 ? ETH_TYPE_IP : ETH_TYPE_IPV6));
        match_set_ct_state_masked(&match, CS_TRACKED,
                                  CS_TRACKED | CS_INVALID);
        match_set_ct_nw_proto(&match, open->opening->protocol);
        match_set_ct_tp_src(&match, htons(m->icmp_type));
    }
    ofpbuf_clear(&c->ofpacts);
    put_load(&c->ofpacts, REG_LINK, 0, 32, open->id);
    put_resubmit(c, TABLE_COMMIT);
    add_match(c, TABLE_LINK, link_priority(m),
              make_cookie(ORIGIN_LINK, open->id),
              (struct origin) { .kind = ORIGIN_LINK, .object = open->link,
                                .opening = open->opening }, &match);
}

static void
add_mark(struct compiler *c, const struct open_id *open)
{
    struct match match;
    match_init_catchall(&match);
    match_set_ct_mark_masked(&match, open->id, MARK_ID_MASK);
    ofpbuf_clear(&c->ofpacts);
    put_resubmit(c, TABLE_OUTPUT);
    add_match(c, TABLE_STATE, 10, make_cookie(ORIGIN_LINK, open->id),
              (struct origin) { .kind = ORIGIN_LINK, .object = open->link,
                                .opening = open->opening }, &match);
}

static void
add_opening(struct compiler *c, const struct open_id *open, struct hmap *keys)
{
    struct link_match matches[32];
    size_t n_matches = opening_to_matches(open->opening, matches);
    size_t n_from, n_to;
    struct class *const *from = classes_of(c->classes, &open->link->from,
                                           &n_from);
    struct class *const *to = classes_of(c->classes, &open->link->to, &n_to);

    for (size_t i = 0; i < n_from; i++) {
        for (size_t j = 0; j < n_to; j++) {
            for (size_t k = 0; k < n_matches; k++) {
                struct link_key key = {
                    .from = from[i]->id, .to = to[j]->id,
                    .key = matches[k].key, .mask = matches[k].mask,
                    .icmp_type = matches[k].icmp_type,
                };
                if (is_new_key(keys, key)) {
                    add_link_flow(c, open, &matches[k], from[i], to[j]);
                }
            }
        }
    }
    if (n_from && n_to) {
        add_mark(c, open);
    }
}

/* Roles: what GUARD refuses unless a link says so. */

static bool
opens_port(const struct open_id *open, uint16_t port)
{
    const struct opening *o = open->opening;
    return o->protocol == IPPROTO_UDP && o->first <= port && port <= o->last
           && open->link->to.service;
}

/* Lets the workloads of 'service' send what 'match' says. */
static void
add_role(struct compiler *c, const struct service *service, const char *match,
         struct hmap *keys)
{
    size_t n;
    struct endpoint end = { .service = CONST_CAST(struct service *, service) };
    struct class *const *classes = classes_of(c->classes, &end, &n);
    for (size_t i = 0; i < n; i++) {
        struct link_key key = {
            .from = classes[i]->id, .key = hash_string(match, 0),
        };
        if (is_new_key(keys, key)) {
            add_text(c, TABLE_GUARD, 85,
                     make_cookie(ORIGIN_SERVICE,
                                 stable_hash(service->path, 0)),
                     (struct origin) { .kind = ORIGIN_SERVICE,
                                       .object = service },
                     "reg6=1/1,%s,reg14=%u,actions=resubmit(,SWITCH)",
                     match, classes[i]->id);
        }
    }
}

/* Requests by broadcast reach the servers of the segment. */
static void
add_dhcp_relay(struct compiler *c, const struct service *service,
               const char *match, struct hmap *keys)
{
    struct link_key key = {
        .from = service->segment->id, .to = 1, .key = hash_string(match, 0),
    };
    if (!is_new_key(keys, key)) {
        return;
    }
    /* All DHCP servers of the segment, whatever their service: the first
     * service that is met stands for them in the report. */
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        const struct workload *workload = c->ports->workloads[i];
        uint16_t port = c->ports->of_workload[i];
        if (!port || workload->home->segment != service->segment) {
            continue;
        }
        for (size_t j = 0; j < workload->n_services; j++) {
            if (workload->services[j] == service) {
                ds_put_format(&s, "output:%u,", port);
                break;
            }
        }
    }
    ds_put_cstr(&s, service->segment->kind == SEGMENT_ISOLATED
                ? "drop" : "NORMAL");
    if (s.length > 4 && !strcmp(ds_cstr(&s) + s.length - 5, ",drop")) {
        ds_truncate(&s, s.length - 5);
    }
    add_text(c, TABLE_GUARD, 90,
             make_cookie(ORIGIN_SERVICE, stable_hash(service->path, 0)),
             (struct origin) { .kind = ORIGIN_SERVICE, .object = service },
             "reg6=1/1,reg2=%u/0xffff,%s,actions=%s", service->segment->id,
             match, ds_cstr(&s));
    ds_destroy(&s);
}

static void
add_roles(struct compiler *c, const struct open_id *open, struct hmap *keys,
          bool ipv6)
{
    if (opens_port(open, 67)) {
        add_role(c, open->link->to.service, "udp,tp_src=67,tp_dst=68", keys);
        add_dhcp_relay(c, open->link->to.service,
                       "udp,dl_dst=ff:ff:ff:ff:ff:ff,tp_src=68,tp_dst=67",
                       keys);
    }
    if (opens_port(open, 547) && ipv6) {
        add_role(c, open->link->to.service, "udp6,tp_src=547,tp_dst=546",
                 keys);
        add_dhcp_relay(c, open->link->to.service,
                       "udp6,ipv6_dst=ff02::1:2,tp_src=546,tp_dst=547", keys);
    }
    const struct opening *o = open->opening;
    if (o->protocol == IPPROTO_ICMPV6 && o->icmp_type == 134
        && open->link->from.service && ipv6) {
        add_role(c, open->link->from.service, "icmp6,icmpv6_type=134", keys);
    }
}

static void
add_links(struct compiler *c, bool ipv6)
{
    struct hmap keys = HMAP_INITIALIZER(&keys);
    struct hmap role_keys = HMAP_INITIALIZER(&role_keys);
    size_t n;
    struct open_id *open = list_openings(c, &n);
    for (size_t i = 0; i < n; i++) {
        add_opening(c, &open[i], &keys);
        add_roles(c, &open[i], &role_keys, ipv6);
        free(open[i].name);
    }
    free(open);

    struct link_key *key;
    HMAP_FOR_EACH_POP (key, node, &keys) {
        free(key);
    }
    HMAP_FOR_EACH_POP (key, node, &role_keys) {
        free(key);
    }
    hmap_destroy(&keys);
    hmap_destroy(&role_keys);
}

static bool
opens_sctp(const struct topology *topology)
{
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            for (size_t k = 0; k < link->n_openings; k++) {
                if (link->openings[k].protocol == IPPROTO_SCTP) {
                    return true;
                }
            }
        }
    }
    return false;
}

static struct pipeline_needs
find_needs(const struct compiler *c)
{
    struct pipeline_needs needs = { .sctp = opens_sctp(c->topology) };
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        const struct workload *workload = c->ports->workloads[i];
        for (size_t j = 0; j < workload->n_addresses; j++) {
            bool ipv4 = IN6_IS_ADDR_V4MAPPED(&workload->addresses[j]);
            *(ipv4 ? &needs.ipv4 : &needs.ipv6) = true;
        }
        needs.lenient |= !c->classes->of_workload[i]->enforce;
        needs.last_port = MAX(needs.last_port, c->ports->of_workload[i]);
    }
    for (size_t i = 0; i < c->topology->n_segments; i++) {
        needs.vlans |= c->topology->segments[i]->kind == SEGMENT_VLAN;
    }
    return needs;
}

void
compile(const struct topology *topology, const struct ports *ports,
        const struct compile_options *options, struct flow_set *flows)
{
    struct compiler c = {
        .topology = topology,
        .ports = ports,
        .options = options,
        .flows = flows,
    };
    ofpbuf_init(&c.ofpacts, 1024);
    c.classes = classes_create(topology, ports->workloads,
                               ports->n_workloads);

    struct pipeline_needs needs = find_needs(&c);
    pipeline_add_flows(flows, &needs);
    if (options->adopt_seconds) {
        pipeline_add_adoption(flows, &needs, options->adopt_seconds);
    }
    add_access_ports(&c);
    for (size_t i = 0; i < c.classes->n_segments; i++) {
        const struct class_segment *cs = &c.classes->segments[i];
        add_segment(&c, cs->segment, needs.lenient);
        for (size_t j = 0; j < cs->n_prefixes; j++) {
            const struct class_prefix *cp = &cs->prefixes[j];
            if (IN6_IS_ADDR_V4MAPPED(&cp->prefix.addr) ? needs.ipv4
                : needs.ipv6) {
                add_prefix(&c, cs, cp, false);
                add_prefix(&c, cs, cp, true);
            }
        }
        add_addresses(&c, cs);
    }
    for (size_t i = 0; i < ports->n_workloads; i++) {
        add_macs(&c, ports->workloads[i]);
    }
    add_links(&c, needs.ipv6);

    classes_destroy(c.classes);
    ofpbuf_uninit(&c.ofpacts);
}
