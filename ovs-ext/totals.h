/* Deviations so far, by service, reason and verdict: counts that only grow.
 *
 * A deviation counts for the service that it comes from or, if it comes from
 * outside, for the one it goes to; once, so that sums are right.  Names are
 * those that its record had when it was opened.  Pure. */

#ifndef SDFW_TOTALS_H
#define SDFW_TOTALS_H 1

#include <openvswitch/hmap.h>

#include "book.h"

struct json;

struct total {
    struct hmap_node node;
    char *application, *service; /* "" if neither end is a workload. */
    char *direction;            /* "out", "in"; "" likewise. */
    char *reason, *verdict;
    uint64_t n, n_packets, n_bytes; /* Packets and bytes: of those closed. */
    uint64_t open_packets, open_bytes; /* Scratch of totals_count_open(). */
};

struct totals {
    struct hmap all;
    struct hmap open;           /* Which total an open deviation belongs to. */
};

void totals_init(struct totals *);
void totals_destroy(struct totals *);

/* Counts an event whose record is 'json'. */
void totals_note(struct totals *, enum deviation_event,
                 const struct deviation *, const struct json *record);

/* Sets 'open_packets' and 'open_bytes' of all totals. */
void totals_count_open(struct totals *, const struct book *);

#endif /* totals.h */
