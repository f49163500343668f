/* compile.c: the same flows whatever the order, few of them, and few that
 * change.  (What the flows do is compared in test-model-check.c.) */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "diff.h"
#include "packets.h"
#include "util.h"
#include "values.h"

#define NOW 1000000

static const struct location nowhere = { .file = "test.xml", .line = 1 };

/* A chain of 'n_services', each with 'replicas' of one MAC and one address,
 * and a link to the next one; 'office' may reach the first. */
struct plan {
    unsigned int n_services, replicas;
    bool ipv6;
    bool backwards;             /* Declares everything in the other order. */
    bool first_has_one_more;
    bool last_link_is_missing;
    int only_service;           /* Others are on other bridges; 0: none is. */
};

static void
add_workload(struct service *service, unsigned int number, bool ipv6)
{
    char text[32];
    snprintf(text, sizeof text, "w%u", number);
    struct workload *w = service_add_workload(service, text, nowhere);
    w->binding = BIND_INTERFACE;
    w->value = xstrdup(text);
    w->macs = xcalloc(1, sizeof *w->macs);
    w->n_macs = 1;
    eth_addr_from_uint64(UINT64_C(0x020000000000) + number, &w->macs[0]);
    w->addresses = xcalloc(1, sizeof *w->addresses);
    w->n_addresses = 1;
    snprintf(text, sizeof text, ipv6 ? "2001:db8::%x" : "10.0.%u.%u",
             ipv6 ? number + 1 : number / 250, number % 250 + 1);
    assert_true(value_parse_address(text, &w->addresses[0]));
}

static struct opening *
one_port(uint16_t port)
{
    struct opening *o = xcalloc(1, sizeof *o);
    *o = (struct opening) { .protocol = IPPROTO_TCP, .first = port,
                            .last = port, .icmp_type = -1, .icmp_code = -1,
                            .where = nowhere };
    return o;
}

static void
add_link(struct application *a, struct endpoint from, struct endpoint to)
{
    struct link *link = application_add_link(a, false, nowhere);
    link->from = from;
    link->to = to;
    link->openings = one_port(8080);
    link->n_openings = 1;
}

static struct service *
find_service(const struct topology *t, unsigned int number)
{
    char *path = xasprintf("shop/s%u", number);
    struct service *service = shash_find_data(&t->service_index, path);
    free(path);
    return service;
}

static struct topology *
make(const struct plan *plan)
{
    struct topology *t = topology_create();
    topology_number_segments(t);
    struct network *office = topology_add_network(t, "office", nowhere);
    office->prefixes = xcalloc(1, sizeof *office->prefixes);
    office->n_prefixes = 1;
    char *error = value_to_prefix(plan->ipv6 ? "2001:db8:ffff::/48"
                                  : "192.0.2.0/24", &office->prefixes[0]);
    assert_null(error);

    struct application *a = topology_add_application(t, "shop", nowhere);
    a->mode = MODE_ENFORCE;
    unsigned int n = plan->n_services;
    for (unsigned int i = 0; i < n; i++) {
        unsigned int s = plan->backwards ? n - 1 - i : i;
        char name[16];
        snprintf(name, sizeof name, "s%u", s);
        struct service *service = application_add_service(t, a, name,
                                                          nowhere);
        service->segment = t->segments[0];
        for (unsigned int j = 0; j < plan->replicas; j++) {
            unsigned int w = plan->backwards ? plan->replicas - 1 - j : j;
            add_workload(service, s * plan->replicas + w, plan->ipv6);
        }
        if (plan->first_has_one_more && !s) {
            add_workload(service, n * plan->replicas, plan->ipv6);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        unsigned int s = plan->backwards ? n - 1 - i : i;
        struct service *to = find_service(t, s);
        if (s == n - 1 && plan->last_link_is_missing) {
            continue;
        }
        struct endpoint from = { .network = s ? NULL : office };
        from.service = s ? find_service(t, s - 1) : NULL;
        add_link(a, from, (struct endpoint) { .service = to });
    }
    return t;
}

/* Compiles 'plan' with workload N on port N + 1. */
static void
compile_plan(const struct plan *plan, struct flow_set *flows)
{
    struct topology *t = make(plan);
    struct ports *ports = ports_create(t);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *w = ports->workloads[i];
        if (!plan->only_service
            || plan->only_service == atoi(w->home->name + 1)) {
            ports->of_workload[i] = atoi(w->name + 1) + 1;
        }
    }
    const struct compile_options options = {
        .table_base = DEFAULT_TABLE_BASE, .now = NOW,
    };
    flow_set_init(flows, DEFAULT_TABLE_BASE);
    compile(t, ports, &options, flows);
    flow_set_sort(flows);
    /* The origins die with the topology. */
    for (size_t i = 0; i < flows->n; i++) {
        flows->flows[i].origin = (struct origin) { .kind = ORIGIN_PIPELINE };
    }
    ports_destroy(ports);
    topology_destroy(t);
}

static struct diff_counts
compare(const struct plan *a, const struct plan *b, struct flow_set *changes)
{
    struct flow_set before, after;
    compile_plan(a, &before);
    compile_plan(b, &after);
    flow_set_init(changes, DEFAULT_TABLE_BASE);
    struct diff_counts counts = diff_flows(&before, &after, changes);
    flow_set_destroy(&before);
    flow_set_destroy(&after);
    return counts;
}

static void
test_order_does_not_matter(void **state OVS_UNUSED)
{
    struct plan plan = { .n_services = 5, .replicas = 4 };
    struct plan backwards = plan;
    backwards.backwards = true;
    struct flow_set a, b;
    compile_plan(&plan, &a);
    compile_plan(&backwards, &b);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_true(flow_record_same_key(&a, &a.flows[i], &b, &b.flows[i]));
        assert_true(flow_record_same_actions(&a, &a.flows[i], &b,
                                             &b.flows[i]));
        assert_true(a.flows[i].cookie == b.flows[i].cookie);
    }
    flow_set_destroy(&a);
    flow_set_destroy(&b);
}

static void
test_no_two_flows_have_the_same_match(void **state OVS_UNUSED)
{
    struct plan plan = { .n_services = 5, .replicas = 4 };
    struct flow_set flows;
    compile_plan(&plan, &flows);
    for (size_t i = 1; i < flows.n; i++) {
        assert_false(flow_record_same_key(&flows, &flows.flows[i - 1], &flows,
                                          &flows.flows[i]));
    }
    flow_set_destroy(&flows);
}

/* docs/pipeline.md: how many flows there are. */
static void
test_flows_are_within_the_bound(void **state OVS_UNUSED)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        for (unsigned int services = 1; services <= 200; services *= 4) {
            for (unsigned int replicas = 1; replicas <= 9; replicas += 4) {
                struct plan plan = { .n_services = services,
                                     .replicas = replicas, .ipv6 = ipv6 };
                struct flow_set flows;
                compile_plan(&plan, &flows);
                size_t w = services * replicas, p = 1, l = services;
                if (flows.n > 2 * w + 2 * p + 2 * l + 64) {
                    fail_msg("%u services, %u replicas, IPv%d: %zu flows",
                             services, replicas, ipv6 ? 6 : 4, flows.n);
                }
                flow_set_destroy(&flows);
            }
        }
    }
}

static void
test_one_workload_more_is_as_many_changes_in_any_size(
    void **state OVS_UNUSED)
{
    for (unsigned int services = 2; services <= 200; services *= 10) {
        struct plan plan = { .n_services = services, .replicas = 10 };
        struct plan more = plan;
        more.first_has_one_more = true;
        struct flow_set changes;
        struct diff_counts counts = compare(&plan, &more, &changes);
        /* Its MAC and address are new; two blocks of ports and, in two
         * tables, the two prefixes that cover workloads may be replaced; the
         * flood changes, and perhaps the number of bits to compare. */
        print_message("%u workloads: %zu added, %zu removed, %zu changed\n",
                      services * 10, counts.added, counts.removed,
                      counts.changed);
        assert_true(counts.added >= 2 && counts.added <= 2 + 2 + 4);
        assert_true(counts.removed <= 2 + 4);
        assert_true(counts.changed >= 1 && counts.changed <= 2);
        flow_set_destroy(&changes);
    }
}

static void
test_one_link_less_takes_its_flows_only(void **state OVS_UNUSED)
{
    struct plan plan = { .n_services = 20, .replicas = 10 };
    struct plan less = plan;
    less.last_link_is_missing = true;
    struct flow_set changes;
    struct diff_counts counts = compare(&plan, &less, &changes);
    assert_int_equal(counts.removed, 2);
    assert_int_equal(counts.added + counts.changed, 0);
    for (size_t i = 0; i < changes.n; i++) {
        assert_int_equal(changes.flows[i].cookie >> COOKIE_KIND_SHIFT & 0xff,
                         ORIGIN_LINK);
    }
    flow_set_destroy(&changes);
}

/* Of a chain, the two services beside the one that is here, and its links. */
static void
test_what_concerns_other_bridges_only_is_left_out(void **state OVS_UNUSED)
{
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        struct plan plan = { .n_services = i ? 200 : 20, .replicas = 10,
                             .only_service = 7 };
        struct flow_set flows;
        compile_plan(&plan, &flows);
        size_t per_table[N_TABLES] = { 0 };
        for (size_t j = 0; j < flows.n; j++) {
            if (flows.flows[j].table >= DEFAULT_TABLE_BASE
                && flows.flows[j].cookie >> COOKIE_KIND_SHIFT & 0xff) {
                per_table[flows.flows[j].table - DEFAULT_TABLE_BASE]++;
            }
        }
        assert_int_equal(per_table[TABLE_MAC], 10);
        assert_int_equal(per_table[TABLE_ADDRESS], 30);
        assert_int_equal(per_table[TABLE_LINK], 2);
        assert_int_equal(per_table[TABLE_STATE], 2);
        n[i] = flows.n;
        flow_set_destroy(&flows);
    }
    assert_int_equal(n[0], n[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_no_two_flows_have_the_same_match),
        cmocka_unit_test(test_flows_are_within_the_bound),
        cmocka_unit_test(
            test_one_workload_more_is_as_many_changes_in_any_size),
        cmocka_unit_test(test_one_link_less_takes_its_flows_only),
        cmocka_unit_test(test_what_concerns_other_bridges_only_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
