/* A bridge's OpenFlow connection: see bridge.h.
 *
 * OpenFlow 1.4 or 1.3, which libopenvswitch negotiates. */

#include "bridge-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-switch.h>
#include <openvswitch/poll-loop.h>

#include "dirs.h"
#include "timeval.h"
#include "tls.h"
#include "util.h"

#define FLOW_VERSIONS (1u << OFP13_VERSION | 1u << OFP14_VERSION)

/* Waiting. */

int
bridge_block(struct bridge *bridge, struct vconn *vconn,
             enum vconn_wait_type wait)
{
    if (time_msec() >= bridge->deadline_ms) {
        return ETIMEDOUT;
    }
    vconn_run(vconn);
    vconn_run_wait(vconn);
    vconn_wait(vconn, wait);
    poll_timer_wait_until(bridge->deadline_ms);
    poll_block();
    return 0;
}

static int
wait_connected(struct bridge *bridge, struct vconn *vconn)
{
    int error;
    while ((error = vconn_connect(vconn)) == EAGAIN) {
        error = bridge_block(bridge, vconn, WAIT_CONNECT);
        if (error) {
            return error;
        }
    }
    return error;
}

int
bridge_send(struct bridge *bridge, struct vconn *vconn, struct ofpbuf *msg)
{
    int error;
    while ((error = vconn_send(vconn, msg)) == EAGAIN) {
        error = bridge_block(bridge, vconn, WAIT_SEND);
        if (error) {
            break;
        }
    }
    if (error) {
        ofpbuf_delete(msg);
    }
    return error;
}

int
bridge_receive(struct bridge *bridge, struct vconn *vconn,
               struct ofpbuf **msgp)
{
    int error;
    while ((error = vconn_recv(vconn, msgp)) == EAGAIN) {
        error = bridge_block(bridge, vconn, WAIT_RECV);
        if (error) {
            return error;
        }
    }
    return error;
}

char *
bridge_error(const struct bridge *bridge, const char *doing, int error)
{
    return xasprintf("%s: %s: %s", bridge->target, doing,
                     error == EOF ? "connection closed"
                     : ovs_strerror(error));
}

bool
bridge_is_error(const struct ofp_header *oh)
{
    enum ofptype type;
    return !ofptype_decode(&type, oh) && type == OFPTYPE_ERROR;
}

char *
bridge_transact(struct bridge *bridge, struct vconn *vconn,
                struct ofpbuf *request, const char *doing,
                struct ofpbuf **replyp)
{
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;
    int error = bridge_send(bridge, vconn, request);
    while (!error) {
        struct ofpbuf *reply;
        error = bridge_receive(bridge, vconn, &reply);
        if (error) {
            break;
        }
        const struct ofp_header *oh = reply->data;
        enum ofptype type;
        if (oh->xid != xid || ofptype_decode(&type, oh)) {
            ofpbuf_delete(reply);
            continue;
        }
        if (type == OFPTYPE_ERROR) {
            char *message = xasprintf("%s: %s: %s", bridge->target, doing,
                                      ofperr_to_string(
                                          ofperr_decode_msg(oh, NULL)));
            ofpbuf_delete(reply);
            return message;
        }
        *replyp = reply;
        return NULL;
    }
    return bridge_error(bridge, doing, error);
}

/* Opening. */

static char *
target_to_vconn_name(const char *target)
{
    return strchr(target, ':') ? xstrdup(target)
           : xasprintf("unix:%s/%s.mgmt", ovs_rundir(), target);
}

char *
bridge_open_vconn(struct bridge *bridge, uint32_t versions,
                  struct vconn **vconnp)
{
    int error = vconn_open(bridge->vconn_name, versions, 0, vconnp);
    if (!error) {
        error = wait_connected(bridge, *vconnp);
        if (error) {
            vconn_close(*vconnp);
            *vconnp = NULL;
        }
    }
    if (error == ENOENT && !strchr(bridge->target, ':')) {
        return xasprintf("%s: no bridge of this name here (no %s); "
                         "\"ovs-vsctl list-br\" shows the bridges",
                         bridge->target, bridge->vconn_name + 5);
    } else if (tls_may_have_failed(bridge->target, error)) {
        return xasprintf("%s: TLS failed, or the bridge speaks no OpenFlow "
                         "version that is needed; are both certificates "
                         "valid, and each signed by the CA that the other "
                         "side trusts?", bridge->target);
    } else if (error == EPROTO) {
        return xasprintf("%s: the bridge speaks no OpenFlow version that is "
                         "needed; allow OpenFlow13 or OpenFlow14 in "
                         "Bridge:protocols", bridge->target);
    } else if (error) {
        return bridge_error(bridge, "connecting", error);
    }
    return NULL;
}

static char *
read_datapath_id(struct bridge *bridge)
{
    struct ofpbuf *reply;
    struct ofpbuf *request = ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST,
                                          vconn_get_version(bridge->vconn),
                                          0);
    char *error = bridge_transact(bridge, bridge->vconn, request,
                                  "asking for its features", &reply);
    if (error) {
        return error;
    }
    struct ofputil_switch_features features;
    enum ofperr ofperr = ofputil_pull_switch_features(reply, &features);
    ofpbuf_delete(reply);
    if (ofperr) {
        return xasprintf("%s: bad features reply: %s", bridge->target,
                         ofperr_to_string(ofperr));
    }
    bridge->datapath_id = features.datapath_id;
    return NULL;
}

struct bridge *
bridge_prepare(const char *target, long long int deadline_ms)
{
    struct bridge *bridge = xzalloc(sizeof *bridge);
    bridge->target = xstrdup(target);
    bridge->vconn_name = target_to_vconn_name(target);
    bridge->deadline_ms = deadline_ms;
    return bridge;
}

char *
bridge_open(const char *target, long long int deadline_ms,
            struct bridge **bridgep)
{
    *bridgep = NULL;
    struct bridge *bridge = bridge_prepare(target, deadline_ms);
    char *error = bridge_open_vconn(bridge, FLOW_VERSIONS, &bridge->vconn);
    if (!error) {
        error = read_datapath_id(bridge);
    }
    if (error) {
        bridge_close(bridge);
        return error;
    }
    *bridgep = bridge;
    return NULL;
}

void
bridge_close(struct bridge *bridge)
{
    if (bridge) {
        vconn_close(bridge->vconn);
        free(bridge->target);
        free(bridge->vconn_name);
        free(bridge);
    }
}

const char *
bridge_target(const struct bridge *bridge)
{
    return bridge->target;
}

uint64_t
bridge_datapath_id(const struct bridge *bridge)
{
    return bridge->datapath_id;
}
