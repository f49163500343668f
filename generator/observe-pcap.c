/* Captures to observations.
 *
 * libpcap reads the file, libopenvswitch's flow_extract() the packets.
 * Packets are gathered into connections, by addresses, ports and VLAN.  Who
 * opened one is told by SYN without ACK (its sender), SYN with ACK (the other
 * end) or SCTP's INIT; where the capture has none of these, it stays
 * unknown. */

#include "observe-private.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/icmp6.h>
#include <pcap/pcap.h>

#include <openvswitch/hmap.h>

#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "model.h"
#include "packets.h"
#include "util.h"

/* What is silent for so long has ended; 180 s is what conntrack gives to
 * streams of UDP. */
#define SILENT_S 180

/* Without padding, so that its bytes can be compared.  The smaller end is
 * side A. */
struct connection_key {
    struct in6_addr address[2];
    uint16_t port[2];
    uint16_t vlan;
    uint8_t protocol, icmp_code;
};
BUILD_ASSERT_DECL(sizeof(struct connection_key) == 40);

enum side { SIDE_A, SIDE_B, SIDE_UNKNOWN };

struct connection {
    struct hmap_node node;
    struct connection_key key;
    enum side opener;
    struct eth_addr macs[2];    /* By side. */
    bool sent[2];
    bool accepted;              /* TCP: the server has agreed. */
    bool ended;
    uint64_t n_packets, n_bytes;
    int64_t first, last;
};

struct capture {
    struct input *input;
    struct hmap connections;
    int link_type;
};

/* Connections. */

static void
put_connection(struct capture *capture, const struct connection *c)
{
    enum side src = c->opener == SIDE_B ? SIDE_B : SIDE_A;
    char segment[SEGMENT_TEXT_LEN];
    bool answered = c->key.protocol == IPPROTO_TCP
                    ? c->accepted || c->opener == SIDE_UNKNOWN
                    : c->sent[0] && c->sent[1];
    snprintf(segment, sizeof segment, "vlan:%u", c->key.vlan);
    observe_add(capture->input, &(struct observation) {
        .observer = capture->input->observer,
        .segment = c->key.vlan ? segment : capture->input->segment,
        .src = { .address = c->key.address[src], .mac = c->macs[src] },
        .dst = { .address = c->key.address[!src], .mac = c->macs[!src] },
        .protocol = c->key.protocol, .icmp_code = c->key.icmp_code,
        .src_port = c->key.port[src], .dst_port = c->key.port[!src],
        .opener_known = c->opener != SIDE_UNKNOWN, .n_connections = 1,
        .n_unanswered = !answered,
        .n_packets = c->n_packets, .n_bytes = c->n_bytes,
        .first = c->first, .last = c->last,
    });
}

/* Does a packet begin another connection than 'c', between the same ends? */
static bool
begins_anew(const struct connection *c, bool opens, int64_t time)
{
    if (c->key.protocol == IPPROTO_TCP) {
        return opens && (c->ended || time - c->last > SILENT_S);
    }
    return time - c->last > SILENT_S;
}

static struct connection *
find_connection(struct capture *capture, const struct connection_key *key,
                bool opens, int64_t time)
{
    uint32_t hash = hash_bytes(key, sizeof *key, 0);
    struct connection *c;
    HMAP_FOR_EACH_WITH_HASH (c, node, hash, &capture->connections) {
        if (!memcmp(&c->key, key, sizeof *key)) {
            if (begins_anew(c, opens, time)) {
                put_connection(capture, c);
                hmap_remove(&capture->connections, &c->node);
                free(c);
                break;
            }
            return c;
        }
    }
    c = xzalloc(sizeof *c);
    c->key = *key;
    c->opener = SIDE_UNKNOWN;
    c->first = time;
    hmap_insert(&capture->connections, &c->node, hash);
    return c;
}

/* Packets. */

/* What a packet says of who opens: its sender, or the other end. */
struct signs {
    bool opens, accepts, ends;
};

static struct signs
signs_of(const struct flow *flow, const struct dp_packet *packet)
{
    struct signs signs = { .opens = false };
    uint16_t flags = ntohs(flow->tcp_flags);
    if (flow->nw_proto == IPPROTO_TCP) {
        signs.opens = (flags & TCP_SYN) && !(flags & TCP_ACK);
        signs.accepts = (flags & TCP_SYN) && (flags & TCP_ACK);
        signs.ends = flags & (TCP_FIN | TCP_RST);
    } else if (flow->nw_proto == IPPROTO_SCTP) {
        /* The type of the first chunk: INIT, INIT ACK (RFC 9260, 3.2). */
        const uint8_t *l4 = dp_packet_l4(packet);
        if (l4 && dp_packet_l4_size(packet) > 12) {
            signs.opens = l4[12] == 1;
            signs.accepts = l4[12] == 2;
        }
    }
    return signs;
}

static struct in6_addr
address_of(const struct flow *flow, bool src)
{
    if (flow->dl_type == htons(ETH_TYPE_IPV6)) {
        return src ? flow->ipv6_src : flow->ipv6_dst;
    }
    return in6_addr_mapped_ipv4(src ? flow->nw_src : flow->nw_dst);
}

/* The same for ICMP.  An answer to an echo request counts for the request,
 * whose type is put in its place. */
static struct signs
icmp_signs_of(struct flow *flow)
{
    bool v4 = flow->nw_proto == IPPROTO_ICMP;
    if (ntohs(flow->tp_src) == (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY)) {
        flow->tp_src = htons(v4 ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST);
        return (struct signs) { .accepts = true };
    }
    return (struct signs) { .opens = true };
}

static void
take_flow(struct capture *capture, struct flow *flow,
          const struct dp_packet *packet, int64_t time)
{
    bool is_icmp = flow->nw_proto == IPPROTO_ICMP
                   || flow->nw_proto == IPPROTO_ICMPV6;
    struct signs signs = is_icmp ? icmp_signs_of(flow)
                                 : signs_of(flow, packet);
    const struct in6_addr src = address_of(flow, true);
    const struct in6_addr dst = address_of(flow, false);
    uint16_t src_port = ntohs(flow->tp_src);
    uint16_t dst_port = is_icmp ? src_port : ntohs(flow->tp_dst);
    int order = memcmp(&src, &dst, sizeof src);
    enum side side = order < 0 || (!order && src_port <= dst_port) ? SIDE_A
                                                                   : SIDE_B;
    struct connection_key key = {
        .vlan = vlan_tci_to_vid(flow->vlans[0].tci),
        .protocol = flow->nw_proto,
        .icmp_code = is_icmp ? ntohs(flow->tp_dst) : 0,
    };
    key.address[side] = src;
    key.address[!side] = dst;
    key.port[side] = src_port;
    key.port[!side] = dst_port;
    struct connection *c = find_connection(capture, &key, signs.opens, time);
    if (signs.opens && c->opener == SIDE_UNKNOWN) {
        c->opener = side;
    } else if (signs.accepts && c->opener == SIDE_UNKNOWN) {
        c->opener = !side;
    }
    c->accepted |= signs.accepts
                   || (c->opener == !side && !signs.opens && !signs.ends);
    c->ended |= signs.ends;
    c->sent[side] = true;
    c->macs[side] = flow->dl_src;
    if (!c->sent[!side]) {
        c->macs[!side] = flow->dl_dst;
    }
    c->n_packets++;
    c->n_bytes += dp_packet_size(packet);
    c->last = MAX(c->last, time);
}

/* Puts an Ethernet header in front of what the capture has from byte 'skip'
 * on; the addresses stay unknown. */
static void
push_ethernet(struct dp_packet *packet, const uint8_t *data, size_t skip)
{
    ovs_be16 type;
    if (!skip) {
        type = htons(data[0] >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    } else {
        memcpy(&type, data + (skip == 16 ? 14 : 0), sizeof type);
    }
    struct eth_header *eth = dp_packet_put_zeros(packet, sizeof *eth);
    eth->eth_type = type;
}

/* How many bytes stand before the IP header in captures without an Ethernet
 * header; -1: it is Ethernet, -2: unknown. */
static int
bytes_before_ip(int link_type)
{
    switch (link_type) {
    case DLT_EN10MB: return -1;
    case DLT_RAW: case DLT_IPV4: case DLT_IPV6: return 0;
    case DLT_LINUX_SLL: return 16;
    case DLT_LINUX_SLL2: return 20;
    default: return -2;
    }
}

/* Gives 'packet' the length it had on the wire, for its headers say that, too:
 * what was not captured becomes zeros.  Returns false if too little is there
 * for an IP header. */
static bool
fill_packet(const struct capture *capture, const struct pcap_pkthdr *header,
            const uint8_t *data, struct dp_packet *packet)
{
    int skip = bytes_before_ip(capture->link_type);
    size_t n = header->caplen, len = MIN(header->len, UINT16_MAX);
    if (n < MAX(skip, ETH_HEADER_LEN) || len < n) {
        return false;
    }
    dp_packet_clear(packet);
    if (skip >= 0) {
        push_ethernet(packet, data, skip);
        data += skip;
        n -= skip;
        len -= skip;
    }
    dp_packet_put(packet, data, n);
    dp_packet_put_zeros(packet, len - n);
    return true;
}

static void
take_packet(struct capture *capture, const struct pcap_pkthdr *header,
            const uint8_t *data, uint64_t number, struct dp_packet *packet)
{
    struct observe_result *result = capture->input->result;
    struct flow flow;
    if (!fill_packet(capture, header, data, packet)) {
        observe_bad(capture->input, number, "packet of %u bytes, of which "
                    "%u are there", header->len, header->caplen);
        return;
    }
    flow_extract(packet, &flow);
    bool is_ip = flow.dl_type == htons(ETH_TYPE_IP)
                 || flow.dl_type == htons(ETH_TYPE_IPV6);
    struct in6_addr src = address_of(&flow, true);
    struct in6_addr none = in6addr_any;
    if (!is_ip || (flow.nw_frag & FLOW_NW_FRAG_LATER)
        || IN6_ARE_ADDR_EQUAL(&src, &none)
        || (IN6_IS_ADDR_V4MAPPED(&src) && !flow.nw_src)) {
        /* ARP and so on; what comes after the first fragment has no ports;
         * who has no address yet. */
        result->n_other++;
    } else {
        take_flow(capture, &flow, packet, header->ts.tv_sec);
    }
}

static char *
read_packets(struct capture *capture, pcap_t *pcap)
{
    struct pcap_pkthdr *header;
    const uint8_t *data;
    struct dp_packet packet;
    dp_packet_init(&packet, 2048);
    int code;
    uint64_t number = 0;
    while ((code = pcap_next_ex(pcap, &header, &data)) == 1) {
        take_packet(capture, header, data, ++number, &packet);
    }
    dp_packet_uninit(&packet);
    if (code == PCAP_ERROR_BREAK) {
        return NULL;
    } else if (!number) {
        return xasprintf("%s: %s", capture->input->name, pcap_geterr(pcap));
    }
    /* A capture that was cut off, as by a full disk, still tells something. */
    observe_bad(capture->input, number + 1, "%s", pcap_geterr(pcap));
    return NULL;
}

char *
observe_pcap(struct input *input)
{
    char message[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_fopen_offline(input->stream, message);
    if (!pcap) {
        return xasprintf("%s: %s", input->name, message);
    }
    input->stream = NULL;       /* pcap_close() closes it. */
    struct capture capture = {
        .input = input, .link_type = pcap_datalink(pcap),
    };
    hmap_init(&capture.connections);
    char *error = bytes_before_ip(capture.link_type) == -2
        ? xasprintf("%s is a capture of %s; capture Ethernet instead, as by "
                    "\"tcpdump -i INTERFACE\"", input->name,
                    pcap_datalink_val_to_name(capture.link_type))
        : read_packets(&capture, pcap);
    struct connection *c;
    HMAP_FOR_EACH_POP (c, node, &capture.connections) {
        if (!error) {
            put_connection(&capture, c);
        }
        free(c);
    }
    hmap_destroy(&capture.connections);
    pcap_close(pcap);
    return error;
}
