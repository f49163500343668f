/* Pushing a policy to bridges: read back, compile, compare, change.
 *
 * Every bridge is handled by a thread of its own, so a dead one holds up
 * nobody. */

#ifndef SDFW_PUSH_H
#define SDFW_PUSH_H 1

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "diff.h"
#include "flows.h"
#include "model.h"
#include "ports.h"

struct push_options {
    const char *db;             /* OVSDB remote, or NULL: this host's. */
    const char *ports_file;     /* Ports from a file instead of OVSDB. */
    struct ports **ports;       /* By target: ports that are known, taken
                                 * over; NULL where not.  May be NULL. */
    int timeout_ms;             /* For each bridge, all in all. */
    uint16_t adopt_seconds;     /* At the first push only. */
    uint8_t table_base;
    const struct report_settings *reports; /* Tell of deviations; or NULL. */
    time_t now;                 /* Which links are within their validity. */
    bool read_only;             /* Compare, but change nothing. */
    bool read_idle;             /* Also read when flows were last used. */
    int min_kept_percent;       /* Refuse to keep less of what is installed:
                                 * see shrink.h. */
    bool read_foreign;          /* Also read flows of others. */
};

/* What became of one bridge. */
struct push_result {
    const char *target;         /* As given. */
    char *error;                /* NULL if all went well. */
    bool unsure;                /* With 'error': it may have the new flows. */
    char *refusal;              /* Why nothing was changed: see shrink.h; or
                                 * NULL. */
    char *warning;              /* May be NULL. */
    bool first;                 /* There was nothing of ours before. */
    struct diff_counts counts;
    size_t n_local;             /* Workloads that are on this bridge. */
    size_t n_flood_changed;     /* Ports whose flood setting changed. */
    long long int elapsed_ms;
    struct ports *ports;
    struct flow_set installed;  /* Before. */
    struct flow_set wanted;
    struct flow_set changes;
    struct flow_set foreign;    /* With 'read_foreign': those that may come
                                 * before ours (bridge_dump_foreign()). */
};

/* Handles the 'n' bridges 'targets' at once.  Returns an array of 'n' results
 * in their order, which the caller frees with push_results_destroy(). */
struct push_result *push_bridges(struct topology *,
                                 const char *const targets[], size_t n,
                                 const struct push_options *);
void push_results_destroy(struct push_result *, size_t n);

/* Sets up 'result' for a push to 'target' with 'ports', which it takes over,
 * and fills in 'wanted' and 'changes' from 'installed', without asking the
 * bridge.  Freed like an array of one. */
struct push_result *push_prepare(const struct topology *, const char *target,
                                 struct ports *ports,
                                 const struct flow_set *installed,
                                 const struct push_options *);

/* Gives the bridge of 'result' the flows back that were there before it was
 * pushed to, in one atomic bundle, and their ports the flood setting.  Returns
 * an error that the caller must free. */
char *push_back(const struct push_result *result, const struct push_options *)
    OVS_WARN_UNUSED_RESULT;

/* Takes all that is ours off 'target': flows, meters, flood settings.  Of the
 * options, 'db' and 'timeout_ms' count; '*n_removed' is the number of flows.
 * Returns an error that the caller must free. */
char *push_clear(const char *target, const struct push_options *,
                 size_t *n_removed) OVS_WARN_UNUSED_RESULT;

/* Only sets the flood setting of the workloads' ports.  Returns an error that
 * the caller must free. */
char *push_no_flood(const char *target, const struct ports *ports,
                    const struct push_options *) OVS_WARN_UNUSED_RESULT;

#endif /* push.h */
