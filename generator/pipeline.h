/* The pipeline: tables, registers, marks and cookies.
 *
 * This is the one place where numbers live.  docs/pipeline.md describes the
 * tables in the same order.  Register, mark and action semantics are those of
 * ovs-fields(7) and ovs-actions(7).
 *
 * Every IP packet takes the way
 *
 *     ENTRY PORT ADMIT GUARD CLASSIFY ROUTE DELIVER SOURCE TRACK
 *     STATE [KEY [TURN] LINK COMMIT] OUTPUT
 *
 * and leaves it for DEVIATION where something is wrong.  MAC and ADDRESS are
 * the two tables that know who is who, one flow for each MAC and one for each
 * address of a workload; the others ask them by "resubmit" with the key in a
 * register, for sources and destinations, IP, ARP and ND alike. */

#ifndef SDFW_PIPELINE_H
#define SDFW_PIPELINE_H 1

#include <stdbool.h>
#include <stdint.h>

/* Tables, as offsets from a configurable base (but ENTRY, which is the
 * bridge's table 0). */
enum table {
    TABLE_PORT,         /* in_port, VLAN: segment, and is the port managed? */
    TABLE_ADMIT,        /* Looks up who the source claims to be. */
    TABLE_GUARD,        /* Refuses liars; ARP, ND, DHCP apart from the rest. */
    TABLE_ROLE,         /* DHCP servers and routers: not workloads. */
    TABLE_CLASSIFY,     /* Destination address to class and owner's port. */
    TABLE_ROUTE,        /* Looks up who owns the destination MAC. */
    TABLE_DELIVER,      /* L2 and L3 destination must be the same host. */
    TABLE_SOURCE,       /* Source address from outside to class. */
    TABLE_TRACK,        /* Conntrack in the segment's zone. */
    TABLE_STATE,        /* New, invalid, or established: under which link? */
    TABLE_KEY,          /* Protocol and server port into a register. */
    TABLE_TURN,         /* Which end is the client's? */
    TABLE_LINK,         /* May this class open that to that class? */
    TABLE_COMMIT,       /* Marks the connection with its link. */
    TABLE_FRAGMENT,     /* Later fragments, once the datagram was whole. */
    TABLE_DEVIATION,    /* What nothing above allowed. */
    TABLE_VERDICT,      /* Drops or passes a deviation, by mode. */
    TABLE_REPORT,       /* Protocol and port into a register. */
    TABLE_REPORT_TUPLE, /* Absorbs what sdfwd knows, by tuple (see
                         * pipeline-report.c), */
    TABLE_REPORT_PAIR,  /* ... by the two hosts, */
    TABLE_REPORT_SOURCE, /* ... by port. */
    TABLE_TELL,         /* Tells sdfwd. */
    TABLE_SWITCH,       /* Delivers ARP, ND and DHCP by destination MAC. */
    TABLE_OUTPUT,       /* Delivers. */
    TABLE_FLOOD,        /* To all managed ports of a segment. */
    TABLE_MAC,          /* (segment, MAC): the owner's port. */
    TABLE_ADDRESS,      /* (segment, address): class and owner's port. */
    TABLE_COMPARE,      /* Are the halves of REG_PAIR the same? */
    TABLE_SAME,         /* ... one bit of each. */
    N_TABLES,
};
#define TABLE_NAMES                                                     \
    "PORT", "ADMIT", "GUARD", "ROLE", "CLASSIFY", "ROUTE", "DELIVER",   \
    "SOURCE",                                                           \
    "TRACK", "STATE", "KEY", "TURN", "LINK", "COMMIT", "FRAGMENT",      \
    "DEVIATION", "VERDICT", "REPORT", "REPORT_TUPLE", "REPORT_PAIR",    \
    "REPORT_SOURCE", "TELL", "SWITCH", "OUTPUT", "FLOOD", "MAC",        \
    "ADDRESS", "COMPARE", "SAME"

#define ENTRY_TABLE 0
#define ENTRY_PRIORITY 65535
#define DEFAULT_TABLE_BASE 100
#define MAX_TABLE_BASE (254 - N_TABLES)

/* Registers.  All but the first five and REG_FLAGS are scratch: TRACK clears
 * them, because what a register holds at the ct action becomes part of the
 * recirculation id, and thus would split the datapath's flows. */
enum {
    REG_SRC_CLASS = 0,          /* 0: no class. */
    REG_DST_CLASS = 1,
    REG_SEGMENT = 2,            /* [0..15]; also the conntrack zone. */
    REG_SRC_PORT = 3,           /* [0..15] in_port of a managed port; 0. */
    REG_DST_PORT = 4,           /* [0..15] port of the destination; 0: outside
                                 * this bridge. */
    REG_PAIR = 5,               /* Operands of COMPARE: [0..15], [16..31]. */
    REG_FLAGS = 6,
    REG_OWNER = 7,              /* Result: [0..15] port of MAC or address. */
    REG_LINK = 7,               /* From KEY on: protocol << 16 | port; from
                                 * LINK on: the id of the opening. */
    REG_REPORT_KEY = 5,         /* From REPORT on: protocol << 16 | port. */
    REG_REPORT_LEVEL = 7,       /* [1..2] enum deviation_level, [0] whether
                                 * a flow was learned. */
    XXREG_ADDRESS = 2,          /* reg8..reg11: key of ADDRESS. */
    REG_ADDRESS_LOW = 11,
    XREG_MAC = 6,               /* reg12, reg13: key of MAC. */
    REG_BITS = 12,              /* Operands of SAME. */
    REG_CLASS = 14,             /* Result: class of address. */
    REG_PASSED = 15,            /* Not 0: ENTRY has been passed. */
};

/* Bits of REG_FLAGS. */
enum {
    FLAG_MANAGED = 0,           /* From a workload's port. */
    FLAG_DIFFER = 1,            /* COMPARE found a difference. */
    FLAG_ENFORCE = 2,           /* One end is in mode enforce. */
    FLAG_REVERSED = 3,          /* The connection was first seen from its
                                 * server: see MARK_REVERSED. */
    FLAG_JUDGED_ANEW = 4,       /* Established under a mark that no longer
                                 * stands. */
    FLAG_TOLERATED = 5,         /* A deviation that passes: not to be flooded
                                 * to those who enforce. */
    FLAG_REPLY = 7,             /* Judged anew, and a reply. */
    FLAG_REASON = 16,           /* [16..23]: enum reason. */
};
#define FLAG(BIT) (UINT32_C(1) << (BIT))

/* Why traffic is a deviation.  The values are seen in REG_FLAGS of packet-ins
 * and in cookies; do not renumber. */
enum reason {
    REASON_NONE,
    REASON_NO_LINK,             /* With FLAG_JUDGED_ANEW and a mark other than
                                 * MARK_AUDIT: was allowed, no longer is. */
    REASON_SPOOF,               /* MAC, IP, ARP or ND sender is another's. */
    REASON_VLAN,                /* A tagged frame from a workload. */
    REASON_ETHERTYPE,           /* Neither IP nor ARP. */
    REASON_FRAME,               /* Destination MAC and IP are not the same
                                 * host's. */
    REASON_INVALID,             /* Conntrack says invalid. */
    REASON_REVOKED,             /* Told apart by who reports: see above. */
    REASON_DHCP,                /* Rogue DHCP server. */
    REASON_RA,                  /* Rogue router advertisement or redirect. */
    REASON_QUARANTINE,          /* One end is in quarantine. */
    N_REASONS,
};
#define REASON_NAMES                                                    \
    "none", "no-link", "spoof", "vlan", "ethertype", "frame", "invalid", \
    "revoked", "rogue-dhcp", "rogue-ra", "quarantine"

/* Actions of STATE for connections whose mark does not count: they are judged
 * in the direction in which they were opened. */
#define JUDGE_ANEW                                                      \
    "load:1->NXM_NX_REG6[4],move:NXM_NX_CT_MARK[31]->NXM_NX_REG6[3],"   \
    "move:NXM_NX_CT_STATE[3]->NXM_NX_REG6[7],"                          \
    "resubmit(,KEY),resubmit(,TURN),resubmit(,LINK)"

/* Conntrack marks.  [0..30] is the id of an opening of a link, [31] tells that
 * the connection's original direction is from server to client, because its
 * first packet after the first push came from the server. */
#define MARK_NONE 0
#define MARK_AUDIT 1            /* Passed by mode audit or learn only. */
#define MARK_FRAGMENT 2         /* Let a fragmented datagram pass. */
#define MARK_FIRST_LINK 16
#define MARK_ID_MASK UINT32_C(0x7fffffff)
#define MARK_REVERSED 31

/* Cookies: [48..63] ours, [40..47] kind, [0..39] id within the kind. */
#define COOKIE_PREFIX UINT64_C(0x5dfd000000000000)
#define COOKIE_PREFIX_MASK UINT64_C(0xffff000000000000)
#define COOKIE_KIND_SHIFT 40
#define COOKIE_ID_MASK UINT64_C(0xffffffffff)

enum origin_kind {
    ORIGIN_PIPELINE,            /* Fixed: see pipeline.c. */
    ORIGIN_PORTS,               /* A block of port numbers. */
    ORIGIN_SEGMENT,
    ORIGIN_WORKLOAD,
    ORIGIN_NETWORK,
    ORIGIN_LINK,
    ORIGIN_SERVICE,             /* Has a role: DHCP server or router. */
    ORIGIN_ADOPT,               /* Admits running connections; expires. */
    ORIGIN_REPORT,              /* Tells sdfwd of deviations. */
    ORIGIN_LEARNED,             /* Added by these; expires. */
    ORIGIN_QUARANTINE,          /* A class of workloads in quarantine. */
    ORIGIN_CAPTURE,             /* A workload whose packets sdfwd gets: the id
                                 * is its port. */
};

/* What a topology has; flows for what it has not are left out. */
struct pipeline_needs {
    bool ipv4, ipv6;            /* Addresses of workloads. */
    bool vlans;                 /* Segments. */
    bool lenient;               /* Services in another mode than enforce. */
    bool sctp;                  /* Openings. */
    uint16_t last_port;         /* The highest of a workload. */
};

/* The flows that are there whatever else the manifests say. */
struct flow_set;
void pipeline_add_flows(struct flow_set *, const struct pipeline_needs *);

/* The flows that, for 'seconds' after the first push, admit connections that
 * ran before it, whichever side sends the next packet. */
void pipeline_add_adoption(struct flow_set *, const struct pipeline_needs *,
                           uint16_t seconds);

/* The first of our meters: that of other ports than workloads'. */
#define REPORT_METER 0x5dfd

/* How deviations are told.  Each workload that is on the bridge has limits
 * and a meter of its own, and all other ports together have one. */
struct report_settings {
    int limit[2];               /* How many flows may be learned by tuple, by
                                 * the two hosts. */
    int timeout_s;              /* How long they stay without a packet. */
    uint32_t meter;             /* REPORT_METER.  That of a workload is its
                                 * port number higher, that of all captures
                                 * one lower. */
    uint32_t meter_rate, meter_burst; /* Packets (per second). */
    bool captures;              /* Workloads that are captured, are. */
};

/* How much of a packet sdfwd gets. */
#define REPORT_BYTES 256

struct ports;
void pipeline_add_reports(struct flow_set *, const struct report_settings *,
                          const struct ports *);

#endif /* pipeline.h */
