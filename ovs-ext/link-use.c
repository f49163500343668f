/* How much the links are used: see link-use.h. */

#include "link-use.h"

#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>
#include <openvswitch/ofpbuf.h>

#include "byte-order.h"
#include "hash.h"
#include "openflow.h"
#include "util.h"

#define COOKIE_KIND_MASK (COOKIE_PREFIX_MASK | UINT64_C(0xff) \
                          << COOKIE_KIND_SHIFT)
#define LINK_COOKIE (COOKIE_PREFIX | (uint64_t) ORIGIN_LINK \
                     << COOKIE_KIND_SHIFT)

void
link_use_init(struct link_use *use)
{
    *use = (struct link_use) { .read_ms = 0 };
    hmap_init(&use->ids);
    hmap_init(&use->openings);
}

void
link_use_destroy(struct link_use *use)
{
    struct opening_use *o;
    HMAP_FOR_EACH_POP (o, node, &use->ids) {
        free(o);
    }
    hmap_destroy(&use->ids);
    hmap_destroy(&use->openings);
}

static struct opening_use *
find_id(const struct link_use *use, uint64_t id)
{
    struct opening_use *o;
    HMAP_FOR_EACH_WITH_HASH (o, node, hash_uint64(id), &use->ids) {
        if (o->id == id) {
            return o;
        }
    }
    return NULL;
}

void
link_use_forget(struct link_use *use)
{
    struct opening_use *o;
    HMAP_FOR_EACH (o, node, &use->ids) {
        o->link = NULL;
        o->opening = NULL;
    }
    hmap_clear(&use->openings);
}

void
link_use_learn(struct link_use *use, const struct flow_set *flows)
{
    link_use_forget(use);
    for (size_t i = 0; i < flows->n; i++) {
        const struct flow_record *flow = &flows->flows[i];
        if (flow->origin.kind != ORIGIN_LINK) {
            continue;
        }
        uint64_t id = flow->cookie & COOKIE_ID_MASK;
        struct opening_use *o = find_id(use, id);
        if (!o) {
            o = xzalloc(sizeof *o);
            o->id = id;
            hmap_insert(&use->ids, &o->node, hash_uint64(id));
        }
        if (!o->opening) {
            o->link = flow->origin.object;
            o->opening = flow->origin.opening;
            hmap_insert(&use->openings, &o->opening_node,
                        hash_pointer(o->opening, 0));
        }
    }
    struct opening_use *o;
    HMAP_FOR_EACH_SAFE (o, node, &use->ids) {
        if (!o->link) {
            hmap_remove(&use->ids, &o->node);
            free(o);
        }
    }
}

static void
clear_next(struct link_use *use)
{
    struct opening_use *o;
    HMAP_FOR_EACH (o, node, &use->ids) {
        o->next = (struct use_counts) { .packets = 0 };
    }
    use->next_deviating = (struct use_counts) { .packets = 0 };
}

static ovs_be32
ask(struct openflow *of, uint8_t table, uint64_t cookie, uint64_t mask)
{
    struct ofputil_flow_stats_request request = {
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = table,
    };
    match_init_catchall(&request.match);
    struct ofpbuf *msg = ofputil_encode_flow_stats_request(
        &request, ofputil_protocol_from_ofp_version(openflow_version(of)));
    ovs_be32 xid = ((struct ofp_header *) msg->data)->xid;
    openflow_send(of, msg);
    return xid;
}

void
link_use_ask(struct link_use *use, struct openflow *of, uint8_t table_base)
{
    if (!link_use_is_awaited(use)) {
        use->xids[0] = ask(of, OFPTT_ALL, LINK_COOKIE, COOKIE_KIND_MASK);
        use->xids[1] = ask(of, table_base + TABLE_DEVIATION, COOKIE_PREFIX,
                           COOKIE_PREFIX_MASK);
    }
}

bool
link_use_is_awaited(const struct link_use *use)
{
    return use->xids[0] || use->xids[1];
}

void
link_use_cancel(struct link_use *use)
{
    use->xids[0] = use->xids[1] = 0;
    clear_next(use);
}

static void
count(struct link_use *use, const struct ofputil_flow_stats *fs,
      uint8_t table_base)
{
    uint64_t cookie = ntohll(fs->cookie);
    struct use_counts *counts = NULL;
    if ((cookie & COOKIE_KIND_MASK) == LINK_COOKIE) {
        struct opening_use *o = find_id(use, cookie & COOKIE_ID_MASK);
        counts = o ? &o->next : NULL;
    } else if (fs->table_id == table_base + TABLE_DEVIATION) {
        counts = &use->next_deviating;
    }
    if (counts) {
        counts->packets += fs->packet_count;
        counts->bytes += fs->byte_count;
        if (fs->table_id == table_base + TABLE_LINK) {
            counts->connections += fs->packet_count;
        }
    }
}

static void
take_all(struct link_use *use, long long int now_ms)
{
    struct opening_use *o;
    HMAP_FOR_EACH (o, node, &use->ids) {
        o->counts = o->next;
        o->counted = true;
    }
    use->deviating = use->next_deviating;
    clear_next(use);
    use->read_ms = now_ms;
}

void
link_use_take(struct link_use *use, const struct ofp_header *oh,
              uint8_t table_base, long long int now_ms)
{
    ovs_be32 *xid = oh->xid == use->xids[0] ? &use->xids[0]
                    : oh->xid == use->xids[1] ? &use->xids[1] : NULL;
    if (!xid || !oh->xid) {
        return;
    }
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf ofpacts;
    struct ofputil_flow_stats fs;
    ofpbuf_init(&ofpacts, 1024);
    while (!ofputil_decode_flow_stats_reply(&fs, &msg, false, &ofpacts)) {
        count(use, &fs, table_base);
    }
    ofpbuf_uninit(&ofpacts);
    if (!ofpmp_more(oh)) {
        *xid = 0;
        if (!link_use_is_awaited(use)) {
            take_all(use, now_ms);
        }
    }
}

const struct use_counts *
link_use_find(const struct link_use *use, const struct opening *opening)
{
    const struct opening_use *o;
    HMAP_FOR_EACH_WITH_HASH (o, opening_node, hash_pointer(opening, 0),
                             &use->openings) {
        if (o->opening == opening) {
            return o->counted ? &o->counts : NULL;
        }
    }
    return NULL;
}
