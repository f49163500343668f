/* Every manifest in tests/manifests/bad is wrong, and what is said about it is
 * in the .expect file beside it, word for word.  A case NAME is NAME.xml or a
 * directory NAME; its expectation is NAME.expect.
 *
 * With SDFW_UPDATE_EXPECT=1 the expectations are written instead: read the
 * difference before you commit it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"
#include "manifest.h"
#include "svec.h"
#include "util.h"

#include <dirent.h>

#define CASES "tests/manifests/bad"
#define NOW 1780272000          /* 2026-06-01T00:00:00Z */

static bool
has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && !strcmp(s + n - m, suffix);
}

/* What is reported about the manifest at 'path'.  The caller frees it. */
static char *
findings_of(const char *path)
{
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(&path, 1, &report);
    assert_true(!topology == (report.n_errors > 0));
    if (topology) {
        check_topology(topology, NOW, &report);
    }
    topology_destroy(topology);
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    report_print(&report, stream);
    fclose(stream);
    report_destroy(&report);
    return text;
}

/* The contents of 'file', or NULL.  The caller frees them. */
static char *
contents_of(const char *file)
{
    FILE *stream = fopen(file, "r");
    if (!stream) {
        return NULL;
    }
    char *text = NULL;
    size_t allocated = 0;
    ssize_t n = getdelim(&text, &allocated, '\0', stream);
    fclose(stream);
    if (n < 0) {
        text[0] = '\0';
    }
    return text;
}

static bool
matches_expectation(const char *name)
{
    char *stem = has_suffix(name, ".xml") ? xmemdup0(name, strlen(name) - 4)
                                          : xstrdup(name);
    char *file = xasprintf("%s.expect", stem);
    char *seen = findings_of(name);
    if (getenv("SDFW_UPDATE_EXPECT")) {
        FILE *stream = fopen(file, "w");
        assert_non_null(stream);
        fputs(seen, stream);
        fclose(stream);
    }
    char *expected = contents_of(file);
    bool matches = expected && expected[0] && !strcmp(expected, seen);
    if (!matches) {
        print_error("%s: expected\n%sbut saw\n%s\n", name,
                    expected ? expected : "(no .expect file)\n", seen);
    }
    free(stem);
    free(file);
    free(seen);
    free(expected);
    return matches;
}

static void
test_findings_are_as_expected(void **state OVS_UNUSED)
{
    assert_int_equal(chdir(CASES), 0);
    struct svec cases = SVEC_EMPTY_INITIALIZER;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.' && !has_suffix(entry->d_name, ".expect")) {
            svec_add(&cases, entry->d_name);
        }
    }
    closedir(dir);
    svec_sort(&cases);

    size_t n_wrong = 0, i;
    const char *name;
    SVEC_FOR_EACH (i, name, &cases) {
        n_wrong += !matches_expectation(name);
    }
    print_message("%zu bad manifests\n", cases.n);
    assert_true(cases.n >= 60);
    assert_int_equal(n_wrong, 0);
    svec_destroy(&cases);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings_are_as_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
