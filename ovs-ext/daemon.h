/* The state of sdfwd: what sdfwd.c puts together, and status.c shows. */

#ifndef SDFW_DAEMON_H
#define SDFW_DAEMON_H 1

#include "accounting.h"
#include "appctl.h"
#include "book.h"
#include "findings.h"
#include "fold.h"
#include "keeper.h"
#include "link-use.h"
#include "loop.h"
#include "model.h"
#include "modes.h"
#include "openflow.h"
#include "ovsdb-watch.h"
#include "respond.h"
#include "restore-wait.h"
#include "settings.h"
#include "sink.h"
#include "topology-watch.h"
#include "web.h"

/* See drift.h. */
struct drift_state {
    bool watching;              /* The session has a flow monitor. */
    uint64_t n_told;
    uint32_t told;              /* A hash of what was told last. */
    size_t n_foreign;           /* Flows of others that were found and are not
                                 * told yet; */
    struct flow_set foreign;    /* ... if there are any, the first. */
};

/* A bridge that is kept in step. */
struct bridge_state {
    struct daemon *daemon;
    size_t index;
    struct openflow *openflow;
    bool up;
    bool in_force;              /* Pushed to since it came up. */
    const struct workload **by_port; /* Whose port it is; PORT_MAX. */
    struct overlay *overlay;    /* Of the last push; NULL: none. */
    char **port_names;          /* Of its interface, or NULL; PORT_MAX. */
    struct accounting accounting;
    struct timer *read_accounts; /* See hear.h. */
    bool reading_soon;          /* 'read_accounts' is set. */
    struct link_use use;        /* Counts of links: see web.h. */
    struct drift_state drift;
    struct respond_state respond;
    struct attest_counts attested; /* Last. */
    long long int attested_ms;  /* When, since the epoch; 0: never. */
    char *attest_error;         /* NULL if it went well. */
    struct timer *poll;
    bool polling;               /* 'poll' is set, or is being answered. */
    ovs_be32 poll_xid;          /* Of the poll that is being answered. */
    bool taking_over;           /* It is the first of a session. */

    /* Of the last push. */
    long long int pushed_ms;    /* When, since the epoch; 0: never. */
    long long int elapsed_ms;
    size_t n_flows, n_local;
    uint64_t n_pushes, n_push_failures;
    char *error;                /* NULL if it went well. */
};

struct daemon {
    struct settings settings;
    struct settings started_with;
    struct svec config_files;   /* That --config named. */
    struct svec wrong[N_SOURCES]; /* Settings not taken, by source: errors. */
    struct svec unopened;       /* Sinks: errors. */
    struct svec enabled, enabled_paths; /* Bridges that OVSDB says are to be
                                 * kept too, and their topologies. */
    struct svec disabled;       /* Those that it no longer says so of, to be
                                 * cleared. */
    struct svec bridge_names, paths; /* Of all that ... */
    char *db;                   /* ... when connecting to bridges; or NULL. */
    uint8_t table_base;
    struct report_settings reports;
    struct tls_settings ssl, syslog_tls;
    bool once, check_config;
    bool repairs_drift;         /* Or only tells of it. */
    bool waiting;               /* For bridges and topologies to be set. */
    bool again;                 /* Begin anew, with other bridges. */
    bool ending;
    bool ready;                 /* The first attempt to push has ended. */
    struct loop *loop;
    struct keeper *keeper;
    struct attest_settings attest;
    struct timer *attest_timer; /* NULL: no statements. */
    struct modes modes;         /* Set by hand. */
    struct topology_watch *topology_watch;
    struct ovsdb_watch *ovsdb_watch;
    struct restore_wait *restore_wait; /* NULL: not wanted. */
    struct bridge_state *bridges;
    const struct topology *topology; /* In force; NULL: none yet. */
    long long int loaded_ms;    /* When it was read, since the epoch. */
    struct shash warnings;      /* Of it: see findings.h. */
    char *broken;               /* The first error of manifests that are not in
                                 * force, or NULL. */
    struct book book;
    struct timer *book_timer;
    struct fold fold;
    struct timer *fold_timer;
    bool fold_pending;          /* 'fold_timer' is set. */
    struct sink **sinks;
    size_t n_sinks;
    bool wants_packets;         /* Does one of them? */
    struct web *web;            /* NULL: nobody looks in by HTTP. */
    int status;                 /* To exit with. */
};

/* What "ovs-appctl -t sdfwd" may ask; for appctl.h, with struct daemon. */
extern const struct appctl_command status_commands[];

/* Takes what the settings say of TLS; returns an error if that makes no
 * sense. */
char *daemon_use_tls(struct daemon *) OVS_WARN_UNUSED_RESULT;

#endif /* daemon.h */
