/* The fixed part of the pipeline, in the syntax of ovs-ofctl(8).
 *
 * Read pipeline.h first.  libopenvswitch parses these texts at run time, with
 * the tables known by name.  The tables are in the order of the pipeline. */

#include "pipeline.h"

#include <stdlib.h>

#include <openvswitch/dynamic-string.h>

#include "flows.h"
#include "util.h"

/* Parts of matches. */
#define MANAGED   "reg6=0x1/0x1"
#define UNMANAGED "reg6=0x0/0x1"
#define DIFFERS   "reg6=0x2/0x2"
#define ENFORCED  "reg6=0x4/0x4"
#define MULTICAST "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"
#define TAGGED    "vlan_tci=0x1000/0x1000"
#define OUTSIDE   "reg4=0/0xffff"

/* Parts of actions. */
#define GOTO(TABLE) "resubmit(,"TABLE")"
#define DEVIATION(REASON) \
    "load:"OVS_STRINGIZE(REASON)"->NXM_NX_REG6[16..23]," GOTO("DEVIATION")

#define ROLE(REASON)                                                    \
    "load:"OVS_STRINGIZE(REASON)"->NXM_NX_REG6[16..23]," GOTO("ROLE")

/* Back to the flows of others in table 0, as if nothing had happened. */
#define PASS                                                            \
    "set_field:0->xxreg0,set_field:0->xxreg1,set_field:0->xxreg2,"      \
    "set_field:1->xxreg3," GOTO("0")

/* Leaves the port of the owner of MAC in reg7, 0 if it has none. */
#define FIND_MAC(FIELD)                                                 \
    "move:"FIELD"->OXM_OF_PKT_REG6[0..47],load:0->NXM_NX_REG7[0..15],"  \
    GOTO("MAC")

/* The same for an address; also leaves its class in reg14. */
#define FIND_IPV4(FIELD)                                                \
    "set_field:0xffff00000000->xxreg2,move:"FIELD"->NXM_NX_REG11[],"    \
    "load:0->NXM_NX_REG7[0..15],"GOTO("ADDRESS")
#define FIND_IPV6(FIELD)                                                \
    "move:"FIELD"->NXM_NX_XXREG2[],load:0->NXM_NX_REG7[0..15],"         \
    GOTO("ADDRESS")

/* The same, and notes in FLAG_DIFFER if the owner is another than the port
 * that the packet came from (for unmanaged ports: if there is an owner). */
#define CHECK_MAC(FIELD) FIND_MAC(FIELD) "," GOTO("COMPARE")
#define CHECK_IPV4(FIELD) FIND_IPV4(FIELD) "," GOTO("COMPARE")
#define CHECK_IPV6(FIELD) FIND_IPV6(FIELD) "," GOTO("COMPARE")

#define SWAP_CLASSES                                                    \
    "push:NXM_NX_REG0[],move:NXM_NX_REG1[]->NXM_NX_REG0[],"             \
    "pop:NXM_NX_REG1[]"

/* Of the server's port, the key becomes the client's; KEY has left it. */
#define SWAP_PORTS "move:NXM_NX_REG5[0..15]->NXM_NX_REG7[0..15]"

#define KEY_ACTIONS                                                     \
    "set_field:0->reg7,move:NXM_NX_CT_NW_PROTO[]->NXM_NX_REG7[16..23]," \
    "move:NXM_NX_CT_TP_DST[]->NXM_NX_REG7[0..15],"                      \
    "move:NXM_NX_CT_TP_SRC[]->NXM_NX_REG5[0..15]"

#define SCTP_KEY(FIELD)                                                 \
    "load:0x840000->NXM_NX_REG7[],"                                     \
    "move:OXM_OF_"FIELD"[]->NXM_NX_REG7[0..15]," GOTO("LINK")

#define TO_OUTSIDE "load:0->NXM_NX_REG4[0..15],"GOTO("OUTPUT")

/* fe80::/64 with the interface identifier of a MAC; REG10 is its first half
 * (the second lowest bit of the first byte tells which way it was turned). */
#define LINK_LOCAL(REG10)                                               \
    "reg8=0xfe800000,reg9=0,reg10="REG10"/0x020000ff,"                  \
    "reg11=0xfe000000/0xff000000"
#define MAC_OF_LINK_LOCAL(BIT)                                          \
    "move:NXM_NX_REG10[8..31]->OXM_OF_PKT_REG6[24..47],"                \
    "move:NXM_NX_REG11[0..23]->OXM_OF_PKT_REG6[0..23],"                 \
    "load:"OVS_STRINGIZE(BIT)"->OXM_OF_PKT_REG6[41],"GOTO("MAC")

/* What a topology must have for a flow to be needed. */
enum need {
    ALWAYS = 0,
    IPV6 = 1 << 0,              /* A workload has an IPv6 address. */
    VLANS = 1 << 1,             /* A segment is a VLAN. */
    LENIENT = 1 << 2,           /* A service does not enforce. */
    STRICT = 1 << 3,            /* All services enforce. */
    SCTP = 1 << 4,              /* A link opens SCTP. */
    IPV4 = 1 << 5,              /* A workload has an IPv4 address. */
};

struct fixed_flow {
    int table;                  /* enum table or ENTRY. */
    uint16_t priority;
    int need;                   /* All of these of enum need. */
    const char *match;
    const char *actions;
};
#define ENTRY -1

static const struct fixed_flow fixed_flows[] = {
    /* Not yet seen: into the pipeline.  What PASS sends back falls through to
     * the flows of others. */
    { ENTRY, ENTRY_PRIORITY, ALWAYS, "reg15=0",
      "move:NXM_OF_IN_PORT[]->NXM_NX_REG3[0..15],"GOTO("PORT") },

    /* Managed ports, and unmanaged ones in a VLAN, stand at higher
     * priorities; tagged traffic of segments too.  Other tags are not ours:
     * no workload's MAC is ever learned in them. */
    { TABLE_PORT, 1, ALWAYS, "vlan_tci=0/0x0fff",
      "load:1->NXM_NX_REG2[0..15],set_field:0->reg3,"GOTO("ADMIT") },
    { TABLE_PORT, 0, ALWAYS, "", PASS },

    { TABLE_ADMIT, 50, ALWAYS, MANAGED","TAGGED, DEVIATION(3) },
    { TABLE_ADMIT, 40, IPV4, "arp",
      CHECK_MAC("NXM_OF_ETH_SRC[]")","CHECK_MAC("NXM_NX_ARP_SHA[]")","
      CHECK_IPV4("NXM_OF_ARP_SPA[]")","GOTO("SWITCH") },
    { TABLE_ADMIT, 40, IPV4, MANAGED",ip",
      CHECK_MAC("NXM_OF_ETH_SRC[]")","CHECK_IPV4("NXM_OF_IP_SRC[]")","
      GOTO("GUARD") },
    { TABLE_ADMIT, 40, IPV6, MANAGED",ipv6",
      CHECK_MAC("NXM_OF_ETH_SRC[]")","CHECK_IPV6("NXM_NX_IPV6_SRC[]")","
      GOTO("GUARD") },
    /* The source address from outside is left to SOURCE, which needs to look
     * at a prefix only. */
    { TABLE_ADMIT, 10, ALWAYS, UNMANAGED,
      CHECK_MAC("NXM_OF_ETH_SRC[]")","GOTO("GUARD") },
    { TABLE_ADMIT, 0, ALWAYS, "", DEVIATION(4) },

    { TABLE_GUARD, 100, ALWAYS, DIFFERS, DEVIATION(2) },
    /* Services that may be DHCP servers or routers stand at 85, and what
     * their clients broadcast at 90. */
    { TABLE_GUARD, 80, IPV4, "udp,tp_src=67,tp_dst=68", ROLE(8) },
    { TABLE_GUARD, 80, IPV4,
      MANAGED",udp,nw_dst=255.255.255.255,tp_src=68,tp_dst=67", "NORMAL" },
    { TABLE_GUARD, 80, IPV6, "udp6,tp_src=547,tp_dst=546", ROLE(8) },
    { TABLE_GUARD, 80, IPV6,
      MANAGED",udp6,ipv6_dst=ff02::1:2,tp_src=546,tp_dst=547", "NORMAL" },
    { TABLE_GUARD, 80, IPV6, "icmp6,icmpv6_type=134", ROLE(9) },
    /* Neighbor discovery: the link-layer option, if there is one, must name
     * the sender; so must the target of an advertisement. */
    { TABLE_GUARD, 80, IPV6, "icmp6,icmpv6_type=135",
      CHECK_MAC("NXM_NX_ND_SLL[]")","CHECK_IPV6("NXM_NX_IPV6_SRC[]")","
      GOTO("SWITCH") },
    { TABLE_GUARD, 80, IPV6, "icmp6,icmpv6_type=136",
      CHECK_MAC("NXM_NX_ND_TLL[]")","CHECK_IPV6("NXM_NX_ND_TARGET[]")","
      GOTO("SWITCH") },
    /* Router solicitation and multicast listener reports (MLDv2). */
    { TABLE_GUARD, 80, IPV6, MANAGED",icmp6,icmpv6_type=133",
      GOTO("SWITCH") },
    { TABLE_GUARD, 80, IPV6, MANAGED",icmp6,icmpv6_type=143",
      GOTO("SWITCH") },
    /* The rest.  What is not IP is from outside and has no class. */
    { TABLE_GUARD, 0, ALWAYS, "",
      "move:NXM_NX_REG14[]->NXM_NX_REG0[],set_field:0->reg14,"
      "set_field:0->reg7,"GOTO("CLASSIFY") },

    /* What only servers and routers say: anybody outside may. */
    { TABLE_ROLE, 0, ALWAYS, MANAGED, GOTO("DEVIATION") },
    { TABLE_ROLE, 0, ALWAYS, UNMANAGED,
      "load:0->NXM_NX_REG6[16..23],"GOTO("SWITCH") },

    { TABLE_CLASSIFY, 0, ALWAYS, "", GOTO("ROUTE") },

    { TABLE_ROUTE, 0, ALWAYS, "",
      "move:NXM_NX_REG14[]->NXM_NX_REG1[],"
      "move:NXM_NX_REG7[0..15]->NXM_NX_REG4[0..15],"
      FIND_MAC("NXM_OF_ETH_DST[]")","
      "move:NXM_NX_REG4[0..15]->NXM_NX_REG5[16..31],"
      GOTO("COMPARE")","GOTO("DELIVER") },

    { TABLE_DELIVER, 100, ALWAYS, DIFFERS, DEVIATION(5) },
    { TABLE_DELIVER, 50, ALWAYS, UNMANAGED","OUTSIDE, PASS },
    { TABLE_DELIVER, 0, ALWAYS, "", "set_field:0->reg14,"GOTO("SOURCE") },

    /* The class of who is outside; a workload's is known. */
    { TABLE_SOURCE, 0, ALWAYS, "", GOTO("TRACK") },

    { TABLE_TRACK, 100, ALWAYS, DIFFERS, DEVIATION(2) },
    { TABLE_TRACK, 10, IPV4, "ip",
      "set_field:0->reg3,set_field:0->reg5,set_field:0->reg7,"
      "set_field:0->xxreg2,set_field:0->xxreg3,"
      "ct(table=STATE,zone=NXM_NX_REG2[0..15])" },
    { TABLE_TRACK, 10, IPV6, "ipv6",
      "set_field:0->reg3,set_field:0->reg5,set_field:0->reg7,"
      "set_field:0->xxreg2,set_field:0->xxreg3,"
      "ct(table=STATE,zone=NXM_NX_REG2[0..15])" },

    { TABLE_STATE, 50, ALWAYS, "ct_state=+new+trk",
      GOTO("KEY")","GOTO("LINK") },
    /* The userspace datapath tracks SCTP without ports, so a mark would open
     * all ports between two hosts: judge each packet. */
    { TABLE_STATE, 60, SCTP | IPV4, "ct_state=-rpl-inv+trk,sctp",
      SCTP_KEY("SCTP_DST") },
    { TABLE_STATE, 60, SCTP | IPV4, "ct_state=+rpl-inv+trk,sctp",
      SWAP_CLASSES","SCTP_KEY("SCTP_SRC") },
    { TABLE_STATE, 60, SCTP | IPV6, "ct_state=-rpl-inv+trk,sctp6",
      SCTP_KEY("SCTP_DST") },
    { TABLE_STATE, 60, SCTP | IPV6, "ct_state=+rpl-inv+trk,sctp6",
      SWAP_CLASSES","SCTP_KEY("SCTP_SRC") },
    /* The marks of links stand at 10.  Other connections are judged anew, in
     * the direction in which they were opened: TURN makes REG_SRC_CLASS the
     * client's class. */
    { TABLE_STATE, 1, ALWAYS, "ct_state=-inv+trk", JUDGE_ANEW },
    /* Invalid, or fragments whose reassembly failed or expired. */
    { TABLE_STATE, 0, ALWAYS, "", DEVIATION(6) },

    /* The original tuple of conntrack serves for fragments and replies too;
     * for ICMP its "ports" are type and code (ovs-fields(7)). */
    { TABLE_KEY, 0, IPV4, "ct_state=+trk-inv,ip", KEY_ACTIONS },
    { TABLE_KEY, 0, IPV6, "ct_state=+trk-inv,ipv6", KEY_ACTIONS },

    /* A reply; the same of a connection that conntrack saw from its server
     * first; not a reply, but likewise. */
    { TABLE_TURN, 0, ALWAYS, "reg6=0x80/0x88", SWAP_CLASSES },
    { TABLE_TURN, 0, ALWAYS, "reg6=0x88/0x88", SWAP_PORTS },
    { TABLE_TURN, 0, ALWAYS, "reg6=0x08/0x88", SWAP_CLASSES","SWAP_PORTS },

    /* Later fragments.  The userspace datapath tracks a datagram as a whole,
     * but then goes on with its fragments, of which the later ones have no
     * ports, not even in the original tuple.  So they go where the first one
     * goes if a link allows it, to conntrack again; there they meet and are
     * whole, or stay for good.  Only what was whole gets the mark. */
    { TABLE_LINK, 100, IPV4, "ct_state=+trk-inv,ip,ip_frag=later",
      "ct(commit,zone=NXM_NX_REG2[0..15],table=FRAGMENT,"
      "exec(load:2->NXM_NX_CT_MARK[]))" },
    { TABLE_LINK, 100, IPV6, "ct_state=+trk-inv,ipv6,ip_frag=later",
      "ct(commit,zone=NXM_NX_REG2[0..15],table=FRAGMENT,"
      "exec(load:2->NXM_NX_CT_MARK[]))" },
    /* Links stand at 10 and above. */
    { TABLE_LINK, 0, ALWAYS, "", DEVIATION(1) },

    { TABLE_COMMIT, 0, IPV4, "ip",
      "ct(commit,zone=NXM_NX_REG2[0..15],"
      "exec(move:NXM_NX_REG7[0..30]->NXM_NX_CT_MARK[0..30],"
      "move:NXM_NX_REG6[3]->NXM_NX_CT_MARK[31])),"GOTO("OUTPUT") },
    { TABLE_COMMIT, 0, IPV6, "ipv6",
      "ct(commit,zone=NXM_NX_REG2[0..15],"
      "exec(move:NXM_NX_REG7[0..30]->NXM_NX_CT_MARK[0..30],"
      "move:NXM_NX_REG6[3]->NXM_NX_CT_MARK[31])),"GOTO("OUTPUT") },

    { TABLE_FRAGMENT, 10, ALWAYS, "ct_mark=2", GOTO("OUTPUT") },
    { TABLE_FRAGMENT, 0, ALWAYS, "", DEVIATION(6) },

    /* If all enforce, that is all.  Otherwise the mode of the source is known,
     * and those of the destinations are looked up: MAC and ADDRESS set
     * FLAG_ENFORCE. */
    { TABLE_DEVIATION, 0, STRICT, "",
      "load:1->NXM_NX_REG6[2]," GOTO("REPORT") },
    { TABLE_DEVIATION, 100, LENIENT, ENFORCED, GOTO("REPORT") },
    { TABLE_DEVIATION, 10, LENIENT | IPV4, "ip",
      FIND_MAC("NXM_OF_ETH_DST[]")","FIND_IPV4("NXM_OF_IP_DST[]")","
      GOTO("VERDICT") },
    { TABLE_DEVIATION, 10, LENIENT | IPV6, "ipv6",
      FIND_MAC("NXM_OF_ETH_DST[]")","FIND_IPV6("NXM_NX_IPV6_DST[]")","
      GOTO("VERDICT") },
    { TABLE_DEVIATION, 10, LENIENT | IPV4, "arp",
      FIND_MAC("NXM_OF_ETH_DST[]")","FIND_IPV4("NXM_OF_ARP_TPA[]")","
      GOTO("VERDICT") },
    { TABLE_DEVIATION, 0, LENIENT, "",
      FIND_MAC("NXM_OF_ETH_DST[]")","GOTO("VERDICT") },

    { TABLE_VERDICT, 100, LENIENT, ENFORCED, GOTO("REPORT") },
    { TABLE_VERDICT, 50, LENIENT, "ct_state=+new+trk",
      GOTO("REPORT")",load:1->NXM_NX_REG7[],"GOTO("COMMIT") },
    /* Answers are told with what they answer. */
    { TABLE_VERDICT, 45, LENIENT, "ct_state=+rpl+trk,ct_mark=1/0x7fffffff",
      GOTO("OUTPUT") },
    { TABLE_VERDICT, 40, LENIENT, "ct_state=+trk",
      GOTO("REPORT")","GOTO("OUTPUT") },
    { TABLE_VERDICT, 0, LENIENT, "",
      GOTO("REPORT")",load:0->NXM_NX_REG6[1],load:1->NXM_NX_REG6[5],"GOTO("SWITCH") },

    { TABLE_SWITCH, 100, ALWAYS, DIFFERS, DEVIATION(2) },
    { TABLE_SWITCH, 51, VLANS, UNMANAGED","MULTICAST","TAGGED,
      "clone(strip_vlan,"GOTO("FLOOD")"),"TO_OUTSIDE },
    { TABLE_SWITCH, 50, ALWAYS, MULTICAST, GOTO("FLOOD")","TO_OUTSIDE },
    { TABLE_SWITCH, 0, ALWAYS, "",
      FIND_MAC("NXM_OF_ETH_DST[]")","
      "move:NXM_NX_REG7[0..15]->NXM_NX_REG4[0..15],"GOTO("OUTPUT") },

    { TABLE_OUTPUT, 20, ALWAYS, MANAGED","OUTSIDE, "NORMAL" },
    { TABLE_OUTPUT, 20, ALWAYS, UNMANAGED","OUTSIDE, PASS },
    { TABLE_OUTPUT, 10, VLANS, TAGGED,
      "strip_vlan,output:NXM_NX_REG4[0..15]" },
    { TABLE_OUTPUT, 0, ALWAYS, "", "output:NXM_NX_REG4[0..15]" },

    /* A neighbor discovery message without a link-layer option. */
    { TABLE_MAC, 5, IPV6, "icmp6,reg12=0,reg13=0",
      "move:NXM_NX_REG3[0..15]->NXM_NX_REG7[0..15]" },
    /* The unspecified address is anybody's, as a source of DHCP (RFC 2131,
     * 4.1) and of duplicate address detection (RFC 5227, 2.1.1; RFC 4862,
     * 5.4), and has no class. */
    { TABLE_ADDRESS, 5, ALWAYS, "reg8=0,reg9=0,reg10=0/0xffff0000,reg11=0",
      "set_field:0->reg14,move:NXM_NX_REG3[0..15]->NXM_NX_REG7[0..15]" },
    /* The link-local address that a host makes of its MAC belongs to the
     * MAC's owner (RFC 4291, appendix A: ff:fe in the middle, and one bit
     * turned over). */
    { TABLE_ADDRESS, 5, IPV6, LINK_LOCAL("0x000000ff"), MAC_OF_LINK_LOCAL(1) },
    { TABLE_ADDRESS, 5, IPV6, LINK_LOCAL("0x020000ff"), MAC_OF_LINK_LOCAL(0) },

    /* The flow of COMPARE itself depends on the ports. */
#define DIFFERENT "load:1->NXM_NX_REG6[1]"
    { TABLE_SAME, 0, ALWAYS, "reg12=1/3", DIFFERENT },
    { TABLE_SAME, 0, ALWAYS, "reg12=2/3", DIFFERENT },
};

/* A connection that ran before the first push and whose server sends first
 * looks new, in the wrong direction: try the links the other way round.  A
 * TCP packet without SYN can open nothing.  REG_FLAGS says that this was
 * tried; at the second miss the classes are put back for the report. */
#define ADOPT                                                           \
    "load:1->NXM_NX_REG6[3],"SWAP_CLASSES","SWAP_PORTS","GOTO("LINK")

static const struct fixed_flow adoption_flows[] = {
    { TABLE_LINK, 4, ALWAYS, "ct_state=+new+trk,reg6=8/8",
      "load:0->NXM_NX_REG6[3],"SWAP_CLASSES","DEVIATION(1) },
    { TABLE_LINK, 3, IPV4, "ct_state=+new+trk,tcp,tcp_flags=-syn", ADOPT },
    { TABLE_LINK, 3, IPV6, "ct_state=+new+trk,tcp6,tcp_flags=-syn", ADOPT },
    { TABLE_LINK, 3, IPV4, "ct_state=+new+trk,udp", ADOPT },
    { TABLE_LINK, 3, IPV6, "ct_state=+new+trk,udp6", ADOPT },
};

static void
add(struct flow_set *set, const struct fixed_flow *flow, size_t id,
    enum origin_kind kind, uint16_t hard_timeout)
{
    uint8_t table = flow->table == ENTRY
                    ? ENTRY_TABLE : set->table_base + flow->table;
    uint64_t cookie = COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT
                      | id;
    char *text = xasprintf("%s%sactions=%s", flow->match,
                           flow->match[0] ? "," : "", flow->actions);
    struct flow_record *record = flow_set_add_text(set, table, flow->priority,
                                                   cookie, text);
    record->origin.kind = kind;
    record->hard_timeout = hard_timeout;
    free(text);
}

/* COMPARE: two port numbers, bit by bit, for OpenFlow cannot match one field
 * against another.  Only as many bits as the ports of workloads have. */
static void
add_compare(struct flow_set *set, uint16_t last_port)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&s, "actions=move:NXM_NX_REG7[0..15]->NXM_NX_REG5[0..15]");
    for (int bit = 0; bit < 16 && last_port >> bit; bit++) {
        ds_put_format(&s, ",move:NXM_NX_REG5[%d]->NXM_NX_REG12[0],"
                      "move:NXM_NX_REG5[%d]->NXM_NX_REG12[1],"GOTO("SAME"),
                      bit, bit + 16);
    }
    flow_set_add_text(set, set->table_base + TABLE_COMPARE, 0,
                      COOKIE_PREFIX | ARRAY_SIZE(fixed_flows), ds_cstr(&s));
    ds_destroy(&s);
}

static int
to_bits(const struct pipeline_needs *needs)
{
    return (needs->ipv4 ? IPV4 : 0) | (needs->ipv6 ? IPV6 : 0)
           | (needs->vlans ? VLANS : 0) | (needs->sctp ? SCTP : 0)
           | (needs->lenient ? LENIENT : STRICT);
}

void
pipeline_add_flows(struct flow_set *set, const struct pipeline_needs *needs)
{
    int have = to_bits(needs);
    for (size_t i = 0; i < ARRAY_SIZE(fixed_flows); i++) {
        if (!(fixed_flows[i].need & ~have)) {
            add(set, &fixed_flows[i], i, ORIGIN_PIPELINE, 0);
        }
    }
    add_compare(set, needs->last_port);
}

void
pipeline_add_adoption(struct flow_set *set,
                      const struct pipeline_needs *needs, uint16_t seconds)
{
    int have = to_bits(needs);
    for (size_t i = 0; i < ARRAY_SIZE(adoption_flows); i++) {
        if (!(adoption_flows[i].need & ~have)) {
            add(set, &adoption_flows[i], i, ORIGIN_ADOPT, seconds);
        }
    }
}
