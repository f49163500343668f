/* The meters that bound packet-ins: see bridge.h. */

#include "bridge-private.h"

#include <stdlib.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-meter.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "util.h"

/* What is to be done for a meter, by place: 0 is that for captures, then come
 * those of other ports and, by number, of workloads' ports. */
enum { METER_NONE, METER_ADD, METER_MODIFY };
#define N_METERS (PORT_MAX + 1)

static bool
is_as_wanted(const struct ofputil_meter_config *config,
             const struct report_settings *settings)
{
    return config->n_bands == 1
           && config->flags & OFPMF13_PKTPS
           && config->bands[0].type == OFPMBT13_DROP
           && config->bands[0].rate == settings->meter_rate
           && config->bands[0].burst_size == settings->meter_burst;
}

char *
bridge_for_each_meter(struct bridge *bridge,
                      void (*cb)(const struct ofputil_meter_config *,
                                 void *aux), void *aux, char **refusal)
{
    struct ofpbuf *request = ofputil_encode_meter_request(
        vconn_get_version(bridge->vconn), OFPUTIL_METER_CONFIG, OFPM13_ALL);
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;
    int error = bridge_send(bridge, bridge->vconn, request);
    *refusal = NULL;
    for (bool more = true; more && !error; ) {
        struct ofpbuf *reply;
        error = bridge_receive(bridge, bridge->vconn, &reply);
        if (error) {
            break;
        }
        const struct ofp_header *oh = reply->data;
        if (oh->xid == xid && bridge_is_error(oh)) {
            *refusal = xasprintf("%s: has no meters, which bound what it "
                                 "sends to sdfwd: %s", bridge->target,
                                 ofperr_to_string(ofperr_decode_msg(oh,
                                                                    NULL)));
            more = false;
        } else if (oh->xid == xid) {
            struct ofpbuf bands;
            struct ofputil_meter_config config;
            more = ofpmp_more(oh);
            ofpbuf_init(&bands, 64);
            while (!ofputil_decode_meter_config(reply, &config, &bands)) {
                cb(&config, aux);
            }
            ofpbuf_uninit(&bands);
        }
        ofpbuf_delete(reply);
    }
    return error ? bridge_error(bridge, "reading meters", error) : NULL;
}

/* What is wanted, and what is still to be done for it. */
struct wanted_meters {
    const struct report_settings *settings;
    uint8_t *todo;              /* N_METERS. */
};

static void
note_meter(const struct ofputil_meter_config *config, void *wanted_)
{
    const struct wanted_meters *wanted = wanted_;
    uint32_t i = config->meter_id - (wanted->settings->meter - 1);
    if (i < N_METERS && wanted->todo[i]) {
        wanted->todo[i] = is_as_wanted(config, wanted->settings) ? METER_NONE
                          : METER_MODIFY;
    }
}

static char *
read_meters(struct bridge *bridge, const struct report_settings *settings,
            uint8_t todo[N_METERS])
{
    struct wanted_meters wanted = { settings, todo };
    char *refusal;
    char *error = bridge_for_each_meter(bridge, note_meter, &wanted, &refusal);
    return error ? error : refusal;
}

static struct ofpbuf *
encode_meter_mod(int of_version, const struct report_settings *settings,
                 size_t place, int command)
{
    struct ofputil_meter_band band = {
        .type = OFPMBT13_DROP,
        .rate = settings->meter_rate,
        .burst_size = settings->meter_burst,
    };
    const struct ofputil_meter_mod mod = {
        .command = command,
        .meter = {
            .meter_id = settings->meter - 1 + place,
            .flags = OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS,
            .n_bands = 1,
            .bands = &band,
        },
    };
    return ofputil_encode_meter_mod(of_version, &mod);
}

void
bridge_put_meters(struct ofpbuf *b, int of_version,
                  const struct report_settings *settings,
                  const struct ports *ports, const struct ports *before)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        uint16_t port = ports->of_workload[i];
        if (port && (i >= before->n_workloads
                     || port != before->of_workload[i])) {
            struct ofpbuf *msg = encode_meter_mod(of_version, settings,
                                                  port + 1, OFPMC13_ADD);
            ofpmsg_update_length(msg);
            ofpbuf_put(b, msg->data, msg->size);
            ofpbuf_delete(msg);
        }
    }
}

/* Waits until the bridge has handled all; returns the first refusal. */
static char *
wait_for_meters(struct bridge *bridge)
{
    struct ofpbuf *barrier = ofputil_encode_barrier_request(
        vconn_get_version(bridge->vconn));
    ovs_be32 xid = ((struct ofp_header *) barrier->data)->xid;
    char *refusal = NULL;
    int error = bridge_send(bridge, bridge->vconn, barrier);
    for (bool done = false; !done && !error; ) {
        struct ofpbuf *msg;
        error = bridge_receive(bridge, bridge->vconn, &msg);
        if (!error) {
            const struct ofp_header *oh = msg->data;
            done = oh->xid == xid;
            if (!refusal && bridge_is_error(oh)) {
                refusal = xasprintf("%s: refuses a meter: %s", bridge->target,
                                    ofperr_to_string(
                                        ofperr_decode_msg(oh, NULL)));
            }
            ofpbuf_delete(msg);
        }
    }
    return refusal || !error ? refusal
           : bridge_error(bridge, "setting meters", error);
}

char *
bridge_set_meters(struct bridge *bridge,
                  const struct report_settings *settings,
                  const struct ports *ports)
{
    uint8_t *todo = xzalloc(N_METERS);
    todo[0] = todo[1] = METER_ADD;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        todo[ports->of_workload[i] + 1] = METER_ADD;
    }
    char *message = read_meters(bridge, settings, todo);
    int error = 0;
    bool any = false;
    for (size_t i = 0; !message && !error && i < N_METERS; i++) {
        if (todo[i]) {
            any = true;
            error = bridge_send(bridge, bridge->vconn, encode_meter_mod(
                                    vconn_get_version(bridge->vconn),
                                    settings, i, todo[i] == METER_ADD
                                    ? OFPMC13_ADD : OFPMC13_MODIFY));
        }
    }
    free(todo);
    if (error) {
        message = bridge_error(bridge, "setting meters", error);
    }
    return message || !any ? message : wait_for_meters(bridge);
}
