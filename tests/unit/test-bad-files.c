/* Every manifest in tests/manifests/bad, and every catalogue in
 * tests/catalogues/bad, is wrong, and what is said about it is in the .expect
 * file beside it, word for word.  A case NAME is NAME.xml or a directory NAME;
 * its expectation is NAME.expect.
 *
 * With SDFW_UPDATE_EXPECT=1 the expectations are written instead: read the
 * difference before you commit it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalogue.h"
#include "check.h"
#include "manifest.h"
#include "svec.h"
#include "util.h"

#include <dirent.h>

#define NOW 1780272000          /* 2026-06-01T00:00:00Z */

static bool
has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && !strcmp(s + n - m, suffix);
}

static void
read_manifest(const char *path, struct report *report)
{
    struct topology *topology = manifest_read(&path, 1, report);
    assert_true(!topology == (report->n_errors > 0));
    if (topology) {
        check_topology(topology, NOW, report);
    }
    topology_destroy(topology);
}

static void
read_catalogue(const char *path, struct report *report)
{
    struct catalogue *catalogue = catalogue_read(&path, 1, NOW, report);
    assert_true(!catalogue == (report->n_errors > 0));
    catalogue_destroy(catalogue);
}

typedef void read_function(const char *path, struct report *);

/* What 'read' reports about the file at 'path'.  The caller frees it. */
static char *
findings_of(const char *path, read_function *read)
{
    struct report report;
    report_init(&report);
    read(path, &report);
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
matches_expectation(const char *name, read_function *read)
{
    char *stem = has_suffix(name, ".xml") ? xmemdup0(name, strlen(name) - 4)
                                          : xstrdup(name);
    char *file = xasprintf("%s.expect", stem);
    char *seen = findings_of(name, read);
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

/* Reads all cases of 'directory', of which there are at least 'least'. */
static void
check_cases(const char *directory, read_function *read, size_t least)
{
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(here >= 0);
    assert_int_equal(chdir(directory), 0);
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
        n_wrong += !matches_expectation(name, read);
    }
    print_message("%zu cases in %s\n", cases.n, directory);
    assert_true(cases.n >= least);
    assert_int_equal(n_wrong, 0);
    svec_destroy(&cases);
    assert_int_equal(fchdir(here), 0);
    close(here);
}

static void
test_findings_about_manifests_are_as_expected(void **state OVS_UNUSED)
{
    check_cases("tests/manifests/bad", read_manifest, 60);
}

static void
test_findings_about_catalogues_are_as_expected(void **state OVS_UNUSED)
{
    check_cases("tests/catalogues/bad", read_catalogue, 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings_about_manifests_are_as_expected),
        cmocka_unit_test(test_findings_about_catalogues_are_as_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
