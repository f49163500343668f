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
    for (size_t i = 0; i < d->settings.n_bridges; i++) {
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
                  "here (%lld ms)", d->settings.bridges[bridge],
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
              b->daemon->settings.bridges[b->index], datapath_id);
    keeper_push(b->daemon->keeper, b->index);
}

static void
bridge_down(const char *why, void *b_)
{
    struct bridge_state *b = b_;
    b->up = false;
    book_close_bridge(&b->daemon->book, b->index);
    VLOG_WARN("%s: %s; waiting for it",
              b->daemon->settings.bridges[b->index], why);
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
        .bridge = d->settings.bridges[b->index],
        .from = in_port < PORT_MAX ? b->by_port[in_port] : NULL,
        .now_ms = time_wall_msec(),
    };
    char *text = explain_to_text(event, deviation, &context);
    VLOG_INFO("%s", text);
    struct json *record = explain_to_json(event, deviation, &context);
    if (d->json) {
        sink_json_put(d->json, record);
    }
    if (d->syslog) {
        static const char *const msgids[] = { "OPEN", "UPDATE", "CLOSE" };
        int severity = event != DEVIATION_OPEN ? LOG_INFO
                       : deviation->packet.enforced ? LOG_WARNING : LOG_NOTICE;
        sink_syslog_put(d->syslog, severity, msgids[event], record, text);
    }
    json_destroy(record);
    free(text);
}

static void
bridge_message(const struct ofp_header *oh, void *b_)
{
    struct bridge_state *b = b_;
    struct daemon *d = b->daemon;
    uint8_t base = d->settings.table_base;
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
    for (size_t i = 0; i < d->settings.n_bridges; i++) {
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
    if (d->json) {
        sink_json_reopen(d->json);
    }
    keeper_reload(d->keeper);
}

static void
terminate(void *d_)
{
    struct daemon *d = d_;
    VLOG_INFO("ending; what is installed stays in force");
    loop_stop(d->loop);
}

/* Start. */

static void
print_usage(FILE *stream)
{
    fputs("Usage: sdfwd [OPTION]... TOPOLOGY...\n"
          "Keeps bridges of Open vSwitch in step with the manifests.\n\n"
          "A TOPOLOGY is a manifest file or a directory of manifests.\n\n"
          "Options:\n"
          "  --bridge=BRIDGE        a bridge of this host, unix:FILE or "
          "tcp:ADDRESS:PORT;\n"
          "                         at least one\n"
          "  --db=REMOTE            OVSDB of the bridges' host (default: "
          "unix:RUNDIR/db.sock)\n"
          "  --once                 push once and exit\n"
          "  --json=FILE            append each deviation as a line of JSON; "
          "SIGHUP opens\n"
          "                         FILE again\n"
          "  --syslog=TARGET        tell each deviation to unix:SOCKET (such "
          "as\n"
          "                         unix:/dev/log), udp:ADDRESS:PORT or "
          "tcp:ADDRESS:PORT\n"
          "                         (RFC 5424 with structured data)\n"
          "  --interval=SECONDS     how often counts of deviations that go on "
          "are told\n"
          "                         (default: 30)\n"
          "  --tuples=N             how many deviations are told one by one "
          "at a time; more\n"
          "                         are folded by hosts (default: 4096)\n"
          "  --adopt=SECONDS        at the first push, admit running "
          "connections for so\n"
          "                         long (default: 300; 0: not)\n"
          "  --table-base=N         first of our tables on the bridge "
          "(default: 100)\n"
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

static int
parse_number(const char *name, const char *value, int min, int max)
{
    int number;
    if (!str_to_int(value, 10, &number) || number < min || number > max) {
        usage_error("--%s wants a number from %d to %d, not \"%s\"", name,
                    min, max, value);
    }
    return number;
}

static void
parse_arguments(int argc, char *argv[], struct daemon *d)
{
    static const struct option options[] = {
        { "bridge", required_argument, NULL, 'b' },
        { "db", required_argument, NULL, 'd' },
        { "once", no_argument, NULL, 'o' },
        { "json", required_argument, NULL, 'j' },
        { "syslog", required_argument, NULL, 's' },
        { "interval", required_argument, NULL, 'i' },
        { "tuples", required_argument, NULL, 'n' },
        { "adopt", required_argument, NULL, 'a' },
        { "table-base", required_argument, NULL, 't' },
        { "verbose", required_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char **bridges = xcalloc(argc, sizeof *bridges);
    struct keeper_settings *s = &d->settings;
    static struct report_settings reports = {
        .limit = { 4096, 4096, 4096 }, .timeout_s = { 30, 30, 30 },
        .meter = 0x5dfd, .meter_rate = 1000, .meter_burst = 2000,
    };
    *s = (struct keeper_settings) {
        .reports = &reports,
        .timeout_ms = 10000, .adopt_seconds = 300,
        .table_base = DEFAULT_TABLE_BASE, .bridges = bridges,
    };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'b':
            bridges[s->n_bridges++] = optarg;
            break;
        case 'd':
            s->db = optarg;
            break;
        case 'o':
            d->once = true;
            break;
        case 'i':
            for (size_t i = 0; i < ARRAY_SIZE(reports.timeout_s); i++) {
                reports.timeout_s[i] = parse_number("interval", optarg, 1,
                                                    3600);
            }
            break;
        case 'n':
            reports.limit[0] = parse_number("tuples", optarg, 1, 100000);
            break;
        case 's':
            d->syslog_target = optarg;
            break;
        case 'j':
            d->json_file = optarg;
            break;
        case 'a':
            s->adopt_seconds = parse_number("adopt", optarg, 0, UINT16_MAX);
            break;
        case 't':
            s->table_base = parse_number("table-base", optarg, 1,
                                         MAX_TABLE_BASE);
            break;
        case 'v':
            vlog_set_verbosity(optarg);
            break;
        case 'h':
            print_usage(stdout);
            exit(EXIT_SUCCESS);
        case 'V':
            puts("sdfwd (ovs-sdfw) " SDFW_VERSION);
            exit(EXIT_SUCCESS);
        default:
            exit(EXIT_USAGE);
        }
    }
    if (optind == argc) {
        usage_error("sdfwd wants a TOPOLOGY");
    } else if (!s->n_bridges) {
        usage_error("sdfwd wants at least one --bridge");
    } else if (s->n_bridges > UINT8_MAX) {
        usage_error("sdfwd serves at most %d bridges", UINT8_MAX);
    }
    s->paths = (const char *const *) &argv[optind];
    s->n_paths = argc - optind;
}

static void
fail_on(char *error)
{
    if (error) {
        usage_error("%s", error);
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
    for (size_t i = 0; i < d->settings.n_bridges; i++) {
        struct bridge_state *b = &d->bridges[i];
        fail_on(openflow_create(d->loop, d->settings.bridges[i],
                                &openflow_callbacks, b, &b->openflow));
    }
    fail_on(ovsdb_watch_create(d->loop, d->settings.db, &ovsdb_callbacks, d,
                               &d->ovsdb_watch));
    d->topology_watch = topology_watch_create(d->loop, d->settings.paths,
                                              d->settings.n_paths,
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
    parse_arguments(argc, argv, &d);

    d.loop = loop_create();
    d.bridges = xcalloc(d.settings.n_bridges, sizeof *d.bridges);
    for (size_t i = 0; i < d.settings.n_bridges; i++) {
        d.bridges[i] = (struct bridge_state) {
            .daemon = &d, .index = i,
            .by_port = xcalloc(PORT_MAX, sizeof *d.bridges[i].by_port),
        };
    }
    book_init(&d.book, tell_deviation, &d);
    d.book_timer = timer_create_in(d.loop, run_book, &d);
    if (d.json_file) {
        fail_on(sink_json_open(d.json_file, &d.json));
    }
    if (d.syslog_target) {
        fail_on(sink_syslog_open(d.loop, d.syslog_target, &d.syslog));
    }
    d.keeper = keeper_create(d.loop, &d.settings, &keeper_callbacks, &d);
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
    sink_json_close(d.json);
    sink_syslog_close(d.syslog);
    keeper_destroy(d.keeper);
    topology_watch_destroy(d.topology_watch);
    ovsdb_watch_destroy(d.ovsdb_watch);
    for (size_t i = 0; i < d.settings.n_bridges; i++) {
        openflow_destroy(d.bridges[i].openflow);
        free(d.bridges[i].by_port);
        free(d.bridges[i].error);
    }
    loop_destroy(d.loop);
    free(d.bridges);
    free(d.broken);
    free(CONST_CAST(char **, d.settings.bridges));
    return d.once ? d.status : EXIT_SUCCESS;
}
