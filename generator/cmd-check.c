/* sdfw check: is the topology right? */

#include "command.h"

#include <stdio.h>
#include <stdint.h>

#include "outcome.h"

static void
print_summary(const struct topology *topology)
{
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

static void
print_document(const struct options *options, struct report *report)
{
    struct outcomes outcomes;
    outcomes_init(&outcomes, "check");
    outcomes_add_report(&outcomes, report, options->arguments[0]);
    outcomes_print(&outcomes, options->format, stdout);
    outcomes_destroy(&outcomes);
}

static int
run(const struct options *options)
{
    struct report report;
    report_init(&report);
    struct topology *topology = command_read_reported(
        options, options->arguments, options->n_arguments, &report);
    if (options->format) {
        print_document(options, &report);
    } else if (topology && !options->quiet) {
        print_summary(topology);
    }
    int status = topology ? EXIT_OK : EXIT_MANIFEST;
    topology_destroy(topology);
    report_destroy(&report);
    return status;
}

const struct command check_command = {
    .name = "check",
    .arguments = "TOPOLOGY...",
    .summary = "says whether the manifests are right",
    .options = "",
    .formats = "junit sarif",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "Errors and warnings are printed as FILE:LINE: TEXT, to standard "
            "error.  With\n--format=junit or sarif, standard output has a "
            "document for a CI, with all of\nthem also with --quiet, and also "
            "if a manifest is wrong.\n"
            "Exit status: 0 right (perhaps with warnings), 1 wrong.",
    .run = run,
};
