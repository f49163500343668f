/* What a thread does for keeper.c: see keeper-work.h. */

#include "keeper-work.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openflow/openflow.h>
#include <openvswitch/ofpbuf.h>

#include "bridge.h"
#include "bundle.h"
#include "check.h"
#include "diff.h"
#include "manifest.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

static void
read_manifests(struct work *work)
{
    const struct keeper_settings *settings = work->settings;
    struct topology *(*read)(const char *const[], size_t, struct report *)
        = settings->attest ? manifest_read_with_digests : manifest_read;
    struct topology *topology = read(settings->paths, settings->n_paths,
                                     &work->report);
    if (topology) {
        check_topology(topology, time(NULL), &work->report);
    }
    if (work->report.n_errors) {
        topology_destroy(topology);
        topology = NULL;
    }
    work->topology = topology;
}

static struct push_options
get_push_options(const struct work *work)
{
    const struct keeper_settings *settings = work->settings;
    return (struct push_options) {
        .db = settings->db,
        .timeout_ms = settings->timeout_ms,
        .adopt_seconds = work->adopt_seconds,
        .table_base = settings->table_base,
        .reports = &work->reports,
        .now = time(NULL),
    };
}

/* What others have done to a bridge since the last push. */
static void
find_drift(const struct flow_set *installed, const struct flow_set *left,
           struct flow_set *drift)
{
    struct flow_set changes;
    flow_set_init(&changes, left->table_base);
    diff_flows(installed, left, &changes);
    for (size_t i = 0; i < changes.n; i++) {
        const struct flow_record *flow = &changes.flows[i];
        /* Those expire. */
        if ((flow->cookie >> COOKIE_KIND_SHIFT & 0xff) != ORIGIN_ADOPT) {
            flow_set_add_copy(drift, &changes, flow, flow->command);
        }
    }
    flow_set_destroy(&changes);
}

static void
push(struct work *work)
{
    const struct keeper_settings *settings = work->settings;
    struct push_options options = get_push_options(work);
    const char **names = xcalloc(work->n, sizeof *names);
    options.ports = xcalloc(work->n, sizeof *options.ports);
    for (size_t i = 0; i < work->n; i++) {
        names[i] = settings->bridges[work->targets[i].bridge];
        options.ports[i] = work->targets[i].ports;
        work->targets[i].ports = NULL;
    }
    tls_use_in_libopenvswitch(settings->ssl);
    options.read_only = work->kind != WORK_PUSH;
    options.read_foreign = work->kind == WORK_ATTEST;
    work->results = push_bridges(work->topology, names, work->n, &options);
    for (size_t i = 0; i < work->n; i++) {
        struct target *target = &work->targets[i];
        if (target->known && !work->results[i].error) {
            find_drift(&work->results[i].installed,
                       &work->memories[target->bridge].flows, &target->drift);
        }
        if (work->kind == WORK_ATTEST && !work->results[i].error) {
            target->attest_error = attest_log(settings->attest, work->topology,
                                              &work->results[i],
                                              &target->attested);
        }
    }
    free(options.ports);
    free(names);
}

/* Nothing waits for an answer between the flows and the commit, as a full push
 * does: such flows have been taken before, and a complaint leads to a full
 * push. */
static struct ofpbuf *
make_bundle(const struct push_result *result, const struct ports *before,
            const struct report_settings *reports, int of_version)
{
    const struct flow_set *changes = &result->changes;
    struct ofpbuf *b = ofpbuf_new(4096);
    bridge_put_meters(b, of_version, reports, result->ports, before);
    bundle_put_control(b, of_version, OFPBCT_OPEN_REQUEST, BUNDLE_OPEN_XID);
    for (size_t i = 0; i < changes->n; i++) {
        bundle_put_change(b, of_version, changes, i);
    }
    bundle_put_control(b, of_version, OFPBCT_COMMIT_REQUEST,
                       BUNDLE_COMMIT_XID);
    return b;
}

static void
prepare(struct work *work)
{
    const struct push_options options = get_push_options(work);
    for (size_t i = 0; i < work->n; i++) {
        struct target *target = &work->targets[i];
        target->result = push_prepare(
            work->topology, work->settings->bridges[target->bridge],
            target->ports, &work->memories[target->bridge].flows, &options);
        target->ports = NULL;
        if (target->result->changes.n) {
            target->bundle = make_bundle(
                target->result, work->memories[target->bridge].ports,
                &work->reports, target->of_version);
        }
    }
}

/* What fails here, the full push that follows does and tells. */
static void
set_no_flood(struct work *work)
{
    const struct push_options options = get_push_options(work);
    tls_use_in_libopenvswitch(work->settings->ssl);
    for (size_t i = 0; i < work->n; i++) {
        size_t bridge = work->targets[i].bridge;
        free(push_no_flood(work->settings->bridges[bridge],
                           work->memories[bridge].ports, &options));
    }
}

static void *
run_work(void *work_)
{
    struct work *work = work_;
    static void (*const kinds[])(struct work *) = {
        [WORK_READ] = read_manifests,
        [WORK_PUSH] = push,
        [WORK_CHECK] = push,
        [WORK_ATTEST] = push,
        [WORK_PREPARE] = prepare,
        [WORK_FLOOD] = set_no_flood,
    };
    kinds[work->kind](work);
    uint64_t one = 1;
    ignore(write(work->done_fd, &one, sizeof one));
    return NULL;
}

struct work *
work_create(const struct keeper_settings *settings,
            const struct report_settings *reports,
            const struct bridge_memory *memories, int done_fd)
{
    struct work *work = xzalloc(sizeof *work);
    work->settings = settings;
    work->memories = memories;
    work->reports = *reports;
    work->adopt_seconds = settings->adopt_seconds;
    work->done_fd = done_fd;
    work->start_ms = time_msec();
    report_init(&work->report);
    work->targets = xcalloc(settings->n_bridges + 1, sizeof *work->targets);
    return work;
}

void
work_start(struct work *work)
{
    work->thread = ovs_thread_create("keeper", run_work, work);
}

void
work_destroy(struct work *work)
{
    push_results_destroy(work->results, work->results ? work->n : 0);
    report_destroy(&work->report);
    for (size_t i = 0; i < work->n; i++) {
        ports_destroy(work->targets[i].ports);
        flow_set_destroy(&work->targets[i].drift);
        free(work->targets[i].attest_error);
        push_results_destroy(work->targets[i].result,
                             work->targets[i].result != NULL);
        ofpbuf_delete(work->targets[i].bundle);
    }
    free(work->targets);
    free(work);
}
