/* Pushing a policy to bridges: see push.h. */

#include "push.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/thread.h>

#include "bridge.h"
#include "compile.h"
#include "ovsdb.h"
#include "shrink.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

struct job {
    const struct topology *topology;
    const struct push_options *options;
    struct push_result *result;
    bool ports_known;
    pthread_t thread;
};

static char *
find_ports(const struct job *job, const struct bridge *bridge,
           struct ovsdb *db)
{
    struct ports *ports = job->result->ports;
    return job->options->ports_file
           ? ports_read_file(ports, job->options->ports_file)
           : job->ports_known ? NULL
           : ovsdb_resolve_ports(db, bridge_datapath_id(bridge), ports);
}

static void
compile_for(const struct topology *topology, const struct push_options *push,
            const struct flow_set *installed, struct push_result *result)
{
    struct compile_options options = {
        .table_base = push->table_base,
        .now = push->now,
        .reports = push->reports,
        .adopt_seconds = result->first ? push->adopt_seconds : 0,
    };
    compile(topology, result->ports, &options, &result->wanted);
    result->counts = diff_flows(installed, &result->wanted, &result->changes);
}

/* The ports of workloads must not get what others flood; ports that were a
 * workload's, and no longer are, shall get it again. */
static char *
set_flood(const struct job *job, struct bridge *bridge)
{
    struct push_result *result = job->result;
    bool *before = xcalloc(UINT16_MAX + 1, sizeof *before);
    uint8_t *wanted = xmalloc(PORT_MAX);

    for (size_t i = 0; i < result->installed.n; i++) {
        const struct flow_record *flow = &result->installed.flows[i];
        if (flow->table == job->options->table_base + TABLE_FLOOD) {
            flow_record_outputs(&result->installed, flow, before);
        }
    }
    for (size_t i = 0; i < PORT_MAX; i++) {
        wanted[i] = before[i] ? FLOOD_YES : FLOOD_KEEP;
    }
    for (size_t i = 0; i < result->ports->n_workloads; i++) {
        if (result->ports->of_workload[i]) {
            wanted[result->ports->of_workload[i]] = FLOOD_NO;
        }
    }
    char *error = bridge_set_no_flood(bridge, wanted,
                                      &result->n_flood_changed);
    free(before);
    free(wanted);
    return error;
}

char *
push_no_flood(const char *target, const struct ports *ports,
              const struct push_options *options)
{
    struct bridge *bridge = bridge_prepare(target, time_msec()
                                                   + options->timeout_ms);
    uint8_t *wanted = xmalloc(PORT_MAX);
    memset(wanted, FLOOD_KEEP, PORT_MAX);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (ports->of_workload[i]) {
            wanted[ports->of_workload[i]] = FLOOD_NO;
        }
    }
    size_t n_changed;
    char *error = bridge_set_no_flood(bridge, wanted, &n_changed);
    free(wanted);
    bridge_close(bridge);
    return error;
}

static char *
clear(struct bridge *bridge, struct ovsdb *db, size_t *n_removed)
{
    struct flow_set installed;
    flow_set_init(&installed, DEFAULT_TABLE_BASE);
    char *error = ovsdb_lock(db, bridge_datapath_id(bridge));
    if (!error) {
        error = bridge_dump_flows(bridge, &installed);
    }
    if (!error) {
        error = bridge_clear(bridge);
    }
    if (!error) {
        /* Only floods name ports. */
        bool *flooded = xcalloc(UINT16_MAX + 1, sizeof *flooded);
        uint8_t *wanted = xmalloc(PORT_MAX);
        for (size_t i = 0; i < installed.n; i++) {
            flow_record_outputs(&installed, &installed.flows[i], flooded);
        }
        for (size_t i = 0; i < PORT_MAX; i++) {
            wanted[i] = flooded[i] ? FLOOD_YES : FLOOD_KEEP;
        }
        size_t n_changed;
        error = bridge_set_no_flood(bridge, wanted, &n_changed);
        free(flooded);
        free(wanted);
    }
    *n_removed = installed.n;
    flow_set_destroy(&installed);
    return error;
}

char *
push_clear(const char *target, const struct push_options *options,
           size_t *n_removed)
{
    long long int deadline = time_msec() + options->timeout_ms;
    struct bridge *bridge = NULL;
    struct ovsdb *db = NULL;
    *n_removed = 0;
    char *error = bridge_open(target, deadline, &bridge);
    if (!error) {
        error = ovsdb_open(options->db, deadline, &db);
    }
    if (!error) {
        error = clear(bridge, db, n_removed);
    }
    ovsdb_close(db);
    bridge_close(bridge);
    return error;
}

static char *
handle_bridge(const struct job *job, struct bridge *bridge, struct ovsdb *db)
{
    struct push_result *result = job->result;
    char *error = NULL;

    if (db && !job->options->read_only) {
        error = ovsdb_lock(db, bridge_datapath_id(bridge));
    }
    if (!error) {
        error = find_ports(job, bridge, db);
    }
    result->n_local = ports_n_local(result->ports);
    if (!error) {
        error = bridge_dump_flows(bridge, &result->installed);
    }
    if (!error && job->options->read_idle) {
        error = bridge_read_idle(bridge, &result->installed);
    }
    if (!error && job->options->read_foreign) {
        error = bridge_dump_foreign(bridge, &result->foreign);
    }
    if (error) {
        return error;
    }

    result->first = !result->installed.n;
    compile_for(job->topology, job->options, &result->installed, result);
    result->refusal = shrink_check(job->topology, result->ports,
                                   &result->installed,
                                   job->options->min_kept_percent);
    if (job->options->read_only || result->refusal) {
        return NULL;
    }
    if (job->options->reports) {
        error = bridge_set_meters(bridge, job->options->reports,
                                  result->ports);
    }
    if (!error && result->changes.n) {
        error = bridge_apply(bridge, &result->changes);
    }
    if (!error) {
        char *warning = set_flood(job, bridge);
        if (warning) {
            result->warning = xasprintf(
                "%s; frames to unknown addresses that other ports flood may "
                "be seen by workloads", warning);
            free(warning);
        }
    }
    return error;
}

static void *
run_job(void *job_)
{
    struct job *job = job_;
    struct push_result *result = job->result;
    long long int start = time_msec();
    long long int deadline = start + job->options->timeout_ms;
    struct bridge *bridge = NULL;
    struct ovsdb *db = NULL;

    result->error = bridge_open(result->target, deadline, &bridge);
    if (!result->error && !job->options->ports_file) {
        result->error = ovsdb_open(job->options->db, deadline, &db);
    }
    if (!result->error) {
        result->error = handle_bridge(job, bridge, db);
        result->unsure = bridge_is_unsure(bridge);
    }
    ovsdb_close(db);
    bridge_close(bridge);
    result->elapsed_ms = time_msec() - start;
    return NULL;
}

static void
result_init(struct push_result *result, const char *target,
            struct ports *ports, uint8_t table_base)
{
    *result = (struct push_result) { .target = target, .ports = ports };
    flow_set_init(&result->installed, table_base);
    flow_set_init(&result->wanted, table_base);
    flow_set_init(&result->changes, table_base);
    flow_set_init(&result->foreign, table_base);
}

struct push_result *
push_prepare(const struct topology *topology, const char *target,
             struct ports *ports, const struct flow_set *installed,
             const struct push_options *options)
{
    struct push_result *result = xmalloc(sizeof *result);
    result_init(result, target, ports, options->table_base);
    result->n_local = ports_n_local(ports);
    compile_for(topology, options, installed, result);
    return result;
}

struct push_result *
push_bridges(struct topology *topology, const char *const targets[], size_t n,
             const struct push_options *options)
{
    struct push_result *results = xcalloc(n, sizeof *results);
    struct job *jobs = xcalloc(n, sizeof *jobs);

    for (size_t i = 0; i < n; i++) {
        struct ports *known = options->ports ? options->ports[i] : NULL;
        jobs[i].ports_known = known != NULL;
        result_init(&results[i], targets[i],
                    known ? known : ports_create(topology),
                    options->table_base);
    }
    for (size_t i = 0; i < n; i++) {
        jobs[i].topology = topology;
        jobs[i].options = options;
        jobs[i].result = &results[i];
        jobs[i].thread = ovs_thread_create("push", run_job, &jobs[i]);
    }
    for (size_t i = 0; i < n; i++) {
        xpthread_join(jobs[i].thread, NULL);
    }
    free(jobs);
    return results;
}

void
push_results_destroy(struct push_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(results[i].error);
        free(results[i].refusal);
        free(results[i].warning);
        ports_destroy(results[i].ports);
        flow_set_destroy(&results[i].installed);
        flow_set_destroy(&results[i].wanted);
        flow_set_destroy(&results[i].changes);
        flow_set_destroy(&results[i].foreign);
    }
    free(results);
}
