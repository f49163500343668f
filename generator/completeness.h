/* How much of a service's behaviour is still unseen.
 *
 * While connections are observed, some are the first of their entry (client,
 * server, protocol, port).  From how many, this tells how likely it is that
 * the next connection is of an entry never seen before, and whether a manifest
 * made of what was seen can be tried.  docs/learn-completeness.md tells what
 * this assumes, and when that fails.
 *
 * All is plain data without pointers: the caller may store and copy it. */

#ifndef SDFW_COMPLETENESS_H
#define SDFW_COMPLETENESS_H 1

#include <stddef.h>
#include <stdint.h>

#define COMPLETENESS_PERIODS 32

/* One day, or whatever period the caller has set. */
struct completeness_period {
    int64_t start_ms;
    uint64_t n_connections;     /* In this period. */
    uint64_t n_new;             /* Those that were the first of an entry. */
    double unseen;              /* As estimated at its end, or now. */
};

struct completeness {
    int64_t period_ms;
    int64_t first_ms, last_ms;  /* Of all connections. */
    int64_t last_new_ms;        /* Of those that were the first of an entry. */
    uint64_t n_connections;
    uint64_t n_entries;
    uint64_t n_once;            /* Entries with just one connection. */
    struct completeness_period periods[COMPLETENESS_PERIODS]; /* The last
                                                               * ones. */
    size_t n_periods;
};

void completeness_init(struct completeness *, int64_t period_ms);

/* 'n' connections, at 'when_ms', of an entry that has had 'n_before' so far.
 * Times before that of the last call count as that one.
 *
 * Connections that follow from each other are one draw, not many: call this
 * for an entry at most once an hour, with an 'n' of 1 (and an 'n_before' of
 * how often it was called for it), or the bound says too much. */
void completeness_add(struct completeness *, int64_t when_ms,
                      uint64_t n_before, uint64_t n);

/* The probability that the next connection is of a new entry: Good and
 * Turing's estimate; 1 if nothing was seen. */
double completeness_unseen(const struct completeness *);

/* What that probability does not exceed, with the given confidence (0.95). */
double completeness_bound(const struct completeness *, double confidence);

/* What must be so before a service is ready. */
struct completeness_criteria {
    double confidence;          /* Of the bound. */
    double max_unseen;          /* The bound, at most. */
    int64_t min_observed_ms;    /* A full cycle of what the service does. */
    int64_t min_stable_ms;      /* Without a new entry. */
};
/* 95 %; 0.5 %; a week; three days. */
extern const struct completeness_criteria completeness_default_criteria;

enum completeness_state {
    COMPLETENESS_NOTHING,       /* No connection was seen. */
    COMPLETENESS_SHORT,         /* Observed for less than a cycle. */
    COMPLETENESS_GROWING,       /* A new entry came not long ago. */
    COMPLETENESS_UNCERTAIN,     /* Too few connections to be sure. */
    COMPLETENESS_READY,
};

struct completeness_judgement {
    enum completeness_state state;
    double unseen;
    double bound;
    int64_t observed_ms;        /* From the first connection to 'now'. */
    int64_t stable_ms;          /* From the last new entry to 'now'. */
};

struct completeness_judgement completeness_judge(
    const struct completeness *, const struct completeness_criteria *,
    int64_t now_ms);

/* In words: "at least 99.8 % complete, stable for 3 days: ready for audit".
 * It is the bound that is told, for the estimate is soon "100 %".  The caller
 * frees the text. */
char *completeness_text(const struct completeness_judgement *,
                        const struct completeness_criteria *);

#endif /* completeness.h */
