/* Is every deviating packet accounted for?
 *
 * Open vSwitch counts the packets of DEVIATION, those that REPORT's learned
 * flows absorb, those that TELL offers to sdfwd, and, where deviations pass,
 * answers to them.  The first is the sum of the others, and so must be what
 * sdfwd has heard of.
 *
 * Counters are read by aggregate and meter statistics requests on the
 * bridge's connection, and told as since the last time when all was known:
 * when the bridge connected, or its flows were changed.  No I/O, no clock. */

#ifndef SDFW_ACCOUNTING_H
#define SDFW_ACCOUNTING_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/types.h>

struct ofp_header;
struct ofpbuf;

enum account {
    ACCOUNT_DEVIATING,          /* Through DEVIATION. */
    ACCOUNT_OFFERED,            /* Through TELL. */
    ACCOUNT_ABSORBING,          /* By learned flows that are there: by
                                 * tuple, */
    ACCOUNT_ABSORBING_PAIR,     /* ... by hosts, */
    ACCOUNT_ABSORBING_SOURCE,   /* ... by port. */
    ACCOUNT_ANSWERS,            /* To deviations that pass. */
    ACCOUNT_METERED,            /* Dropped by meters, duplicates included. */
    N_ACCOUNTS,
};

struct accounting {
    uint64_t n_absorbed;        /* By learned flows that have ended. */
    uint64_t n_received;        /* Packet-ins, without duplicates. */
    uint64_t n_unseen;          /* Of n_absorbed's flows: how many were learned
                                 * by a packet that was not received. */

    /* The last complete reading, and the base that it is compared with. */
    struct account_reading {
        uint64_t counts[N_ACCOUNTS];
        uint64_t n_absorbed, n_received, n_unseen;
        long long int time_ms;  /* Since the epoch; 0: there is none. */
    } last, base;
    bool rebase;                /* The next reading becomes the base. */

    struct account_reading next; /* Being read. */
    ovs_be32 xids[N_ACCOUNTS];  /* Of requests; 0: answered. */
};

/* Sums for people, all since the base. */
struct account_balance {
    uint64_t deviating;         /* = offered + absorbed + answers
                                 *   + missing. */
    uint64_t offered;           /* = received + unseen + untold. */
    uint64_t absorbed;
    uint64_t answers;           /* Told with what they answer. */
    long long int missing;      /* 0, unless flows were changed by others. */
    uint64_t received, unseen;
    long long int untold;       /* In no record: see docs/deviations.md. */
    uint64_t metered;
    long long int since_ms, time_ms;
};

/* The bridge is there (again), or its flows have changed. */
void accounting_rebase(struct accounting *);

/* Sends the requests by 'send', unless answers are still awaited. */
void accounting_read(struct accounting *, int of_version, uint8_t table_base,
                     void (*send)(struct ofpbuf *, void *aux), void *aux);

/* Takes a reply.  Returns true if it was one of ours; the reading is complete
 * when 'last' is of 'now_ms'. */
bool accounting_take(struct accounting *, const struct ofp_header *,
                     uint32_t first_meter, long long int now_ms);

/* Returns false if there is nothing to balance yet. */
bool accounting_balance(const struct accounting *, struct account_balance *);

#endif /* accounting.h */
