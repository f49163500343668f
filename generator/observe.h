/* History to observations: what was captured, tracked or logged.
 *
 * A file is a capture (pcap, pcapng), a listing of conntrack (conntrack -L,
 * ovs-appctl dpctl/dump-conntrack) or lines of JSON (sdfwd's records, or the
 * simple form of docs/learn.md); which of these is told by its content.
 *
 * Nothing is lost silently: what is not understood is counted and the first
 * of it named, what is no connection is counted. */

#ifndef SDFW_OBSERVE_H
#define SDFW_OBSERVE_H 1

#include "profile.h"
#include "sset.h"

struct observations {
    struct observation *all;
    size_t n, allocated;
    struct sset strings;        /* What they point to. */
};

void observations_init(struct observations *);
void observations_destroy(struct observations *);

/* Adds a copy of it and of its texts. */
void observations_add(struct observations *, const struct observation *);

#define MAX_BAD_NAMED 3

struct observe_result {
    const char *format;         /* "pcap", "conntrack" or "JSON". */
    char *digest;               /* SHA-256 of the file, in hexadecimal; of a
                                 * listing, which has no times in it, with its
                                 * time. */
    uint64_t n_read;            /* Lines or packets that are connections. */
    uint64_t n_other;           /* ... that are well, but no connections: ARP,
                                 * ICMP errors, loopback, spoofed. */
    uint64_t n_bad;             /* ... that are not understood. */
    char *bad[MAX_BAD_NAMED];   /* The first of them: "FILE:LINE: TEXT". */
};

void observe_result_destroy(struct observe_result *);

/* What holds where a file does not tell. */
struct observe_defaults {
    const char *observer;       /* Who has seen it. */
    const char *segment;
    int64_t time;               /* When, if the file has no time of
                                 * modification either. */
};

/* Reads 'path' ("-": standard input).  Returns NULL or an error, also if
 * nothing at all is understood.  In any case the caller destroys the
 * result. */
char *observe_file(const char *path, const struct observe_defaults *,
                   struct observations *, struct observe_result *)
    OVS_WARN_UNUSED_RESULT;

#endif /* observe.h */
