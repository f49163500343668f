/* The meter that bounds packet-ins: see bridge.h. */

#include "bridge-private.h"

#include <stdlib.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-meter.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "util.h"

/* Sends the meter_mod and a barrier; returns what the bridge says to it, 0 if
 * nothing. */
static char *
try_meter_mod(struct bridge *bridge, const struct ofputil_meter_mod *mod,
              enum ofperr *refused)
{
    int version = vconn_get_version(bridge->vconn);
    struct ofpbuf *msg = ofputil_encode_meter_mod(version, mod);
    ovs_be32 xid = ((struct ofp_header *) msg->data)->xid;
    *refused = 0;
    int error = bridge_send(bridge, bridge->vconn, msg);
    struct ofpbuf *barrier = ofputil_encode_barrier_request(version);
    ovs_be32 barrier_xid = ((struct ofp_header *) barrier->data)->xid;
    if (!error) {
        error = bridge_send(bridge, bridge->vconn, barrier);
    } else {
        ofpbuf_delete(barrier);
    }
    while (!error && !(error = bridge_receive(bridge, bridge->vconn, &msg))) {
        const struct ofp_header *oh = msg->data;
        bool done = oh->xid == barrier_xid;
        if (oh->xid == xid && bridge_is_error(oh)) {
            *refused = ofperr_decode_msg(oh, NULL);
        }
        ofpbuf_delete(msg);
        if (done) {
            return NULL;
        }
    }
    return bridge_error(bridge, "setting the meter", error);
}

char *
bridge_set_meter(struct bridge *bridge, const struct report_settings *settings)
{
    struct ofputil_meter_band band = {
        .type = OFPMBT13_DROP,
        .rate = settings->meter_rate,
        .burst_size = settings->meter_burst,
    };
    struct ofputil_meter_mod mod = {
        .command = OFPMC13_MODIFY,
        .meter = {
            .meter_id = settings->meter,
            .flags = OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS,
            .n_bands = 1,
            .bands = &band,
        },
    };
    enum ofperr refused;
    char *error = try_meter_mod(bridge, &mod, &refused);
    if (!error && refused == OFPERR_OFPMMFC_UNKNOWN_METER) {
        mod.command = OFPMC13_ADD;
        error = try_meter_mod(bridge, &mod, &refused);
    }
    if (!error && refused) {
        error = xasprintf("%s: refuses meter %"PRIu32": %s", bridge->target,
                          settings->meter, ofperr_to_string(refused));
    }
    return error;
}
