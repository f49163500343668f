/* What a thread does for keeper.c: reads manifests, pushes, compiles.
 *
 * While it runs, what it is given is only read, and only it writes what it
 * finds. */

#ifndef SDFW_KEEPER_WORK_H
#define SDFW_KEEPER_WORK_H 1

#include <pthread.h>

#include "keeper.h"

enum work_kind {
    WORK_READ,                  /* Reads the manifests. */
    WORK_PUSH,                  /* Full pushes. */
    WORK_CHECK,                 /* The same, but changes nothing. */
    WORK_ATTEST,                /* Likewise, and makes statements. */
    WORK_PREPARE,               /* Quick pushes, up to what they send; and */
    WORK_FLOOD,                 /* ... what they leave: flood settings. */
};

/* A bridge in a piece of work. */
struct target {
    size_t bridge;              /* Which it is. */
    unsigned int session;       /* At the start. */
    struct ports *ports;        /* Where workloads are; NULL: to be asked. */
    bool known;                 /* 'memories' knows what was there. */
    struct flow_set drift;      /* From there to what was there before. */
    struct attest_counts attested; /* WORK_ATTEST. */
    char *attest_error;         /* Likewise. */
    int of_version;             /* WORK_PREPARE only, as are the next. */
    struct push_result *result;
    struct ofpbuf *bundle;      /* NULL: nothing to send. */
    struct keeper *keeper;      /* For the caller. */
};

/* One piece of work. */
struct work {
    enum work_kind kind;
    const struct keeper_settings *settings;
    const struct bridge_memory *memories; /* By bridge. */
    struct report_settings reports; /* Of the start: they may change, as */
    uint16_t adopt_seconds;     /* ... may this. */
    int done_fd;                /* eventfd(2): written at the end. */
    pthread_t thread;
    long long int start_ms;
    struct topology *topology;  /* To push, or what was read. */
    struct report report;       /* WORK_READ. */
    struct target *targets;
    size_t n;
    struct push_result *results; /* WORK_PUSH. */
    size_t n_sending;           /* WORK_PREPARE: not answered yet. */
};

/* What is known of a bridge. */
struct bridge_memory {
    bool dirty;                 /* A full push is wanted. */
    bool check;                 /* WORK_CHECK is wanted. */
    bool attest;                /* WORK_ATTEST is wanted. */
    bool ports_changed;         /* ... perhaps: to be looked at. */
    bool flood;                 /* WORK_FLOOD is wanted. */
    unsigned int session;       /* Counts up when it begins or ends. */
    uint64_t datapath_id;       /* 0: not there. */

    /* What the last push with this topology made, in session 'of_session';
     * 'ports' is NULL if there was none. */
    unsigned int of_session;
    struct ports *ports;
    struct flow_set flows;
};

/* An empty one; the caller sets the kind and the targets, which there is room
 * for one of each bridge for. */
struct work *work_create(const struct keeper_settings *,
                         const struct report_settings *,
                         const struct bridge_memory *, int done_fd);
void work_start(struct work *);
/* Once it has ended. */
void work_destroy(struct work *);

#endif /* keeper-work.h */
