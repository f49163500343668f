/* The flows that tell sdfwd of deviations, in the syntax of ovs-ofctl(8).
 *
 * DEVIATION and VERDICT send every deviating packet through REPORT.  A packet
 * of a new tuple makes "learn" add a flow that absorbs, and counts, what
 * follows, and goes to the controller; when the learned flow ends, sdfwd gets
 * its counts.  The learned flow stands in the table whose flow learned it, at
 * a higher priority: were it looked up later, each packet would learn it anew.
 * It ends when no packet has come for some time.  With a hard timeout, packets
 * that Open vSwitch still had to count when the flow ended would count for the
 * flow that learns, and be in no record.
 *
 * The number of learned flows is limited.  Beyond, REPORT_PAIR learns by the
 * two hosts, then REPORT_SOURCE by the port that the packet came from, so a
 * scan folds into few flows.  There are so few ports that the last needs no
 * limit.  What goes to the controller passes a meter.
 *
 * Open vSwitch counts "limit" by the cookie of what was learned, and goes
 * through all flows with that cookie to do so, each time.  Every workload has
 * a cookie of its own, so a noisy one takes nothing from a quiet one, and
 * learning stays fast; and a meter of its own. */

#include "pipeline.h"

#include <stdlib.h>

#include <openvswitch/ofp-actions.h>

#include "byte-order.h"
#include "flow.h"
#include "flows.h"
#include "ports.h"
#include "util.h"

#define KEY(PROTO, FIELD, BITS)                                         \
    "load:"PROTO"->NXM_NX_REG5[16..31],load:0->NXM_NX_REG5[0..15],"     \
    "move:"FIELD"[]->NXM_NX_REG5[0.."BITS"],resubmit(,REPORT_TUPLE)"
#define KEY_OTHER                                                       \
    "set_field:0->reg5,move:NXM_OF_IP_PROTO[]->NXM_NX_REG5[16..23],"    \
    "resubmit(,REPORT_TUPLE)"

static const struct {
    uint16_t priority;
    const char *match;
    const char *actions;
} key_flows[] = {
    { 20, "tcp", KEY("6", "NXM_OF_TCP_DST", "15") },
    { 20, "tcp6", KEY("6", "NXM_OF_TCP_DST", "15") },
    { 20, "udp", KEY("17", "NXM_OF_UDP_DST", "15") },
    { 20, "udp6", KEY("17", "NXM_OF_UDP_DST", "15") },
    { 20, "sctp", KEY("132", "OXM_OF_SCTP_DST", "15") },
    { 20, "sctp6", KEY("132", "OXM_OF_SCTP_DST", "15") },
    { 20, "icmp", KEY("1", "NXM_OF_ICMP_TYPE", "7") },
    { 20, "icmp6", KEY("58", "NXM_NX_ICMPV6_TYPE", "7") },
    { 10, "ip", KEY_OTHER },
    { 10, "ipv6", KEY_OTHER },
    { 0, "", "resubmit(,REPORT_TUPLE)" },
};

#define IP_PAIR   "NXM_OF_ETH_TYPE[]=0x800,NXM_OF_IP_SRC[],NXM_OF_IP_DST[]"
#define IPV6_PAIR \
    "NXM_OF_ETH_TYPE[]=0x86dd,NXM_NX_IPV6_SRC[],NXM_NX_IPV6_DST[]"

static const struct learning_flow {
    enum table table;
    uint16_t priority;
    const char *match;
    const char *tuple;          /* What is learned besides port, segment,
                                 * reason and verdict. */
    bool own;                   /* Each workload has one. */
} learning_flows[] = {
    { TABLE_REPORT_TUPLE, 10, "ip", IP_PAIR",NXM_NX_REG5[]", true },
    { TABLE_REPORT_TUPLE, 10, "ipv6", IPV6_PAIR",NXM_NX_REG5[]", true },
    { TABLE_REPORT_TUPLE, 10, "arp",
      "NXM_OF_ETH_TYPE[]=0x806,NXM_OF_ARP_SPA[],NXM_OF_ARP_TPA[],"
      "NXM_OF_ETH_SRC[]", false },
    { TABLE_REPORT_TUPLE, 0, "", "NXM_OF_ETH_TYPE[],NXM_OF_ETH_SRC[]", false },

    { TABLE_REPORT_PAIR, 10, "ip", IP_PAIR, true },
    { TABLE_REPORT_PAIR, 10, "ipv6", IPV6_PAIR, true },
    { TABLE_REPORT_PAIR, 0, "", "NXM_OF_ETH_SRC[]", false },

    { TABLE_REPORT_SOURCE, 0, "", NULL, false },
};

/* Priorities: what was learned, what was just learned on its way to TELL, and
 * how much a workload's own flow is above that for all. */
#define PRIORITY_LEARNED 100
#define PRIORITY_TELL 1000
#define PRIORITY_OWN 5

/* Of the flow for all 'port' is 0. */
static uint64_t
cookie(enum origin_kind kind, uint16_t port, uint8_t id)
{
    return COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT
           | (uint64_t) port << 8 | id;
}

static void
add_text(struct flow_set *set, enum table table, uint16_t priority, uint8_t id,
         const char *text)
{
    flow_set_add_text(set, set->table_base + table, priority,
                      cookie(ORIGIN_REPORT, 0, id), text)->origin.kind
        = ORIGIN_REPORT;
}

static void
add_key_flow(struct flow_set *set, size_t i)
{
    char *text = xasprintf("%s%sactions=%s", key_flows[i].match,
                           key_flows[i].match[0] ? "," : "",
                           key_flows[i].actions);
    add_text(set, TABLE_REPORT, key_flows[i].priority, 50 + i, text);
    free(text);
}

static void
add_learning_flow(struct flow_set *set, size_t i,
                  const struct report_settings *settings)
{
    const struct learning_flow *flow = &learning_flows[i];
    int level = flow->table - TABLE_REPORT_TUPLE;
    int limit = level < ARRAY_SIZE(settings->limit) ? settings->limit[level]
                : 0;
    char *text = xasprintf(
        "%s%sactions=set_field:%d->reg7,"
        "learn(table=%d,priority=%d,idle_timeout=%d,cookie=0x%"PRIx64
        ",send_flow_rem,limit=%d,result_dst=NXM_NX_REG7[0],"
        "NXM_OF_IN_PORT[],NXM_NX_REG2[0..15],NXM_NX_REG6[16..23],"
        "NXM_NX_REG6[2]%s%s),"
        "resubmit(,%d)", flow->match, flow->match[0] ? "," : "", level << 1,
        set->table_base + flow->table, PRIORITY_LEARNED, settings->timeout_s,
        cookie(ORIGIN_LEARNED, 0, i), limit, flow->tuple ? "," : "",
        flow->tuple ? flow->tuple : "", set->table_base + flow->table + 1);
    add_text(set, flow->table, flow->priority, i, text);
    free(text);
}

static void
add_telling_flow(struct flow_set *set, const struct report_settings *settings)
{
    char *text = xasprintf("actions=controller(reason=action,max_len=%d,"
                           "meter_id=%"PRIu32")", REPORT_BYTES,
                           settings->meter);
    add_text(set, TABLE_TELL, 0, 100, text);
    free(text);
}

/* Adds flow 'i' of the set once more, for 'port' only, with a cookie and a
 * meter of its own.  Parsing its text anew would take ten times as long. */
static void
add_own(struct flow_set *set, size_t i, uint16_t port)
{
    const struct flow_record flow = set->flows[i];
    uint64_t own_cookie = flow.cookie | (uint64_t) port << 8;
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, &flow, &match, &ofpacts);
    match_set_in_port(&match, u16_to_ofp(port));
    struct ofpact *a;
    OFPACT_FOR_EACH (a, ofpacts.data, ofpacts.size) {
        if (a->type == OFPACT_LEARN) {
            struct ofpact_learn *learn = ofpact_get_LEARN(a);
            learn->cookie |= htonll((uint64_t) port << 8);
        } else if (a->type == OFPACT_CONTROLLER) {
            ofpact_get_CONTROLLER(a)->meter_id += port;
        }
    }
    flow_set_add(set, flow.table, flow.priority + PRIORITY_OWN, own_cookie,
                 &match, &ofpacts)->origin.kind = ORIGIN_REPORT;
    ofpbuf_uninit(&ofpacts);
}

void
pipeline_add_reports(struct flow_set *set,
                     const struct report_settings *settings,
                     const struct ports *ports)
{
    size_t own[ARRAY_SIZE(learning_flows) + 1], n_own = 0;
    for (size_t i = 0; i < ARRAY_SIZE(key_flows); i++) {
        add_key_flow(set, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(learning_flows); i++) {
        if (learning_flows[i].own) {
            own[n_own++] = set->n;
        }
        add_learning_flow(set, i, settings);
    }
    own[n_own++] = set->n;
    add_telling_flow(set, settings);
    add_text(set, TABLE_REPORT_PAIR, PRIORITY_TELL, 101,
             "reg7=1/1,actions=resubmit(,TELL)");
    add_text(set, TABLE_REPORT_SOURCE, PRIORITY_TELL, 102,
             "reg7=1/1,actions=resubmit(,TELL)");
    for (size_t i = 0; i < ports->n_workloads; i++) {
        for (size_t j = 0; ports->of_workload[i] && j < n_own; j++) {
            add_own(set, own[j], ports->of_workload[i]);
        }
    }
}
