/* The flows that tell sdfwd of deviations, in the syntax of ovs-ofctl(8).
 *
 * DEVIATION and VERDICT send every deviating packet through REPORT.  A packet
 * of a new tuple makes "learn" add a flow that absorbs, and counts, what
 * follows, and goes to the controller; when the learned flow ends, sdfwd gets
 * its counts.  The learned flow stands in the table whose flow learned it, at
 * a higher priority, so that its hard timeout is real: were it looked up
 * later, each packet would learn it anew.
 *
 * The number of learned flows is limited.  Beyond, REPORT_PAIR learns by the
 * two hosts, then REPORT_SOURCE by the port that the packet came from, so a
 * scan folds into few flows, and a quiet host is heard beside a noisy one.
 * What is left is counted by REPORT_REST.  What goes to the controller passes
 * a meter. */

#include "pipeline.h"

#include <stdlib.h>

#include "flows.h"
#include "util.h"

#define IP_TUPLE   "NXM_OF_IP_SRC[],NXM_OF_IP_DST[]"
#define IPV6_TUPLE "NXM_NX_IPV6_SRC[],NXM_NX_IPV6_DST[]"
#define ETH(TYPE)  "NXM_OF_ETH_TYPE[]="TYPE","
#define PROTO(N)   "NXM_OF_IP_PROTO[]="N","

struct report_flow {
    enum table table;
    uint16_t priority;
    const char *match;
    const char *tuple;          /* What is learned besides port, segment and
                                 * reason. */
};

static const struct report_flow report_flows[] = {
    { TABLE_REPORT, 20, "tcp",
      ETH("0x800") PROTO("6") IP_TUPLE",NXM_OF_TCP_DST[]" },
    { TABLE_REPORT, 20, "tcp6",
      ETH("0x86dd") PROTO("6") IPV6_TUPLE",NXM_OF_TCP_DST[]" },
    { TABLE_REPORT, 20, "udp",
      ETH("0x800") PROTO("17") IP_TUPLE",NXM_OF_UDP_DST[]" },
    { TABLE_REPORT, 20, "udp6",
      ETH("0x86dd") PROTO("17") IPV6_TUPLE",NXM_OF_UDP_DST[]" },
    { TABLE_REPORT, 20, "sctp",
      ETH("0x800") PROTO("132") IP_TUPLE",OXM_OF_SCTP_DST[]" },
    { TABLE_REPORT, 20, "sctp6",
      ETH("0x86dd") PROTO("132") IPV6_TUPLE",OXM_OF_SCTP_DST[]" },
    { TABLE_REPORT, 20, "icmp",
      ETH("0x800") PROTO("1") IP_TUPLE",NXM_OF_ICMP_TYPE[]" },
    { TABLE_REPORT, 20, "icmp6",
      ETH("0x86dd") PROTO("58") IPV6_TUPLE",NXM_NX_ICMPV6_TYPE[]" },
    { TABLE_REPORT, 10, "ip", ETH("0x800") "NXM_OF_IP_PROTO[],"IP_TUPLE },
    { TABLE_REPORT, 10, "ipv6", ETH("0x86dd") "NXM_OF_IP_PROTO[],"IPV6_TUPLE },
    { TABLE_REPORT, 10, "arp",
      ETH("0x806") "NXM_OF_ARP_SPA[],NXM_OF_ARP_TPA[],NXM_OF_ETH_SRC[]" },
    { TABLE_REPORT, 0, "", "NXM_OF_ETH_TYPE[],NXM_OF_ETH_SRC[]" },

    { TABLE_REPORT_PAIR, 10, "ip", ETH("0x800") IP_TUPLE },
    { TABLE_REPORT_PAIR, 10, "ipv6", ETH("0x86dd") IPV6_TUPLE },
    { TABLE_REPORT_PAIR, 0, "", "NXM_OF_ETH_SRC[]" },

    { TABLE_REPORT_SOURCE, 0, "", NULL },
};

static uint64_t
cookie(enum origin_kind kind, uint64_t id)
{
    return COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT | id;
}

static void
add_learning(struct flow_set *set, size_t i,
             const struct report_settings *settings)
{
    const struct report_flow *flow = &report_flows[i];
    int level = flow->table - TABLE_REPORT;
    char *text = xasprintf(
        "%s%sactions=load:0->NXM_NX_REG7[0],"
        "learn(table=%d,priority=100,hard_timeout=%d,cookie=0x%"PRIx64
        ",send_flow_rem,limit=%d,result_dst=NXM_NX_REG7[0],"
        "NXM_OF_IN_PORT[],NXM_NX_REG2[0..15],NXM_NX_REG6[16..23]%s%s),"
        "resubmit(,%d)", flow->match, flow->match[0] ? "," : "",
        set->table_base + flow->table, settings->timeout_s[level],
        cookie(ORIGIN_LEARNED, i), settings->limit[level],
        flow->tuple ? "," : "", flow->tuple ? flow->tuple : "",
        set->table_base + flow->table + 1);
    struct flow_record *record = flow_set_add_text(
        set, set->table_base + flow->table, flow->priority,
        cookie(ORIGIN_REPORT, i), text);
    record->origin.kind = ORIGIN_REPORT;
    free(text);
}

/* What was learned in the table before goes to the controller. */
static void
add_telling(struct flow_set *set, enum table table, uint32_t meter)
{
    char *text = xasprintf("reg7=1/1,actions=controller(reason=action,"
                           "max_len=%d,meter_id=%"PRIu32")",
                           REPORT_BYTES, meter);
    struct flow_record *record = flow_set_add_text(
        set, set->table_base + table, 1000, cookie(ORIGIN_REPORT, 100 + table),
        text);
    record->origin.kind = ORIGIN_REPORT;
    free(text);
}

void
pipeline_add_reports(struct flow_set *set,
                     const struct report_settings *settings)
{
    for (size_t i = 0; i < ARRAY_SIZE(report_flows); i++) {
        add_learning(set, i, settings);
    }
    add_telling(set, TABLE_REPORT_PAIR, settings->meter);
    add_telling(set, TABLE_REPORT_SOURCE, settings->meter);
    add_telling(set, TABLE_REPORT_REST, settings->meter);
    struct flow_record *rest = flow_set_add_text(
        set, set->table_base + TABLE_REPORT_REST, 0,
        cookie(ORIGIN_REPORT, 100), "actions=drop");
    rest->origin.kind = ORIGIN_REPORT;
}
