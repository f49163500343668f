/* What a child does for one host: see fleet.h. */

#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "timeval.h"
#include "util.h"

struct work {
    struct topology *topology;
    const struct inventory_host *host;
    const struct fleet_settings *settings;
    struct push_options push;
    struct fleet_outcome *outcomes;
    const char **targets;
};

static struct push_result *
push_all(const struct work *work, bool read_only)
{
    struct push_options options = work->push;
    options.read_only |= read_only;
    return push_bridges(work->topology, work->targets, work->host->n_bridges,
                        &options);
}

static void
set_error(struct fleet_outcome *outcome, enum fleet_state state, char *error)
{
    outcome->state = state;
    ovs_strlcpy(outcome->error, error, sizeof outcome->error);
    free(error);
}

static void
record(struct fleet_outcome *outcome, struct push_result *result)
{
    outcome->counts = result->counts;
    outcome->n_local = result->n_local;
    outcome->elapsed_ms = result->elapsed_ms;
    outcome->changed = result->changes.n || result->n_flood_changed;
    if (result->error) {
        set_error(outcome, result->unsure ? FLEET_UNSURE : FLEET_FAILED,
                  xstrdup(result->error));
        return;
    } else if (result->refusal) {
        outcome->refused = true;
        set_error(outcome, FLEET_FAILED, xstrdup(result->refusal));
        return;
    }
    outcome->state = FLEET_DONE;
    if (result->warning) {
        ovs_strlcpy(outcome->warning, result->warning,
                    sizeof outcome->warning);
    }
}

/* Pushes, or only reads, and records.  Returns the results, which the caller
 * frees. */
static struct push_result *
push_and_record(const struct work *work)
{
    struct push_result *results = push_all(work, false);
    for (size_t i = 0; i < work->host->n_bridges; i++) {
        record(&work->outcomes[i], &results[i]);
    }
    return results;
}

static void
report(const struct work *work, struct push_result *results)
{
    for (size_t i = 0; i < work->host->n_bridges; i++) {
        if (work->outcomes[i].state == FLEET_DONE && work->settings->report) {
            char *name = xasprintf("%s/%s", work->host->name,
                                   work->host->bridges[i].name);
            results[i].target = name;
            work->settings->report(&results[i], work->settings->aux);
            free(name);
        }
    }
}

/* Canaries. */

/* Would a push change something?  False too if that cannot be told: then the
 * push itself will say why. */
static bool
has_changes(const struct work *work)
{
    struct push_result *results = push_all(work, true);
    bool changes = false, failed = false;
    for (size_t i = 0; i < work->host->n_bridges; i++) {
        changes |= results[i].changes.n != 0;
        failed |= results[i].error || results[i].refusal;
    }
    push_results_destroy(results, work->host->n_bridges);
    return changes && !failed;
}

static char *
count_deviations(const struct work *work, size_t i, uint64_t *n)
{
    struct bridge *bridge;
    char *error = bridge_open(work->targets[i],
                              time_msec() + work->push.timeout_ms, &bridge);
    if (!error) {
        error = bridge_count_deviations(bridge, work->push.table_base, n);
        bridge_close(bridge);
    }
    return error;
}

/* Sets 'rates' of all bridges to deviating packets a second, watched for the
 * time to wait.  Errors are recorded. */
static bool
watch(const struct work *work, enum fleet_state state, double rates[])
{
    size_t n = work->host->n_bridges;
    uint64_t *first = xcalloc(n, sizeof *first);
    bool ok = true;
    long long int start_ms = 0;
    for (int round = 0; round < 2 && ok; round++) {
        for (size_t i = 0; i < n; i++) {
            uint64_t now = 0;
            char *error = count_deviations(work, i, &now);
            if (error) {
                set_error(&work->outcomes[i], state, error);
                ok = false;
            } else if (!round) {
                first[i] = now;
            } else {
                rates[i] = now > first[i]
                           ? (now - first[i]) * 1000.0
                             / MAX(time_msec() - start_ms, 1) : 0;
            }
        }
        if (!round && ok) {
            start_ms = time_msec();
            xsleep(work->settings->canary_wait_s);
        }
    }
    free(first);
    return ok;
}

static void
look(const struct work *work, const double before[])
{
    size_t n = work->host->n_bridges;
    double *after = xcalloc(n, sizeof *after);
    bool ok = watch(work, FLEET_DONE, after);
    for (size_t i = 0; i < n; i++) {
        struct fleet_outcome *outcome = &work->outcomes[i];
        outcome->rate_before = before[i];
        outcome->rate_after = after[i];
        outcome->looked = ok;
        outcome->risen = !ok || after[i] > before[i] * 1.5
                                           + work->settings->canary_rise;
    }
    free(after);
}

static void
roll_back(const struct work *work, const struct push_result *results)
{
    for (size_t i = 0; i < work->host->n_bridges; i++) {
        if (!results[i].changes.n) {
            continue;
        }
        char *error = push_back(&results[i], &work->push);
        if (error) {
            set_error(&work->outcomes[i], FLEET_NOT_ROLLED_BACK, error);
        } else {
            work->outcomes[i].state = FLEET_ROLLED_BACK;
        }
    }
}

/* If the parent is gone, each decides for itself. */
static bool
is_to_roll_back(const struct work *work, int control_fd)
{
    char byte = FLEET_LOOKED;
    ignore(write(control_fd, &byte, 1));
    if (read(control_fd, &byte, 1) == 1) {
        return byte == FLEET_ROLL_BACK;
    }
    bool risen = false;
    for (size_t i = 0; i < work->host->n_bridges; i++) {
        risen |= work->outcomes[i].risen;
    }
    return risen;
}

static void
handle_canary(const struct work *work, int control_fd)
{
    size_t n = work->host->n_bridges;
    double *before = xcalloc(n, sizeof *before);
    if (!has_changes(work)) {
        push_results_destroy(push_and_record(work), n);
    } else if (watch(work, FLEET_FAILED, before)) {
        struct push_result *results = push_and_record(work);
        bool failed = false;
        for (size_t i = 0; i < n; i++) {
            failed |= work->outcomes[i].state != FLEET_DONE;
        }
        if (!failed) {
            look(work, before);
        }
        if (!failed && is_to_roll_back(work, control_fd)) {
            roll_back(work, results);
        }
        push_results_destroy(results, n);
    }
    free(before);
}

void
fleet_handle_host(struct topology *topology, const struct inventory_host *host,
                  const struct fleet_settings *settings,
                  struct fleet_outcome outcomes[], int control_fd)
{
    struct work work = {
        .topology = topology,
        .host = host,
        .settings = settings,
        .push = settings->push,
        .outcomes = outcomes,
        .targets = xcalloc(host->n_bridges, sizeof *work.targets),
    };
    work.push.db = host->db;
    for (size_t i = 0; i < host->n_bridges; i++) {
        work.targets[i] = host->bridges[i].openflow;
    }
    tls_use_in_libopenvswitch(&host->tls);
    if (control_fd >= 0) {
        handle_canary(&work, control_fd);
    } else {
        struct push_result *results = push_and_record(&work);
        report(&work, results);
        push_results_destroy(results, host->n_bridges);
    }
    free(work.targets);
}
