/* History to links: what a topology would have to allow.
 *
 * What was seen is told of services: of those of a topology, or, without one,
 * of groups of workloads with the same behaviour (roles.h).  What the
 * topology's links cover already is left out.  What should not become a link
 * unasked is set aside with its reason.  Addresses outside are folded to
 * networks.  learn() is pure: no I/O, no clock.
 *
 * docs/learn.md tells the rules. */

#ifndef SDFW_LEARN_H
#define SDFW_LEARN_H 1

#include <stdio.h>

#include "completeness.h"
#include "model.h"
#include "profile.h"
#include "roles.h"
#include "sset.h"

/* What speaks for a link. */
struct evidence {
    uint64_t n_connections, n_unanswered;
    int64_t first, last;
    size_t n_clients, n_servers; /* Different addresses. */
    /* Of services at the ends: how many of their workloads took part; 'of' is
     * 0 for a network. */
    size_t clients_seen, clients_of, servers_seen, servers_of;
};

struct learned_link {
    struct application *application; /* That of the client, or the server's if
                                      * the client is outside. */
    struct endpoint from, to;
    struct opening opening;
    struct evidence evidence;
    char *reason;               /* The evidence in words. */
};

/* What was set aside: all of one reason between two ends. */
struct aside {
    struct application *application; /* As in learned_link, or NULL. */
    char *from, *to;            /* "shop/web/web-1", "192.0.2.1". */
    char *what;                 /* "tcp/1-1000 (1000 ports)". */
    char *why;
    uint64_t n_connections;
    int64_t first, last;
};

/* How much is known of a service. */
struct learned_service {
    const struct service *service;
    struct completeness completeness;
    struct completeness_judgement judgement;
};

struct learned {
    bool has_topology;          /* Given; else services were made, too. */
    struct topology *topology;  /* The one given, or made, with what was added
                                 * for the links. */
    size_t n_old_networks;      /* Of topology->networks; others are new. */
    struct learned_link *links; /* By application, ends, opening. */
    size_t n_links;
    struct aside *asides;       /* By application, ends, reason. */
    size_t n_asides;
    struct learned_service *services; /* By path. */
    size_t n_services;
    size_t n_workloads;         /* That are known. */
    size_t n_covered;           /* Entries that the topology covers. */
    size_t n_foreign;           /* Entries of which no end is a workload, or
                                 * both are the same one. */
    struct sset strange_segments; /* That the topology does not have. */
};

struct learn_options {
    bool per_workload;          /* Each in a service of its own. */
    time_t now;                 /* Links count as covered if valid then. */
    const struct role_port_name *port_names; /* For names of services. */
    size_t n_port_names;
};

/* Learns from 'history'.  'topology' (NULL: none) becomes part of the result
 * and gets new networks and services.  The caller destroys the result. */
void learn(const struct history *, struct topology *topology,
           const struct learn_options *, struct learned *);
void learned_destroy(struct learned *);

/* What one manifest is to hold: all, what belongs to one application, or to
 * one service of it. */
struct learned_part {
    const struct application *application; /* NULL: all. */
    const struct service *service; /* NULL: all of the application. */
};

/* True if there is anything to be written. */
bool learned_has(const struct learned *, const struct learned_part *);

/* Writes a manifest.  Returns NULL or what is wrong, which the caller
 * frees. */
char *learned_write(const struct learned *, const struct learned_part *,
                    FILE *) OVS_WARN_UNUSED_RESULT;

/* What was learned and set aside; how much is known of each service.  The
 * caller frees the JSON. */
void learned_print(const struct learned *, FILE *);
struct json *learned_to_json(const struct learned *);
void learned_print_status(const struct learned *, FILE *);
struct json *learned_status_to_json(const struct learned *);

#endif /* learn.h */
