/* Settings from a file and from OVSDB: see settings.h. */

#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "smap.h"
#include "util.h"

#define KEY_PREFIX "sdfw-"

/* A file. */

/* Ends 'line' before a comment and before the blanks in front of it. */
static void
cut_line(char *line)
{
    size_t n = strcspn(line, "\n");
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '#' && (!i || strchr(" \t", line[i - 1]))) {
            n = i;
        }
    }
    while (n && strchr(" \t\r", line[n - 1])) {
        n--;
    }
    line[n] = '\0';
}

static char *
read_line(struct settings *settings, char *line)
{
    cut_line(line);
    char *name = line + strspn(line, " \t");
    if (!name[0]) {
        return NULL;
    }
    size_t n = strcspn(name, " \t=");
    char *value = name + n + strspn(name + n, " \t");
    if (!n || *value != '=') {
        return xstrdup("a line is NAME = VALUE");
    }
    value++;
    value += strspn(value, " \t");
    name[n] = '\0';
    enum setting setting = setting_find(name);
    return setting == N_SETTINGS
           ? xasprintf("there is no setting \"%s\"; \"sdfwd --help\" shows "
                       "those that there are", name)
           : settings_add(settings, setting, FROM_FILE, value);
}

void
settings_read_file(struct settings *settings, const char *file,
                   struct svec *errors)
{
    FILE *stream = fopen(file, "r");
    struct ds line = DS_EMPTY_INITIALIZER;
    errno = stream ? 0 : errno;
    for (int number = 1; stream && !ds_get_line(&line, stream); number++) {
        char *wrong = strlen(ds_cstr(&line)) < line.length
                      ? xstrdup("a NUL byte is in it; settings are text")
                      : read_line(settings, ds_cstr(&line));
        if (wrong) {
            svec_add_nocopy(errors, xasprintf("%s:%d: %s", file, number,
                                              wrong));
            free(wrong);
        }
    }
    if (!stream || ferror(stream)) {
        svec_add_nocopy(errors, xasprintf("cannot read %s: %s", file,
                                          ovs_strerror(errno)));
    }
    ds_destroy(&line);
    if (stream) {
        fclose(stream);
    }
}

/* OVSDB. */

static char *
take_values(struct settings *settings, const char *name, const char *text)
{
    enum setting setting = setting_find(name);
    if (setting == N_SETTINGS) {
        return xasprintf("there is no setting \"%s\"", name);
    } else if (!setting_may_be_in_ovsdb(setting)) {
        return xasprintf("%s cannot be set in OVSDB, only by the file or a "
                         "flag", name);
    } else if (!setting_is_list(setting)) {
        return settings_add(settings, setting, FROM_OVSDB, text);
    }
    char *copy = xstrdup(text), *save = NULL, *error = NULL;
    for (char *value = strtok_r(copy, " ,\t\n", &save); value && !error;
         value = strtok_r(NULL, " ,\t\n", &save)) {
        error = settings_add(settings, setting, FROM_OVSDB, value);
    }
    free(copy);
    if (error) {
        /* Not the half of it. */
        svec_clear(&settings->values[setting][FROM_OVSDB]);
    }
    return error;
}

void
settings_read_ovsdb(struct settings *settings, const struct smap *other_config,
                    struct svec *errors)
{
    const struct smap_node **nodes = smap_sort(other_config);
    for (int i = 0; i < N_SETTINGS; i++) {
        svec_clear(&settings->values[i][FROM_OVSDB]);
    }
    for (size_t i = 0; i < smap_count(other_config); i++) {
        const char *key = nodes[i]->key;
        if (strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX))) {
            continue;
        }
        char *wrong = take_values(settings, key + strlen(KEY_PREFIX),
                                  nodes[i]->value);
        if (wrong) {
            svec_add_nocopy(errors, xasprintf("OVSDB, other_config:%s: %s",
                                              key, wrong));
            free(wrong);
        }
    }
    free(nodes);
}
