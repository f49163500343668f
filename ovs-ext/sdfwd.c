/* sdfwd: keeps bridges in step with the manifests.
 *
 * Puts the parts together: what happens (a bridge or the database is there, a
 * manifest was edited, SIGHUP) makes keeper.h read and push; what bridges tell
 * of deviations goes into the book, and from there to the sinks. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/ofp-port.h>
#include <openvswitch/vlog.h>

#include "arguments.h"
#include "configure.h"
#include "daemon.h"
#include "drift.h"
#include "enabled.h"
#include "fatal-signal.h"
#include "flow.h"
#include "hear.h"
#include "keeper-news.h"
#include "notify.h"
#include "privileges.h"
#include "sinks.h"
#include "smap.h"
#include "tell.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(sdfwd);

/* After the start, when bridges are as they should be. */
#define FIRST_STATEMENTS_MS 3000

static void apply_settings(struct daemon *, unsigned int effects);
static void begin_anew(struct daemon *);

static void
make_statements(void *d_)
{
    struct daemon *d = d_;
    keeper_attest(d->keeper);
    timer_set(d->attest_timer, 1000LL * settings_number(
                  &d->started_with, SETTING_ATTEST_INTERVAL));
}

static void
be_ready(struct daemon *d)
{
    if (!d->ready) {
        d->ready = true;
        notify_tell("READY=1");
    }
}

static void
idle(void *d_)
{
    struct daemon *d = d_;
    if (d->once) {
        loop_stop(d->loop);
    }
    be_ready(d);
    restore_wait_idle(d->restore_wait);
}

/* What happens outside. */

static void
bridge_up(uint64_t datapath_id, void *b_)
{
    struct bridge_state *b = b_;
    b->up = true;
    hear_anew(b);
    VLOG_INFO("%s: connected (datapath %016"PRIx64")",
              b->daemon->bridge_names.names[b->index], datapath_id);
    b->in_force = false;
    keeper_bridge_up(b->daemon->keeper, b->index, datapath_id);
    restore_wait_bridge_changed(b->daemon->restore_wait);
}

static void
bridge_down(const char *why, void *b_)
{
    struct bridge_state *b = b_;
    b->up = b->in_force = b->drift.watching = false;
    keeper_bridge_down(b->daemon->keeper, b->index);
    link_use_cancel(&b->use);
    restore_wait_bridge_changed(b->daemon->restore_wait);
    VLOG_WARN("%s: %s; waiting for it",
              b->daemon->bridge_names.names[b->index], why);
}

static void
bridge_new_port(const struct ofputil_phy_port *port, void *b_)
{
    struct bridge_state *b = b_;
    /* A longer name may be cut off. */
    if (strlen(port->name) < OFP_MAX_PORT_NAME_LEN - 1
        && ovsdb_watch_note_ofport(b->daemon->ovsdb_watch, port->name,
                                   ofp_to_u16(port->port_no))) {
        keeper_ports_changed(b->daemon->keeper, b->index);
    }
}

static void
database_changed(void *d_)
{
    struct daemon *d = d_;
    if (enabled_update(d, ovsdb_watch_rows(d->ovsdb_watch))) {
        begin_anew(d);
        return;
    }
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        keeper_ports_changed(d->keeper, i);
    }
}

/* ovs-vswitchd has said something: it is there. */
static void
config_changed(void *d_)
{
    struct daemon *d = d_;
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        openflow_hurry(d->bridges[i].openflow);
    }
    restore_wait_config_changed(d->restore_wait);
}

/* For restore-wait.h. */

static void
push_all(void *d_)
{
    struct daemon *d = d_;
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        d->bridges[i].in_force = false;
    }
    keeper_push_all(d->keeper);
}

/* A bridge that OVSDB does not have by name need not have it; of a connection
 * method, only the connection can tell. */
static bool
policy_in_force(void *d_)
{
    const struct daemon *d = d_;
    const struct ovsdb_rows *rows = ovsdb_watch_rows(d->ovsdb_watch);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct bridge_state *b = &d->bridges[i];
        const char *name = d->bridge_names.names[i];
        if (!b->in_force && (strchr(name, ':')
                             || ovsdb_rows_have_bridge(rows, name))) {
            return false;
        }
    }
    return d->topology != NULL;
}

static const struct ovsdb_rows *
get_rows(void *d_)
{
    const struct daemon *d = d_;
    return d->ovsdb_watch ? ovsdb_watch_rows(d->ovsdb_watch) : NULL;
}

static struct openflow *
get_openflow(size_t bridge, void *d_)
{
    const struct daemon *d = d_;
    return d->bridges[bridge].up ? d->bridges[bridge].openflow : NULL;
}

static void
database_down(const char *why, void *d_)
{
    struct daemon *d = d_;
    restore_wait_database_down(d->restore_wait);
    VLOG_WARN("OVSDB: %s; waiting for it", why);
}

static void
manifests_changed(void *d_)
{
    struct daemon *d = d_;
    keeper_reload(d->keeper);
}

static void
hang_up(void *d_)
{
    struct daemon *d = d_;
    if (!d->keeper) {
        return;                 /* It is about to read them anyway. */
    }
    VLOG_INFO("SIGHUP: reading the settings and the manifests");
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_reopen(d->sinks[i]);
    }
    /* What could not be opened is tried again. */
    apply_settings(d, configure_from_files(d) | 1u << EFFECT_SINKS);
    if (!d->again) {
        keeper_reload(d->keeper);
    }
}

static void
settings_changed(const struct smap *other_config, void *d_)
{
    struct daemon *d = d_;
    /* As ovs-vswitchd does, or a packet would not be what its flow says. */
    flow_limit_vlans(smap_get_int(other_config, "vlan-limit",
                                  LEGACY_MAX_VLAN_HEADERS));
    apply_settings(d, configure_from_ovsdb(d, other_config));
}

static void
terminate(void *d_)
{
    struct daemon *d = d_;
    VLOG_INFO("ending; what is installed stays in force");
    notify_tell("STOPPING=1");
    d->ending = true;
    restore_wait_let_go(d->restore_wait);
    loop_stop_soon(d->loop);
}

/* Start. */

static void
take_report_settings(struct daemon *d)
{
    int tuples = settings_number(&d->settings, SETTING_TUPLES);
    d->reports = (struct report_settings) {
        .limit = { tuples, tuples },
        .timeout_s = settings_number(&d->settings, SETTING_INTERVAL),
        .meter = REPORT_METER, .meter_rate = 1000, .meter_burst = 2000,
        .captures = settings_text(&d->settings, SETTING_CAPTURE) != NULL,
    };
    d->fold.alone = settings_number(&d->settings, SETTING_ALONE);
    d->repairs_drift = !strcmp(settings_text(&d->settings, SETTING_DRIFT),
                               "repair");
}

/* What the settings say of bridges and flows. */
static struct keeper_settings
take_settings(struct daemon *d)
{
    const struct settings *s = &d->settings;
    enabled_list(d, &d->bridge_names, &d->paths);
    d->db = nullable_xstrdup(settings_text(s, SETTING_DB));
    d->table_base = settings_number(s, SETTING_TABLE_BASE);
    d->waiting = !d->bridge_names.n;
    take_report_settings(d);
    /* Which outlive a SIGHUP. */
    d->attest.file = settings_text(&d->started_with, SETTING_ATTEST);
    d->attest.key = settings_text(&d->started_with, SETTING_ATTEST_KEY);
    return (struct keeper_settings) {
        .paths = (const char *const *) d->paths.names,
        .n_paths = d->paths.n,
        .bridges = (const char *const *) d->bridge_names.names,
        .n_bridges = d->bridge_names.n,
        .db = d->db,
        .timeout_ms = 10000,
        .adopt_seconds = settings_number(s, SETTING_ADOPT),
        .table_base = d->table_base,
        .repairs_drift = d->repairs_drift,
        .reports = &d->reports,
        .modes = &d->modes,
        .ssl = &d->ssl,
        .attest = d->attest.file ? &d->attest : NULL,
    };
}

/* Listens to all that can make a push necessary. */
static void
start_watching(struct daemon *d)
{
    static const struct openflow_callbacks openflow_callbacks = {
        bridge_up, bridge_down, hear, bridge_new_port,
    };
    static const struct ovsdb_watch_callbacks ovsdb_callbacks = {
        settings_changed, database_changed, config_changed, database_down,
    };
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        struct bridge_state *b = &d->bridges[i];
        fail_on(openflow_create(d->loop, d->bridge_names.names[i],
                                &openflow_callbacks, b, &b->openflow));
    }
    fail_on(ovsdb_watch_create(d->loop, d->db, &ovsdb_callbacks, d,
                               &d->ovsdb_watch));
    static const struct restore_wait_callbacks wait_callbacks = {
        push_all, policy_in_force,
    };
    int limit_s = settings_number(&d->settings, SETTING_RESTORE_WAIT);
    if (limit_s) {
        d->restore_wait = restore_wait_create(d->loop, d->ovsdb_watch,
                                              limit_s, &wait_callbacks, d);
    }
    d->topology_watch = topology_watch_create(
        d->loop, (const char *const *) d->paths.names, d->paths.n,
        manifests_changed, d);
}

/* Begins to keep the bridges that are set. */
static void
begin(struct daemon *d)
{
    static const struct keeper_callbacks keeper_callbacks = {
        keeper_loaded, keeper_verified, keeper_pushed, keeper_attested,
        idle, get_rows, get_openflow,
    };
    const struct keeper_settings keeper_settings = take_settings(d);
    d->again = false;
    d->bridges = xcalloc(d->bridge_names.n, sizeof *d->bridges);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        d->bridges[i] = (struct bridge_state) {
            .daemon = d, .index = i,
            .by_port = xcalloc(PORT_MAX, sizeof *d->bridges[i].by_port),
        };
        hear_create(&d->bridges[i]);
        respond_init(&d->bridges[i].respond);
        link_use_init(&d->bridges[i].use);
    }
    d->keeper = keeper_create(d->loop, &keeper_settings, &keeper_callbacks, d);
    if (!d->once) {
        start_watching(d);
    }
    if (d->attest.file && !d->once) {
        d->attest_timer = timer_create_in(d->loop, make_statements, d);
        timer_set(d->attest_timer, FIRST_STATEMENTS_MS);
    }
    if (d->waiting) {
        VLOG_WARN("waiting for bridges and topologies to be set, by flags, "
                  "a file or OVSDB (ovs-vsctl set bridge BRIDGE "
                  "other_config:sdfw-topology=PATH)");
        be_ready(d);
    } else {
        keeper_reload(d->keeper);
    }
}

/* Where settings have changed, bridges may have other places in their list. */
static void
renumber_bridges(struct daemon *d)
{
    struct svec names, paths;
    enabled_list(d, &names, &paths);
    uint8_t map[UINT8_MAX + 1];
    memset(map, UINT8_MAX, sizeof map);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        for (size_t j = 0; j < names.n; j++) {
            if (!strcmp(d->bridge_names.names[i], names.names[j])) {
                map[i] = j;
            }
        }
    }
    svec_destroy(&names);
    svec_destroy(&paths);
    book_renumber(&d->book, map);
    fold_renumber(&d->fold, map);
}

/* Undoes begin().  What is installed on bridges stays. */
static void
finish(struct daemon *d)
{
    if (d->again) {
        renumber_bridges(d);
    }
    timer_destroy(d->attest_timer);
    d->attest_timer = NULL;
    keeper_destroy(d->keeper);
    topology_watch_destroy(d->topology_watch);
    restore_wait_destroy(d->restore_wait);
    ovsdb_watch_destroy(d->ovsdb_watch);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        openflow_destroy(d->bridges[i].openflow);
        hear_destroy(&d->bridges[i]);
        link_use_destroy(&d->bridges[i].use);
        drift_forget(&d->bridges[i]);
        respond_destroy(&d->bridges[i].respond);
        keeper_news_forget_ports(&d->bridges[i]);
        free(d->bridges[i].by_port);
        free(d->bridges[i].error);
        free(d->bridges[i].attest_error);
    }
    free(d->bridges);
    free(d->broken);
    free(d->db);
    svec_destroy(&d->bridge_names);
    svec_destroy(&d->paths);
    d->keeper = NULL;
    d->topology_watch = NULL;
    d->restore_wait = NULL;
    d->topology = NULL;
    d->broken = NULL;
}

/* Does what changes of settings take: see enum setting_effect. */
static void
apply_settings(struct daemon *d, unsigned int effects)
{
    if (effects & 1u << EFFECT_SINKS) {
        char *error = sinks_update(d);
        if (error) {
            VLOG_ERR("%s", error);
            free(error);
        }
    }
    bool captures = settings_text(&d->settings, SETTING_CAPTURE);
    if (effects & 1u << EFFECT_PUSH || captures != d->reports.captures) {
        take_report_settings(d);
        keeper_set_reports(d->keeper, &d->reports,
                           settings_number(&d->settings, SETTING_ADOPT),
                           d->repairs_drift);
        keeper_push_all(d->keeper);
    }
    if (effects & 1u << EFFECT_CONNECT) {
        begin_anew(d);
    }
}

static void
begin_anew(struct daemon *d)
{
    VLOG_INFO("beginning anew, with other bridges, topologies or tables; what "
              "is installed stays in force");
    d->again = true;
    loop_stop(d->loop);
}

/* All but the bridges. */
static void
run(struct daemon *d)
{
    struct appctl *appctl = NULL;
    fail_on(configure_user(d));
    /* It must be able to read the files, too. */
    fail_on(tls_settings_check(&d->ssl));
    fail_on(tls_settings_check(&d->syslog_tls));
    if (!d->once) {
        fail_on(appctl_create(d->loop, "sdfwd", status_commands, d, &appctl));
        if (settings_text(&d->settings, SETTING_HTTP)) {
            fail_on(web_create(d, settings_text(&d->settings, SETTING_HTTP),
                               &d->web));
        }
    }
    book_init(&d->book, tell_deviation, d);
    d->book_timer = timer_create_in(d->loop, hear_quiet, d);
    fold_init(&d->fold, settings_number(&d->settings, SETTING_ALONE),
              tell_incident, d);
    d->fold_timer = timer_create_in(d->loop, tell_incidents_that_grow, d);
    fail_on(sinks_update(d));
    do {
        begin(d);
        loop_run(d->loop);
        finish(d);
        enabled_clear(d);
    } while (d->again && !d->ending);
    appctl_destroy(appctl);
    web_destroy(d->web);
    book_destroy(&d->book);
    timer_destroy(d->book_timer);
    fold_destroy(&d->fold);
    timer_destroy(d->fold_timer);
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_close(d->sinks[i]);
    }
    free(d->sinks);
}

int
main(int argc, char *argv[])
{
    struct daemon d = { .status = EXIT_SUCCESS };
    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    notify_init();
    privileges_keep_to_self();
    flow_limit_vlans(LEGACY_MAX_VLAN_HEADERS);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_WARN);
    static const char *const talkative[] = {
        "sdfwd", "configure", "deviations", "enabled", "http", "keeper",
        "privileges", "sinks",
    };
    for (size_t i = 0; i < ARRAY_SIZE(talkative); i++) {
        vlog_set_levels(vlog_module_from_name(talkative[i]), VLF_CONSOLE,
                        VLL_INFO);
    }
    vlog_set_levels(NULL, VLF_SYSLOG, VLL_OFF);
    /* What it says of addresses, an error of ours says. */
    vlog_set_levels(vlog_module_from_name("socket_util"), VLF_CONSOLE,
                    VLL_OFF);
    shash_init(&d.warnings);
    modes_init(&d.modes);
    settings_init(&d.settings);
    arguments_parse(argc, argv, &d);
    configure_started(&d);
    d.loop = loop_create();
    char *error = daemon_use_tls(&d);
    if (error && d.check_config) {
        svec_add_nocopy(&d.wrong[FROM_DEFAULT], error);
    } else {
        fail_on(error);
    }
    loop_on_signal(d.loop, SIGTERM, terminate, &d);
    loop_on_signal(d.loop, SIGINT, terminate, &d);
    if (!d.once) {
        loop_on_signal(d.loop, SIGHUP, hang_up, &d);
    }
    error = configure_ask_ovsdb(&d);
    if (d.check_config) {
        d.status = configure_check(&d, error) ? EXIT_SUCCESS : EXIT_MANIFEST;
    } else if (!d.ending) {
        arguments_check(&d);
        run(&d);
    }
    free(error);
    loop_destroy(d.loop);
    enabled_destroy(&d);
    configure_destroy(&d);
    shash_destroy(&d.warnings);
    modes_destroy(&d.modes);
    return d.once || d.check_config ? d.status : EXIT_SUCCESS;
}
