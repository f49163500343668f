/* A bridge's OpenFlow session, kept up: what sdfwd hears of a bridge.
 *
 * Connects, agrees on OpenFlow 1.4 or 1.3, answers echo requests, asks for
 * packet-ins and flow-removed messages, and connects again when the bridge
 * goes away.  keeper.h decides what is sent. */

#ifndef SDFW_OPENFLOW_H
#define SDFW_OPENFLOW_H 1

#include <stddef.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "loop.h"

struct ofp_header;
struct ofpbuf;
struct ofputil_phy_port;
struct openflow;

struct openflow_callbacks {
    /* The bridge is there, for the first time or again. */
    void (*up)(uint64_t datapath_id, void *aux);
    /* It is not; 'why' is told once for each time it went away. */
    void (*down)(const char *why, void *aux);
    /* An asynchronous message, statistics or an error. */
    void (*message)(const struct ofp_header *, void *aux);
    /* The bridge has a new port. */
    void (*new_port)(const struct ofputil_phy_port *, void *aux);
};

/* 'target' is the name of a bridge of this host, unix:, tcp: or ssl:.  Returns
 * an error that the caller must free if it makes no sense. */
char *openflow_create(struct loop *, const char *target,
                      const struct openflow_callbacks *, void *aux,
                      struct openflow **) OVS_WARN_UNUSED_RESULT;
void openflow_destroy(struct openflow *);

/* If the bridge is not there: it may be now. */
void openflow_hurry(struct openflow *);

/* The version that the bridge speaks, or 0 while it is not there. */
int openflow_version(const struct openflow *);

/* Sends 'msg', which it frees; the bridge must be there. */
void openflow_send(struct openflow *, struct ofpbuf *msg);

/* Sends the 'n' bytes of a bundle (bundle.h), with its commit request at the
 * end, and calls 'done' with NULL if it was committed without a complaint;
 * with the first complaint; or if the bridge went away.  One at a time; the
 * bridge must be there. */
void openflow_send_bundle(struct openflow *, const void *data, size_t n,
                          void (*done)(const char *error, void *aux),
                          void *aux);

#endif /* openflow.h */
