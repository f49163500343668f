/* Flood setting of ports: see bridge.h.
 *
 * It exists in OpenFlow 1.0 only (OFPPC_NO_FLOOD), so it takes a short
 * connection of its own. */

#include "bridge-private.h"

#include <openflow/openflow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-port.h>
#include <openvswitch/ofp-util.h>

#include "flow.h"

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
    int error = bridge_send(bridge, vconn,
                            ofputil_encode_port_mod(&pm, OFPUTIL_P_OF10_STD));
    return error ? bridge_error(bridge, "setting ports", error) : NULL;
}

static char *
barrier(struct bridge *bridge, struct vconn *vconn)
{
    struct ofpbuf *reply;
    char *error = bridge_transact(
        bridge, vconn, ofputil_encode_barrier_request(OFP10_VERSION),
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
            error = bridge_transact(bridge, vconn, msg, "reading ports",
                                    &reply);
            msg = NULL;
        } else {
            int io_error = bridge_receive(bridge, vconn, &reply);
            error = io_error ? bridge_error(bridge, "reading ports", io_error)
                             : NULL;
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
    char *error = bridge_open_vconn(bridge, 1u << OFP10_VERSION, &vconn);
    if (!error) {
        error = set_flood_of_ports(bridge, vconn, wanted, n_changed);
        vconn_close(vconn);
    }
    return error;
}
