/* sdfw check: is the topology right? */

#include "command.h"

#include <stdio.h>
#include <stdint.h>

static int
run(const struct options *options)
{
    struct topology *topology = command_read_topology(
        options, options->arguments, options->n_arguments);
    if (!topology) {
        return EXIT_MANIFEST;
    }
    if (!options->quiet) {
        size_t n_services = 0, n_links = 0;
        for (size_t i = 0; i < topology->n_applications; i++) {
            n_services += topology->applications[i]->n_services;
            n_links += topology->applications[i]->n_links;
        }
        printf("ok: %zu application%s, %zu services, %zu workloads, "
               "%zu links\n", topology->n_applications,
               topology->n_applications == 1 ? "" : "s", n_services,
               topology_n_workloads(topology), n_links);
    }
    topology_destroy(topology);
    return EXIT_OK;
}

const struct command check_command = {
    .name = "check",
    .arguments = "TOPOLOGY...",
    .summary = "says whether the manifests are right",
    .options = "",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "Errors and warnings are printed as FILE:LINE: TEXT.\n"
            "Exit status: 0 right (perhaps with warnings), 1 wrong.",
    .run = run,
};
