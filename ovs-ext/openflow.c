/* A bridge's OpenFlow session, kept up: see openflow.h.
 *
 * Bytes come from loop.h; what is in them is libopenvswitch's business. */

#include "openflow.h"

#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-connection.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-packet.h>
#include <openvswitch/ofp-port.h>
#include <openvswitch/ofp-switch.h>
#include <openvswitch/ofp-util.h>
#include <openvswitch/ofpbuf.h>

#include "bundle.h"
#include "dirs.h"
#include "util.h"

#define VERSIONS (1u << OFP13_VERSION | 1u << OFP14_VERSION)

/* How long to wait before connecting again: at first and at most. */
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000

/* A bridge that says nothing for so long is asked, and given up after as long
 * again. */
#define PROBE_MS 10000

struct openflow {
    struct loop *loop;
    char *vconn_name;
    struct openflow_callbacks callbacks;
    void *aux;
    struct connection *connection;
    struct timer *retry, *probe;
    long long int backoff_ms;
    enum ofp_version version;   /* 0: not agreed yet. */
    bool up, told_down, probed;

    /* Of the bundle that is under way: NULL if none is. */
    void (*bundle_done)(const char *error, void *aux);
    void *bundle_aux;
    char *bundle_error;         /* The first, or NULL. */
};

void
openflow_send(struct openflow *of, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    connection_send(of->connection, msg->data, msg->size);
    ofpbuf_delete(msg);
}

static void
end_bundle(struct openflow *of, const char *error)
{
    void (*done)(const char *, void *) = of->bundle_done;
    if (done) {
        char *first = of->bundle_error;
        of->bundle_done = NULL;
        of->bundle_error = NULL;
        done(first ? first : error, of->bundle_aux);
        free(first);
    }
}

static void
go_down(struct openflow *of, const char *why)
{
    connection_close(of->connection);
    of->connection = NULL;
    of->version = 0;
    timer_cancel(of->probe);
    timer_set(of->retry, of->backoff_ms);
    of->backoff_ms = MIN(of->backoff_ms * 2, BACKOFF_MAX_MS);
    if (of->up || !of->told_down) {
        of->up = false;
        of->told_down = true;
        of->callbacks.down(why, of->aux);
    }
    end_bundle(of, why);
}

/* Asks for what sdfwd wants to hear: packet-ins with registers, and
 * flow-removed messages, which a management socket sends only if asked. */
static void
subscribe(struct openflow *of)
{
    openflow_send(of, ofputil_encode_set_packet_in_format(
                      of->version, OFPUTIL_PACKET_IN_NXT2));
    struct ofputil_async_cfg config = ofputil_async_cfg_default(of->version);
    openflow_send(of, ofputil_encode_set_async_config(
                      &config, (1u << OAM_N_TYPES) - 1, of->version));
    openflow_send(of, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST, of->version,
                                   0));
}

static void
handle_hello(struct openflow *of, const struct ofp_header *oh)
{
    uint32_t theirs = 0;
    ofputil_decode_hello(oh, &theirs);
    if (!(theirs & VERSIONS)) {
        go_down(of, "it speaks neither OpenFlow 1.3 nor 1.4; allow one of "
                "them in Bridge:protocols");
        return;
    }
    of->version = theirs & 1u << OFP14_VERSION ? OFP14_VERSION
                  : OFP13_VERSION;
    subscribe(of);
}

static void
handle_features(struct openflow *of, const struct ofp_header *oh)
{
    struct ofputil_switch_features features;
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    if (!ofputil_pull_switch_features(&b, &features) && !of->up) {
        of->up = true;
        of->told_down = false;
        of->backoff_ms = BACKOFF_MIN_MS;
        of->callbacks.up(features.datapath_id, of->aux);
    }
}

/* An answer to what a bundle is made of: those have ids of their own. */
static void
handle_bundle_answer(struct openflow *of, const struct ofp_header *oh,
                     bool is_error)
{
    uint32_t xid = ntohl(oh->xid);
    if (!of->bundle_done || xid < BUNDLE_OPEN_XID) {
        return;
    }
    if (is_error && !of->bundle_error) {
        of->bundle_error = xstrdup(ofperr_to_string(
                                       ofperr_decode_msg(oh, NULL)));
    }
    if (xid == BUNDLE_COMMIT_XID) {
        end_bundle(of, NULL);
    }
}

static void
handle_port_status(struct openflow *of, const struct ofp_header *oh)
{
    struct ofputil_port_status ps;
    if (!ofputil_decode_port_status(oh, &ps) && ps.reason == OFPPR_ADD) {
        of->callbacks.new_port(&ps.desc, of->aux);
    }
}

/* Handles one message; it may end the connection. */
static void
handle_message(struct openflow *of, const struct ofp_header *oh)
{
    enum ofptype type;
    if (ofptype_decode(&type, oh)) {
        return;
    }
    switch ((int) type) {
    case OFPTYPE_HELLO:
        handle_hello(of, oh);
        break;
    case OFPTYPE_ECHO_REQUEST:
        openflow_send(of, ofputil_encode_echo_reply(oh));
        break;
    case OFPTYPE_FEATURES_REPLY:
        handle_features(of, oh);
        break;
    case OFPTYPE_BUNDLE_CONTROL:
        handle_bundle_answer(of, oh, false);
        break;
    case OFPTYPE_ERROR:
        handle_bundle_answer(of, oh, true);
        of->callbacks.message(oh, of->aux);
        break;
    case OFPTYPE_PORT_STATUS:
        handle_port_status(of, oh);
        of->callbacks.message(oh, of->aux);
        break;
    case OFPTYPE_PACKET_IN:
    case OFPTYPE_FLOW_REMOVED:
    case OFPTYPE_PORT_DESC_STATS_REPLY:
    case OFPTYPE_FLOW_STATS_REPLY:
    case OFPTYPE_AGGREGATE_STATS_REPLY:
    case OFPTYPE_METER_STATS_REPLY:
    case OFPTYPE_FLOW_MONITOR_STATS_REPLY:
    case OFPTYPE_FLOW_MONITOR_RESUMED:
        of->callbacks.message(oh, of->aux);
        break;
    }
}

static size_t
received(const void *data, size_t n, void *of_)
{
    struct openflow *of = of_;
    const struct connection *connection = of->connection;
    size_t taken = 0;
    of->probed = false;
    timer_set(of->probe, PROBE_MS);
    while (of->connection == connection
           && n - taken >= sizeof(struct ofp_header)) {
        /* Messages need not begin at a multiple of 8. */
        struct ofp_header header;
        memcpy(&header, (const char *) data + taken, sizeof header);
        size_t length = ntohs(header.length);
        if (length < sizeof header) {
            go_down(of, "it sent no OpenFlow");
            return n;
        } else if (n - taken < length) {
            break;
        }
        struct ofp_header *oh = xmemdup((const char *) data + taken, length);
        handle_message(of, oh);
        free(oh);
        taken += length;
    }
    return taken;
}

static void
connected(void *of_)
{
    struct openflow *of = of_;
    openflow_send(of, ofputil_encode_hello(VERSIONS));
    timer_set(of->probe, PROBE_MS);
}

static void
lost(const char *error, void *of_)
{
    go_down(of_, error);
}

static void
probe(void *of_)
{
    struct openflow *of = of_;
    if (of->probed || !of->version) {
        go_down(of, "it does not answer");
        return;
    }
    of->probed = true;
    openflow_send(of, ofputil_encode_echo_request(of->version));
    timer_set(of->probe, PROBE_MS);
}

static void
try_to_connect(void *of_)
{
    static const struct connection_callbacks callbacks = {
        .connected = connected, .received = received, .lost = lost,
    };
    struct openflow *of = of_;
    char *error = connection_open(of->loop, of->vconn_name, &callbacks, of,
                                  &of->connection);
    if (error) {
        go_down(of, error);
        free(error);
    }
}

char *
openflow_create(struct loop *loop, const char *target,
                const struct openflow_callbacks *callbacks, void *aux,
                struct openflow **ofp)
{
    *ofp = NULL;
    char *error = strchr(target, ':') ? connection_check(loop, target) : NULL;
    if (error) {
        return error;
    }
    struct openflow *of = xzalloc(sizeof *of);
    of->loop = loop;
    of->vconn_name = strchr(target, ':') ? xstrdup(target)
                     : xasprintf("unix:%s/%s.mgmt", ovs_rundir(), target);
    of->callbacks = *callbacks;
    of->aux = aux;
    of->backoff_ms = BACKOFF_MIN_MS;
    of->retry = timer_create_in(loop, try_to_connect, of);
    of->probe = timer_create_in(loop, probe, of);
    timer_set(of->retry, 0);
    *ofp = of;
    return NULL;
}

int
openflow_version(const struct openflow *of)
{
    return of->up ? of->version : 0;
}

void
openflow_destroy(struct openflow *of)
{
    if (of) {
        connection_close(of->connection);
        timer_destroy(of->retry);
        timer_destroy(of->probe);
        free(of->bundle_error);
        free(of->vconn_name);
        free(of);
    }
}

void
openflow_hurry(struct openflow *of)
{
    if (!of->connection) {
        of->backoff_ms = BACKOFF_MIN_MS;
        timer_set(of->retry, 0);
    }
}

void
openflow_send_bundle(struct openflow *of, const void *data, size_t n,
                     void (*done)(const char *error, void *aux), void *aux)
{
    ovs_assert(of->up && !of->bundle_done);
    of->bundle_done = done;
    of->bundle_aux = aux;
    connection_send(of->connection, data, n);
}
