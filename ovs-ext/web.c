/* Looking in by HTTP: see web.h. */

#include "web.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openvswitch/json.h>

#include "daemon.h"
#include "http.h"
#include "metrics.h"
#include "recent.h"
#include "tell.h"
#include "timeval.h"
#include "topology-json.h"
#include "totals.h"
#include "util.h"

/* Counts of flows are read when somebody asks, and at most so often. */
#define READ_INTERVAL_MS 5000

/* How many open deviations /deviations.json shows, the newest. */
#define MAX_OPEN 500

struct web {
    struct daemon *daemon;
    struct http *http;
    struct totals totals;
    struct recent recent;
    long long int asked_ms;     /* When counts were asked for; time_msec(). */
    long long int start_ms;     /* Since the epoch. */
};

/* What happens. */

void
web_note_deviation(struct web *web, enum deviation_event event,
                   const struct deviation *deviation,
                   const struct json *record, const char *text)
{
    if (web) {
        totals_note(&web->totals, event, deviation, record);
        if (event == DEVIATION_CLOSE) {
            recent_add(&web->recent, text, record);
        }
    }
}

void
web_note_push(struct web *web, struct bridge_state *b,
              const struct push_result *result)
{
    if (web) {
        link_use_learn(&b->use, &result->wanted);
    }
}

void
web_forget_topology(struct web *web)
{
    for (size_t i = 0; web && i < web->daemon->bridge_names.n; i++) {
        link_use_forget(&web->daemon->bridges[i].use);
    }
}

/* Counts. */

static bool
is_awaiting(const struct daemon *d)
{
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        if (link_use_is_awaited(&d->bridges[i].use)) {
            return true;
        }
    }
    return false;
}

static bool
read_counts(void *web_)
{
    struct web *web = web_;
    struct daemon *d = web->daemon;
    long long int now = time_msec();
    if (!web->asked_ms || now - web->asked_ms >= READ_INTERVAL_MS) {
        web->asked_ms = now;
        for (size_t i = 0; i < d->bridge_names.n; i++) {
            struct bridge_state *b = &d->bridges[i];
            if (b->up) {
                link_use_ask(&b->use, b->openflow, d->table_base);
            }
        }
    }
    return is_awaiting(d);
}

void
web_note_flow_stats(struct web *web, struct bridge_state *b,
                    const struct ofp_header *oh)
{
    if (web) {
        bool waiting = is_awaiting(web->daemon);
        link_use_take(&b->use, oh, web->daemon->table_base, time_wall_msec());
        if (waiting && !is_awaiting(web->daemon)) {
            http_continue(web->http);
        }
    }
}

/* /metrics. */

static int
count_open_fds(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir)) {
        n++;
    }
    if (dir) {
        closedir(dir);
    }
    /* Without ".", ".." and its own. */
    return MAX(n - 3, 0);
}

static uint64_t
resident_bytes(void)
{
    unsigned long long int size, pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    if (stream) {
        if (fscanf(stream, "%llu %llu", &size, &pages) != 2) {
            pages = 0;
        }
        fclose(stream);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

static struct process_use
measure_process(const struct web *web)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct process_use) {
        .cpu_seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
                       + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
                         / 1e6,
        .start_seconds = web->start_ms / 1e3,
        .resident_bytes = resident_bytes(),
        .open_fds = count_open_fds(),
    };
}

static void
get_metrics(const char *filter OVS_UNUSED, struct http_answer *answer,
            void *web_)
{
    struct web *web = web_;
    const struct process_use process = measure_process(web);
    totals_count_open(&web->totals, &web->daemon->book);
    metrics_format(&answer->body, web->daemon, &web->totals, &process);
}

/* /healthz. */

static void
get_health(const char *filter OVS_UNUSED, struct http_answer *answer,
           void *web_)
{
    const struct web *web = web_;
    const struct daemon *d = web->daemon;
    struct ds *s = &answer->body;
    if (d->broken) {
        ds_put_format(s, "manifests are wrong: %s\n", d->broken);
    } else if (!d->topology) {
        ds_put_cstr(s, "manifests have not been read\n");
    }
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct bridge_state *b = &d->bridges[i];
        const char *name = d->bridge_names.names[i];
        if (!b->up) {
            ds_put_format(s, "bridge %s is not connected\n", name);
        }
        if (b->error) {
            ds_put_format(s, "the last push to bridge %s failed: %s\n", name,
                          b->error);
        } else if (!b->pushed_ms) {
            ds_put_format(s, "nothing has been pushed to bridge %s\n", name);
        }
    }
    if (s->length) {
        answer->status = 503;
    } else {
        ds_put_cstr(s, "ok\n");
    }
}

/* JSON. */

static void
put_json(struct http_answer *answer, struct json *json)
{
    json_to_ds(json, JSSF_SORT, &answer->body);
    ds_put_char(&answer->body, '\n');
    json_destroy(json);
}

static void
get_topology(const char *filter OVS_UNUSED, struct http_answer *answer,
             void *web_)
{
    const struct web *web = web_;
    put_json(answer, topology_to_json(web->daemon, time_wall_msec()));
}

/* Newest first. */
static int
compare_deviations(const void *a_, const void *b_)
{
    const struct deviation *const *a = a_;
    const struct deviation *const *b = b_;
    return (*a)->id > (*b)->id ? -1 : (*a)->id < (*b)->id;
}

/* The open ones whose line has 'filter' in it, at most MAX_OPEN; the rest is
 * counted in '*n_more', or would need to be explained to know. */
static struct json *
list_open(const struct daemon *d, const char *filter, size_t *n_more)
{
    size_t n = 0, n_shown = 0, i;
    const struct deviation *deviation;
    const struct deviation **list = xmalloc((hmap_count(&d->book.open) + 1)
                                            * sizeof *list);
    HMAP_FOR_EACH (deviation, node, &d->book.open) {
        list[n++] = deviation;
    }
    if (n) {
        qsort(list, n, sizeof *list, compare_deviations);
    }
    struct json *json = json_array_create_empty();
    for (i = 0; i < n && n_shown < MAX_OPEN; i++) {
        const struct explain_context context = tell_context(d, list[i]);
        struct explanation e;
        explain(DEVIATION_UPDATE, list[i], &context, &e);
        if (strstr(e.text, filter)) {
            json_array_add(json, json_clone(e.json));
            n_shown++;
        }
        explanation_destroy(&e);
    }
    *n_more = n - i;
    free(list);
    return json;
}

static struct json *
list_closed(const struct recent *recent, const char *filter)
{
    struct json *json = json_array_create_empty();
    const struct recent_one *one;
    for (size_t i = 0; (one = recent_get(recent, i)); i++) {
        if (strstr(one->text, filter)) {
            json_array_add(json, json_clone(one->record));
        }
    }
    return json;
}

static void
get_deviations(const char *filter, struct http_answer *answer, void *web_)
{
    const struct web *web = web_;
    struct json *json = json_object_create();
    size_t n_more;
    json_object_put(json, "open", list_open(web->daemon, filter, &n_more));
    json_object_put(json, "open_not_shown", json_integer_create(n_more));
    json_object_put(json, "closed", list_closed(&web->recent, filter));
    json_object_put(json, "closed_since_start",
                    json_integer_create(web->recent.n));
    put_json(answer, json);
}

/* The page. */

#define PAGE(NAME)                                                      \
    extern const char _binary_ovs_ext_page_##NAME##_start[];            \
    extern const char _binary_ovs_ext_page_##NAME##_end[];              \
                                                                        \
    static void                                                         \
    get_##NAME(const char *filter OVS_UNUSED, struct http_answer *answer, \
               void *web OVS_UNUSED)                                    \
    {                                                                   \
        ds_put_buffer(&answer->body, _binary_ovs_ext_page_##NAME##_start, \
                      _binary_ovs_ext_page_##NAME##_end                 \
                      - _binary_ovs_ext_page_##NAME##_start);           \
    }

PAGE(index_html)
PAGE(layout_js)
PAGE(script_js)
PAGE(style_css)

static const struct http_resource resources[] = {
    { "/", "text/html; charset=utf-8", false, get_index_html },
    { "/layout.js", "text/javascript; charset=utf-8", false, get_layout_js },
    { "/script.js", "text/javascript; charset=utf-8", false, get_script_js },
    { "/style.css", "text/css; charset=utf-8", false, get_style_css },
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", true,
      get_metrics },
    { "/healthz", "text/plain; charset=utf-8", false, get_health },
    { "/topology.json", "application/json", true, get_topology },
    { "/deviations.json", "application/json", false, get_deviations },
    { NULL, NULL, false, NULL },
};

char *
web_create(struct daemon *d, const char *target, struct web **webp)
{
    struct web *web = xzalloc(sizeof *web);
    char *error = http_create(d->loop, target, resources, read_counts, web,
                              &web->http);
    *webp = NULL;
    if (error) {
        free(web);
        return error;
    }
    web->daemon = d;
    web->start_ms = time_wall_msec();
    totals_init(&web->totals);
    *webp = web;
    return NULL;
}

void
web_destroy(struct web *web)
{
    if (!web) {
        return;
    }
    http_destroy(web->http);
    totals_destroy(&web->totals);
    recent_destroy(&web->recent);
    free(web);
}
