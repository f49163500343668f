/* sdfw trace and sdfw test: what does the policy say of a connection? */

#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "evaluate.h"
#include "probe.h"
#include "util.h"

static void
print_link(const char *before, const struct link *link,
           const struct opening *opening, const char *after)
{
    char *from = endpoint_to_string(&link->from);
    char *to = endpoint_to_string(&link->to);
    printf("%slink %s -> %s", before, from, to);
    for (size_t i = 0; i < link->n_openings; i++) {
        if (!opening || opening == &link->openings[i]) {
            char *what = opening_to_string(&link->openings[i]);
            printf("%s%s", i && !opening ? ", " : " ", what);
            free(what);
        }
    }
    const struct location *where = opening ? &opening->where : &link->where;
    printf(" (%s:%d)%s%s\n", where->file, where->line, after[0] ? ", " : "",
           after);
    free(from);
    free(to);
}

static void
print_verdict(const struct verdict *verdict)
{
    switch (verdict->kind) {
    case VERDICT_ALLOW:
        print_link("allow: ", verdict->link, verdict->opening, "");
        if (verdict->link->reason) {
            printf("  reason: %s\n", verdict->link->reason);
        }
        return;
    case VERDICT_PASS:
        puts("pass: no link allows it, but no end enforces; it is reported");
        break;
    case VERDICT_DENY:
        puts("deny: no link allows it");
        break;
    }
    if (verdict->nearest) {
        print_link("  nearest: ", verdict->nearest, NULL, verdict->why);
    } else if (verdict->why) {
        printf("  %s\n", verdict->why);
    }
}

static char *
parse_parties(const struct options *options, const struct topology *topology,
              struct party *from, struct party *to, struct opening *what)
{
    size_t n = options->n_arguments;
    const struct segment *segment = NULL;
    if (options->segment) {
        segment = shash_find_data(&topology->segment_index,
                                  options->segment);
        if (!segment) {
            return xasprintf("no segment '%s'", options->segment);
        }
    }
    bool has_port = n == 5;
    char *error = party_parse(topology, options->arguments[1], segment, from);
    if (!error) {
        error = party_parse(topology, options->arguments[2], segment, to);
    }
    if (!error) {
        error = opening_parse(options->arguments[3],
                              has_port ? options->arguments[4] : NULL, what);
    }
    return error;
}

static int
trace_on_bridge(const struct options *options, struct topology *topology,
                const struct party *from, const struct party *to,
                const struct opening *what, const struct verdict *verdict)
{
    struct probe probe;
    char *error = probe_bridge(topology, options, from, to, what, &probe);
    if (error) {
        fprintf(stderr, "sdfw: %s\n", error);
        free(error);
        return EXIT_BRIDGE;
    }
    bool expected = verdict->kind != VERDICT_DENY;
    printf("%s: %s (%s)\n", options->bridges[0],
           probe.delivered ? "delivers it" : "drops it", probe.how);
    int status = EXIT_OK;
    if (probe.delivered != expected) {
        puts("  THE BRIDGE AND THE MANIFESTS DISAGREE: \"sdfw plan\" shows "
             "what a push would change");
        status = EXIT_BRIDGE;
    }
    free(probe.how);
    return status;
}

static int
run_trace(const struct options *options)
{
    if (options->n_bridges > 1) {
        fputs("sdfw: trace takes one --bridge\n", stderr);
        return EXIT_USAGE;
    }
    struct topology *topology = command_read_topology(options,
                                                      options->arguments, 1);
    if (!topology) {
        return EXIT_MANIFEST;
    }
    struct party from, to;
    struct opening what;
    int status;
    char *error = parse_parties(options, topology, &from, &to, &what);
    if (error) {
        fprintf(stderr, "sdfw: %s\n", error);
        free(error);
        status = EXIT_USAGE;
    } else {
        struct verdict verdict = evaluate(topology, &from, &to, &what,
                                          options->now);
        print_verdict(&verdict);
        status = verdict.kind == VERDICT_DENY ? EXIT_DENIED : EXIT_OK;
        if (options->n_bridges) {
            int bridge_status = trace_on_bridge(options, topology, &from,
                                                &to, &what, &verdict);
            status = bridge_status ? bridge_status : status;
        }
    }
    topology_destroy(topology);
    return status;
}

const struct command trace_command = {
    .name = "trace",
    .arguments = "TOPOLOGY SRC DST PROTOCOL [PORT|TYPE[/CODE]]",
    .summary = "says whether SRC may open that to DST, and by which link",
    .options = "bridge db ports segment timeout table-base private-key "
               "certificate ca-cert",
    .min_arguments = 4, .max_arguments = 5,
    .help = "SRC and DST are APPLICATION/SERVICE[/WORKLOAD], a network, or "
            "an address.\n"
            "PROTOCOL is tcp, udp, sctp, icmp, icmp6 or a number.  PORT is "
            "the server's; TYPE\nis a number, or a name as in a manifest.\n"
            "An address is looked for in the segment of --segment.  Without "
            "that, it is the\nworkload's that alone has it, or in segment "
            "\"default\".\n"
            "With --bridge (one, by its name), ovs-vswitchd is asked too "
            "(ofproto/trace).\n"
            "Exit status: 0 allowed, or passes since no end enforces, 4 "
            "denied, 1 the topology\nis wrong, 3 the bridge fails or "
            "disagrees.",
    .run = run_trace,
};

/* Returns true if 'expect' holds. */
static bool
check_expect(const struct topology *topology, const struct expect *expect,
             time_t now)
{
    struct party from, to;
    char *error = party_parse(topology, expect->from, expect->segment, &from);
    if (!error) {
        error = party_parse(topology, expect->to, expect->segment, &to);
    }
    char *what = opening_to_string(&expect->opening);
    bool ok = false;
    struct verdict verdict = { .kind = VERDICT_DENY };
    if (!error) {
        verdict = evaluate(topology, &from, &to, &expect->opening, now);
        ok = (verdict.kind == VERDICT_ALLOW) == expect->allow;
    }
    if (!ok) {
        printf("%s:%d: FAILED: %s -> %s %s: expected %s\n",
               expect->where.file, expect->where.line, expect->from,
               expect->to, what, expect->allow ? "allow" : "deny");
        if (error) {
            printf("  %s\n", error);
        } else {
            printf("  ");
            print_verdict(&verdict);
        }
    }
    free(error);
    free(what);
    return ok;
}

static int
run_test(const struct options *options)
{
    struct topology *topology = command_read_topology(
        options, options->arguments, options->n_arguments);
    if (!topology) {
        return EXIT_MANIFEST;
    }
    size_t passed = 0;
    for (size_t i = 0; i < topology->n_expects; i++) {
        passed += check_expect(topology, topology->expects[i], options->now);
    }
    size_t failed = topology->n_expects - passed;
    if (!topology->n_expects && !options->quiet) {
        fputs("sdfw: warning: the topology has no <expect>\n", stderr);
    }
    if (!options->quiet) {
        printf("%zu passed, %zu failed\n", passed, failed);
    }
    topology_destroy(topology);
    return failed ? EXIT_DENIED : EXIT_OK;
}

const struct command test_command = {
    .name = "test",
    .arguments = "TOPOLOGY...",
    .summary = "checks the <expect> assertions, without a bridge",
    .options = "",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "\"deny\" means that no link allows it, whatever the mode.\n"
            "Exit status: 0 all hold, 4 some do not, 1 the topology is "
            "wrong.",
    .run = run_test,
};
