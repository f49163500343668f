/* The book of deviations: which are open, since when, and how much they were.
 *
 * A packet-in opens a deviation, or tells that it goes on; the end of a
 * learned flow brings what it absorbed.  If no packet follows for some
 * seconds, the deviation is closed.  Every event goes to a callback; none is
 * told twice.  Pure: the caller says what time it is (milliseconds since the
 * epoch). */

#ifndef SDFW_BOOK_H
#define SDFW_BOOK_H 1

#include <openvswitch/hmap.h>
#include <openvswitch/list.h>

#include "deviation.h"

enum deviation_event {
    DEVIATION_OPEN,
    DEVIATION_UPDATE,           /* Goes on; counts so far. */
    DEVIATION_CLOSE,            /* Has ended; final counts. */
};

struct deviation {
    struct hmap_node node;
    struct ovs_list list_node;  /* While no flow absorbs it. */
    struct deviation_key key;
    struct deviation_packet packet; /* The first. */
    uint64_t id;                /* Counts up from 1. */
    long long int first_ms, last_ms;
    uint64_t n_packets, n_bytes;
    long long int closes_ms;    /* Unless something comes; 0: a flow
                                 * absorbs. */
};

struct book {
    struct hmap open;
    struct ovs_list closing;    /* By closes_ms. */
    uint64_t last_id;
    uint64_t n_packet_ins;      /* All, with duplicates. */
    uint64_t n_duplicates;      /* Of what a flow absorbed already. */
    uint64_t n_unseen;          /* Packets that made a flow be learned, and
                                 * whose packet-in the meter dropped. */
    void (*tell)(enum deviation_event, const struct deviation *, void *aux);
    void *aux;
};

void book_init(struct book *, void (*tell)(enum deviation_event,
                                           const struct deviation *,
                                           void *aux), void *aux);
void book_destroy(struct book *);

void book_packet_in(struct book *, const struct deviation_key *,
                    const struct deviation_packet *, long long int now_ms);
void book_absorbed(struct book *, const struct deviation_key *,
                   const struct deviation_counts *, long long int now_ms);

/* Closes what has been quiet for long enough.  Returns when to call again, or
 * 0 if nothing waits. */
long long int book_run(struct book *, long long int now_ms);

/* Closes all of one bridge: its connection is gone, and what its flows
 * absorbed since will not be told. */
void book_close_bridge(struct book *, uint8_t bridge);

#endif /* book.h */
