/* Changes flows in one atomic bundle: see bridge.h. */

#include "bridge-private.h"

#include <errno.h>
#include <stdlib.h>

#include <openflow/openflow.h>
#include <openvswitch/dynamic-string.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "bundle.h"
#include "util.h"
#include "vconn-provider.h"

/* Many messages go out in one write: for small ones the system call is most
 * of the cost. */
#define BATCH_BYTES (64 * 1024)

/* "br0: refused the flow ... : why". */
static char *
refusal(struct bridge *bridge, const struct flow_set *changes,
        const struct ofp_header *oh)
{
    uint32_t i = ntohl(oh->xid) - BUNDLE_FIRST_XID;
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%s: refused, and is as it was: %s", bridge->target,
                  ofperr_to_string(ofperr_decode_msg(oh, NULL)));
    if (i < changes->n) {
        ds_put_cstr(&s, "\n  flow: ");
        flow_record_format(&s, changes, &changes->flows[i], false);
        ds_put_cstr(&s, "\n  from: ");
        origin_format(&s, &changes->flows[i].origin);
    }
    return ds_steal_cstr(&s);
}

/* Takes up what the bridge has answered so far, so that neither side's buffer
 * fills.  Returns an error message if it refused something; sets '*last_xid'
 * to that of the last answer. */
static char *
take_answers(struct bridge *bridge, const struct flow_set *changes,
             uint32_t *last_xid)
{
    struct ofpbuf *msg;
    int io_error;
    while (!(io_error = vconn_recv(bridge->vconn, &msg))) {
        const struct ofp_header *oh = msg->data;
        char *error = bridge_is_error(oh) ? refusal(bridge, changes, oh)
                                          : NULL;
        *last_xid = ntohl(oh->xid);
        ofpbuf_delete(msg);
        if (error) {
            return error;
        }
    }
    return io_error == EAGAIN ? NULL
           : bridge_error(bridge, "sending flows", io_error);
}

/* Sends the messages in 'batch' and takes ownership of it.  vconn_send() would
 * make one message of them (it sets the length of the first), so this goes to
 * the layer below. */
static char *
send_batch(struct bridge *bridge, struct ofpbuf *batch)
{
    struct vconn *vconn = bridge->vconn;
    int error;
    while ((error = vconn->vclass->send(vconn, batch)) == EAGAIN) {
        error = bridge_block(bridge, vconn, WAIT_SEND);
        if (error) {
            break;
        }
    }
    if (error) {
        ofpbuf_delete(batch);
        return bridge_error(bridge, "sending flows", error);
    }
    return NULL;
}

/* Waits until what has transaction id 'xid' is answered. */
static char *
wait_for(struct bridge *bridge, const struct flow_set *changes, uint32_t xid,
         uint32_t *last_xid)
{
    while (*last_xid != xid) {
        int io_error = bridge_block(bridge, bridge->vconn, WAIT_RECV);
        if (io_error) {
            return bridge_error(bridge, "waiting for its answer", io_error);
        }
        char *error = take_answers(bridge, changes, last_xid);
        if (error) {
            return error;
        }
    }
    return NULL;
}

static void
put_barrier(struct ofpbuf *batch, int version)
{
    struct ofpbuf *barrier = ofputil_encode_barrier_request(version);
    ((struct ofp_header *) barrier->data)->xid = htonl(BUNDLE_BARRIER_XID);
    ofpbuf_put(batch, barrier->data, barrier->size);
    ofpbuf_delete(barrier);
}

/* Open vSwitch forgets a flow of a bundle that it cannot decode, and would
 * commit the others.  So everything up to a barrier must have been taken
 * before the commit is sent; a bundle that is not committed ends with the
 * connection. */
char *
bridge_apply(struct bridge *bridge, const struct flow_set *changes)
{
    int version = vconn_get_version(bridge->vconn);
    uint32_t last_xid = 0;
    char *error = NULL;

    for (size_t i = 0; i < changes->n && !error; ) {
        struct ofpbuf *batch = ofpbuf_new(BATCH_BYTES + 4096);
        if (!i) {
            bundle_put_control(batch, version, OFPBCT_OPEN_REQUEST,
                               BUNDLE_OPEN_XID);
        }
        while (i < changes->n && batch->size < BATCH_BYTES) {
            bundle_put_change(batch, version, changes, i++);
        }
        if (i == changes->n) {
            put_barrier(batch, version);
        }
        error = send_batch(bridge, batch);
        if (!error) {
            error = take_answers(bridge, changes, &last_xid);
        }
    }
    if (!error) {
        error = wait_for(bridge, changes, BUNDLE_BARRIER_XID, &last_xid);
    }
    if (!error) {
        struct ofpbuf *commit = ofpbuf_new(64);
        bundle_put_control(commit, version, OFPBCT_COMMIT_REQUEST,
                           BUNDLE_COMMIT_XID);
        error = send_batch(bridge, commit);
    }
    if (!error) {
        bridge->unsure = true;
        error = wait_for(bridge, changes, BUNDLE_COMMIT_XID, &last_xid);
        bridge->unsure = error && last_xid != BUNDLE_COMMIT_XID;
    }
    return error;
}

bool
bridge_is_unsure(const struct bridge *bridge)
{
    return bridge->unsure;
}
