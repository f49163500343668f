/* Would a push take away so much that somebody should look first?
 *
 * What counts are links (each opening of them) and workloads that the bridge
 * has flows for, and the topology no longer has: half a directory, or that of
 * another site.  A link that is out of its validity, and a workload that has
 * left the bridge, are still in the topology, and so do not count: what ends
 * in time must be able to end. */

#ifndef SDFW_SHRINK_H
#define SDFW_SHRINK_H 1

#include "flows.h"
#include "model.h"
#include "ports.h"

/* Returns NULL if at least 'min_kept_percent' of the links in 'installed', and
 * of the workloads in it, are in 'topology' too, which is always so with 0;
 * otherwise says what would go, in words that the caller must free. */
char *shrink_check(const struct topology *, const struct ports *,
                   const struct flow_set *installed, int min_kept_percent)
    OVS_WARN_UNUSED_RESULT;

#endif /* shrink.h */
