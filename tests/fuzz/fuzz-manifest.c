/* Fuzz target: any bytes as a manifest.
 *
 * Whatever is read must be refused with an error, or become a topology that
 * can be checked, compiled and asked.  Beyond what the sanitizers find, these
 * hold: there is no topology exactly if there is an error, and the flows of a
 * right one differ in their keys, as a bridge keeps one flow for each. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>

#include "check.h"
#include "compile.h"
#include "evaluate.h"
#include "manifest.h"
#include "util.h"

#define NOW 1780272000          /* 2026-06-01T00:00:00Z */

/* The only file in its directory, so that an <include> finds nothing else. */
static char directory[] = "/tmp/sdfw-fuzz-XXXXXX";
static char file[sizeof directory + sizeof "/fuzz.xml"];

static void
remove_file(void)
{
    unlink(file);
    rmdir(directory);
}

static void
write_file(const uint8_t *data, size_t size)
{
    if (!file[0]) {
        ovs_assert(mkdtemp(directory));
        snprintf(file, sizeof file, "%s/fuzz.xml", directory);
        atexit(remove_file);
    }
    FILE *stream = fopen(file, "w");
    ovs_assert(stream && fwrite(data, 1, size, stream) == size);
    fclose(stream);
}

static void
print_report(struct report *report)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    report_print(report, stream);
    fclose(stream);
    free(text);
}

static void
evaluate_expects(const struct topology *topology)
{
    for (size_t i = 0; i < topology->n_expects; i++) {
        const struct expect *expect = topology->expects[i];
        struct party from, to;
        char *error = party_parse(topology, expect->from, expect->segment,
                                  &from);
        if (!error) {
            error = party_parse(topology, expect->to, expect->segment, &to);
        }
        if (!error) {
            evaluate(topology, &from, &to, &expect->opening, NOW);
        }
        free(error);
    }
}

static void
check_flows(struct flow_set *flows)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    flow_set_sort(flows);
    for (size_t i = 0; i < flows->n; i++) {
        const struct flow_record *flow = &flows->flows[i];
        if (i && flow_record_same_key(flows, flow - 1, flows, flow)) {
            ds_clear(&s);
            flow_record_format(&s, flows, flow, true);
            fprintf(stderr, "two flows have one key: %s\n", ds_cstr(&s));
            abort();
        }
        ds_clear(&s);
        flow_record_format(&s, flows, flow, true);
        origin_format(&s, &flow->origin);
    }
    ds_destroy(&s);
}

static void
compile_flows(struct topology *topology)
{
    struct compile_options options = {
        .table_base = DEFAULT_TABLE_BASE, .now = NOW, .adopt_seconds = 300,
    };
    struct ports *ports = ports_create(topology);
    ports_number(ports);
    struct flow_set flows;
    flow_set_init(&flows, options.table_base);
    compile(topology, ports, &options, &flows);
    check_flows(&flows);
    flow_set_destroy(&flows);
    ports_destroy(ports);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    write_file(data, size);
    const char *path = file;
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(&path, 1, &report);
    ovs_assert(!topology == (report.n_errors > 0));
    if (topology) {
        check_topology(topology, NOW, &report);
    }
    if (!report.n_errors) {
        evaluate_expects(topology);
        compile_flows(topology);
    }
    print_report(&report);
    topology_destroy(topology);
    report_destroy(&report);
    return 0;
}
