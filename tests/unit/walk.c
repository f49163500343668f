/* Sends a packet through a set of flows: see walk.h. */

#include "walk.h"

#include <stdlib.h>

#include <openvswitch/meta-flow.h>
#include <openvswitch/ofp-actions.h>

#include "nx-match.h"
#include "packets.h"
#include "util.h"

struct entry {
    struct minimatch match;
    struct ofpbuf ofpacts;
};

struct walker {
    struct entry *entries;      /* By table and falling priority. */
    size_t n;
    size_t first[257];          /* By table: the first of its entries. */
};

/* One packet on its way. */
struct journey {
    const struct walker *walker;
    const struct walk_connection *connection;
    struct walk_result *result;
    struct ofpbuf stack;
    int depth;
};

static void execute(struct journey *, struct flow *, const struct ofpact *,
                    size_t ofpacts_len);

struct walker *
walker_create(const struct flow_set *set)
{
    struct walker *walker = xzalloc(sizeof *walker);
    walker->n = set->n;
    walker->entries = xcalloc(set->n, sizeof *walker->entries);
    for (size_t i = 0; i < set->n; i++) {
        struct match match;
        flow_record_decode(set, &set->flows[i], &match,
                           &walker->entries[i].ofpacts);
        minimatch_init(&walker->entries[i].match, &match);
        walker->first[set->flows[i].table + 1] = i + 1;
    }
    for (size_t table = 1; table < ARRAY_SIZE(walker->first); table++) {
        walker->first[table] = MAX(walker->first[table],
                                   walker->first[table - 1]);
    }
    return walker;
}

void
walker_destroy(struct walker *walker)
{
    for (size_t i = 0; i < walker->n; i++) {
        minimatch_destroy(&walker->entries[i].match);
        ofpbuf_uninit(&walker->entries[i].ofpacts);
    }
    free(walker->entries);
    free(walker);
}

static void
look_up(struct journey *j, struct flow *flow, uint8_t table)
{
    const struct walker *walker = j->walker;
    if (table == ENTRY_TABLE && flow->regs[REG_PASSED]) {
        j->result->passed = true;
        return;
    }
    /* OVS gives up at 64 resubmits within one another. */
    ovs_assert(j->depth < 64);
    ovs_assert(j->result->n_lookups < WALK_MAX_LOOKUPS);
    size_t *step = &j->result->path[j->result->n_lookups++];
    *step = SIZE_MAX;
    for (size_t i = walker->first[table]; i < walker->first[table + 1]; i++) {
        const struct entry *entry = &walker->entries[i];
        if (minimatch_matches_flow(&entry->match, flow)) {
            *step = i;
            j->depth++;
            execute(j, flow, entry->ofpacts.data, entry->ofpacts.size);
            j->depth--;
            return;
        }
    }
}

static void
output(struct journey *j, const struct flow *flow, uint16_t port)
{
    /* Never back to where it came from; port 0 does not exist. */
    if (port && port != ofp_to_u16(flow->in_port.ofp_port)) {
        ovs_assert(j->result->n_outputs < WALK_MAX_OUTPUTS);
        j->result->outputs[j->result->n_outputs++] = (struct walk_output) {
            .port = port,
            .tagged = flow->vlans[0].tci != 0,
        };
    }
}

static void
execute_ct(struct journey *j, const struct flow *flow,
           const struct ofpact_conntrack *ct)
{
    struct flow tracked = *flow;
    const struct walk_connection *connection = j->connection;
    tracked.ct_state = CS_TRACKED | connection->state;
    tracked.ct_mark = connection->state & CS_NEW ? 0 : connection->mark;
    tracked.ct_nw_proto = connection->protocol;
    tracked.ct_tp_src = htons(connection->tp_src);
    tracked.ct_tp_dst = htons(connection->tp_dst);
    if (ct->flags & NX_CT_F_COMMIT) {
        execute(j, &tracked, ct->actions, ofpact_ct_get_action_len(ct));
        j->result->committed = true;
        j->result->mark = tracked.ct_mark;
    }
    if (ct->recirc_table != NX_CT_RECIRC_NONE) {
        look_up(j, &tracked, ct->recirc_table);
    }
}

static void
execute_clone(struct journey *j, const struct flow *flow,
              const struct ofpact_nest *nest)
{
    struct flow copy = *flow;
    execute(j, &copy, nest->actions, ofpact_nest_get_action_len(nest));
}

static void
execute(struct journey *j, struct flow *flow, const struct ofpact *ofpacts,
        size_t ofpacts_len)
{
    const struct ofpact *a;
    struct flow_wildcards wc;   /* Not used; wanted by libopenvswitch. */
    flow_wildcards_init_catchall(&wc);
    OFPACT_FOR_EACH (a, ofpacts, ofpacts_len) {
        switch (a->type) {
        case OFPACT_OUTPUT:
            output(j, flow, ofp_to_u16(ofpact_get_OUTPUT(a)->port));
            break;
        case OFPACT_OUTPUT_REG:
            output(j, flow,
                   mf_get_subfield(&ofpact_get_OUTPUT_REG(a)->src, flow));
            break;
        case OFPACT_SET_FIELD: {
            const struct ofpact_set_field *set = ofpact_get_SET_FIELD(a);
            mf_set_flow_value_masked(set->field, set->value,
                                     ofpact_set_field_mask(set), flow);
            break;
        }
        case OFPACT_REG_MOVE:
            mf_subfield_copy(&ofpact_get_REG_MOVE(a)->src,
                             &ofpact_get_REG_MOVE(a)->dst, flow, &wc);
            break;
        case OFPACT_STACK_PUSH:
            nxm_execute_stack_push(ofpact_get_STACK_PUSH(a), flow, &wc,
                                   &j->stack);
            break;
        case OFPACT_STACK_POP:
            nxm_execute_stack_pop(ofpact_get_STACK_POP(a), flow, &wc,
                                  &j->stack);
            break;
        case OFPACT_STRIP_VLAN:
            flow_pop_vlan(flow, &wc);
            break;
        case OFPACT_RESUBMIT:
            look_up(j, flow, ofpact_get_RESUBMIT(a)->table_id);
            break;
        case OFPACT_CT:
            execute_ct(j, flow, ofpact_get_CT(a));
            break;
        case OFPACT_CLONE:
            execute_clone(j, flow, ofpact_get_CLONE(a));
            break;
        default:
            ovs_abort(0, "walk: no such action: %s", ofpact_name(a->type));
        }
    }
}

void
walk(const struct walker *walker, const struct flow *packet,
     const struct walk_connection *connection, struct walk_result *result)
{
    struct journey journey = {
        .walker = walker, .connection = connection, .result = result,
    };
    struct flow flow = *packet;
    memset(result, 0, sizeof *result);
    ofpbuf_init(&journey.stack, 64);
    look_up(&journey, &flow, ENTRY_TABLE);
    ofpbuf_uninit(&journey.stack);
}
