/* A bridge's OpenFlow session, kept up: what sdfwd hears of a bridge.
 *
 * Connects, agrees on OpenFlow 1.4 or 1.3, answers echo requests, asks for
 * packet-ins and flow-removed messages, and connects again when the bridge
 * goes away.  Flows are changed elsewhere (keeper.h). */

#ifndef SDFW_OPENFLOW_H
#define SDFW_OPENFLOW_H 1

#include <stdint.h>

#include <openvswitch/compiler.h>

#include "loop.h"

struct ofp_header;
struct openflow;

struct openflow_callbacks {
    /* The bridge is there, for the first time or again. */
    void (*up)(uint64_t datapath_id, void *aux);
    /* It is not; 'why' is told once for each time it went away. */
    void (*down)(const char *why, void *aux);
    /* An asynchronous message. */
    void (*message)(const struct ofp_header *, void *aux);
};

/* 'target' is the name of a bridge of this host, unix:, tcp: or ssl:.  Returns
 * an error that the caller must free if it makes no sense. */
char *openflow_create(struct loop *, const char *target,
                      const struct openflow_callbacks *, void *aux,
                      struct openflow **) OVS_WARN_UNUSED_RESULT;
void openflow_destroy(struct openflow *);

#endif /* openflow.h */
