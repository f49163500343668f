/* What a topology means for one packet, said a second time.
 *
 * Written from the manifest's reference, and on purpose not from classes.c,
 * compile.c or evaluate.c: it is slow, simple, and compared with what the
 * flows do. */

#ifndef MEANING_H
#define MEANING_H 1

#include <openvswitch/flow.h>

#include "model.h"
#include "ports.h"

/* Where a packet comes from, and what conntrack says of it. */
struct meaning_packet {
    const struct flow *flow;
    struct opening opening;     /* What the connection opens at its server. */
    bool backwards;             /* The packet is from server to client. */
    bool invalid;
};

enum meaning {
    MEANS_ALLOW,                /* A link opens it: to its destination. */
    MEANS_FOREIGN,              /* Not policed: as it was without us. */
    MEANS_DEVIATION,            /* Both ends tolerate it, or not: see below. */
};

struct judgement {
    enum meaning meaning;
    bool drop;                  /* MEANS_DEVIATION: an end enforces. */
    bool pass;                  /* MEANS_DEVIATION: none of those that the
                                 * packet names enforces. */
    uint16_t port;              /* Of the destination; 0: outside. */
    size_t src, dst;            /* Whose the addresses are: workload->index;
                                 * SIZE_MAX: outside. */
};

struct judgement judge(const struct topology *, const struct ports *,
                       const struct meaning_packet *, time_t now);

#endif /* meaning.h */
