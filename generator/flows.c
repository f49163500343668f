/* Flow sets: see flows.h.
 *
 * Matches are encoded as OpenFlow 1.4 does (OXM with Nicira's extensions),
 * which is the same in OpenFlow 1.3 for all that the pipeline uses. */

#include "flows.h"

#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-actions.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-match.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-table.h>
#include <openvswitch/ofp-util.h>

#include "byte-order.h"
#include "flow.h"
#include "hash.h"
#include "util.h"

#define PROTOCOL OFPUTIL_P_OF14_OXM
#define WIRE_VERSION OFP14_VERSION

static const char *const table_names[] = { TABLE_NAMES };
BUILD_ASSERT_DECL(ARRAY_SIZE(table_names) == N_TABLES);

void
flow_set_init(struct flow_set *set, uint8_t table_base)
{
    memset(set, 0, sizeof *set);
    ofpbuf_init(&set->bytes, 0);
    set->table_base = table_base;
}

void
flow_set_destroy(struct flow_set *set)
{
    free(set->flows);
    ofpbuf_uninit(&set->bytes);
}

void
flow_set_reserve(struct flow_set *set, size_t n, size_t n_bytes)
{
    if (set->allocated < set->n + n) {
        set->allocated = set->n + n;
        set->flows = xrealloc(set->flows, set->allocated
                                          * sizeof *set->flows);
    }
    ofpbuf_prealloc_tailroom(&set->bytes, n_bytes);
}

static struct flow_record *
append(struct flow_set *set, uint8_t table, uint16_t priority,
       uint64_t cookie)
{
    if (set->n >= set->allocated) {
        set->flows = x2nrealloc(set->flows, &set->allocated,
                                sizeof *set->flows);
    }

    struct flow_record *flow = &set->flows[set->n++];
    memset(flow, 0, sizeof *flow);
    flow->table = table;
    flow->priority = priority;
    flow->cookie = cookie;
    flow->offset = set->bytes.size;
    flow->command = OFPFC_ADD;
    flow->idle_s = UINT32_MAX;
    return flow;
}

struct flow_record *
flow_set_add(struct flow_set *set, uint8_t table, uint16_t priority,
             uint64_t cookie, const struct match *match,
             const struct ofpbuf *ofpacts)
{
    struct flow_record *flow = append(set, table, priority, cookie);
    ofputil_put_ofp11_match(&set->bytes, match, PROTOCOL);
    size_t before = set->bytes.size;
    ofpacts_put_openflow_instructions(ofpacts->data, ofpacts->size,
                                      &set->bytes, WIRE_VERSION);
    flow->match_len = before - flow->offset;
    flow->actions_len = set->bytes.size - before;
    return flow;
}

struct flow_record *
flow_set_add_encoded(struct flow_set *set, uint8_t table, uint16_t priority,
                     uint64_t cookie, const void *match, size_t match_len,
                     const void *actions, size_t actions_len)
{
    struct flow_record *flow = append(set, table, priority, cookie);
    ofpbuf_put(&set->bytes, match, match_len);
    ofpbuf_put(&set->bytes, actions, actions_len);
    flow->match_len = match_len;
    flow->actions_len = actions_len;
    return flow;
}

static void
init_table_map(struct ofputil_table_map *map, uint8_t base)
{
    ofputil_table_map_init(map);
    for (size_t i = 0; i < N_TABLES; i++) {
        ofputil_table_map_put(map, base + i, table_names[i]);
    }
}

struct flow_record *
flow_set_add_copy(struct flow_set *set, const struct flow_set *from,
                  const struct flow_record *flow, uint8_t command)
{
    struct flow_record *copy = flow_set_add_encoded(
        set, flow->table, flow->priority, flow->cookie,
        flow_record_match(from, flow), flow->match_len,
        flow_record_actions(from, flow), flow->actions_len);
    copy->hard_timeout = flow->hard_timeout;
    copy->origin = flow->origin;
    copy->command = command;
    return copy;
}

struct flow_record *
flow_set_add_text(struct flow_set *set, uint8_t table, uint16_t priority,
                  uint64_t cookie, const char *text)
{
    struct ofputil_table_map map;
    init_table_map(&map, set->table_base);

    struct ofputil_flow_mod fm;
    enum ofputil_protocol usable;
    char *error = parse_ofp_str(&fm, OFPFC_ADD, text, NULL, &map, &usable);
    if (error) {
        ovs_abort(0, "%s: %s", text, error);
    }

    struct match match;
    minimatch_expand(&fm.match, &match);
    struct ofpbuf ofpacts;
    ofpbuf_use_const(&ofpacts, fm.ofpacts, fm.ofpacts_len);
    struct flow_record *flow = flow_set_add(set, table, priority, cookie,
                                            &match, &ofpacts);
    minimatch_destroy(&fm.match);
    free(fm.ofpacts);
    ofputil_table_map_destroy(&map);
    return flow;
}

static int
compare_keys(const struct flow_set *a_set, const struct flow_record *a,
             const struct flow_set *b_set, const struct flow_record *b)
{
    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    if (a->match_len != b->match_len) {
        return a->match_len < b->match_len ? -1 : 1;
    }
    return memcmp(flow_record_match(a_set, a), flow_record_match(b_set, b),
                  a->match_len);
}

static int
compare_flows(const void *a, const void *b, void *set)
{
    return compare_keys(set, a, set, b);
}

void
flow_set_sort(struct flow_set *set)
{
    if (set->n) {
        qsort_r(set->flows, set->n, sizeof *set->flows, compare_flows, set);
    }
}

bool
flow_record_same_key(const struct flow_set *a_set, const struct flow_record *a,
                     const struct flow_set *b_set,
                     const struct flow_record *b)
{
    return !compare_keys(a_set, a, b_set, b);
}

bool
flow_record_same_actions(const struct flow_set *a_set,
                         const struct flow_record *a,
                         const struct flow_set *b_set,
                         const struct flow_record *b)
{
    return a->actions_len == b->actions_len
           && !memcmp(flow_record_actions(a_set, a),
                      flow_record_actions(b_set, b), a->actions_len);
}

uint32_t
flow_record_key_hash(const struct flow_set *set,
                     const struct flow_record *flow)
{
    return hash_bytes(flow_record_match(set, flow), flow->match_len,
                      flow->table << 16 | flow->priority);
}

void
flow_record_decode(const struct flow_set *set, const struct flow_record *flow,
                   struct match *match, struct ofpbuf *ofpacts)
{
    struct ofpbuf b;
    ofpbuf_use_const(&b, flow_record_match(set, flow),
                     flow->match_len + flow->actions_len);
    uint16_t padded_len;
    enum ofperr error = ofputil_pull_ofp11_match(&b, NULL, NULL, match,
                                                 &padded_len);
    ovs_assert(!error);

    ofpbuf_init(ofpacts, 256);
    uint64_t tlv_bitmap = 0;
    error = ofpacts_pull_openflow_instructions(&b, b.size, WIRE_VERSION, NULL,
                                               &tlv_bitmap, ofpacts);
    ovs_assert(!error);
}

static void
format_actions(struct ds *s, const struct ofpbuf *ofpacts,
               const struct ofputil_table_map *map)
{
    struct ofpact_format_params params = { .table_map = map, .s = s };
    ofpacts_format(ofpacts->data, ofpacts->size, &params);
}

void
flow_record_format(struct ds *s, const struct flow_set *set,
                   const struct flow_record *flow, bool names)
{
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, flow, &match, &ofpacts);

    struct ofputil_table_map map;
    init_table_map(&map, set->table_base);

    ds_put_format(s, "table=%u,cookie=0x%"PRIx64",", flow->table,
                  flow->cookie);
    if (flow->hard_timeout) {
        ds_put_format(s, "hard_timeout=%u,", flow->hard_timeout);
    }
    match_format(&match, NULL, s, flow->priority);
    ds_put_cstr(s, " actions=");
    format_actions(s, &ofpacts, names ? &map : NULL);

    ofputil_table_map_destroy(&map);
    ofpbuf_uninit(&ofpacts);
}

void
flow_record_format_actions(struct ds *s, const struct flow_set *set,
                           const struct flow_record *flow)
{
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, flow, &match, &ofpacts);
    format_actions(s, &ofpacts, NULL);
    ofpbuf_uninit(&ofpacts);
}

void
flow_record_format_match(struct ds *s, const struct flow_set *set,
                         const struct flow_record *flow)
{
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, flow, &match, &ofpacts);
    match_format(&match, NULL, s, flow->priority);
    ofpbuf_uninit(&ofpacts);
}

void
flow_record_outputs(const struct flow_set *set,
                    const struct flow_record *flow, bool ports[])
{
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, flow, &match, &ofpacts);
    const struct ofpact *a;
    OFPACT_FOR_EACH (a, ofpacts.data, ofpacts.size) {
        if (a->type == OFPACT_OUTPUT) {
            ports[ofp_to_u16(ofpact_get_OUTPUT(a)->port)] = true;
        }
    }
    ofpbuf_uninit(&ofpacts);
}

const char *
flow_table_name(uint8_t table_base, uint8_t table)
{
    if (table == ENTRY_TABLE) {
        return "ENTRY";
    }
    return table >= table_base && table - table_base < N_TABLES
           ? table_names[table - table_base] : NULL;
}

static void
format_place(struct ds *s, const struct location *where)
{
    if (where->file && where->line) {
        ds_put_format(s, " (%s:%d)", where->file, where->line);
    } else if (where->file) {
        ds_put_format(s, " (%s)", where->file);
    }
}

void
origin_format(struct ds *s, const struct origin *origin)
{
    switch (origin->kind) {
    case ORIGIN_PIPELINE:
        ds_put_cstr(s, "pipeline");
        break;
    case ORIGIN_PORTS:
        ds_put_cstr(s, "ports");
        break;
    case ORIGIN_REPORT:
        ds_put_cstr(s, "tells sdfwd of deviations");
        break;
    case ORIGIN_LEARNED:
        ds_put_cstr(s, "counts a deviation that was told");
        break;
    case ORIGIN_ADOPT:
        ds_put_cstr(s, "adopts connections that run already");
        break;
    case ORIGIN_CAPTURE:
        ds_put_cstr(s, "captures a workload's packets");
        break;
    case ORIGIN_QUARANTINE:
        ds_put_cstr(s, "quarantine");
        break;
    case ORIGIN_SEGMENT: {
        const struct segment *segment = origin->object;
        ds_put_format(s, "segment %s", segment->name);
        format_place(s, &segment->where);
        break;
    }
    case ORIGIN_NETWORK: {
        const struct network *network = origin->object;
        ds_put_format(s, "network %s", network->name);
        format_place(s, &network->where);
        break;
    }
    case ORIGIN_SERVICE: {
        const struct service *service = origin->object;
        ds_put_format(s, "service %s", service->path);
        format_place(s, &service->where);
        break;
    }
    case ORIGIN_WORKLOAD: {
        const struct workload *workload = origin->object;
        ds_put_format(s, "workload %s/%s", workload->home->path,
                      workload->name);
        format_place(s, &workload->where);
        break;
    }
    case ORIGIN_LINK: {
        const struct link *link = origin->object;
        char *from = endpoint_to_string(&link->from);
        char *to = endpoint_to_string(&link->to);
        char *what = opening_to_string(origin->opening);
        ds_put_format(s, "link %s -> %s %s", from, to, what);
        format_place(s, &origin->opening->where);
        free(from);
        free(to);
        free(what);
        break;
    }
    }
}
