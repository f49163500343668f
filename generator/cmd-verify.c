/* sdfw verify: is what the topology opens known good? */

#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "catalogue.h"
#include "hmapx.h"
#include "outcome.h"
#include "util.h"
#include "verify.h"

#define MAX_RULES 3             /* Ids in a line; JSON has all. */

/* "office -> shop/web tcp/443".  The caller frees it. */
static char *
describe(const struct verify_finding *f)
{
    char *from = endpoint_to_string(&f->link->from);
    char *to = endpoint_to_string(&f->link->to);
    char *opening = opening_to_string(f->opening);
    char *text = xasprintf("%s -> %s %s", from, to, opening);
    free(from);
    free(to);
    free(opening);
    return text;
}

/* Worst first, then as in the files. */
static int
compare_findings(const void *a_, const void *b_)
{
    const struct verify_finding *const *a = a_;
    const struct verify_finding *const *b = b_;
    const struct location *x = &(*a)->opening->where;
    const struct location *y = &(*b)->opening->where;
    if ((*a)->score != (*b)->score) {
        return (*a)->score > (*b)->score ? -1 : 1;
    }
    int cmp = strcmp(x->file, y->file);
    return cmp ? cmp
           : x->line != y->line ? (x->line < y->line ? -1 : 1)
           : *a < *b ? -1 : *a > *b;
}

/* The caller frees the array. */
static const struct verify_finding **
sort_findings(const struct verify_result *result)
{
    const struct verify_finding **sorted = xcalloc(result->n, sizeof *sorted);
    for (size_t i = 0; i < result->n; i++) {
        sorted[i] = &result->findings[i];
    }
    if (result->n) {
        qsort(sorted, result->n, sizeof *sorted, compare_findings);
    }
    return sorted;
}

/* Text. */

void
command_print_finding(const struct verify_finding *f, FILE *stream)
{
    struct ds rules = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < MIN(f->n_rules, MAX_RULES); i++) {
        ds_put_format(&rules, "%s%s", i ? ", " : " [", f->rules[i]->id);
    }
    if (f->n_rules > MAX_RULES) {
        ds_put_format(&rules, " and %"PRIuSIZE" more",
                      f->n_rules - MAX_RULES);
    }
    char *what = describe(f);
    fprintf(stream, "%s:%d: %s %d: %s: %s%s%s\n", f->opening->where.file,
            f->opening->where.line, verify_verdict_to_string(f->verdict),
            f->score, what, f->reason, ds_cstr(&rules),
            f->n_rules ? "]" : "");
    free(what);
    ds_destroy(&rules);
}

/* Each rule that decided against something, once. */
static void
print_rules(const struct verify_finding *const sorted[], size_t n,
            FILE *stream)
{
    struct hmapx told = HMAPX_INITIALIZER(&told);
    for (size_t i = 0; i < n; i++) {
        const struct rule *rule = sorted[i]->n_rules ? sorted[i]->rules[0]
                                                     : NULL;
        if (!rule || rule->verdict == VERIFY_KNOWN_GOOD
            || !hmapx_add(&told, CONST_CAST(struct rule *, rule))) {
            continue;
        }
        fprintf(stream, "\n%s: %s\n", rule->id,
                rule->explanation ? rule->explanation : rule->title);
        if (rule->instead) {
            fprintf(stream, "  Instead: %s\n", rule->instead);
        }
    }
    hmapx_destroy(&told);
}

static void
print_text(const struct options *options, const struct verify_result *result,
           FILE *stream)
{
    const struct verify_finding **sorted = sort_findings(result);
    size_t n = 0;
    for (; n < result->n; n++) {
        if (options->quiet && sorted[n]->verdict == VERIFY_KNOWN_GOOD) {
            break;              /* They come last. */
        }
        command_print_finding(sorted[n], stream);
    }
    print_rules(sorted, n, stream);
    if (!options->quiet) {
        fprintf(stream, "%s%zu dangerous, %zu unusual, %zu unknown, "
                "%zu known good\n", n ? "\n" : "",
                result->counts[VERIFY_DANGEROUS],
                result->counts[VERIFY_UNUSUAL],
                result->counts[VERIFY_UNKNOWN],
                result->counts[VERIFY_KNOWN_GOOD]);
    }
    free(sorted);
}

/* JSON: an object a line, the worst first. */

static struct json *
rules_array(const struct verify_finding *f)
{
    struct json *array = json_array_create_empty();
    for (size_t i = 0; i < f->n_rules; i++) {
        json_array_add(array, json_string_create(f->rules[i]->id));
    }
    return array;
}

static void
put_nullable(struct json *object, const char *name, const char *value)
{
    if (value) {
        json_object_put_string(object, name, value);
    }
}

static struct json *
finding_object(const struct verify_finding *f)
{
    struct json *object = json_object_create();
    const struct rule *rule = f->n_rules ? f->rules[0] : NULL;
    json_object_put_string(object, "verdict",
                           verify_verdict_to_string(f->verdict));
    json_object_put(object, "score", json_integer_create(f->score));
    json_object_put(object, "from", json_string_create_nocopy(
        endpoint_to_string(&f->link->from)));
    json_object_put(object, "to", json_string_create_nocopy(
        endpoint_to_string(&f->link->to)));
    json_object_put(object, "opens", json_string_create_nocopy(
        opening_to_string(f->opening)));
    json_object_put_string(object, "reason", f->reason);
    json_object_put(object, "rules", rules_array(f));
    json_object_put_string(object, "file", f->opening->where.file);
    json_object_put(object, "line",
                    json_integer_create(f->opening->where.line));
    json_object_put(object, "accepted", json_boolean_create(f->accepted));
    put_nullable(object, "explanation", rule ? rule->explanation : NULL);
    put_nullable(object, "instead", rule ? rule->instead : NULL);
    return object;
}

static void
print_json(const struct verify_result *result)
{
    const struct verify_finding **sorted = sort_findings(result);
    for (size_t i = 0; i < result->n; i++) {
        struct json *object = finding_object(sorted[i]);
        char *text = json_to_string(object, JSSF_SORT);
        puts(text);
        free(text);
        json_destroy(object);
    }
    free(sorted);
}

/* JUnit and SARIF. */

/* What SARIF tells about the rules, and last about what none matches.  The
 * caller frees it. */
static struct outcome_rule *
make_outcome_rules(const struct catalogue *catalogue)
{
    struct outcome_rule *rules = xcalloc(catalogue->n_rules + 1,
                                         sizeof *rules);
    for (size_t i = 0; i < catalogue->n_rules; i++) {
        const struct rule *r = catalogue->rules[i];
        rules[i] = (struct outcome_rule) {
            .id = r->id, .name = r->id, .summary = r->title,
            .level = r->verdict == VERIFY_DANGEROUS ? "error"
                     : r->verdict == VERIFY_UNUSUAL ? "warning" : "note",
            .help = r->instead ? r->instead : r->title,
            .score = r->score,
        };
    }
    rules[catalogue->n_rules] = (struct outcome_rule) {
        .id = "unknown", .name = "unknown", .level = "note",
        .summary = "No rule says anything about it.",
        .help = "If it is right, add a <service> or a <rule> to a catalogue "
                "of yours.",
        .score = VERIFY_SCORE_UNKNOWN,
    };
    return rules;
}

static void
add_outcome(const struct options *options, const struct catalogue *catalogue,
            const struct verify_finding *f, struct outcomes *outcomes)
{
    bool good = f->verdict == VERIFY_KNOWN_GOOD;
    const struct rule *rule = f->n_rules ? f->rules[0] : NULL;
    char *what = describe(f);
    char *message = good ? NULL
                    : xasprintf("%s %d: %s: %s%s%s",
                                verify_verdict_to_string(f->verdict),
                                f->score, what, f->reason,
                                rule && rule->instead ? ". Instead: " : "",
                                rule && rule->instead ? rule->instead : "");
    struct outcome *o = outcomes_add(
        outcomes, good ? OUTCOME_PASS
                  : f->verdict >= options->fail_on ? OUTCOME_RISK
                  : OUTCOME_WARNING, f->opening->where,
        xasprintf("line %d: %s", f->opening->where.line, what), message);
    o->score = f->score;
    o->rule = &outcomes->rules[catalogue->n_rules];
    for (size_t i = 0; rule && i < catalogue->n_rules; i++) {
        if (catalogue->rules[i] == rule) {
            o->rule = &outcomes->rules[i];
        }
    }
    free(what);
}

static void
print_document(const struct options *options,
               const struct catalogue *catalogue,
               const struct verify_result *result, struct report *report)
{
    struct outcomes outcomes;
    struct outcome_rule *rules = catalogue ? make_outcome_rules(catalogue)
                                           : NULL;
    outcomes_init(&outcomes, "verify");
    outcomes.rules = rules;
    outcomes.n_rules = rules ? catalogue->n_rules + 1 : 0;
    for (size_t i = 0; i < result->n; i++) {
        add_outcome(options, catalogue, &result->findings[i], &outcomes);
    }
    if (report->n_errors) {
        outcomes_add_report(&outcomes, report, options->arguments[0]);
    }
    outcomes_print(&outcomes, options->format, stdout);
    outcomes_destroy(&outcomes);
    free(rules);
}

static int
exit_status(const struct options *options, const struct verify_result *result)
{
    for (int i = options->fail_on; i < VERIFY_N_VERDICTS; i++) {
        if (result->counts[i]) {
            return EXIT_DENIED;
        }
    }
    return EXIT_OK;
}

static int
run(const struct options *options)
{
    struct report report;
    struct verify_result result = { .n = 0 };
    int status = EXIT_MANIFEST;
    report_init(&report);
    struct catalogue *catalogue = catalogue_read(
        options->catalogues, options->n_catalogues, options->now, &report);
    struct topology *topology = command_read_reported(
        options, options->arguments, options->n_arguments, &report);
    if (topology) {
        verify_topology(topology, catalogue, options->now, &result);
        status = exit_status(options, &result);
    }
    bool document = options->format && strcmp(options->format, "json");
    if (document) {
        print_document(options, catalogue, &result, &report);
    }
    if (topology && (document || !options->format)) {
        print_text(options, &result, document ? stderr : stdout);
    } else if (topology) {
        print_json(&result);
    }
    verify_result_destroy(&result);
    topology_destroy(topology);
    catalogue_destroy(catalogue);
    report_destroy(&report);
    return status;
}

const struct command verify_command = {
    .name = "verify",
    .arguments = "TOPOLOGY...",
    .summary = "says of each link whether it is known good, or dangerous",
    .options = "catalogue fail-on",
    .formats = "json junit sarif",
    .min_arguments = 1, .max_arguments = SIZE_MAX,
    .help = "What each link opens is known-good, unknown, unusual or "
            "dangerous, by the rules\nof the built-in catalogue and of "
            "--catalogue (see sdfw-catalogue(5)), with a\nscore from 0 to "
            "100.  With --quiet, what is known good is not told.\nThe "
            "score is the highest of the rules that speak against it: "
            "dangerous from 60,\nunusual from 30.  If none does, it is the "
            "lowest of those that say known-good.\nWhat is unknown has 25, "
            "what the site accepts 19.\nWith --format=junit or sarif, "
            "standard output has a document for a CI, also if\na manifest "
            "is wrong, and the text goes to standard error.\nExit status: "
            "0 nothing is as bad as --fail-on says, 4 something is, 1 the\n"
            "topology or a catalogue is wrong.",
    .run = run,
};
