/* model.c: numbers of segments, prefixes, validity, text forms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "util.h"
#include "values.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };

static struct prefix
prefix_of(const char *text)
{
    struct prefix prefix;
    char *error = value_to_prefix(text, &prefix);
    assert_null(error);
    return prefix;
}

static struct in6_addr
address_of(const char *text)
{
    struct in6_addr address;
    assert_true(value_parse_address(text, &address));
    return address;
}

static void
assert_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void
test_default_segment_is_always_there(void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    topology_number_segments(t);
    assert_int_equal(t->n_segments, 1);
    assert_string_equal(t->segments[0]->name, "default");
    assert_int_equal(t->segments[0]->id, 1);
    assert_ptr_equal(shash_find_data(&t->segment_index, "default"),
                     t->segments[0]);
    topology_destroy(t);
}

static void
test_segment_numbers_do_not_depend_on_order(void **state OVS_UNUSED)
{
    char names[500][16];
    struct topology *forward = topology_create();
    struct topology *backward = topology_create();
    for (int i = 0; i < 500; i++) {
        snprintf(names[i], sizeof names[i], "segment-%d", i);
        topology_add_segment(forward, names[i], SEGMENT_ISOLATED, 0, nowhere);
    }
    for (int i = 499; i >= 0; i--) {
        topology_add_segment(backward, names[i], SEGMENT_ISOLATED, 0,
                             nowhere);
    }
    topology_number_segments(forward);
    topology_number_segments(backward);

    bool used[65536] = { false };
    for (int i = 0; i < 500; i++) {
        const struct segment *a = shash_find_data(&forward->segment_index,
                                                  names[i]);
        const struct segment *b = shash_find_data(&backward->segment_index,
                                                  names[i]);
        assert_int_equal(a->id, b->id);
        assert_in_range(a->id, 8192, 65000);
        assert_false(used[a->id]);
        used[a->id] = true;
    }
    topology_destroy(forward);
    topology_destroy(backward);
}

static void
test_vlan_segments_are_numbered_by_vlan(void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    struct segment *low = topology_add_segment(t, "low", SEGMENT_VLAN, 1,
                                               nowhere);
    struct segment *high = topology_add_segment(t, "high", SEGMENT_VLAN, 4094,
                                                nowhere);
    topology_number_segments(t);
    assert_int_equal(low->id, 4097);
    assert_int_equal(high->id, 8190);
    topology_destroy(t);
}

static void
test_services_inherit_the_mode(void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    struct application *shop = topology_add_application(t, "shop", nowhere);
    struct service *web = application_add_service(t, shop, "web", nowhere);
    assert_int_equal(service_mode(web), MODE_ENFORCE);
    shop->mode = MODE_AUDIT;
    assert_int_equal(service_mode(web), MODE_AUDIT);
    web->mode = MODE_LEARN;
    assert_int_equal(service_mode(web), MODE_LEARN);
    topology_destroy(t);
}

static void
test_members_are_counted_once(void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    struct application *shop = topology_add_application(t, "shop", nowhere);
    struct service *all = application_add_service(t, shop, "all", nowhere);
    struct service *web = application_add_service(t, shop, "web", nowhere);
    struct workload *web_1 = service_add_workload(web, "web-1", nowhere);
    service_add_member(all, web_1);
    assert_int_equal(topology_n_workloads(t), 1);
    assert_int_equal(all->n_workloads, 1);
    assert_int_equal(web_1->n_services, 2);
    assert_ptr_equal(web_1->home, web);
    assert_text(workload_path(web_1), "shop/web/web-1");
    topology_destroy(t);        /* Frees it once, too. */
}

static void
test_window_ends_before_not_after(void **state OVS_UNUSED)
{
    struct link link = { .not_before = 100, .not_after = 200 };
    assert_false(link_is_valid(&link, 99));
    assert_true(link_is_valid(&link, 100));
    assert_true(link_is_valid(&link, 199));
    assert_false(link_is_valid(&link, 200));
    struct link always = { .not_before = 0 };
    assert_true(link_is_valid(&always, 0));
}

static void
assert_holds(const char *prefix_text, const char *address_text, bool holds)
{
    struct prefix prefix = prefix_of(prefix_text);
    struct in6_addr address = address_of(address_text);
    assert_int_equal(prefix_holds(&prefix, &address), holds);
}

static void
test_prefix_holds(void **state OVS_UNUSED)
{
    assert_holds("10.0.0.0/8", "10.255.255.255", true);
    assert_holds("10.0.0.0/8", "11.0.0.0", false);
    assert_holds("10.0.0.128/25", "10.0.0.127", false);
    assert_holds("10.0.0.1", "10.0.0.1", true);
    assert_holds("0.0.0.0/0", "255.1.2.3", true);
    assert_holds("0.0.0.0/0", "fd00::1", false);
    assert_holds("::/0", "fd00::1", true);
    assert_holds("::/0", "10.0.0.1", false);
    assert_holds("fd00::8/125", "fd00::f", true);
    assert_holds("fd00::8/125", "fd00::10", false);
}

static void
test_longest_match_decides_in_a_network(void **state OVS_UNUSED)
{
    struct prefix prefixes[] = { prefix_of("10.0.0.0/8"),
                                 prefix_of("10.1.2.0/24") };
    struct prefix exceptions[] = { prefix_of("10.1.0.0/16") };
    struct network network = { .prefixes = prefixes, .n_prefixes = 2,
                               .exceptions = exceptions, .n_exceptions = 1 };
    struct in6_addr outer = address_of("10.9.9.9");
    struct in6_addr excepted = address_of("10.1.9.9");
    struct in6_addr inner = address_of("10.1.2.9");
    assert_true(network_holds(&network, &outer));
    assert_false(network_holds(&network, &excepted));
    assert_true(network_holds(&network, &inner));
}

static void
test_openings_as_text(void **state OVS_UNUSED)
{
    struct opening o = { .protocol = IPPROTO_TCP, .first = 80, .last = 80,
                         .icmp_type = -1, .icmp_code = -1 };
    assert_text(opening_to_string(&o), "tcp/80");
    o.last = 90;
    assert_text(opening_to_string(&o), "tcp/80-90");
    o.first = 0;
    o.last = UINT16_MAX;
    assert_text(opening_to_string(&o), "tcp");
    o.protocol = 47;
    assert_text(opening_to_string(&o), "protocol/47");
    o.protocol = PROTOCOL_ANY;
    assert_text(opening_to_string(&o), "any");
    o.protocol = IPPROTO_ICMP;
    assert_text(opening_to_string(&o), "icmp");
    o.icmp_type = 3;
    o.icmp_code = 1;
    assert_text(opening_to_string(&o), "icmp/3/1");
}

static void
test_prefixes_as_text(void **state OVS_UNUSED)
{
    static const char *const texts[] = { "0.0.0.0/0", "10.0.0.0/8", "::/0",
                                         "fd00::8/125" };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct prefix prefix = prefix_of(texts[i]);
        assert_text(prefix_to_string(&prefix), texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_segment_is_always_there),
        cmocka_unit_test(test_segment_numbers_do_not_depend_on_order),
        cmocka_unit_test(test_vlan_segments_are_numbered_by_vlan),
        cmocka_unit_test(test_services_inherit_the_mode),
        cmocka_unit_test(test_members_are_counted_once),
        cmocka_unit_test(test_window_ends_before_not_after),
        cmocka_unit_test(test_prefix_holds),
        cmocka_unit_test(test_longest_match_decides_in_a_network),
        cmocka_unit_test(test_openings_as_text),
        cmocka_unit_test(test_prefixes_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
