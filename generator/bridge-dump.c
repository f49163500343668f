/* Reads back what is installed: see bridge.h.
 *
 * Flow statistics of OpenFlow 1.3 and 1.4 have the same form, which is
 * compared as it comes. */

#include "bridge-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-actions.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>

#include "byte-order.h"
#include "diff.h"
#include "util.h"

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

/* Adds the flows that 'request' asks for to 'set'. */
static char *
dump(struct bridge *bridge, const struct ofputil_flow_stats_request *request,
     struct flow_set *set)
{
    struct ofpbuf *msg = ofputil_encode_flow_stats_request(
        request, ofputil_protocol_from_ofp_version(
                     vconn_get_version(bridge->vconn)));
    ovs_be32 xid = ((struct ofp_header *) msg->data)->xid;
    const char *doing = "reading its flows";
    int error = bridge_send(bridge, bridge->vconn, msg);

    for (bool more = !error; more; ) {
        error = bridge_receive(bridge, bridge->vconn, &msg);
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
        more = !bridge_is_error(oh) && ofpmp_more(oh);
        ofperr = bridge_is_error(oh) ? ofperr_decode_msg(oh, NULL)
                                        : ofpraw_pull(&raw, msg);
        if (!ofperr && (raw != OFPRAW_OFPST13_FLOW_REPLY
                        || !parse_flow_stats(msg, set))) {
            ofperr = OFPERR_OFPBRC_BAD_LEN;
        }
        ofpbuf_delete(msg);
        if (ofperr) {
            return xasprintf("%s: %s: %s", bridge->target, doing,
                             ofperr_to_string(ofperr));
        }
    }
    return error ? bridge_error(bridge, doing, error) : NULL;
}

char *
bridge_count_deviations(struct bridge *bridge, uint8_t table_base,
                        uint64_t *n)
{
    struct ofputil_flow_stats_request request = our_flows_request();
    request.aggregate = true;
    request.table_id = table_base + TABLE_DEVIATION;
    const char *doing = "counting its deviations";
    struct ofpbuf *reply;
    char *error = bridge_transact(
        bridge, bridge->vconn,
        ofputil_encode_flow_stats_request(
            &request, ofputil_protocol_from_ofp_version(
                          vconn_get_version(bridge->vconn))),
        doing, &reply);
    if (error) {
        return error;
    }
    struct ofputil_aggregate_stats stats;
    enum ofperr ofperr = ofputil_decode_aggregate_stats_reply(&stats,
                                                              reply->data);
    ofpbuf_delete(reply);
    *n = stats.packet_count;
    return ofperr ? xasprintf("%s: %s: %s", bridge->target, doing,
                              ofperr_to_string(ofperr)) : NULL;
}

char *
bridge_dump_flows(struct bridge *bridge, struct flow_set *installed)
{
    const struct ofputil_flow_stats_request request = our_flows_request();
    return dump(bridge, &request, installed);
}

static bool
is_foreign(const struct flow_record *flow)
{
    return (flow->cookie & COOKIE_PREFIX_MASK) != COOKIE_PREFIX
           && (flow->table != ENTRY_TABLE
               || flow->priority >= ENTRY_PRIORITY);
}

char *
bridge_dump_foreign(struct bridge *bridge, struct flow_set *foreign)
{
    struct ofputil_flow_stats_request request = our_flows_request();
    char *error = NULL;
    request.cookie = request.cookie_mask = 0;
    for (int table = -1; table < (int) N_TABLES && !error; table++) {
        struct flow_set all;
        request.table_id = table < 0 ? ENTRY_TABLE
                           : foreign->table_base + table;
        flow_set_init(&all, foreign->table_base);
        error = dump(bridge, &request, &all);
        for (size_t i = 0; i < all.n; i++) {
            if (is_foreign(&all.flows[i])) {
                flow_set_add_copy(foreign, &all, &all.flows[i], 0);
            }
        }
        flow_set_destroy(&all);
    }
    return error;
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
    char *error = bridge_open_vconn(bridge, 1u << OFP15_VERSION, &vconn);
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
        return bridge_error(bridge, "reading its flows", io_error);
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
