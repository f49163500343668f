/* sdfw learn: from what was seen to manifests. */

#include "command.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/json.h>

#include "direction.h"
#include "import.h"
#include "learn.h"
#include "manifest.h"
#include "port-names.h"
#include "util.h"
#include "verify.h"

/* Reading. */

static void
print_import(const struct options *options, const char *path,
             const struct observe_result *result, bool again)
{
    for (size_t i = 0; i < MAX_BAD_NAMED && result->bad[i]; i++) {
        fprintf(stderr, "%s\n", result->bad[i]);
    }
    if (options->quiet) {
        return;
    }
    fprintf(stderr, "%s: %s, ", path, result->format);
    if (again) {
        fputs("was read before; nothing added\n", stderr);
        return;
    }
    fprintf(stderr, "%"PRIu64" connections, %"PRIu64" other %s, %"PRIu64
            " not understood\n", result->n_read, result->n_other,
            strcmp(result->format, "pcap") ? "lines" : "packets",
            result->n_bad);
}

/* A profile that is not there is made when there is something to put in. */
static char *
make_profile(const struct options *options, struct profile **profile)
{
    return *profile ? NULL : profile_open(options->profile, true, profile);
}

static char *
import_one(const struct options *options, struct profile **profile,
           const char *path)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const struct observe_defaults defaults = {
        .observer = options->observer ? options->observer : host,
        .segment = options->segment ? options->segment : "default",
        .time = options->now,
    };
    struct observations observations;
    struct observe_result result;
    bool again = false;
    observations_init(&observations);
    char *error = observe_file(path, &defaults, &observations, &result);
    if (!error) {
        error = make_profile(options, profile);
    }
    if (!error) {
        error = import_observations(*profile, &observations, path,
                                    result.digest, options->now, &again);
    }
    if (!error) {
        print_import(options, path, &result, again);
    }
    observe_result_destroy(&result);
    observations_destroy(&observations);
    return error;
}

static char *
import_all(const struct options *options, struct profile **profile)
{
    char *error = NULL;
    for (size_t i = 0; !error && i < options->n_arguments; i++) {
        const char *path = options->arguments[i];
        if (!options->merge) {
            error = import_one(options, profile, path);
        } else {
            error = make_profile(options, profile);
            error = error ? error : profile_merge(*profile, path);
        }
    }
    return error;
}

/* Writing.  A file that is there is never touched: it may have been edited,
 * or, with its directory as --topology, be what covers the links that are not
 * learned again. */

struct output {
    char *path;                 /* NULL: standard output. */
    struct learned_part part;
};

static void
add_output(struct output **outputs, size_t *n, char *path,
           struct learned_part part)
{
    *outputs = xrealloc(*outputs, (*n + 1) * sizeof **outputs);
    (*outputs)[(*n)++] = (struct output) { .path = path, .part = part };
}

static void
add_application(const struct options *options, const struct learned *learned,
                const struct application *application,
                struct output **outputs, size_t *n)
{
    const char *suffix = learned->has_topology ? "-learned" : "";
    struct learned_part part = { .application = application };
    if (!options->per_workload) {
        if (learned_has(learned, &part)) {
            add_output(outputs, n, xasprintf("%s/%s%s.xml", options->output,
                                             application->name, suffix),
                       part);
        }
        return;
    }
    for (size_t i = 0; i < application->n_services; i++) {
        part.service = application->services[i];
        if (learned_has(learned, &part)) {
            add_output(outputs, n, xasprintf("%s/%s-%s%s.xml",
                                             options->output,
                                             application->name,
                                             part.service->name, suffix),
                       part);
        }
    }
}

static bool
is_directory(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

static struct output *
plan_outputs(const struct options *options, const struct learned *learned,
             size_t *n)
{
    struct output *outputs = NULL;
    *n = 0;
    if (!is_directory(options->output)) {
        bool is_stdout = !strcmp(options->output, "-");
        struct learned_part all = { .application = NULL };
        if (learned_has(learned, &all)) {
            add_output(&outputs, n, is_stdout ? NULL
                                    : xstrdup(options->output), all);
        }
        return outputs;
    }
    for (size_t i = 0; i < learned->topology->n_applications; i++) {
        add_application(options, learned,
                        learned->topology->applications[i], &outputs, n);
    }
    return outputs;
}

static char *
write_output(const struct learned *learned, const struct output *output)
{
    FILE *stream = output->path ? fopen(output->path, "wx") : stdout;
    if (!stream) {
        return xasprintf("cannot write %s: %s", output->path,
                         ovs_strerror(errno));
    }
    char *error = learned_write(learned, &output->part, stream);
    bool failed = fflush(stream) || ferror(stream);
    if (output->path) {
        failed |= fclose(stream) != 0;
    }
    if (!error && failed) {
        error = xasprintf("cannot write %s: %s", output->path ? output->path
                          : "standard output", ovs_strerror(errno));
    }
    if (error && output->path) {
        unlink(output->path);
    }
    return error;
}

/* All files or none. */
static char *
write_outputs(const struct learned *learned, const struct output *outputs,
              size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (outputs[i].path && !access(outputs[i].path, F_OK)) {
            return xasprintf("%s is there already, and is not overwritten; "
                             "move it away or choose another --output",
                             outputs[i].path);
        }
    }
    for (size_t i = 0; i < n; i++) {
        char *error = write_output(learned, &outputs[i]);
        if (error) {
            while (i-- > 0) {
                unlink(outputs[i].path);
            }
            return error;
        }
    }
    return NULL;
}

/* Takes 'json'. */
static void
print_json(struct json *json, FILE *stream)
{
    char *text = json_to_string(json, JSSF_SORT);
    fprintf(stream, "%s\n", text);
    free(text);
    json_destroy(json);
}

/* What helps if there are no workloads. */
static void
print_no_workloads(const struct learned *learned)
{
    if (!learned->n_workloads) {
        fputs("sdfw: no workload is known: name those that there are by "
              "--topology, or read\ncaptures, which tell MACs\n", stderr);
    }
}

static void
print_status(const struct options *options, const struct learned *learned)
{
    if (options->format) {
        print_json(learned_status_to_json(learned), stdout);
    } else {
        learned_print_status(learned, stdout);
    }
}

static void
print_learned(const struct options *options, const struct learned *learned,
              const struct output *outputs, size_t n)
{
    bool is_stdout = !strcmp(options->output, "-");
    FILE *stream = is_stdout ? stderr : stdout;
    if (options->format) {
        print_json(learned_to_json(learned), stream);
        return;
    }
    learned_print(learned, stream);
    for (size_t i = 0; i < n && !options->quiet; i++) {
        if (outputs[i].path) {
            fprintf(stream, "wrote %s\n", outputs[i].path);
        }
    }
    if (!n) {
        fputs("nothing to write\n", stream);
    }
}

/* Verdicts. */

static bool
is_written(const char *file, const struct output *outputs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (outputs[i].path && !strcmp(outputs[i].path, file)) {
            return true;
        }
    }
    return false;
}

static void
print_verdicts(const struct topology *topology, const struct output *outputs,
               size_t n, time_t now, FILE *stream)
{
    struct report report;
    struct verify_result result;
    report_init(&report);
    struct catalogue *catalogue = catalogue_read(NULL, 0, now, &report);
    verify_topology(topology, catalogue, now, &result);
    for (size_t i = 0; i < result.n; i++) {
        const struct verify_finding *f = &result.findings[i];
        if (f->verdict != VERIFY_KNOWN_GOOD
            && is_written(f->link->where.file, outputs, n)) {
            command_print_finding(f, stream);
        }
    }
    verify_result_destroy(&result);
    catalogue_destroy(catalogue);
    report_destroy(&report);
}

/* What sdfw verify says of the files that were written, with the topology that
 * they are for: what was seen need not be good. */
static void
judge_outputs(const struct options *options, const struct output *outputs,
              size_t n)
{
    const char **paths = xcalloc(options->n_topologies + n + 1,
                                 sizeof *paths);
    size_t n_paths = 0;
    for (size_t i = 0; i < options->n_topologies; i++) {
        paths[n_paths++] = options->topologies[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (outputs[i].path) {
            paths[n_paths++] = outputs[i].path;
        }
    }
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(paths, n_paths, &report);
    if (topology) {
        print_verdicts(topology, outputs, n, options->now, stdout);
    } else {
        report_print(&report, stderr);
    }
    topology_destroy(topology);
    report_destroy(&report);
    free(paths);
}

static char *
write_learned(const struct options *options, const struct learned *learned)
{
    size_t n;
    struct output *outputs = plan_outputs(options, learned, &n);
    char *error = write_outputs(learned, outputs, n);
    if (!error) {
        print_learned(options, learned, outputs, n);
        if (n && outputs[0].path && !options->format) {
            judge_outputs(options, outputs, n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(outputs[i].path);
    }
    free(outputs);
    return error;
}

/* Takes the topology. */
static char *
learn_from(const struct options *options, struct profile *profile,
           struct topology *topology)
{
    struct history history;
    char *error = profile_read(profile, &history);
    if (error) {
        topology_destroy(topology);
        return error;
    }
    history_settle(&history);
    struct learned learned;
    size_t n_names;
    struct role_port_name *names = port_names_read(&n_names);
    learn(&history, topology, &(struct learn_options) {
        .per_workload = options->per_workload, .now = options->now,
        .port_names = names, .n_port_names = n_names,
    }, &learned);
    port_names_free(names, n_names);
    print_no_workloads(&learned);
    if (options->output) {
        error = write_learned(options, &learned);
    } else {
        print_status(options, &learned);
    }
    learned_destroy(&learned);
    history_destroy(&history);
    return error;
}

static bool
check_options(const struct options *options)
{
    const char *problem
        = !options->profile ? "learn wants --profile"
          : options->merge && !options->n_arguments
            ? "learn --merge wants the profiles to merge"
          : !options->n_arguments && !options->output && !options->status
            ? "learn wants something to read, --output or --status"
          : options->output && options->status
            ? "learn takes one of --output and --status"
          : NULL;
    if (problem) {
        fprintf(stderr, "sdfw: %s\nTry \"sdfw learn --help\".\n", problem);
    }
    return !problem;
}

static int
run(const struct options *options)
{
    if (!check_options(options)) {
        return EXIT_USAGE;
    }
    bool learns = options->output || options->status;
    struct topology *topology = NULL;
    if (learns && options->n_topologies) {
        /* That links are missing is what is being worked on. */
        struct options silent = *options;
        silent.quiet = true;
        topology = command_read_topology(&silent, options->topologies,
                                         options->n_topologies);
        if (!topology) {
            return EXIT_MANIFEST;
        }
    }
    struct profile *profile = NULL;
    char *error = options->n_arguments && access(options->profile, F_OK)
        ? NULL : profile_open(options->profile, options->n_arguments > 0,
                              &profile);
    if (!error) {
        error = import_all(options, &profile);
    }
    if (!error && learns) {
        error = learn_from(options, profile, topology);
    } else {
        topology_destroy(topology);
    }
    profile_close(profile);
    if (error) {
        fprintf(stderr, "sdfw: %s\n", error);
        free(error);
        return EXIT_HISTORY;
    }
    return EXIT_OK;
}

const struct command learn_command = {
    .name = "learn",
    .arguments = "--profile=FILE [--merge] [FILE...]",
    .summary = "makes manifests of what was seen",
    .options = "profile topology observer segment merge status output per",
    .formats = "json",
    .min_arguments = 0, .max_arguments = SIZE_MAX,
    .help = "FILEs are added to the profile: captures (pcap, pcapng), "
            "listings of \"conntrack -L\"\nor \"ovs-appctl dpctl/dump-conntrack\", "
            "lines of JSON (sdfwd's records, or as in\ndocs/learn.md); \"-\" "
            "is standard input.  With --output, what the profile knows\n"
            "and no link of --topology covers becomes links, with what speaks "
            "for them as\nreason.  What is rare, suspicious or unclear is set "
            "aside: it is listed, and in a\ncomment of the manifest.  Files "
            "that are there are not overwritten;\n\"--output=-\" is standard "
            "output.\n"
            "Exit status: 0 done, 1 the topology is wrong, 5 the profile or a "
            "file failed.",
    .run = run,
};
