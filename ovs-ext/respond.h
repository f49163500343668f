/* What is done when a workload deviates: <response> of manifests.
 *
 * A response strikes when a workload has opened so many deviations of its
 * reasons in so many seconds.  It is told, and if the manifest says so the
 * workload goes into quarantine, which is said in OVSDB (overlay.h), so that
 * it outlives sdfwd and can be released by hand; but never more than a share
 * of a service's workloads on the bridge. */

#ifndef SDFW_RESPOND_H
#define SDFW_RESPOND_H 1

#include <openvswitch/shash.h>

struct bridge_state;
struct deviation;
struct workload;

struct respond_state {
    struct shash counters;      /* By rule and workload. */
    struct shash pending;       /* Quarantines that are not in force yet, by
                                 * the workload's path: when they were said. */
};

void respond_init(struct respond_state *);
/* Forgets what was counted: other manifests are in force. */
void respond_forget(struct respond_state *);
void respond_destroy(struct respond_state *);

/* The overlay of the bridge is another: what it has in quarantine is no longer
 * pending. */
void respond_overlay_changed(struct bridge_state *);

/* 'deviation' of 'workload', which is on the bridge, was opened. */
void respond_to(struct bridge_state *, const struct deviation *,
                const struct workload *);

#endif /* respond.h */
