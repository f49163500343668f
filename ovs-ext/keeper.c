/* Keeps bridges in step with the manifests: see keeper.h. */

#include "keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <openvswitch/ofpbuf.h>

#include "keeper-work.h"
#include "overlay.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

/* What failed is tried again after so long. */
#define RETRY_MS 1000

/* A full push comes so long after the last of quick ones, which are not to
 * wait for it, and at most so long after the first. */
#define VERIFY_MS 200
#define VERIFY_MAX_MS 1000

struct keeper {
    struct keeper_settings settings;
    struct report_settings reports;
    struct keeper_callbacks callbacks;
    void *aux;
    int done_fd;                /* eventfd(2): a thread is done. */
    struct watch *done;
    struct timer *retry;        /* What failed. */
    struct timer *verify;       /* Full pushes after quick ones. */
    long long int verify_since; /* 0: it is not set. */
    struct timer *window;       /* A link becomes valid, or ceases to be. */

    struct topology *topology;  /* In force; NULL: none yet. */
    bool modes_changed;         /* They are to be put into force. */
    struct work *work;          /* Under way, or NULL. */
    bool reload;                /* Wanted next. */
    struct bridge_memory *bridges;
};

static void start(struct keeper *);

/* Not while a thread works with it. */
static void
forget(struct bridge_memory *memory)
{
    if (memory->ports) {
        ports_destroy(memory->ports);
        memory->ports = NULL;
        flow_set_destroy(&memory->flows);
    }
}

static bool
is_known(const struct bridge_memory *memory)
{
    return memory->ports && memory->of_session == memory->session;
}

/* Sets a timer for the next time at which a link becomes valid or ceases to
 * be, or a quarantine ends. */
static void
schedule_window(struct keeper *keeper)
{
    time_t now = time(NULL), next = 0;
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        const struct ports *ports = keeper->bridges[i].ports;
        time_t changes = ports && ports->overlay ? ports->overlay->changes : 0;
        if (changes && (!next || changes < next)) {
            next = MAX(changes, now);
        }
    }
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

/* Takes what 'result' has made out of it. */
static void
remember(struct keeper *keeper, struct bridge_memory *memory,
         struct push_result *result)
{
    forget(memory);
    memory->ports = result->ports;
    memory->flows = result->wanted;
    memory->of_session = memory->session;
    result->ports = NULL;
    flow_set_init(&result->wanted, result->wanted.table_base);
    if (memory->ports->overlay && memory->ports->overlay->changes) {
        schedule_window(keeper);
    }
}

static void
set_all_dirty(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        keeper->bridges[i].dirty = true;
    }
}

static void
take_topology(struct keeper *keeper, struct work *work)
{
    keeper->callbacks.loaded(work->topology, &work->report, keeper->aux);
    if (work->topology) {
        for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
            forget(&keeper->bridges[i]);
        }
        topology_destroy(keeper->topology);
        keeper->topology = work->topology;
        modes_apply(keeper->settings.modes, keeper->topology, true);
        schedule_window(keeper);
    }
    set_all_dirty(keeper);
}

/* After a full push. */
static void
take_results(struct keeper *keeper, struct work *work)
{
    bool failed = false;
    for (size_t i = 0; i < work->n; i++) {
        const struct target *target = &work->targets[i];
        struct bridge_memory *memory = &keeper->bridges[target->bridge];
        struct push_result *result = &work->results[i];
        if (target->known && !result->error) {
            keeper->callbacks.verified(target->bridge, &target->drift,
                                       result->ports, keeper->aux);
        }
        if (work->kind == WORK_ATTEST) {
            keeper->callbacks.attested(target->bridge, &target->attested,
                                       result->error ? result->error
                                       : target->attest_error, keeper->aux);
        }
        if (work->kind != WORK_PUSH && !result->error) {
            /* What differs for another reason is wanted. */
            memory->dirty |= result->changes.n
                             && (keeper->settings.repairs_drift
                                 || !target->drift.n);
            continue;
        }
        keeper->callbacks.pushed(target->bridge, result, keeper->aux);
        if (result->error) {
            forget(memory);
            /* What is not there is pushed to when it comes. */
            if (memory->datapath_id) {
                memory->dirty = true;
                failed = true;
            }
        } else if (memory->datapath_id
                   && memory->session == target->session) {
            remember(keeper, memory, result);
        }
    }
    if (failed) {
        timer_set(keeper->retry, RETRY_MS);
    }
}

static void
verify_soon(struct keeper *keeper)
{
    long long int now = time_msec();
    if (!keeper->verify_since) {
        keeper->verify_since = now;
    }
    timer_set(keeper->verify,
              MAX(0, MIN(VERIFY_MS,
                         keeper->verify_since + VERIFY_MAX_MS - now)));
}

static void
verify(void *keeper_)
{
    struct keeper *keeper = keeper_;
    keeper->verify_since = 0;
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        struct bridge_memory *memory = &keeper->bridges[i];
        bool *wanted = keeper->settings.repairs_drift ? &memory->dirty
                       : &memory->check;
        *wanted |= memory->datapath_id != 0;
    }
    start(keeper);
}

/* Something may still wait for its time, but nothing is wanted now. */
static bool
has_more(const struct keeper *keeper)
{
    bool more = keeper->reload || keeper->modes_changed;
    for (size_t i = 0; keeper->topology && i < keeper->settings.n_bridges;
         i++) {
        const struct bridge_memory *memory = &keeper->bridges[i];
        more |= memory->dirty || memory->check || memory->attest
                || memory->ports_changed || memory->flood;
    }
    return more;
}

static void
end_work(struct keeper *keeper)
{
    struct work *work = keeper->work;
    bool wanted = has_more(keeper);
    keeper->work = NULL;
    if (work->kind == WORK_READ) {
        take_topology(keeper, work);
        wanted = has_more(keeper);
    } else if (work->kind == WORK_PUSH || work->kind == WORK_CHECK
               || work->kind == WORK_ATTEST) {
        take_results(keeper, work);
    }
    work_destroy(work);
    if (wanted) {
        start(keeper);
    }
    if (!keeper->work) {
        keeper->callbacks.idle(keeper->aux);
    }
}

/* A quick push has ended. */
static void
sent(const char *error, void *target_)
{
    struct target *target = target_;
    struct keeper *keeper = target->keeper;
    struct work *work = keeper->work;
    struct bridge_memory *memory = &keeper->bridges[target->bridge];
    if (error || memory->session != target->session) {
        forget(memory);
        memory->dirty |= memory->datapath_id != 0;
    } else {
        target->result->elapsed_ms = time_msec() - work->start_ms;
        keeper->callbacks.pushed(target->bridge, target->result, keeper->aux);
        remember(keeper, memory, target->result);
        memory->flood = true;
        verify_soon(keeper);
    }
    if (!--work->n_sending) {
        end_work(keeper);
    }
}

static void
send_bundles(struct keeper *keeper, struct work *work)
{
    work->n_sending = work->n;
    for (size_t i = 0, n = work->n; i < n; i++) {
        struct target *target = &work->targets[i];
        struct openflow *openflow = keeper->callbacks.openflow(target->bridge,
                                                               keeper->aux);
        if (!openflow || keeper->bridges[target->bridge].session
                         != target->session) {
            sent("it went away", target);
        } else if (!target->bundle) {
            sent(NULL, target);
        } else {
            openflow_send_bundle(openflow, target->bundle->data,
                                 target->bundle->size, sent, target);
        }
    }
}

static void
work_done(void *keeper_)
{
    struct keeper *keeper = keeper_;
    uint64_t count;
    ignore(read(keeper->done_fd, &count, sizeof count));
    struct work *work = keeper->work;
    xpthread_join(work->thread, NULL);
    if (work->kind == WORK_PREPARE) {
        send_bundles(keeper, work);
    } else {
        end_work(keeper);
    }
}

/* Where workloads are on bridge 'i', or NULL if that is not clear. */
static struct ports *
resolve(struct keeper *keeper, size_t i)
{
    const struct ovsdb_rows *rows = keeper->callbacks.rows(keeper->aux);
    uint64_t datapath_id = keeper->bridges[i].datapath_id;
    if (!rows || !datapath_id) {
        return NULL;
    }
    struct ports *ports = ports_create(keeper->topology);
    char *error = ovsdb_resolve_rows(rows, datapath_id, ports);
    if (error) {
        /* The full push says it. */
        free(error);
        ports_destroy(ports);
        return NULL;
    }
    return ports;
}

static struct target *
add_target(struct keeper *keeper, struct work *work, size_t bridge)
{
    struct target *target = &work->targets[work->n++];
    *target = (struct target) {
        .bridge = bridge, .session = keeper->bridges[bridge].session,
        .keeper = keeper, .known = is_known(&keeper->bridges[bridge]),
    };
    flow_set_init(&target->drift, keeper->settings.table_base);
    return target;
}

/* If a quick push to bridge 'i' is wanted, adds it to 'work'. */
static void
look_at_ports(struct keeper *keeper, size_t i, struct work *work)
{
    struct bridge_memory *memory = &keeper->bridges[i];
    struct openflow *openflow = keeper->callbacks.openflow(i, keeper->aux);
    if (!memory->ports_changed) {
        return;
    }
    memory->ports_changed = false;
    if (!is_known(memory) || !openflow) {
        memory->dirty = true;
        return;
    }
    struct ports *ports = resolve(keeper, i);
    if (!ports) {
        memory->dirty = true;
    } else if (ports_equal(ports, memory->ports)) {
        ports_destroy(ports);
        verify_soon(keeper);
    } else {
        struct target *target = add_target(keeper, work, i);
        target->ports = ports;
        target->of_version = openflow_version(openflow);
    }
}

static void
add_flood(struct keeper *keeper, size_t i, struct work *work)
{
    struct bridge_memory *memory = &keeper->bridges[i];
    if (memory->flood && is_known(memory)) {
        add_target(keeper, work, i);
    }
    memory->flood = false;
}

static void
add_push(struct keeper *keeper, size_t i, struct work *work)
{
    struct bridge_memory *memory = &keeper->bridges[i];
    if (memory->dirty) {
        memory->dirty = memory->check = false;
        add_target(keeper, work, i)->ports = resolve(keeper, i);
    }
}

static void
add_check(struct keeper *keeper, size_t i, struct work *work)
{
    struct bridge_memory *memory = &keeper->bridges[i];
    if (memory->check) {
        memory->check = false;
        add_target(keeper, work, i)->ports = resolve(keeper, i);
    }
}

static void
add_attest(struct keeper *keeper, size_t i, struct work *work)
{
    struct bridge_memory *memory = &keeper->bridges[i];
    if (memory->attest) {
        memory->attest = false;
        add_target(keeper, work, i)->ports = resolve(keeper, i);
    }
}

/* Calls 'add' for each bridge.  Returns true if something is to be done. */
static bool
choose(struct keeper *keeper, struct work *work, enum work_kind kind,
       void (*add)(struct keeper *, size_t, struct work *))
{
    work->kind = kind;
    for (size_t i = 0; keeper->topology && i < keeper->settings.n_bridges;
         i++) {
        add(keeper, i, work);
    }
    return work->n;
}

/* Fills in the most urgent of what is wanted, if there is any. */
static bool
choose_work(struct keeper *keeper, struct work *work)
{
    if (choose(keeper, work, WORK_PREPARE, look_at_ports)
        || choose(keeper, work, WORK_FLOOD, add_flood)) {
        return true;
    } else if (keeper->reload) {
        work->kind = WORK_READ;
        keeper->reload = false;
        return true;
    }
    return choose(keeper, work, WORK_PUSH, add_push)
           || choose(keeper, work, WORK_CHECK, add_check)
           || choose(keeper, work, WORK_ATTEST, add_attest);
}

/* Starts what is wanted, unless something is under way: its end starts it. */
static void
start(struct keeper *keeper)
{
    if (keeper->work || !has_more(keeper)) {
        return;
    }
    if (keeper->modes_changed) {
        /* No thread reads the topology now. */
        keeper->modes_changed = false;
        modes_apply(keeper->settings.modes, keeper->topology, false);
        set_all_dirty(keeper);
    }
    struct work *work = work_create(&keeper->settings, &keeper->reports,
                                    keeper->bridges, keeper->done_fd);
    work->topology = keeper->topology;
    if (!choose_work(keeper, work)) {
        work_destroy(work);
        return;
    }
    keeper->work = work;
    work_start(work);
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
    keeper_set_reports(keeper, settings->reports, settings->adopt_seconds,
                       settings->repairs_drift);
    keeper->callbacks = *callbacks;
    keeper->aux = aux;
    keeper->bridges = xcalloc(settings->n_bridges + 1,
                              sizeof *keeper->bridges);
    keeper->done_fd = eventfd(0, EFD_CLOEXEC);
    if (keeper->done_fd < 0) {
        ovs_fatal(errno, "eventfd");
    }
    keeper->done = watch_create(loop, keeper->done_fd, work_done, keeper);
    keeper->retry = timer_create_in(loop, start_again, keeper);
    keeper->verify = timer_create_in(loop, verify, keeper);
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
        if (!keeper->work->n_sending) {
            xpthread_join(keeper->work->thread, NULL);
        }
        if (keeper->work->kind == WORK_READ) {
            topology_destroy(keeper->work->topology);
        }
        work_destroy(keeper->work);
    }
    timer_destroy(keeper->retry);
    timer_destroy(keeper->verify);
    timer_destroy(keeper->window);
    watch_destroy(keeper->done);
    close(keeper->done_fd);
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        forget(&keeper->bridges[i]);
    }
    topology_destroy(keeper->topology);
    free(keeper->bridges);
    free(keeper);
}

void
keeper_set_reports(struct keeper *keeper,
                   const struct report_settings *reports,
                   uint16_t adopt_seconds, bool repairs_drift)
{
    keeper->reports = *reports;
    keeper->settings.adopt_seconds = adopt_seconds;
    keeper->settings.repairs_drift = repairs_drift;
}

void
keeper_reload(struct keeper *keeper)
{
    keeper->reload = true;
    start(keeper);
}

void
keeper_push_all(struct keeper *keeper)
{
    set_all_dirty(keeper);
    start(keeper);
}

void
keeper_bridge_up(struct keeper *keeper, size_t i, uint64_t datapath_id)
{
    keeper->bridges[i].session++;
    keeper->bridges[i].datapath_id = datapath_id;
    keeper->bridges[i].dirty = true;
    start(keeper);
}

void
keeper_bridge_down(struct keeper *keeper, size_t i)
{
    keeper->bridges[i].session++;
    keeper->bridges[i].datapath_id = 0;
}

void
keeper_ports_changed(struct keeper *keeper, size_t i)
{
    if (keeper->bridges[i].datapath_id) {
        keeper->bridges[i].ports_changed = true;
        start(keeper);
    }
}

void
keeper_attest(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->settings.n_bridges; i++) {
        keeper->bridges[i].attest = keeper->bridges[i].datapath_id != 0;
    }
    start(keeper);
}

void
keeper_flows_changed(struct keeper *keeper)
{
    verify_soon(keeper);
}

char *
keeper_set_mode(struct keeper *keeper, const char *name, const char *mode)
{
    char *error = modes_set(keeper->settings.modes, keeper->topology, name,
                            mode);
    if (!error && keeper->topology) {
        keeper->modes_changed = true;
        start(keeper);
    }
    return error;
}
