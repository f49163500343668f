/* Keeps bridges in step with the manifests.
 *
 * Reading manifests and pushing (generator/push.h) block, so a thread does
 * them, one piece of work at a time; what it found is taken up in the loop.
 * A full push reads back what is installed and sends the difference, so it
 * does not matter what happened to the bridge before.  A broken manifest
 * leaves the last good policy in force.
 *
 * Where only ports have changed, that would take too long: a quick push takes
 * the difference from what the last push made, and sends it on the OpenFlow
 * session that is there.  It is only made if that session has not ended since,
 * and a full push follows soon, which puts right whatever else happened. */

#ifndef SDFW_KEEPER_H
#define SDFW_KEEPER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attest-log.h"
#include "loop.h"
#include "model.h"
#include "modes.h"
#include "openflow.h"
#include "ovsdb-rows.h"
#include "pipeline.h"
#include "push.h"
#include "report.h"
#include "tls.h"

struct keeper;

struct keeper_settings {
    const char *const *paths;   /* Topologies. */
    size_t n_paths;
    const char *const *bridges;
    size_t n_bridges;
    const char *db;             /* NULL: this host's. */
    int timeout_ms;
    uint16_t adopt_seconds;
    uint8_t table_base;
    bool repairs_drift;         /* What others have changed. */
    const struct report_settings *reports;
    struct modes *modes;        /* Set by hand, also before it was created. */
    const struct tls_settings *ssl;
    const struct attest_settings *attest; /* NULL: never. */
};

struct keeper_callbacks {
    /* The manifests were read.  'topology' is in force, unless it is NULL:
     * then they are wrong, as 'report' says.  It is valid until the next
     * call. */
    void (*loaded)(const struct topology *, struct report *, void *aux);
    /* A push to 'bridge' (an index) has read back what differs from what the
     * last one left: 'drift' turns the one into the other, and may be
     * empty. */
    void (*verified)(size_t bridge, const struct flow_set *drift,
                     const struct ports *, void *aux);
    /* A push to 'bridge' (an index) has ended, with or without an error. */
    void (*pushed)(size_t bridge, const struct push_result *, void *aux);
    /* Statements of 'bridge' were made, or not, as 'error' says. */
    void (*attested)(size_t bridge, const struct attest_counts *,
                     const char *error, void *aux);
    /* There is nothing left to do, for now. */
    void (*idle)(void *aux);
    /* What OVSDB says; NULL if it is not there. */
    const struct ovsdb_rows *(*rows)(void *aux);
    /* The session of 'bridge'; NULL if there is none. */
    struct openflow *(*openflow)(size_t bridge, void *aux);
};

/* What 'settings' points to stays until keeper_destroy(), but for
 * 'reports'. */
struct keeper *keeper_create(struct loop *, const struct keeper_settings *,
                             const struct keeper_callbacks *, void *aux);
/* Waits for a push that is under way. */
void keeper_destroy(struct keeper *);

/* From the next push on. */
void keeper_set_reports(struct keeper *, const struct report_settings *,
                        uint16_t adopt_seconds, bool repairs_drift);

/* Reads the manifests (again), and then pushes to all bridges. */
void keeper_reload(struct keeper *);

/* Pushes to all bridges, with all that takes. */
void keeper_push_all(struct keeper *);

/* The session of bridge 'i' has begun or ended.  Pushes in the first case. */
void keeper_bridge_up(struct keeper *, size_t i, uint64_t datapath_id);
void keeper_bridge_down(struct keeper *, size_t i);

/* Something has changed in OVSDB that may concern bridge 'i'. */
void keeper_ports_changed(struct keeper *, size_t i);

/* Makes statements of all bridges that are there. */
void keeper_attest(struct keeper *);

/* Somebody may have changed flows: reads back soon. */
void keeper_flows_changed(struct keeper *);

/* Sets one by hand, and pushes: see modes.h. */
char *keeper_set_mode(struct keeper *, const char *name, const char *mode)
    OVS_WARN_UNUSED_RESULT;

#endif /* keeper.h */
