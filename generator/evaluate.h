/* What the manifests mean for one connection, without a bridge.
 *
 * Works on the model, not on flows: "sdfw trace", "sdfw test" and "sdfw diff"
 * tell by it what a policy allows, and why not. */

#ifndef SDFW_EVALUATE_H
#define SDFW_EVALUATE_H 1

#include <stdbool.h>
#include <time.h>

#include <openvswitch/compiler.h>

#include "model.h"

/* One end of a connection.  A workload has its services; a service stands for
 * any of its workloads; an address that is no workload's may be in networks;
 * a network stands for an address that is in it only. */
struct party {
    const struct workload *workload;
    const struct service *service;
    const struct network *network;
    struct in6_addr address;
    bool has_address;
    const struct segment *segment;
};

/* Finds who 'text' is: "APP/SERVICE/WORKLOAD", "APP/SERVICE", a network's
 * name, or an address in 'segment' (NULL: in the default segment, or, if it
 * is a workload's in exactly one segment, there).  Returns an error, with the
 * nearest name, that the caller must free. */
char *party_parse(const struct topology *, const char *text,
                  const struct segment *segment, struct party *)
    OVS_WARN_UNUSED_RESULT;

/* Parses "tcp", "udp", "sctp", "icmp", "icmp6", or a protocol number, and a
 * port or ICMP type[/code] that may be NULL where the protocol has none. */
char *opening_parse(const char *protocol, const char *port, struct opening *)
    OVS_WARN_UNUSED_RESULT;

enum verdict_kind {
    VERDICT_ALLOW,              /* A link allows it. */
    VERDICT_PASS,               /* No link, but no end enforces. */
    VERDICT_DENY,
};

struct verdict {
    enum verdict_kind kind;
    const struct link *link;    /* VERDICT_ALLOW: which. */
    const struct opening *opening;
    const struct link *nearest; /* Otherwise: the nearest link, or NULL. */
    const char *why;            /* Otherwise: in what the nearest differs. */
};

struct verdict evaluate(const struct topology *, const struct party *from,
                        const struct party *to, const struct opening *,
                        time_t now);

/* True if all that 'inner' matches, 'outer' matches too. */
bool opening_covers(const struct opening *outer, const struct opening *inner);

#endif /* evaluate.h */
