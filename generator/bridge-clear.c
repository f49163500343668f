/* Takes all that is ours off a bridge: see bridge.h. */

#include "bridge-private.h"

#include <openflow/openflow.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-meter.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "byte-order.h"
#include "util.h"

/* One message, so the flows go all at once. */
static int
send_delete_flows(struct bridge *bridge)
{
    struct ofputil_flow_mod fm = {
        .table_id = OFPTT_ALL,
        .command = OFPFC_DELETE,
        .cookie = htonll(COOKIE_PREFIX),
        .cookie_mask = htonll(COOKIE_PREFIX_MASK),
        .new_cookie = OVS_BE64_MAX,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    minimatch_init_catchall(&fm.match);
    struct ofpbuf *msg = ofputil_encode_flow_mod(
        &fm, ofputil_protocol_from_ofp_version(
            vconn_get_version(bridge->vconn)));
    minimatch_destroy(&fm.match);
    return bridge_send(bridge, bridge->vconn, msg);
}

/* Adds the numbers of our meters to 'ids'. */
static char *
list_meters(struct bridge *bridge, uint32_t ids[PORT_MAX + 1], size_t *n)
{
    struct ofpbuf *request = ofputil_encode_meter_request(
        vconn_get_version(bridge->vconn), OFPUTIL_METER_CONFIG, OFPM13_ALL);
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;
    int error = bridge_send(bridge, bridge->vconn, request);
    for (bool more = true; more && !error; ) {
        struct ofpbuf *reply;
        error = bridge_receive(bridge, bridge->vconn, &reply);
        if (error) {
            break;
        }
        const struct ofp_header *oh = reply->data;
        struct ofputil_meter_config config;
        struct ofpbuf bands;
        ofpbuf_init(&bands, 64);
        /* A bridge without meters answers by an error. */
        more = oh->xid != xid || (!bridge_is_error(oh) && ofpmp_more(oh));
        while (oh->xid == xid && !bridge_is_error(oh)
               && !ofputil_decode_meter_config(reply, &config, &bands)) {
            if (config.meter_id - (REPORT_METER - 1) <= PORT_MAX
                && *n <= PORT_MAX) {
                ids[(*n)++] = config.meter_id;
            }
        }
        ofpbuf_uninit(&bands);
        ofpbuf_delete(reply);
    }
    return error ? bridge_error(bridge, "reading meters", error) : NULL;
}

static int
send_delete_meter(struct bridge *bridge, uint32_t id)
{
    const struct ofputil_meter_mod mod = {
        .command = OFPMC13_DELETE, .meter.meter_id = id,
    };
    return bridge_send(bridge, bridge->vconn, ofputil_encode_meter_mod(
                           vconn_get_version(bridge->vconn), &mod));
}

char *
bridge_clear(struct bridge *bridge)
{
    uint32_t *ids = xmalloc((PORT_MAX + 1) * sizeof *ids);
    size_t n = 0;
    char *message = list_meters(bridge, ids, &n);
    if (!message) {
        int error = send_delete_flows(bridge);
        for (size_t i = 0; i < n && !error; i++) {
            error = send_delete_meter(bridge, ids[i]);
        }
        struct ofpbuf *reply = NULL;
        message = error ? bridge_error(bridge, "removing flows", error)
                  : bridge_transact(bridge, bridge->vconn,
                                    ofputil_encode_barrier_request(
                                        vconn_get_version(bridge->vconn)),
                                    "removing flows", &reply);
        ofpbuf_delete(reply);
    }
    free(ids);
    return message;
}
