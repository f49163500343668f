/* What "ovs-appctl -t sdfwd" may ask. */

#include "daemon.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>
#include <openvswitch/shash.h>
#include <openvswitch/vlog.h>

#include "configure.h"
#include "enabled.h"
#include "tell.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(status);

static void
put_time(struct ds *s, long long int ms)
{
    char *text = xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", ms, true);
    ds_put_cstr(s, text);
    free(text);
}

/* What was said by hand, in OVSDB. */
static void
put_overlay(struct ds *s, const struct overlay *overlay, bool captures)
{
    struct svec lines;
    overlay_describe(overlay, &lines);
    for (size_t i = 0; i < lines.n; i++) {
        ds_put_format(s, "  BY HAND: %s\n", lines.names[i]);
    }
    svec_destroy(&lines);
    if (overlay && overlay->n_captures && !captures) {
        ds_put_cstr(s, "  NOT CAPTURED: no setting capture names a "
                    "directory\n");
    }
    if (overlay && !shash_is_empty(&overlay->bound)) {
        ds_put_format(s, "  %"PRIuSIZE" interfaces are bound by hand\n",
                      shash_count(&overlay->bound));
    }
    for (size_t i = 0; overlay && i < overlay->problems.n; i++) {
        ds_put_format(s, "  NOT TAKEN: %s\n", overlay->problems.names[i]);
    }
}

static void
put_bridge(struct ds *s, const struct bridge_state *b)
{
    const char *name = b->daemon->bridge_names.names[b->index];
    ds_put_format(s, "bridge %s: %s", name, b->up ? "connected"
                                                  : "NOT CONNECTED");
    if (b->pushed_ms) {
        ds_put_format(s, ", %"PRIuSIZE" flows, %"PRIuSIZE" workloads here; "
                      "last push ", b->n_flows, b->n_local);
        put_time(s, b->pushed_ms);
        ds_put_format(s, " (%lld ms)", b->elapsed_ms);
    } else {
        ds_put_cstr(s, ", nothing pushed yet");
    }
    ds_put_char(s, '\n');
    if (b->error) {
        ds_put_format(s, "  LAST PUSH FAILED: %s\n", b->error);
    }
    if (b->attested_ms) {
        ds_put_format(s, "  %"PRIuSIZE" of %"PRIuSIZE" workloads conform, at ",
                      b->attested.n - b->attested.n_deviate, b->attested.n);
        put_time(s, b->attested_ms);
        ds_put_char(s, '\n');
    }
    if (b->attest_error) {
        ds_put_format(s, "  NO STATEMENTS: %s\n", b->attest_error);
    }
    put_overlay(s, b->overlay, b->daemon->reports.captures);
}

/* See accounting.h; docs/deviations.md says what the words mean. */
static void
put_balance(struct ds *s, const struct bridge_state *b)
{
    struct account_balance n;
    if (!accounting_balance(&b->accounting, &n)) {
        return;
    }
    ds_put_format(s, "  deviating packets since ");
    put_time(s, n.since_ms);
    ds_put_format(s, ": %"PRIu64" = %"PRIu64" offered + %"PRIu64" absorbed",
                  n.deviating, n.offered, n.absorbed);
    if (n.answers) {
        ds_put_format(s, " + %"PRIu64" answers", n.answers);
    }
    if (n.missing) {
        /* The end of a flow is told some time after it is gone. */
        ds_put_format(s, " + %lld %s", n.missing,
                      hmap_is_empty(&b->daemon->book.open) ? "MISSING"
                      : "not counted yet");
    }
    ds_put_format(s, "\n  offered: %"PRIu64" received + %"PRIu64" told by "
                  "their flow's end + %lld not told yet; meters dropped "
                  "%"PRIu64", with duplicates\n", n.received, n.unseen,
                  n.untold, n.metered);
}

static bool
show_status(int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
            struct ds *s, void *d_)
{
    const struct daemon *d = d_;
    if (d->topology) {
        ds_put_format(s, "policy: %"PRIuSIZE" applications, %"PRIuSIZE
                      " workloads; read ", d->topology->n_applications,
                      topology_n_workloads(d->topology));
        put_time(s, d->loaded_ms);
        ds_put_char(s, '\n');
    } else {
        ds_put_cstr(s, "policy: NONE\n");
    }
    if (d->waiting) {
        ds_put_cstr(s, "WAITING for bridges and topologies to be set: see "
                    "sdfw/config\n");
    }
    configure_put_problems(d, s);
    if (d->broken) {
        ds_put_format(s, "  MANIFESTS ARE WRONG, the policy above stays in "
                      "force: %s\n", d->broken);
    }
    modes_format_overrides(&d->modes, s);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        put_bridge(s, &d->bridges[i]);
        put_balance(s, &d->bridges[i]);
    }
    if (d->restore_wait) {
        ds_put_format(s, "hold: %s\n", restore_wait_state(d->restore_wait));
    }
    const char *tls_failure;
    unsigned long int n = loop_tls_failures(d->loop, &tls_failure);
    if (n) {
        ds_put_format(s, "TLS: %lu handshakes failed; last %s\n", n,
                      tls_failure);
    }
    const struct book *book = &d->book;
    ds_put_format(s, "deviations: %"PRIu64" since the start, %"PRIuSIZE
                  " open; %"PRIu64" packet-ins, of these %"PRIu64
                  " duplicates; %"PRIu64" did not come\n", book->last_id,
                  hmap_count(&book->open), book->n_packet_ins,
                  book->n_duplicates, book->n_unseen);
    for (size_t i = 0; i < d->n_sinks; i++) {
        const struct sink *sink = d->sinks[i];
        ds_put_format(s, "%s %s: %"PRIu64" records, %"PRIuSIZE" waiting, "
                      "%"PRIu64" dropped", sink->class->name, sink->target,
                      sink->n_records, sink_n_waiting(sink), sink->n_dropped);
        sink_describe(sink, s);
        ds_put_char(s, '\n');
    }
    return true;
}

static int
compare_deviations(const void *a_, const void *b_)
{
    const struct deviation *const *a = a_;
    const struct deviation *const *b = b_;
    return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

/* Those that are open and whose text has all of 'argv' in it. */
static bool
show_deviations(int argc, const char *argv[], struct ds *s, void *d_)
{
    struct daemon *d = d_;
    bool as_json = argc && !strcmp(argv[0], "--json");
    size_t n = 0;
    const struct deviation *deviation;
    const struct deviation **list = xmalloc((hmap_count(&d->book.open) + 1)
                                            * sizeof *list);
    HMAP_FOR_EACH (deviation, node, &d->book.open) {
        list[n++] = deviation;
    }
    if (n) {
        qsort(list, n, sizeof *list, compare_deviations);
    }
    for (size_t i = 0; i < n; i++) {
        const struct explain_context context = tell_context(d, list[i]);
        struct explanation e;
        explain(DEVIATION_UPDATE, list[i], &context, &e);
        bool wanted = true;
        for (int j = as_json; j < argc; j++) {
            wanted &= strstr(e.text, argv[j]) != NULL;
        }
        if (wanted && as_json) {
            json_to_ds(e.json, JSSF_SORT, s);
        } else if (wanted) {
            ds_put_cstr(s, e.text);
        }
        if (wanted) {
            ds_put_char(s, '\n');
        }
        explanation_destroy(&e);
    }
    free(list);
    return true;
}

/* Packets of open deviations, by source and reason. */
struct source {
    char *name;                 /* With the reason. */
    uint64_t n_packets, n_deviations;
};

static int
compare_sources(const void *a_, const void *b_)
{
    const struct source *a = (*(const struct shash_node *const *) a_)->data;
    const struct source *b = (*(const struct shash_node *const *) b_)->data;
    return a->n_packets < b->n_packets ? 1 : a->n_packets > b->n_packets ? -1
           : strcmp(a->name, b->name);
}

static void
add_to_sources(struct shash *sources, const struct deviation *deviation,
               const struct daemon *d)
{
    const struct explain_context context = tell_context(d, deviation);
    char *name = explain_source(deviation, &context);
    struct source *source = shash_find_data(sources, name);
    if (!source) {
        source = xzalloc(sizeof *source);
        source->name = xstrdup(name);
        shash_add(sources, name, source);
    }
    source->n_packets += deviation->n_packets;
    source->n_deviations++;
    free(name);
}

static bool
show_top(int argc, const char *argv[], struct ds *s, void *d_)
{
    const struct daemon *d = d_;
    int n = 20;
    if (argc && (!str_to_int(argv[0], 10, &n) || n < 1)) {
        ds_put_format(s, "\"%s\" is no number of lines", argv[0]);
        return false;
    }
    struct shash sources = SHASH_INITIALIZER(&sources);
    const struct deviation *deviation;
    HMAP_FOR_EACH (deviation, node, &d->book.open) {
        add_to_sources(&sources, deviation, d);
    }
    const struct shash_node **nodes = shash_sort(&sources);
    if (nodes) {
        qsort(nodes, shash_count(&sources), sizeof *nodes, compare_sources);
    }
    ds_put_format(s, "%12s %12s  %s\n", "PACKETS", "DEVIATIONS",
                  "SOURCE                                   REASON");
    for (size_t i = 0; i < MIN(n, shash_count(&sources)); i++) {
        const struct source *source = nodes[i]->data;
        ds_put_format(s, "%12"PRIu64" %12"PRIu64"  %s\n", source->n_packets,
                      source->n_deviations, source->name);
    }
    free(nodes);
    struct shash_node *node;
    SHASH_FOR_EACH_SAFE (node, &sources) {
        struct source *source = node->data;
        free(source->name);
    }
    shash_destroy_free_data(&sources);
    return true;
}

static bool
show_config(int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
            struct ds *s, void *d_)
{
    const struct daemon *d = d_;
    settings_format(&d->settings, s);
    enabled_format(d, s);
    configure_put_problems(d, s);
    return true;
}

static bool
reload(int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
       struct ds *s OVS_UNUSED, void *d_)
{
    struct daemon *d = d_;
    keeper_reload(d->keeper);
    return true;
}

static bool
mode(int argc, const char *argv[], struct ds *s, void *d_)
{
    struct daemon *d = d_;
    char *error = NULL;
    if (argc == 2) {
        error = keeper_set_mode(d->keeper, argv[0], argv[1]);
        if (!error && !strcmp(argv[1], "manifest")) {
            VLOG_WARN("mode of %s is again that of the manifests", argv[0]);
        } else if (!error) {
            VLOG_WARN("mode of %s set to %s by hand, until it is taken back "
                      "or sdfwd ends", argv[0], argv[1]);
        }
    } else if (!d->topology) {
        error = xstrdup("there is no policy");
    } else if (!modes_format(&d->modes, d->topology, argc ? argv[0] : NULL,
                             s)) {
        error = xasprintf("there is no application or service \"%s\"",
                          argv[0]);
    }
    if (error) {
        ds_put_cstr(s, error);
        free(error);
        return false;
    }
    return true;
}

static bool
end(int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
    struct ds *s OVS_UNUSED, void *d_)
{
    struct daemon *d = d_;
    restore_wait_let_go(d->restore_wait);
    loop_stop_soon(d->loop);
    return true;
}

const struct appctl_command status_commands[] = {
    { "sdfw/status", "", 0, 0, show_status },
    { "sdfw/config", "", 0, 0, show_config },
    { "sdfw/deviations", "[--json] [TEXT]...", 0, 16, show_deviations },
    { "sdfw/top", "[LINES]", 0, 1, show_top },
    { "sdfw/reload", "", 0, 0, reload },
    { "sdfw/mode", "[APP[/SERVICE] [MODE]]", 0, 2, mode },
    { "exit", "", 0, 0, end },
    { NULL, NULL, 0, 0, NULL },
};
