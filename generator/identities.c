/* What must be a workload's alone in its segment: see identities.h. */

#include "identities.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

struct identity {
    struct hmap_node node;
    const struct segment *segment;
    const void *bytes;
    size_t n_bytes;
    const struct workload *workload;
};

void
identities_init(struct identities *identities, size_t max)
{
    hmap_init(&identities->all);
    hmap_reserve(&identities->all, max);
    identities->storage = xmalloc((max + 1) * sizeof *identities->storage);
    identities->n = 0;
    identities->max = max;
}

void
identities_destroy(struct identities *identities)
{
    hmap_destroy(&identities->all);
    free(identities->storage);
}

static const struct workload *
claim(struct identities *identities, const struct workload *workload,
      const void *bytes, size_t n_bytes)
{
    const struct segment *segment = workload->home->segment;
    uint32_t hash = hash_bytes(bytes, n_bytes, segment->id);
    struct identity *i;
    HMAP_FOR_EACH_WITH_HASH (i, node, hash, &identities->all) {
        if (i->segment == segment && i->n_bytes == n_bytes
            && !memcmp(i->bytes, bytes, n_bytes)) {
            return i->workload;
        }
    }
    ovs_assert(identities->n < identities->max);
    i = &identities->storage[identities->n++];
    *i = (struct identity) { .segment = segment, .bytes = bytes,
                             .n_bytes = n_bytes, .workload = workload };
    hmap_insert(&identities->all, &i->node, hash);
    return NULL;
}

const struct workload *
identities_claim_mac(struct identities *identities,
                     const struct workload *workload,
                     const struct eth_addr *mac)
{
    return claim(identities, workload, mac, sizeof *mac);
}

const struct workload *
identities_claim_address(struct identities *identities,
                         const struct workload *workload,
                         const struct in6_addr *address)
{
    return claim(identities, workload, address, sizeof *address);
}
