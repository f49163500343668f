/* sdfw push: makes bridges as the topology says. */

#include "command.h"

#include <stdio.h>
#include <stdlib.h>

#include "overlay.h"
#include "push.h"

static void
print_result(const struct push_result *result)
{
    if (result->changes.n || result->n_flood_changed) {
        printf("%s: %zu flows added, %zu changed, %zu removed, %zu as they "
               "were; %zu workload%s here (%lld ms)\n", result->target,
               result->counts.added, result->counts.changed,
               result->counts.removed, result->counts.unchanged,
               result->n_local, result->n_local == 1 ? "" : "s",
               result->elapsed_ms);
    } else {
        printf("%s: nothing to change, nothing sent; %zu workload%s here "
               "(%lld ms)\n", result->target, result->n_local,
               result->n_local == 1 ? "" : "s", result->elapsed_ms);
    }
}

/* What was said by hand and is wrong. */
static void
print_problems(const struct push_result *result)
{
    const struct overlay *overlay = result->ports->overlay;
    for (size_t i = 0; overlay && i < overlay->problems.n; i++) {
        fprintf(stderr, "sdfw: warning: %s: %s\n", result->target,
                overlay->problems.names[i]);
    }
}

static int
report(const struct options *options, struct topology *topology,
       struct push_result *result)
{
    if (result->warning && !options->quiet) {
        fprintf(stderr, "sdfw: warning: %s\n", result->warning);
    }
    if (!options->quiet) {
        print_problems(result);
    }
    if (!result->n_local && result->ports->n_workloads && !options->quiet) {
        fprintf(stderr, "sdfw: warning: %s: none of the workloads is here; "
                "compare their bindings with \"ovs-vsctl list Interface\"\n",
                result->target);
    }
    if (!options->quiet) {
        print_result(result);
    }
    return EXIT_OK;
}

static int
run(const struct options *options)
{
    struct push_options push = { .adopt_seconds = options->adopt_s };
    return options->inventory ? command_on_inventory(options, &push, NULL)
           : command_on_bridges(options, &push, report);
}

const struct command push_command = {
    .name = "push",
    .arguments = "{--bridge=BRIDGE...|--inventory=FILE} TOPOLOGY...",
    .summary = "makes bridges as the topology says",
    .options = "bridge db ports timeout adopt table-base max-shrink force "
               "private-key certificate ca-cert inventory parallel max-fail "
               "canary-wait canary-rise",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "What differs is sent to each bridge in one atomic bundle; flows "
            "of others are not\ntouched.  If a bridge refuses, it is as "
            "before.\n"
            "--max-shrink is for pushes that nobody watches: half a directory "
            "is not to cut\neverything off.  Links out of their validity and "
            "workloads that are elsewhere count\nas there.\n\n"
            "With --inventory, hosts of the group canary go first; the others "
            "follow if none\nfailed and, in --canary-wait, deviations did "
            "not rise on any of them.  If they\ndid, canaries get back what "
            "they had.  An interrupt (^C) starts no more hosts\nand lets "
            "those that run finish.  A table tells which bridges have the "
            "policy;\npush again to do what is missing.\n"
            "Exit status: 0 done, 1 the topology or the inventory is wrong, "
            "3 a bridge failed\n(of an inventory: and none has the policy), "
            "5 refused by --max-shrink; of an\ninventory: 6 some bridges have "
            "it and others have not, 7 deviations rose, rolled\nback.",
    .run = run,
};
