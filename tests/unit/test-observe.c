/* observe*.c: history as real tools write it becomes observations. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pcap/pcap.h>

#include "dp-packet.h"
#include "flow.h"
#include "model.h"
#include "observe.h"
#include "packets.h"
#include "util.h"

#define NOW 1000

static char path[] = "/tmp/sdfw-observe-XXXXXX";

/* What was read from a file, each as one line. */
struct seen {
    struct observations observations;
    struct observe_result result;
    char *error;
};

static void
observe_path(struct seen *seen)
{
    static const struct observe_defaults defaults = {
        .observer = "hv1", .segment = "default", .time = NOW,
    };
    observations_init(&seen->observations);
    seen->error = observe_file(path, &defaults, &seen->observations,
                               &seen->result);
}

static void
observe_text(struct seen *seen, const char *text)
{
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
    observe_path(seen);
}

static void
seen_destroy(struct seen *seen)
{
    free(seen->error);
    observations_destroy(&seen->observations);
    observe_result_destroy(&seen->result);
}

static char *
to_string(const struct observation *o)
{
    char *src = address_to_string(&o->src.address);
    char *dst = address_to_string(&o->dst.address);
    char *text = xasprintf("%s %s:%u %s:%u %u%s%s x%"PRIu64"/%"PRIu64
                           "/%"PRIu64, o->segment, src, o->src_port, dst,
                           o->dst_port, o->protocol,
                           o->opener_known ? "" : " undecided",
                           o->n_unanswered ? " unanswered" : "",
                           o->n_connections, o->n_packets, o->n_bytes);
    free(src);
    free(dst);
    return text;
}

/* Fails unless the 'n' observations are there, in any order. */
static void
expect(const struct seen *seen, const char *const expected[], size_t n)
{
    if (seen->error) {
        fail_msg("%s", seen->error);
    }
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t j = 0; j < seen->observations.n; j++) {
            char *text = to_string(&seen->observations.all[j]);
            found |= !strcmp(text, expected[i]);
            free(text);
        }
        if (!found) {
            for (size_t j = 0; j < seen->observations.n; j++) {
                print_error("%s\n", to_string(&seen->observations.all[j]));
            }
            fail_msg("no \"%s\"", expected[i]);
        }
    }
    assert_int_equal(seen->observations.n, n);
}

static void
test_conntrack(void **state OVS_UNUSED)
{
    static const char text[] =
        "conntrack v1.4.7 (conntrack-tools): 6 flow entries have been shown.\n"
        "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40000 "
        "dport=443 packets=7 bytes=800 src=10.0.0.2 dst=10.0.0.1 sport=443 "
        "dport=40000 packets=5 bytes=4000 [ASSURED] mark=0 zone=4106 use=1\n"
        "tcp      6 119 SYN_SENT src=10.0.0.1 dst=10.0.0.3 sport=40001 "
        "dport=22 [UNREPLIED] src=10.0.0.3 dst=10.0.0.1 sport=22 dport=40001 "
        "mark=0 use=1\n"
        "ipv6     10 udp      17 29 src=fd00::1 dst=fd00::2 sport=40002 "
        "dport=53 src=fd00::2 dst=fd00::1 sport=53 dport=40002 use=1\n"
        "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=5 "
        "src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=5 mark=0 use=1\n"
        "unknown  47 599 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 "
        "dst=10.0.0.1 mark=0 use=1\n"
        "tcp      6 10 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=40003 "
        "dport=80 src=127.0.0.1 dst=127.0.0.1 sport=80 dport=40003 use=1\n"
        /* Translated: the client's view counts. */
        "tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.9 sport=40004 "
        "dport=80 src=10.0.0.2 dst=10.0.0.1 sport=8080 dport=40004 use=1\n"
        "tcp      6 9 ESTABLISHED src=10.0.0.1 sport=40004 dport=80\n"
        "tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40004\n"
        "\n";
    struct seen seen;
    observe_text(&seen, text);
    static const char *const expected[] = {
        "vlan:10 10.0.0.1:40000 10.0.0.2:443 6 x1/12/4800",
        "default 10.0.0.1:40001 10.0.0.3:22 6 unanswered x1/0/0",
        "default fd00::1:40002 fd00::2:53 17 x1/0/0",
        "default 10.0.0.1:0 10.0.0.2:8 1 x1/0/0",
        "default 10.0.0.1:0 10.0.0.2:0 47 unanswered x1/0/0",
        "default 10.0.0.1:40004 10.0.0.9:80 6 x1/0/0",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    assert_string_equal(seen.result.format, "conntrack");
    assert_int_equal(seen.result.n_other, 1);
    assert_int_equal(seen.result.n_bad, 2);
    assert_true(strstr(seen.result.bad[0], ":9: no src= and dst="));
    assert_true(strstr(seen.result.bad[1], ":10: no sport= and dport="));
    assert_true(seen.observations.all[0].cumulative);
    seen_destroy(&seen);
}

static void
test_dump_conntrack(void **state OVS_UNUSED)
{
    static const char text[] =
        "tcp,orig=(src=10.7.0.11,dst=10.7.0.21,sport=51846,dport=8080),"
        "reply=(src=10.7.0.21,dst=10.7.0.11,sport=8080,dport=51846),zone=1,"
        "mark=3221225473,protoinfo=(state=ESTABLISHED)\n"
        "tcp,orig=(src=10.7.0.11,dst=10.7.0.21,sport=51847,dport=22),"
        "reply=(src=10.7.0.21,dst=10.7.0.11,sport=22,dport=51847),zone=1,"
        "mark=1,protoinfo=(state=SYN_SENT)\n"
        "icmpv6,orig=(src=fd07::11,dst=fd07::21,id=3,type=128,code=0),"
        "reply=(src=fd07::21,dst=fd07::11,id=3,type=129,code=0),zone=9000\n"
        "sctp,orig=(src=10.7.0.11,dst=10.7.0.21,sport=0,dport=0),"
        "reply=(src=10.7.0.21,dst=10.7.0.11,sport=0,dport=0),zone=1\n"
        "47,orig=(src=10.7.0.11,dst=10.7.0.21,sport=0,dport=0),"
        "reply=(src=10.7.0.21,dst=10.7.0.11,sport=0,dport=0),zone=1,mark=1\n";
    struct seen seen;
    observe_text(&seen, text);
    static const char *const expected[] = {
        "default 10.7.0.11:51846 10.7.0.21:8080 6 x1/0/0",
        "default 10.7.0.11:51847 10.7.0.21:22 6 unanswered x1/0/0",
        "zone:9000 fd07::11:0 fd07::21:128 58 x1/0/0",
        "default 10.7.0.11:0 10.7.0.21:0 47 x1/0/0",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    assert_int_equal(seen.result.n_other, 1);
    assert_int_equal(seen.result.n_bad, 0);
    seen_destroy(&seen);
}

static void
test_json(void **state OVS_UNUSED)
{
    static const char text[] =
        "{\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"protocol\":\"tcp\","
        "\"port\":443,\"connections\":7,\"packets\":70,\"bytes\":700,"
        "\"vlan\":10,\"first_seen\":\"2026-01-31T08:00:00Z\","
        "\"last_seen\":\"2026-01-31T09:00:00+00:00\",\"observer\":\"hv9\"}\n"
        "{\"src\":\"fd00::1\",\"dst\":\"fd00::2\",\"protocol\":58,"
        "\"type\":128,\"src_mac\":\"52:54:00:00:00:01\"}\n"
        "# A remark.\n"
        "{\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"protocol\":\"tcp\"}\n"
        "{\"src\":\"10.0.0.1\",\"dst\":\"web\",\"protocol\":\"tcp\","
        "\"port\":443}\n"
        "{\"src\":\"10.0.0.1\",\n";
    struct seen seen;
    observe_text(&seen, text);
    static const char *const expected[] = {
        "vlan:10 10.0.0.1:0 10.0.0.2:443 6 x7/70/700",
        "default fd00::1:0 fd00::2:128 58 x1/0/0",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    const struct observation *o = &seen.observations.all[0];
    assert_string_equal(o->observer, "hv9");
    assert_int_equal(o->first, 1769846400);
    assert_int_equal(o->last, 1769850000);
    assert_false(o->cumulative);
    assert_false(eth_addr_is_zero(seen.observations.all[1].src.mac));
    assert_int_equal(seen.result.n_bad, 3);
    assert_true(strstr(seen.result.bad[0], ":4: no \"port\""));
    assert_true(strstr(seen.result.bad[1], ":5: \"dst\" should be"));
    assert_true(strstr(seen.result.bad[2], ":6: not JSON"));
    seen_destroy(&seen);
}

/* As sdfwd writes them: see docs/deviations.md. */
static void
test_records(void **state OVS_UNUSED)
{
    static const char record[] =
        "{\"bridge\":\"br0\",\"bytes\":54,\"dst\":{\"address\":\"10.7.0.31\","
        "\"application\":\"shop\",\"mac\":\"02:00:00:00:03:01\",\"mode\":"
        "\"learn\",\"service\":\"db\",\"workload\":\"db1\"},\"dst_port\":22,"
        "\"eth_type\":\"0x0800\",\"event\":\"%s\",\"first_seen\":"
        "\"2026-11-25T04:16:54.384Z\",\"id\":1,\"in_port\":1,\"interface\":"
        "\"web1\",\"last_seen\":\"2026-11-25T04:16:54.384Z\",\"level\":"
        "\"%s\",\"mode\":\"learn\",\"packets\":%d,\"protocol\":6,\"reason\":"
        "\"%s\",\"segment\":\"blue\",\"src\":{\"address\":\"10.7.0.11\","
        "\"application\":\"shop\",\"mac\":\"02:00:00:00:01:01\",\"service\":"
        "\"web\",\"workload\":\"web1\"},\"src_port\":40000,\"tcp_flags\":"
        "\"%s\",\"time\":\"2026-11-25T04:16:54.384Z\",\"verdict\":\"pass\"}";
    char *open = xasprintf(record, "open", "tuple", 1, "no-link", "syn");
    char *close = xasprintf(record, "close", "tuple", 9, "no-link", "syn");
    char *spoof = xasprintf(record, "open", "tuple", 1, "spoof", "syn");
    char *folded = xasprintf(record, "open", "pair", 1, "no-link", "syn");
    char *answer = xasprintf(record, "open", "tuple", 1, "no-link",
                             "syn|ack");
    char *text = xasprintf("%s\n%s\n%s\n%s\n%s\n{\"event\":\"dropped\","
                           "\"records\":7}\n", open, close, spoof, folded,
                           answer);
    struct seen seen;
    observe_text(&seen, text);
    static const char *const expected[] = {
        "blue 10.7.0.11:40000 10.7.0.31:22 6 x1/1/54",
        "blue 10.7.0.11:40000 10.7.0.31:22 6 x1/9/54",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    const struct observation *o = &seen.observations.all[0];
    assert_true(o->cumulative);
    assert_string_equal(o->observer, "hv1/br0");
    assert_string_equal(o->src.name, "shop/web/web1");
    assert_int_equal(seen.result.n_other, 4);
    assert_int_equal(seen.result.n_bad, 0);
    seen_destroy(&seen);
    free(open);
    free(close);
    free(spoof);
    free(folded);
    free(answer);
    free(text);
}

/* Captures. */

static pcap_t *pcap;
static pcap_dumper_t *dumper;

static void
begin_capture(void)
{
    pcap = pcap_open_dead(DLT_EN10MB, 65535);
    dumper = pcap_dump_open(pcap, path);
    assert_non_null(dumper);
}

static void
end_capture(void)
{
    pcap_dump_close(dumper);
    pcap_close(pcap);
}

struct frame {
    uint8_t src, dst;           /* Last byte of the address. */
    uint8_t protocol;
    uint16_t src_port, dst_port;
    uint16_t flags;
    uint16_t vlan;
    long int time;
    uint8_t fragment;           /* FLOW_NW_FRAG_*. */
    bool cut;                   /* Only the headers were captured. */
};

#define FRAME(SRC, DST, PROTOCOL, SRC_PORT, DST_PORT, ...)                  \
    ((struct frame) { .src = SRC, .dst = DST, .protocol = PROTOCOL,         \
                      .src_port = SRC_PORT, .dst_port = DST_PORT,           \
                      __VA_ARGS__ })

static void
capture(struct frame f)
{
    struct flow flow;
    memset(&flow, 0, sizeof flow);
    flow.dl_type = htons(ETH_TYPE_IP);
    flow.dl_src = (struct eth_addr) ETH_ADDR_C(52,54,00,00,00,00);
    flow.dl_dst = flow.dl_src;
    flow.dl_src.ea[5] = f.src;
    flow.dl_dst.ea[5] = f.dst;
    flow.nw_src = htonl(0x0a000000 + f.src);
    flow.nw_dst = htonl(0x0a000000 + f.dst);
    flow.nw_proto = f.protocol;
    flow.nw_ttl = 64;
    flow.nw_frag = f.fragment;
    flow.tp_src = htons(f.src_port);
    flow.tp_dst = htons(f.dst_port);
    flow.tcp_flags = htons(f.flags);
    if (f.vlan) {
        flow.vlans[0].tpid = htons(ETH_TYPE_VLAN_8021Q);
        flow.vlans[0].tci = htons(f.vlan | VLAN_CFI);
    }
    struct dp_packet packet;
    dp_packet_init(&packet, 0);
    flow_compose(&packet, &flow, "payload of a packet", 19);
    struct pcap_pkthdr header = {
        .ts.tv_sec = f.time, .caplen = dp_packet_size(&packet),
        .len = dp_packet_size(&packet),
    };
    if (f.cut) {
        header.caplen -= 15;
    }
    pcap_dump((void *) dumper, &header, dp_packet_data(&packet));
    dp_packet_uninit(&packet);
}

static void
test_capture_tcp(void **state OVS_UNUSED)
{
    begin_capture();
    /* Opened, answered, closed; then again from the same port. */
    capture(FRAME(1, 2, 6, 40000, 443, .flags = TCP_SYN));
    capture(FRAME(2, 1, 6, 443, 40000, .flags = TCP_SYN | TCP_ACK));
    capture(FRAME(1, 2, 6, 40000, 443, .flags = TCP_ACK | TCP_FIN));
    capture(FRAME(1, 2, 6, 40000, 443, .flags = TCP_SYN, .time = 9));
    capture(FRAME(2, 1, 6, 443, 40000, .flags = TCP_SYN | TCP_ACK, .time = 9));
    /* The capture lacks the SYN, but the answer tells as well. */
    capture(FRAME(3, 4, 6, 80, 33, .flags = TCP_SYN | TCP_ACK));
    /* Refused; twice tried without an answer; only the middle. */
    capture(FRAME(1, 2, 6, 40001, 22, .flags = TCP_SYN));
    capture(FRAME(2, 1, 6, 22, 40001, .flags = TCP_RST | TCP_ACK));
    capture(FRAME(1, 2, 6, 40002, 23, .flags = TCP_SYN));
    capture(FRAME(1, 2, 6, 40002, 23, .flags = TCP_SYN, .time = 1));
    capture(FRAME(5, 6, 6, 40003, 80, .flags = TCP_ACK));
    end_capture();
    struct seen seen;
    observe_path(&seen);
    static const char *const expected[] = {
        "default 10.0.0.1:40000 10.0.0.2:443 6 x1/3/162",
        "default 10.0.0.1:40000 10.0.0.2:443 6 x1/2/108",
        "default 10.0.0.4:33 10.0.0.3:80 6 x1/1/54",
        "default 10.0.0.1:40001 10.0.0.2:22 6 unanswered x1/2/108",
        "default 10.0.0.1:40002 10.0.0.2:23 6 unanswered x1/2/108",
        "default 10.0.0.5:40003 10.0.0.6:80 6 undecided x1/1/73",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    assert_string_equal(seen.result.format, "pcap");
    seen_destroy(&seen);
}

static void
test_capture_others(void **state OVS_UNUSED)
{
    begin_capture();
    capture(FRAME(1, 2, 17, 40000, 53, .vlan = 10));
    capture(FRAME(2, 1, 17, 53, 40000, .vlan = 10, .cut = true));
    capture(FRAME(1, 2, 1, 8, 0,));
    capture(FRAME(2, 1, 1, 0, 0,));
    capture(FRAME(4, 3, 1, 0, 0,));  /* Only the answer. */
    capture(FRAME(2, 1, 1, 3, 1,));
    capture(FRAME(1, 2, 17, 40001, 2049, .fragment = FLOW_NW_FRAG_ANY));
    capture(FRAME(1, 2, 17, 0, 0,
                  .fragment = FLOW_NW_FRAG_ANY | FLOW_NW_FRAG_LATER));
    end_capture();
    struct seen seen;
    observe_path(&seen);
    static const char *const expected[] = {
        "vlan:10 10.0.0.1:40000 10.0.0.2:53 17 undecided x1/2/130",
        "default 10.0.0.1:8 10.0.0.2:8 1 x1/2/122",
        "default 10.0.0.3:8 10.0.0.4:8 1 unanswered x1/1/61",
        "default 10.0.0.1:40001 10.0.0.2:2049 17 undecided unanswered "
        "x1/1/61",
    };
    expect(&seen, expected, ARRAY_SIZE(expected));
    assert_int_equal(seen.result.n_other, 2);
    seen_destroy(&seen);
}

static void
refused(const char *text, const char *expected)
{
    struct seen seen;
    observe_text(&seen, text);
    assert_non_null(seen.error);
    if (!strstr(seen.error, expected) || !strstr(seen.error, path)) {
        fail_msg("\"%s\" lacks \"%s\" or the name", seen.error, expected);
    }
    seen_destroy(&seen);
}

static void
test_refused(void **state OVS_UNUSED)
{
    refused("", "is empty");
    refused("Dear all,\nwhere are the logs?\n", ":1: no protocol in it");
    refused("{}\n", "\"src\" should be an address");
    refused("\x1f\x8b" "packed", "is compressed");
    refused("\n\n# nothing\n", "has no packet or line");
    refused("\xd4\xc3\xb2\xa1" "cut off", path);
}

static int
clean_up(void **state OVS_UNUSED)
{
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conntrack),
        cmocka_unit_test(test_dump_conntrack),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_capture_tcp),
        cmocka_unit_test(test_capture_others),
        cmocka_unit_test(test_refused),
    };
    close(mkstemp(path));
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
