/* Names in manifests to what they name.
 *
 * Errors say which name was probably meant. */

#ifndef SDFW_RESOLVE_H
#define SDFW_RESOLVE_H 1

#include <openvswitch/hmap.h>

#include "model.h"

struct resolver {
    const struct topology *topology;
    struct hmap workloads;      /* By home and name. */
    int n_suggestions;          /* Made so far: each costs a search. */
};

void resolver_init(struct resolver *, const struct topology *);
void resolver_destroy(struct resolver *);

/* Enters a workload that was added to the topology. */
void resolver_add_workload(struct resolver *, struct workload *);
struct workload *resolver_find_workload(const struct resolver *,
                                        const struct service *,
                                        const char *name);

/* The name of the segment that is nearest to 'name', or NULL. */
const char *resolver_suggest_segment(struct resolver *, const char *name);

/* The ends of a link, or with 'accept' of an accept, in 'application'.
 * Returns NULL or the error, which the caller frees. */
char *resolve_ends(struct resolver *, struct application *, bool accept,
                   const char *from_name, const char *to_name,
                   struct endpoint *from, struct endpoint *to)
    OVS_WARN_UNUSED_RESULT;

/* The workload that 'name' ("SERVICE/WORKLOAD") in a <member> of 'service'
 * means. */
char *resolve_member(struct resolver *, const struct service *,
                     const char *name, struct workload **)
    OVS_WARN_UNUSED_RESULT;

/* NULL if 'name' can be an end of an expectation, otherwise the error. */
char *resolve_expected(struct resolver *, const char *name)
    OVS_WARN_UNUSED_RESULT;

#endif /* resolve.h */
