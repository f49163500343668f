/* Takes a push back: see push.h. */

#include "push.h"

#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "ovsdb.h"
#include "timeval.h"
#include "util.h"

/* Sets in 'ports' those that 'flows' flood to: workloads are at them. */
static void
find_flooded(const struct flow_set *flows, bool ports[])
{
    for (size_t i = 0; i < flows->n; i++) {
        if (flows->flows[i].table == flows->table_base + TABLE_FLOOD) {
            flow_record_outputs(flows, &flows->flows[i], ports);
        }
    }
}

static char *
restore_flood(struct bridge *bridge, const struct flow_set *now,
              const struct flow_set *before)
{
    bool *is = xcalloc(UINT16_MAX + 1, sizeof *is);
    bool *was = xcalloc(UINT16_MAX + 1, sizeof *was);
    uint8_t *wanted = xmalloc(PORT_MAX);
    find_flooded(now, is);
    find_flooded(before, was);
    for (size_t i = 0; i < PORT_MAX; i++) {
        wanted[i] = was[i] ? FLOOD_NO : is[i] ? FLOOD_YES : FLOOD_KEEP;
    }
    size_t n_changed;
    char *error = bridge_set_no_flood(bridge, wanted, &n_changed);
    free(is);
    free(was);
    free(wanted);
    return error;
}

static char *
restore(struct bridge *bridge, const struct flow_set *before)
{
    struct flow_set now, changes;
    flow_set_init(&now, before->table_base);
    flow_set_init(&changes, before->table_base);
    char *error = bridge_dump_flows(bridge, &now);
    if (!error) {
        diff_back(&now, before, &changes);
        error = changes.n ? bridge_apply(bridge, &changes) : NULL;
    }
    if (!error) {
        error = restore_flood(bridge, &now, before);
    }
    flow_set_destroy(&now);
    flow_set_destroy(&changes);
    return error;
}

char *
push_back(const struct push_result *result, const struct push_options *options)
{
    long long int deadline = time_msec() + options->timeout_ms;
    struct bridge *bridge = NULL;
    struct ovsdb *db = NULL;
    char *error = bridge_open(result->target, deadline, &bridge);
    if (!error) {
        error = ovsdb_open(options->db, deadline, &db);
    }
    if (!error) {
        error = ovsdb_lock(db, bridge_datapath_id(bridge));
    }
    if (!error) {
        error = restore(bridge, &result->installed);
    }
    ovsdb_close(db);
    bridge_close(bridge);
    return error;
}
