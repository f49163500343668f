/* What "ovs-appctl -t sdfwd" may ask. */

#include "daemon.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "explain.h"
#include "timeval.h"
#include "util.h"

static void
put_time(struct ds *s, long long int ms)
{
    char *text = xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", ms, true);
    ds_put_cstr(s, text);
    free(text);
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
    if (d->broken) {
        ds_put_format(s, "  MANIFESTS ARE WRONG, the policy above stays in "
                      "force: %s\n", d->broken);
    }
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        put_bridge(s, &d->bridges[i]);
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
                  " duplicates; %"PRIu64" the meter dropped\n", book->last_id,
                  hmap_count(&book->open), book->n_packet_ins,
                  book->n_duplicates, book->n_unseen);
    for (size_t i = 0; i < d->n_sinks; i++) {
        const struct sink *sink = d->sinks[i];
        ds_put_format(s, "%s %s: %"PRIu64" records, %"PRIuSIZE" waiting, "
                      "%"PRIu64" dropped\n", sink->class->name, sink->target,
                      sink->n_records, sink_n_waiting(sink), sink->n_dropped);
        if (sink->error) {
            ds_put_format(s, "  REACHES NOBODY: %s\n", sink->error);
        }
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
        const struct bridge_state *b = &d->bridges[list[i]->key.bridge];
        uint16_t in_port = list[i]->key.in_port;
        const struct explain_context context = {
            .topology = d->topology,
            .bridge = d->bridge_names.names[b->index],
            .from = in_port < PORT_MAX ? b->by_port[in_port] : NULL,
            .now_ms = time_wall_msec(),
        };
        char *text = explain_to_text(DEVIATION_UPDATE, list[i], &context);
        bool wanted = true;
        for (int j = as_json; j < argc; j++) {
            wanted &= strstr(text, argv[j]) != NULL;
        }
        if (wanted && as_json) {
            struct json *json = explain_to_json(DEVIATION_UPDATE, list[i],
                                                &context);
            json_to_ds(json, JSSF_SORT, s);
            json_destroy(json);
        } else if (wanted) {
            ds_put_cstr(s, text);
        }
        if (wanted) {
            ds_put_char(s, '\n');
        }
        free(text);
    }
    free(list);
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
end(int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
    struct ds *s OVS_UNUSED, void *d_)
{
    struct daemon *d = d_;
    loop_stop_soon(d->loop);
    return true;
}

const struct appctl_command status_commands[] = {
    { "sdfw/status", "", 0, 0, show_status },
    { "sdfw/deviations", "[--json] [TEXT]...", 0, 16, show_deviations },
    { "sdfw/reload", "", 0, 0, reload },
    { "exit", "", 0, 0, end },
    { NULL, NULL, 0, 0, NULL },
};
