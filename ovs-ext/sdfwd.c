/* sdfwd: keeps bridges in step with the manifests.
 *
 * Puts the parts together: what happens (a bridge or the database is there, a
 * manifest was edited, SIGHUP) makes keeper.h read and push; what bridges tell
 * of deviations goes into the book, and from there to the sinks. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <openvswitch/json.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/vlog.h>

#include "daemon.h"
#include "explain.h"
#include "fatal-signal.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(sdfwd);

enum { EXIT_USAGE = 64, EXIT_MANIFEST = 1, EXIT_BRIDGE = 3 };

/* What the keeper tells. */

static void
log_report(const struct report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        const struct finding *f = &report->findings[i];
        VLOG(f->severity == SEVERITY_ERROR ? VLL_ERR : VLL_WARN, "%s:%d: %s",
             f->file ? f->file : "?", f->line, f->message);
    }
}

/* The workloads are of a topology that goes away; the push that follows finds
 * those of the new one. */
static void
forget_ports(struct daemon *d)
{
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        memset(d->bridges[i].by_port, 0,
               PORT_MAX * sizeof *d->bridges[i].by_port);
    }
}

static void
learn_ports(struct bridge_state *b, const struct ports *ports)
{
    memset(b->by_port, 0, PORT_MAX * sizeof *b->by_port);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (ports->of_workload[i]) {
            b->by_port[ports->of_workload[i]] = ports->workloads[i];
        }
    }
}

/* For the status. */
static void
note_broken(struct daemon *d, const struct report *report)
{
    free(d->broken);
    d->broken = NULL;
    for (size_t i = 0; i < report->n && !d->broken; i++) {
        const struct finding *f = &report->findings[i];
        if (f->severity == SEVERITY_ERROR) {
            d->broken = xasprintf("%s:%d: %s", f->file ? f->file : "?",
                                  f->line, f->message);
        }
    }
}

static void
loaded(const struct topology *topology, struct report *report, void *d_)
{
    struct daemon *d = d_;
    log_report(report);
    note_broken(d, report);
    if (topology) {
        VLOG_INFO("read %"PRIuSIZE" applications", topology->n_applications);
        d->topology = topology;
        d->loaded_ms = time_wall_msec();
        forget_ports(d);
        if (d->topology_watch) {
            topology_watch_update(d->topology_watch, topology);
        }
    } else {
        VLOG_ERR("the manifests have errors; %s",
                 d->topology ? "the last good policy stays in force"
                 : "bridges stay as they are");
        d->status = EXIT_MANIFEST;
    }
}

static void
pushed(size_t bridge, const struct push_result *result, void *d_)
{
    struct daemon *d = d_;
    struct bridge_state *b = &d->bridges[bridge];
    free(b->error);
    b->error = nullable_xstrdup(result->error);
    if (result->error) {
        VLOG_WARN("%s", result->error);
        d->status = d->status ? d->status : EXIT_BRIDGE;
        return;
    }
    b->pushed_ms = time_wall_msec();
    b->elapsed_ms = result->elapsed_ms;
    b->n_flows = result->wanted.n;
    b->n_local = result->n_local;
    learn_ports(b, result->ports);
    if (result->warning) {
        VLOG_WARN("%s", result->warning);
    }
    if (result->changes.n) {
        VLOG_INFO("%s: %"PRIuSIZE" flows added, %"PRIuSIZE" changed, %"PRIuSIZE
                  " removed, %"PRIuSIZE" as they were; %"PRIuSIZE" workloads "
                  "here (%lld ms)", d->bridge_names.names[bridge],
                  result->counts.added, result->counts.changed,
                  result->counts.removed, result->counts.unchanged,
                  result->n_local, result->elapsed_ms);
    }
}

static void
idle(void *d_)
{
    struct daemon *d = d_;
    if (d->once) {
        loop_stop(d->loop);
    }
}

/* What happens outside. */

static void
bridge_up(uint64_t datapath_id, void *b_)
{
    struct bridge_state *b = b_;
    b->up = true;
    VLOG_INFO("%s: connected (datapath %016"PRIx64")",
              b->daemon->bridge_names.names[b->index], datapath_id);
    keeper_push(b->daemon->keeper, b->index);
}

static void
bridge_down(const char *why, void *b_)
{
    struct bridge_state *b = b_;
    b->up = false;
    book_close_bridge(&b->daemon->book, b->index);
    VLOG_WARN("%s: %s; waiting for it",
              b->daemon->bridge_names.names[b->index], why);
}

/* Deviations. */

static void
run_book(void *d_)
{
    struct daemon *d = d_;
    long long int now = time_wall_msec();
    long long int next = book_run(&d->book, now);
    if (next) {
        timer_set(d->book_timer, next - now);
    }
}

static void
tell_deviation(enum deviation_event event, const struct deviation *deviation,
               void *d_)
{
    struct daemon *d = d_;
    const struct bridge_state *b = &d->bridges[deviation->key.bridge];
    uint16_t in_port = deviation->key.in_port;
    const struct explain_context context = {
        .topology = d->topology,
        .bridge = d->bridge_names.names[b->index],
        .from = in_port < PORT_MAX ? b->by_port[in_port] : NULL,
        .now_ms = time_wall_msec(),
    };
    char *text = explain_to_text(event, deviation, &context);
    VLOG_INFO("%s", text);
    static const char *const msgids[] = { "OPEN", "UPDATE", "CLOSE" };
    struct json *json = explain_to_json(event, deviation, &context);
    const struct record record = {
        .event = event, .deviation = deviation, .json = json, .text = text,
        .severity = event != DEVIATION_OPEN ? LOG_INFO
                    : deviation->packet.enforced ? LOG_WARNING : LOG_NOTICE,
        .msgid = msgids[event],
    };
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_put(d->sinks[i], &record);
    }
    json_destroy(json);
    free(text);
}

static void
bridge_message(const struct ofp_header *oh, void *b_)
{
    struct bridge_state *b = b_;
    struct daemon *d = b->daemon;
    uint8_t base = settings_number(&d->settings, SETTING_TABLE_BASE);
    struct deviation_key key;
    struct deviation_packet packet;
    struct deviation_counts counts;
    enum ofptype type;
    if (ofptype_decode(&type, oh)) {
        return;
    } else if (type == OFPTYPE_PACKET_IN) {
        if (deviation_from_packet_in(oh, base, &key, &packet)) {
            key.bridge = b->index;
            book_packet_in(&d->book, &key, &packet, time_wall_msec());
        }
    } else if (deviation_from_flow_removed(oh, base, &key, &counts)) {
        key.bridge = b->index;
        book_absorbed(&d->book, &key, &counts, time_wall_msec());
        run_book(d);
    }
}

/* Only bridges that are there: the others are pushed to when they come. */
static void
database_changed(void *d_)
{
    struct daemon *d = d_;
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        if (d->bridges[i].up) {
            keeper_push(d->keeper, i);
        }
    }
}

static void
database_down(const char *why, void *d_ OVS_UNUSED)
{
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
    VLOG_INFO("SIGHUP: reading the manifests");
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_reopen(d->sinks[i]);
    }
    keeper_reload(d->keeper);
}

static void
terminate(void *d_)
{
    struct daemon *d = d_;
    VLOG_INFO("ending; what is installed stays in force");
    loop_stop_soon(d->loop);
}

/* Start. */

static void
print_usage(FILE *stream)
{
    fputs("Usage: sdfwd [OPTION]... [TOPOLOGY]...\n"
          "Keeps bridges of Open vSwitch in step with the manifests.\n\n"
          "A TOPOLOGY is a manifest file or a directory of manifests.\n\n"
          "Options:\n"
          "  --config=FILE          take settings from lines NAME = VALUE, "
          "where NAME is\n"
          "                         one of those below, up to "
          "--table-base\n", stream);
    settings_print_usage(stream);
    fputs("  --once                 push once and exit\n"
          "  --verbose=WHAT         what to log: see ovs-vswitchd(8)\n"
          "  --help, --version\n\n"
          "\"ovs-appctl -t sdfwd sdfw/status\" tells how it is, and "
          "\"list-commands\" what\nelse can be asked.\n\n"
          "SIGHUP reads the manifests again, which is not needed: changes are "
          "noticed.\n"
          "Exit status: 0; with --once, 1 the topology is wrong, 3 a bridge "
          "failed.\n", stream);
}

static void OVS_NO_RETURN OVS_PRINTF_FORMAT(1, 2)
usage_error(const char *format, ...)
{
    va_list args;
    fputs("sdfwd: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry \"sdfwd --help\".\n", stderr);
    exit(EXIT_USAGE);
}

static void
fail_on(char *error)
{
    if (error) {
        usage_error("%s", error);
    }
}

/* The flags of settings come first; their values are those of enum
 * setting. */
enum { OPT_CONFIG = N_SETTINGS, OPT_ONCE, OPT_VERBOSE, OPT_HELP, OPT_VERSION };

static void
parse_arguments(int argc, char *argv[], struct daemon *d)
{
    struct option options[N_SETTINGS + 6] = {
        [N_SETTINGS] = { "config", required_argument, NULL, OPT_CONFIG },
        { "once", no_argument, NULL, OPT_ONCE },
        { "verbose", required_argument, NULL, OPT_VERBOSE },
        { "help", no_argument, NULL, OPT_HELP },
        { "version", no_argument, NULL, OPT_VERSION },
    };
    for (int i = 0; i < N_SETTINGS; i++) {
        options[i] = (struct option) { setting_name(i), required_argument,
                                       NULL, i };
    }
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case OPT_CONFIG:
            fail_on(settings_read_file(&d->settings, optarg));
            break;
        case OPT_ONCE:
            d->once = true;
            break;
        case OPT_VERBOSE:
            vlog_set_verbosity(optarg);
            break;
        case OPT_HELP:
            print_usage(stdout);
            exit(EXIT_SUCCESS);
        case OPT_VERSION:
            puts("sdfwd (ovs-sdfw) " SDFW_VERSION);
            exit(EXIT_SUCCESS);
        case '?':
            exit(EXIT_USAGE);
        default:
            fail_on(settings_add(&d->settings, c, FROM_FLAG, optarg));
        }
    }
    for (; optind < argc; optind++) {
        fail_on(settings_add(&d->settings, SETTING_TOPOLOGY, FROM_FLAG,
                             argv[optind]));
    }
}

/* What the settings say of bridges and flows. */
static struct keeper_settings
take_settings(struct daemon *d)
{
    const struct settings *s = &d->settings;
    svec_clone(&d->bridge_names, settings_list(s, SETTING_BRIDGE));
    svec_clone(&d->paths, settings_list(s, SETTING_TOPOLOGY));
    if (!d->paths.n) {
        usage_error("sdfwd wants a TOPOLOGY");
    } else if (!d->bridge_names.n) {
        usage_error("sdfwd wants at least one --bridge");
    } else if (d->bridge_names.n > UINT8_MAX) {
        usage_error("sdfwd serves at most %d bridges", UINT8_MAX);
    }
    int interval = settings_number(s, SETTING_INTERVAL);
    d->reports = (struct report_settings) {
        .limit = { settings_number(s, SETTING_TUPLES), 4096, 4096 },
        .timeout_s = { interval, interval, interval },
        .meter = 0x5dfd, .meter_rate = 1000, .meter_burst = 2000,
    };
    return (struct keeper_settings) {
        .paths = (const char *const *) d->paths.names,
        .n_paths = d->paths.n,
        .bridges = (const char *const *) d->bridge_names.names,
        .n_bridges = d->bridge_names.n,
        .db = settings_text(s, SETTING_DB),
        .timeout_ms = 10000,
        .adopt_seconds = settings_number(s, SETTING_ADOPT),
        .table_base = settings_number(s, SETTING_TABLE_BASE),
        .reports = &d->reports,
        .ssl = &d->ssl,
    };
}

static void
open_sinks(struct daemon *d)
{
    static const struct {
        enum setting setting;
        const struct sink_class *class;
    } kinds[] = {
        { SETTING_JSON, &sink_json_class },
        { SETTING_SYSLOG, &sink_syslog_class },
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct svec *targets = settings_list(&d->settings,
                                                   kinds[i].setting);
        d->sinks = xrealloc(d->sinks, (d->n_sinks + targets->n)
                                      * sizeof *d->sinks);
        for (size_t j = 0; j < targets->n; j++) {
            fail_on(sink_open(kinds[i].class, d->loop, targets->names[j],
                              &d->sinks[d->n_sinks]));
            d->n_sinks++;
        }
    }
}

/* Listens to all that can make a push necessary. */
static void
start_watching(struct daemon *d)
{
    static const struct openflow_callbacks openflow_callbacks = {
        bridge_up, bridge_down, bridge_message,
    };
    static const struct ovsdb_watch_callbacks ovsdb_callbacks = {
        database_changed, database_down,
    };
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        struct bridge_state *b = &d->bridges[i];
        fail_on(openflow_create(d->loop, d->bridge_names.names[i],
                                &openflow_callbacks, b, &b->openflow));
    }
    fail_on(ovsdb_watch_create(d->loop, settings_text(&d->settings, SETTING_DB),
                               &ovsdb_callbacks, d, &d->ovsdb_watch));
    d->topology_watch = topology_watch_create(
        d->loop, (const char *const *) d->paths.names, d->paths.n,
        manifests_changed, d);
    loop_on_signal(d->loop, SIGHUP, hang_up, d);
}

int
main(int argc, char *argv[])
{
    static const struct keeper_callbacks keeper_callbacks = {
        loaded, pushed, idle,
    };
    struct daemon d = { .status = EXIT_SUCCESS };
    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_WARN);
    vlog_set_levels(&this_module, VLF_CONSOLE, VLL_INFO);
    vlog_set_levels(NULL, VLF_SYSLOG, VLL_OFF);
    settings_init(&d.settings);
    parse_arguments(argc, argv, &d);
    const struct keeper_settings keeper_settings = take_settings(&d);

    d.loop = loop_create();
    fail_on(daemon_use_tls(&d));
    d.bridges = xcalloc(d.bridge_names.n, sizeof *d.bridges);
    for (size_t i = 0; i < d.bridge_names.n; i++) {
        d.bridges[i] = (struct bridge_state) {
            .daemon = &d, .index = i,
            .by_port = xcalloc(PORT_MAX, sizeof *d.bridges[i].by_port),
        };
    }
    book_init(&d.book, tell_deviation, &d);
    d.book_timer = timer_create_in(d.loop, run_book, &d);
    open_sinks(&d);
    d.keeper = keeper_create(d.loop, &keeper_settings, &keeper_callbacks, &d);
    loop_on_signal(d.loop, SIGTERM, terminate, &d);
    loop_on_signal(d.loop, SIGINT, terminate, &d);
    struct appctl *appctl = NULL;
    if (!d.once) {
        fail_on(appctl_create(d.loop, "sdfwd", status_commands, &d, &appctl));
        start_watching(&d);
    }
    keeper_reload(d.keeper);
    loop_run(d.loop);

    appctl_destroy(appctl);
    book_destroy(&d.book);
    timer_destroy(d.book_timer);
    for (size_t i = 0; i < d.n_sinks; i++) {
        sink_close(d.sinks[i]);
    }
    keeper_destroy(d.keeper);
    topology_watch_destroy(d.topology_watch);
    ovsdb_watch_destroy(d.ovsdb_watch);
    for (size_t i = 0; i < d.bridge_names.n; i++) {
        openflow_destroy(d.bridges[i].openflow);
        free(d.bridges[i].by_port);
        free(d.bridges[i].error);
    }
    loop_destroy(d.loop);
    free(d.bridges);
    free(d.broken);
    free(d.sinks);
    svec_destroy(&d.bridge_names);
    svec_destroy(&d.paths);
    settings_destroy(&d.settings);
    return d.once ? d.status : EXIT_SUCCESS;
}
