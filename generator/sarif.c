/* Outcomes as SARIF 2.1.0, with what GitHub's code scanning asks for: rules
 * with help, relative URIs, and a line in every location. */

#include "outcome.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "util.h"

#define MAX_RESULTS 25000       /* GitHub refuses a run with more. */

/* By outcome_kind, without OUTCOME_PASS; OUTCOME_RISK has rules of its own.
 * "ruleIndex" counts from 0 here, and goes on in outcomes->rules. */
static const struct outcome_rule rules[] = {
    { "sdfw-warning", "ManifestWarning", "warning",
      "A manifest says something that is hardly meant.",
      "It can be pushed as it is.  The message says what is odd.", 0 },
    { "sdfw-error", "ManifestError", "error", "A manifest is wrong.",
      "Nothing can be pushed until it is right.  The message says what would "
      "be right; sdfw-manifest(5) has every element.", 0 },
    { "sdfw-expect", "ExpectationFailed", "error",
      "An <expect> assertion does not hold.",
      "Either a link is missing or too wide, or the assertion is outdated.  "
      "\"sdfw trace\" shows what decides.", 0 },
};

static struct json *
text_object(const char *text)
{
    struct json *object = json_object_create();
    json_object_put(object, "text",
                    json_string_create_nocopy(outcome_clean(text)));
    return object;
}

static struct json *
rule_object(const struct outcome_rule *rule)
{
    struct json *level = json_object_create();
    json_object_put_string(level, "level", rule->level);
    struct json *object = json_object_create();
    json_object_put_string(object, "id", rule->id);
    json_object_put_string(object, "name", rule->name);
    json_object_put(object, "shortDescription", text_object(rule->summary));
    json_object_put(object, "fullDescription", text_object(rule->summary));
    json_object_put(object, "help", text_object(rule->help));
    json_object_put(object, "defaultConfiguration", level);
    if (rule->score) {
        /* GitHub's scale, which makes it an alert of security. */
        struct json *properties = json_object_create();
        json_object_put_format(properties, "security-severity", "%d.%d",
                               rule->score / 10, rule->score % 10);
        json_object_put(properties, "tags", json_array_create_1(
            json_string_create("security")));
        json_object_put(object, "properties", properties);
    }
    return object;
}

/* GitHub finds a file by its path below the root of the repository, where a
 * CI runs.  What is above becomes an absolute URI. */
static char *
file_to_uri(const char *file)
{
    char here[PATH_MAX];
    struct ds uri = DS_EMPTY_INITIALIZER;
    size_t n = file[0] == '/' && getcwd(here, sizeof here) ? strlen(here) : 0;
    if (n && !strncmp(file, here, n) && file[n] == '/') {
        file += n + 1;
    } else if (file[0] == '/') {
        ds_put_cstr(&uri, "file://");
    }
    while (!strncmp(file, "./", 2)) {
        file += 2;
    }
    for (const char *p = file; *p; p++) {
        if (isascii((unsigned char) *p)
            && (isalnum((unsigned char) *p) || strchr("-._~/", *p))) {
            ds_put_char(&uri, *p);
        } else {
            ds_put_format(&uri, "%%%02X", (unsigned char) *p);
        }
    }
    return ds_steal_cstr(&uri);
}

static struct json *
location_object(const struct outcome *o)
{
    char *uri = file_to_uri(o->file);
    struct json *artifact = json_object_create();
    json_object_put(artifact, "uri", json_string_create_nocopy(uri));
    if (strncmp(uri, "file:", 5)) {
        json_object_put_string(artifact, "uriBaseId", "%SRCROOT%");
    }
    struct json *region = json_object_create();
    json_object_put(region, "startLine",
                    json_integer_create(o->line > 0 ? o->line : 1));
    struct json *physical = json_object_create();
    json_object_put(physical, "artifactLocation", artifact);
    json_object_put(physical, "region", region);
    struct json *location = json_object_create();
    json_object_put(location, "physicalLocation", physical);
    return location;
}

static struct json *
result_object(const struct outcomes *outcomes, const struct outcome *o)
{
    const struct outcome_rule *rule = o->rule ? o->rule
                                      : &rules[o->kind - OUTCOME_WARNING];
    size_t index = o->rule ? ARRAY_SIZE(rules) + (rule - outcomes->rules)
                           : rule - rules;
    struct json *object = json_object_create();
    json_object_put_string(object, "ruleId", rule->id);
    json_object_put(object, "ruleIndex", json_integer_create(index));
    json_object_put_string(object, "level", rule->level);
    if (o->score) {
        json_object_put(object, "rank", json_integer_create(o->score));
    }
    json_object_put(object, "message", text_object(o->message));
    json_object_put(object, "locations",
                    json_array_create_1(location_object(o)));
    return object;
}

/* GitHub keeps what is uploaded last under one id, so each command has its
 * own. */
static struct json *
automation_object(const struct outcomes *outcomes)
{
    struct json *object = json_object_create();
    json_object_put_format(object, "id", "sdfw/%s/", outcomes->command);
    return object;
}

static struct json *
tool_object(const struct outcomes *outcomes)
{
    struct json *list = json_array_create_empty();
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        json_array_add(list, rule_object(&rules[i]));
    }
    for (size_t i = 0; i < outcomes->n_rules; i++) {
        json_array_add(list, rule_object(&outcomes->rules[i]));
    }
    struct json *driver = json_object_create();
    json_object_put_string(driver, "name", "sdfw");
    json_object_put_string(driver, "version", SDFW_VERSION);
    json_object_put(driver, "rules", list);
    struct json *tool = json_object_create();
    json_object_put(tool, "driver", driver);
    return tool;
}

/* In place of the last result that a run may have. */
static struct json *
rest_object(const struct outcomes *outcomes, const struct outcome *first,
            size_t n)
{
    char *text = xasprintf("%zu more findings are not in this document; the "
                           "text of sdfw has all", n);
    struct outcome rest = *first;
    rest.message = text;
    struct json *object = result_object(outcomes, &rest);
    free(text);
    return object;
}

static struct json *
results_array(const struct outcomes *outcomes)
{
    struct json *results = json_array_create_empty();
    const struct outcome *last = NULL;
    size_t n = 0;
    for (size_t i = 0; i < outcomes->n; i++) {
        const struct outcome *o = &outcomes->all[i];
        if (o->kind == OUTCOME_PASS) {
            continue;
        }
        if (++n < MAX_RESULTS) {
            json_array_add(results, result_object(outcomes, o));
        } else if (n == MAX_RESULTS) {
            last = o;
        }
    }
    if (last) {
        json_array_add(results, n > MAX_RESULTS
                       ? rest_object(outcomes, last, n - MAX_RESULTS + 1)
                       : result_object(outcomes, last));
    }
    return results;
}

void
outcomes_print_sarif(const struct outcomes *outcomes, FILE *stream)
{
    struct json *run = json_object_create();
    json_object_put(run, "tool", tool_object(outcomes));
    json_object_put(run, "automationDetails", automation_object(outcomes));
    json_object_put(run, "results", results_array(outcomes));
    struct json *log = json_object_create();
    json_object_put_string(log, "$schema",
                           "https://json.schemastore.org/sarif-2.1.0.json");
    json_object_put_string(log, "version", "2.1.0");
    json_object_put(log, "runs", json_array_create_1(run));
    char *text = json_to_string(log, JSSF_PRETTY | JSSF_SORT);
    fprintf(stream, "%s\n", text);
    free(text);
    json_destroy(log);
}
