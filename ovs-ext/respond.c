/* What is done when a workload deviates: see respond.h. */

#include "respond.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "daemon.h"
#include "overlay.h"
#include "tell.h"
#include "timeval.h"
#include "util.h"

/* After so long, a quarantine that is not in force will not be. */
#define PENDING_MS 10000

static const char *const reason_names[] = { REASON_NAMES };

/* When the last deviations of a workload were, for one response. */
struct counter {
    long long int *times_ms;    /* A ring of response->count. */
    unsigned int n, next;
};

struct pending {
    long long int since_ms;
};

void
respond_init(struct respond_state *state)
{
    shash_init(&state->counters);
    shash_init(&state->pending);
}

void
respond_forget(struct respond_state *state)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, &state->counters) {
        struct counter *counter = node->data;
        free(counter->times_ms);
    }
    shash_clear_free_data(&state->counters);
}

void
respond_destroy(struct respond_state *state)
{
    respond_forget(state);
    shash_destroy(&state->counters);
    shash_destroy_free_data(&state->pending);
}

/* Counts one more; returns true if that makes enough of them, and begins
 * anew. */
static bool
count(struct respond_state *state, const struct response *r, const char *path,
      long long int now_ms)
{
    char *key = xasprintf("%p %s", r, path);
    struct counter *counter = shash_find_data(&state->counters, key);
    if (!counter) {
        counter = xzalloc(sizeof *counter);
        counter->times_ms = xcalloc(r->count, sizeof *counter->times_ms);
        shash_add(&state->counters, key, counter);
    }
    free(key);
    counter->times_ms[counter->next] = now_ms;
    counter->next = (counter->next + 1) % r->count;
    counter->n = MIN(counter->n + 1, r->count);
    /* The next to be written over is the oldest. */
    if (counter->n < r->count || counter->times_ms[counter->next]
                                 < now_ms - r->within_s * 1000LL) {
        return false;
    }
    counter->n = 0;
    return true;
}

void
respond_overlay_changed(struct bridge_state *b)
{
    for (size_t i = 0; b->overlay && i < b->overlay->n_quarantines; i++) {
        char *path = workload_path(b->overlay->quarantines[i].workload);
        free(shash_find_and_delete(&b->respond.pending, path));
        free(path);
    }
}

/* The guard. */

static bool
is_pending(const struct bridge_state *b, const struct workload *w)
{
    char *path = workload_path(w);
    const struct pending *p = shash_find_data(&b->respond.pending, path);
    free(path);
    return p && time_msec() - p->since_ms < PENDING_MS;
}

/* Whether one more of the service of 'w' may go into quarantine. */
static bool
may_be_quarantined(const struct bridge_state *b, const struct workload *w,
                   const struct response *r)
{
    size_t n = 0, n_quarantined = 1;
    for (size_t port = 0; port < PORT_MAX; port++) {
        const struct workload *other = b->by_port[port];
        if (other && other->home == w->home) {
            n++;
            n_quarantined += overlay_find_quarantine(b->overlay, other)
                             || is_pending(b, other);
        }
    }
    return n_quarantined * 100 <= n * r->max_share;
}

/* OVSDB. */

static void
said(bool ok, void *b_)
{
    struct bridge_state *b = b_;
    if (!ok) {
        tell_event(b, "response", json_object_create(), "a quarantine could "
                   "not be written to OVSDB", LOG_ERR, "RESPONSE");
    }
}

static struct json *
pair(const char *key, const char *value)
{
    return json_array_create_2(json_string_create(key),
                               json_string_create(value));
}

static struct json *
mutation(const char *mutator, struct json *value)
{
    return json_array_create_3(json_string_create("external_ids"),
                               json_string_create(mutator), value);
}

/* Keys of external_ids, and their values. */
struct keys {
    struct json *names, *pairs;
};

/* Takes 'value'. */
static void
put_key(struct keys *keys, const char *name, char *value)
{
    json_array_add(keys->names, json_string_create(name));
    json_array_add(keys->pairs, pair(name, value));
    free(value);
}

/* In so many minutes, as in OVSDB. */
static char *
end_of(int minutes)
{
    return xastrftime_msec("%Y-%m-%dT%H:%M:%SZ",
                           time_wall_msec() + minutes * 60000LL, true);
}

/* Sets the keys (RFC 7047, 5.1: "insert" alone would leave what is there). */
static void
say(struct bridge_state *b, const char *interface, struct keys *keys)
{
    struct json *mutations = json_array_create_2(
        mutation("delete", json_array_create_2(json_string_create("set"),
                                               keys->names)),
        mutation("insert", json_array_create_2(json_string_create("map"),
                                               keys->pairs)));
    ovsdb_watch_mutate_interface(b->daemon->ovsdb_watch, interface, mutations,
                                 said, b);
}

/* Says what 'r' wants; of quarantine, if 'held'. */
static void
take_measures(struct bridge_state *b, const char *interface, const char *path,
              const struct response *r, bool held, const char *reason)
{
    struct keys keys = { json_array_create_empty(),
                         json_array_create_empty() };
    if (held) {
        put_key(&keys, KEY_QUARANTINE,
                r->quarantine_min == QUARANTINE_UNTIL_RELEASED
                ? xstrdup(INDEFINITE) : end_of(r->quarantine_min));
        put_key(&keys, KEY_QUARANTINE_REASON, xstrdup(reason));
        struct pending *pending = xmalloc(sizeof *pending);
        pending->since_ms = time_msec();
        free(shash_replace(&b->respond.pending, path, pending));
    }
    if (r->capture_min) {
        put_key(&keys, KEY_CAPTURE, end_of(r->capture_min));
    }
    say(b, interface, &keys);
}

/* Telling. */

static struct json *
workload_to_json(const struct workload *w)
{
    struct json *json = json_object_create();
    json_object_put_string(json, "application", w->home->application->name);
    json_object_put_string(json, "service", w->home->name);
    json_object_put_string(json, "workload", w->name);
    return json;
}

/* Why 'w' does not go into quarantine; NULL if it does. */
static char *
why_not_held(const struct bridge_state *b, const struct deviation *deviation,
             const struct workload *w, const struct response *r)
{
    if (r->quarantine_min == QUARANTINE_NONE) {
        return xstrdup("reported");
    } else if (!deviation->key.enforced) {
        return xstrdup("NOT in quarantine, for it is not in mode enforce");
    } else if (!may_be_quarantined(b, w, r)) {
        return xasprintf("NOT in quarantine, for more than %u %% of %s would "
                         "be", r->max_share, w->home->path);
    }
    return NULL;
}

static char *
in_words(const struct response *r, const char *why_not)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    if (why_not) {
        ds_put_cstr(&s, why_not);
    } else if (r->quarantine_min) {
        ds_put_format(&s, "in quarantine for %d minutes", r->quarantine_min);
    } else {
        ds_put_cstr(&s, "in quarantine until it is released");
    }
    if (r->capture_min) {
        ds_put_format(&s, ", captured for %u minutes", r->capture_min);
    }
    return ds_steal_cstr(&s);
}

static void
tell_response(const struct bridge_state *b, const struct deviation *deviation,
              const struct workload *w, bool held, const char *reason,
              const char *done, const char *cause)
{
    char *path = workload_path(w);
    char *text = xasprintf("%s: response: %s is %s: %s",
                           b->daemon->bridge_names.names[b->index], path,
                           done, cause);
    struct json *json = json_object_create();
    json_object_put(json, "src", workload_to_json(w));
    json_object_put_string(json, "reason", reason);
    json_object_put_string(json, "action", held ? "quarantine" : "report");
    json_object_put_string(json, "done", done);
    json_object_put_string(json, "cause", cause);
    json_object_put(json, "id", json_integer_create(deviation->id));
    tell_event(b, "response", json, text, LOG_WARNING, "RESPONSE");
    free(text);
    free(path);
}

static void
strike(struct bridge_state *b, const struct deviation *deviation,
       const struct workload *w, const struct response *r, const char *path,
       const char *reason)
{
    const char *interface = b->port_names[deviation->key.in_port];
    bool away = !interface || !ovsdb_watch_rows(b->daemon->ovsdb_watch);
    char *why_not = why_not_held(b, deviation, w, r);
    bool held = !why_not && !away;
    char *done = away && (!why_not || r->capture_min)
                 ? xstrdup("reported only, for OVSDB is not there")
                 : in_words(r, why_not);
    char *cause = xasprintf("%u deviations in %u s, the last %s (deviation "
                            "%"PRIu64"), as %s:%d says", r->count,
                            r->within_s, reason, deviation->id, r->where.file,
                            r->where.line);
    if (!away && (held || r->capture_min)) {
        take_measures(b, interface, path, r, held, cause);
    }
    tell_response(b, deviation, w, held, reason, done, cause);
    free(why_not);
    free(done);
    free(cause);
}

void
respond_to(struct bridge_state *b, const struct deviation *deviation,
           const struct workload *w)
{
    const struct service *service = w->home;
    struct response *const *responses = service->n_responses
        ? service->responses : service->application->responses;
    size_t n = service->n_responses ? service->n_responses
               : service->application->n_responses;
    uint8_t reason = deviation->key.reason == REASON_NO_LINK
                     && deviation->packet.revoked ? REASON_REVOKED
                     : deviation->key.reason;
    if (!n || reason >= N_REASONS
        || overlay_find_quarantine(b->overlay, w) || is_pending(b, w)
        || overlay_service_mode(b->overlay, service) == MODE_LEARN) {
        return;
    }
    char *path = workload_path(w);
    for (size_t i = 0; i < n; i++) {
        if (responses[i]->reasons & 1u << reason
            && count(&b->respond, responses[i], path, time_msec())) {
            strike(b, deviation, w, responses[i], path, reason_names[reason]);
        }
    }
    free(path);
}
