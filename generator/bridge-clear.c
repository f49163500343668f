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

/* Numbers of meters. */
struct meter_ids {
    uint32_t *ids;              /* PORT_MAX + 1. */
    size_t n;
};

static void
note_meter(const struct ofputil_meter_config *config, void *meters_)
{
    struct meter_ids *meters = meters_;
    if (config->meter_id - (REPORT_METER - 1) <= PORT_MAX
        && meters->n <= PORT_MAX) {
        meters->ids[meters->n++] = config->meter_id;
    }
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
    struct meter_ids meters = {
        .ids = xmalloc((PORT_MAX + 1) * sizeof *meters.ids),
    };
    char *refusal;
    char *message = bridge_for_each_meter(bridge, note_meter, &meters,
                                          &refusal);
    free(refusal);              /* Then there are none to remove. */
    if (!message) {
        int error = send_delete_flows(bridge);
        for (size_t i = 0; i < meters.n && !error; i++) {
            error = send_delete_meter(bridge, meters.ids[i]);
        }
        struct ofpbuf *reply = NULL;
        message = error ? bridge_error(bridge, "removing flows", error)
                  : bridge_transact(bridge, bridge->vconn,
                                    ofputil_encode_barrier_request(
                                        vconn_get_version(bridge->vconn)),
                                    "removing flows", &reply);
        ofpbuf_delete(reply);
    }
    free(meters.ids);
    return message;
}
