/* sdfw clear: takes all that is ours off bridges. */

#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "push.h"

static int
run(const struct options *options)
{
    if (!options->n_bridges) {
        fputs("sdfw: clear wants at least one --bridge\n", stderr);
        return EXIT_USAGE;
    }
    const struct push_options push = {
        .db = options->db, .timeout_ms = options->timeout_s * 1000,
    };
    int status = EXIT_OK;
    for (size_t i = 0; i < options->n_bridges; i++) {
        size_t n;
        char *error = push_clear(options->bridges[i], &push, &n);
        if (error) {
            fprintf(stderr, "sdfw: %s\n", error);
            free(error);
            status = EXIT_BRIDGE;
        } else if (!options->quiet) {
            printf("%s: %"PRIuSIZE" flows removed\n", options->bridges[i], n);
        }
    }
    return status;
}

const struct command clear_command = {
    .name = "clear",
    .arguments = "--bridge=BRIDGE...",
    .summary = "takes all that is ours off bridges",
    .options = "bridge db timeout private-key certificate ca-cert",
    .min_arguments = 0, .max_arguments = 0,
    .help = "Flows, meters, and what keeps floods from workloads; then the "
            "bridge is as it was before\nthe first push.  Flows of others are "
            "not touched.  An sdfwd that keeps the bridge puts\nthem back: end "
            "it first, or run \"ovs-vsctl sdfw-disable\".  So does a timer of "
            "sdfw-push.\n"
            "Exit status: 0 done, 3 a bridge failed.",
    .run = run,
};
