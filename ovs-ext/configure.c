/* Settings while sdfwd runs: see configure.h. */

#include "configure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "check.h"
#include "daemon.h"
#include "dirs.h"
#include "enabled.h"
#include "manifest.h"
#include "privileges.h"
#include "sinks.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(configure);

/* How long OVSDB may take to tell its settings before the start goes on. */
#define ASK_MS 2000

static void
clone_settings(struct settings *to, const struct settings *from)
{
    settings_init(to);
    for (int source = 0; source < N_SOURCES; source++) {
        settings_copy(to, from, source);
    }
}

/* At the start, all is new, and --check-config prints it. */
static bool
is_running(const struct daemon *d)
{
    return d->loop && !d->check_config;
}

/* Logs what is new in 'wrong', and makes it what is wrong with 'source'. */
static void
take_errors(struct daemon *d, enum setting_source source, struct svec *wrong)
{
    struct svec *known = &d->wrong[source];
    svec_sort(wrong);
    for (size_t i = 0; is_running(d) && i < wrong->n; i++) {
        if (!svec_contains(known, wrong->names[i])) {
            VLOG_ERR("%s", wrong->names[i]);
        }
    }
    svec_swap(known, wrong);
    svec_destroy(wrong);
}

/* Says what has changed since 'before', which is freed. */
static unsigned int
tell_changes(const struct daemon *d, struct settings *before)
{
    unsigned int effects = 0;
    for (int i = 0; i < N_SETTINGS; i++) {
        if (!settings_equal(before, &d->settings, i)) {
            effects |= 1u << setting_effect(i);
            if (!is_running(d)) {
                continue;
            }
            bool waits = setting_effect(i) == EFFECT_NEXT_START;
            char *values = svec_join(settings_list(&d->settings, i), " ", "");
            VLOG_INFO("setting %s: %s%s", setting_name(i),
                      values[0] ? values : "none",
                      waits ? "; takes effect at the next start" : "");
            free(values);
        }
    }
    settings_destroy(before);
    return effects;
}

/* Returns what is wrong with a target, or NULL. */
static char *
check_target(const struct daemon *d, enum setting setting, const char *target)
{
    if (setting == SETTING_BRIDGE || setting == SETTING_DB) {
        return strchr(target, ':') ? connection_check(d->loop, target) : NULL;
    }
    return sinks_check(setting, target);
}

/* A target that nothing can be connected to is a wrong value as well; 'where'
 * says where it stands.  Before there is a loop, the start finds it.  (Whether
 * a file can be written may change.) */
static void
check_targets(const struct daemon *d, struct settings *settings,
              enum setting_source source, const char *where,
              struct svec *wrong)
{
    static const enum setting checked[] = { SETTING_BRIDGE, SETTING_DB,
                                            SETTING_SYSLOG };
    for (size_t i = 0; d->loop && i < ARRAY_SIZE(checked); i++) {
        struct svec *values = &settings->values[checked[i]][source];
        char *error = NULL;
        for (size_t j = 0; !error && j < values->n; j++) {
            error = check_target(d, checked[i], values->names[j]);
        }
        if (error) {
            svec_add_nocopy(wrong, xasprintf("%s%s: %s", where,
                                             setting_name(checked[i]),
                                             error));
            svec_clear(values);
            free(error);
        }
    }
}

unsigned int
configure_from_files(struct daemon *d)
{
    struct svec wrong = SVEC_EMPTY_INITIALIZER;
    struct settings fresh, before;
    settings_init(&fresh);
    clone_settings(&before, &d->settings);
    for (size_t i = 0; i < d->config_files.n; i++) {
        settings_read_file(&fresh, d->config_files.names[i], &wrong);
    }
    check_targets(d, &fresh, FROM_FILE, "file of --config, ", &wrong);
    if (!wrong.n) {
        settings_copy(&d->settings, &fresh, FROM_FILE);
    }
    settings_destroy(&fresh);
    take_errors(d, FROM_FILE, &wrong);
    return tell_changes(d, &before);
}

unsigned int
configure_from_ovsdb(struct daemon *d, const struct smap *other_config)
{
    struct svec wrong = SVEC_EMPTY_INITIALIZER;
    struct settings before;
    clone_settings(&before, &d->settings);
    settings_read_ovsdb(&d->settings, other_config, &wrong);
    check_targets(d, &d->settings, FROM_OVSDB, "OVSDB, other_config:sdfw-",
                  &wrong);
    take_errors(d, FROM_OVSDB, &wrong);
    return tell_changes(d, &before);
}

struct asked {
    struct daemon *daemon;
    struct ovsdb_watch *watch;
    char *error;
};

static void
ask_settings(const struct smap *other_config, void *asked_)
{
    struct asked *asked = asked_;
    configure_from_ovsdb(asked->daemon, other_config);
}

static void
ask_answered(void *asked_)
{
    struct asked *asked = asked_;
    free(asked->error);
    asked->error = NULL;
    enabled_update(asked->daemon, ovsdb_watch_rows(asked->watch));
    loop_stop(asked->daemon->loop);
}

static void
ask_failed(const char *why, void *asked_)
{
    struct asked *asked = asked_;
    free(asked->error);
    asked->error = xstrdup(why);
    loop_stop(asked->daemon->loop);
}

static void
ask_timed_out(void *asked_)
{
    ask_failed("no answer", asked_);
}

char *
configure_ask_ovsdb(struct daemon *d)
{
    static const struct ovsdb_watch_callbacks callbacks = {
        .settings = ask_settings, .changed = ask_answered, .down = ask_failed,
    };
    struct asked asked = { .daemon = d };
    struct timer *timer = timer_create_in(d->loop, ask_timed_out, &asked);
    char *error = ovsdb_watch_create(
        d->loop, settings_text(&d->settings, SETTING_DB), &callbacks, &asked,
        &asked.watch);
    if (!error) {
        timer_set(timer, ASK_MS);
        loop_run(d->loop);
        error = asked.error;
    }
    ovsdb_watch_destroy(asked.watch);
    timer_destroy(timer);
    settings_copy(&d->started_with, &d->settings, FROM_OVSDB);
    return error;
}

char *
configure_user(const struct daemon *d)
{
    const char *user = settings_text(&d->settings, SETTING_USER);
    const char *db = settings_text(&d->settings, SETTING_DB);
    const struct svec *bridges = settings_list(&d->settings, SETTING_BRIDGE);
    struct svec files = SVEC_EMPTY_INITIALIZER;
    svec_add(&files, ovs_rundir());
    if (!db) {
        svec_add_nocopy(&files, xasprintf("%s/db.sock", ovs_rundir()));
    } else if (!strncmp(db, "unix:", 5)) {
        svec_add(&files, db + 5);
    }
    for (size_t i = 0; i < bridges->n; i++) {
        const char *name = bridges->names[i];
        if (!strncmp(name, "unix:", 5)) {
            svec_add(&files, name + 5);
        } else if (!strchr(name, ':')) {
            svec_add_nocopy(&files, xasprintf("%s/%s.mgmt", ovs_rundir(),
                                                name));
        }
    }
    char *error = user ? privileges_drop(user, &files) : NULL;
    svec_destroy(&files);
    return error;
}

void
configure_started(struct daemon *d)
{
    clone_settings(&d->started_with, &d->settings);
}

void
configure_put_problems(const struct daemon *d, struct ds *s)
{
    for (int source = 0; source < N_SOURCES; source++) {
        const struct svec *wrong = &d->wrong[source];
        for (size_t i = 0; i < wrong->n; i++) {
            ds_put_format(s, "SETTING IS WRONG, and not taken: %s\n",
                          wrong->names[i]);
        }
    }
    if (d->wrong[FROM_FILE].n) {
        ds_put_cstr(s, "  what the file said before holds\n");
    }
    for (size_t i = 0; i < d->unopened.n; i++) {
        ds_put_format(s, "NOT OPENED: %s\n", d->unopened.names[i]);
    }
    for (int i = 0; i < N_SETTINGS; i++) {
        if (setting_effect(i) == EFFECT_NEXT_START
            && !settings_equal(&d->started_with, &d->settings, i)) {
            ds_put_format(s, "setting %s has changed; it takes effect at the "
                          "next start\n", setting_name(i));
        }
    }
}

/* Returns whether the targets that count are right, and says what is not. */
static bool
check_all_targets(const struct daemon *d)
{
    bool right = true;
    for (int i = 0; i < N_SETTINGS; i++) {
        const struct svec *values = settings_list(&d->settings, i);
        for (size_t j = 0; j < values->n; j++) {
            char *error = check_target(d, i, values->names[j]);
            /* What TLS needs was told already. */
            if (error && !svec_contains_unsorted(&d->wrong[FROM_DEFAULT],
                                                 error)) {
                fprintf(stderr, "%s\n", error);
                right = false;
            }
            free(error);
        }
    }
    return right;
}

/* Returns whether the manifests are right, and says what is not. */
static bool
check_manifests(const struct daemon *d)
{
    struct svec bridges, paths;
    enabled_list(d, &bridges, &paths);
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(
        (const char *const *) paths.names, paths.n, &report);
    if (topology) {
        check_topology(topology, time(NULL), &report);
    }
    topology_destroy(topology);
    report_print(&report, stderr);
    bool right = !report.n_errors;
    report_destroy(&report);
    svec_destroy(&bridges);
    svec_destroy(&paths);
    return right;
}

bool
configure_check(struct daemon *d, const char *ovsdb_error)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    settings_format(&d->settings, &s);
    enabled_format(d, &s);
    fputs(ds_cstr(&s), stdout);
    fflush(stdout);
    ds_destroy(&s);
    bool right = true;
    for (int source = 0; source < N_SOURCES; source++) {
        for (size_t i = 0; i < d->wrong[source].n; i++) {
            fprintf(stderr, "%s\n", d->wrong[source].names[i]);
            right = false;
        }
    }
    if (ovsdb_error) {
        fprintf(stderr, "OVSDB did not tell its settings: %s\n", ovsdb_error);
    }
    static const enum setting needed[] = { SETTING_BRIDGE, SETTING_TOPOLOGY };
    for (size_t i = 0; !d->enabled.n && i < ARRAY_SIZE(needed); i++) {
        if (!settings_text(&d->settings, needed[i])) {
            fprintf(stderr, "no %s is set; sdfwd would wait for OVSDB to name "
                    "one\n", setting_name(needed[i]));
        }
    }
    const char *user = settings_text(&d->settings, SETTING_USER);
    char *error = user ? privileges_check_user(user) : NULL;
    if (error) {
        fprintf(stderr, "%s\n", error);
        free(error);
        right = false;
    }
    right &= check_all_targets(d);
    return check_manifests(d) && right;
}

void
configure_destroy(struct daemon *d)
{
    svec_destroy(&d->config_files);
    svec_destroy(&d->unopened);
    for (int source = 0; source < N_SOURCES; source++) {
        svec_destroy(&d->wrong[source]);
    }
    settings_destroy(&d->settings);
    settings_destroy(&d->started_with);
}
