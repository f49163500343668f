/* Deviations in words: who it was, to whom, and why it is one.
 *
 * Pure.  Names come from the topology that is in force. */

#ifndef SDFW_EXPLAIN_H
#define SDFW_EXPLAIN_H 1

#include "book.h"
#include "model.h"

struct json;

/* What is known besides the deviation itself. */
struct explain_context {
    const struct topology *topology; /* NULL: none was read yet. */
    const char *bridge;
    const struct workload *from; /* Whose port it came from, or NULL. */
    long long int now_ms;
};

/* The record, as one JSON object that the caller destroys.  docs/deviations.md
 * describes its members. */
struct json *explain_to_json(enum deviation_event, const struct deviation *,
                             const struct explain_context *);

/* The same in a line for people, which the caller frees. */
char *explain_to_text(enum deviation_event, const struct deviation *,
                      const struct explain_context *);

#endif /* explain.h */
