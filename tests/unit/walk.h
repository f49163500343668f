/* Sends a packet through a set of flows, as Open vSwitch would.
 *
 * Knows OpenFlow and nothing of what the flows are for: matches are asked of
 * libopenvswitch, actions are executed one by one.  Conntrack's answer is
 * given by the caller. */

#ifndef WALK_H
#define WALK_H 1

#include <openvswitch/flow.h>

#include "flows.h"

/* What conntrack knows of the packet's connection. */
struct walk_connection {
    uint8_t state;              /* CS_NEW, CS_ESTABLISHED, ... */
    uint32_t mark;
    uint8_t protocol;           /* Of the original tuple. */
    uint16_t tp_src, tp_dst;
};

#define WALK_MAX_OUTPUTS 64
#define WALK_MAX_LOOKUPS 256

struct walk_output {
    uint16_t port;              /* OFPP_NORMAL among them. */
    bool tagged;
};

struct walk_result {
    struct walk_output outputs[WALK_MAX_OUTPUTS];
    size_t n_outputs;
    bool passed;                /* To the flows of others in table 0. */
    bool committed;
    uint32_t mark;              /* Of 'committed'. */
    size_t path[WALK_MAX_LOOKUPS]; /* Flows that matched, or SIZE_MAX. */
    size_t n_lookups;
};

struct walker;

/* 'set' is sorted (flow_set_sort()) and stays until walker_destroy(). */
struct walker *walker_create(const struct flow_set *set);
void walker_destroy(struct walker *);

/* Walks 'packet' (a copy) from table 0 on. */
void walk(const struct walker *, const struct flow *packet,
          const struct walk_connection *, struct walk_result *);

#endif /* walk.h */
