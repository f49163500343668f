/* findings.c: what of the manifests is told again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "findings.h"
#include "util.h"

struct line {
    enum severity severity;
    const char *file;
    int line;
    const char *message;
};

static void
tell(const struct finding *f, void *told_)
{
    struct ds *told = told_;
    ds_put_format(told, "%s:%d %s\n", f->file, f->line, f->message);
}

/* Reads 'lines', up to one without a message. */
static void
assert_told(struct shash *known, const struct line *lines, bool taken,
            const char *wanted)
{
    struct report report;
    report_init(&report);
    for (; lines->message; lines++) {
        const struct location where = { lines->file, lines->line };
        (lines->severity == SEVERITY_ERROR ? report_error : report_warning)(
            &report, where, "%s", lines->message);
    }
    struct ds told = DS_EMPTY_INITIALIZER;
    findings_tell(known, &report, taken, tell, &told);
    assert_string_equal(ds_cstr(&told), wanted);
    ds_destroy(&told);
    report_destroy(&report);
}

static void
test_told_once(void **state OVS_UNUSED)
{
    struct shash known = SHASH_INITIALIZER(&known);
    const struct line first[] = {
        { SEVERITY_WARNING, "a.xml", 3, "unused" },
        { SEVERITY_WARNING, "b.xml", 3, "unused" }, { .message = NULL },
    };
    const struct line moved[] = {
        { SEVERITY_WARNING, "a.xml", 4, "unused" },
        { SEVERITY_WARNING, "b.xml", 3, "unused" },
        { SEVERITY_WARNING, "b.xml", 9, "unused" },
        { SEVERITY_WARNING, "b.xml", 9, "open" }, { .message = NULL },
    };
    const struct line none[] = { { .message = NULL } };
    assert_told(&known, first, true, "a.xml:3 unused\nb.xml:3 unused\n");
    assert_told(&known, first, true, "");
    assert_told(&known, moved, true, "b.xml:9 unused\nb.xml:9 open\n");
    assert_told(&known, moved, true, "");
    assert_told(&known, none, true, "");
    assert_told(&known, first, true, "a.xml:3 unused\nb.xml:3 unused\n");
    shash_destroy(&known);
}

/* Manifests with errors are not in force: what was known still is. */
static void
test_errors(void **state OVS_UNUSED)
{
    struct shash known = SHASH_INITIALIZER(&known);
    const struct line good[] = {
        { SEVERITY_WARNING, "a.xml", 3, "unused" }, { .message = NULL },
    };
    const struct line broken[] = {
        { SEVERITY_ERROR, "a.xml", 1, "broken" }, { .message = NULL },
    };
    assert_told(&known, good, true, "a.xml:3 unused\n");
    assert_told(&known, broken, false, "a.xml:1 broken\n");
    assert_told(&known, broken, false, "a.xml:1 broken\n");
    assert_told(&known, good, true, "");
    shash_destroy(&known);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_once),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
