/* What sdfwd is told to do: see settings.h. */

#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "address.h"
#include "pipeline.h"
#include "util.h"

/* Of a list.  A bridge's index must fit into struct deviation_key. */
#define MAX_VALUES UINT8_MAX

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
        "for tls: the same (default: that of --ca-cert, or what\n"
        "this system trusts)" },
    [SETTING_SYSLOG_NAME] = { "syslog-name", "NAME", false, 0, 0, NULL,
        "for tls: whom the receiver's certificate must be for\n"
        "(default: its address)" },
    [SETTING_SYSLOG_PRIVATE_KEY] = { "syslog-private-key", "FILE", false, 0, 0,
        NULL,
        "for tls: our private key, if the receiver wants to\n"
        "know us (default: that of --private-key)" },
    [SETTING_SYSLOG_CERTIFICATE] = { "syslog-certificate", "FILE", false, 0, 0,
        NULL,
        "for tls: our certificate (default: that of\n"
        "--certificate)" },
    [SETTING_PCAP] = { "pcap", "DIRECTORY", true, 0, 0, NULL,
        "keep the first packets of each deviation there, as\n"
        "pcapng files" },
    [SETTING_CAPTURE] = { "capture", "DIRECTORY", true, 0, 0, NULL,
        "keep all packets of workloads that are captured there,\n"
        "as pcapng files" },
    [SETTING_PCAP_SIZE] = { "pcap-size", "MIB", false, 1, 1048576, "64",
        "how much either may take; the oldest go" },
    [SETTING_HOOK] = { "hook", "PROGRAM", true, 0, 0, NULL,
        "run PROGRAM EVENT REASON SOURCE DESTINATION for each\n"
        "new deviation, with its JSON as input" },
    [SETTING_HOOK_RATE] = { "hook-rate", "N", false, 1, 6000, "60",
        "how often a hook may be run, per minute" },
    [SETTING_HTTP] = { "http", "[ADDRESS:]PORT", false, 0, 0, NULL,
        "let browsers and Prometheus look in (without ADDRESS:\n"
        "from this host only)" },
    [SETTING_INTERVAL] = { "interval", "SECONDS", false, 1, 3600, "30",
        "how often counts of what goes on are told, and how long\n"
        "a deviation must be quiet to be over" },
    [SETTING_TUPLES] = { "tuples", "N", false, 1, 100000, "512",
        "how many deviations of a workload are told one by one\n"
        "at a time; more are folded by hosts" },
    [SETTING_ALONE] = { "alone", "N", false, 1, 100000, "5",
        "how many deviations of a source people are told one by\n"
        "one; more are one incident" },
    [SETTING_ADOPT] = { "adopt", "SECONDS", false, 0, UINT16_MAX, "300",
        "at the first push, admit running connections for so\n"
        "long; 0: not" },
    [SETTING_DRIFT] = { "drift", "repair|report", false, 0, 0, "repair",
        "what to do if others change our flows: undo it and\n"
        "tell, or only tell" },
    [SETTING_ATTEST] = { "attest", "FILE", false, 0, 0, NULL,
        "append statements whether each workload conforms" },
    [SETTING_ATTEST_KEY] = { "attest-key", "FILE", false, 0, 0, NULL,
        "sign them by this private key of Ed25519 (PEM)" },
    [SETTING_ATTEST_INTERVAL] = { "attest-interval", "SECONDS", false, 1,
        86400, "3600", "how often" },
    [SETTING_RESTORE_WAIT] = { "restore-wait", "SECONDS", false, 0, 3600, "0",
        "when ovs-vswitchd starts, let it forward nothing before\n"
        "the policy is on its bridges, for so long at most;\n"
        "0: do not hold it" },
    [SETTING_TABLE_BASE] = { "table-base", "N", false, 1, MAX_TABLE_BASE,
        OVS_STRINGIZE(DEFAULT_TABLE_BASE),
        "first of our tables on the bridge" },
    [SETTING_USER] = { "user", "USER[:GROUP]", false, 0, 0, NULL,
        "run as USER; of root's capabilities, none is kept but\n"
        "CAP_DAC_OVERRIDE, and that only if USER may not open\n"
        "Open vSwitch's sockets" },
};

/* Who may write to the database need not be root on this host: which files are
 * written, which programs run, and as whom, is not for him to say.  A setting
 * that is not named here is not his. */
bool
setting_may_be_in_ovsdb(enum setting setting)
{
    switch ((int) setting) {
    case SETTING_TOPOLOGY:
    case SETTING_BRIDGE:
    case SETTING_SYSLOG:
    case SETTING_INTERVAL:
    case SETTING_TUPLES:
    case SETTING_ALONE:
    case SETTING_ADOPT:
    case SETTING_DRIFT:
    case SETTING_TABLE_BASE:
        return true;
    default:
        return false;
    }
}

/* A setting that is not named here can be changed by a new start only. */
enum setting_effect
setting_effect(enum setting setting)
{
    switch ((int) setting) {
    case SETTING_INTERVAL:
    case SETTING_TUPLES:
    case SETTING_ALONE:
    case SETTING_ADOPT:
    case SETTING_DRIFT:
        return EFFECT_PUSH;
    case SETTING_JSON:
    case SETTING_SYSLOG:
    case SETTING_PCAP:
    case SETTING_CAPTURE:
    case SETTING_PCAP_SIZE:
    case SETTING_HOOK:
    case SETTING_HOOK_RATE:
        return EFFECT_SINKS;
    case SETTING_TOPOLOGY:
    case SETTING_BRIDGE:
    case SETTING_DB:
    case SETTING_TABLE_BASE:
        return EFFECT_CONNECT;
    default:
        return EFFECT_NEXT_START;
    }
}

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
settings_copy(struct settings *settings, const struct settings *from,
              enum setting_source source)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        struct svec *values = &settings->values[i][source];
        svec_destroy(values);
        svec_clone(values, &from->values[i][source]);
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

bool
setting_is_list(enum setting setting)
{
    return classes[setting].list;
}

/* Is 'value' the name of a bridge, if that 'may_be_name', or a connection
 * method? */
static bool
is_target(const char *value, bool may_be_name)
{
    return !strchr(value, ':') ? may_be_name
           : !strncmp(value, "unix:", 5) || !strncmp(value, "tcp:", 4)
             || !strncmp(value, "ssl:", 4);
}

/* Returns what is wrong, or NULL.  Which addresses there are to listen on,
 * only a try can tell. */
static char *
check_listener(const struct setting_class *class, const char *value)
{
    struct sockaddr_storage ss;
    char *why = address_parse_listener(value, &ss);
    char *error = why ? xasprintf("%s wants %s, not \"%s\"; %s", class->name,
                                  class->placeholder, value, why) : NULL;
    free(why);
    return error;
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
    } else if (((setting == SETTING_BRIDGE || setting == SETTING_DB)
                && !is_target(value, setting == SETTING_BRIDGE))
               || (setting == SETTING_DRIFT && strcmp(value, "repair")
                   && strcmp(value, "report"))) {
        return xasprintf("%s wants %s, not \"%s\"", class->name,
                         class->placeholder, value);
    }
    char *error = setting == SETTING_HTTP ? check_listener(class, value)
                  : NULL;
    if (error) {
        return error;
    } else if (class->list && svec_contains_unsorted(values, value)) {
        return NULL;            /* Once is enough: nothing is told twice. */
    } else if (class->list && values->n >= MAX_VALUES) {
        return xasprintf("%s takes at most %d values", class->name,
                         MAX_VALUES);
    } else if (!class->list) {
        svec_clear(values);
    }
    svec_add(values, value);
    return NULL;
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

bool
settings_equal(const struct settings *a, const struct settings *b,
               enum setting setting)
{
    return svec_equal(settings_list(a, setting), settings_list(b, setting));
}

void
settings_format(const struct settings *settings, struct ds *s)
{
    static const char *const sources[] = { "default", "file", "OVSDB",
                                           "flag" };
    int name_width = strlen("setting"), value_width = strlen("value");
    for (int i = 0; i < N_SETTINGS; i++) {
        const struct svec *values = settings_list(settings, i);
        name_width = MAX(name_width, strlen(classes[i].name));
        for (size_t j = 0; j < values->n; j++) {
            value_width = MAX(value_width, strlen(values->names[j]));
        }
    }
    ds_put_format(s, "%-*s  %-*s  from\n", name_width, "setting", value_width,
                  "value");
    for (int i = 0; i < N_SETTINGS; i++) {
        const struct svec *values = settings_list(settings, i);
        const char *source = sources[settings_source(settings, i)];
        for (size_t j = 0; j < MAX(values->n, 1); j++) {
            ds_put_format(s, "%-*s  %-*s  %s\n", name_width, classes[i].name,
                          value_width, values->n ? values->names[j] : "-",
                          source);
        }
    }
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

void
settings_print_ovsdb(FILE *stream)
{
    const char *separator = "  ";
    for (int i = 0; i < N_SETTINGS; i++) {
        if (setting_may_be_in_ovsdb(i)) {
            fprintf(stream, "%s%s", separator, classes[i].name);
            separator = ", ";
        }
    }
    putc('\n', stream);
}
