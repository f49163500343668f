/* sdfw trace and sdfw test: what does the policy say of a connection? */

#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "evaluate.h"
#include "outcome.h"
#include "probe.h"
#include "util.h"

static void
put_link(struct ds *s, const struct link *link, const struct opening *opening)
{
    char *from = endpoint_to_string(&link->from);
    char *to = endpoint_to_string(&link->to);
    ds_put_format(s, "link %s -> %s", from, to);
    for (size_t i = 0; i < link->n_openings; i++) {
        if (!opening || opening == &link->openings[i]) {
            char *what = opening_to_string(&link->openings[i]);
            ds_put_format(s, "%s%s", i && !opening ? ", " : " ", what);
            free(what);
        }
    }
    const struct location *where = opening ? &opening->where : &link->where;
    ds_put_format(s, " (%s:%d)", where->file, where->line);
    free(from);
    free(to);
}

/* What was decided and by which link, without the end of the last line. */
static char *
verdict_to_string(const struct verdict *verdict)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    switch (verdict->kind) {
    case VERDICT_ALLOW:
        ds_put_cstr(&s, "allow: ");
        put_link(&s, verdict->link, verdict->opening);
        if (verdict->link->reason) {
            ds_put_format(&s, "\n  reason: %s", verdict->link->reason);
        }
        return ds_steal_cstr(&s);
    case VERDICT_PASS:
        ds_put_cstr(&s, "pass: no link allows it, but no end enforces; it is "
                    "reported");
        break;
    case VERDICT_DENY:
        ds_put_cstr(&s, "deny: no link allows it");
        break;
    }
    if (verdict->nearest) {
        ds_put_cstr(&s, "\n  nearest: ");
        put_link(&s, verdict->nearest, NULL);
        ds_put_format(&s, ", %s", verdict->why);
    } else if (verdict->why) {
        ds_put_format(&s, "\n  %s", verdict->why);
    }
    return ds_steal_cstr(&s);
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
        char *text = verdict_to_string(&verdict);
        puts(text);
        free(text);
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

/* Returns NULL if 'expect' holds; otherwise what is decided instead, which the
 * caller must free. */
static char *
check_expect(const struct topology *topology, const struct expect *expect,
             time_t now)
{
    struct party from, to;
    char *error = party_parse(topology, expect->from, expect->segment, &from);
    if (!error) {
        error = party_parse(topology, expect->to, expect->segment, &to);
    }
    if (error) {
        return error;
    }
    struct verdict verdict = evaluate(topology, &from, &to, &expect->opening,
                                      now);
    return (verdict.kind == VERDICT_ALLOW) == expect->allow
           ? NULL : verdict_to_string(&verdict);
}

/* Adds what comes of 'expect'.  In text form, and in the log beside a
 * document, only failures are told. */
static void
test_expect(const struct options *options, const struct topology *topology,
            const struct expect *expect, struct outcomes *outcomes)
{
    const char *wanted = expect->allow ? "allow" : "deny";
    const struct location *where = &expect->where;
    char *what = opening_to_string(&expect->opening);
    char *problem = check_expect(topology, expect, options->now);
    char *message = NULL;
    if (problem) {
        message = xasprintf("%s -> %s %s: expected %s\n  %s", expect->from,
                            expect->to, what, wanted, problem);
        fprintf(options->format ? stderr : stdout, "%s:%d: FAILED: %s\n",
                where->file, where->line, message);
    }
    char *name = xasprintf("%s -> %s %s%s%s: %s", expect->from, expect->to,
                           what, expect->segment ? " in segment " : "",
                           expect->segment ? expect->segment->name : "",
                           wanted);
    outcomes_add(outcomes, problem ? OUTCOME_UNEXPECTED : OUTCOME_PASS,
                 *where, name, message);
    free(problem);
    free(what);
}

/* Returns how many assertions do not hold. */
static size_t
test_topology(const struct options *options, const struct topology *topology,
              struct outcomes *outcomes)
{
    size_t failed = 0;
    for (size_t i = 0; i < topology->n_expects; i++) {
        test_expect(options, topology, topology->expects[i], outcomes);
        failed += outcomes->all[i].kind != OUTCOME_PASS;
    }
    if (!options->quiet && !topology->n_expects) {
        fputs("sdfw: warning: the topology has no <expect>\n", stderr);
    }
    if (!options->quiet) {
        fprintf(options->format ? stderr : stdout, "%zu passed, %zu failed\n",
                topology->n_expects - failed, failed);
    }
    return failed;
}

static int
run_test(const struct options *options)
{
    struct report report;
    struct outcomes outcomes;
    report_init(&report);
    outcomes_init(&outcomes, "test");
    int status = EXIT_MANIFEST;
    struct topology *topology = command_read_reported(
        options, options->arguments, options->n_arguments, &report);
    if (topology) {
        status = test_topology(options, topology, &outcomes)
                 ? EXIT_DENIED : EXIT_OK;
    } else {
        outcomes_add_report(&outcomes, &report, options->arguments[0]);
    }
    if (options->format) {
        outcomes_print(&outcomes, options->format, stdout);
    }
    outcomes_destroy(&outcomes);
    report_destroy(&report);
    topology_destroy(topology);
    return status;
}

const struct command test_command = {
    .name = "test",
    .arguments = "TOPOLOGY...",
    .summary = "checks the <expect> assertions, without a bridge",
    .options = "",
    .formats = "junit sarif",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "\"deny\" means that no link allows it, whatever the mode.\n"
            "With --format=junit or sarif, standard output has a document for "
            "a CI, also if a\nmanifest is wrong, and the text goes to "
            "standard error.\n"
            "Exit status: 0 all hold, 4 some do not, 1 the topology is "
            "wrong.",
    .run = run_test,
};
