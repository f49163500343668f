/* What Open vSwitch says of a deviation, decoded: see deviation.h. */

#include "deviation.h"

#include <string.h>

#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-monitor.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-packet.h>
#include <openvswitch/ofpbuf.h>

#include "byte-order.h"
#include "dp-packet.h"
#include "flow.h"
#include "packets.h"
#include "util.h"

static bool
is_ip(const struct flow *flow)
{
    return flow->dl_type == htons(ETH_TYPE_IP)
           || flow->dl_type == htons(ETH_TYPE_IPV6);
}

static void
get_addresses(const struct flow *flow, struct in6_addr *src,
              struct in6_addr *dst)
{
    if (flow->dl_type == htons(ETH_TYPE_IPV6)) {
        *src = flow->ipv6_src;
        *dst = flow->ipv6_dst;
    } else if (flow->dl_type == htons(ETH_TYPE_IP)
               || flow->dl_type == htons(ETH_TYPE_ARP)) {
        in6_addr_set_mapped_ipv4(src, flow->nw_src);
        in6_addr_set_mapped_ipv4(dst, flow->nw_dst);
    }
}

/* The same for the first packet and for the match of what it has learned: see
 * pipeline-report.c. */
static void
get_key(const struct flow *flow, enum deviation_level level,
        struct deviation_key *key)
{
    memset(key, 0, sizeof *key);
    key->in_port = ofp_to_u16(flow->in_port.ofp_port);
    key->segment = flow->regs[REG_SEGMENT];
    key->reason = flow->regs[REG_FLAGS] >> FLAG_REASON;
    key->level = level;
    key->enforced = flow->regs[REG_FLAGS] >> FLAG_ENFORCE & 1;
    if (level == LEVEL_SOURCE) {
        return;
    }
    if (is_ip(flow)) {
        key->eth_type = ntohs(flow->dl_type);
        get_addresses(flow, &key->src, &key->dst);
    } else {
        key->src_mac = flow->dl_src;
    }
    if (level == LEVEL_PAIR) {
        return;
    }
    key->eth_type = ntohs(flow->dl_type);
    get_addresses(flow, &key->src, &key->dst);
    if (is_ip(flow)) {
        key->protocol = flow->regs[REG_REPORT_KEY] >> 16;
        key->port = flow->regs[REG_REPORT_KEY];
    }
}

static bool
is_of_reports(ovs_be64 cookie, enum origin_kind kind)
{
    uint64_t ours = COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT;
    return (ntohll(cookie) & ~COOKIE_ID_MASK) == ours;
}

bool
deviation_from_packet_in(const struct ofp_header *oh, uint8_t table_base,
                         struct deviation_key *key,
                         struct deviation_packet *packet,
                         struct deviation_frame *frame)
{
    struct ofputil_packet_in pin;
    size_t total_len;
    uint32_t buffer_id;
    if (ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_len,
                                 &buffer_id, NULL)) {
        return false;
    }
    if (!is_of_reports(pin.cookie, ORIGIN_REPORT)
        || pin.table_id != table_base + TABLE_TELL) {
        return false;
    }

    struct dp_packet dp_packet;
    struct flow flow;
    dp_packet_use_const(&dp_packet, pin.packet, pin.packet_len);
    flow_extract(&dp_packet, &flow);
    const struct flow *metadata = &pin.flow_metadata.flow;
    memcpy(flow.regs, metadata->regs, sizeof flow.regs);
    flow.in_port = metadata->in_port;
    get_key(&flow, flow.regs[REG_REPORT_LEVEL] >> 1 & 3, key);

    uint32_t flags = flow.regs[REG_FLAGS];
    *packet = (struct deviation_packet) {
        .src_mac = flow.dl_src,
        .dst_mac = flow.dl_dst,
        .eth_type = ntohs(flow.dl_type),
        .tp_src = ntohs(flow.tp_src),
        .tp_dst = ntohs(flow.tp_dst),
        .tcp_flags = flow.nw_proto == IPPROTO_TCP ? ntohs(flow.tcp_flags) : 0,
        .vlan = vlan_tci_to_vid(flow.vlans[0].tci),
        .protocol = is_ip(&flow) ? flow.nw_proto : 0,
        .revoked = flags & FLAG(FLAG_JUDGED_ANEW)
                   && (metadata->ct_mark & MARK_ID_MASK) >= MARK_FIRST_LINK,
        .reply = flags & FLAG(FLAG_REPLY),
        .n_bytes = total_len,
    };
    get_addresses(&flow, &packet->src, &packet->dst);
    *frame = (struct deviation_frame) {
        .data = pin.packet, .n = pin.packet_len, .total = total_len,
    };
    return true;
}

/* Of a learned flow in 'table_id', with that match. */
static bool
key_of_learned(const struct flow *flow, ovs_be64 cookie, int table_id,
               uint8_t table_base, struct deviation_key *key)
{
    int level = table_id - table_base - TABLE_REPORT_TUPLE;
    if (!is_of_reports(cookie, ORIGIN_LEARNED) || level < LEVEL_TUPLE
        || level > LEVEL_SOURCE) {
        return false;
    }
    get_key(flow, level, key);
    return true;
}

bool
deviation_from_flow_removed(const struct ofp_header *oh, uint8_t table_base,
                            struct deviation_key *key,
                            struct deviation_counts *counts)
{
    struct ofputil_flow_removed fr;
    if (ofputil_decode_flow_removed(&fr, oh)
        || !key_of_learned(&fr.match.flow, fr.cookie, fr.table_id, table_base,
                           key)) {
        return false;
    }
    *counts = (struct deviation_counts) {
        .n_packets = fr.packet_count,
        .n_bytes = fr.byte_count,
    };
    return true;
}

struct ofpbuf *
deviation_encode_poll(int of_version)
{
    struct ofputil_flow_stats_request request = {
        .cookie = htonll(COOKIE_PREFIX
                         | (uint64_t) ORIGIN_LEARNED << COOKIE_KIND_SHIFT),
        .cookie_mask = htonll(~COOKIE_ID_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    match_init_catchall(&request.match);
    return ofputil_encode_flow_stats_request(
        &request, ofputil_protocol_from_ofp_version(of_version));
}

bool
deviation_decode_poll(const struct ofp_header *oh, uint8_t table_base,
                      void (*cb)(struct deviation_key *,
                                 const struct deviation_counts *, void *aux),
                      void *aux)
{
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_flow_stats fs;
    struct deviation_key key;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 64);
    while (!ofputil_decode_flow_stats_reply(&fs, &msg, false, &ofpacts)) {
        if (key_of_learned(&fs.match.flow, fs.cookie, fs.table_id, table_base,
                           &key)) {
            const struct deviation_counts counts = { fs.packet_count,
                                                     fs.byte_count };
            cb(&key, &counts, aux);
        }
    }
    ofpbuf_uninit(&ofpacts);
    return ofpmp_more(oh);
}
