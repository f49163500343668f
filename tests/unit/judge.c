/* Judges links for tests: see judge.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "judge.h"
#include "manifest.h"
#include "util.h"

static const char world[] =
    "<manifest xmlns=\"urn:ovs-sdfw:manifest:1\" version=\"1\">"
    "<network name=\"internet\"><prefix>0.0.0.0/0</prefix>"
    "<prefix>::/0</prefix><except>10.0.0.0/8</except></network>"
    "<network name=\"partner\"><prefix>192.0.2.0/28</prefix></network>"
    "<network name=\"office\"><prefix>10.9.0.0/16</prefix></network>"
    "<network name=\"admin-lan\"><prefix>10.8.0.0/24</prefix></network>"
    "<network name=\"monitoring\"><prefix>fd00:8::/64</prefix></network>"
    "<network name=\"dns\"><prefix>10.8.2.53</prefix></network>"
    "<application name=\"shop\">"
    "<service name=\"web\">" WORKLOAD(11) WORKLOAD(12) WORKLOAD(13)
    "</service>"
    "<service name=\"canary\"><member workload=\"web/w11\"/></service>"
    SERVICE("orders-db2", 21) SERVICE("auth", 31) SERVICE("thing", 41)
    SERVICE("bastion", 51) "%s</application>"
    "<application name=\"redis\">" SERVICE("primary", 61)
    "<accept from=\"shop\" to=\"primary\"/></application></manifest>";

int
judge_set_up(void **state)
{
    struct fixture *fixture = xzalloc(sizeof *fixture);
    strcpy(fixture->directory, "/tmp/sdfw-verify-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    report_init(&fixture->report);
    *state = fixture;
    return 0;
}

static void
forget(struct fixture *fixture)
{
    verify_result_destroy(&fixture->result);
    catalogue_destroy(fixture->catalogue);
    topology_destroy(fixture->topology);
    report_destroy(&fixture->report);
    report_init(&fixture->report);
    fixture->result = (struct verify_result) { .n = 0 };
    fixture->catalogue = NULL;
    fixture->topology = NULL;
}

int
judge_tear_down(void **state)
{
    struct fixture *fixture = *state;
    forget(fixture);
    report_destroy(&fixture->report);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

/* Writes 'text' to a file.  The caller unlinks and frees its name. */
static char *
write_file(const struct fixture *fixture, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", fixture->directory, name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
    return path;
}

static void
remove_file(char *path)
{
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void
assert_or_tell(struct fixture *fixture, const void *what)
{
    if (!what) {
        report_print(&fixture->report, stderr);
        fail();
    }
}

void
judge_read_catalogue(struct fixture *fixture, const char *entries)
{
    char *text = xasprintf("<catalogue xmlns=\"urn:ovs-sdfw:catalogue:1\" "
                           "version=\"1\">\n%s\n</catalogue>", entries);
    char *file = write_file(fixture, "site.xml", text);
    const char *files[] = { file };
    fixture->catalogue = catalogue_read(files, 1, JUDGE_NOW, &fixture->report);
    remove_file(file);
    free(text);
}

static void
read_manifest(struct fixture *fixture, const char *text)
{
    char *file = write_file(fixture, "manifest.xml", text);
    const char *files[] = { file };
    fixture->topology = manifest_read(files, 1, &fixture->report);
    remove_file(file);
    assert_or_tell(fixture, fixture->topology);
}

void
judge_manifest(struct fixture *fixture, const char *manifest,
               const char *entries)
{
    forget(fixture);
    read_manifest(fixture, manifest);
    judge_read_catalogue(fixture, entries);
    assert_or_tell(fixture, fixture->catalogue);
    verify_topology(fixture->topology, fixture->catalogue, JUDGE_NOW,
                    &fixture->result);
}

const struct verify_finding *
judge_links(struct fixture *fixture, const char *links, const char *entries)
{
    char *manifest = xasprintf(world, links);
    judge_manifest(fixture, manifest, entries);
    free(manifest);
    assert_true(fixture->result.n > 0);
    return &fixture->result.findings[0];
}

const struct verify_finding *
judge_link(struct fixture *fixture, const char *from, const char *to,
           const char *opens, const char *entries)
{
    char *link = xasprintf("<link from=\"%s\" to=\"%s\">%s</link>", from, to,
                           opens);
    const struct verify_finding *f = judge_links(fixture, link, entries);
    free(link);
    return f;
}

bool
judged_by(const struct verify_finding *f, const char *id)
{
    for (size_t i = 0; i < f->n_rules; i++) {
        if (!strcmp(f->rules[i]->id, id)) {
            return true;
        }
    }
    return false;
}
