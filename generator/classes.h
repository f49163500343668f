/* Addresses to classes.
 *
 * A class is one combination of services, or of networks: an "atom".  All
 * addresses of a class are treated alike, so a link needs one flow for each
 * pair of classes instead of one for each pair of addresses.  Most classes
 * are one service or one network; a workload in two services, and a prefix
 * inside another network's prefix, have a class of their own.
 *
 * The identifier of a class is a hash of its members' names, so every host
 * comes to the same one, whatever else its topology holds (but for
 * collisions, which are resolved in the order of names). */

#ifndef SDFW_CLASSES_H
#define SDFW_CLASSES_H 1

#include <openvswitch/hmap.h>

#include "model.h"
#include "ports.h"

struct class {
    struct hmap_node node;      /* In classes->by_name. */
    char *name;                 /* "shop/app+shop/web", "internet+office". */
    uint32_t id;                /* Not 0. */
    bool enforce;               /* One of the services is in MODE_ENFORCE, or
                                 * 'quarantine'. */
    bool quarantine;            /* Workloads in quarantine: "shop/web!". */

    /* Set by classes_prune(). */
    bool local;                 /* A workload of it is on the bridge. */
    bool needed;                /* A link joins it with one that is local. */
};

/* The classes that a service or network is part of. */
struct membership {
    struct hmap_node node;      /* In classes->memberships. */
    const void *object;
    bool quarantine;            /* Those that are in quarantine. */
    struct class **classes;
    size_t n, allocated;
};

/* One entry of a segment's longest-prefix match. */
struct class_prefix {
    struct prefix prefix;
    const struct class *class;  /* NULL: in no network. */
    const struct network *network; /* One of its networks, or NULL. */
    bool exact;                 /* Holds addresses of workloads: look into
                                 * ADDRESS too. */
};

/* An address of a workload, as seen in one segment. */
struct class_address {
    struct in6_addr address;
    const struct workload *workload;
    const struct class *class;
    const struct class *around; /* Of the networks that hold it, or NULL: what
                                 * it would be if it were nobody's. */
    bool foreign;               /* The workload is in another segment, and a
                                 * link leads there: reached through a router
                                 * outside. */
};

struct class_segment {
    const struct segment *segment;
    struct class_prefix *prefixes;
    size_t n_prefixes, allocated_prefixes;
    struct class_address *addresses;
    size_t n_addresses, allocated_addresses;
    bool local;                 /* Set by classes_prune(): a workload of the
                                 * segment is on the bridge. */
};

struct classes {
    struct hmap by_name;
    struct hmap memberships;
    struct class **of_workload; /* By workload->index. */
    struct class_segment *segments; /* As topology->segments. */
    size_t n_segments;
};

struct classes *classes_create(const struct topology *,
                               const struct ports *);
void classes_destroy(struct classes *);

/* Makes the prefixes of 'cs' of the topology's networks and its addresses,
 * once more if it has some. */
void classes_build_prefixes(struct classes *, const struct topology *,
                            struct class_segment *cs);

/* Leaves what the bridge needs whose ports are 'ports': see classes-prune.c.
 * Identifiers stay as they are. */
void classes_prune(struct classes *, const struct topology *,
                   const struct ports *, time_t now);

bool classes_segment_is_local(const struct classes *, const struct segment *);

/* The classes of an end of a link, in quarantine or not; '*n' is 0 if it has
 * none (a service without workloads). */
struct class *const *classes_of(const struct classes *,
                                const struct endpoint *, bool quarantine,
                                size_t *n);

/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): unlike the hashes
 * of libopenvswitch it is the same on every machine.  'basis' is 0 or the
 * hash to go on from. */
uint64_t stable_hash(const char *, uint64_t basis);

#endif /* classes.h */
