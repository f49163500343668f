/* What Open vSwitch says of a deviation: packet-in and flow-removed messages
 * and learned flows, decoded.
 *
 * Pure: no names, no clock.  Registers and tables are those of pipeline.h. */

#ifndef SDFW_DEVIATION_H
#define SDFW_DEVIATION_H 1

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/compiler.h>
#include <openvswitch/types.h>

#include "pipeline.h"

struct ofp_header;
struct ofpbuf;

/* What packets must have in common to be one deviation. */
enum deviation_level {
    LEVEL_TUPLE,                /* All of the key. */
    LEVEL_PAIR,                 /* Port, segment, reason, addresses. */
    LEVEL_SOURCE,               /* Port, segment, reason. */
};

/* What makes two deviations the same; without padding, so that its bytes can
 * be compared.  What the level does not tell is 0. */
struct deviation_key {
    struct in6_addr src, dst;   /* IPv4 as IPv4-mapped; ARP: SPA, TPA. */
    struct eth_addr src_mac;    /* Of what is not IP. */
    uint16_t eth_type;
    uint16_t in_port;
    uint16_t segment;           /* struct segment's id. */
    uint16_t port;              /* Destination port, or ICMP type. */
    uint8_t protocol;
    uint8_t reason;             /* enum reason. */
    uint8_t level;              /* enum deviation_level. */
    uint8_t bridge;             /* Filled in by who knows it. */
    uint8_t enforced;           /* 1: dropped, for an end enforces. */
    uint8_t zero;
};
BUILD_ASSERT_DECL(sizeof(struct deviation_key) == 52);

/* The first packet. */
struct deviation_packet {
    struct eth_addr src_mac, dst_mac;
    struct in6_addr src, dst;
    uint16_t eth_type, tp_src, tp_dst, tcp_flags, vlan;
    uint8_t protocol;
    bool unseen;                /* The meter dropped the packet-in: this was
                                 * made of the key, and lacks the rest. */
    bool revoked;               /* Of a connection that was allowed. */
    bool reply;                 /* ... from its server. */
    uint32_t n_bytes;
};

/* Its bytes: all, for "max_len" has no effect since Open vSwitch 2.7
 * (ovs-actions(7)). */
struct deviation_frame {
    const void *data;           /* In the packet-in. */
    size_t n;
    size_t total;               /* Of the packet on the wire. */
};

/* Decodes a packet-in.  Returns false if it is not about a deviation. */
bool deviation_from_packet_in(const struct ofp_header *, uint8_t table_base,
                              struct deviation_key *,
                              struct deviation_packet *,
                              struct deviation_frame *);

/* What a learned flow has absorbed. */
struct deviation_counts {
    uint64_t n_packets, n_bytes;
};

/* Decodes the flow-removed message of a learned flow, likewise. */
bool deviation_from_flow_removed(const struct ofp_header *,
                                 uint8_t table_base, struct deviation_key *,
                                 struct deviation_counts *);

/* Asks a bridge for its learned flows. */
struct ofpbuf *deviation_encode_poll(int of_version);

/* Calls 'cb' for each that is in an answer to that.  Returns true if another
 * message belongs to it. */
bool deviation_decode_poll(const struct ofp_header *, uint8_t table_base,
                           void (*cb)(struct deviation_key *,
                                      const struct deviation_counts *,
                                      void *aux),
                           void *aux);

#endif /* deviation.h */
