/* Folds related deviations into incidents, for people.
 *
 * The first few deviations of a source, with one reason, are told one by one;
 * when more are open they become one incident, with its counts of hosts, ports
 * and packets, which is told when it opens, now and then while it grows, and
 * when all of it is over; it speaks also for those that were told before.  A
 * source is a workload's port, whatever the packets say; at other ports, an
 * address, or the port when there are many.
 *
 * Pure: the caller says what time it is (milliseconds since the epoch). */

#ifndef SDFW_FOLD_H
#define SDFW_FOLD_H 1

#include <openvswitch/hmap.h>

#include "book.h"

enum incident_kind {
    INCIDENT_SCAN,              /* Many ports, of some hosts. */
    INCIDENT_SWEEP,             /* Many hosts. */
    INCIDENT_FLOOD,             /* More than Open vSwitch tells apart: see
                                 * deviation_level. */
};

struct incident {
    struct hmap_node node;
    struct incident_key {       /* Without padding. */
        struct in6_addr src;    /* All zeros: any. */
        uint16_t in_port;
        uint8_t bridge;
        uint8_t reason;
        uint32_t segment;
    } key;
    uint64_t id;                /* Counts up from 1; 0: not an incident yet. */
    struct deviation first;     /* Its key and packet. */
    uint64_t n_deviations, n_packets, n_bytes;
    uint64_t n_folded;          /* Of the packets: of deviations that are not
                                 * told apart. */
    size_t n_open;              /* Deviations. */
    uint64_t n_told;            /* Packets, when it was last told. */
    long long int first_ms, last_ms, told_ms;

    struct hmap hosts;          /* Destinations. */
    bool more_hosts;            /* ... and others. */
    size_t n_ports;
    unsigned long *ports;       /* Bitmap, or NULL. */
};

struct fold {
    struct hmap incidents;
    uint64_t last_id;
    unsigned int alone;         /* How many deviations of a source are told one
                                 * by one. */
    size_t n_by_address;        /* Of the incidents. */
    void (*tell)(enum deviation_event, const struct incident *, void *aux);
    void *aux;
};

void fold_init(struct fold *, unsigned int alone,
               void (*tell)(enum deviation_event, const struct incident *,
                            void *aux), void *aux);
void fold_destroy(struct fold *);

/* Takes an event of 'd', whose members for us it sets.  'workload' tells that
 * it came from a workload's port.  Returns true if an incident speaks for it;
 * otherwise it is told by itself. */
bool fold_event(struct fold *, enum deviation_event, struct deviation *d,
                bool workload, long long int now_ms);

/* Tells those that have grown, each once in 'interval_ms'.  Returns when to
 * call again, or 0 if there are none. */
long long int fold_run(struct fold *, long long int interval_ms,
                       long long int now_ms);

/* Bridge 'i' is bridge map[i] from now on: after book_renumber(). */
void fold_renumber(struct fold *, const uint8_t map[UINT8_MAX + 1]);

enum incident_kind incident_kind(const struct incident *);
size_t incident_n_hosts(const struct incident *);

#endif /* fold.h */
