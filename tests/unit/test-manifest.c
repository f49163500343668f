/* manifest.c and what it uses: right manifests become the right model.
 *
 * Wrong manifests are in tests/manifests/bad: see test-bad-files.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"
#include "manifest.h"
#include "pipeline.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "values.h"

#define EXAMPLES "docs/examples"
#define NOW 1780272000          /* 2026-06-01T00:00:00Z */

#define BEGIN "<manifest xmlns=\"urn:ovs-sdfw:manifest:1\" version=\"1\">\n"
#define END "</manifest>\n"
#define WORKLOAD(NAME, N)                                               \
    "<workload name=\"" NAME "\" interface=\"" NAME "\">"               \
    "<mac>02:00:00:00:00:" N "</mac><address>10.0.0." N "</address>"    \
    "</workload>\n"

/* A directory for the files of one test. */
struct fixture {
    char directory[32];
    struct report report;
};

static int
set_up(void **state)
{
    struct fixture *fixture = xzalloc(sizeof *fixture);
    strcpy(fixture->directory, "/tmp/sdfw-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    report_init(&fixture->report);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    char *command = xasprintf("rm -rf %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(command);
    report_destroy(&fixture->report);
    free(fixture);
    return 0;
}

static void
write_file(const struct fixture *fixture, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", fixture->directory, name);
    for (char *p = strchr(path + strlen(fixture->directory) + 1, '/'); p;
         p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(path, 0755);
        *p = '/';
    }
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
    free(path);
}

static struct topology *
read_path(struct fixture *fixture, const char *path)
{
    struct topology *topology = manifest_read(&path, 1, &fixture->report);
    if (!topology) {
        report_print(&fixture->report, stderr);
    }
    return topology;
}

/* Reads the directory of 'fixture'. */
static struct topology *
read_directory(struct fixture *fixture)
{
    struct topology *topology = read_path(fixture, fixture->directory);
    assert_non_null(topology);
    return topology;
}

static struct service *
find_service(const struct topology *topology, const char *path)
{
    struct service *service = shash_find_data(&topology->service_index, path);
    assert_non_null(service);
    return service;
}

static void
test_examples_are_right(void **state)
{
    static const char *const examples[] = {
        EXAMPLES "/shop.xml", EXAMPLES "/micro", EXAMPLES "/tenants",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        struct topology *topology = read_path(fixture, examples[i]);
        assert_non_null(topology);
        check_topology(topology, NOW, &fixture->report);
        report_print(&fixture->report, stderr);
        assert_int_equal(fixture->report.n, 0);
        topology_destroy(topology);
    }
}

static void
test_whole_language(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN
"<segment name=\"blue\" vlan=\"10\"/>\n"
"<segment name=\"cage\"/>\n"
"<network name=\"office\" segment=\"blue\">\n"
"  <prefix>192.0.2.0/24</prefix><except> 192.0.2.128/25 </except>\n"
"  <prefix>fd00::/8</prefix>\n"
"</network>\n"
"<application name=\"shop\" mode=\"audit\" version=\"v &amp; w\"\n"
"             segment=\"blue\">\n"
"  <service name=\"web\" mode=\"learn\">\n"
"    <workload name=\"web-1\" external-id=\"vm-name=a=b\">\n"
"      <mac>52:54:00:aB:Cd:0f</mac><mac>52:54:00:00:00:12</mac>\n"
"      <address>10.0.0.<!-- a comment -->11</address>\n"
"      <address> fd00::11 </address>\n"
"    </workload>\n"
"  </service>\n"
"  <service name=\"job\" segment=\"cage\"/>\n"
"  <service name=\"all\"><member workload=\"web/web-1\"/></service>\n"
"  <link from=\"office\" to=\"web\" reason=\"why\" ticket=\"T-1\"\n"
"        not-before=\"2026-01-01T00:00:00Z\"\n"
"        not-after=\"2026-01-01T02:00:00.5+01:00\">\n"
"    <tcp port=\"80, 8000-8100\"/><udp/><sctp port=\"1\"/>\n"
"    <icmp type=\"time-exceeded\" code=\"1\"/><icmp6 type=\"128\"/><icmp/>\n"
"    <protocol number=\"47\"/><any/>\n"
"  </link>\n"
"</application>\n"
"<expect from=\"shop/web/web-1\" to=\"192.0.2.1\" segment=\"blue\"\n"
"        protocol=\"icmp\" type=\"echo-request\" verdict=\"deny\"/>\n" END);
    struct topology *t = read_directory(fixture);

    assert_int_equal(t->n_segments, 3);
    assert_int_equal(t->segments[1]->vlan, 10);
    assert_int_equal(t->segments[2]->kind, SEGMENT_ISOLATED);

    const struct network *office = t->networks[0];
    assert_ptr_equal(office->segment, t->segments[1]);
    assert_int_equal(office->n_prefixes, 2);
    assert_int_equal(office->prefixes[0].len, 96 + 24);
    assert_int_equal(office->n_exceptions, 1);

    const struct application *shop = t->applications[0];
    assert_int_equal(shop->mode, MODE_AUDIT);
    assert_string_equal(shop->version, "v & w");
    const struct service *web = find_service(t, "shop/web");
    assert_int_equal(web->mode, MODE_LEARN);
    assert_ptr_equal(web->segment, t->segments[1]);
    assert_ptr_equal(find_service(t, "shop/job")->segment, t->segments[2]);
    assert_int_equal(find_service(t, "shop/job")->mode, MODE_INHERIT);

    const struct workload *web_1 = web->workloads[0];
    assert_int_equal(web_1->binding, BIND_EXTERNAL_ID);
    assert_string_equal(web_1->key, "vm-name");
    assert_string_equal(web_1->value, "a=b");
    assert_int_equal(web_1->n_macs, 2);
    assert_int_equal(web_1->macs[0].ea[3], 0xab);
    assert_int_equal(web_1->macs[0].ea[5], 0x0f);
    assert_int_equal(web_1->n_addresses, 2);
    assert_int_equal(web_1->addresses[0].s6_addr[15], 11);
    assert_ptr_equal(find_service(t, "shop/all")->workloads[0], web_1);

    const struct link *link = shop->links[0];
    assert_ptr_equal(link->from.network, office);
    assert_ptr_equal(link->to.service, web);
    assert_string_equal(link->reason, "why");
    assert_int_equal(link->not_before, 1767225600);
    assert_int_equal(link->not_after, 1767225600 + 3600);
    assert_int_equal(link->where.line, 19);
    assert_int_equal(link->n_openings, 9);
    assert_int_equal(link->openings[1].first, 8000);
    assert_int_equal(link->openings[1].last, 8100);
    assert_int_equal(link->openings[2].protocol, IPPROTO_UDP);
    assert_int_equal(link->openings[2].last, 65535);
    assert_int_equal(link->openings[4].icmp_type, 11);
    assert_int_equal(link->openings[4].icmp_code, 1);
    assert_int_equal(link->openings[5].icmp_type, 128);
    assert_int_equal(link->openings[5].icmp_code, -1);
    assert_int_equal(link->openings[6].icmp_type, -1);
    assert_int_equal(link->openings[7].protocol, 47);
    assert_int_equal(link->openings[8].protocol, PROTOCOL_ANY);

    assert_int_equal(t->n_expects, 1);
    assert_false(t->expects[0]->allow);
    assert_int_equal(t->expects[0]->opening.icmp_type, 8);
    assert_ptr_equal(t->expects[0]->segment, t->segments[1]);
    topology_destroy(t);
}

static void
test_one_manifest_per_workload(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN "<application name=\"shop\">"
               "<service name=\"web\">" WORKLOAD("w1", "11") "</service>"
               "</application>" END);
    write_file(fixture, "b.xml", BEGIN "<application name=\"shop\">"
               "<service name=\"web\" mode=\"audit\">" WORKLOAD("w2", "12")
               "</service></application>" END);
    write_file(fixture, "c.xml", BEGIN "<application name=\"shop\" "
               "mode=\"learn\" segment=\"blue\"><link from=\"web\" "
               "to=\"web\"><any/></link></application>"
               "<segment name=\"blue\" vlan=\"7\"/>" END);
    struct topology *t = read_directory(fixture);
    assert_int_equal(t->n_applications, 1);
    assert_int_equal(t->applications[0]->mode, MODE_LEARN);
    const struct service *web = find_service(t, "shop/web");
    assert_int_equal(web->n_workloads, 2);
    assert_int_equal(web->mode, MODE_AUDIT);
    assert_string_equal(web->segment->name, "blue");
    topology_destroy(t);
}

static void
test_directories_in_order_without_hidden_files(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "b/1.xml", BEGIN "<segment name=\"s2\"/>" END);
    write_file(fixture, "B.xml", BEGIN "<segment name=\"s1\"/>" END);
    write_file(fixture, "b/c/d/e.xml", BEGIN "<segment name=\"s3\"/>" END);
    write_file(fixture, ".hidden.xml", "not XML");
    write_file(fixture, ".git/x.xml", "not XML");
    write_file(fixture, "notes.txt", "not XML");
    struct topology *t = read_directory(fixture);
    assert_int_equal(t->n_segments, 4);
    assert_string_equal(t->segments[1]->name, "s1");
    assert_string_equal(t->segments[2]->name, "s2");
    assert_string_equal(t->segments[3]->name, "s3");
    topology_destroy(t);
}

static void
test_includes_are_read_once(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN "<include href=\"parts/b.xml\"/>"
               "<include href=\"./parts/b.xml\"/>"
               "<segment name=\"a\"/>" END);
    write_file(fixture, "parts/b.xml", BEGIN "<include href=\"c.part\"/>"
               "<include href=\"b.xml\"/><segment name=\"b\"/>" END);
    write_file(fixture, "parts/c.part", BEGIN "<include href=\"b.xml\"/>"
               "<segment name=\"c\"/>" END);
    char *file = xasprintf("%s/a.xml", fixture->directory);
    struct topology *alone = read_path(fixture, file);
    assert_non_null(alone);
    assert_int_equal(alone->n_segments, 4);
    topology_destroy(alone);
    free(file);
    struct topology *all = read_directory(fixture);
    assert_int_equal(all->n_segments, 4);
    topology_destroy(all);
}

static void
test_directories_that_lead_back_end(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a/a.xml", BEGIN "<segment name=\"a\"/>" END);
    char *loop = xasprintf("%s/a/loop", fixture->directory);
    assert_int_equal(symlink("..", loop), 0);
    free(loop);
    struct topology *t = read_directory(fixture);
    assert_int_equal(t->n_segments, 2);
    topology_destroy(t);
}

static void
test_acceptance_of_several_kinds(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN
               "<application name=\"shop\"><service name=\"web\">"
               WORKLOAD("w1", "11") "</service>"
               "<link from=\"web\" to=\"billing/api\">"
               "<tcp port=\"80-99\"/></link>"
               "<link from=\"billing/api\" to=\"web\"><any/></link>"
               "</application>"
               "<application name=\"billing\"><service name=\"api\">"
               WORKLOAD("w2", "12") "</service>"
               "<accept from=\"shop/web\" to=\"api\"><tcp port=\"90-100\"/>"
               "</accept>"
               "<accept from=\"shop\" to=\"api\"><tcp port=\"1-89\"/></accept>"
               "<accept from=\"api\" to=\"shop\"/>"
               "</application>" END);
    struct topology *t = read_directory(fixture);
    check_topology(t, NOW, &fixture->report);
    report_print(&fixture->report, stderr);
    assert_int_equal(fixture->report.n, 0);
    topology_destroy(t);
}

static void
test_lines_above_65535_are_right(void **state)
{
    struct fixture *fixture = *state;
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&text, BEGIN);
    ds_put_char_multiple(&text, '\n', 70000 - 2);
    ds_put_cstr(&text, "<segment\n name=\"a\"/>\n<segment name=\"a\"/>\n");
    ds_put_cstr(&text, "<segment name=\"b\" vlan=\"0\"/>\n" END);
    write_file(fixture, "a.xml", ds_cstr(&text));
    assert_null(read_path(fixture, fixture->directory));
    assert_int_equal(fixture->report.n, 1);
    assert_int_equal(fixture->report.findings[0].line, 70003);
    ds_destroy(&text);
}

static void
test_second_declaration_names_line_of_first(void **state)
{
    struct fixture *fixture = *state;
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&text, BEGIN);
    ds_put_char_multiple(&text, '\n', 70000 - 2);
    ds_put_cstr(&text, "<segment\n name=\"a\"/>\n<segment name=\"a\"/>\n" END);
    write_file(fixture, "a.xml", ds_cstr(&text));
    assert_null(read_path(fixture, fixture->directory));
    assert_int_equal(fixture->report.n, 1);
    assert_int_equal(fixture->report.findings[0].line, 70002);
    assert_non_null(strstr(fixture->report.findings[0].message,
                           "a.xml:70000;"));
    ds_destroy(&text);
}

static void
test_files_above_the_limit_are_refused(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN END);
    char *file = xasprintf("%s/a.xml", fixture->directory);
    assert_int_equal(truncate(file, (64 << 20) + 1), 0);
    assert_null(read_path(fixture, file));
    assert_string_equal(fixture->report.findings[0].message,
                        "larger than 64 MiB; split it");
    free(file);
}

static void
test_responses(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "a.xml", BEGIN "<application name=\"a\">"
               "<service name=\"s\"><response quarantine=\"0\"/>"
               "<response reasons=\"spoof rogue-ra\" count=\"7\" "
               "within=\"9\" quarantine=\"30\" max-share=\"100\"/>"
               "</service><response/></application>" END);
    struct topology *t = read_directory(fixture);
    const struct service *s = find_service(t, "a/s");
    assert_int_equal(s->n_responses, 2);
    assert_int_equal(s->responses[0]->quarantine_min,
                     QUARANTINE_UNTIL_RELEASED);
    const struct response *r = s->responses[1];
    assert_int_equal(r->reasons, 1u << REASON_SPOOF | 1u << REASON_RA);
    assert_int_equal(r->count, 7);
    assert_int_equal(r->within_s, 9);
    assert_int_equal(r->quarantine_min, 30);
    assert_int_equal(r->max_share, 100);
    assert_int_equal(s->application->n_responses, 1);
    r = s->application->responses[0];
    assert_int_equal(r->count, 1);
    assert_int_equal(r->within_s, 60);
    assert_int_equal(r->max_share, 50);
    assert_int_equal(r->quarantine_min, QUARANTINE_NONE);
    assert_true(r->reasons & 1u << REASON_NO_LINK);
    assert_false(r->reasons & 1u << REASON_INVALID);
    topology_destroy(t);
}

static void
test_times(void **state OVS_UNUSED)
{
    static const struct {
        const char *text;
        time_t time;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 1 },
        { "1969-12-31T23:00:00Z", 1 },
        { "2000-02-29T12:00:00+05:30", 951805800 },
        { "2000-02-29T12:00:00-05:30", 951845400 },
        { "2000-02-29T24:00:00Z", 951868800 },
        { "2000-02-29T12:00:00.999Z", 951825600 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        time_t time;
        char *error = value_to_time(cases[i].text, &time);
        assert_null(error);
        assert_int_equal(time, cases[i].time);
    }
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_examples_are_right),
        TEST(test_responses),
        TEST(test_whole_language),
        TEST(test_one_manifest_per_workload),
        TEST(test_directories_in_order_without_hidden_files),
        TEST(test_includes_are_read_once),
        TEST(test_directories_that_lead_back_end),
        TEST(test_acceptance_of_several_kinds),
        TEST(test_lines_above_65535_are_right),
        TEST(test_second_declaration_names_line_of_first),
        TEST(test_files_above_the_limit_are_refused),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
