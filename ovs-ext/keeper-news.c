/* What the keeper tells: see keeper-news.h. */

#include "keeper-news.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/vlog.h>

#include "drift.h"
#include "hear.h"
#include "overlay.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(keeper);

static void
log_finding(const struct finding *f, void *aux OVS_UNUSED)
{
    char *text = finding_format(f);
    VLOG(f->severity == SEVERITY_ERROR ? VLL_ERR : VLL_WARN, "%s", text);
    free(text);
}

void
keeper_news_forget_ports(struct bridge_state *b)
{
    memset(b->by_port, 0, PORT_MAX * sizeof *b->by_port);
    overlay_unref(b->overlay);
    b->overlay = NULL;
}

static void
log_lines(const struct bridge_state *b, const struct svec *lines,
          const char *what)
{
    for (size_t i = 0; i < lines->n; i++) {
        VLOG_WARN("%s: %s%s", b->daemon->bridge_names.names[b->index], what,
                  lines->names[i]);
    }
}

/* Logs in what two overlays of a bridge differ. */
static void
log_overlay(const struct bridge_state *b, const struct overlay *before,
            const struct overlay *now)
{
    struct svec was, is, gone, both, new;
    overlay_describe(before, &was);
    overlay_describe(now, &is);
    svec_diff(&is, &was, &new, &both, &gone);
    log_lines(b, &new, "by hand: ");
    log_lines(b, &gone, "no longer by hand: ");
    svec_destroy(&new);
    svec_destroy(&both);
    svec_destroy(&gone);
    svec_destroy(&was);
    svec_destroy(&is);
    static const struct svec none = SVEC_EMPTY_INITIALIZER;
    svec_diff(now ? &now->problems : &none,
              before ? &before->problems : &none, &new, &both, &gone);
    log_lines(b, &new, "");
    svec_destroy(&new);
    svec_destroy(&both);
    svec_destroy(&gone);
}

static void
learn_ports(struct bridge_state *b, const struct ports *ports)
{
    log_overlay(b, b->overlay, ports->overlay);
    keeper_news_forget_ports(b);
    b->overlay = overlay_ref(ports->overlay);
    respond_overlay_changed(b);
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
            d->broken = finding_format(f);
        }
    }
}

void
keeper_loaded(const struct topology *topology, struct report *report,
              void *d_)
{
    struct daemon *d = d_;
    findings_tell(&d->warnings, report, topology != NULL, log_finding, NULL);
    note_broken(d, report);
    if (topology) {
        VLOG_INFO("read %"PRIuSIZE" applications", topology->n_applications);
        d->topology = topology;
        d->loaded_ms = time_wall_msec();
        for (size_t i = 0; i < d->bridge_names.n; i++) {
            keeper_news_forget_ports(&d->bridges[i]);
            respond_forget(&d->bridges[i].respond);
        }
        web_forget_topology(d->web);
    } else {
        VLOG_ERR("the manifests have errors; %s",
                 d->topology ? "the last good policy stays in force"
                 : "bridges stay as they are");
        d->status = EXIT_MANIFEST;
    }
    if (d->topology_watch) {
        topology_watch_update(d->topology_watch, topology);
    }
}

void
keeper_verified(size_t bridge, const struct flow_set *drift,
                const struct ports *ports, void *d_)
{
    struct daemon *d = d_;
    drift_found(&d->bridges[bridge], drift, ports);
}

void
keeper_pushed(size_t bridge, const struct push_result *result, void *d_)
{
    struct daemon *d = d_;
    struct bridge_state *b = &d->bridges[bridge];
    free(b->error);
    b->error = nullable_xstrdup(result->error);
    b->n_pushes++;
    b->n_push_failures += result->error != NULL;
    if (result->error) {
        VLOG_WARN("%s", result->error);
        d->status = d->status ? d->status : EXIT_BRIDGE;
        return;
    }
    b->in_force = b->up;
    b->pushed_ms = time_wall_msec();
    b->elapsed_ms = result->elapsed_ms;
    b->n_flows = result->wanted.n;
    b->n_local = result->n_local;
    learn_ports(b, result->ports);
    if (b->up && !b->drift.watching) {
        b->drift.watching = true;
        drift_watch(b);
    }
    web_note_push(d->web, b, result);
    if (result->warning) {
        VLOG_WARN("%s", result->warning);
    }
    if (result->changes.n) {
        hear_changed(b);
        VLOG_INFO("%s: %"PRIuSIZE" flows added, %"PRIuSIZE" changed, %"PRIuSIZE
                  " removed, %"PRIuSIZE" as they were; %"PRIuSIZE" workloads "
                  "here (%lld ms)", d->bridge_names.names[bridge],
                  result->counts.added, result->counts.changed,
                  result->counts.removed, result->counts.unchanged,
                  result->n_local, result->elapsed_ms);
    }
}

void
keeper_attested(size_t bridge, const struct attest_counts *counts,
                const char *error, void *d_)
{
    struct daemon *d = d_;
    struct bridge_state *b = &d->bridges[bridge];
    if (error && nullable_string_is_equal(error, b->attest_error)) {
        return;                 /* Said already. */
    } else if (error) {
        VLOG_WARN("%s: no statements: %s", d->bridge_names.names[bridge],
                  error);
    } else if (counts->n_deviate != b->attested.n_deviate) {
        VLOG_INFO("%s: %"PRIuSIZE" of %"PRIuSIZE" workloads conform",
                  d->bridge_names.names[bridge], counts->n - counts->n_deviate,
                  counts->n);
    }
    free(b->attest_error);
    b->attest_error = nullable_xstrdup(error);
    if (!error) {
        b->attested = *counts;
        b->attested_ms = time_wall_msec();
    }
}
