/* roles.c: workloads with the same behaviour become one role. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "../bench/estate.h"
#include "random.h"
#include "roles.h"
#include "seed.h"
#include "util.h"

#define MAX_HOSTS 128
#define MAX_ENTRIES 4096

/* Observations that a test puts together by names. */
struct seen {
    struct role_observations observations;
    char *hosts[MAX_HOSTS];
    struct role_entry entries[MAX_ENTRIES];
    uint32_t service_of[MAX_HOSTS];
    struct roles *roles;
};

static const char *const outside[] = { "internet", "office" };
#define INTERNET 10000          /* Until end() knows better. */

static const struct role_port_name port_names[] = {
    { IPPROTO_TCP, 443, "https" }, { IPPROTO_TCP, 5432, "postgresql" },
};

static int
setup(void **state)
{
    struct seen *seen = xzalloc(sizeof *seen);
    *state = seen;
    return 0;
}

static int
teardown(void **state)
{
    struct seen *seen = *state;
    for (size_t i = 0; i < seen->observations.n_hosts; i++) {
        free(seen->hosts[i]);
    }
    roles_destroy(seen->roles);
    free(seen);
    return 0;
}

/* Adds hosts "name-1" to "name-n"; returns the first. */
static uint32_t
add_hosts(struct seen *seen, const char *name, size_t n)
{
    uint32_t first = seen->observations.n_hosts;
    for (size_t i = 0; i < n; i++) {
        seen->hosts[first + i] = xasprintf("%s-%"PRIuSIZE, name, i + 1);
    }
    seen->observations.n_hosts += n;
    assert_true(seen->observations.n_hosts <= MAX_HOSTS);
    return first;
}

static struct role_entry *
add_entry(struct seen *seen, uint32_t client, uint32_t server, uint16_t port,
          uint64_t n)
{
    size_t i = seen->observations.n_entries++;
    assert_true(i < MAX_ENTRIES);
    seen->entries[i] = (struct role_entry) {
        client, server, IPPROTO_TCP, port, n, 0
    };
    return &seen->entries[i];
}

/* Each of 'n' clients from 'client' on to each server. */
static void
add_link(struct seen *seen, uint32_t client, size_t n, uint32_t server,
         size_t n_servers, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n_servers; j++) {
            add_entry(seen, client + i, server + j, port, 30);
        }
    }
}

static void
observe(struct seen *seen)
{
    struct role_observations *o = &seen->observations;
    for (size_t i = 0; i < o->n_entries; i++) {
        struct role_entry *entry = &seen->entries[i];
        if (entry->client >= INTERNET) {
            entry->client += o->n_hosts - INTERNET;
        }
        if (entry->server >= INTERNET) {
            entry->server += o->n_hosts - INTERNET;
        }
    }
    o->hosts = (const char *const *) seen->hosts;
    o->outside = outside;
    o->n_outside = ARRAY_SIZE(outside);
    o->entries = seen->entries;
}

static void
group(struct seen *seen)
{
    observe(seen);
    seen->roles = roles_create(&seen->observations, port_names,
                               ARRAY_SIZE(port_names));
}

static const struct role *
role_of(const struct seen *seen, uint32_t host)
{
    uint32_t role = seen->roles->of_host[host];
    return role == ROLE_NONE ? NULL : &seen->roles->roles[role];
}

/* Fails unless 'n' hosts from 'first' on, and no other, have one role. */
static void
assert_role(const struct seen *seen, uint32_t first, size_t n)
{
    const struct role *role = role_of(seen, first);
    assert_non_null(role);
    assert_int_equal(role->n_hosts, n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(role_of(seen, first + i), role);
    }
}

/* internet -> web -> app -> db, and DNS for all. */
struct shop {
    uint32_t web, app, db;
};

static struct shop
add_shop(struct seen *seen, const char *prefix, size_t n)
{
    char *names[3];
    uint32_t first[3];
    static const char *const tiers[] = { "web", "app", "db" };
    for (size_t i = 0; i < 3; i++) {
        names[i] = xasprintf("%s%s", prefix, tiers[i]);
        first[i] = add_hosts(seen, names[i], i == 2 ? 1 : n);
        free(names[i]);
    }
    struct shop shop = { first[0], first[1], first[2] };
    add_link(seen, INTERNET, 1, shop.web, n, 443);
    add_link(seen, shop.web, n, shop.app, n, 8080);
    add_link(seen, shop.app, n, shop.db, 1, 5432);
    return shop;
}

static void
test_tiers_are_roles_and_have_names(void **state)
{
    struct seen *seen = *state;
    struct shop shop = add_shop(seen, "", 3);
    group(seen);

    assert_int_equal(seen->roles->n_roles, 3);
    assert_role(seen, shop.web, 3);
    assert_role(seen, shop.app, 3);
    assert_role(seen, shop.db, 1);
    assert_string_equal(role_of(seen, shop.web)->name, "web");
    assert_string_equal(role_of(seen, shop.app)->name, "app");
    assert_string_equal(role_of(seen, shop.db)->name, "db");
}

static void
test_names_without_meaning_come_from_ports(void **state)
{
    struct seen *seen = *state;
    uint32_t all = add_hosts(seen, "vnet", 7);
    add_link(seen, INTERNET, 1, all, 3, 443);
    add_link(seen, all, 3, all + 3, 3, 8080);
    add_link(seen, all + 3, 3, all + 6, 1, 5432);
    group(seen);

    assert_string_equal(role_of(seen, all)->name, "https");
    assert_string_equal(role_of(seen, all + 3)->name, "tcp-8080");
    assert_string_equal(role_of(seen, all + 6)->name, "postgresql");
}

static void
test_hashes_are_no_part_of_a_name(void **state)
{
    struct seen *seen = *state;
    uint32_t web = add_hosts(seen, "shop-web-7d9f8b6c4-x2x9z", 3);
    add_link(seen, INTERNET, 1, web, 3, 443);
    group(seen);
    assert_string_equal(role_of(seen, web)->name, "shop-web");
}

static void
test_two_shops_of_the_same_structure_stay_apart(void **state)
{
    struct seen *seen = *state;
    uint32_t dns = add_hosts(seen, "dns", 2);
    struct shop a = add_shop(seen, "", 4);
    struct shop b = add_shop(seen, "", 4);
    /* Names are no help: give both the same ones, but for numbers. */
    for (size_t i = 0; i < 9; i++) {
        free(seen->hosts[b.web + i]);
        seen->hosts[b.web + i] = xasprintf("%s0", seen->hosts[a.web + i]);
    }
    add_link(seen, a.web, 18, dns, 2, 53);
    group(seen);

    assert_role(seen, dns, 2);
    assert_role(seen, a.web, 4);
    assert_role(seen, a.app, 4);
    assert_role(seen, a.db, 1);
    assert_role(seen, b.web, 4);
    assert_role(seen, b.app, 4);
    assert_role(seen, b.db, 1);
    assert_string_not_equal(role_of(seen, a.web)->name,
                            role_of(seen, b.web)->name);
}

static void
test_same_port_other_clients(void **state)
{
    struct seen *seen = *state;
    uint32_t orders = add_hosts(seen, "x", 3);
    uint32_t billing = add_hosts(seen, "y", 3);
    uint32_t db = add_hosts(seen, "db", 4);
    add_link(seen, INTERNET, 1, orders, 3, 443);
    add_link(seen, INTERNET + 1, 1, billing, 3, 8443);
    add_link(seen, orders, 3, db, 2, 5432);
    add_link(seen, billing, 3, db + 2, 2, 5432);
    group(seen);
    assert_role(seen, db, 2);
    assert_role(seen, db + 2, 2);
}

static void
test_replicas_that_meet_different_replicas(void **state)
{
    struct seen *seen = *state;
    uint32_t app = add_hosts(seen, "vnet", 12);
    uint32_t cache = add_hosts(seen, "tap", 12);
    /* Each client has three servers, few of them the same. */
    for (size_t i = 0; i < 12; i++) {
        add_entry(seen, app + i, cache + i, 6379, 30);
        add_entry(seen, app + i, cache + (i + 1) % 12, 6379, 30);
        add_entry(seen, app + i, cache + (i + 5) % 12, 6379, 30);
    }
    add_shop(seen, "other", 4);
    group(seen);
    assert_role(seen, app, 12);
    assert_role(seen, cache, 12);
}

static void
test_who_did_hardly_anything_has_no_role(void **state)
{
    struct seen *seen = *state;
    uint32_t dns = add_hosts(seen, "dns", 2);
    uint32_t idle = add_hosts(seen, "idle", 3);
    add_shop(seen, "", 4);
    add_shop(seen, "other", 4);
    add_link(seen, idle, seen->observations.n_hosts - idle, dns, 2, 53);
    /* The last did nothing at all, not even DNS. */
    uint32_t silent = add_hosts(seen, "silent", 1);
    group(seen);

    assert_role(seen, dns, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_null(role_of(seen, idle + i));
    }
    assert_null(role_of(seen, silent));
}

static void
test_new_replica_joins_by_what_it_did_so_far(void **state)
{
    struct seen *seen = *state;
    struct shop shop = add_shop(seen, "", 4);
    add_shop(seen, "other", 4);
    uint32_t young = add_hosts(seen, "new", 1);
    add_entry(seen, young, shop.db, 5432, 4);
    group(seen);
    assert_ptr_equal(role_of(seen, young), role_of(seen, shop.app));
}

static void
test_scanned_replica_keeps_its_role(void **state)
{
    struct seen *seen = *state;
    struct shop shop = add_shop(seen, "", 4);
    for (uint16_t port = 1; port <= 500; port++) {
        add_entry(seen, shop.web, shop.app + 1, port, 1);
    }
    group(seen);
    assert_role(seen, shop.web, 4);
    assert_role(seen, shop.app, 4);
}

static void
test_nothing_seen(void **state)
{
    struct seen *seen = *state;
    group(seen);
    assert_int_equal(seen->roles->n_roles, 0);

    size_t n;
    free(roles_suspicions(&seen->observations, seen->roles, &n));
    assert_int_equal(n, 0);
}

/* What is suspicious of 'entry', or -1. */
static int
reason_of(const struct seen *seen, size_t entry, char **text)
{
    size_t n;
    int reason = -1;
    struct suspicion *s = roles_suspicions(&seen->observations, seen->roles,
                                           &n);
    for (size_t i = 0; i < n; i++) {
        if (s[i].entry == entry) {
            assert_int_equal(reason, -1);
            reason = s[i].reason;
            *text = suspicion_text(&seen->observations, seen->roles, &s[i]);
        }
    }
    free(s);
    return reason;
}

static void
assert_suspicion(const struct seen *seen, size_t entry, int reason,
                 const char *expected)
{
    char *text = NULL;
    assert_int_equal(reason_of(seen, entry, &text), reason);
    if (expected) {
        assert_string_equal(text, expected);
    }
    free(text);
}

static void
test_what_one_replica_does_alone_is_suspicious(void **state)
{
    struct seen *seen = *state;
    struct shop shop = add_shop(seen, "", 5);
    size_t n_usual = seen->observations.n_entries;
    add_entry(seen, shop.web + 2, shop.db, 5432, 3);
    add_entry(seen, INTERNET + 1, shop.app + 1, 22, 1);
    add_link(seen, INTERNET + 1, 1, shop.app, 5, 9100);
    group(seen);

    assert_role(seen, shop.web, 5);
    assert_suspicion(seen, n_usual, SUSPICION_ALONE,
                     "alone: 1 of 5 replicas of \"web\" does this");
    assert_suspicion(seen, n_usual + 1, SUSPICION_ALONE,
                     "alone: 1 of 5 replicas of \"app\" is asked this");
    for (size_t i = 0; i < seen->observations.n_entries; i++) {
        if (i != n_usual && i != n_usual + 1) {
            assert_suspicion(seen, i, -1, NULL);
        }
    }
}

static void
test_primary_of_a_database_is_not_suspicious(void **state)
{
    struct seen *seen = *state;
    uint32_t app = add_hosts(seen, "app", 5);
    uint32_t db = add_hosts(seen, "db", 5);
    add_link(seen, INTERNET, 1, app, 5, 443);
    add_link(seen, db, 5, db, 5, 7000);
    add_link(seen, app, 5, db, 5, 5432);
    size_t first = seen->observations.n_entries;
    add_link(seen, app, 5, db, 1, 5433);
    group(seen);
    assert_role(seen, db, 5);
    for (size_t i = first; i < seen->observations.n_entries; i++) {
        assert_suspicion(seen, i, -1, NULL);
    }
}

static void
test_scans_are_suspicious(void **state)
{
    struct seen *seen = *state;
    struct shop shop = add_shop(seen, "", 4);
    size_t ports = seen->observations.n_entries;
    for (uint16_t port = 1; port <= 10; port++) {
        add_entry(seen, shop.web, shop.db, port, 1);
    }
    group(seen);
    for (size_t i = 0; i < 10; i++) {
        assert_suspicion(seen, ports + i, SUSPICION_PORT_SCAN,
                         "port scan: web-1 tried 10 ports of db-1 that it "
                         "hardly used");
    }
}

static void
test_sweep_is_suspicious_and_meeting_replicas_is_not(void **state)
{
    struct seen *seen = *state;
    struct shop a = add_shop(seen, "a", 12);
    struct shop b = add_shop(seen, "b", 12);
    size_t swept = seen->observations.n_entries;
    for (uint32_t host = a.web; host <= b.db; host += 4) {
        if (host != a.web) {
            add_entry(seen, a.web, host, 445, 5)->n_unanswered = 5;
        }
    }
    size_t n_swept = seen->observations.n_entries - swept;
    uint32_t young = add_hosts(seen, "aweb-young", 1);
    size_t met = seen->observations.n_entries;
    for (size_t i = 0; i < 12; i++) {
        add_entry(seen, young, a.app + i, 8080, 1);
    }
    group(seen);
    for (size_t i = 0; i < n_swept; i++) {
        assert_suspicion(seen, swept + i, SUSPICION_SWEEP, NULL);
    }
    for (size_t i = 0; i < 12; i++) {
        assert_suspicion(seen, met + i, -1, NULL);
    }
}

static void
test_rand_index(void **state)
{
    /* Hubert and Arabie's definition by hand: of 15 pairs 3 + 4 are together
     * in one or the other, 2 in both. */
    static const uint32_t a[] = { 0, 0, 0, 1, 2, 3 };
    static const uint32_t b[] = { 7, 7, 8, 8, 8, 9 };
    double expected = 3 * 4 / 15.0;
    assert_float_equal(adjusted_rand_index(a, b, 6),
                       (1 - expected) / (3.5 - expected), 1e-9);

    static const uint32_t other_names[] = { 9, 9, 9, 4, 1, 0 };
    assert_float_equal(adjusted_rand_index(a, other_names, 6), 1, 1e-9);
    static const uint32_t none[] = { 0, 0, 0, ROLE_NONE, ROLE_NONE, 3 };
    assert_float_equal(adjusted_rand_index(a, none, 6), 1, 1e-9);
    static const uint32_t one[] = { 0, 0, 0, 0, 0, 0 };
    assert_float_equal(adjusted_rand_index(a, one, 6), 0, 1e-9);
}

static double
score(uint64_t seed, size_t n_workloads, size_t max_replicas, double noise)
{
    struct estate_options options = {
        .seed = seed, .n_workloads = n_workloads,
        .max_replicas = max_replicas, .noise = noise, .rare = 0.2,
        .idle = 0.02,
    };
    struct estate *e = estate_create(&options);
    struct roles *roles = roles_create(&e->observations, NULL, 0);
    double result = estate_score(e, roles);
    roles_destroy(roles);
    estate_destroy(e);
    return result;
}

static void
test_thousand_workloads_are_found_in_noise(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_true(score(seed, 1000, 50, 0.05) > 0.95);
    }
    assert_true(score(1, 1000, 50, 0.2) > 0.95);
    assert_true(score(1, 1000, 8, 0.05) > 0.9);
}

/* The same observations with all arrays in another order. */
static struct role_observations
shuffle(const struct role_observations *o, uint32_t *place)
{
    size_t n = o->n_hosts;
    const char **hosts = xmalloc(n * sizeof *hosts);
    struct role_entry *entries = xmemdup(o->entries,
                                         o->n_entries * sizeof *entries);
    const char **names = xmalloc(o->n_outside * sizeof *names);

    for (size_t i = 0; i < n; i++) {
        size_t j = random_range(i + 1);
        place[i] = i;
        for (size_t k = 0; k < i; k++) {
            if (place[k] == j) {
                place[k] = i;
                place[i] = j;
                break;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        hosts[place[i]] = o->hosts[i];
    }
    for (size_t i = 0; i < o->n_outside; i++) {
        names[i] = o->outside[o->n_outside - 1 - i];
    }
    for (size_t i = 0; i < o->n_entries; i++) {
        size_t j = random_range(i + 1);
        struct role_entry entry = o->entries[i];
        entry.client = entry.client < n ? place[entry.client]
                       : 2 * n + o->n_outside - 1 - entry.client;
        entry.server = entry.server < n ? place[entry.server]
                       : 2 * n + o->n_outside - 1 - entry.server;
        entries[i] = entries[j];
        entries[j] = entry;
    }
    return (struct role_observations) {
        hosts, n, names, o->n_outside, entries, o->n_entries
    };
}

static void
test_any_order_gives_the_same(void **state)
{
    struct estate_options options = {
        .seed = 7, .n_workloads = 300, .max_replicas = 20, .noise = 0.05,
        .rare = 0.2, .idle = 0.02,
    };
    struct estate *e = estate_create(&options);
    struct roles *expected = roles_create(&e->observations, NULL, 0);
    uint32_t place[300];

    seed_random();
    for (int round = 0; round < 3; round++) {
        struct role_observations other = shuffle(&e->observations, place);
        struct roles *roles = roles_create(&other, NULL, 0);
        assert_int_equal(roles->n_roles, expected->n_roles);
        for (size_t i = 0; i < 300; i++) {
            assert_int_equal(roles->of_host[place[i]], expected->of_host[i]);
        }
        for (size_t i = 0; i < roles->n_roles; i++) {
            assert_string_equal(roles->roles[i].name,
                                expected->roles[i].name);
        }
        roles_destroy(roles);
        free((void *) other.hosts);
        free((void *) other.outside);
        free((void *) other.entries);
    }
    roles_destroy(expected);
    estate_destroy(e);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tiers_are_roles_and_have_names),
        TEST(test_names_without_meaning_come_from_ports),
        TEST(test_hashes_are_no_part_of_a_name),
        TEST(test_two_shops_of_the_same_structure_stay_apart),
        TEST(test_same_port_other_clients),
        TEST(test_replicas_that_meet_different_replicas),
        TEST(test_who_did_hardly_anything_has_no_role),
        TEST(test_new_replica_joins_by_what_it_did_so_far),
        TEST(test_scanned_replica_keeps_its_role),
        TEST(test_nothing_seen),
        TEST(test_what_one_replica_does_alone_is_suspicious),
        TEST(test_primary_of_a_database_is_not_suspicious),
        TEST(test_scans_are_suspicious),
        TEST(test_sweep_is_suspicious_and_meeting_replicas_is_not),
        cmocka_unit_test(test_rand_index),
        cmocka_unit_test(test_thousand_workloads_are_found_in_noise),
        cmocka_unit_test(test_any_order_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
