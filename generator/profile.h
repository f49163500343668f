/* The profile: who was seen to open connections to whom, kept in a file.
 *
 * An observation says that at one place (the observer: a host or a bridge)
 * connections of one kind were seen.  The profile adds them up by observer,
 * client, server, protocol and server port (or ICMP type and code).
 *
 * Several observers may have seen the same connection: the bridges of both
 * its ends, or a router between them.  So the observer is part of the key,
 * and what is read back has the maximum over observers, not the sum.  Two
 * observers that saw different connections of one client and server are
 * counted too low that way, which makes evidence weaker and never invents
 * any.  For the same reason profiles of several hosts can be merged again
 * and again: of what one observer saw, the larger count stands.
 *
 * The file is a SQLite database.  Any number of processes may read and write
 * it at the same time; each change is a transaction. */

#ifndef SDFW_PROFILE_H
#define SDFW_PROFILE_H 1

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openvswitch/compiler.h>
#include <openvswitch/types.h>

struct observed_end {
    struct in6_addr address;    /* IPv4 as IPv4-mapped. */
    struct eth_addr mac;        /* All zeros: unknown. */
    const char *name;           /* Interface or workload, or NULL. */
};

struct observation {
    const char *observer;
    const char *segment;        /* "default", "vlan:10", "zone:9000", or the
                                 * name of a segment. */
    struct observed_end src, dst;
    uint8_t protocol;
    uint16_t src_port, dst_port; /* 'dst_port': or the ICMP type. */
    uint8_t icmp_code;
    bool opener_known;          /* It is 'src'.  Otherwise it may be either. */
    bool cumulative;            /* About one connection that may have been
                                 * told of before, with what it had so far. */
    uint64_t n_connections;
    uint64_t n_unanswered;      /* Those that are known to have none. */
    uint64_t n_packets, n_bytes;
    int64_t first, last;        /* Seconds since the epoch. */
};

/* What was read back. */

struct history_end {
    int64_t id;                 /* In the file. */
    char *segment;
    struct in6_addr address;
    struct eth_addr mac;
    char *name;                 /* May be NULL. */
};

struct history_entry {
    uint32_t client, server;    /* Indexes into 'ends'. */
    uint8_t protocol;
    uint16_t port;              /* Or ICMP type. */
    uint8_t icmp_code;
    uint64_t n_connections, n_unanswered, n_packets, n_bytes;
    int64_t first, last;
};

/* A connection of which is not known who opened it. */
struct history_tuple {
    int64_t observer;           /* In the file. */
    uint32_t a, b;              /* Indexes into 'ends'. */
    uint8_t protocol;
    uint16_t a_port, b_port;
    uint64_t n_packets, n_bytes;
    int64_t first, last;
};

struct history {
    struct history_end *ends;
    size_t n_ends;
    struct history_entry *entries;
    size_t n_entries;
    struct history_tuple *tuples; /* Undecided ones; the same one as several
                                   * observers saw it stands in a row. */
    size_t n_tuples;
};

void history_destroy(struct history *);

/* Functions that return 'char *' return NULL or an error, with the name of
 * the file in it, which the caller frees. */
struct profile;

/* Opens 'file', and makes it if 'create'.  A file that is no profile, is of
 * another version or is damaged is an error and stays as it is. */
char *profile_open(const char *file, bool create, struct profile **)
    OVS_WARN_UNUSED_RESULT;
void profile_close(struct profile *);

/* All that is written is written between these.  Waits for other writers, up
 * to a minute. */
char *profile_begin(struct profile *) OVS_WARN_UNUSED_RESULT;
char *profile_commit(struct profile *) OVS_WARN_UNUSED_RESULT;
void profile_rollback(struct profile *);

/* Remembers that the file with this digest was read at 'now'; '*again' tells
 * whether it was before. */
char *profile_add_import(struct profile *, const char *digest,
                         const char *name, int64_t now, bool *again)
    OVS_WARN_UNUSED_RESULT;

char *profile_add(struct profile *, const struct observation *)
    OVS_WARN_UNUSED_RESULT;

/* Adds what the profile 'other' holds; outside of a transaction. */
char *profile_merge(struct profile *, const char *other)
    OVS_WARN_UNUSED_RESULT;

/* Reads all that is known.  The caller destroys the history. */
char *profile_read(struct profile *, struct history *)
    OVS_WARN_UNUSED_RESULT;

/* True if there are connections of which is not known who opened them. */
bool profile_has_undecided(struct profile *);

/* Makes entries of undecided connections of 'history', which was read in the
 * same transaction, by what is told of each of its tuples.  Only those of
 * observers that were added to since the profile was opened: what came by a
 * merge would come again by the next. */
enum settlement { SETTLE_NOT, SETTLE_CLIENT_A, SETTLE_CLIENT_B };
char *profile_settle(struct profile *, const struct history *,
                     const enum settlement *)
    OVS_WARN_UNUSED_RESULT;

#endif /* profile.h */
