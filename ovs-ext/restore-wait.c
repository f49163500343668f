/* Keeps ovs-vswitchd from forwarding before it has the policy: see
 * restore-wait.h.
 *
 * A round has these steps, and begins when the database or a bridge comes, so
 * perhaps after a start of ovs-vswitchd, or goes:
 *
 * SETTLE   The key is set (if ovs-vswitchd comes later, it waits), and
 *          next_cfg counted up: when ovs-vswitchd lets cur_cfg follow, it has
 *          configured its bridges and written down the numbers of their ports.
 * PUSH     All bridges are pushed to.
 * RELEASE  The key is taken out, and next_cfg counted up: when cur_cfg
 *          follows, ovs-vswitchd has seen that and forwards.
 * ARM      The key is set for the next start.
 *
 * A round that was not necessary changes nothing. */

#include "restore-wait.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/shash.h>
#include <openvswitch/vlog.h>

#include "util.h"

VLOG_DEFINE_THIS_MODULE(restore_wait);

#define KEY "flow-restore-wait"
#define RETRY_MS 1000

enum step { START, SETTLE, PUSH, RELEASE, ARM, ARMED };

struct restore_wait {
    struct ovsdb_watch *watch;
    int limit_s;
    struct restore_wait_callbacks callbacks;
    void *aux;
    struct timer *timer;        /* The limit, or to try again. */
    enum step step;
    bool sent;                  /* The step's transaction is under way. */
    bool again;                 /* A new round is wanted. */
    bool letting_go;
    long long int next_cfg;     /* That cur_cfg has to follow. */
};

static const struct json *
column(const struct restore_wait *rw, const char *name)
{
    const struct json *row = ovsdb_watch_config(rw->watch);
    return row && row->type == JSON_OBJECT
           ? shash_find_data(json_object(row), name) : NULL;
}

static long long int
number(const struct restore_wait *rw, const char *name)
{
    const struct json *value = column(rw, name);
    return value && value->type == JSON_INTEGER ? json_integer(value) : 0;
}

/* ["map", [["flow-restore-wait", "true"], ...]] (RFC 7047, 5.1). */
static bool
key_is_set(const struct restore_wait *rw)
{
    const struct json *map = column(rw, "other_config");
    if (!map || map->type != JSON_ARRAY || map->array.n != 2
        || map->array.elems[1]->type != JSON_ARRAY) {
        return false;
    }
    const struct json_array *pairs = &map->array.elems[1]->array;
    for (size_t i = 0; i < pairs->n; i++) {
        const struct json_array *pair = &pairs->elems[i]->array;
        if (!strcmp(json_string(pair->elems[0]), KEY)) {
            return !strcmp(json_string(pair->elems[1]), "true");
        }
    }
    return false;
}

static void run(struct restore_wait *);

static void
done(bool ok, void *rw_)
{
    struct restore_wait *rw = rw_;
    rw->sent = false;
    if (!ok) {
        VLOG_WARN("OVSDB refuses to set other_config:"KEY);
        rw->step = START;
        timer_set(rw->timer, RETRY_MS);
        return;
    }
    rw->next_cfg = number(rw, "next_cfg");
    run(rw);
}

/* Begins 'step', which has a transaction. */
static void
begin(struct restore_wait *rw, enum step step)
{
    static const char set[]
        = "[\"other_config\",\"delete\",[\"set\",[\""KEY"\"]]],"
          "[\"other_config\",\"insert\",[\"map\",[[\""KEY"\",\"true\"]]]]";
    static const char unset[]
        = "[\"other_config\",\"delete\",[\"set\",[\""KEY"\"]]]";
    char *text = xasprintf("[%s%s]", step == RELEASE ? unset : set,
                           step == ARM ? "" : ",[\"next_cfg\",\"+=\",1]");
    timer_cancel(rw->timer);
    rw->step = step;
    rw->sent = true;
    ovsdb_watch_mutate_config(rw->watch, json_from_string(text), done, rw);
    free(text);
}

static void
run(struct restore_wait *rw)
{
    bool followed = number(rw, "cur_cfg") >= rw->next_cfg;
    if (rw->sent || rw->letting_go || !ovsdb_watch_config(rw->watch)) {
        return;
    } else if (rw->again) {
        rw->again = false;
        begin(rw, SETTLE);
        return;
    }
    switch (rw->step) {
    case START:
        begin(rw, SETTLE);
        break;
    case SETTLE:
        if (followed) {
            rw->step = PUSH;
            timer_set(rw->timer, rw->limit_s * 1000LL);
            rw->callbacks.push(rw->aux);
        }
        break;
    case PUSH:
        break;
    case RELEASE:
        if (followed) {
            begin(rw, ARM);
        }
        break;
    case ARM:
        rw->step = ARMED;
        break;
    case ARMED:
        if (!key_is_set(rw)) {
            begin(rw, SETTLE);
        }
        break;
    }
}

static void
timer_fired(void *rw_)
{
    struct restore_wait *rw = rw_;
    if (rw->step == PUSH && !rw->sent) {
        VLOG_ERR("the policy is not on all bridges after %d s "
                 "(--restore-wait); where it is not, packets pass without it",
                 rw->limit_s);
        begin(rw, RELEASE);
    } else {
        run(rw);
    }
}

struct restore_wait *
restore_wait_create(struct loop *loop, struct ovsdb_watch *watch, int limit_s,
                    const struct restore_wait_callbacks *callbacks, void *aux)
{
    struct restore_wait *rw = xzalloc(sizeof *rw);
    rw->watch = watch;
    rw->limit_s = limit_s;
    rw->callbacks = *callbacks;
    rw->aux = aux;
    rw->timer = timer_create_in(loop, timer_fired, rw);
    return rw;
}

void
restore_wait_destroy(struct restore_wait *rw)
{
    if (rw) {
        timer_destroy(rw->timer);
        free(rw);
    }
}

void
restore_wait_config_changed(struct restore_wait *rw)
{
    if (rw) {
        run(rw);
    }
}

void
restore_wait_database_down(struct restore_wait *rw)
{
    if (rw) {
        timer_cancel(rw->timer);
        rw->step = START;
        rw->sent = rw->again = false;
    }
}

void
restore_wait_bridge_changed(struct restore_wait *rw)
{
    if (rw) {
        rw->again = true;
        run(rw);
    }
}

void
restore_wait_idle(struct restore_wait *rw)
{
    if (rw && rw->step == PUSH && !rw->sent && !rw->again && !rw->letting_go
        && ovsdb_watch_config(rw->watch)
        && rw->callbacks.in_force(rw->aux)) {
        begin(rw, RELEASE);
    }
}

/* Not while ovs-vswitchd may be waiting: it would forward without policy.
 * Then the next sdfwd releases it, or what docs/restarts.md has for that. */
void
restore_wait_let_go(struct restore_wait *rw)
{
    if (rw && rw->step == ARMED && !rw->sent) {
        begin(rw, RELEASE);
        rw->letting_go = true;
    }
}

const char *
restore_wait_state(const struct restore_wait *rw)
{
    static const char *const states[] = {
        [START] = "waiting for OVSDB",
        [SETTLE] = "waiting for ovs-vswitchd",
        [PUSH] = "ovs-vswitchd waits for the policy if it has just started",
        [RELEASE] = "releasing ovs-vswitchd",
        [ARM] = "releasing ovs-vswitchd",
        [ARMED] = "the next start of ovs-vswitchd waits for the policy",
    };
    return rw ? states[rw->step] : NULL;
}
