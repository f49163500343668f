/* Connections drawn from a known distribution, to hold estimates of what is
 * unseen against the truth. */

#ifndef DRAWS_H
#define DRAWS_H 1

#include <stdbool.h>

#include "completeness.h"

enum draws_kind {
    DRAWS_UNIFORM,              /* 200 entries, all alike. */
    DRAWS_ZIPF,                 /* 500 entries, the i-th as 1/i. */
    DRAWS_BURSTY,               /* Zipf; each comes 20 times in a row on
                                 * average. */
    DRAWS_NIGHTLY,              /* Zipf by day; between 2 and 3 o'clock only
                                 * 20 others (backup). */
    N_DRAWS_KINDS,
};

#define DRAWS_ENTRIES 520

struct draws {
    enum draws_kind kind;
    uint64_t state;
    double p[DRAWS_ENTRIES];    /* Of the next connection at any time, on
                                 * average. */
    double cumulative[DRAWS_ENTRIES]; /* By day. */
    uint64_t counts[DRAWS_ENTRIES];
    size_t last;                /* Entry of the burst. */
};

void draws_init(struct draws *, enum draws_kind, uint64_t seed);

/* Draws one connection at 'when_ms', and adds it, unless 'thin' is true and it
 * goes on with what the one before was. */
void draws_next(struct draws *, struct completeness *, int64_t when_ms,
                bool thin);

/* The true probability of what is unseen. */
double draws_unseen(const struct draws *);

#endif /* draws.h */
