/* check.c: the nearest name, and judgements that a model alone decides.
 *
 * Each finding's words are tested by tests/manifests/bad. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "util.h"
#include "values.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };

static void
test_nearest_name(void **state OVS_UNUSED)
{
    static const char *const names[] = { "web", "app", "db", "data-base",
                                         "internet", "office" };
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        { "wbe", "web" },       /* Swapped. */
        { "weeb", "web" },      /* Added. */
        { "officce", "office" },
        { "intrenet", "internet" },
        { "database", "data-base" },
        { "x", NULL },
        { "zebra", NULL },
        { "", NULL },
        { "billing", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *nearest = check_nearest(cases[i].name, names,
                                            ARRAY_SIZE(names));
        if (cases[i].nearest) {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].nearest);
        } else {
            assert_null(nearest);
        }
    }
    assert_null(check_nearest("web", NULL, 0));
}

static void
test_nearest_name_does_not_depend_on_order(void **state OVS_UNUSED)
{
    static const char *const forward[] = { "web-1", "web-2", "web-3" };
    static const char *const backward[] = { "web-3", "web-2", "web-1" };
    assert_string_equal(check_nearest("web-9", forward, 3), "web-1");
    assert_string_equal(check_nearest("web-9", backward, 3), "web-1");
}

/* Two services, each with a workload, linked by whatever a test adds. */
struct fixture {
    struct topology *topology;
    struct application *shop;
    struct service *web, *db;
    struct report report;
};

static struct service *
add_service(struct fixture *fixture, const char *name, uint8_t number)
{
    struct service *service = application_add_service(
        fixture->topology, fixture->shop, name, nowhere);
    struct workload *workload = service_add_workload(service, "one", nowhere);
    workload->value = xasprintf("port%u", number);
    workload->macs = xzalloc(sizeof *workload->macs);
    workload->macs[0].ea[5] = number;
    workload->n_macs = 1;
    workload->addresses = xzalloc(sizeof *workload->addresses);
    char *address = xasprintf("10.0.0.%u", number);
    assert_true(value_parse_address(address, workload->addresses));
    free(address);
    workload->n_addresses = 1;
    return service;
}

static int
set_up(void **state)
{
    struct fixture *fixture = xzalloc(sizeof *fixture);
    fixture->topology = topology_create();
    fixture->shop = topology_add_application(fixture->topology, "shop",
                                             nowhere);
    fixture->web = add_service(fixture, "web", 1);
    fixture->db = add_service(fixture, "db", 2);
    report_init(&fixture->report);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    topology_destroy(fixture->topology);
    report_destroy(&fixture->report);
    free(fixture);
    return 0;
}

static struct link *
add_link(struct fixture *fixture, uint16_t first, uint16_t last)
{
    static int line = 10;
    struct link *link = application_add_link(
        fixture->shop, false,
        (struct location) { .file = "test.xml", .line = line });
    line++;
    link->from.service = fixture->web;
    link->to.service = fixture->db;
    link->openings = xzalloc(sizeof *link->openings);
    link->openings[0] = (struct opening) {
        .protocol = IPPROTO_TCP, .first = first, .last = last,
        .icmp_type = -1, .icmp_code = -1, .where = link->where };
    link->n_openings = 1;
    return link;
}

static void
assert_warnings(struct fixture *fixture, time_t now, size_t n)
{
    check_topology(fixture->topology, now, &fixture->report);
    assert_int_equal(fixture->report.n_errors, 0);
    assert_int_equal(fixture->report.n_warnings, n);
}

static void
test_right_topology_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 80, 80);
    add_link(fixture, 81, 90);
    assert_warnings(fixture, 0, 0);
}

static void
test_overlapping_ranges_are_not_shadowed(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 80, 90);
    add_link(fixture, 85, 95);
    assert_warnings(fixture, 0, 0);
}

static void
test_all_inner_ranges_are_shadowed(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 85, 86);
    add_link(fixture, 80, 90);
    add_link(fixture, 90, 90);
    add_link(fixture, 80, 90);
    assert_warnings(fixture, 0, 3);
}

static void
test_temporary_link_shadows_only_what_ends_earlier(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 80, 90)->not_after = 1000;
    add_link(fixture, 81, 81);
    assert_warnings(fixture, 500, 0);
    add_link(fixture, 82, 82)->not_after = 1000;
    assert_warnings(fixture, 500, 1);
}

static void
test_expiry_is_the_first_invalid_second(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 80, 80)->not_after = 1000;
    assert_warnings(fixture, 999, 0);
    assert_warnings(fixture, 1000, 1);
}

static void
test_addresses_may_repeat_in_another_segment(void **state)
{
    struct fixture *fixture = *state;
    add_link(fixture, 80, 80);
    fixture->db->workloads[0]->addresses[0]
        = fixture->web->workloads[0]->addresses[0];
    fixture->db->workloads[0]->macs[0] = fixture->web->workloads[0]->macs[0];
    check_declarations(fixture->topology, &fixture->report);
    assert_int_equal(fixture->report.n_errors, 2);

    fixture->db->segment = topology_add_segment(
        fixture->topology, "blue", SEGMENT_VLAN, 10, nowhere);
    topology_number_segments(fixture->topology);
    check_declarations(fixture->topology, &fixture->report);
    assert_int_equal(fixture->report.n_errors, 2);
    /* But then no link can lead there. */
    check_topology(fixture->topology, 0, &fixture->report);
    assert_int_equal(fixture->report.n_errors, 4);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_name),
        cmocka_unit_test(test_nearest_name_does_not_depend_on_order),
        TEST(test_right_topology_has_no_findings),
        TEST(test_overlapping_ranges_are_not_shadowed),
        TEST(test_all_inner_ranges_are_shadowed),
        TEST(test_temporary_link_shadows_only_what_ends_earlier),
        TEST(test_expiry_is_the_first_invalid_second),
        TEST(test_addresses_may_repeat_in_another_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
