/* sdfw: the command.  Arguments, help and dispatch; each subcommand is in its
 * own cmd-*.c.  The table of options below is the only place where an option
 * is described: --help is made from it. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "check.h"
#include "command.h"
#include "fatal-signal.h"
#include "manifest.h"
#include "pipeline.h"
#include "report.h"
#include "stream-ssl.h"
#include "stream.h"
#include "util.h"

static const struct command *const commands[] = {
    &check_command, &compile_command, &plan_command, &push_command,
    &show_command, &diff_command, &trace_command, &test_command,
    &verify_command, &explain_command, &attest_command, &clear_command,
    &learn_command,
};

struct option_help {
    const char *name;
    const char *argument;       /* NULL: takes none. */
    const char *text;
};

static const struct option_help option_table[] = {
    { "bridge", "BRIDGE", "a bridge of this host, unix:FILE, "
      "tcp:HOST[:PORT] or ssl:HOST[:PORT]" },
    { "db", "REMOTE", "OVSDB of the bridge's host (default: "
      "unix:RUNDIR/db.sock)" },
    { "ports", "FILE", "\"APPLICATION/SERVICE/WORKLOAD PORT\" lines instead "
      "of OVSDB" },
    { "format", "FORMAT", NULL },   /* What it takes: list_formats(). */
    { "timeout", "SECONDS", "give up on a bridge after so long (default: 30)"
    },
    { "adopt", "SECONDS", "at the first push, admit running connections for "
      "so long (default: 300; 0: not)" },
    { "table-base", "N", "first of our tables on the bridge (default: 100)" },
    { "at", "TIME", "judge links as of TIME, such as 2026-01-31T08:00:00Z, "
      "instead of now" },
    { "max-shrink", "PERCENT", "refuse if more of the links, or of the "
      "workloads, that are installed would go (default: 100)" },
    { "force", NULL, "whatever --max-shrink says" },
    { "segment", "NAME", "the segment of addresses for which none is told" },
    { "key", "FILE", "sign by this private key of Ed25519 (PEM)" },
    { "verify", NULL, "verify the statements in FILEs" },
    { "public-key", "FILE", "... by this key (PEM)" },
    { "catalogue", "FILE", "what the site knows and accepts, on top of the "
      "built-in catalogue" },
    { "fail-on", "VERDICT", "dangerous (default), unusual or unknown: "
      "exit with 4 if there is that or worse" },
    { "profile", "FILE", "the profile, which is made if need be" },
    { "topology", "PATH", "the services that are there, and the links "
      "that need not be learned" },
    { "observer", "NAME", "who has seen what is read (default: this host's "
      "name)" },
    { "merge", NULL, "the FILEs are profiles of other hosts" },
    { "status", NULL, "tell how much is known of each service" },
    { "output", "FILE", "write a manifest, or, into a directory, one for "
      "each application" },
    { "per", "application|workload", "... for each of these (default: "
      "application)" },
    { "flows", NULL, "show flows too" },
    { "inventory", "FILE", "the bridges in FILE, see sdfw-inventory(5), "
      "instead of --bridge" },
    { "parallel", "N", "so many hosts at once (default: 16)" },
    { "max-fail", "N", "start no more hosts after more than N failed "
      "(default: try all)" },
    { "canary-wait", "SECONDS", "watch deviations on canaries for so long "
      "before and after (default: 30; 0: do not)" },
    { "canary-rise", "N", "roll back if deviations rise by more than half "
      "and N packets a second (default: 1)" },
    { "quiet", NULL, "no warnings; push, check, diff, test and verify: no "
      "summary" },
    { "private-key", "FILE", "for ssl: our private key (PEM)" },
    { "certificate", "FILE", "for ssl: our certificate (PEM)" },
    { "ca-cert", "FILE", "for ssl: the certificate of the CA that signed the "
      "other side's" },
};

/* Options that every command takes. */
#define COMMON_OPTIONS "quiet at"

static bool
list_has(const char *list, const char *word, size_t len)
{
    for (const char *p = list; *p; ) {
        size_t n = strcspn(p, " ");
        if (n == len && !memcmp(p, word, len)) {
            return true;
        }
        p += n + (p[n] == ' ');
    }
    return false;
}

static bool
takes(const struct command *command, const char *name, size_t len)
{
    return list_has(COMMON_OPTIONS, name, len)
           || list_has(command->options, name, len)
           || (command->formats && list_has("format", name, len));
}

/* "text (default), junit or sarif".  The caller frees it. */
static char *
list_formats(const struct command *command)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&s, "text (default)");
    for (const char *p = command->formats; *p; ) {
        size_t n = strcspn(p, " ");
        ds_put_format(&s, "%s%.*s", p[n] ? ", " : " or ", (int) n, p);
        p += n + (p[n] == ' ');
    }
    return ds_steal_cstr(&s);
}

static void
print_help(const struct command *command)
{
    printf("usage: sdfw %s [OPTION]... %s\n%s\n\nOptions:\n", command->name,
           command->arguments, command->summary);
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option_help *o = &option_table[i];
        if (takes(command, o->name, strlen(o->name))) {
            char *left = xasprintf("--%s%s%s", o->name, o->argument ? "=" : "",
                                   o->argument ? o->argument : "");
            char *formats = o->text ? NULL : list_formats(command);
            printf("  %-22s %s\n", left, o->text ? o->text : formats);
            free(formats);
            free(left);
        }
    }
    printf("  %-22s %s\n", "--help", "this text");
    if (command->help) {
        printf("\n%s\n", command->help);
    }
}

static void
print_usage(FILE *stream)
{
    fputs("usage: sdfw COMMAND [OPTION]... TOPOLOGY...\n"
          "The service-defined firewall for Open vSwitch.\n\n"
          "A TOPOLOGY is a manifest file or a directory of manifests.\n\n"
          "Commands:\n", stream);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(stream, "  %-9s %s\n", commands[i]->name,
                commands[i]->summary);
    }
    fputs("\n\"sdfw COMMAND --help\" tells more; so does sdfw(8).  "
          "\"sdfw --version\" tells\nwhich sdfw this is.\n", stream);
}

static void OVS_PRINTF_FORMAT(2, 3) OVS_NO_RETURN
usage_error(const char *command, const char *format, ...)
{
    va_list args;
    fputs("sdfw: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry \"sdfw %s%s--help\".\n", command,
            command[0] ? " " : "");
    exit(EXIT_USAGE);
}

static int
parse_number(const struct options *options, const char *name,
             const char *value, int min, int max)
{
    char *end;
    errno = 0;
    long int number = strtol(value, &end, 10);
    if (!*value || *end || errno || number < min || number > max) {
        usage_error(options->command, "--%s wants a number from %d to %d, "
                    "not \"%s\"", name, min, max, value);
    }
    return number;
}

static bool
parse_per(const struct options *options, const char *value)
{
    if (strcmp(value, "workload") && strcmp(value, "application")) {
        usage_error(options->command, "--per is application (default) or "
                    "workload, not \"%s\"", value);
    }
    return !strcmp(value, "workload");
}

/* RFC 3339, as far as strptime() knows it: UTC or an offset. */
static int64_t
parse_time(const struct options *options, const char *value)
{
    struct tm tm = { .tm_sec = 0 };
    const char *end = strptime(value, "%Y-%m-%dT%H:%M:%S%z", &tm);
    if (!end || *end) {
        usage_error(options->command, "--at wants a time like "
                    "2026-01-31T08:00:00Z, not \"%s\"", value);
    }
    long int offset = tm.tm_gmtoff;
    return timegm(&tm) - offset;
}

/* libopenvswitch only logs what is wrong with these. */
static void
set_tls_file(struct options *options, const char *name, const char *value)
{
    if (access(value, R_OK)) {
        usage_error(options->command, "--%s: cannot read %s: %s", name, value,
                    ovs_strerror(errno));
    }
    options->n_tls_files++;
    if (!strcmp(name, "private-key")) {
        stream_ssl_set_private_key_file(value);
    } else if (!strcmp(name, "certificate")) {
        stream_ssl_set_certificate_file(value);
    } else {
        stream_ssl_set_ca_cert_file(value, false);
    }
}

/* An inventory says what these say. */
static void
check_inventory(const struct options *options)
{
    if (options->inventory
        && (options->n_bridges || options->db || options->ports_file
            || options->n_tls_files)) {
        usage_error(options->command, "--inventory says which bridges and "
                    "how; leave out --bridge, --db, --ports, --private-key, "
                    "--certificate and --ca-cert");
    } else if (!options->inventory
               && (options->parallel || options->max_fail >= 0
                   || options->canary_wait_s >= 0
                   || options->canary_rise >= 0)) {
        usage_error(options->command, "--parallel, --max-fail and --canary-* "
                    "want --inventory");
    }
}

static void
check_tls(const struct options *options)
{
    bool wanted = options->db && !strncmp(options->db, "ssl:", 4);
    for (size_t i = 0; i < options->n_bridges; i++) {
        wanted |= !strncmp(options->bridges[i], "ssl:", 4);
    }
    if (wanted && options->n_tls_files < 3) {
        usage_error(options->command, "ssl: needs --private-key, "
                    "--certificate and --ca-cert");
    }
}

static void
set_format(const struct command *command, struct options *options,
           const char *value)
{
    if (!strcmp(value, "text")) {
        options->format = NULL;
    } else if (value[0] && list_has(command->formats, value, strlen(value))) {
        options->format = value;
    } else {
        usage_error(command->name, "--format is %s, not \"%s\"",
                    list_formats(command), value);
    }
}

static const char **
add_value(const char **values, size_t *n, const char *value)
{
    values = xrealloc(values, (*n + 1) * sizeof *values);
    values[(*n)++] = value;
    return values;
}

static void
set_fail_on(struct options *options, const char *value)
{
    if (!verify_verdict_from_string(value, &options->fail_on)
        || options->fail_on == VERIFY_KNOWN_GOOD) {
        usage_error(options->command, "--fail-on wants dangerous, unusual or "
                    "unknown, not \"%s\"", value);
    }
}

static void
set_option(const struct command *command, struct options *options,
           const char *name, const char *value)
{
    if (!strcmp(name, "bridge")) {
        options->bridges = add_value(options->bridges, &options->n_bridges,
                                     value);
    } else if (!strcmp(name, "catalogue")) {
        options->catalogues = add_value(options->catalogues,
                                        &options->n_catalogues, value);
    } else if (!strcmp(name, "fail-on")) {
        set_fail_on(options, value);
    } else if (!strcmp(name, "db")) {
        options->db = value;
    } else if (!strcmp(name, "ports")) {
        options->ports_file = value;
    } else if (!strcmp(name, "format")) {
        set_format(command, options, value);
    } else if (!strcmp(name, "timeout")) {
        options->timeout_s = parse_number(options, name, value, 1, 86400);
    } else if (!strcmp(name, "adopt")) {
        options->adopt_s = parse_number(options, name, value, 0, UINT16_MAX);
    } else if (!strcmp(name, "table-base")) {
        options->table_base = parse_number(options, name, value, 1,
                                           MAX_TABLE_BASE);
    } else if (!strcmp(name, "at")) {
        options->now = parse_time(options, value);
    } else if (!strcmp(name, "max-shrink")) {
        options->max_shrink = parse_number(options, name, value, 0, 100);
    } else if (!strcmp(name, "force")) {
        options->force = true;
    } else if (!strcmp(name, "segment")) {
        options->segment = value;
    } else if (!strcmp(name, "inventory")) {
        options->inventory = value;
    } else if (!strcmp(name, "parallel")) {
        options->parallel = parse_number(options, name, value, 1, 1000);
    } else if (!strcmp(name, "max-fail")) {
        options->max_fail = parse_number(options, name, value, 0, 1000000);
    } else if (!strcmp(name, "canary-wait")) {
        options->canary_wait_s = parse_number(options, name, value, 0, 86400);
    } else if (!strcmp(name, "canary-rise")) {
        options->canary_rise = parse_number(options, name, value, 0,
                                            1000000000);
    } else if (!strcmp(name, "key")) {
        options->key = value;
    } else if (!strcmp(name, "public-key")) {
        options->public_key = value;
    } else if (!strcmp(name, "verify")) {
        options->verify = true;
    } else if (!strcmp(name, "profile")) {
        options->profile = value;
    } else if (!strcmp(name, "topology")) {
        options->topologies = xrealloc(options->topologies,
                                       (options->n_topologies + 1)
                                       * sizeof *options->topologies);
        options->topologies[options->n_topologies++] = value;
    } else if (!strcmp(name, "observer")) {
        options->observer = value;
    } else if (!strcmp(name, "merge")) {
        options->merge = true;
    } else if (!strcmp(name, "status")) {
        options->status = true;
    } else if (!strcmp(name, "output")) {
        options->output = value;
    } else if (!strcmp(name, "per")) {
        options->per_workload = parse_per(options, value);
    } else if (!strcmp(name, "flows")) {
        options->flows = true;
    } else if (!strcmp(name, "quiet")) {
        options->quiet = true;
    } else {
        set_tls_file(options, name, value);
    }
}

/* Handles the option at argv[i] and returns the index of the next argument. */
static int
parse_option(const struct command *command, struct options *options,
             char *argv[], int i)
{
    const char *name = argv[i] + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] ? name + len + 1 : NULL;
    if (len == 4 && !memcmp(name, "help", 4)) {
        print_help(command);
        exit(EXIT_OK);
    }
    for (size_t j = 0; j < ARRAY_SIZE(option_table); j++) {
        const struct option_help *o = &option_table[j];
        if (strlen(o->name) != len || memcmp(o->name, name, len)
            || !takes(command, name, len)) {
            continue;
        }
        if (o->argument && !value) {
            value = argv[++i];
            if (!value) {
                usage_error(command->name, "--%s wants %s", o->name,
                            o->argument);
            }
        } else if (!o->argument && value) {
            usage_error(command->name, "--%s takes no value", o->name);
        }
        set_option(command, options, o->name, value);
        return i + 1;
    }
    usage_error(command->name, "%s takes no option \"%s\"", command->name,
                argv[i]);
}

static void
parse_arguments(const struct command *command, int argc, char *argv[],
                struct options *options)
{
    options->arguments = xcalloc(argc + 1, sizeof *options->arguments);
    bool only_arguments = false;
    for (int i = 2; i < argc; ) {
        if (!only_arguments && !strcmp(argv[i], "--")) {
            only_arguments = true;
            i++;
        } else if (!only_arguments && !strncmp(argv[i], "--", 2)) {
            i = parse_option(command, options, argv, i);
        } else {
            options->arguments[options->n_arguments++] = argv[i++];
        }
    }
    if (options->n_arguments < command->min_arguments
        || options->n_arguments > command->max_arguments) {
        usage_error(command->name, "%s wants %s", command->name,
                    command->arguments);
    }
    check_inventory(options);
    check_tls(options);
}

struct topology *
command_read_reported(const struct options *options,
                      const char *const paths[], size_t n,
                      struct report *report)
{
    struct topology *topology
        = options->digests ? manifest_read_with_digests(paths, n, report)
                           : manifest_read(paths, n, report);
    if (topology) {
        check_topology(topology, options->now, report);
    }
    if (report->n_errors || !options->quiet) {
        report_print(report, stderr);
    }
    if (report->n_errors) {
        topology_destroy(topology);
        topology = NULL;
    }
    return topology;
}

struct topology *
command_read_topology(const struct options *options,
                      const char *const paths[], size_t n)
{
    struct report report;
    report_init(&report);
    struct topology *topology = command_read_reported(options, paths, n,
                                                      &report);
    report_destroy(&report);
    return topology;
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);

    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--help") || !strcmp(name, "help")) {
        print_usage(stdout);
        return EXIT_OK;
    } else if (!strcmp(name, "--version")) {
        puts("sdfw (ovs-sdfw) " SDFW_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i]->name, name)) {
            struct options options = {
                .command = name, .timeout_s = 30, .adopt_s = 300,
                .table_base = DEFAULT_TABLE_BASE, .now = time(NULL),
                .max_fail = -1, .canary_wait_s = -1, .canary_rise = -1,
                .max_shrink = 100,
                .fail_on = VERIFY_DANGEROUS,
                .digests = commands[i]->digests,
            };
            parse_arguments(commands[i], argc, argv, &options);
            int status = commands[i]->run(&options);
            free(options.bridges);
            free(options.topologies);
            free(options.catalogues);
            free(options.arguments);
            return status;
        }
    }
    if (name[0]) {
        usage_error("", "unknown command \"%s\"", name);
    }
    print_usage(stderr);
    return EXIT_USAGE;
}
