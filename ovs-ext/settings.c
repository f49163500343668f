/* What sdfwd is told to do: see settings.h. */

#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "pipeline.h"
#include "util.h"

struct setting_class {
    const char *name;
    const char *placeholder;    /* Of its value, in the usage text. */
    bool list;                  /* Takes several values. */
    int min, max;               /* A number if 'max' is not 0. */
    const char *fallback;       /* NULL: there is none. */
    const char *help;           /* Lines. */
};

static const struct setting_class classes[N_SETTINGS] = {
    [SETTING_TOPOLOGY] = { "topology", "PATH", true, 0, 0, NULL,
        "a manifest file or a directory of manifests; the same\n"
        "as an argument" },
    [SETTING_BRIDGE] = { "bridge", "BRIDGE", true, 0, 0, NULL,
        "a bridge of this host, unix:FILE, tcp:ADDRESS:PORT or\n"
        "ssl:ADDRESS:PORT; at least one" },
    [SETTING_DB] = { "db", "REMOTE", false, 0, 0, NULL,
        "OVSDB of the bridges' host (default:\n"
        "unix:RUNDIR/db.sock)" },
    [SETTING_JSON] = { "json", "FILE", true, 0, 0, NULL,
        "append each deviation as a line of JSON; SIGHUP opens\n"
        "FILE again" },
    [SETTING_SYSLOG] = { "syslog", "TARGET", true, 0, 0, NULL,
        "tell each deviation to unix:SOCKET (such as\n"
        "unix:/dev/log), udp:ADDRESS[:PORT], tcp:ADDRESS[:PORT]\n"
        "or tls:ADDRESS[:PORT] (RFC 5424 with structured data)" },
    [SETTING_PRIVATE_KEY] = { "private-key", "FILE", false, 0, 0, NULL,
        "for ssl: our private key (PEM)" },
    [SETTING_CERTIFICATE] = { "certificate", "FILE", false, 0, 0, NULL,
        "for ssl: our certificate (PEM)" },
    [SETTING_CA_CERT] = { "ca-cert", "FILE", false, 0, 0, NULL,
        "for ssl: the certificate of the CA that signed the\n"
        "other side's (PEM)" },
    [SETTING_SYSLOG_CA] = { "syslog-ca", "FILE", false, 0, 0, NULL,
        "for tls: the same (default: that of --ca-cert, or those\n"
        "that this system trusts)" },
    [SETTING_SYSLOG_NAME] = { "syslog-name", "NAME", false, 0, 0, NULL,
        "for tls: whom the receiver's certificate must be for\n"
        "(default: its address)" },
    [SETTING_SYSLOG_PRIVATE_KEY] = { "syslog-private-key", "FILE", false, 0, 0,
        NULL,
        "for tls: our private key, if the receiver wants to know\n"
        "us (default: that of --private-key)" },
    [SETTING_SYSLOG_CERTIFICATE] = { "syslog-certificate", "FILE", false, 0, 0,
        NULL,
        "for tls: our certificate (default: that of\n"
        "--certificate)" },
    [SETTING_INTERVAL] = { "interval", "SECONDS", false, 1, 3600, "30",
        "how often counts of deviations that go on are told" },
    [SETTING_TUPLES] = { "tuples", "N", false, 1, 100000, "4096",
        "how many deviations are told one by one at a time; more\n"
        "are folded by hosts" },
    [SETTING_ADOPT] = { "adopt", "SECONDS", false, 0, UINT16_MAX, "300",
        "at the first push, admit running connections for so\n"
        "long; 0: not" },
    [SETTING_TABLE_BASE] = { "table-base", "N", false, 1, MAX_TABLE_BASE,
        OVS_STRINGIZE(DEFAULT_TABLE_BASE),
        "first of our tables on the bridge" },
};

void
settings_init(struct settings *settings)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        for (int source = 0; source < N_SOURCES; source++) {
            svec_init(&settings->values[i][source]);
        }
        if (classes[i].fallback) {
            svec_add(&settings->values[i][FROM_DEFAULT], classes[i].fallback);
        }
    }
}

void
settings_destroy(struct settings *settings)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        for (int source = 0; source < N_SOURCES; source++) {
            svec_destroy(&settings->values[i][source]);
        }
    }
}

void
settings_clear(struct settings *settings, enum setting_source source)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        svec_clear(&settings->values[i][source]);
    }
}

enum setting
setting_find(const char *name)
{
    enum setting i = 0;
    while (i < N_SETTINGS && strcmp(classes[i].name, name)) {
        i++;
    }
    return i;
}

const char *
setting_name(enum setting setting)
{
    return classes[setting].name;
}

char *
settings_add(struct settings *settings, enum setting setting,
             enum setting_source source, const char *value)
{
    const struct setting_class *class = &classes[setting];
    struct svec *values = &settings->values[setting][source];
    int number;
    if (class->max && (!str_to_int(value, 10, &number) || number < class->min
                       || number > class->max)) {
        return xasprintf("%s wants a number from %d to %d, not \"%s\"",
                         class->name, class->min, class->max, value);
    } else if (!value[0]) {
        return xasprintf("%s wants a value", class->name);
    }
    if (!class->list) {
        svec_clear(values);
    }
    svec_add(values, value);
    return NULL;
}

static char *
read_line(struct settings *settings, char *line)
{
    line[strcspn(line, "#\n")] = '\0';
    char *name = line + strspn(line, " \t");
    if (!name[0]) {
        return NULL;
    }
    size_t n = strcspn(name, " \t=");
    char *value = name + n + strspn(name + n, " \t");
    if (*value != '=') {
        return xstrdup("a line is NAME = VALUE");
    }
    value++;
    value += strspn(value, " \t");
    for (size_t i = strlen(value); i && strchr(" \t\r", value[i - 1]); i--) {
        value[i - 1] = '\0';
    }
    name[n] = '\0';
    enum setting setting = setting_find(name);
    return setting == N_SETTINGS
           ? xasprintf("there is no setting \"%s\"; \"sdfwd --help\" shows "
                       "those that there are", name)
           : settings_add(settings, setting, FROM_FILE, value);
}

char *
settings_read_file(struct settings *settings, const char *file)
{
    FILE *stream = fopen(file, "r");
    if (!stream) {
        return xasprintf("cannot read %s: %s", file, ovs_strerror(errno));
    }
    struct ds line = DS_EMPTY_INITIALIZER;
    char *error = NULL;
    for (int number = 1; !error && !ds_get_line(&line, stream); number++) {
        char *wrong = read_line(settings, ds_cstr(&line));
        if (wrong) {
            error = xasprintf("%s:%d: %s", file, number, wrong);
            free(wrong);
        }
    }
    ds_destroy(&line);
    fclose(stream);
    return error;
}

enum setting_source
settings_source(const struct settings *settings, enum setting setting)
{
    for (int source = N_SOURCES - 1; source > FROM_DEFAULT; source--) {
        if (settings->values[setting][source].n) {
            return source;
        }
    }
    return FROM_DEFAULT;
}

const struct svec *
settings_list(const struct settings *settings, enum setting setting)
{
    return &settings->values[setting][settings_source(settings, setting)];
}

const char *
settings_text(const struct settings *settings, enum setting setting)
{
    const struct svec *values = settings_list(settings, setting);
    return values->n ? values->names[values->n - 1] : NULL;
}

int
settings_number(const struct settings *settings, enum setting setting)
{
    int number = 0;
    str_to_int(settings_text(settings, setting), 10, &number);
    return number;
}

#define USAGE_COLUMN 25

void
settings_print_usage(FILE *stream)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        const struct setting_class *class = &classes[i];
        int width = fprintf(stream, "  --%s=%s", class->name,
                            class->placeholder);
        for (const char *line = class->help; line; ) {
            int n = strcspn(line, "\n");
            fprintf(stream, "%*s%.*s", MAX(USAGE_COLUMN - width, 2), "", n,
                    line);
            line = line[n] ? line + n + 1 : NULL;
            if (line) {
                putc('\n', stream);
                width = 0;
            }
        }
        if (class->fallback) {
            fprintf(stream, " (%s)", class->fallback);
        }
        putc('\n', stream);
    }
}
