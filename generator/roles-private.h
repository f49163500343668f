/* What the files of roles.h share.
 *
 * roles.c brings observations into an order of their own and the result back,
 * roles-regular.c drops what is hardly used, roles-circles.c finds who hangs
 * together, roles-profiles.c makes behaviour comparable, roles-grouping.c
 * groups, roles-names.c suggests names, roles-suspicions.c sets entries
 * aside. */

#ifndef SDFW_ROLES_PRIVATE_H
#define SDFW_ROLES_PRIVATE_H 1

#include <stdbool.h>

#include "roles.h"

/* One entry, as one of its ends sees it. */
struct host_entry {
    uint32_t peer;              /* Numbered as in role_entry. */
    uint8_t protocol;
    uint16_t port;
    bool in;                    /* The peer is the client. */
    uint32_t circle;            /* See find_circles(). */
    uint64_t n_connections;
};

/* What each host does.  Hosts and outside are in the order of their names, so
 * that nothing depends on the order of the observations. */
struct behaviours {
    size_t n_hosts;
    struct host_entry *entries; /* By host. */
    size_t *first;              /* 'n_hosts' + 1 indexes into 'entries'. */
    uint64_t *n_connections;    /* By host. */
    double usual;               /* Set by keep_regular(): the usual number of
                                 * connections of an entry. */
};

/* Drops the entries that are hardly used, compared to what is usual: most of
 * scans and mistakes, and rare links.  Sets 'usual'. */
void keep_regular(struct behaviours *);

/* What a party is known by: a group, or one of these bits and what it is.
 * LABEL_CIRCLE is for the feature that is the circle itself. */
#define LABEL_HOST (UINT32_C(1) << 30)
#define LABEL_OUTSIDE (UINT32_C(2) << 30)
#define LABEL_CIRCLE (UINT32_C(3) << 30)

/* 'group_of' as for profiles_create(). */
uint32_t party_label(const struct behaviours *, const uint32_t *group_of,
                     uint32_t end);

/* Sets 'circle' of each entry: clients and servers of a protocol and port that
 * hang together are one circle, however few of them have met, and those of the
 * same port elsewhere are another. */
void find_circles(struct behaviours *, const uint32_t *group_of);

/* A feature is one kind of behaviour ("is asked on tcp/5432 by group 7").  Its
 * weight says how much of it there is, and how telling it is. */
struct weight {
    uint32_t feature;           /* Rare ones first. */
    float value;
};

struct profile {
    struct weight *weights;     /* By feature. */
    size_t n;
    double total;               /* Sum of values. */
};

struct profiles {
    struct profile *groups;
    size_t n_groups;
    struct profile *hosts;      /* NULL if not asked for. */
    size_t n_features;
    struct weight *weights;     /* Those of all. */
};

/* 'group_of' says for each host which of the 'n_groups' groups it is in, or
 * ROLE_NONE.  Peers count by their group.  Free with profiles_destroy(). */
struct profiles *profiles_create(struct behaviours *,
                                 const uint32_t *group_of, size_t n_groups,
                                 bool hosts);
void profiles_destroy(struct profiles *);

/* Weighted Jaccard (Ruzicka) similarity: 0 to 1. */
double profile_similarity(const struct profile *, const struct profile *);

/* The part of the first that the second has, too: 0 to 1. */
double profile_containment(const struct profile *, const struct profile *);

/* Puts the group of each host, or ROLE_NONE, into 'group_of'; returns how many
 * groups there are.  They are in the order of their first hosts. */
size_t group_hosts(struct behaviours *, uint32_t *group_of);

/* Suggests a name for each of 'roles'. */
void name_roles(const struct role_observations *, struct roles *,
                const struct role_port_name *, size_t n_port_names);

/* For each entry that belongs to a scan of ports, how many ports were tried;
 * else 0.  The caller frees the array. */
uint32_t *find_port_scans(const struct role_observations *);

#endif /* roles-private.h */
