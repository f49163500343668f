/* sdfw show: what is installed, read back from the bridge. */

#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "overlay.h"
#include "push.h"
#include "timeval.h"
#include "util.h"

/* What the flows of one opening of a link have counted.  LINK sees the first
 * packet of each connection, STATE the rest. */
struct usage {
    const struct opening *opening;
    const struct link *link;
    bool installed;
    uint64_t connections, packets, bytes;
    uint32_t idle_s;            /* UINT32_MAX: never used. */
};

struct usages {
    struct usage *all;
    size_t n, allocated;
};

static struct usage *
get_usage(struct usages *usages, const struct flow_record *flow)
{
    for (size_t i = usages->n; i-- > 0; ) {
        if (usages->all[i].opening == flow->origin.opening) {
            return &usages->all[i];
        }
    }
    if (usages->n >= usages->allocated) {
        usages->all = x2nrealloc(usages->all, &usages->allocated,
                                 sizeof *usages->all);
    }
    struct usage *usage = &usages->all[usages->n++];
    *usage = (struct usage) {
        .opening = flow->origin.opening, .link = flow->origin.object,
        .idle_s = UINT32_MAX,
    };
    return usage;
}

static void
collect(const struct push_result *result, struct usages *usages)
{
    size_t *matches = diff_match(&result->installed, &result->wanted);
    for (size_t i = 0; i < result->wanted.n; i++) {
        const struct flow_record *flow = &result->wanted.flows[i];
        if (flow->origin.kind != ORIGIN_LINK) {
            continue;
        }
        struct usage *usage = get_usage(usages, flow);
        if (matches[i] == SIZE_MAX) {
            continue;
        }
        const struct flow_record *seen
            = &result->installed.flows[matches[i]];
        usage->installed = true;
        usage->packets += seen->n_packets;
        usage->bytes += seen->n_bytes;
        if (flow->table == result->wanted.table_base + TABLE_LINK) {
            usage->connections += seen->n_packets;
        }
        if (seen->n_packets) {
            usage->idle_s = MIN(usage->idle_s, seen->idle_s);
        }
    }
    free(matches);
}

static bool
is_here(const struct endpoint *end, const struct ports *ports)
{
    for (size_t i = 0; end->service && i < ports->n_workloads; i++) {
        if (ports->of_workload[i]
            && workload_is_in(ports->workloads[i], end->service)) {
            return true;
        }
    }
    return false;
}

/* Links of which no end is here have no flows here. */
static void
print_links_elsewhere(const struct options *options,
                      const struct topology *topology,
                      const struct ports *ports)
{
    size_t n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            n += link_is_valid(link, options->now)
                 && !is_here(&link->from, ports) && !is_here(&link->to, ports);
        }
    }
    if (n) {
        printf("  and %zu link%s without an end here\n", n,
               n == 1 ? "" : "s");
    }
}

static void
print_links(const struct push_result *result)
{
    struct usages usages = { .n = 0 };
    collect(result, &usages);
    printf("\n  %-34s %-16s %11s %10s %12s  %s\n", "LINK", "OPENS",
           "CONNECTIONS", "PACKETS", "BYTES", "LAST USE");
    for (size_t i = 0; i < usages.n; i++) {
        const struct usage *u = &usages.all[i];
        char *from = endpoint_to_string(&u->link->from);
        char *to = endpoint_to_string(&u->link->to);
        char *ends = xasprintf("%s -> %s", from, to);
        char *what = opening_to_string(u->opening);
        char *last = !u->installed ? xstrdup("NOT INSTALLED")
                     : !u->packets ? xstrdup("NEVER USED")
                     : u->idle_s == UINT32_MAX ? xstrdup("unknown")
                     : xasprintf("%"PRIu32" s ago", u->idle_s);
        printf("  %-34s %-16s %11"PRIu64" %10"PRIu64" %12"PRIu64"  %s\n",
               ends, what, u->connections, u->packets, u->bytes, last);
        free(from);
        free(to);
        free(ends);
        free(what);
        free(last);
    }
    free(usages.all);
}

static void
print_workloads(const struct push_result *result)
{
    printf("\n  %-34s %5s %-8s %s\n", "WORKLOAD", "PORT", "MODE",
           "ADDRESSES");
    for (size_t i = 0; i < result->ports->n_workloads; i++) {
        const struct workload *workload = result->ports->workloads[i];
        char *path = workload_path(workload);
        char port[8] = "-";
        if (result->ports->of_workload[i]) {
            snprintf(port, sizeof port, "%u", result->ports->of_workload[i]);
        }
        printf("  %-34s %5s %-8s", path, port,
               mode_to_string(overlay_service_mode(result->ports->overlay,
                                                   workload->home)));
        for (size_t j = 0; j < workload->n_addresses; j++) {
            char *address = address_to_string(&workload->addresses[j]);
            printf("%s%s", j ? ", " : " ", address);
            free(address);
        }
        putchar('\n');
        free(path);
    }
}

/* What was said by hand. */
static void
print_overlay(const struct overlay *overlay)
{
    struct svec lines;
    overlay_describe(overlay, &lines);
    for (size_t i = 0; i < lines.n; i++) {
        printf("%s  by hand: %s\n", i ? "" : "\n", lines.names[i]);
    }
    svec_destroy(&lines);
}

static void
print_deviations(const struct push_result *result)
{
    uint64_t packets = 0, bytes = 0;
    for (size_t i = 0; i < result->installed.n; i++) {
        const struct flow_record *flow = &result->installed.flows[i];
        if (flow->table == result->installed.table_base + TABLE_DEVIATION) {
            packets += flow->n_packets;
            bytes += flow->n_bytes;
        }
    }
    printf("\n  deviations: %"PRIu64" packets, %"PRIu64" bytes\n", packets,
           bytes);
}

static int
report(const struct options *options, struct topology *topology,
       struct push_result *result)
{
    printf("%s: %zu flows of sdfw, %zu of %zu workloads here%s\n",
           result->target, result->installed.n, result->n_local,
           result->ports->n_workloads,
           result->first ? "; nothing has been pushed yet"
           : result->changes.n ? "; NOT AS THE TOPOLOGY SAYS (see plan)"
           : "; as the topology says");
    print_links(result);
    print_links_elsewhere(options, topology, result->ports);
    print_workloads(result);
    print_overlay(result->ports->overlay);
    print_deviations(result);
    return EXIT_OK;
}

static int
run(const struct options *options)
{
    struct push_options push = { .read_only = true, .read_idle = true };
    return command_on_bridges(options, &push, report);
}

const struct command show_command = {
    .name = "show",
    .arguments = "--bridge=BRIDGE... TOPOLOGY...",
    .summary = "shows what is installed and how much it is used",
    .options = "bridge db ports timeout table-base private-key certificate "
               "ca-cert",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "Read back from the bridge.  Links that were never used stand "
            "out.  A connection is\ncounted by its first packet; counts are "
            "since the flow was installed.\n"
            "Exit status: 0 done, 1 the topology is wrong, 3 a bridge "
            "failed.",
    .run = run,
};
