/* Workloads with the same behaviour, grouped by role.
 *
 * From who opened which connections, this finds which hosts are replicas of
 * one service, and what of the behaviour should not become a rule unasked.
 * All of it is pure: no I/O, no clock, and the same result for the same
 * observations in any order.
 *
 * docs/learn-roles.md tells how, why so, and how well it does. */

#ifndef SDFW_ROLES_H
#define SDFW_ROLES_H 1

#include <stddef.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#define ROLE_NONE UINT32_MAX

/* All connections of one client to one port of one server. */
struct role_entry {
    uint32_t client, server;    /* From 0: index into 'hosts'; from 'n_hosts':
                                 * into 'outside'. */
    uint8_t protocol;           /* IP protocol number. */
    uint16_t port;              /* The server's, or the ICMP type, or 0. */
    uint64_t n_connections;
    uint64_t n_unanswered;      /* Those of them without any answer. */
};

/* What was seen.  Nothing of it is kept or freed. */
struct role_observations {
    const char *const *hosts;   /* Names of workloads; each another. */
    size_t n_hosts;
    const char *const *outside; /* Networks or prefixes; each another. */
    size_t n_outside;
    const struct role_entry *entries; /* The same one twice is added up. */
    size_t n_entries;
};

/* What a port is usually for, as in /etc/services: tcp 5432 "postgresql". */
struct role_port_name {
    uint8_t protocol;
    uint16_t port;
    const char *name;
};

struct role {
    char *name;                 /* Suggested; unique; valid in a manifest. */
    uint32_t *hosts;            /* By name. */
    size_t n_hosts;
};

struct roles {
    uint32_t *of_host;          /* Index into 'roles', or ROLE_NONE: too little
                                 * was seen of it to tell. */
    struct role *roles;         /* By the name of their first host. */
    size_t n_roles;
};

/* Groups the hosts.  'port_names' are for naming groups only, and may be
 * empty.  Never fails.  Free with roles_destroy(). */
struct roles *roles_create(const struct role_observations *,
                           const struct role_port_name *port_names,
                           size_t n_port_names);
void roles_destroy(struct roles *);

/* Why an entry should not become a rule unasked. */
enum suspicion_reason {
    SUSPICION_ALONE,            /* One replica of many does this, or has this
                                 * done to it; no other does. */
    SUSPICION_PORT_SCAN,        /* Many ports of one server, hardly used. */
    SUSPICION_SWEEP,            /* One port of many servers, hardly used. */
};

struct suspicion {
    size_t entry;               /* Index into 'entries'. */
    enum suspicion_reason reason;
    uint32_t n, of;             /* ALONE: replicas, of so many.  Else: ports or
                                 * servers that were tried; 0. */
};

/* The entries to be set aside, each once, in the order of 'entries'.  Roles
 * are those of the same observations.  The caller frees the array. */
struct suspicion *roles_suspicions(const struct role_observations *,
                                   const struct roles *, size_t *n);

/* The reason in words.  The caller frees it. */
char *suspicion_text(const struct role_observations *, const struct roles *,
                     const struct suspicion *);

/* How well two partitions of the same 'n' things agree: 1 if they are the
 * same, about 0 if one is random (the adjusted Rand index: Hubert and Arabie,
 * "Comparing partitions", Journal of Classification 2, 1985).  ROLE_NONE is a
 * group of its own each time. */
double adjusted_rand_index(const uint32_t *, const uint32_t *, size_t n);

#endif /* roles.h */
