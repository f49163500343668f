/* A bridge's OpenFlow connection: see bridge.h.
 *
 * OpenFlow 1.4 or 1.3, whose flow statistics have the same form, which is
 * compared as it comes.  The flood setting of ports exists in OpenFlow 1.0
 * only, so it takes a short connection of its own. */

#include "bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-bundle.h>
#include <openvswitch/ofp-actions.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-port.h>
#include <openvswitch/ofp-switch.h>
#include <openvswitch/ofp-util.h>
#include <openvswitch/poll-loop.h>
#include <openvswitch/vconn.h>

#include "byte-order.h"
#include "diff.h"
#include "dirs.h"
#include "flow.h"
#include "timeval.h"
#include "util.h"

#define FLOW_VERSIONS (1u << OFP13_VERSION | 1u << OFP14_VERSION)

struct bridge {
    char *target;
    char *vconn_name;
    struct vconn *vconn;
    long long int deadline_ms;
    uint64_t datapath_id;
};

/* Waiting. */

static int
block(struct bridge *bridge, struct vconn *vconn, enum vconn_wait_type wait)
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
        error = block(bridge, vconn, WAIT_CONNECT);
        if (error) {
            return error;
        }
    }
    return error;
}

/* Takes ownership of 'msg'. */
static int
send_message(struct bridge *bridge, struct vconn *vconn, struct ofpbuf *msg)
{
    int error;
    while ((error = vconn_send(vconn, msg)) == EAGAIN) {
        error = block(bridge, vconn, WAIT_SEND);
        if (error) {
            break;
        }
    }
    if (error) {
        ofpbuf_delete(msg);
    }
    return error;
}

static int
receive(struct bridge *bridge, struct vconn *vconn, struct ofpbuf **msgp)
{
    int error;
    while ((error = vconn_recv(vconn, msgp)) == EAGAIN) {
        error = block(bridge, vconn, WAIT_RECV);
        if (error) {
            return error;
        }
    }
    return error;
}

static char *
connection_error(const struct bridge *bridge, const char *doing, int error)
{
    return xasprintf("%s: %s: %s", bridge->target, doing,
                     error == EOF ? "connection closed"
                     : ovs_strerror(error));
}

static bool
is_error(const struct ofp_header *oh)
{
    enum ofptype type;
    return !ofptype_decode(&type, oh) && type == OFPTYPE_ERROR;
}

/* Sends 'request' and waits for its reply.  An OpenFlow error message becomes
 * an error. */
static char *
transact(struct bridge *bridge, struct vconn *vconn, struct ofpbuf *request,
         const char *doing, struct ofpbuf **replyp)
{
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;
    int error = send_message(bridge, vconn, request);
    while (!error) {
        struct ofpbuf *reply;
        error = receive(bridge, vconn, &reply);
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
    return connection_error(bridge, doing, error);
}

/* Opening. */

static char *
target_to_vconn_name(const char *target)
{
    return strchr(target, ':') ? xstrdup(target)
           : xasprintf("unix:%s/%s.mgmt", ovs_rundir(), target);
}

static char *
open_vconn(struct bridge *bridge, uint32_t versions, struct vconn **vconnp)
{
    int error = vconn_open(bridge->vconn_name, versions, 0,
                           vconnp);
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
    } else if (error == EPROTO) {
        return xasprintf("%s: the bridge speaks no OpenFlow version that is "
                         "needed; allow OpenFlow13 or OpenFlow14 in "
                         "Bridge:protocols", bridge->target);
    } else if (error) {
        return connection_error(bridge, "connecting", error);
    }
    return NULL;
}

static char *
read_datapath_id(struct bridge *bridge)
{
    struct ofpbuf *reply;
    char *error = transact(bridge, bridge->vconn,
                           ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST,
                                        vconn_get_version(bridge->vconn), 0),
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

char *
bridge_open(const char *target, long long int deadline_ms,
            struct bridge **bridgep)
{
    *bridgep = NULL;
    struct bridge *bridge = xzalloc(sizeof *bridge);
    bridge->target = xstrdup(target);
    bridge->vconn_name = target_to_vconn_name(target);
    bridge->deadline_ms = deadline_ms;

    char *error = open_vconn(bridge, FLOW_VERSIONS, &bridge->vconn);
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

/* Reading back. */

/* Adds the flows in the body of a multipart reply: a sequence of 'struct
 * ofp11_flow_stats', each followed by match and instructions (OpenFlow 1.3,
 * A.3.5.2). */
static bool
parse_flow_stats(struct ofpbuf *body, struct flow_set *set)
{
    while (body->size) {
        const struct ofp11_flow_stats *stats = body->data;
        if (body->size < sizeof *stats) {
            return false;
        }
        size_t length = ntohs(stats->length);
        const struct ofp11_match_header *omh
            = (const struct ofp11_match_header *) (stats + 1);
        if (length < sizeof *stats + sizeof *omh || length > body->size) {
            return false;
        }
        size_t match_len = ROUND_UP(ntohs(omh->length), 8);
        size_t rest = length - sizeof *stats;
        if (match_len > rest) {
            return false;
        }
        struct flow_record *flow = flow_set_add_encoded(
            set, stats->table_id, ntohs(stats->priority),
            ntohll(stats->cookie), omh, match_len,
            (const char *) omh + match_len, rest - match_len);
        flow->n_packets = ntohll(stats->packet_count);
        flow->n_bytes = ntohll(stats->byte_count);
        flow->duration_s = ntohl(stats->duration_sec);
        flow->hard_timeout = ntohs(stats->hard_timeout);
        ofpbuf_pull(body, length);
    }
    return true;
}

static struct ofputil_flow_stats_request
our_flows_request(void)
{
    struct ofputil_flow_stats_request request = {
        .cookie = htonll(COOKIE_PREFIX),
        .cookie_mask = htonll(COOKIE_PREFIX_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    match_init_catchall(&request.match);
    return request;
}

char *
bridge_dump_flows(struct bridge *bridge, struct flow_set *installed)
{
    struct ofputil_flow_stats_request request = our_flows_request();
    struct ofpbuf *msg = ofputil_encode_flow_stats_request(
        &request, ofputil_protocol_from_ofp_version(
                      vconn_get_version(bridge->vconn)));
    ovs_be32 xid = ((struct ofp_header *) msg->data)->xid;
    const char *doing = "reading its flows";
    int error = send_message(bridge, bridge->vconn, msg);

    for (bool more = !error; more; ) {
        error = receive(bridge, bridge->vconn, &msg);
        if (error) {
            break;
        }
        struct ofp_header *oh = msg->data;
        if (oh->xid != xid) {
            ofpbuf_delete(msg);
            continue;
        }
        enum ofpraw raw;
        enum ofperr ofperr;
        more = !is_error(oh) && ofpmp_more(oh);
        ofperr = is_error(oh) ? ofperr_decode_msg(oh, NULL)
                                        : ofpraw_pull(&raw, msg);
        if (!ofperr && (raw != OFPRAW_OFPST13_FLOW_REPLY
                        || !parse_flow_stats(msg, installed))) {
            ofperr = OFPERR_OFPBRC_BAD_LEN;
        }
        ofpbuf_delete(msg);
        if (ofperr) {
            return xasprintf("%s: %s: %s", bridge->target, doing,
                             ofperr_to_string(ofperr));
        }
    }
    return error ? connection_error(bridge, doing, error) : NULL;
}

static void
add_decoded(struct flow_set *set, const struct ofputil_flow_stats *fs)
{
    struct ofpbuf ofpacts;
    ofpbuf_use_const(&ofpacts, fs->ofpacts, fs->ofpacts_len);
    struct flow_record *flow = flow_set_add(set, fs->table_id, fs->priority,
                                            ntohll(fs->cookie), &fs->match,
                                            &ofpacts);
    flow->idle_s = fs->idle_age >= 0 ? fs->idle_age : UINT32_MAX;
}

/* OpenFlow 1.5 reports idle times, with actions in another encoding, so only
 * the idle times are taken from it. */
char *
bridge_read_idle(struct bridge *bridge, struct flow_set *installed)
{
    struct vconn *vconn;
    char *error = open_vconn(bridge, 1u << OFP15_VERSION, &vconn);
    if (error) {
        free(error);
        return NULL;
    }
    struct ofputil_flow_stats_request request = our_flows_request();
    struct ofputil_flow_stats *stats;
    size_t n;
    int io_error = vconn_dump_flows(vconn, &request, OFPUTIL_P_OF15_OXM,
                                    &stats, &n);
    vconn_close(vconn);
    if (io_error) {
        return connection_error(bridge, "reading its flows", io_error);
    }

    struct flow_set decoded;
    flow_set_init(&decoded, installed->table_base);
    for (size_t i = 0; i < n; i++) {
        add_decoded(&decoded, &stats[i]);
        free(CONST_CAST(struct ofpact *, stats[i].ofpacts));
    }
    free(stats);
    size_t *matches = diff_match(&decoded, installed);
    for (size_t i = 0; i < installed->n; i++) {
        if (matches[i] != SIZE_MAX) {
            installed->flows[i].idle_s = decoded.flows[matches[i]].idle_s;
        }
    }
    free(matches);
    flow_set_destroy(&decoded);
    return NULL;
}

/* Changing. */

static char *
bundle_control(struct bridge *bridge, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = 1, .type = type,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
    };
    struct ofpbuf *reply;
    char *error = transact(bridge, bridge->vconn,
                           ofputil_encode_bundle_ctrl_request(
                               vconn_get_version(bridge->vconn), &control),
                           type == OFPBCT_OPEN_REQUEST ? "opening a bundle"
                           : "committing the bundle", &reply);
    if (!error) {
        ofpbuf_delete(reply);
    }
    return error;
}

static struct ofpbuf *
encode_add(struct bridge *bridge, const struct flow_set *changes, size_t i,
           uint32_t first_xid)
{
    int version = vconn_get_version(bridge->vconn);
    struct ofpbuf *mod = flow_record_encode_mod(changes, &changes->flows[i],
                                                version);
    ((struct ofp_header *) mod->data)->xid = htonl(first_xid + i);
    struct ofputil_bundle_add_msg add = {
        .bundle_id = 1, .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
        .msg = mod->data,
    };
    struct ofpbuf *msg = ofputil_encode_bundle_add(version, &add);
    ((struct ofp_header *) msg->data)->xid = htonl(first_xid + i);
    ofpbuf_delete(mod);
    return msg;
}

/* "br0: refused the flow ... : why". */
static char *
refusal(struct bridge *bridge, const struct flow_set *changes,
        uint32_t first_xid, const struct ofp_header *oh)
{
    uint32_t i = ntohl(oh->xid) - first_xid;
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
 * fills.  Returns an error message if it refused something. */
static char *
check_answers(struct bridge *bridge, const struct flow_set *changes,
              uint32_t first_xid, int *errorp)
{
    struct ofpbuf *msg;
    while (!(*errorp = vconn_recv(bridge->vconn, &msg))) {
        const struct ofp_header *oh = msg->data;
        char *error = is_error(oh)
                      ? refusal(bridge, changes, first_xid, oh) : NULL;
        ofpbuf_delete(msg);
        if (error) {
            return error;
        }
    }
    if (*errorp == EAGAIN) {
        *errorp = 0;
    }
    return NULL;
}

static char *
commit(struct bridge *bridge, const struct flow_set *changes,
       uint32_t first_xid)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = 1, .type = OFPBCT_COMMIT_REQUEST,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
    };
    struct ofpbuf *msg = ofputil_encode_bundle_ctrl_request(
        vconn_get_version(bridge->vconn), &control);
    ovs_be32 xid = ((struct ofp_header *) msg->data)->xid;
    int error = send_message(bridge, bridge->vconn, msg);
    while (!error) {
        error = receive(bridge, bridge->vconn, &msg);
        if (error) {
            break;
        }
        const struct ofp_header *oh = msg->data;
        bool done = oh->xid == xid;
        char *message = is_error(oh)
                        ? refusal(bridge, changes, first_xid, oh) : NULL;
        ofpbuf_delete(msg);
        if (done || message) {
            return message;
        }
    }
    return connection_error(bridge, "committing the bundle", error);
}

char *
bridge_apply(struct bridge *bridge, const struct flow_set *changes)
{
    char *error = bundle_control(bridge, OFPBCT_OPEN_REQUEST);
    if (error) {
        return error;
    }

    /* Far from the transaction ids that libopenvswitch allocates. */
    uint32_t first_xid = UINT32_C(0x80000000);
    for (size_t i = 0; i < changes->n; i++) {
        int io_error = send_message(bridge, bridge->vconn,
                                    encode_add(bridge, changes, i,
                                               first_xid));
        if (!io_error && !(i % 64)) {
            error = check_answers(bridge, changes, first_xid, &io_error);
            if (error) {
                return error;
            }
        }
        if (io_error) {
            return connection_error(bridge, "sending flows", io_error);
        }
    }
    return commit(bridge, changes, first_xid);
}

/* Flood setting of ports. */

static char *
set_flood(struct bridge *bridge, struct vconn *vconn,
          const struct ofputil_phy_port *port, bool no_flood)
{
    struct ofputil_port_mod pm = {
        .port_no = port->port_no,
        .hw_addr = port->hw_addr,
        .config = no_flood ? OFPUTIL_PC_NO_FLOOD : 0,
        .mask = OFPUTIL_PC_NO_FLOOD,
    };
    int error = send_message(bridge, vconn,
                             ofputil_encode_port_mod(
                                 &pm, OFPUTIL_P_OF10_STD));
    return error ? connection_error(bridge, "setting ports", error) : NULL;
}

static char *
barrier(struct bridge *bridge, struct vconn *vconn)
{
    struct ofpbuf *reply;
    char *error = transact(bridge, vconn,
                           ofputil_encode_barrier_request(OFP10_VERSION),
                           "setting ports", &reply);
    if (!error) {
        ofpbuf_delete(reply);
    }
    return error;
}

static char *
set_flood_of_ports(struct bridge *bridge, struct vconn *vconn,
                   const uint8_t *wanted, size_t *n_changed)
{
    struct ofpbuf *msg = ofputil_encode_port_desc_stats_request(
        OFP10_VERSION, OFPP_ANY);
    for (bool more = true; more; ) {
        struct ofpbuf *reply;
        char *error;
        if (msg) {
            error = transact(bridge, vconn, msg, "reading ports", &reply);
            msg = NULL;
        } else {
            int io_error = receive(bridge, vconn, &reply);
            error = io_error ? connection_error(bridge, "reading ports",
                                                io_error) : NULL;
        }
        if (error) {
            return error;
        }
        more = ofpmp_more(reply->data);
        ofpraw_pull_assert(reply);
        struct ofputil_phy_port port;
        while (!ofputil_pull_phy_port(OFP10_VERSION, reply, &port)) {
            uint16_t number = ofp_to_u16(port.port_no);
            bool now = port.config & OFPUTIL_PC_NO_FLOOD;
            if (number && number < PORT_MAX && wanted[number] != FLOOD_KEEP
                && now != wanted[number]) {
                error = set_flood(bridge, vconn, &port, wanted[number]);
                if (error) {
                    ofpbuf_delete(reply);
                    return error;
                }
                ++*n_changed;
            }
        }
        ofpbuf_delete(reply);
    }
    return barrier(bridge, vconn);
}

char *
bridge_set_no_flood(struct bridge *bridge, const uint8_t wanted[PORT_MAX],
                    size_t *n_changed)
{
    struct vconn *vconn;
    *n_changed = 0;
    char *error = open_vconn(bridge, 1u << OFP10_VERSION, &vconn);
    if (!error) {
        error = set_flood_of_ports(bridge, vconn, wanted, n_changed);
        vconn_close(vconn);
    }
    return error;
}
