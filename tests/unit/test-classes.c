/* classes.c: which class an address has, by longest prefix. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "classes.h"
#include "ports.h"
#include "random.h"
#include "seed.h"
#include "shuffle.h"
#include "svec.h"
#include "util.h"
#include "values.h"

#define N_TOPOLOGIES 200

static const struct location nowhere = { .file = "test.xml", .line = 1 };

/* Random topologies: two segments, networks with exceptions, workloads in
 * several services. */

/* Few bits vary, so that prefixes are nested, touch each other and are
 * declared twice. */
static struct prefix
random_prefix(int min_len)
{
    static const char *const bases[] = { "10.0.0.0/16", "2001:db8::/112" };
    struct prefix prefix;
    char *error = value_to_prefix(bases[random_range(2)], &prefix);
    assert_null(error);
    if (!random_range(12)) {
        /* 0.0.0.0/0 or ::/0. */
        bool ipv4 = IN6_IS_ADDR_V4MAPPED(&prefix.addr);
        error = value_to_prefix(ipv4 ? "0.0.0.0/0" : "::/0", &prefix);
        assert_null(error);
        if (prefix.len >= min_len) {
            return prefix;
        }
    }
    uint16_t low = random_range(8) * 0x2491 ^ random_range(4);
    prefix.len = MAX(min_len, 112 + random_range(17));
    low &= UINT32_C(0xffff) << (128 - prefix.len);
    prefix.addr.s6_addr[14] = low >> 8;
    prefix.addr.s6_addr[15] = low;
    return prefix;
}

static struct prefix *
random_prefixes(size_t n)
{
    struct prefix *prefixes = xcalloc(n + 1, sizeof *prefixes);
    for (size_t i = 0; i < n; i++) {
        prefixes[i] = random_prefix(0);
    }
    return prefixes;
}

static struct segment *
random_segment(const struct topology *t)
{
    return t->segments[random_range(t->n_segments)];
}

static void
add_networks(struct topology *t)
{
    int n = random_range(7);
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "net%d", i);
        struct network *network = topology_add_network(t, name, nowhere);
        network->segment = random_range(3) ? NULL : random_segment(t);
        network->n_prefixes = 1 + random_range(4);
        network->prefixes = random_prefixes(network->n_prefixes);
        network->n_exceptions = random_range(4);
        network->exceptions = random_prefixes(network->n_exceptions);
    }
}

static const struct workload *
find_owner(const struct topology *t, const struct in6_addr *address)
{
    const struct application *a = t->applications[0];
    for (size_t i = 0; i < a->n_services; i++) {
        for (size_t j = 0; j < a->services[i]->n_workloads; j++) {
            const struct workload *w = a->services[i]->workloads[j];
            for (size_t k = 0; k < w->n_addresses; k++) {
                if (!memcmp(&w->addresses[k], address, sizeof *address)) {
                    return w;
                }
            }
        }
    }
    return NULL;
}

static void
add_workload(const struct topology *t, struct service *service, int number)
{
    char name[16];
    snprintf(name, sizeof name, "w%d", number);
    struct workload *w = service_add_workload(service, name, nowhere);
    w->addresses = xcalloc(4, sizeof *w->addresses);
    for (int n = random_range(4); n; n--) {
        struct in6_addr address = random_prefix(128).addr;
        if (!random_range(4)) {
            value_parse_address("fe80::1", &address);
            address.s6_addr[15] = number;
        }
        if (!find_owner(t, &address)) {
            w->addresses[w->n_addresses++] = address;
        }
    }
}

static void
add_services(struct topology *t)
{
    struct application *a = topology_add_application(t, "shop", nowhere);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        struct service *s = application_add_service(t, a, name, nowhere);
        s->segment = random_segment(t);
        s->mode = random_range(2) ? MODE_ENFORCE : MODE_AUDIT;
        for (int n = random_range(4); n; n--) {
            add_workload(t, s, i * 4 + n);
        }
        for (int j = 0; j < i; j++) {
            struct service *other = a->services[j];
            if (other->segment == s->segment && other->n_workloads
                && other->workloads[0]->home == other && random_range(2)) {
                service_add_member(s, other->workloads[0]);
            }
        }
    }
    for (int n = random_range(4); n; n--) {
        struct link *link = application_add_link(a, false, nowhere);
        link->from.service = a->services[random_range(5)];
        link->to.service = a->services[random_range(5)];
    }
}

static struct topology *
random_topology(void)
{
    struct topology *t = topology_create();
    topology_add_segment(t, "blue", SEGMENT_VLAN, 20, nowhere);
    topology_number_segments(t);
    add_networks(t);
    add_services(t);
    return t;
}

static struct classes *
make_classes(struct topology *t)
{
    struct ports *ports = ports_create(t);
    struct classes *classes = classes_create(t, ports);
    ports_destroy(ports);
    return classes;
}

/* What the model says of an address. */

static bool
is_in(const struct workload *w, const struct service *service)
{
    for (size_t i = 0; i < w->n_services; i++) {
        if (w->services[i] == service) {
            return true;
        }
    }
    return false;
}

/* True if 'w' is in 'segment', or a link leads from there to it or back. */
static bool
is_known_in(const struct topology *t, const struct workload *w,
            const struct in6_addr *address, const struct segment *segment)
{
    const struct application *a = t->applications[0];
    if (w->home->segment == segment) {
        return true;
    }
    for (size_t i = 0; i < a->n_links; i++) {
        const struct service *from = a->links[i]->from.service;
        const struct service *to = a->links[i]->to.service;
        if ((is_in(w, from) && to->segment == segment)
            || (is_in(w, to) && from->segment == segment)) {
            return !IN6_IS_ADDR_LINKLOCAL(address);
        }
    }
    return false;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* How often something was met, to see that random topologies have it. */
struct met {
    unsigned int nothing, one_network, networks, one_service, services,
                 foreign;
};

/* The services of the workload, or the networks, that have 'address'. */
static char *
class_by_model(const struct topology *t, const struct segment *segment,
               const struct in6_addr *address, struct met *met)
{
    const char *names[16];
    size_t n = 0;
    const struct workload *w = find_owner(t, address);
    if (w && is_known_in(t, w, address, segment)) {
        for (size_t i = 0; i < w->n_services; i++) {
            names[n++] = w->services[i]->path;
        }
        *(n > 1 ? &met->services : &met->one_service) += 1;
        met->foreign += w->home->segment != segment;
    } else {
        for (size_t i = 0; i < t->n_networks; i++) {
            const struct network *network = t->networks[i];
            if ((!network->segment || network->segment == segment)
                && network_holds(network, address)) {
                names[n++] = network->name;
            }
        }
        *(n > 1 ? &met->networks : n ? &met->one_network : &met->nothing) += 1;
    }
    qsort(names, n, sizeof *names, compare_names);
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < n; i++) {
        ds_put_format(&s, "%s%s", i ? "+" : "", names[i]);
    }
    return ds_steal_cstr(&s);
}

/* What the tables say of it: the longest prefix, and ADDRESS where that says
 * that there are workloads. */
static const char *
class_by_tables(const struct class_segment *cs, const struct in6_addr *address)
{
    const struct class_prefix *best = NULL;
    for (size_t i = 0; i < cs->n_prefixes; i++) {
        const struct class_prefix *cp = &cs->prefixes[i];
        if (prefix_holds(&cp->prefix, address)
            && (!best || cp->prefix.len > best->prefix.len)) {
            best = cp;
        }
    }
    for (size_t i = 0; best && best->exact && i < cs->n_addresses; i++) {
        const struct class_address *a = &cs->addresses[i];
        if (!memcmp(&a->address, address, sizeof *address)) {
            assert_int_equal(a->foreign,
                             a->workload->home->segment != cs->segment);
            return a->class->name;
        }
    }
    return best && best->class ? best->class->name : "";
}

static void
check_address(const struct topology *t, const struct classes *classes,
              const struct in6_addr *address, struct met *met)
{
    for (size_t i = 0; i < classes->n_segments; i++) {
        const struct class_segment *cs = &classes->segments[i];
        char *wanted = class_by_model(t, cs->segment, address, met);
        const char *got = class_by_tables(cs, address);
        if (strcmp(got, wanted)) {
            fail_msg("%s in segment %s is in \"%s\", not in \"%s\"",
                     address_to_string(address), cs->segment->name, wanted,
                     got);
        }
        free(wanted);
    }
}

/* Both ends of a prefix, and their neighbors. */
static void
check_ends(const struct topology *t, const struct classes *classes,
           const struct prefix *prefix, struct met *met)
{
    struct in6_addr ends[2] = { prefix->addr, prefix->addr };
    for (int bit = prefix->len; bit < 128; bit++) {
        ends[1].s6_addr[bit / 8] |= 0x80 >> bit % 8;
    }
    for (int delta = -1; delta <= 1; delta++) {
        for (int i = 0; i < 2; i++) {
            struct in6_addr address = ends[i];
            uint16_t low = address.s6_addr[14] << 8 | address.s6_addr[15];
            low += delta;
            address.s6_addr[14] = low >> 8;
            address.s6_addr[15] = low;
            check_address(t, classes, &address, met);
        }
    }
}

static void
check_topology_addresses(const struct topology *t,
                         const struct classes *classes, struct met *met)
{
    for (size_t i = 0; i < t->n_networks; i++) {
        const struct network *n = t->networks[i];
        for (size_t j = 0; j < n->n_prefixes; j++) {
            check_ends(t, classes, &n->prefixes[j], met);
        }
        for (size_t j = 0; j < n->n_exceptions; j++) {
            check_ends(t, classes, &n->exceptions[j], met);
        }
    }
    const struct application *a = t->applications[0];
    for (size_t i = 0; i < a->n_services; i++) {
        for (size_t j = 0; j < a->services[i]->n_workloads; j++) {
            const struct workload *w = a->services[i]->workloads[j];
            for (size_t k = 0; k < w->n_addresses; k++) {
                struct prefix host = { w->addresses[k], 128 };
                check_ends(t, classes, &host, met);
            }
        }
    }
    for (int i = 0; i < 50; i++) {
        struct in6_addr address = random_prefix(128).addr;
        check_address(t, classes, &address, met);
    }
}

static void
test_tables_give_all_services_or_networks_of_an_address(
    void **state OVS_UNUSED)
{
    struct met met = { 0 };
    seed_random();
    for (int i = 0; i < N_TOPOLOGIES; i++) {
        struct topology *t = random_topology();
        struct classes *classes = make_classes(t);
        check_topology_addresses(t, classes, &met);
        classes_destroy(classes);
        topology_destroy(t);
    }
    print_message("addresses in nothing %u, one network %u, several %u, one "
                  "service %u, several %u; in another segment %u\n",
                  met.nothing, met.one_network, met.networks, met.one_service,
                  met.services, met.foreign);
    assert_true(met.nothing > 1000);
    assert_true(met.one_network > 1000);
    assert_true(met.networks > 1000);
    assert_true(met.one_service > 100);
    assert_true(met.services > 100);
    assert_true(met.foreign > 100);
}

/* Looking into ADDRESS makes the datapath's flows exact. */
static void
check_prefixes(const struct class_segment *cs)
{
    size_t n_covers = 0;
    bool link_local_asks = false;
    for (size_t i = 0; i < cs->n_prefixes; i++) {
        const struct class_prefix *cp = &cs->prefixes[i];
        bool link_local = IN6_IS_ADDR_LINKLOCAL(&cp->prefix.addr);
        bool lived_in = link_local;
        for (size_t j = 0; j < cs->n_addresses; j++) {
            lived_in |= prefix_holds(&cp->prefix, &cs->addresses[j].address);
        }
        if (cp->exact && !lived_in) {
            fail_msg("no workload is in %s", prefix_to_string(&cp->prefix));
        }
        link_local_asks |= link_local && cp->prefix.len == 64 && cp->exact;
        n_covers += !cp->network;
    }
    /* Two for each family, and fe80::/64, where hosts have addresses that no
     * manifest needs to name. */
    assert_true(n_covers <= 5);
    assert_int_equal(link_local_asks, cs->n_addresses > 0);
}

static void
test_only_prefixes_with_workloads_ask_for_the_address(void **state OVS_UNUSED)
{
    seed_random();
    for (int i = 0; i < N_TOPOLOGIES; i++) {
        struct topology *t = random_topology();
        struct classes *classes = make_classes(t);
        for (size_t j = 0; j < classes->n_segments; j++) {
            check_prefixes(&classes->segments[j]);
        }
        classes_destroy(classes);
        topology_destroy(t);
    }
}

/* Several links may lead to it. */
static void
test_no_address_is_in_a_segment_twice(void **state OVS_UNUSED)
{
    seed_random();
    for (int i = 0; i < N_TOPOLOGIES; i++) {
        struct topology *t = random_topology();
        struct classes *classes = make_classes(t);
        for (size_t j = 0; j < classes->n_segments; j++) {
            const struct class_segment *cs = &classes->segments[j];
            for (size_t k = 1; k < cs->n_addresses; k++) {
                assert_memory_not_equal(&cs->addresses[k].address,
                                        &cs->addresses[k - 1].address, 16);
            }
        }
        classes_destroy(classes);
        topology_destroy(t);
    }
}

/* Order. */

/* All that 'classes' says, without pointers. */
static char *
classes_to_string(const struct classes *classes)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct class *class;
    HMAP_FOR_EACH (class, node, &classes->by_name) {
        svec_add_nocopy(&lines, xasprintf("class %s %u %d", class->name,
                                          class->id, class->enforce));
    }
    for (size_t i = 0; i < classes->n_segments; i++) {
        const struct class_segment *cs = &classes->segments[i];
        for (size_t j = 0; j < cs->n_prefixes; j++) {
            const struct class_prefix *cp = &cs->prefixes[j];
            char *prefix = prefix_to_string(&cp->prefix);
            svec_add_nocopy(&lines, xasprintf(
                "%s prefix %s class %s network %s exact %d", cs->segment->name,
                prefix, cp->class ? cp->class->name : "-",
                cp->network ? cp->network->name : "-", cp->exact));
            free(prefix);
        }
        for (size_t j = 0; j < cs->n_addresses; j++) {
            const struct class_address *a = &cs->addresses[j];
            char *address = address_to_string(&a->address);
            svec_add_nocopy(&lines, xasprintf(
                "%s address %s of %s class %s foreign %d", cs->segment->name,
                address, a->workload->name, a->class->name, a->foreign));
            free(address);
        }
    }
    svec_sort(&lines);
    char *text = svec_join(&lines, "\n", "\n");
    svec_destroy(&lines);
    return text;
}

/* Fails with the first line that differs. */
static void
check_same_lines(char *a, char *b)
{
    while (*a && *b) {
        char *line_a = strsep(&a, "\n"), *line_b = strsep(&b, "\n");
        assert_string_equal(line_a, line_b);
    }
    assert_string_equal(a, b);
}

static void
test_order_of_declarations_does_not_matter(void **state OVS_UNUSED)
{
    seed_random();
    for (int i = 0; i < N_TOPOLOGIES; i++) {
        struct topology *t = random_topology();
        struct classes *before = make_classes(t);
        char *text_before = classes_to_string(before);
        shuffle_topology(t);
        struct classes *after = make_classes(t);
        char *text_after = classes_to_string(after);
        check_same_lines(text_before, text_after);
        free(text_before);
        free(text_after);
        classes_destroy(before);
        classes_destroy(after);
        topology_destroy(t);
    }
}

static struct service *
add_service(struct topology *t, struct application *a, const char *name,
            enum mode mode)
{
    struct service *service = application_add_service(t, a, name, nowhere);
    service->segment = t->segments[0];
    service->mode = mode;
    return service;
}

static void
test_a_workload_in_several_services_has_a_class_of_its_own(
    void **state OVS_UNUSED)
{
    struct topology *t = topology_create();
    topology_number_segments(t);
    struct application *a = topology_add_application(t, "shop", nowhere);
    struct service *web = add_service(t, a, "web", MODE_AUDIT);
    struct service *app = add_service(t, a, "app", MODE_LEARN);
    struct service *db = add_service(t, a, "db", MODE_ENFORCE);
    service_add_workload(web, "w1", nowhere);
    service_add_workload(web, "w2", nowhere);
    struct workload *all = service_add_workload(web, "w3", nowhere);
    service_add_member(app, all);
    service_add_member(db, all);
    struct classes *classes = make_classes(t);
    const struct class *of_web = classes->of_workload[0];
    const struct class *of_all = classes->of_workload[2];
    assert_string_equal(of_web->name, "shop/web");
    assert_false(of_web->enforce);
    assert_ptr_equal(classes->of_workload[1], of_web);
    assert_string_equal(of_all->name, "shop/app+shop/db+shop/web");
    assert_true(of_all->enforce);

    size_t n;
    struct endpoint end = { .service = web };
    classes_of(classes, &end, false, &n);
    assert_int_equal(n, 2);
    end.service = app;
    struct class *const *of_app = classes_of(classes, &end, false, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(of_app[0], of_all);
    classes_destroy(classes);
    topology_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_tables_give_all_services_or_networks_of_an_address),
        cmocka_unit_test(
            test_only_prefixes_with_workloads_ask_for_the_address),
        cmocka_unit_test(test_no_address_is_in_a_segment_twice),
        cmocka_unit_test(test_order_of_declarations_does_not_matter),
        cmocka_unit_test(
            test_a_workload_in_several_services_has_a_class_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
