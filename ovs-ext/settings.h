/* What sdfwd is told to do: by a file, by OVSDB and by flags.
 *
 * One table of settings (settings.c) makes the flags, the lines of the file,
 * the keys in OVSDB and the usage text, so each setting exists once.  A flag
 * is stronger than OVSDB, and OVSDB than the file. */

#ifndef SDFW_SETTINGS_H
#define SDFW_SETTINGS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <openvswitch/compiler.h>

#include "svec.h"

struct ds;
struct smap;

/* Where a value comes from, weakest first. */
enum setting_source {
    FROM_DEFAULT,
    FROM_FILE,
    FROM_OVSDB,
    FROM_FLAG,
    N_SOURCES,
};

/* In the order of the usage text. */
enum setting {
    SETTING_TOPOLOGY,
    SETTING_BRIDGE,
    SETTING_DB,
    SETTING_JSON,
    SETTING_SYSLOG,
    SETTING_PRIVATE_KEY,
    SETTING_CERTIFICATE,
    SETTING_CA_CERT,
    SETTING_SYSLOG_CA,
    SETTING_SYSLOG_NAME,
    SETTING_SYSLOG_PRIVATE_KEY,
    SETTING_SYSLOG_CERTIFICATE,
    SETTING_PCAP,
    SETTING_CAPTURE,
    SETTING_PCAP_SIZE,
    SETTING_HOOK,
    SETTING_HOOK_RATE,
    SETTING_HTTP,
    SETTING_INTERVAL,
    SETTING_TUPLES,
    SETTING_ALONE,
    SETTING_ADOPT,
    SETTING_DRIFT,
    SETTING_ATTEST,
    SETTING_ATTEST_KEY,
    SETTING_ATTEST_INTERVAL,
    SETTING_RESTORE_WAIT,
    SETTING_TABLE_BASE,
    SETTING_USER,
    N_SETTINGS,
};

/* What a change of a setting takes while sdfwd runs. */
enum setting_effect {
    EFFECT_PUSH,                /* A push. */
    EFFECT_SINKS,               /* Sinks are opened and closed. */
    EFFECT_CONNECT,             /* Bridges are connected to anew. */
    EFFECT_NEXT_START,          /* It has none before the next start. */
};

struct settings {
    struct svec values[N_SETTINGS][N_SOURCES];
};

void settings_init(struct settings *);
void settings_destroy(struct settings *);

/* Adds 'value', which is checked: on error, which the caller must free,
 * nothing changes.  Of a setting that is no list, a later value from the same
 * source replaces the earlier one; a list has each value once. */
char *settings_add(struct settings *, enum setting, enum setting_source,
                   const char *value) OVS_WARN_UNUSED_RESULT;

/* Makes what has come from 'source' that of 'from'. */
void settings_copy(struct settings *, const struct settings *from,
                   enum setting_source source);

/* The setting called 'name', or N_SETTINGS. */
enum setting setting_find(const char *name);
const char *setting_name(enum setting);
bool setting_is_list(enum setting);
enum setting_effect setting_effect(enum setting);
bool setting_may_be_in_ovsdb(enum setting);

/* Reads "NAME = VALUE" lines.  '#' begins a comment where it begins a line or
 * follows a blank.  Each error, with the file and the line, is added to
 * 'errors'; the other lines are taken all the same. */
void settings_read_file(struct settings *, const char *file,
                        struct svec *errors);

/* Makes what has come from OVSDB that of the keys "sdfw-NAME" in
 * 'other_config'; the values of a list are separated by blanks or commas.
 * What is wrong is left out, and told in 'errors'. */
void settings_read_ovsdb(struct settings *, const struct smap *other_config,
                         struct svec *errors);

/* The values of the strongest source that has one, until it is changed: SIGHUP
 * and OVSDB do so at any time.  A number is in the range that its setting
 * has. */
enum setting_source settings_source(const struct settings *, enum setting);
const struct svec *settings_list(const struct settings *, enum setting);
const char *settings_text(const struct settings *, enum setting);
int settings_number(const struct settings *, enum setting);

/* Are the values that count the same? */
bool settings_equal(const struct settings *, const struct settings *,
                    enum setting);

/* Appends a table: each setting, its values, and where they come from. */
void settings_format(const struct settings *, struct ds *);

/* The part of the usage text that tells of the settings. */
void settings_print_usage(FILE *);

/* Those that may be in OVSDB, by name. */
void settings_print_ovsdb(FILE *);

#endif /* settings.h */
