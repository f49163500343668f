/* Keeps bridges in step with the manifests: see keeper.h. */

#include "keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "manifest.h"
#include "ovs-thread.h"
#include "util.h"

/* What failed is tried again after so long. */
#define RETRY_MS 1000

/* One piece of work, done by a thread. */
struct work {
    const struct keeper_settings *settings;
    int done_fd;                /* eventfd(2): written at the end. */
    pthread_t thread;

    bool reload;
    struct topology *topology;  /* To push, or what was read. */
    struct report report;       /* Of 'reload'. */
    const char **targets;       /* Bridges, and which they are. */
    size_t *indexes;
    size_t n;
    struct push_result *results; /* NULL if nothing was pushed. */
};

struct keeper {
    struct keeper_settings settings;
    struct keeper_callbacks callbacks;
    void *aux;
    int done_fd;
    struct watch *done;
    struct timer *retry;        /* What failed. */
    struct timer *window;       /* A link becomes valid, or ceases to be. */

    struct topology *topology;  /* In force; NULL: none yet. */
    struct work *work;          /* Under way, or NULL. */
    bool reload;                /* Wanted next. */
    bool *dirty;                /* By bridge: wanted next. */
};

static void start(struct keeper *);

/* In the thread. */

static void
read_manifests(struct work *work)
{
    struct topology *topology = manifest_read(work->settings->paths,
                                              work->settings->n_paths,
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

static void *
run_work(void *work_)
{
    struct work *work = work_;
    if (work->reload) {
        read_manifests(work);
    }
    if (work->topology && work->n) {
        const struct push_options options = {
            .db = work->settings->db,
            .timeout_ms = work->settings->timeout_ms,
            .adopt_seconds = work->settings->adopt_seconds,
            .table_base = work->settings->table_base,
            .reports = work->settings->reports,
            .now = time(NULL),
        };
        tls_use_in_libopenvswitch(work->settings->ssl);
        work->results = push_bridges(work->topology, work->targets, work->n,
                                     &options);
    }
    uint64_t one = 1;
    ignore(write(work->done_fd, &one, sizeof one));
    return NULL;
}

/* In the loop. */

static void
work_destroy(struct work *work)
{
    push_results_destroy(work->results, work->results ? work->n : 0);
    report_destroy(&work->report);
    free(work->targets);
    free(work->indexes);
    free(work);
}

/* Sets a timer for the next time at which a link becomes valid or ceases to
 * be. */
static void
schedule_window(struct keeper *keeper)
{
    time_t now = time(NULL), next = 0;
    for (size_t i = 0; i < keeper->topology->n_applications; i++) {
        const struct application *a = keeper->topology->applications[i];
        for (size_t j = 0; j < a->n_links; j++) {
            const time_t times[] = { a->links[j]->not_before,
                                     a->links[j]->not_after };
            for (size_t k = 0; k < ARRAY_SIZE(times); k++) {
                if (times[k] > now && (!next || times[k] < next)) {
                    next = times[k];
                }
            }
        }
    }
    timer_cancel(keeper->window);
    if (next) {
        /* At least once a day, in case the clock is set. */
        timer_set(keeper->window, MIN(next - now, 86400) * 1000LL);
    }
}

static void
take_topology(struct keeper *keeper, struct work *work)
{
    keeper->callbacks.loaded(work->topology, &work->report, keeper->aux);
    if (work->topology) {
        topology_destroy(keeper->topology);
        keeper->topology = work->topology;
        schedule_window(keeper);
    } else if (keeper->topology) {
        /* What was asked for together with the reading is still to be done,
         * by the policy that stays in force. */
        for (size_t i = 0; i < work->n; i++) {
            keeper->dirty[work->indexes[i]] = true;
        }
    }
}

static void
take_results(struct keeper *keeper, struct work *work)
{
    bool failed = false;
    for (size_t i = 0; work->results && i < work->n; i++) {
        keeper->callbacks.pushed(work->indexes[i], &work->results[i],
                                 keeper->aux);
        if (work->results[i].error) {
            keeper->dirty[work->indexes[i]] = true;
            failed = true;
        }
    }
    if (failed) {
        timer_set(keeper->retry, RETRY_MS);
    }
}

static bool
has_more(const struct keeper *keeper)
{
    bool more = keeper->reload;
    for (size_t i = 0; keeper->topology && i < keeper->settings.n_bridges;
         i++) {
        more |= keeper->dirty[i];
    }
    return more;
}

static void
work_done(void *keeper_)
{
    struct keeper *keeper = keeper_;
    uint64_t count;
    ignore(read(keeper->done_fd, &count, sizeof count));
    struct work *work = keeper->work;
    xpthread_join(work->thread, NULL);
    keeper->work = NULL;

    bool wanted = has_more(keeper);
    if (work->reload) {
        take_topology(keeper, work);
        wanted |= !work->topology && has_more(keeper);
    }
    take_results(keeper, work);
    work_destroy(work);
    if (wanted) {
        start(keeper);
    } else {
        keeper->callbacks.idle(keeper->aux);
    }
}

/* Starts what is wanted, unless something is under way: its end starts it. */
static void
start(struct keeper *keeper)
{
    if (keeper->work || !has_more(keeper)) {
        return;
    }
    size_t n_bridges = keeper->settings.n_bridges;
    struct work *work = xzalloc(sizeof *work);
    work->settings = &keeper->settings;
    work->done_fd = keeper->done_fd;
    work->reload = keeper->reload;
    work->topology = keeper->topology;
    report_init(&work->report);
    work->targets = xcalloc(n_bridges + 1, sizeof *work->targets);
    work->indexes = xcalloc(n_bridges + 1, sizeof *work->indexes);
    for (size_t i = 0; i < n_bridges; i++) {
        if (keeper->dirty[i]) {
            keeper->dirty[i] = false;
            work->targets[work->n] = keeper->settings.bridges[i];
            work->indexes[work->n++] = i;
        }
    }
    keeper->reload = false;
    keeper->work = work;
    work->thread = ovs_thread_create("keeper", run_work, work);
}

static void
start_again(void *keeper_)
{
    start(keeper_);
}

static void
window_passed(void *keeper_)
{
    struct keeper *keeper = keeper_;
    schedule_window(keeper);
    keeper_push_all(keeper);
}

struct keeper *
keeper_create(struct loop *loop, const struct keeper_settings *settings,
              const struct keeper_callbacks *callbacks, void *aux)
{
    struct keeper *keeper = xzalloc(sizeof *keeper);
    keeper->settings = *settings;
    keeper->callbacks = *callbacks;
    keeper->aux = aux;
    keeper->dirty = xcalloc(settings->n_bridges + 1, sizeof *keeper->dirty);
    keeper->done_fd = eventfd(0, EFD_CLOEXEC);
    if (keeper->done_fd < 0) {
        ovs_fatal(errno, "eventfd");
    }
    keeper->done = watch_create(loop, keeper->done_fd, work_done, keeper);
    keeper->retry = timer_create_in(loop, start_again, keeper);
    keeper->window = timer_create_in(loop, window_passed, keeper);
    return keeper;
}

void
keeper_destroy(struct keeper *keeper)
{
    if (!keeper) {
        return;
    }
    if (keeper->work) {
        xpthread_join(keeper->work->thread, NULL);
        if (keeper->work->reload) {
            topology_destroy(keeper->work->topology);
        }
        work_destroy(keeper->work);
    }
    timer_destroy(keeper->retry);
    timer_destroy(keeper->window);
    watch_destroy(keeper->done);
    close(keeper->done_fd);
    topology_destroy(keeper->topology);
    free(keeper->dirty);
    free(keeper);
}

void
keeper_reload(struct keeper *keeper)
{
    keeper->reload = true;
    keeper_push_all(keeper);
}

void
keeper_push(struct keeper *keeper, size_t i)
{
    keeper->dirty[i] = true;
    start(keeper);
}

void
keeper_push_all(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        keeper->dirty[i] = true;
    }
    start(keeper);
}
