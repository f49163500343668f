/* Modes that are set by hand: ovs-ext/modes.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modes.h"

static const struct location nowhere = { .file = NULL };

/* "a" in enforce, with "a/x" as its application and "a/y" in audit. */
static struct topology *
make_topology(void)
{
    struct topology *t = topology_create();
    struct application *a = topology_add_application(t, "a", nowhere);
    a->mode = MODE_ENFORCE;
    application_add_service(t, a, "x", nowhere);
    application_add_service(t, a, "y", nowhere)->mode = MODE_AUDIT;
    return t;
}

static void
assert_modes(const struct topology *t, enum mode x, enum mode y)
{
    const struct application *a = t->applications[0];
    assert_int_equal(service_mode(a->services[0]), x);
    assert_int_equal(service_mode(a->services[1]), y);
}

static void
set(struct modes *modes, struct topology *t, const char *name,
    const char *mode)
{
    assert_null(modes_set(modes, t, name, mode));
    modes_apply(modes, t, false);
}

static void
test_set(void **state)
{
    struct topology *t = make_topology();
    struct modes modes;
    modes_init(&modes);
    set(&modes, t, "a", "learn");
    assert_modes(t, MODE_LEARN, MODE_AUDIT);
    set(&modes, t, "a/y", "enforce");
    assert_modes(t, MODE_LEARN, MODE_ENFORCE);
    set(&modes, t, "a", "audit");
    set(&modes, t, "a/x", "enforce");
    assert_modes(t, MODE_ENFORCE, MODE_ENFORCE);
    set(&modes, t, "a/x", "manifest");
    assert_modes(t, MODE_AUDIT, MODE_ENFORCE);
    set(&modes, t, "a/y", "manifest");
    set(&modes, t, "a", "manifest");
    assert_modes(t, MODE_ENFORCE, MODE_AUDIT);
    modes_destroy(&modes);
    topology_destroy(t);
}

static void
test_read_again(void **state)
{
    struct topology *t = make_topology();
    struct modes modes;
    modes_init(&modes);
    set(&modes, t, "a", "learn");
    set(&modes, t, "a/x", "audit");
    topology_destroy(t);

    /* Another version, in which "a" has changed, and "a/x" is gone. */
    t = topology_create();
    struct application *a = topology_add_application(t, "a", nowhere);
    a->mode = MODE_AUDIT;
    application_add_service(t, a, "z", nowhere);
    modes_apply(&modes, t, true);
    assert_int_equal(service_mode(a->services[0]), MODE_LEARN);
    struct ds s = DS_EMPTY_INITIALIZER;
    modes_format_overrides(&modes, &s);
    assert_string_equal(ds_cstr(&s),
                        "MODE SET BY HAND: a is in learn\n"
                        "MODE SET BY HAND: a/x is in audit, but is not in the "
                        "manifests\n");
    ds_destroy(&s);
    assert_null(modes_set(&modes, t, "a/x", "manifest"));
    set(&modes, t, "a", "manifest");
    assert_int_equal(service_mode(a->services[0]), MODE_AUDIT);
    modes_destroy(&modes);
    topology_destroy(t);
}

static void
test_wrong(void **state)
{
    struct topology *t = make_topology();
    struct modes modes;
    modes_init(&modes);
    static const char *const wrong[][2] = {
        { "b", "audit" }, { "a/z", "audit" }, { "a", "loud" }, { "a", "" },
        { "a", "inherit" }, { "b", "manifest" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *error = modes_set(&modes, t, wrong[i][0], wrong[i][1]);
        assert_non_null(error);
        free(error);
    }
    free(modes_set(&modes, NULL, "a", "audit"));
    modes_apply(&modes, t, false);
    assert_modes(t, MODE_ENFORCE, MODE_AUDIT);
    modes_destroy(&modes);
    topology_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests_name("modes", tests, NULL, NULL);
}
