/* How much the links are used on one bridge, and how many packets deviated:
 * counts of its flows, as last read.
 *
 * LINK sees the first packet of each connection, STATE the rest (pipeline.h).
 * Pure but for the question that link_use_ask() sends. */

#ifndef SDFW_LINK_USE_H
#define SDFW_LINK_USE_H 1

#include <openvswitch/hmap.h>

#include "flows.h"
#include "model.h"

struct openflow;
struct ofp_header;

struct use_counts {
    uint64_t connections, packets, bytes;
};

/* One opening of a link. */
struct opening_use {
    struct hmap_node node;      /* By 'id'. */
    struct hmap_node opening_node; /* By 'opening', if that is known. */
    uint64_t id;                /* Of its cookies. */
    const struct link *link;    /* NULL: not known for now. */
    const struct opening *opening;
    struct use_counts counts, next;
    bool counted;               /* 'counts' have been read. */
};

struct link_use {
    struct hmap ids, openings;
    struct use_counts deviating, next_deviating; /* No connections. */
    long long int read_ms;      /* When, since the epoch; 0: never. */
    ovs_be32 xids[2];           /* Of requests; 0: answered. */
};

void link_use_init(struct link_use *);
void link_use_destroy(struct link_use *);

/* Takes links and openings from flows that were compiled and are installed;
 * what they counted before is kept. */
void link_use_learn(struct link_use *, const struct flow_set *);
/* The topology of these links goes away. */
void link_use_forget(struct link_use *);

/* Asks for counts, unless answers are still awaited; the bridge must be
 * there. */
void link_use_ask(struct link_use *, struct openflow *, uint8_t table_base);
bool link_use_is_awaited(const struct link_use *);
/* Takes an answer to that, or a part of one. */
void link_use_take(struct link_use *, const struct ofp_header *,
                   uint8_t table_base, long long int now_ms);
/* The connection has ended, and what was asked with it. */
void link_use_cancel(struct link_use *);

/* What 'opening' counts here, or NULL if that is not known. */
const struct use_counts *link_use_find(const struct link_use *,
                                       const struct opening *);

#endif /* link-use.h */
