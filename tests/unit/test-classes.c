/* classes.c: which class an address has, by longest prefix. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "classes.h"
#include "ports.h"
#include "util.h"
#include "values.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };
static unsigned int seed;

static unsigned int
any(unsigned int n)
{
    return rand_r(&seed) / 7 % n;
}

/* Few bits vary, so that prefixes are nested and touch each other. */
static struct prefix
random_prefix(bool ipv6)
{
    char text[64];
    struct prefix prefix;
    if (ipv6) {
        int len = 112 + any(17);
        snprintf(text, sizeof text, "2001:db8::%x/%d",
                 any(65536) & (UINT32_C(0xffff) << (128 - len)), len);
    } else {
        int len = 16 + any(17);
        unsigned int host = any(65536) & (UINT64_C(0xffff) << (32 - len));
        snprintf(text, sizeof text, "10.0.%u.%u/%d", host >> 8, host & 0xff,
                 len);
    }
    char *error = value_to_prefix(text, &prefix);
    assert_null(error);
    return prefix;
}

static struct topology *
random_topology(bool reversed)
{
    struct topology *t = topology_create();
    topology_number_segments(t);
    unsigned int n = 1 + any(6);
    unsigned int first = seed;
    for (unsigned int i = 0; i < n; i++) {
        /* The same networks, in the other order. */
        unsigned int number = reversed ? n - 1 - i : i;
        char name[16];
        snprintf(name, sizeof name, "net%u", number);
        seed = first + number;
        struct network *network = topology_add_network(t, name, nowhere);
        network->n_prefixes = 1 + any(4);
        network->prefixes = xcalloc(4, sizeof *network->prefixes);
        network->n_exceptions = any(4);
        network->exceptions = xcalloc(4, sizeof *network->exceptions);
        for (size_t j = 0; j < network->n_prefixes; j++) {
            network->prefixes[j] = random_prefix(any(2));
        }
        for (size_t j = 0; j < network->n_exceptions; j++) {
            network->exceptions[j] = random_prefix(any(2));
        }
    }
    return t;
}

/* The name of the class that the prefixes of 'cs' give 'address'. */
static const char *
class_by_prefix(const struct class_segment *cs, const struct in6_addr *address)
{
    const struct class_prefix *best = NULL;
    for (size_t i = 0; i < cs->n_prefixes; i++) {
        const struct class_prefix *cp = &cs->prefixes[i];
        if (IN6_IS_ADDR_V4MAPPED(&cp->prefix.addr)
            == IN6_IS_ADDR_V4MAPPED(address)
            && prefix_holds(&cp->prefix, address)
            && (!best || cp->prefix.len > best->prefix.len)) {
            best = cp;
        }
    }
    return best && best->class ? best->class->name : "";
}

static void
assert_class(const struct topology *t, const struct classes *classes,
             const struct in6_addr *address)
{
    struct ds name = DS_EMPTY_INITIALIZER;
    for (unsigned int i = 0; i < t->n_networks; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "net%u", i);
        if (network_holds(shash_find_data(&t->network_index, wanted),
                          address)) {
            ds_put_format(&name, "%s%s", name.length ? "+" : "", wanted);
        }
    }
    const char *got = class_by_prefix(&classes->segments[0], address);
    if (strcmp(got, ds_cstr(&name))) {
        char *text = address_to_string(address);
        fail_msg("%s is in \"%s\", not in \"%s\"", text, ds_cstr(&name), got);
    }
    ds_destroy(&name);
}

/* Both ends of a prefix, and their neighbors. */
static void
check_ends(const struct topology *t, const struct classes *classes,
           const struct prefix *prefix)
{
    struct in6_addr last = prefix->addr;
    for (int bit = prefix->len; bit < 128; bit++) {
        last.s6_addr[bit / 8] |= 0x80 >> bit % 8;
    }
    for (int delta = -1; delta <= 1; delta++) {
        struct in6_addr a = prefix->addr, b = last;
        uint16_t low = a.s6_addr[14] << 8 | a.s6_addr[15];
        uint16_t high = b.s6_addr[14] << 8 | b.s6_addr[15];
        low += delta;
        high += delta;
        a.s6_addr[14] = low >> 8;
        a.s6_addr[15] = low;
        b.s6_addr[14] = high >> 8;
        b.s6_addr[15] = high;
        assert_class(t, classes, &a);
        assert_class(t, classes, &b);
    }
}

static void
test_longest_prefix_gives_all_networks_of_an_address(void **state OVS_UNUSED)
{
    seed = getpid();
    print_message("seed %u\n", seed);
    for (int i = 0; i < 300; i++) {
        struct topology *t = random_topology(false);
        struct classes *classes = classes_create(t, NULL, 0);
        for (size_t j = 0; j < t->n_networks; j++) {
            const struct network *n = t->networks[j];
            for (size_t k = 0; k < n->n_prefixes; k++) {
                check_ends(t, classes, &n->prefixes[k]);
            }
            for (size_t k = 0; k < n->n_exceptions; k++) {
                check_ends(t, classes, &n->exceptions[k]);
            }
        }
        for (int j = 0; j < 100; j++) {
            struct in6_addr address = random_prefix(any(2)).addr;
            assert_class(t, classes, &address);
        }
        classes_destroy(classes);
        topology_destroy(t);
    }
}

static void
test_identifiers_do_not_depend_on_order(void **state OVS_UNUSED)
{
    for (unsigned int i = 0; i < 50; i++) {
        seed = i;
        struct topology *t1 = random_topology(false);
        seed = i;
        struct topology *t2 = random_topology(true);
        struct classes *c1 = classes_create(t1, NULL, 0);
        struct classes *c2 = classes_create(t2, NULL, 0);
        assert_int_equal(hmap_count(&c1->by_name), hmap_count(&c2->by_name));
        struct class *a, *b;
        size_t found = 0;
        HMAP_FOR_EACH (a, node, &c1->by_name) {
            HMAP_FOR_EACH (b, node, &c2->by_name) {
                if (!strcmp(a->name, b->name)) {
                    assert_int_equal(a->id, b->id);
                    found++;
                }
            }
        }
        assert_int_equal(found, hmap_count(&c1->by_name));
        classes_destroy(c1);
        classes_destroy(c2);
        topology_destroy(t1);
        topology_destroy(t2);
    }
}

static struct workload *
add_workload(struct service *service, const char *name)
{
    struct workload *w = service_add_workload(service, name, nowhere);
    w->addresses = xcalloc(1, sizeof *w->addresses);
    w->n_addresses = 1;
    assert_true(value_parse_address("10.0.0.1", &w->addresses[0]));
    return w;
}

static void
test_a_workload_in_two_services_has_a_class_of_its_own(
    void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    topology_number_segments(t);
    struct application *a = topology_add_application(t, "shop", nowhere);
    struct service *web = application_add_service(t, a, "web", nowhere);
    struct service *app = application_add_service(t, a, "app", nowhere);
    web->segment = app->segment = t->segments[0];
    add_workload(web, "w1");
    struct workload *both = add_workload(web, "w2");
    service_add_member(app, both);
    struct ports *ports = ports_create(t);
    struct classes *classes = classes_create(t, ports->workloads,
                                             ports->n_workloads);
    assert_string_equal(classes->of_workload[0]->name, "shop/web");
    assert_string_equal(classes->of_workload[1]->name, "shop/app+shop/web");

    size_t n;
    struct endpoint end = { .service = web };
    classes_of(classes, &end, &n);
    assert_int_equal(n, 2);
    end.service = app;
    struct class *const *of_app = classes_of(classes, &end, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(of_app[0], classes->of_workload[1]);
    classes_destroy(classes);
    ports_destroy(ports);
    topology_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_prefix_gives_all_networks_of_an_address),
        cmocka_unit_test(test_identifiers_do_not_depend_on_order),
        cmocka_unit_test(
            test_a_workload_in_two_services_has_a_class_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
