/* Is what a topology opens known good?
 *
 * Each opening of each link gets a verdict, by the rules of a catalogue.  A
 * profile that was learned is a topology as well.  Pure: works on the model
 * only. */

#ifndef SDFW_VERIFY_H
#define SDFW_VERIFY_H 1

#include "catalogue.h"
#include "model.h"

#define VERIFY_SCORE_UNKNOWN 25
/* Where all that rules have against it is accepted. */
#define VERIFY_SCORE_ACCEPTED 19

struct verify_finding {
    const struct link *link;
    const struct opening *opening;
    enum verify_verdict verdict;
    int score;                  /* 0 to 100: that of rules[0], or one of
                                 * VERIFY_SCORE_*. */
    const struct rule **rules;  /* Those that count, the worst first; if all
                                 * say known good, the best. */
    size_t n_rules;             /* 0: unknown, or accepted. */
    const struct rule *waived;  /* The worst that does not count, since it is
                                 * accepted; or NULL. */
    const struct accepted_risk *accepted;   /* Why it is good; or NULL. */
    const struct accepted_risk *ended;  /* What accepted it once; or NULL. */
    char *reason;               /* One line. */
};

struct verify_result {
    struct verify_finding *findings;    /* In the order of the topology. */
    size_t n;
    size_t counts[VERIFY_N_VERDICTS];
};

/* Judges all links of 'topology' that have not ended at 'now'.  The result
 * points into both, and is freed by verify_result_destroy(). */
void verify_topology(const struct topology *, const struct catalogue *,
                     time_t now, struct verify_result *);
void verify_result_destroy(struct verify_result *);

#endif /* verify.h */
