/* learn*.c and direction.c: history becomes links, or is set aside. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "check.h"
#include "direction.h"
#include "learn.h"
#include "manifest.h"
#include "packets.h"
#include "util.h"
#include "values.h"

#define TCP 6
#define UDP 17

/* A history that is written down by hand. */

static struct history history;
static const struct learn_options no_options;

static int
set_up(void **state OVS_UNUSED)
{
    history = (struct history) { .ends = NULL };
    return 0;
}

static int
tear_down(void **state OVS_UNUSED)
{
    history_destroy(&history);
    return 0;
}

static uint32_t
end_of(const char *text)
{
    struct in6_addr address;
    assert_true(value_parse_address(text, &address));
    for (size_t i = 0; i < history.n_ends; i++) {
        if (IN6_ARE_ADDR_EQUAL(&history.ends[i].address, &address)) {
            return i;
        }
    }
    history.ends = xrealloc(history.ends, (history.n_ends + 1)
                            * sizeof *history.ends);
    history.ends[history.n_ends] = (struct history_end) {
        .segment = xstrdup("default"), .address = address,
    };
    return history.n_ends++;
}

static struct history_entry *
saw(const char *client, const char *server, uint8_t protocol, uint16_t port,
    uint64_t n_connections)
{
    uint32_t from = end_of(client), to = end_of(server);
    history.entries = xrealloc(history.entries, (history.n_entries + 1)
                               * sizeof *history.entries);
    history.entries[history.n_entries] = (struct history_entry) {
        .client = from, .server = to, .protocol = protocol, .port = port,
        .n_connections = n_connections, .first = 1000, .last = 8200,
    };
    return &history.entries[history.n_entries++];
}

static void
saw_tuple(const char *a, uint16_t a_port, const char *b, uint16_t b_port,
          uint8_t protocol)
{
    uint32_t from = end_of(a), to = end_of(b);
    history.tuples = xrealloc(history.tuples, (history.n_tuples + 1)
                              * sizeof *history.tuples);
    history.tuples[history.n_tuples++] = (struct history_tuple) {
        .a = from, .b = to, .a_port = a_port, .b_port = b_port,
        .protocol = protocol, .first = 1000, .last = 8200,
    };
}

/* The topology in 'text'; fails if there is an error, or with 'strict' also
 * after a warning. */
static struct topology *
read_manifest(const char *text, size_t len, bool strict)
{
    char path[] = "/tmp/sdfw-learn-XXXXXX.xml";
    int fd = mkstemps(path, 4);
    assert_true(write(fd, text, len) == len);
    close(fd);
    const char *paths[] = { path };
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(paths, 1, &report);
    if (topology && strict) {
        check_topology(topology, 0, &report);
    }
    report_print(&report, stderr);
    assert_int_equal(report.n_errors + report.n_warnings, 0);
    report_destroy(&report);
    unlink(path);
    return topology;
}

/* web (10.0.0.11 to 13) may reach db (10.0.0.31) on tcp/5432. */
static struct topology *
shop(void)
{
    static const char text[] =
        "<manifest xmlns='urn:ovs-sdfw:manifest:1' version='1'>"
        "<network name='office'><prefix>192.0.2.0/24</prefix></network>"
        "<application name='shop'><service name='web'>"
        "<workload name='web-1' interface='a'><mac>02:00:00:00:00:11</mac>"
        "<address>10.0.0.11</address></workload>"
        "<workload name='web-2' interface='b'><mac>02:00:00:00:00:12</mac>"
        "<address>10.0.0.12</address></workload>"
        "<workload name='web-3' interface='c'><mac>02:00:00:00:00:13</mac>"
        "<address>10.0.0.13</address></workload></service>"
        "<service name='db'>"
        "<workload name='db-1' interface='d'><mac>02:00:00:00:00:31</mac>"
        "<address>10.0.0.31</address></workload></service>"
        "<link from='web' to='db'><tcp port='5432'/></link></application>"
        "<application name='logs'><service name='log'>"
        "<workload name='log-1' interface='e'><mac>02:00:00:00:00:41</mac>"
        "<address>10.0.0.41</address></workload></service></application>"
        "</manifest>";
    return read_manifest(text, sizeof text - 1, false);
}

/* What was learned, one thing a line. */
static char *
to_string(const struct learned *learned)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < learned->n_links; i++) {
        const struct learned_link *link = &learned->links[i];
        char *from = endpoint_to_string(&link->from);
        char *to = endpoint_to_string(&link->to);
        char *what = opening_to_string(&link->opening);
        ds_put_format(&s, "%s -> %s %s\n", from, to, what);
        free(from);
        free(to);
        free(what);
    }
    for (size_t i = 0; i < learned->n_asides; i++) {
        const struct aside *a = &learned->asides[i];
        ds_put_format(&s, "aside %s -> %s %s: %.12s\n", a->from, a->to,
                      a->what, a->why);
    }
    return ds_steal_cstr(&s);
}

static void
expect(bool per_workload, const char *expected)
{
    struct learned learned;
    history_settle(&history);
    learn(&history, shop(), &(struct learn_options) {
        .per_workload = per_workload,
    }, &learned);
    char *text = to_string(&learned);
    assert_string_equal(text, expected);
    free(text);
    learned_destroy(&learned);
}

static void
test_services(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 22, 5);
    saw("10.0.0.12", "10.0.0.31", TCP, 22, 7);
    saw("10.0.0.11", "10.0.0.31", TCP, 5432, 99); /* There is a link. */
    saw("10.0.0.31", "10.0.0.41", UDP, 514, 3);
    saw("198.51.100.1", "198.51.100.2", TCP, 80, 3); /* Not ours. */
    struct learned learned;
    learn(&history, shop(), &no_options, &learned);
    char *text = to_string(&learned);
    assert_string_equal(text, "shop/db -> logs/log udp/514\n"
                        "shop/web -> shop/db tcp/22\n");
    assert_int_equal(learned.n_covered, 1);
    assert_int_equal(learned.n_foreign, 1);
    assert_string_equal(learned.links[1].reason,
                        "12 connections from 1970-01-01T00:16:40Z to "
                        "1970-01-01T02:16:40Z: 2 of 3 web to 1 of 1 db");
    free(text);
    learned_destroy(&learned);
}

static void
test_per_workload(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 22, 5);
    saw("10.0.0.12", "10.0.0.31", TCP, 22, 7);
    expect(true, "shop/web.web-1 -> shop/db.db-1 tcp/22\n"
           "shop/web.web-2 -> shop/db.db-1 tcp/22\n");
}

static void
test_set_aside(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 23, 5)->n_unanswered = 5;
    saw("10.0.0.11", "10.0.0.31", TCP, 25, 5)->n_unanswered = 4;
    saw("10.0.0.11", "10.0.0.31", UDP, 514, 5)->n_unanswered = 5;
    saw("10.0.0.11", "224.0.0.251", UDP, 5353, 5);
    saw("10.0.0.11", "255.255.255.255", UDP, 67, 5);
    expect(false, "shop/web -> shop/db tcp/25\n"
           "shop/web -> shop/db udp/514\n"
           "aside shop/web/web-1 -> 224.0.0.251 udp/5353: multicast or\n"
           "aside shop/web/web-1 -> 255.255.255.255 udp/67: DHCP: client\n"
           "aside shop/web/web-1 -> shop/db/db-1 tcp/23: never answer\n");
}

static void
test_seen_once(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 22, 1)->last = 1010;
    saw("10.0.0.11", "10.0.0.31", TCP, 80, 1); /* But for two hours. */
    saw("10.0.0.11", "10.0.0.41", TCP, 22, 1)->last = 1010;
    saw("10.0.0.12", "10.0.0.41", TCP, 22, 1)->last = 1010;
    expect(false, "shop/web -> logs/log tcp/22\n"
           "shop/web -> shop/db tcp/80\n"
           "aside shop/web/web-1 -> shop/db/db-1 tcp/22: seen only on\n");
}

static void
test_networks(void **state OVS_UNUSED)
{
    /* A network of the topology. */
    saw("192.0.2.7", "10.0.0.11", TCP, 443, 5);
    /* Few public addresses, and many. */
    saw("10.0.0.11", "198.51.100.1", TCP, 25, 5);
    saw("10.0.0.11", "198.51.100.2", TCP, 25, 5);
    saw("203.0.113.1", "10.0.0.11", TCP, 80, 5);
    saw("198.51.100.1", "10.0.0.12", TCP, 80, 5);
    saw("8.8.8.8", "10.0.0.12", TCP, 80, 5);
    saw("2001:db8::1", "10.0.0.12", TCP, 80, 5);
    /* Private ones: alone, and neighbors. */
    saw("172.16.1.1", "10.0.0.31", TCP, 22, 5);
    saw("172.16.1.2", "10.0.0.31", TCP, 9, 5);
    saw("172.16.1.3", "10.0.0.31", TCP, 9, 5);
    saw("172.16.1.4", "10.0.0.31", TCP, 9, 5);
    expect(false, "at-172.16.1.1 -> shop/db tcp/22\n"
           "internet -> shop/web tcp/80\n"
           "net-172.16.1.0-24 -> shop/db tcp/9\n"
           "office -> shop/web tcp/443\n"
           "shop/web -> at-198.51.100.1 tcp/25\n"
           "shop/web -> at-198.51.100.2 tcp/25\n");
}

/* Passive FTP: the clients are told the port on port 21. */
static void
test_ports_handed_out(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 21, 20);
    for (int i = 0; i < 12; i++) {
        saw("10.0.0.11", "10.0.0.31", TCP, 40000 + 7 * i, 1);
    }
    expect(false, "shop/web -> shop/db tcp/21\n"
           "shop/web -> shop/db tcp/40000-40077\n");
}

static void
test_ports_without_evidence(void **state OVS_UNUSED)
{
    /* The same, without any other port: it looks like a scan. */
    for (int i = 0; i < 12; i++) {
        saw("10.0.0.11", "10.0.0.31", TCP, 40000 + 7 * i, 1);
    }
    /* One that stays, though it is high; one that was used once. */
    saw("10.0.0.11", "10.0.0.41", TCP, 50051, 40);
    saw("10.0.0.11", "10.0.0.41", TCP, 61000, 1);
    expect(false, "shop/web -> logs/log tcp/50051\n"
           "aside shop/web/web-1 -> logs/log/log-1 tcp/61000: hardly used,\n"
           "aside shop/web/web-1 -> shop/db/db-1 tcp/40000-40077 (12 ports): "
           "port scan: s\n");
}

/* Ports all over the range are not opened all. */
static void
test_ports_too_thin(void **state OVS_UNUSED)
{
    saw("10.0.0.11", "10.0.0.31", TCP, 111, 20);
    for (int i = 0; i < 8; i++) {
        saw("10.0.0.11", "10.0.0.31", TCP, 49200 + 1500 * i, 1);
    }
    expect(false, "shop/web -> shop/db tcp/111\n"
           "aside shop/web/web-1 -> shop/db/db-1 tcp/49200-59700 (8 ports): "
           "hardly used,\n");
}

/* Directions. */

static void
test_known_server(void **state OVS_UNUSED)
{
    /* As an answer on another connection told, 40000 is a server's. */
    saw("10.0.0.12", "10.0.0.31", TCP, 40000, 5);
    saw_tuple("10.0.0.11", 700, "10.0.0.31", 40000, TCP);
    expect(false, "shop/web -> shop/db tcp/40000\n");
}

static void
test_stable_port(void **state OVS_UNUSED)
{
    /* The lower port is not the server's: 7000 meets many. */
    for (int i = 0; i < 5; i++) {
        saw_tuple("10.0.0.11", 600 + i, "10.0.0.31", 7000, UDP);
    }
    expect(false, "shop/web -> shop/db udp/7000\n");
}

static void
test_ephemeral_port(void **state OVS_UNUSED)
{
    saw_tuple("10.0.0.31", 53, "10.0.0.11", 45000, UDP);
    expect(false, "shop/web -> shop/db udp/53\n");
}

static void
test_undecided(void **state OVS_UNUSED)
{
    saw_tuple("10.0.0.11", 123, "10.0.0.31", 123, UDP);
    saw_tuple("10.0.0.11", 45000, "10.0.0.31", 45001, UDP);
    saw_tuple("10.0.0.11", 700, "10.0.0.31", 2049, UDP);
    saw_tuple("10.0.0.11", 0, "10.0.0.31", 0, 47);
    expect(false,
           "aside shop/web/web-1 -> shop/db/db-1 udp/123: both ends us\n"
           "aside shop/web/web-1 -> shop/db/db-1 protocol/47: its protocol\n"
           "aside shop/web/web-1 -> shop/db/db-1 udp/45001: nobody saw w\n"
           "aside shop/web/web-1 -> shop/db/db-1 udp/2049: nobody saw w\n");
}

/* A client that uses one port for all servers does not look like a server:
 * its own port meets only one port of others. */
static void
test_client_with_one_port(void **state OVS_UNUSED)
{
    saw_tuple("10.0.0.11", 33333, "198.51.100.1", 53, UDP);
    saw_tuple("10.0.0.11", 33333, "198.51.100.2", 53, UDP);
    saw_tuple("10.0.0.11", 33333, "198.51.100.3", 53, UDP);
    saw_tuple("10.0.0.11", 33333, "198.51.100.4", 53, UDP);
    history_settle(&history);
    assert_int_equal(history.n_entries, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(history.entries[i].port, 53);
    }
}

/* Two observers of one connection have seen one connection. */
static void
test_tuple_of_two_observers(void **state OVS_UNUSED)
{
    saw_tuple("10.0.0.11", 45000, "10.0.0.31", 53, UDP);
    saw_tuple("10.0.0.11", 45000, "10.0.0.31", 53, UDP);
    history.tuples[1].observer = 2;
    history_settle(&history);
    assert_int_equal(history.n_entries, 1);
    assert_int_equal(history.n_tuples, 0);
}

/* Without a topology: those with MACs are workloads, what is behind a router's
 * MAC is outside. */
static void
test_without_topology(void **state OVS_UNUSED)
{
    static const char *const clients[] = { "10.0.0.11", "10.0.0.12",
                                           "10.0.0.13" };
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        saw(clients[i], "10.0.0.31", TCP, 5432, 50);
        saw("192.0.2.7", clients[i], TCP, 443, 50);
        saw("198.51.100.7", clients[i], TCP, 443, 50);
        saw("203.0.113.7", clients[i], TCP, 443, 50);
    }
    for (size_t i = 0; i < history.n_ends; i++) {
        struct history_end *end = &history.ends[i];
        uint8_t last = end->address.s6_addr[15];
        end->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,ff);
        end->mac.ea[5] = last == 7 ? 0xff : last;
    }
    struct learned learned;
    learn(&history, NULL, &no_options, &learned);
    assert_int_equal(learned.n_workloads, 4);
    assert_int_equal(learned.n_links, 2);
    assert_string_equal(learned.links[0].from.network->name, "internet");
    assert_int_equal(learned.links[0].to.service->n_workloads, 3);
    assert_int_equal(learned.links[1].to.service->n_workloads, 1);
    assert_ptr_equal(learned.links[0].to.service,
                     learned.links[1].from.service);
    learned_destroy(&learned);
}

/* What is learned is a manifest, whatever others call their segments. */
static void
check_written(const char *const segments[], size_t n, bool per_workload)
{
    for (size_t i = 0; i < n; i++) {
        saw("10.0.0.11", "10.0.0.31", TCP, 5432, 50);
        saw("198.51.100.7", "10.0.0.11", TCP, 443, 50);
        saw("10.0.0.11", "10.0.0.31", TCP, 23, 50)->n_unanswered = 50;
        for (size_t j = 0; j < history.n_ends; j++) {
            struct history_end *end = &history.ends[j];
            uint8_t last = end->address.s6_addr[15];
            if (!strcmp(end->segment, "default")) {
                free(end->segment);
                end->segment = xstrdup(segments[i]);
                end->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,ff);
                end->mac.ea[4] = i;
                end->mac.ea[5] = last;
                end->address.s6_addr[14] = i + 1; /* The next are others. */
            }
        }
    }
    struct learned learned;
    learn(&history, NULL, &(struct learn_options) {
        .per_workload = per_workload,
    }, &learned);
    char *text;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    const struct learned_part all = { .application = NULL };
    assert_true(learned_has(&learned, &all));
    assert_null(learned_write(&learned, &all, stream));
    fclose(stream);
    struct topology *topology = read_manifest(text, len, true);
    assert_non_null(topology);
    assert_int_equal(topology->n_segments, n + 1);
    assert_int_equal(topology_n_workloads(topology), 2 * n);
    assert_int_equal(topology->applications[0]->n_links, learned.n_links);
    topology_destroy(topology);
    free(text);
    learned_destroy(&learned);
}

static const char *const strange[] = {
    "vlan-10", "vlan:10", "vlan:5000", "zone:9000", "blue & <green>", "--",
    "\xc3\xa4", "",
};

static void
test_written(void **state OVS_UNUSED)
{
    check_written(strange, ARRAY_SIZE(strange), false);
}

static void
test_written_per_workload(void **state OVS_UNUSED)
{
    check_written(strange, ARRAY_SIZE(strange), true);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_services),
        TEST(test_per_workload),
        TEST(test_set_aside),
        TEST(test_seen_once),
        TEST(test_networks),
        TEST(test_ports_handed_out),
        TEST(test_ports_without_evidence),
        TEST(test_ports_too_thin),
        TEST(test_known_server),
        TEST(test_stable_port),
        TEST(test_ephemeral_port),
        TEST(test_undecided),
        TEST(test_client_with_one_port),
        TEST(test_tuple_of_two_observers),
        TEST(test_without_topology),
        TEST(test_written),
        TEST(test_written_per_workload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
