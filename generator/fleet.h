/* Pushing one policy to the bridges of an inventory.
 *
 * Each host is handled by a child process, because libopenvswitch has one set
 * of TLS files for a whole process, and so that neither memory nor a fault is
 * shared: the topology, read and checked once, is there when the child is
 * forked.  The parent only starts children, waits and decides; what became of
 * each bridge stands in memory that all share.
 *
 * Canaries go first.  They look at the rate of deviations before and after,
 * and keep the flows that were there until the parent has decided. */

#ifndef SDFW_FLEET_H
#define SDFW_FLEET_H 1

#include <stdbool.h>
#include <stddef.h>

#include "inventory.h"
#include "push.h"

enum fleet_state {
    FLEET_NOT_STARTED,          /* Has what it had. */
    FLEET_DONE,                 /* Has the policy. */
    FLEET_FAILED,               /* Has what it had. */
    FLEET_UNSURE,               /* May have either. */
    FLEET_ROLLED_BACK,          /* Has what it had, again. */
    FLEET_NOT_ROLLED_BACK,      /* Has the policy, though it should not. */
};

/* What became of one bridge. */
struct fleet_outcome {
    enum fleet_state state;
    struct diff_counts counts;
    size_t n_local;
    bool refused;               /* Failed, for --max-shrink. */
    bool changed;               /* Or would be, if 'push.read_only'. */
    long long int elapsed_ms;
    bool looked, risen;         /* Canaries: at the deviations. */
    double rate_before, rate_after; /* Deviating packets a second. */
    char error[1024];           /* "": none. */
    char warning[512];
};

struct fleet_host {
    const struct inventory_host *host;
    struct fleet_outcome *outcomes; /* As host->bridges. */
    int output_fd;              /* What 'report' printed; -1: not started. */
    int pid;                    /* 0: does not run. */
    long long int deadline_ms;  /* When it is ended. */
    int control_fd;             /* To a canary; -1: none. */
    bool started, failed;
    bool waits;                 /* A canary that waits for a decision. */
};

struct fleet {
    struct fleet_host *hosts;   /* As inventory->hosts. */
    size_t n_hosts;
    struct fleet_outcome *outcomes; /* Of all bridges. */
    size_t n_outcomes;
    size_t n_running, n_finished, n_failed; /* Hosts. */
    bool canary_failed, rolled_back, interrupted;
};

struct fleet_settings {
    struct push_options push;   /* 'db' is set for each host. */
    unsigned int parallel;      /* Hosts at once. */
    size_t max_fail;            /* Start no more after more failures. */
    int canary_wait_s;          /* How long to look; 0: not at all. */
    int canary_rise;            /* How many deviating packets a second more
                                 * than half as much again are too many. */

    /* May be NULL.  Called in the child: prints. */
    void (*report)(struct push_result *, void *aux);
    /* May be NULL.  Called when something has changed. */
    void (*progress)(const struct fleet *, void *aux);
    void *aux;
};

/* SIGINT, SIGHUP and SIGTERM keep further hosts from being started.  The
 * caller frees the result with fleet_destroy(). */
struct fleet *fleet_run(struct topology *, const struct inventory *,
                        const struct fleet_settings *);
void fleet_destroy(struct fleet *);

/* The child's part: does what there is to do for 'host'.  Over 'control_fd',
 * unless it is -1, a canary says when it has looked, and is told what to
 * do. */
#define FLEET_LOOKED 'l'
#define FLEET_KEEP 'k'
#define FLEET_ROLL_BACK 'r'
void fleet_handle_host(struct topology *, const struct inventory_host *,
                       const struct fleet_settings *,
                       struct fleet_outcome outcomes[], int control_fd);

#endif /* fleet.h */
