/* What the files of bridge.h share: one connection, and waiting for it.
 *
 * bridge.c opens and waits, bridge-dump.c reads back, bridge-apply.c changes
 * flows, bridge-flood.c sets ports. */

#ifndef SDFW_BRIDGE_PRIVATE_H
#define SDFW_BRIDGE_PRIVATE_H 1

#include <openvswitch/ofpbuf.h>
#include <openvswitch/vconn.h>

#include "bridge.h"

struct ofp_header;

struct bridge {
    char *target;
    char *vconn_name;
    struct vconn *vconn;
    long long int deadline_ms;
    uint64_t datapath_id;
    bool unsure;                /* See bridge_is_unsure(). */
};

/* Connects once more, in one of 'versions' (a bit map).  The caller closes
 * '*vconnp'. */
char *bridge_open_vconn(struct bridge *, uint32_t versions,
                        struct vconn **vconnp) OVS_WARN_UNUSED_RESULT;

/* Waits until 'vconn' is ready for 'wait', or the deadline.  Returns 0 or a
 * positive errno value, as do the two below. */
int bridge_block(struct bridge *, struct vconn *vconn, enum vconn_wait_type);

/* Takes ownership of 'msg'. */
int bridge_send(struct bridge *, struct vconn *vconn, struct ofpbuf *msg);

/* The caller frees '*msgp'. */
int bridge_receive(struct bridge *, struct vconn *vconn,
                   struct ofpbuf **msgp);

/* Sends 'request' and waits for its reply, which the caller frees.  An
 * OpenFlow error message becomes an error. */
char *bridge_transact(struct bridge *, struct vconn *vconn,
                      struct ofpbuf *request, const char *doing,
                      struct ofpbuf **replyp) OVS_WARN_UNUSED_RESULT;

/* "br0: DOING: ERROR" for an errno value or EOF. */
char *bridge_error(const struct bridge *, const char *doing, int error);

bool bridge_is_error(const struct ofp_header *);

/* Calls 'cb' for each meter.  Sets '*refusal', which the caller frees, if the
 * bridge has no meters at all; otherwise to NULL. */
struct ofputil_meter_config;
char *bridge_for_each_meter(struct bridge *,
                            void (*cb)(const struct ofputil_meter_config *,
                                       void *aux), void *aux, char **refusal)
    OVS_WARN_UNUSED_RESULT;

#endif /* bridge-private.h */
