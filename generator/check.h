/* Semantic errors and warnings: what the schema cannot say.
 *
 * Pure: looks at the model only.  'now' (seconds since the epoch) decides
 * which links have expired. */

#ifndef SDFW_CHECK_H
#define SDFW_CHECK_H 1

#include "model.h"
#include "report.h"

void check_topology(const struct topology *, time_t now, struct report *);

/* The part of check_topology() that looks at segments and workloads and not
 * at links, so that it makes sense while names in links are unknown. */
void check_declarations(const struct topology *, struct report *);

/* The name in 'names' (n of them) that is nearest to 'name' by edit distance
 * (Damerau-Levenshtein, restricted), or NULL if none is near enough to be
 * meant. */
const char *check_nearest(const char *name, const char *const names[],
                          size_t n);

#endif /* check.h */
