/* Asks a real bridge what it would do with a packet (ofproto/trace,
 * ovs-vswitchd(8)). */

#ifndef SDFW_PROBE_H
#define SDFW_PROBE_H 1

#include <stdbool.h>

#include <openvswitch/compiler.h>

#include "command.h"
#include "evaluate.h"

struct probe {
    bool delivered;
    char *how;                  /* The datapath actions; caller frees. */
};

/* Traces the first packet of the connection on options->bridges[0], which
 * must be a bridge of this host. */
char *probe_bridge(struct topology *, const struct options *,
                   const struct party *from, const struct party *to,
                   const struct opening *, struct probe *)
    OVS_WARN_UNUSED_RESULT;

#endif /* probe.h */
