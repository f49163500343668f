/* What has to change on a bridge: installed flows against wanted ones. */

#ifndef SDFW_DIFF_H
#define SDFW_DIFF_H 1

#include "flows.h"

struct diff_counts {
    size_t added, changed, removed, unchanged;
};

/* Adds to 'changes' what turns 'installed' into 'wanted': flows with
 * OFPFC_ADD, OFPFC_MODIFY_STRICT (which keeps counters) or
 * OFPFC_DELETE_STRICT as command.  Flows that expire (ORIGIN_ADOPT,
 * ORIGIN_LEARNED) are left to do so, and flows that tell sdfwd of deviations
 * (ORIGIN_REPORT) stay unless 'wanted' has some itself. */
struct diff_counts diff_flows(const struct flow_set *installed,
                              const struct flow_set *wanted,
                              struct flow_set *changes);

/* Adds to 'changes' what turns 'now' back into 'before', flows that a push to
 * 'before' has added and that expire included.  What sdfwd has learned stays,
 * and what has expired since is not brought back. */
void diff_back(const struct flow_set *now, const struct flow_set *before,
               struct flow_set *changes);

/* For each of 'wanted', the index of the flow with the same key in
 * 'installed', or SIZE_MAX.  The caller frees the array. */
size_t *diff_match(const struct flow_set *installed,
                   const struct flow_set *wanted);

#endif /* diff.h */
