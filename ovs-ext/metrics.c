/* The state of sdfwd for Prometheus: see metrics.h.
 *
 * Names follow Prometheus' rules: base units, "_total" for what only grows. */

#include "metrics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "util.h"

/* Says what the samples that follow are. */
static void
put_head(struct ds *s, const char *name, const char *type, const char *help)
{
    ds_put_format(s, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Appends 'name' and what is between the braces: pairs of a label and its
 * value, ending with NULL. */
static void SENTINEL(0)
put_name(struct ds *s, const char *name, ...)
{
    va_list args;
    const char *label;
    char separator = '{';
    ds_put_cstr(s, name);
    va_start(args, name);
    while ((label = va_arg(args, const char *))) {
        ds_put_format(s, "%c%s=\"", separator, label);
        for (const char *p = va_arg(args, const char *); *p; p++) {
            if (*p == '\n') {
                ds_put_cstr(s, "\\n");
            } else {
                ds_put_format(s, "%s%c", strchr("\\\"", *p) ? "\\" : "", *p);
            }
        }
        ds_put_char(s, '"');
        separator = ',';
    }
    va_end(args);
    ds_put_cstr(s, separator == ',' ? "} " : " ");
}

static void
put_integer(struct ds *s, uint64_t value)
{
    ds_put_format(s, "%"PRIu64"\n", value);
}

static void
put_ms(struct ds *s, long long int ms)
{
    ds_put_format(s, "%lld.%03lld\n", ms / 1000, ms % 1000);
}

static void
put_one(struct ds *s, const char *name, const char *type, const char *help,
        uint64_t value)
{
    put_head(s, name, type, help);
    ds_put_format(s, "%s %"PRIu64"\n", name, value);
}

static void
put_policy(struct ds *s, const struct daemon *d)
{
    put_head(s, "sdfw_build_info", "gauge", "1; the label tells the version.");
    put_name(s, "sdfw_build_info", "version", SDFW_VERSION, NULL);
    put_integer(s, 1);
    put_one(s, "sdfw_manifests_valid", "gauge",
            "1 if the manifests are right, 0 if not: then an older policy, "
            "or none, is in force.", d->topology && !d->broken);
    if (d->topology) {
        put_head(s, "sdfw_policy_load_timestamp_seconds", "gauge",
                 "When the policy in force was read.");
        ds_put_cstr(s, "sdfw_policy_load_timestamp_seconds ");
        put_ms(s, d->loaded_ms);
        put_head(s, "sdfw_application_info", "gauge",
                 "1; the labels tell an application's version and mode.");
        for (size_t i = 0; i < d->topology->n_applications; i++) {
            const struct application *a = d->topology->applications[i];
            put_name(s, "sdfw_application_info", "application", a->name,
                     "mode", mode_to_string(a->mode),
                     "version", a->version ? a->version : "", NULL);
            put_integer(s, 1);
        }
    }
}

/* What there is of each bridge. */
struct bridge_metric {
    const char *name, *type, *help;
    uint64_t (*get)(const struct bridge_state *);
};

static uint64_t
get_up(const struct bridge_state *b)
{
    return b->up;
}

static uint64_t
get_flows(const struct bridge_state *b)
{
    return b->n_flows;
}

static uint64_t
get_workloads(const struct bridge_state *b)
{
    return b->n_local;
}

static uint64_t
get_pushes(const struct bridge_state *b)
{
    return b->n_pushes;
}

static uint64_t
get_push_failures(const struct bridge_state *b)
{
    return b->n_push_failures;
}

static const struct bridge_metric bridge_metrics[] = {
    { "sdfw_bridge_connected", "gauge", "1 if the bridge is connected.",
      get_up },
    { "sdfw_bridge_flows", "gauge", "Flows that the policy has on it.",
      get_flows },
    { "sdfw_bridge_workloads", "gauge", "Workloads that are on it.",
      get_workloads },
    { "sdfw_pushes_total", "counter", "Pushes, with those that failed.",
      get_pushes },
    { "sdfw_push_failures_total", "counter", "Pushes that failed.",
      get_push_failures },
};

static const char *
bridge_name(const struct daemon *d, size_t i)
{
    return d->bridge_names.names[i];
}

static void
put_bridges(struct ds *s, const struct daemon *d)
{
    for (size_t j = 0; j < ARRAY_SIZE(bridge_metrics); j++) {
        const struct bridge_metric *m = &bridge_metrics[j];
        put_head(s, m->name, m->type, m->help);
        for (size_t i = 0; i < d->bridge_names.n; i++) {
            put_name(s, m->name, "bridge", bridge_name(d, i), NULL);
            put_integer(s, m->get(&d->bridges[i]));
        }
    }
    put_head(s, "sdfw_last_push_duration_seconds", "gauge",
             "How long the last push took that did not fail.");
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        if (d->bridges[i].pushed_ms) {
            put_name(s, "sdfw_last_push_duration_seconds", "bridge",
                     bridge_name(d, i), NULL);
            put_ms(s, d->bridges[i].elapsed_ms);
        }
    }
    put_head(s, "sdfw_last_push_timestamp_seconds", "gauge",
             "When the last push ended that did not fail.");
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        if (d->bridges[i].pushed_ms) {
            put_name(s, "sdfw_last_push_timestamp_seconds", "bridge",
                     bridge_name(d, i), NULL);
            put_ms(s, d->bridges[i].pushed_ms);
        }
    }
}

static void
put_book(struct ds *s, const struct book *book)
{
    put_one(s, "sdfw_packet_ins_total", "counter",
            "Packets of deviations that came to sdfwd.", book->n_packet_ins);
    put_one(s, "sdfw_packet_in_duplicates_total", "counter",
            "Of these, those that a flow has counted too.",
            book->n_duplicates);
    put_one(s, "sdfw_packet_ins_metered_total", "counter",
            "First packets of a tuple that a meter kept from sdfwd.",
            book->n_unseen);
    put_one(s, "sdfw_deviations_open", "gauge",
            "Deviations that are not over.", hmap_count(&book->open));
}

/* The parts of an account: see accounting.h. */
static void
put_account(struct ds *s, const char *bridge, const struct account_balance *n)
{
    const struct {
        const char *part;
        long long int packets;
    } parts[] = {
        { "deviating", n->deviating }, { "offered", n->offered },
        { "absorbed", n->absorbed }, { "answers", n->answers },
        { "missing", n->missing },
        { "received", n->received }, { "unseen", n->unseen },
        { "untold", n->untold }, { "metered", n->metered },
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        put_name(s, "sdfw_account_packets", "bridge", bridge, "part",
                 parts[i].part, NULL);
        ds_put_format(s, "%lld\n", parts[i].packets);
    }
}

static void
put_accounts(struct ds *s, const struct daemon *d)
{
    put_head(s, "sdfw_account_packets", "gauge",
             "Deviating packets since the bridge connected or its flows "
             "changed: deviating = offered + absorbed + answers + missing; "
             "offered = received + unseen + untold.");
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        struct account_balance balance;
        if (accounting_balance(&d->bridges[i].accounting, &balance)) {
            put_account(s, bridge_name(d, i), &balance);
        }
    }
}

struct total_metric {
    const char *name, *help;
    size_t closed, open;        /* Offsets in struct total; open may be 0. */
};

static const struct total_metric total_metrics[] = {
    { "sdfw_deviations_total", "Deviations.", offsetof(struct total, n), 0 },
    { "sdfw_deviation_packets_total", "Packets of deviations.",
      offsetof(struct total, n_packets),
      offsetof(struct total, open_packets) },
    { "sdfw_deviation_bytes_total", "Bytes of deviations.",
      offsetof(struct total, n_bytes), offsetof(struct total, open_bytes) },
};

static uint64_t
member_at(const struct total *t, size_t offset)
{
    return *ALIGNED_CAST(const uint64_t *, (const char *) t + offset);
}

static void
put_totals(struct ds *s, const struct totals *totals)
{
    for (size_t i = 0; i < ARRAY_SIZE(total_metrics); i++) {
        const struct total_metric *m = &total_metrics[i];
        const struct total *t;
        put_head(s, m->name, "counter", m->help);
        HMAP_FOR_EACH (t, node, &totals->all) {
            put_name(s, m->name, "application", t->application,
                     "direction", t->direction, "reason", t->reason,
                     "service", t->service, "verdict", t->verdict, NULL);
            put_integer(s, member_at(t, m->closed)
                           + (m->open ? member_at(t, m->open) : 0));
        }
    }
}

struct link_metric {
    const char *name, *help;
    size_t offset;              /* In struct use_counts. */
};

static const struct link_metric link_metrics[] = {
    { "sdfw_link_connections_total", "Connections that a link opened.",
      offsetof(struct use_counts, connections) },
    { "sdfw_link_packets_total", "Packets that a link allowed.",
      offsetof(struct use_counts, packets) },
    { "sdfw_link_bytes_total", "Bytes that a link allowed.",
      offsetof(struct use_counts, bytes) },
};

static void
put_link(struct ds *s, const struct link_metric *m, const char *bridge,
         const struct opening_use *o)
{
    char *from = endpoint_to_string(&o->link->from);
    char *to = endpoint_to_string(&o->link->to);
    char *opens = opening_to_string(o->opening);
    put_name(s, m->name, "bridge", bridge, "from", from, "opens", opens,
             "to", to, NULL);
    put_integer(s, *ALIGNED_CAST(const uint64_t *, (const char *) &o->counts
                                                   + m->offset));
    free(from);
    free(to);
    free(opens);
}

static void
put_links(struct ds *s, const struct daemon *d)
{
    for (size_t j = 0; j < ARRAY_SIZE(link_metrics); j++) {
        const struct link_metric *m = &link_metrics[j];
        put_head(s, m->name, "counter", m->help);
        for (size_t i = 0; i < d->bridge_names.n; i++) {
            const struct opening_use *o;
            HMAP_FOR_EACH (o, node, &d->bridges[i].use.ids) {
                if (o->link && o->counted) {
                    put_link(s, m, bridge_name(d, i), o);
                }
            }
        }
    }
    put_head(s, "sdfw_bridge_deviating_packets_total", "counter",
             "Packets that came to the table DEVIATION.");
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct link_use *use = &d->bridges[i].use;
        if (use->read_ms) {
            put_name(s, "sdfw_bridge_deviating_packets_total", "bridge",
                     bridge_name(d, i), NULL);
            put_integer(s, use->deviating.packets);
        }
    }
}

struct sink_metric {
    const char *name, *type, *help;
    uint64_t (*get)(const struct sink *);
};

static uint64_t
get_records(const struct sink *sink)
{
    return sink->n_records;
}

static uint64_t
get_dropped(const struct sink *sink)
{
    return sink->n_dropped;
}

static uint64_t
get_waiting(const struct sink *sink)
{
    return sink_n_waiting(sink);
}

static uint64_t
get_failing(const struct sink *sink)
{
    return sink->error != NULL;
}

static const struct sink_metric sink_metrics[] = {
    { "sdfw_sink_records_total", "counter",
      "Records for a sink, with those that were dropped.", get_records },
    { "sdfw_sink_dropped_total", "counter", "Records that were dropped.",
      get_dropped },
    { "sdfw_sink_waiting", "gauge", "Records that wait.", get_waiting },
    { "sdfw_sink_failing", "gauge", "1 if it reaches nobody.", get_failing },
};

static void
put_sinks(struct ds *s, const struct daemon *d)
{
    for (size_t j = 0; j < ARRAY_SIZE(sink_metrics); j++) {
        const struct sink_metric *m = &sink_metrics[j];
        put_head(s, m->name, m->type, m->help);
        for (size_t i = 0; i < d->n_sinks; i++) {
            put_name(s, m->name, "sink", d->sinks[i]->class->name,
                     "target", d->sinks[i]->target, NULL);
            put_integer(s, m->get(d->sinks[i]));
        }
    }
}

/* By the names that all programs give to these. */
static void
put_process(struct ds *s, const struct process_use *p)
{
    put_head(s, "process_cpu_seconds_total", "counter",
             "User and system time.");
    ds_put_format(s, "process_cpu_seconds_total %.6f\n", p->cpu_seconds);
    put_head(s, "process_start_time_seconds", "gauge",
             "When sdfwd was started.");
    ds_put_format(s, "process_start_time_seconds %.3f\n", p->start_seconds);
    put_one(s, "process_resident_memory_bytes", "gauge", "Memory in use.",
            p->resident_bytes);
    put_one(s, "process_open_fds", "gauge", "Open file descriptors.",
            p->open_fds);
}

void
metrics_format(struct ds *s, const struct daemon *d,
               const struct totals *totals, const struct process_use *process)
{
    put_policy(s, d);
    put_bridges(s, d);
    put_book(s, &d->book);
    put_totals(s, totals);
    put_accounts(s, d);
    put_links(s, d);
    put_sinks(s, d);
    put_process(s, process);
}
