/* The book of deviations: which are open, since when, and how much they were.
 *
 * A packet-in opens a deviation, or tells that it goes on; polls bring what
 * its learned flow has absorbed so far, and the end of the flow the rest.  If
 * no packet follows for some seconds, the deviation is closed.  Every event
 * goes to a callback; none is told twice.
 *
 * There are at most as many open ones as flows may be learned (pipeline.h).
 * Pure: the caller says what time it is (milliseconds since the epoch). */

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
    uint64_t n_packet_ins;      /* With duplicates. */
    struct deviation_counts live; /* Of these, what the learned flow that is
                                   * there has absorbed. */
    uint64_t n_told;            /* Packets, when it was last told. */
    uint32_t poll;              /* The last that it was in, or older than. */
    long long int closes_ms;    /* Unless something comes; 0: a flow
                                 * absorbs. */

    /* For fold.h. */
    struct incident *incident;  /* That it is part of, while it is open. */
    uint64_t incident_id;       /* 0: none that is told. */
    uint64_t n_folded, n_folded_bytes; /* What the incident has counted. */
};

struct book {
    struct hmap open;
    struct ovs_list closing;    /* By closes_ms. */
    uint64_t last_id;
    uint32_t polls[UINT8_MAX + 1]; /* By bridge: how many were begun. */
    uint64_t n_packet_ins;      /* All, with duplicates. */
    uint64_t n_duplicates;      /* Of what a flow absorbed already. */
    uint64_t n_unseen;          /* Packets that made a flow be learned, and
                                 * whose packet-in the meter dropped. */
    void (*tell)(enum deviation_event, struct deviation *, void *aux);
    void *aux;
};

void book_init(struct book *, void (*tell)(enum deviation_event,
                                           struct deviation *, void *aux),
               void *aux);
void book_destroy(struct book *);

/* The deviation with 'key' that is open, or NULL. */
const struct deviation *book_find(const struct book *,
                                  const struct deviation_key *);

/* Returns false if a flow absorbed, and counts, the packet. */
bool book_packet_in(struct book *, const struct deviation_key *,
                    const struct deviation_packet *, long long int now_ms);
/* The learned flow has ended.  Returns true if the packet that made it be
 * learned was not seen: it was dropped by the meter, and is counted now. */
bool book_absorbed(struct book *, const struct deviation_key *,
                   const struct deviation_counts *, long long int now_ms);

/* A poll is what a bridge answers when asked for its learned flows: first
 * book_poll_begin() when it is asked, then book_absorbing() for each flow,
 * which returns the same as book_absorbed() ('taken_over': flows that we do not
 * know are those of an earlier sdfwd, which saw the packet), then
 * book_poll_end(), which
 * closes those whose flow is gone without a word: that were in neither of the
 * last two. */
void book_poll_begin(struct book *, uint8_t bridge);
bool book_absorbing(struct book *, const struct deviation_key *,
                    const struct deviation_counts *, bool taken_over,
                    long long int now_ms);
void book_poll_end(struct book *, uint8_t bridge);

/* True if a learned flow of 'bridge' absorbs something. */
bool book_absorbs(const struct book *, uint8_t bridge);

/* Closes what has been quiet for long enough.  Returns when to call again, or
 * 0 if nothing waits. */
long long int book_run(struct book *, long long int now_ms);

/* Bridge 'i' is bridge map[i] from now on.  UINT8_MAX: it is one no longer,
 * and what is open of it is closed. */
void book_renumber(struct book *, const uint8_t map[UINT8_MAX + 1]);

#endif /* book.h */
