/* sdfw plan: what a push would change, in words and in flows. */

#include "command.h"

#include <stdio.h>
#include <stdlib.h>

#include <openflow/openflow.h>
#include <openvswitch/shash.h>

#include "names.h"
#include "push.h"

static const char *
sign(uint8_t command)
{
    return command == OFPFC_ADD ? "+"
           : command == OFPFC_DELETE_STRICT ? "-" : "~";
}

static void
print_changes(const struct options *options, struct topology *topology,
              struct push_result *result)
{
    struct names *names = names_create(topology, result->ports);
    struct shash seen = SHASH_INITIALIZER(&seen);
    struct ds s = DS_EMPTY_INITIALIZER;
    flow_set_sort(&result->changes);
    for (size_t i = 0; i < result->changes.n; i++) {
        const struct flow_record *flow = &result->changes.flows[i];
        ds_clear(&s);
        ds_put_format(&s, "  %s ", sign(flow->command));
        names_describe_flow(names, &s, &result->changes, flow);
        if (shash_add_once(&seen, ds_cstr(&s), NULL)) {
            puts(ds_cstr(&s));
        }
        if (options->flows) {
            ds_clear(&s);
            ds_put_cstr(&s, "      ");
            flow_record_format(&s, &result->changes, flow, false);
            puts(ds_cstr(&s));
        }
    }
    ds_destroy(&s);
    shash_destroy(&seen);
    names_destroy(names);
}

static int
report(const struct options *options, struct topology *topology,
       struct push_result *result)
{
    printf("%s: %zu flows to add, %zu to change, %zu to remove, %zu stay%s\n",
           result->target, result->counts.added, result->counts.changed,
           result->counts.removed, result->counts.unchanged,
           result->first ? " (first push)" : "");
    print_changes(options, topology, result);
    return result->changes.n ? EXIT_CHANGES : EXIT_OK;
}

static int
run(const struct options *options)
{
    struct push_options push = { .read_only = true };
    return options->inventory ? command_on_inventory(options, &push, report)
           : command_on_bridges(options, &push, report);
}

const struct command plan_command = {
    .name = "plan",
    .arguments = "{--bridge=BRIDGE...|--inventory=FILE} TOPOLOGY...",
    .summary = "shows what a push would change, and changes nothing",
    .options = "bridge db ports timeout table-base flows max-shrink "
               "private-key certificate ca-cert inventory parallel",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "+ is new, - goes away, ~ changes.\n"
            "Exit status: 0 nothing to change, 2 changes, 1 the topology or "
            "the inventory is\nwrong, 3 a bridge failed, 5 --max-shrink would "
            "refuse it.",
    .run = run,
};
