/* sdfw compile: prints the flows. */

#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>

#include "compile.h"
#include "flows.h"
#include "ports.h"
#include "push.h"
#include "util.h"

static void
print_text(const struct flow_set *flows)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    int table = -1;
    for (size_t i = 0; i < flows->n; i++) {
        const struct flow_record *flow = &flows->flows[i];
        ds_clear(&s);
        if (flow->table != table) {
            table = flow->table;
            ds_put_format(&s, "\n# table %d: %s\n", table,
                          flow_table_name(flows->table_base, table));
        }
        if (flow->origin.kind != ORIGIN_PIPELINE) {
            ds_put_cstr(&s, "# ");
            origin_format(&s, &flow->origin);
            ds_put_char(&s, '\n');
        }
        flow_record_format(&s, flows, flow, false);
        puts(ds_cstr(&s));
    }
    ds_destroy(&s);
}

static void
print_json(const struct flow_set *flows)
{
    struct json *array = json_array_create_empty();
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < flows->n; i++) {
        const struct flow_record *flow = &flows->flows[i];
        struct json *object = json_object_create();
        json_object_put(object, "table", json_integer_create(flow->table));
        json_object_put_string(object, "table_name",
                               flow_table_name(flows->table_base,
                                               flow->table));
        json_object_put(object, "priority",
                        json_integer_create(flow->priority));
        json_object_put(object, "cookie", json_string_create_nocopy(
                            xasprintf("0x%"PRIx64, flow->cookie)));
        ds_clear(&s);
        flow_record_format_match(&s, flows, flow);
        json_object_put_string(object, "match", ds_cstr(&s));
        ds_clear(&s);
        flow_record_format_actions(&s, flows, flow);
        json_object_put_string(object, "actions", ds_cstr(&s));
        ds_clear(&s);
        origin_format(&s, &flow->origin);
        json_object_put_string(object, "origin", ds_cstr(&s));
        json_array_add(array, object);
    }
    char *text = json_to_string(array, JSSF_PRETTY | JSSF_SORT);
    puts(text);
    free(text);
    json_destroy(array);
    ds_destroy(&s);
}

static void
print_flows(const struct options *options, struct flow_set *flows)
{
    flow_set_sort(flows);
    if (options->format) {
        print_json(flows);
    } else {
        print_text(flows);
    }
}

/* The flows for a real bridge, whose ports OVSDB knows. */
static int
compile_for_bridge(const struct options *options, struct topology *topology)
{
    struct push_options push_options = {
        .db = options->db,
        .timeout_ms = options->timeout_s * 1000,
        .table_base = options->table_base,
        .now = options->now,
        .read_only = true,
    };
    struct push_result *result = push_bridges(topology, options->bridges, 1,
                                              &push_options);
    int status = EXIT_OK;
    if (result->error) {
        fprintf(stderr, "sdfw: %s\n", result->error);
        status = EXIT_BRIDGE;
    } else {
        print_flows(options, &result->wanted);
    }
    push_results_destroy(result, 1);
    return status;
}

static int
compile_alone(const struct options *options, struct topology *topology)
{
    struct ports *ports = ports_create(topology);
    if (options->ports_file) {
        char *error = ports_read_file(ports, options->ports_file);
        if (error) {
            fprintf(stderr, "sdfw: %s\n", error);
            free(error);
            ports_destroy(ports);
            return EXIT_BRIDGE;
        }
    } else {
        ports_number(ports);
    }
    struct compile_options compile_options = {
        .table_base = options->table_base,
        .now = options->now,
    };
    struct flow_set flows;
    flow_set_init(&flows, options->table_base);
    compile(topology, ports, &compile_options, &flows);
    print_flows(options, &flows);
    flow_set_destroy(&flows);
    ports_destroy(ports);
    return EXIT_OK;
}

static int
run(const struct options *options)
{
    if (options->n_bridges > 1 || (options->n_bridges
                                   && options->ports_file)) {
        fputs("sdfw: compile takes one --bridge, or --ports\n", stderr);
        return EXIT_USAGE;
    }
    struct topology *topology = command_read_topology(
        options, options->arguments, options->n_arguments);
    if (!topology) {
        return EXIT_MANIFEST;
    }
    int status = options->n_bridges ? compile_for_bridge(options, topology)
                                    : compile_alone(options, topology);
    topology_destroy(topology);
    return status;
}

const struct command compile_command = {
    .name = "compile",
    .arguments = "TOPOLOGY...",
    .summary = "prints the flows, with where each comes from",
    .options = "bridge db ports timeout table-base private-key "
               "certificate ca-cert",
    .formats = "json",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "With --bridge (one), what a push would install there.  With "
            "--ports, workloads are\nwhere it says; with neither, at ports 1, "
            "2, ... in the order of the files (sorted\nby name) and of the "
            "elements in them.\n"
            "Exit status: 0 done, 1 the topology is wrong, 3 the bridge or "
            "the file of --ports\nfailed.",
    .run = run,
};
