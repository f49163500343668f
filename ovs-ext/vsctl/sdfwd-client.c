/* Asks sdfwd: see sdfwd-client.h. */

#include "sdfwd-client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/shash.h>

#include "common.h"
#include "control.h"
#include "svec.h"
#include "util.h"

#define TIMEOUT_MS 3000

static char *
ask(const char *command, const char *argument, char **reply)
{
    if (!common_db_is_local()) {
        return xasprintf("%s is another host's; its sdfwd can be asked there "
                         "only", native_db());
    }
    return control_ask("sdfwd", TIMEOUT_MS, command, &argument,
                       argument ? 1 : 0, reply);
}

/* Calls 'cb' with each line. */
static void
for_each_line(char *text, void (*cb)(char *line, void *aux), void *aux)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        cb(line, aux);
    }
}

struct setting {
    const char *name;
    struct svec *values;
};

/* A line is "NAME VALUE SOURCE"; the value is "-" if there is none.  What rows
 * of Bridge say has a source in parentheses, and is known here, and newer. */
static void
take_setting(char *line, void *setting_)
{
    struct setting *setting = setting_;
    char *save = NULL;
    char *name = strtok_r(line, " ", &save);
    char *value = strtok_r(NULL, " ", &save);
    char *source = strtok_r(NULL, " ", &save);
    if (source && source[0] != '(' && !strcmp(name, setting->name)
        && strcmp(value, "-")) {
        svec_add(setting->values, value);
    }
}

char *
sdfwd_get_setting(const char *name, struct svec *values)
{
    char *reply;
    char *error = ask("sdfw/config", NULL, &reply);
    if (!error) {
        struct setting setting = { .name = name, .values = values };
        for_each_line(reply, take_setting, &setting);
        free(reply);
    }
    return error;
}

/* A line is "NAME MODE (REMARK)". */
static void
take_mode(char *line, void *modes_)
{
    struct shash *modes = modes_;
    char *save = NULL;
    bool by_hand = strstr(line, "(set by hand");
    char *name = strtok_r(line, " ", &save);
    char *mode = strtok_r(NULL, " ", &save);
    if (by_hand && mode) {
        shash_replace(modes, name, xstrdup(mode));
    }
}

char *
sdfwd_get_modes(struct shash *modes)
{
    char *reply;
    char *error = ask("sdfw/mode", NULL, &reply);
    if (!error) {
        for_each_line(reply, take_mode, modes);
        free(reply);
    }
    return error;
}

struct records {
    struct json **all;
    size_t n, allocated;
};

static void
take_record(char *line, void *records_)
{
    struct records *records = records_;
    struct json *json = json_from_string(line);
    if (json->type != JSON_OBJECT) {
        json_destroy(json);
        return;
    }
    if (records->n >= records->allocated) {
        records->all = x2nrealloc(records->all, &records->allocated,
                                  sizeof *records->all);
    }
    records->all[records->n++] = json;
}

char *
sdfwd_get_deviations(struct json ***all, size_t *n)
{
    struct records records = { .n = 0 };
    char *reply;
    char *error = ask("sdfw/deviations", "--json", &reply);
    if (!error) {
        for_each_line(reply, take_record, &records);
        free(reply);
    }
    *all = records.all;
    *n = records.n;
    return error;
}

void
sdfwd_free_deviations(struct json **records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_destroy(records[i]);
    }
    free(records);
}

char *
sdfwd_get_text(const struct json *json, const char *path)
{
    while (json && *path) {
        size_t n = strcspn(path, ".");
        char *name = xmemdup0(path, n);
        json = json->type == JSON_OBJECT
               ? shash_find_data(json_object(json), name) : NULL;
        free(name);
        path += n + (path[n] == '.');
    }
    return !json ? NULL
           : json->type == JSON_STRING ? xstrdup(json_string(json))
           : json->type == JSON_INTEGER ? xasprintf("%"PRId64,
                                                    json_integer(json))
           : NULL;
}

long long int
sdfwd_get_number(const struct json *record, const char *name)
{
    const struct json *json = shash_find_data(json_object(record), name);
    return json && json->type == JSON_INTEGER ? json_integer(json) : 0;
}
