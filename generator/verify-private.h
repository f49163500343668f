/* What the parts of verify.c share. */

#ifndef SDFW_VERIFY_PRIVATE_H
#define SDFW_VERIFY_PRIVATE_H 1

#include "openvswitch/hmap.h"
#include "verify.h"

/* What is known about a service or network of the topology. */
struct actor {
    struct hmap_node node;      /* In verifier's 'actors'. */
    struct endpoint end;
    unsigned int kinds;         /* END_*. */
    bool named;                 /* 'looks' is by name. */
    unsigned long *looks;       /* Bitmap of well-known services. */
    uint32_t kind;              /* The same for those that are alike. */
    const struct service *whole;    /* Has all workloads of this service, and
                                     * more; or NULL. */
};

/* How many applications do the same: see verify-share.c. */
struct share {
    size_t n;                   /* Have such a link ... */
    size_t of;                  /* ... of those that have such a service. */
};

struct verifier {
    const struct topology *topology;
    const struct catalogue *catalogue;
    time_t now;
    struct hmap actors;        /* Of struct actor, by what they are. */
    struct tally *tallies;      /* Sorted. */
    size_t n_tallies;
};

/* True if the two have a bit in common; either may be NULL. */
bool verify_intersects(const struct verifier *, const unsigned long *a,
                       const unsigned long *b);

/* True if there is something that both open. */
bool verify_overlaps(const struct opening *, const struct opening *);

/* Sets the bits of the well-known services that have all of 'opening' among
 * their own, and of those that have a part of it. */
void verify_find_services(const struct verifier *, const struct opening *,
                          unsigned long *within, unsigned long *touching);

/* Fills 'actors'. */
void verify_meet_actors(struct verifier *);
void verify_leave_actors(struct verifier *);
const struct actor *verify_actor(const struct verifier *,
                                 const struct endpoint *);

/* Counts who has which links, for verify_share(). */
void verify_count_shares(struct verifier *);
struct share verify_share(const struct verifier *, const struct link *,
                          const struct opening *);

/* True if 'link' has ended and opens nothing any more. */
static inline bool
verify_passes_over(const struct verifier *v, const struct link *link)
{
    return link->not_after && link->not_after <= v->now;
}

#endif /* verify-private.h */
