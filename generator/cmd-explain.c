/* sdfw explain: which manifest line does a flow on the bridge come from? */

#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "ports.h"
#include "util.h"

/* A cookie as such, or the one in a flow as ovs-ofctl prints it. */
static bool
parse_cookie(const char *text, uint64_t *cookie)
{
    const char *p = strstr(text, "cookie=");
    p = p ? p + strlen("cookie=") : text;
    char *end;
    errno = 0;
    *cookie = strtoull(p, &end, 0);
    return end != p && !errno && (!*end || strchr(", ", *end));
}

static int
explain(const struct options *options, struct topology *topology,
        uint64_t cookie)
{
    if ((cookie & COOKIE_PREFIX_MASK) != COOKIE_PREFIX) {
        printf("0x%"PRIx64" is not a flow of sdfw (ours begin with 0x%"
               PRIx64")\n", cookie, COOKIE_PREFIX >> 48);
        return EXIT_DENIED;
    }
    struct ports *ports = ports_create(topology);
    ports_number(ports);
    struct compile_options compile_options = {
        .table_base = options->table_base, .now = options->now,
        .adopt_seconds = 1,
    };
    struct flow_set flows;
    flow_set_init(&flows, options->table_base);
    compile(topology, ports, &compile_options, &flows);

    struct ds s = DS_EMPTY_INITIALIZER;
    size_t n = 0;
    for (size_t i = 0; i < flows.n; i++) {
        const struct flow_record *flow = &flows.flows[i];
        if (flow->cookie == cookie) {
            ds_clear(&s);
            ds_put_format(&s, "%s: ", flow_table_name(flows.table_base,
                                                      flow->table));
            origin_format(&s, &flow->origin);
            puts(ds_cstr(&s));
            n++;
        }
    }
    if (!n) {
        printf("nothing in this topology makes a flow with cookie 0x%"PRIx64
               "%s\n", cookie,
               (cookie >> COOKIE_KIND_SHIFT & 0xff) == ORIGIN_PORTS
               ? ": it is for a block of ports" : ": it is of another");
    }
    ds_destroy(&s);
    flow_set_destroy(&flows);
    ports_destroy(ports);
    return n ? EXIT_OK : EXIT_DENIED;
}

static int
run(const struct options *options)
{
    const char *what = options->arguments[options->n_arguments - 1];
    uint64_t cookie;
    if (!parse_cookie(what, &cookie)) {
        fprintf(stderr, "sdfw: \"%s\" is not a cookie, nor a flow with "
                "cookie=...\n", what);
        return EXIT_USAGE;
    }
    struct topology *topology = command_read_topology(
        options, options->arguments, options->n_arguments - 1);
    if (!topology) {
        return EXIT_MANIFEST;
    }
    int status = explain(options, topology, cookie);
    topology_destroy(topology);
    return status;
}

const struct command explain_command = {
    .name = "explain",
    .arguments = "TOPOLOGY... COOKIE|FLOW",
    .summary = "says which manifest line a flow on the bridge comes from",
    .options = "table-base",
    .min_arguments = 2, .max_arguments = SIZE_MAX,
    .help = "FLOW is a line of \"ovs-ofctl dump-flows\".\n"
            "Exit status: 0 found, 4 not of this topology, 1 the topology is "
            "wrong.",
    .run = run,
};
