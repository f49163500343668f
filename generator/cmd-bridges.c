/* What push, plan and show share: each asks all bridges at once, and reports
 * one after the other. */

#include "command.h"

#include <stdio.h>
#include <string.h>

#include "push.h"

int
command_on_bridges(const struct options *options, struct push_options *push,
                   command_report *report)
{
    if (!options->n_bridges) {
        fprintf(stderr, "sdfw: %s wants at least one --bridge%s\n",
                options->command,
                strcmp(options->command, "show") ? ", or --inventory" : "");
        return EXIT_USAGE;
    }
    struct topology *topology = command_read_topology(
        options, options->arguments, options->n_arguments);
    if (!topology) {
        return EXIT_MANIFEST;
    }

    push->db = options->db;
    push->ports_file = options->ports_file;
    push->timeout_ms = options->timeout_s * 1000;
    push->table_base = options->table_base;
    push->now = options->now;
    push->min_kept_percent = options->force ? 0 : 100 - options->max_shrink;
    struct push_result *results = push_bridges(topology, options->bridges,
                                               options->n_bridges, push);
    int status = EXIT_OK;
    for (size_t i = 0; i < options->n_bridges; i++) {
        if (results[i].error) {
            fprintf(stderr, "sdfw: %s\n", results[i].error);
            status = status == EXIT_REFUSED ? status : EXIT_BRIDGE;
            continue;
        } else if (results[i].refusal) {
            fprintf(stderr, "sdfw: %s: %s\n", results[i].target,
                    results[i].refusal);
            status = EXIT_REFUSED;
            continue;
        }
        int its_status = report(options, topology, &results[i]);
        status = status == EXIT_OK ? its_status : status;
    }
    push_results_destroy(results, options->n_bridges);
    topology_destroy(topology);
    return status;
}
