/* A program of the site's choice, run for each deviation that begins.
 *
 * It gets the event, the reason, source and destination as arguments and the
 * record as JSON as input, and runs beside sdfwd for a limited time
 * (child.h).  How many run at a time, and how often ("hook-rate"), is limited;
 * what has to wait is queued, and what does not fit there is dropped and
 * counted. */

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>
#include <openvswitch/shash.h>
#include <openvswitch/token-bucket.h>
#include <openvswitch/vlog.h>

#include "child.h"
#include "queue.h"
#include "settings.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(sink_hook);

/* About a hundred records: more would come too late to be of use. */
#define MAX_QUEUED (96 * 1024)
#define MAX_CHILDREN 4
#define LIMIT_MS 10000

/* Tokens come at "hook-rate" per millisecond, so that a start costs a
 * minute's milliseconds. */
#define START_TOKENS 60000

enum { N_ARGUMENTS = 4 };       /* Without the program itself. */

struct sink_hook {
    struct sink sink;
    struct loop *loop;
    char *program;
    struct child *children[MAX_CHILDREN]; /* NULL: there is room. */
    struct hook_run {
        struct sink_hook *hook;
        size_t i;               /* In 'children'. */
    } runs[MAX_CHILDREN];
    uint64_t n_failed;          /* Not started, or did not exit with 0. */
    uint64_t n_late;            /* Of these, took too long. */
    struct queue queue;         /* The arguments as strings, then the JSON. */
    struct token_bucket rate;
    struct timer *timer;        /* While only the rate makes records wait. */
};

static struct sink_hook *
sink_hook_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_hook, sink);
}

/* Running. */

static void start_some(void *hook);

static void
note_failure(struct sink_hook *hook, const char *how)
{
    static struct vlog_rate_limit limit = VLOG_RATE_LIMIT_INIT(5, 20);
    hook->n_failed++;
    VLOG_WARN_RL(&limit, "%s", how);
}

static void
ended(int code, int status, bool late, void *run_)
{
    struct hook_run *run = run_;
    struct sink_hook *hook = run->hook;
    char *how = NULL;
    hook->children[run->i] = NULL;
    if (late) {
        hook->n_late++;
        how = xasprintf("hook %s: killed after %d seconds", hook->program,
                        LIMIT_MS / 1000);
    } else if (code != CLD_EXITED) {
        how = xasprintf("hook %s: ended by signal %d", hook->program,
                        status);
    } else if (status) {
        how = xasprintf("hook %s: exit status %d", hook->program, status);
    }
    if (how) {
        note_failure(hook, how);
        free(how);
    }
    start_some(hook);
}

static void
start_one(struct sink_hook *hook, size_t slot, const struct queue_item *item)
{
    const char *argv[1 + N_ARGUMENTS + 1] = { hook->program };
    const char *p = item->data;
    for (int i = 1; i <= N_ARGUMENTS; i++) {
        argv[i] = p;
        p += strlen(p) + 1;
    }
    hook->runs[slot] = (struct hook_run) { hook, slot };
    char *error = child_start(hook->loop, argv, p,
                              item->n - (p - item->data), LIMIT_MS, ended,
                              &hook->runs[slot], &hook->children[slot]);
    if (error) {
        note_failure(hook, error);
        free(error);
    }
}

/* Starts the program for as many records as may be. */
static void
start_some(void *hook_)
{
    struct sink_hook *hook = hook_;
    for (size_t i = 0; i < MAX_CHILDREN; i++) {
        while (!hook->children[i] && hook->queue.n) {
            if (!token_bucket_withdraw(&hook->rate, START_TOKENS)) {
                timer_set(hook->timer, START_TOKENS / hook->rate.rate + 1);
                return;
            }
            start_one(hook, i, queue_front(&hook->queue));
            queue_pop(&hook->queue);
        }
    }
}

/* Records. */

static const char *
member(const struct json *json, const char *name)
{
    const struct json *value = json && json->type == JSON_OBJECT
                               ? shash_find_data(json_object(json), name)
                               : NULL;
    return value && value->type == JSON_STRING ? json_string(value) : "";
}

/* The path of a workload, or its address. */
static void
put_party(struct ds *s, const struct json *record, const char *name)
{
    const struct json *party = shash_find_data(json_object(record), name);
    const char *workload = member(party, "workload");
    const char *address = member(party, "address");
    if (workload[0]) {
        ds_put_format(s, "%s/%s/%s", member(party, "application"),
                      member(party, "service"), workload);
    } else {
        ds_put_cstr(s, address[0] ? address : member(party, "mac"));
    }
    ds_put_char(s, '\0');
}

static void
sink_hook_put(struct sink *sink, const struct record *record)
{
    struct sink_hook *hook = sink_hook_cast(sink);
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%s%c%s%c", member(record->json, "event"), '\0',
                  member(record->json, "reason"), '\0');
    put_party(&s, record->json, "src");
    put_party(&s, record->json, "dst");
    json_to_ds(record->json, JSSF_SORT, &s);
    ds_put_char(&s, '\n');
    if (!queue_push(&hook->queue, s.string, s.length)) {
        sink->n_dropped++;
    }
    ds_destroy(&s);
    start_some(hook);
}

/* The rest of a sink. */

static char *
sink_hook_check(const char *program)
{
    struct stat st;
    if (program[0] != '/') {
        return xasprintf("hook wants the absolute path of a program, not "
                         "\"%s\"", program);
    }
    if (!stat(program, &st) && !S_ISREG(st.st_mode)) {
        return xasprintf("cannot run %s: no file", program);
    } else if (faccessat(AT_FDCWD, program, X_OK, AT_EACCESS)) {
        return xasprintf("cannot run %s: %s", program, ovs_strerror(errno));
    }
    return NULL;
}

static char *
sink_hook_open(struct loop *loop, const char *program, struct sink **sinkp)
{
    struct sink_hook *hook = xzalloc(sizeof *hook);
    hook->loop = loop;
    hook->program = xstrdup(program);
    queue_init(&hook->queue, MAX_QUEUED);
    hook->timer = timer_create_in(loop, start_some, hook);
    token_bucket_init(&hook->rate, 0, 0);
    *sinkp = &hook->sink;
    return NULL;
}

static void
sink_hook_configure(struct sink *sink, const struct settings *settings)
{
    unsigned int rate = settings_number(settings, SETTING_HOOK_RATE);
    token_bucket_set(&sink_hook_cast(sink)->rate, rate, rate * START_TOKENS);
}

static void
sink_hook_close(struct sink *sink)
{
    struct sink_hook *hook = sink_hook_cast(sink);
    for (size_t i = 0; i < MAX_CHILDREN; i++) {
        if (hook->children[i]) {
            child_kill(hook->children[i]);
        }
    }
    timer_destroy(hook->timer);
    queue_destroy(&hook->queue);
    free(hook->program);
    free(hook);
}

static size_t
sink_hook_n_waiting(const struct sink *sink)
{
    return sink_hook_cast(sink)->queue.n;
}

static void
sink_hook_describe(const struct sink *sink, struct ds *s)
{
    const struct sink_hook *hook = sink_hook_cast(sink);
    int n_running = 0;
    for (size_t i = 0; i < MAX_CHILDREN; i++) {
        n_running += hook->children[i] != NULL;
    }
    ds_put_format(s, ", %d running, %"PRIu64" failed (%"PRIu64" of these took "
                  "too long)", n_running, hook->n_failed, hook->n_late);
}

const struct sink_class sink_hook_class = {
    .name = "hook",
    .for_people = true,
    .opens_only = true,
    .check = sink_hook_check,
    .open = sink_hook_open,
    .configure = sink_hook_configure,
    .put = sink_hook_put,
    .close = sink_hook_close,
    .n_waiting = sink_hook_n_waiting,
    .describe = sink_hook_describe,
};
