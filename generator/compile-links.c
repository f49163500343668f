/* Links to flows: LINK and STATE, and the roles that links give (GUARD). */

#include "compile-private.h"

#include <inttypes.h>
#include <string.h>

#include <openvswitch/hmap.h>

#include "flow.h"
#include "hash.h"
#include "packets.h"

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

/* Lists the openings that are valid at 'now', or all if that is NULL, with
 * identifiers that derive from the ends and the opening: a link that is
 * renamed, moved or given another reason keeps its connections, one that
 * changes its ports does not. */
static struct open_id *
list_openings(const struct topology *topology, const time_t *now, size_t *np)
{
    struct open_id *ids = NULL;
    size_t n = 0, allocated = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            if (now && !link_is_valid(link, *now)) {
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

/* The links of one opening between ends in quarantine or not.  Returns false
 * if no two of them can meet on this bridge. */
static bool
add_pairs(struct compiler *c, const struct open_id *open, struct hmap *keys,
          bool from_quarantine, bool to_quarantine)
{
    struct link_match matches[32];
    size_t n_matches = opening_to_matches(open->opening, matches);
    size_t n_from, n_to;
    struct class *const *from = classes_of(c->classes, &open->link->from,
                                           from_quarantine, &n_from);
    struct class *const *to = classes_of(c->classes, &open->link->to,
                                         to_quarantine, &n_to);

    bool is_local = false;
    for (size_t i = 0; i < n_from; i++) {
        for (size_t j = 0; j < n_to; j++) {
            if (!from[i]->local && !to[j]->local) {
                continue;       /* Never meet on this bridge. */
            }
            is_local = true;
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
    return is_local;
}

static bool
is_forensics(const struct endpoint *end)
{
    return end->network && end->network->forensics;
}

static void
add_opening(struct compiler *c, const struct open_id *open, struct hmap *keys)
{
    bool used = add_pairs(c, open, keys, false, false);
    if (is_forensics(&open->link->to)) {
        used |= add_pairs(c, open, keys, true, false);
    } else if (is_forensics(&open->link->from)) {
        used |= add_pairs(c, open, keys, false, true);
    }
    if (used) {
        add_mark(c, open);
    }
}

/* Quarantine: connections that run are judged anew, whatever their mark, and
 * what LINK does not know is a deviation of its own kind. */
static void
add_quarantine(struct compiler *c, const struct class *class)
{
    static const char *const ends[] = { "reg0", "reg1" };
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct origin origin = { .kind = ORIGIN_QUARANTINE };
        uint64_t cookie = make_cookie(ORIGIN_QUARANTINE,
                                      (uint64_t) i << 32 | class->id);
        add_text(c, TABLE_STATE, 20, cookie, origin,
                 "ct_state=-inv+trk,%s=%"PRIu32",actions="JUDGE_ANEW,
                 ends[i], class->id);
        add_text(c, TABLE_LINK, 5, cookie, origin,
                 "%s=%"PRIu32",actions=load:%d->NXM_NX_REG6[16..23],"
                 "resubmit(,DEVIATION)", ends[i], class->id,
                 REASON_QUARANTINE);
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
    struct class *const *classes = classes_of(c->classes, &end, false,
                                              &n);
    for (size_t i = 0; i < n; i++) {
        struct link_key key = {
            .from = classes[i]->id, .key = hash_string(match, 0),
        };
        if (classes[i]->local && is_new_key(keys, key)) {
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
    if (!classes_segment_is_local(c->classes, service->segment)
        || !is_new_key(keys, key)) {
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
        if (workload_is_in(workload, service)) {
            ds_put_format(&s, "output:%u,", port);
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

void
compile_links(struct compiler *c, bool ipv6)
{
    struct hmap keys = HMAP_INITIALIZER(&keys);
    struct hmap role_keys = HMAP_INITIALIZER(&role_keys);
    size_t n;
    struct open_id *open = list_openings(c->topology, &c->options->now, &n);
    for (size_t i = 0; i < n; i++) {
        add_opening(c, &open[i], &keys);
        add_roles(c, &open[i], &role_keys, ipv6);
        free(open[i].name);
    }
    free(open);
    const struct class *class;
    HMAP_FOR_EACH (class, node, &c->classes->by_name) {
        if (class->quarantine) {
            add_quarantine(c, class);
        }
    }

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

uint64_t *
compile_link_cookies(const struct topology *topology, size_t n_more,
                     size_t *n)
{
    struct open_id *open = list_openings(topology, NULL, n);
    uint64_t *cookies = xcalloc(*n + n_more + 1, sizeof *cookies);
    for (size_t i = 0; i < *n; i++) {
        cookies[i] = make_cookie(ORIGIN_LINK, open[i].id);
        free(open[i].name);
    }
    free(open);
    return cookies;
}
