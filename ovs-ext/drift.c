/* Somebody else changes our flows: see drift.h. */

#include "drift.h"

#include <stdlib.h>
#include <syslog.h>

#include <openflow/openflow.h>
#include <openvswitch/json.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-monitor.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "byte-order.h"
#include "hash.h"
#include "names.h"
#include "tell.h"
#include "util.h"

/* How many flows a record names. */
#define MAX_NAMED 10

static enum ofputil_protocol
protocol_of(const struct bridge_state *b)
{
    return ofputil_protocol_from_ofp_version(openflow_version(b->openflow));
}

static bool
is_ours(ovs_be64 cookie)
{
    return (ntohll(cookie) & COOKIE_PREFIX_MASK) == COOKIE_PREFIX;
}

/* Flows that come and go by themselves: see pipeline-report.c. */
static bool
is_watched(int table)
{
    return table != TABLE_REPORT_TUPLE && table != TABLE_REPORT_PAIR
           && table != TABLE_REPORT_SOURCE;
}

void
drift_watch(struct bridge_state *b)
{
    struct ofputil_flow_monitor_request request = {
        .command = OFPFMC_ADD,
        .flags = OFPFMF_ADD | OFPFMF_REMOVED | OFPFMF_MODIFY,
        .out_port = OFPP_NONE,
        .out_group = OFPG_ANY,
    };
    match_init_catchall(&request.match);
    for (int table = -1; table < (int) N_TABLES; table++) {
        if (is_watched(table)) {
            request.id++;
            request.table_id = table < 0 ? ENTRY_TABLE
                               : b->daemon->table_base + table;
            /* The function appends to an empty message only. */
            struct ofpbuf *msg = ofpbuf_new(64);
            ofputil_append_flow_monitor_request(&request, msg,
                                                protocol_of(b));
            openflow_send(b->openflow, msg);
        }
    }
}

/* Another's flow in our tables. */
static void
remove_foreign(struct bridge_state *b,
               const struct ofputil_flow_update *update)
{
    struct ofputil_flow_mod fm = {
        .table_id = update->table_id,
        .priority = update->priority,
        .command = OFPFC_DELETE_STRICT,
        .cookie = update->cookie,
        .cookie_mask = OVS_BE64_MAX,
        .new_cookie = OVS_BE64_MAX,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    minimatch_init(&fm.match, &update->match);
    openflow_send(b->openflow, ofputil_encode_flow_mod(&fm, protocol_of(b)));
    minimatch_destroy(&fm.match);
}

static void
note_foreign(struct bridge_state *b,
             const struct ofputil_flow_update *update)
{
    struct drift_state *drift = &b->drift;
    if (!drift->n_foreign++) {
        flow_set_init(&drift->foreign, b->daemon->table_base);
    }
    if (drift->foreign.n < MAX_NAMED) {
        struct ofpbuf ofpacts = ofpbuf_const_initializer(
            update->ofpacts, update->ofpacts_len);
        flow_set_add(&drift->foreign, update->table_id, update->priority,
                     ntohll(update->cookie), &update->match, &ofpacts);
    }
}

static bool
has_timed_out(const struct ofputil_flow_update *update)
{
    return update->event == OFPFME_REMOVED
           && (update->reason == OFPRR_IDLE_TIMEOUT
               || update->reason == OFPRR_HARD_TIMEOUT);
}

/* Returns true if it may be another's doing. */
static bool
take_update(struct bridge_state *b, const struct ofputil_flow_update *update)
{
    if (update->event == OFPFME_ABBREV || has_timed_out(update)) {
        return false;
    } else if (is_ours(update->cookie)) {
        return true;
    } else if (update->table_id != ENTRY_TABLE
               && update->event == OFPFME_ADDED) {
        note_foreign(b, update);
        if (b->daemon->repairs_drift) {
            remove_foreign(b, update);
        }
        return true;
    }
    return false;
}

void
drift_hear(struct bridge_state *b, const struct ofp_header *oh)
{
    enum ofptype type;
    bool suspicious = false;
    if (ofptype_decode(&type, oh)) {
        return;
    } else if (type == OFPTYPE_FLOW_MONITOR_RESUMED) {
        suspicious = true;      /* Some updates are lost. */
    } else if (type == OFPTYPE_FLOW_MONITOR_STATS_REPLY) {
        struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
        struct ofpbuf ofpacts;
        struct ofputil_flow_update update;
        ofpbuf_init(&ofpacts, 256);
        while (!ofputil_decode_flow_update(&update, &msg, &ofpacts)) {
            suspicious |= take_update(b, &update);
        }
        ofpbuf_uninit(&ofpacts);
    }
    if (suspicious) {
        keeper_flows_changed(b->daemon->keeper);
    }
}

void
drift_forget(struct bridge_state *b)
{
    if (b->drift.n_foreign) {
        flow_set_destroy(&b->drift.foreign);
        b->drift.n_foreign = 0;
    }
}

/* Telling. */

static const char *
change_name(uint8_t command)
{
    return command == OFPFC_ADD ? "missing"
           : command == OFPFC_DELETE_STRICT ? "added" : "altered";
}

struct drift_counts {
    size_t missing, altered, added;
};

/* Appends up to MAX_NAMED flows to 'array', and the first in words to
 * 'first'. */
static void
name_flows(const struct names *names, const struct flow_set *set,
           bool foreign, struct json *array, struct ds *first)
{
    for (size_t i = 0; i < set->n && json_array(array)->n < MAX_NAMED; i++) {
        const struct flow_record *flow = &set->flows[i];
        const char *change = foreign ? "added" : change_name(flow->command);
        struct ds what = DS_EMPTY_INITIALIZER, text = DS_EMPTY_INITIALIZER;
        if (foreign) {
            ds_put_cstr(&what, "another's cookie");
        } else {
            names_describe_flow(names, &what, set, flow);
        }
        flow_record_format(&text, set, flow, false);
        if (!first->length) {
            ds_put_format(first, "%s %s, %s", change, ds_cstr(&text),
                          ds_cstr(&what));
        }
        struct json *json = json_object_create();
        json_object_put_string(json, "change", change);
        json_object_put_string(json, "of", ds_cstr(&what));
        json_object_put_string(json, "flow", ds_cstr(&text));
        json_array_add(array, json);
        ds_destroy(&what);
        ds_destroy(&text);
    }
}

static struct drift_counts
count(const struct flow_set *drift, size_t n_foreign)
{
    struct drift_counts counts = { .added = n_foreign };
    for (size_t i = 0; i < drift->n; i++) {
        uint8_t command = drift->flows[i].command;
        counts.missing += command == OFPFC_ADD;
        counts.added += command == OFPFC_DELETE_STRICT;
        counts.altered += command == OFPFC_MODIFY_STRICT;
    }
    /* Another cookie is OFPFC_ADD of a flow that is there; it counts as
     * missing, for nobody sees it as ours. */
    return counts;
}

static void
put_counts(struct json *json, const struct drift_counts *counts)
{
    json_object_put(json, "missing", json_integer_create(counts->missing));
    json_object_put(json, "altered", json_integer_create(counts->altered));
    json_object_put(json, "added", json_integer_create(counts->added));
}

/* What is left is found again and again, and told once. */
static bool
is_told(struct drift_state *state, const struct flow_set *drift)
{
    uint32_t before = state->told;
    state->told = drift->n ? hash_bytes(drift->bytes.data, drift->bytes.size,
                                        drift->n) : 0;
    return state->told == before;
}

void
drift_found(struct bridge_state *b, const struct flow_set *drift,
            const struct ports *ports)
{
    struct drift_state *state = &b->drift;
    struct drift_counts counts = count(drift, state->n_foreign);
    bool told = is_told(state, drift) && !b->daemon->repairs_drift;
    if ((!drift->n || told) && !state->n_foreign) {
        return;
    }
    struct names *names = names_create(b->daemon->topology, ports);
    struct json *flows = json_array_create_empty();
    struct ds first = DS_EMPTY_INITIALIZER;
    name_flows(names, drift, false, flows, &first);
    if (state->n_foreign) {
        name_flows(names, &state->foreign, true, flows, &first);
        drift_forget(b);
    }
    names_destroy(names);
    const char *verdict = b->daemon->repairs_drift ? "repaired" : "left";
    char *text = xasprintf(
        "%s: drift %s: somebody changed our flows: %"PRIuSIZE" missing, "
        "%"PRIuSIZE" altered, %"PRIuSIZE" added; first: %s",
        b->daemon->bridge_names.names[b->index], verdict, counts.missing,
        counts.altered, counts.added, ds_cstr(&first));
    struct json *json = json_object_create();
    json_object_put_string(json, "reason", "drift");
    json_object_put_string(json, "verdict", verdict);
    put_counts(json, &counts);
    json_object_put(json, "flows", flows);
    state->n_told++;
    tell_event(b, "drift", json, text, LOG_WARNING, "DRIFT");
    ds_destroy(&first);
    free(text);
}
