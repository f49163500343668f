/* How much is known of each service: see learn.h.
 *
 * What a service does is told by kinds of connections: opened by it or to it,
 * with which other service or network, on which protocol and port.  Its
 * replicas are expected to behave alike, so what one does counts for all.
 * What is set aside does not count: a scan is no behaviour that waits to be
 * seen more often.
 *
 * Of each kind the profile has the first time, the last time and how often:
 * the first connection is taken to be at the first time, all others at the
 * last. */

#include "learn-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "util.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)

/* A kind of connections of one service. */
struct kind {
    struct service *service;
    uint64_t n_connections;
    int64_t first, last;
};

struct event {
    size_t number;              /* Of it in learned->services. */
    int64_t when;
    uint64_t n_before, n;
};

static void
add_kind(struct learner *learner, struct shash *kinds, size_t entry, bool out)
{
    const struct history_entry *e = &learner->history->entries[entry];
    uint32_t self = out ? e->client : e->server;
    uint32_t peer = out ? e->server : e->client;
    uint32_t host = learner->whom[self].host;
    uint32_t peer_host = learner->whom[peer].host;
    if (host == NO_HOST) {
        return;
    }
    struct service *service = learner->hosts[host].service;
    char *peer_name = peer_host != NO_HOST
        ? xstrdup(learner->hosts[peer_host].service->path)
        : learner_outside_name(learner, learner->whom[peer].segment,
                               &learner->history->ends[peer].address);
    char *key = xasprintf("%s %d %s %u %u", service->path, out, peer_name,
                          e->protocol, learner->fates[entry].port);
    struct kind *kind = shash_find_data(kinds, key);
    if (!kind) {
        kind = xzalloc(sizeof *kind);
        kind->service = service;
        kind->first = e->first;
        shash_add(kinds, key, kind);
    }
    kind->n_connections += e->n_connections;
    kind->first = MIN(kind->first, e->first);
    kind->last = MAX(kind->last, e->last);
    free(key);
    free(peer_name);
}

/* One row for each service of a workload, by path. */
static void
add_services(struct learner *learner)
{
    struct learned *learned = learner->learned;
    struct shash services = SHASH_INITIALIZER(&services);
    for (size_t i = 0; i < learner->n_hosts; i++) {
        struct service *service = learner->hosts[i].service;
        shash_add_once(&services, service->path, service);
    }
    const struct shash_node **nodes = shash_sort(&services);
    learned->services = xcalloc(shash_count(&services) + 1,
                                sizeof *learned->services);
    for (size_t i = 0; i < shash_count(&services); i++) {
        struct learned_service *row = &learned->services[i];
        row->service = nodes[i]->data;
        completeness_init(&row->completeness, DAY_MS);
    }
    learned->n_services = shash_count(&services);
    free(nodes);
    shash_destroy(&services);
}

static int
compare_row(const void *path, const void *row_)
{
    const struct learned_service *row = row_;
    return strcmp(path, row->service->path);
}

static int
compare_events(const void *a_, const void *b_)
{
    const struct event *a = a_;
    const struct event *b = b_;
    return a->when != b->when ? (a->when < b->when ? -1 : 1)
           : a->n_before < b->n_before ? -1 : a->n_before > b->n_before;
}

static void
replay(struct learned *learned, const struct shash *kinds)
{
    struct event *events = xcalloc(2 * shash_count(kinds) + 1,
                                   sizeof *events);
    size_t n = 0;
    struct shash_node *node;
    SHASH_FOR_EACH (node, kinds) {
        const struct kind *kind = node->data;
        const struct learned_service *row = bsearch(
            kind->service->path, learned->services, learned->n_services,
            sizeof *row, compare_row);
        struct event event = {
            .number = row - learned->services, .when = kind->first, .n = 1,
        };
        events[n++] = event;
        if (kind->n_connections > 1) {
            event.when = kind->last;
            event.n_before = 1;
            event.n = kind->n_connections - 1;
            events[n++] = event;
        }
    }
    qsort(events, n, sizeof *events, compare_events);
    for (size_t i = 0; i < n; i++) {
        const struct event *e = &events[i];
        completeness_add(&learned->services[e->number].completeness,
                         e->when * 1000, e->n_before, e->n);
    }
    free(events);
}

void
learner_judge_services(struct learner *learner)
{
    struct shash kinds = SHASH_INITIALIZER(&kinds);
    add_services(learner);
    for (size_t i = 0; i < learner->history->n_entries; i++) {
        if (learner->fates[i].counts) {
            add_kind(learner, &kinds, i, true);
            add_kind(learner, &kinds, i, false);
        }
    }
    replay(learner->learned, &kinds);
    for (size_t i = 0; i < learner->learned->n_services; i++) {
        struct learned_service *row = &learner->learned->services[i];
        row->judgement = completeness_judge(&row->completeness,
                                            &completeness_default_criteria,
                                            learner->options->now * 1000LL);
    }
    shash_destroy_free_data(&kinds);
}
