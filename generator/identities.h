/* What must be a workload's alone in its segment: MACs and addresses.
 *
 * Pure. */

#ifndef SDFW_IDENTITIES_H
#define SDFW_IDENTITIES_H 1

#include <openvswitch/hmap.h>

#include "model.h"

struct identities {
    struct hmap all;
    struct identity *storage;
    size_t n, max;
};

/* Room for 'max' MACs and addresses. */
void identities_init(struct identities *, size_t max);
void identities_destroy(struct identities *);

/* Each enters one for 'workload', which keeps it where it is, and returns
 * NULL, or returns the workload that has it already. */
const struct workload *identities_claim_mac(struct identities *,
                                            const struct workload *,
                                            const struct eth_addr *);
const struct workload *identities_claim_address(struct identities *,
                                                const struct workload *,
                                                const struct in6_addr *);

#endif /* identities.h */
