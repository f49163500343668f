/* An estate: many services with replicas, and what was seen of them.
 *
 * Made up by a seed, with the truth at hand, to measure how well roles are
 * found.  Names of hosts tell nothing. */

#ifndef ESTATE_H
#define ESTATE_H 1

#include <stdbool.h>

#include "roles.h"

struct estate_options {
    uint64_t seed;
    size_t n_workloads;
    size_t max_replicas;        /* 1 to so many, small services more often. */
    double noise;               /* Share of connections that are scans, sweeps
                                 * and mistakes. */
    double rare;                /* Share of links, but for the main one of each
                                 * service, that three of ten clients have
                                 * used, once or twice. */
    double idle;                /* Share of workloads that hardly did
                                 * anything. */
};

struct estate {
    struct role_observations observations;
    uint32_t *truth;            /* By host: its service. */
    bool *idle;                 /* By host. */
    bool *noise;                /* By entry. */
    size_t n_services;

    /* What 'observations' points to. */
    char **hosts;
    struct role_entry *entries;
    size_t n_entries, allocated_entries;
};

/* The same options give the same estate.  Free with estate_destroy(). */
struct estate *estate_create(const struct estate_options *);
void estate_destroy(struct estate *);

/* The adjusted Rand index of 'roles' against the truth, but for idle hosts. */
double estate_score(const struct estate *, const struct roles *);

#endif /* estate.h */
