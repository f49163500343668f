/* What the files of learn.h share.
 *
 * learn-workloads.c knows who an address is, learn-roles.c groups workloads
 * and finds what is suspicious, learn-ports.c judges groups of ports,
 * learn-networks.c folds addresses outside, learn-aside.c sets aside,
 * learn-evidence.c tells what speaks for a link, learn-status.c judges how
 * much is known, learn.c puts it together; learn-write.c and learn-print.c
 * tell it. */

#ifndef SDFW_LEARN_PRIVATE_H
#define SDFW_LEARN_PRIVATE_H 1

#include <openvswitch/hmap.h>

#include "learn.h"

#define NO_HOST UINT32_MAX

/* A workload of the topology, or one that will be in the one that is made. */
struct host {
    char *name;                 /* Path, or what will be the name. */
    struct segment *segment;
    struct workload *workload;  /* NULL until it is made. */
    struct service *service;    /* The one that links name. */
    struct in6_addr *addresses; /* Without a topology, as the next two. */
    size_t n_addresses;
    struct eth_addr mac;
    char *interface;            /* May be NULL. */
};

/* An end of history. */
struct whom {
    const struct segment *segment; /* NULL: not of the topology. */
    uint32_t host;              /* NO_HOST: outside. */
};

/* What became of an entry. */
struct fate {
    bool counts;                /* It is in a link, or covered. */
    uint16_t port;              /* The first, if it is one of a range. */
};

struct single;

struct learner {
    const struct history *history;
    struct learned *learned;
    struct topology *topology;
    const struct learn_options *options;
    struct host *hosts;
    size_t n_hosts;
    struct whom *whom;          /* By end. */
    char **suspicions;          /* By entry: why it is suspicious, or NULL. */
    bool *scanned;              /* By entry: it looks like part of a scan of
                                 * ports. */
    struct fate *fates;         /* By entry. */
    struct single *singles;     /* What was set aside, until it is joined. */
    size_t n_singles, allocated_singles;
};

/* An entry belongs to a group if it is of the same services (NULL: outside),
 * protocol and port. */
struct group {
    struct service *from, *to;
    uint8_t protocol;
    uint16_t port;
    size_t *entries;            /* Indexes into history's. */
    size_t n_entries;
};

/* Fills 'hosts' and 'whom'. */
void learner_find_workloads(struct learner *);
/* Fills 'suspicions' and, without a topology, makes services.  Then
 * 'service' of each host is set. */
void learner_find_roles(struct learner *);

bool is_private(const struct in6_addr *);
/* What an address outside is called before it is folded. */
char *learner_outside_name(const struct learner *,
                           const struct segment *, const struct in6_addr *);
/* The network that an address is in, or NULL. */
struct network *learner_find_network(const struct learner *,
                                     const struct segment *,
                                     const struct in6_addr *);
/* For each of the 'n' outside addresses, its network, which is added if need
 * be. */
void learner_fold(struct learner *, const struct segment *,
                  const struct in6_addr *, size_t n,
                  struct network **networks);

/* What is to be done with a port of a group of ports. */
enum port_verdict { PORT_LINK, PORT_RANGE, PORT_ASIDE };
struct port_use {
    uint16_t port;
    uint64_t n_connections;
    uint32_t *clients;          /* Sorted, each once. */
    size_t n_clients;
    bool suspicious;            /* Looks like part of a scan. */
    /* The result: */
    enum port_verdict verdict;
    uint16_t first, last;       /* PORT_RANGE: which. */
    const char *why;            /* PORT_ASIDE. */
};
/* Judges ports of one kind of server that one kind of client uses, in
 * ascending order. */
void judge_ports(struct port_use *, size_t n);

/* Sets an entry aside; 'why' is taken. */
void learner_set_aside(struct learner *, size_t entry, char *why);
void learner_set_tuple_aside(struct learner *, size_t tuple, const char *why);
/* Joins and sorts what was set aside. */
void learner_join_asides(struct learner *);

/* Fills 'services' of what was learned. */
void learner_judge_services(struct learner *);

/* The clients (or servers) of entries, sorted, each once; the caller frees
 * them. */
uint32_t *learner_unique_ends(const struct learner *, const size_t *entries,
                              size_t n, bool clients, size_t *n_unique);
struct evidence gather_evidence(const struct learner *,
                                const struct endpoint *from,
                                const struct endpoint *to,
                                const size_t *entries, size_t n);
bool evidence_is_rare(const struct evidence *);
char *evidence_to_string(const struct learned_link *);
char *time_to_string(int64_t seconds);

#endif /* learn-private.h */
