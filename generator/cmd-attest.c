/* sdfw attest: does each workload conform?  And: is a statement genuine? */

#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openvswitch/json.h>

#include "attest.h"
#include "dsse.h"
#include "push.h"
#include "util.h"

/* Verifying. */

static const struct json *
member(const struct json *json, const char *name)
{
    return json && json->type == JSON_OBJECT
           ? shash_find_data(json_object(json), name) : NULL;
}

static const char *
text_of(const struct json *json, const char *name)
{
    const struct json *value = member(json, name);
    return value && value->type == JSON_STRING ? json_string(value) : "?";
}

static void
print_statement(const struct json *statement)
{
    const struct json *subjects = member(statement, "subject");
    const struct json *predicate = member(statement, "predicate");
    const struct json *subject = subjects && subjects->type == JSON_ARRAY
                                 && subjects->array.n
                                 ? subjects->array.elems[0] : NULL;
    printf("%s %-11s %s at %s, %s%s%s\n", text_of(predicate, "time"),
           text_of(predicate, "verdict"), text_of(subject, "name"),
           text_of(predicate, "host"), text_of(predicate, "bridge"),
           text_of(predicate, "why")[0] ? ": " : "",
           text_of(predicate, "why"));
}

/* Returns false if the statement in 'line' is not to be believed. */
static bool
verify_line(const struct options *options, const struct dsse_key *key,
            const char *file, int number, const char *line)
{
    char *payload;
    char *error = dsse_verify(key, ATTEST_PAYLOAD_TYPE, line, &payload);
    if (error) {
        fprintf(stderr, "sdfw: %s:%d: %s\n", file, number, error);
        free(error);
        return false;
    }
    struct json *statement = json_from_string(payload);
    free(payload);
    bool right = !strcmp(text_of(statement, "predicateType"),
                         ATTEST_PREDICATE_TYPE);
    if (!right) {
        fprintf(stderr, "sdfw: %s:%d: is signed, but no statement of "
                "conformance\n", file, number);
    } else if (!options->quiet) {
        print_statement(statement);
    }
    json_destroy(statement);
    return right;
}

static int
verify_file(const struct options *options, const struct dsse_key *key,
            const char *file)
{
    FILE *stream = fopen(file, "r");
    if (!stream) {
        fprintf(stderr, "sdfw: %s: %s\n", file, ovs_strerror(errno));
        return EXIT_MANIFEST;
    }
    int status = EXIT_OK, number = 0;
    char *line = NULL;
    size_t allocated = 0;
    while (getline(&line, &allocated, stream) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!verify_line(options, key, file, ++number, line)) {
            status = EXIT_DENIED;
        }
    }
    if (!number) {
        fprintf(stderr, "sdfw: %s: has no statement\n", file);
        status = EXIT_DENIED;
    }
    free(line);
    fclose(stream);
    return status;
}

static int
verify(const struct options *options)
{
    struct dsse_key *key;
    char *error = dsse_read_public_key(options->public_key, &key);
    if (error) {
        fprintf(stderr, "sdfw: %s\n", error);
        free(error);
        return EXIT_USAGE;
    }
    int status = EXIT_OK;
    for (size_t i = 0; i < options->n_arguments; i++) {
        int its_status = verify_file(options, key, options->arguments[i]);
        status = status == EXIT_OK ? its_status : status;
    }
    dsse_key_destroy(key);
    return status;
}

/* Attesting. */

static void
print_attestation(const struct attestation *a, const struct dsse_key *key,
                  bool as_json)
{
    if (!as_json) {
        char *path = workload_path(a->workload);
        printf("  %-34s %-11s %s\n", path,
               attest_verdict_to_string(a->verdict), a->why);
        free(path);
        return;
    }
    char *text = json_to_string(a->statement, JSSF_SORT);
    char *envelope = key ? dsse_sign(key, ATTEST_PAYLOAD_TYPE, text) : NULL;
    puts(envelope ? envelope : text);
    free(envelope);
    free(text);
}

static int
report(const struct options *options, struct topology *topology,
       struct push_result *result)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    size_t n, n_deviate = 0, n_quarantined = 0;
    struct attestation *all = attest(topology, result, host, options->now,
                                     &n);
    bool as_json = options->key
                   || (options->format && !strcmp(options->format, "json"));
    struct dsse_key *key = NULL;
    char *error = options->key ? dsse_read_private_key(options->key, &key)
                               : NULL;
    if (error) {
        fprintf(stderr, "sdfw: %s\n", error);
        free(error);
        attest_destroy(all, n);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < n; i++) {
        n_deviate += all[i].verdict == ATTEST_DEVIATES;
        n_quarantined += all[i].verdict == ATTEST_QUARANTINED;
    }
    if (!as_json) {
        printf("%s: %"PRIuSIZE" of %"PRIuSIZE" workloads here conform",
               result->target, n - n_deviate - n_quarantined, n);
        if (n_quarantined) {
            printf(", %"PRIuSIZE" in quarantine", n_quarantined);
        }
        putchar('\n');
    }
    for (size_t i = 0; i < n; i++) {
        print_attestation(&all[i], key, as_json);
    }
    dsse_key_destroy(key);
    attest_destroy(all, n);
    return n_deviate ? EXIT_DENIED : EXIT_OK;
}

static int
run(const struct options *options)
{
    if (options->verify && options->public_key) {
        return verify(options);
    } else if (options->verify) {
        fputs("sdfw: attest --verify wants --public-key\n", stderr);
        return EXIT_USAGE;
    }
    struct push_options push = { .read_only = true, .read_foreign = true };
    return command_on_bridges(options, &push, report);
}

const struct command attest_command = {
    .name = "attest",
    .arguments = "--bridge=BRIDGE... TOPOLOGY... | --verify "
                 "--public-key=FILE FILE...",
    .summary = "states whether each workload conforms",
    .options = "bridge db ports timeout table-base key verify public-key "
               "private-key certificate ca-cert",
    .formats = "json",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "Compares what is on the bridges with what the topology makes of "
            "them, now: flows that\nare missing, altered or added, those of "
            "others that may come first, and deviations\nthat sdfwd has not "
            "ended.  With --key, each statement is signed (DSSE), one a "
            "line.\n"
            "Exit status: 0 all conform, or are in quarantine as they should; "
            "4 one deviates, or\nwith --verify, is not signed by that key; 1 "
            "the topology is wrong, 3 a bridge failed.",
    .digests = true,
    .run = run,
};
