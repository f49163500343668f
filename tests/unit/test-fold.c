/* fold.c: many deviations of a source become one incident. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fold.h"
#include "packets.h"
#include "util.h"

struct told {
    int n[3];                   /* By enum deviation_event. */
    uint64_t n_packets, n_deviations;
    size_t n_hosts, n_ports;
    bool more_hosts;
    enum incident_kind kind;
};

static void
tell(enum deviation_event event, const struct incident *incident, void *told_)
{
    struct told *told = told_;
    told->n[event]++;
    told->n_packets = incident->n_packets;
    told->n_deviations = incident->n_deviations;
    told->n_hosts = incident_n_hosts(incident);
    told->n_ports = incident->n_ports;
    told->more_hosts = incident->more_hosts;
    told->kind = incident_kind(incident);
}

#define ALONE 5

struct fixture {
    struct told told;
    struct fold fold;
};

static int
setup(void **state)
{
    struct fixture *f = xzalloc(sizeof *f);
    fold_init(&f->fold, ALONE, tell, &f->told);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    fold_destroy(&f->fold);
    free(f);
    return 0;
}

static struct deviation
make(uint16_t in_port, uint32_t src, uint32_t dst, uint16_t port)
{
    struct deviation d = {
        .key = { .in_port = in_port, .reason = REASON_NO_LINK, .port = port,
                 .protocol = 6 },
        .packet = { .protocol = 6, .tp_dst = port },
        .n_packets = 1, .n_bytes = 60,
    };
    in6_addr_set_mapped_ipv4(&d.packet.src, htonl(src));
    in6_addr_set_mapped_ipv4(&d.packet.dst, htonl(dst));
    return d;
}

static bool
open_it(struct fixture *f, struct deviation *d, bool workload)
{
    return fold_event(&f->fold, DEVIATION_OPEN, d, workload, 1000);
}

static void
close_all(struct fixture *f, struct deviation *ds, size_t n, bool workload)
{
    for (size_t i = 0; i < n; i++) {
        fold_event(&f->fold, DEVIATION_CLOSE, &ds[i], workload, 2000);
    }
}

static void
test_a_few_are_told_alone(void **state)
{
    struct fixture *f = *state;
    struct deviation ds[ALONE];
    for (size_t i = 0; i < ALONE; i++) {
        ds[i] = make(1, 1, 2, i);
        assert_false(open_it(f, &ds[i], true));
    }
    close_all(f, ds, ALONE, true);
    assert_int_equal(f->told.n[DEVIATION_OPEN], 0);
    assert_int_equal(hmap_count(&f->fold.incidents), 0);
}

static void
test_a_scan_is_one_incident(void **state)
{
    struct fixture *f = *state;
    enum { N = 5000 };
    struct deviation *ds = xcalloc(N, sizeof *ds);
    for (size_t i = 0; i < N; i++) {
        ds[i] = make(1, 1, 2, i + 1);
        assert_int_equal(open_it(f, &ds[i], true), i >= ALONE);
    }
    assert_int_equal(f->told.n[DEVIATION_OPEN], 1);
    ds[0].n_packets = 11;
    assert_true(fold_event(&f->fold, DEVIATION_UPDATE, &ds[0], true, 1500));
    assert_int_equal(fold_run(&f->fold, 30000, 1500), 31000);
    assert_int_equal(f->told.n[DEVIATION_UPDATE], 0);
    fold_run(&f->fold, 30000, 31000);
    assert_int_equal(f->told.n[DEVIATION_UPDATE], 1);
    fold_run(&f->fold, 30000, 61000);
    assert_int_equal(f->told.n[DEVIATION_UPDATE], 1);
    close_all(f, ds, N, true);
    assert_int_equal(f->told.n[DEVIATION_OPEN], 1);
    assert_int_equal(f->told.n[DEVIATION_CLOSE], 1);
    assert_int_equal(f->told.n_packets, N + 10);
    assert_int_equal(f->told.n_deviations, N);
    assert_int_equal(f->told.n_hosts, 1);
    assert_int_equal(f->told.n_ports, N);
    assert_int_equal(f->told.kind, INCIDENT_SCAN);
    assert_int_equal(fold_run(&f->fold, 30000, 90000), 0);
    free(ds);
}

static void
test_many_hosts_are_a_sweep(void **state)
{
    struct fixture *f = *state;
    enum { N = 2000 };
    struct deviation *ds = xcalloc(N, sizeof *ds);
    for (size_t i = 0; i < N; i++) {
        ds[i] = make(1, 1, 100 + i, 22);
        open_it(f, &ds[i], true);
    }
    close_all(f, ds, N, true);
    assert_int_equal(f->told.kind, INCIDENT_SWEEP);
    assert_int_equal(f->told.n_hosts, 1024);
    assert_true(f->told.more_hosts);
    free(ds);
}

/* What Open vSwitch no longer tells apart is a flood from the first on. */
static void
test_folded_tuples_are_a_flood(void **state)
{
    struct fixture *f = *state;
    struct deviation d = make(1, 1, 2, 0);
    d.key.level = LEVEL_PAIR;
    d.packet.tp_dst = 4242;
    assert_true(open_it(f, &d, true));
    d.n_packets = 1000;
    close_all(f, &d, 1, true);
    assert_int_equal(f->told.kind, INCIDENT_FLOOD);
    assert_int_equal(f->told.n_packets, 1000);
}

/* A workload is its port, whatever the packets say; others are addresses. */
static void
test_sources(void **state)
{
    struct fixture *f = *state;
    struct deviation spoofed[10], outside[10];
    for (size_t i = 0; i < 10; i++) {
        spoofed[i] = make(1, 1000 + i, 2, 80);
        outside[i] = make(9, 1000 + i, 2, 80);
        assert_int_equal(open_it(f, &spoofed[i], true), i >= ALONE);
        assert_false(open_it(f, &outside[i], false));
    }
    close_all(f, spoofed, 10, true);
    close_all(f, outside, 10, false);
    assert_int_equal(f->told.n[DEVIATION_CLOSE], 1);
    assert_int_equal(f->fold.n_by_address, 0);
}

/* An incident of a bridge that has another place goes on there. */
static void
test_bridges_change_places(void **state)
{
    struct fixture *f = *state;
    struct deviation ds[2 * ALONE];
    uint8_t map[UINT8_MAX + 1] = { [0] = 3 };
    for (size_t i = 0; i < ARRAY_SIZE(ds); i++) {
        if (i == ALONE) {
            fold_renumber(&f->fold, map);
        }
        ds[i] = make(1, 1, 2, i);
        ds[i].key.bridge = i < ALONE ? 0 : 3;
        assert_int_equal(open_it(f, &ds[i], true), i >= ALONE);
    }
    assert_int_equal(hmap_count(&f->fold.incidents), 1);
    close_all(f, ds, ARRAY_SIZE(ds), true);
    assert_int_equal(f->told.n[DEVIATION_OPEN], 1);
    assert_int_equal(f->told.n[DEVIATION_CLOSE], 1);
    assert_int_equal(f->told.n_deviations, 2 * ALONE);
    assert_int_equal(hmap_count(&f->fold.incidents), 0);
}

/* However many addresses there are outside, what is kept is bounded. */
static void
test_memory_is_bounded(void **state)
{
    struct fixture *f = *state;
    enum { N = 20000 };
    struct deviation *ds = xcalloc(N, sizeof *ds);
    for (size_t i = 0; i < N; i++) {
        ds[i] = make(9, i + 1, 2, 80);
        open_it(f, &ds[i], false);
    }
    assert_true(hmap_count(&f->fold.incidents) < 2000);
    assert_int_equal(f->told.n[DEVIATION_OPEN], 1);
    close_all(f, ds, N, false);
    assert_int_equal(hmap_count(&f->fold.incidents), 0);
    free(ds);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_few_are_told_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_scan_is_one_incident, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_many_hosts_are_a_sweep, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_folded_tuples_are_a_flood, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridges_change_places, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
