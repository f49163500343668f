/* Deviations in words: who it was, to whom, and why it is one.
 *
 * Pure.  Names come from the topology that is in force. */

#ifndef SDFW_EXPLAIN_H
#define SDFW_EXPLAIN_H 1

#include "book.h"
#include "fold.h"
#include "model.h"
#include "overlay.h"

struct json;

/* What is known besides the deviation itself. */
struct explain_context {
    const struct topology *topology; /* NULL: none was read yet. */
    const struct overlay *overlay; /* Of the bridge; NULL: none. */
    const char *bridge;
    const char *interface;      /* Of the port it came from, or NULL. */
    const struct workload *from; /* Whose port it came from, or NULL. */
    long long int policy_ms;    /* Since when the policy is in force; 0: it is
                                 * not. */
    long long int now_ms;
};

struct explanation {
    struct json *json;          /* The record: docs/deviations.md describes its
                                 * members. */
    char *text;                 /* The same in a line, for people. */
    bool learning;              /* All that it concerns is in mode learn: to be
                                 * recorded, but not reported. */
    bool allowed;               /* The policy has a link for it by now: it was
                                 * judged while that came into force. */
};

/* The caller frees what is in '*explanation' with explanation_destroy(). */
void explain(enum deviation_event, const struct deviation *,
             const struct explain_context *, struct explanation *explanation);
/* With the incident's first deviation for the names. */
void explain_incident(enum deviation_event, const struct incident *,
                      const struct explain_context *,
                      struct explanation *explanation);
void explanation_destroy(struct explanation *);

/* Who it came from, and the reason, in columns.  The caller frees it. */
char *explain_source(const struct deviation *,
                     const struct explain_context *);

#endif /* explain.h */
