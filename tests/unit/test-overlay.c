/* What was said by hand: conflicts, and what an overlay is made of. */

#include "overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ports.h"
#include "smap.h"
#include "util.h"
#include "values.h"

static const struct location nowhere = { .file = "m.xml", .line = 1 };

struct fixture {
    struct topology *topology;
    struct service *web, *db;
    struct ports *ports;
    struct smap ids[4];
    struct hand_binding bindings[4];
    size_t n;
};

static void
declare(struct service *service, const char *name, const char *mac,
        const char *address)
{
    struct workload *w = service_add_workload(service, name, nowhere);
    w->value = xstrdup(name);
    w->macs = xcalloc(1, sizeof *w->macs);
    w->addresses = xcalloc(1, sizeof *w->addresses);
    w->n_macs = w->n_addresses = 1;
    assert_null(value_to_mac(mac, w->macs));
    assert_null(value_to_address(address, w->addresses));
}

static void
set_up(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->topology = topology_create();
    topology_number_segments(f->topology);
    struct application *shop = topology_add_application(f->topology, "shop",
                                                        nowhere);
    f->web = application_add_service(f->topology, shop, "web", nowhere);
    f->db = application_add_service(f->topology, shop, "db", nowhere);
    declare(f->web, "web1", "02:00:00:00:01:01", "10.0.0.1");
    declare(f->db, "db1", "02:00:00:00:02:01", "10.0.0.2");
}

/* Binds 'interface' by 'keys', KEY=VALUE separated by commas. */
static void
say(struct fixture *f, const char *interface, const char *keys)
{
    struct smap *ids = &f->ids[f->n];
    smap_init(ids);
    char *copy = xstrdup(keys), *save = NULL;
    for (char *word = strtok_r(copy, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        smap_add(ids, word, value);
    }
    free(copy);
    f->bindings[f->n++] = (struct hand_binding) {
        .interface = interface, .ids = ids,
    };
}

static struct overlay *
bind_all(struct fixture *f)
{
    f->ports = ports_create(f->topology);
    f->ports->overlay = overlay_create(f->topology);
    overlay_bind(f->ports->overlay, f->ports, f->bindings, f->n);
    return f->ports->overlay;
}

static void
tear_down(struct fixture *f)
{
    for (size_t i = 0; i < f->n; i++) {
        smap_destroy(&f->ids[i]);
    }
    ports_destroy(f->ports);
    topology_destroy(f->topology);
}

static const struct workload *
bound(const struct overlay *overlay, const char *interface)
{
    return shash_find_data(&overlay->bound, interface);
}

static void
test_two_contradict_in_any_order(void **state OVS_UNUSED)
{
    static const char *const interfaces[] = { "a", "b" };
    for (int first = 0; first < 2; first++) {
        struct fixture f;
        set_up(&f);
        for (int i = 0; i < 2; i++) {
            say(&f, interfaces[i ^ first],
                "sdfw-workload=shop/web/w,sdfw-mac=02:00:00:00:00:07,"
                "sdfw-address=10.0.0.7");
        }
        struct overlay *overlay = bind_all(&f);
        assert_non_null(bound(overlay, "a"));
        assert_null(bound(overlay, "b"));
        assert_int_equal(overlay->problems.n, 1);
        assert_non_null(strstr(overlay->problems.names[0],
                               "interface b: shop/web/w is at interface a"));
        tear_down(&f);
    }
}

static void
test_identities_stay_unique(void **state OVS_UNUSED)
{
    struct fixture f;
    set_up(&f);
    say(&f, "a", "sdfw-workload=shop/web,sdfw-mac=02:00:00:00:02:01 "
        "02:00:00:00:00:07,sdfw-address=10.0.0.7 10.0.0.2");
    say(&f, "b", "sdfw-workload=shop/web,attached-mac=02:00:00:00:00:07,"
        "ip_addresses=10.0.0.7/24");
    struct overlay *overlay = bind_all(&f);
    const struct workload *a = bound(overlay, "a"), *b = bound(overlay, "b");
    assert_string_equal(a->name, "a");
    assert_int_equal(a->n_macs, 1);
    assert_int_equal(a->n_addresses, 1);
    assert_int_equal(a->macs[0].ea[5], 7);
    assert_int_equal(b->n_macs, 0);
    assert_int_equal(b->n_addresses, 0);
    assert_int_equal(overlay->problems.n, 4);
    assert_int_equal(f.ports->n_workloads, 4);
    tear_down(&f);
}

static void
test_declared_keeps_what_is_not_said(void **state OVS_UNUSED)
{
    struct fixture f;
    set_up(&f);
    say(&f, "tap0", "sdfw-workload=shop/web/web1,sdfw-address=10.0.0.9");
    say(&f, "tap1", "sdfw-workload=shop/db,attached-mac=02:00:00:00:02:01");
    struct overlay *overlay = bind_all(&f);
    const struct workload *web1 = bound(overlay, "tap0");
    assert_int_equal(web1->macs[0].ea[4], 1);
    assert_int_equal(web1->addresses[0].s6_addr[15], 9);
    assert_ptr_equal(f.ports->workloads[web1->index], web1);
    assert_ptr_not_equal(web1, f.web->workloads[0]);
    assert_ptr_equal(bound(overlay, "tap1"), f.db->workloads[0]);
    assert_int_equal(f.ports->n_workloads, 2);
    assert_int_equal(overlay->problems.n, 0);
    assert_ptr_equal(overlay_find_address(overlay, f.web->segment,
                                          &web1->addresses[0]), web1);
    tear_down(&f);
}

static void
test_quarantine_has_an_end(void **state OVS_UNUSED)
{
    struct fixture f;
    set_up(&f);
    struct overlay *overlay = bind_all(&f);
    const struct workload *web1 = f.web->workloads[0];
    const struct workload *db1 = f.db->workloads[0];
    const time_t noon = 1795694400; /* 2026-11-26T12:00:00Z. */
    overlay_quarantine(overlay, "a", web1, "2026-11-26T12:00:00Z", NULL, noon);
    assert_null(overlay_find_quarantine(overlay, web1));
    overlay_quarantine(overlay, "a", web1, "2026-11-26T12:00:01Z", NULL, noon);
    assert_int_equal(overlay_find_quarantine(overlay, web1)->until, noon + 1);
    assert_int_equal(overlay->changes, noon + 1);
    overlay_quarantine(overlay, "b", db1, "soon", "odd", noon);
    assert_int_equal(overlay_find_quarantine(overlay, db1)->until, 0);
    assert_int_equal(overlay->changes, noon + 1);
    assert_int_equal(overlay->problems.n, 1);
    tear_down(&f);
}

static void
test_modes_the_nearest_counts(void **state OVS_UNUSED)
{
    struct fixture f;
    set_up(&f);
    struct overlay *overlay = bind_all(&f);
    struct smap config = SMAP_INITIALIZER(&config);
    f.web->mode = MODE_LEARN;
    assert_int_equal(overlay_service_mode(NULL, f.web), MODE_LEARN);
    assert_int_equal(overlay_service_mode(overlay, f.web), MODE_LEARN);
    smap_add(&config, "sdfw-mode", "audit");
    smap_add(&config, "sdfw-mode:shop/db", "enforce");
    smap_add(&config, "sdfw-mode:shop/nobody", "enforce");
    smap_add(&config, "sdfw-mode:shop", "often");
    overlay_read_modes(overlay, &config);
    assert_int_equal(overlay_service_mode(overlay, f.web), MODE_AUDIT);
    assert_int_equal(overlay_service_mode(overlay, f.db), MODE_ENFORCE);
    assert_int_equal(overlay->problems.n, 2);
    smap_destroy(&config);
    tear_down(&f);
}

static void
test_equal_if_all_is(void **state OVS_UNUSED)
{
    struct fixture a, b;
    set_up(&a);
    say(&a, "x", "sdfw-workload=shop/web,sdfw-address=10.0.0.7");
    struct overlay *one = bind_all(&a);
    assert_true(overlay_equal(one, one));
    assert_false(overlay_equal(one, NULL));
    struct ports *ports = ports_create(a.topology);
    ports->overlay = overlay_create(a.topology);
    overlay_bind(ports->overlay, ports, a.bindings, a.n);
    assert_true(ports_equal(a.ports, ports));
    overlay_quarantine(ports->overlay, "x", bound(ports->overlay, "x"),
                       "indefinite", NULL, 0);
    assert_false(ports_equal(a.ports, ports));
    ports_destroy(ports);
    set_up(&b);
    assert_false(overlay_equal(one, bind_all(&b)));
    tear_down(&b);
    tear_down(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_contradict_in_any_order),
        cmocka_unit_test(test_identities_stay_unique),
        cmocka_unit_test(test_declared_keeps_what_is_not_said),
        cmocka_unit_test(test_quarantine_has_an_end),
        cmocka_unit_test(test_modes_the_nearest_counts),
        cmocka_unit_test(test_equal_if_all_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
