/* What was said by hand, in OVSDB, on top of the manifests: workloads that
 * are bound to interfaces, modes, and quarantine.  docs/by-hand.md has the
 * keys.
 *
 * An overlay is of one bridge and one topology, is made while the ports of the
 * bridge are found (ovsdb-rows.c), and does not change from then on, so that
 * threads may share it.  The topology stays as the manifests made it:
 * workloads that they do not declare belong to the overlay.
 *
 * What is wrong with what was said is left out, and stands in 'problems'. */

#ifndef SDFW_OVERLAY_H
#define SDFW_OVERLAY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openvswitch/hmap.h>
#include <openvswitch/shash.h>

#include "model.h"
#include "ovs-atomic.h"
#include "svec.h"

struct ports;
struct smap;

/* The keys, of other_config of Bridge and external_ids of Interface. */
#define KEY_TOPOLOGY "sdfw-topology"
#define KEY_MODE "sdfw-mode"
#define KEY_WORKLOAD "sdfw-workload"
#define KEY_MAC "sdfw-mac"
#define KEY_ADDRESS "sdfw-address"
#define KEY_QUARANTINE "sdfw-quarantine"
#define KEY_QUARANTINE_REASON "sdfw-quarantine-reason"
#define KEY_CAPTURE "sdfw-capture"
#define INDEFINITE "indefinite"

/* A workload that nothing may talk to but a forensics network. */
struct quarantine {
    const struct workload *workload;
    time_t until;               /* Seconds since the epoch; 0: released by hand
                                 * only. */
    char *reason;               /* "" if none was given. */
};

/* A workload whose packets sdfwd gets. */
struct capture {
    const struct workload *workload;
    time_t until;               /* As of a quarantine. */
};

struct overlay {
    struct ovs_refcount ref_cnt;
    const struct topology *topology;
    struct shash bound;         /* By interface name: struct workload. */
    struct workload **workloads; /* Of these, those that are the overlay's. */
    size_t n_workloads, allocated_workloads;
    enum mode mode;             /* Of the bridge; MODE_INHERIT: not set. */
    struct shash modes;         /* By "APP" or "APP/SERVICE": struct
                                 * overlay_mode. */
    struct quarantine *quarantines;
    size_t n_quarantines, allocated_quarantines;
    struct capture *captures;
    size_t n_captures, allocated_captures;
    time_t changes;             /* When the first quarantine or capture ends;
                                 * 0: never. */
    struct svec problems;
};

struct overlay_mode {
    enum mode mode;
};

/* An interface that 'ids', its external_ids, bind by hand. */
struct hand_binding {
    const char *interface;
    const struct smap *ids;
    const char *mac;            /* Its own, where it is the workload's; or
                                 * NULL. */
};

/* An empty overlay. */
struct overlay *overlay_create(const struct topology *);
struct overlay *overlay_ref(const struct overlay *);
/* All accept NULL from here on. */
void overlay_unref(struct overlay *);

/* Takes the modes of other_config of the bridge. */
void overlay_read_modes(struct overlay *, const struct smap *other_config);

/* Enters the 'n' 'bindings', which are all of this OVSDB, and puts workloads
 * that 'ports' lacks into it. */
void overlay_bind(struct overlay *, struct ports *ports,
                  struct hand_binding bindings[], size_t n);

/* Takes what 'until' and 'reason' say of the workload at 'interface', if it is
 * still in force. */
void overlay_quarantine(struct overlay *, const char *interface,
                        const struct workload *, const char *until,
                        const char *reason, time_t now);

/* Likewise of a capture. */
void overlay_capture(struct overlay *, const char *interface,
                     const struct workload *, const char *until, time_t now);

/* The time that 'until' says, or 0 if it is none. */
time_t overlay_parse_until(const char *until);

void overlay_add_problem(struct overlay *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

/* Sets up a sorted list of the modes and quarantines, in words, which the
 * caller destroys. */
void overlay_describe(const struct overlay *, struct svec *);

bool overlay_equal(const struct overlay *, const struct overlay *);

/* What holds, said by hand or by the manifests. */
enum mode overlay_service_mode(const struct overlay *, const struct service *);
const struct quarantine *overlay_find_quarantine(const struct overlay *,
                                                 const struct workload *);
/* The overlay's own workload that has 'address' in 'segment', or NULL. */
const struct workload *overlay_find_address(const struct overlay *,
                                            const struct segment *,
                                            const struct in6_addr *address);

#endif /* overlay.h */
