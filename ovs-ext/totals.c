/* Deviations so far: see totals.h. */

#include "totals.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/shash.h>

#include "hash.h"
#include "util.h"

/* Names come from manifests, which may change again and again; what would be
 * too much counts without a service. */
#define MAX_TOTALS 10000

struct open_one {
    struct hmap_node node;      /* By 'id'. */
    uint64_t id;
    struct total *total;
};

void
totals_init(struct totals *totals)
{
    hmap_init(&totals->all);
    hmap_init(&totals->open);
}

void
totals_destroy(struct totals *totals)
{
    struct total *t;
    HMAP_FOR_EACH_POP (t, node, &totals->all) {
        free(t->application);
        free(t->service);
        free(t->direction);
        free(t->reason);
        free(t->verdict);
        free(t);
    }
    struct open_one *o;
    HMAP_FOR_EACH_POP (o, node, &totals->open) {
        free(o);
    }
    hmap_destroy(&totals->all);
    hmap_destroy(&totals->open);
}

static const char *
member(const struct json *object, const char *name)
{
    const struct json *json = object ? shash_find_data(json_object(object),
                                                       name) : NULL;
    return json && json->type == JSON_STRING ? json_string(json) : "";
}

static struct total *
find_total(struct totals *totals, const char *application,
           const char *service, const char *direction, const char *reason,
           const char *verdict)
{
    uint32_t hash = hash_string(application, hash_string(service,
        hash_string(direction, hash_string(reason,
                                           hash_string(verdict, 0)))));
    struct total *t;
    HMAP_FOR_EACH_WITH_HASH (t, node, hash, &totals->all) {
        if (!strcmp(t->application, application)
            && !strcmp(t->service, service)
            && !strcmp(t->direction, direction)
            && !strcmp(t->reason, reason) && !strcmp(t->verdict, verdict)) {
            return t;
        }
    }
    if (hmap_count(&totals->all) >= MAX_TOTALS && direction[0]) {
        return find_total(totals, "", "", "", reason, verdict);
    }
    t = xzalloc(sizeof *t);
    t->application = xstrdup(application);
    t->service = xstrdup(service);
    t->direction = xstrdup(direction);
    t->reason = xstrdup(reason);
    t->verdict = xstrdup(verdict);
    hmap_insert(&totals->all, &t->node, hash);
    return t;
}

static struct total *
total_of(struct totals *totals, const struct json *record)
{
    const struct json *src = shash_find_data(json_object(record), "src");
    const struct json *dst = shash_find_data(json_object(record), "dst");
    const struct json *end = member(src, "service")[0] ? src : dst;
    const char *service = member(end, "service");
    return find_total(totals, member(end, "application"), service,
                      !service[0] ? "" : end == src ? "out" : "in",
                      member(record, "reason"), member(record, "verdict"));
}

static struct open_one *
find_open(const struct totals *totals, uint64_t id)
{
    struct open_one *o;
    HMAP_FOR_EACH_WITH_HASH (o, node, hash_uint64(id), &totals->open) {
        if (o->id == id) {
            return o;
        }
    }
    return NULL;
}

void
totals_note(struct totals *totals, enum deviation_event event,
            const struct deviation *d, const struct json *record)
{
    struct open_one *o = find_open(totals, d->id);
    if (!o) {
        o = xmalloc(sizeof *o);
        o->id = d->id;
        o->total = total_of(totals, record);
        o->total->n++;
        hmap_insert(&totals->open, &o->node, hash_uint64(d->id));
    }
    if (event == DEVIATION_CLOSE) {
        o->total->n_packets += d->n_packets;
        o->total->n_bytes += d->n_bytes;
        hmap_remove(&totals->open, &o->node);
        free(o);
    }
}

void
totals_count_open(struct totals *totals, const struct book *book)
{
    struct total *t;
    HMAP_FOR_EACH (t, node, &totals->all) {
        t->open_packets = 0;
        t->open_bytes = 0;
    }
    const struct deviation *d;
    HMAP_FOR_EACH (d, node, &book->open) {
        const struct open_one *o = find_open(totals, d->id);
        if (o) {
            o->total->open_packets += d->n_packets;
            o->total->open_bytes += d->n_bytes;
        }
    }
}
