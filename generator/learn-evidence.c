/* What speaks for a link: see learn-private.h. */

#include "learn-private.h"

#include <stdlib.h>

#include <openvswitch/dynamic-string.h>

#include "util.h"

#define RARE_S (60 * 60)

static int
compare_numbers(const void *a_, const void *b_)
{
    const uint32_t *a = a_;
    const uint32_t *b = b_;
    return *a < *b ? -1 : *a > *b;
}

/* Sorts, and leaves each once. */
static size_t
make_unique(uint32_t *numbers, size_t n)
{
    size_t n_unique = 0;
    qsort(numbers, n, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < n; i++) {
        if (!i || numbers[i] != numbers[i - 1]) {
            numbers[n_unique++] = numbers[i];
        }
    }
    return n_unique;
}

uint32_t *
learner_unique_ends(const struct learner *learner, const size_t *entries,
                    size_t n, bool clients, size_t *n_unique)
{
    uint32_t *ends = xcalloc(n + 1, sizeof *ends);
    for (size_t i = 0; i < n; i++) {
        const struct history_entry *e = &learner->history->entries[entries[i]];
        ends[i] = clients ? e->client : e->server;
    }
    *n_unique = make_unique(ends, n);
    return ends;
}

static size_t
count_hosts(const struct learner *learner, uint32_t *ends, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ends[i] = learner->whom[ends[i]].host;
    }
    return make_unique(ends, n);
}

struct evidence
gather_evidence(const struct learner *learner, const struct endpoint *from,
                const struct endpoint *to, const size_t *entries, size_t n)
{
    struct evidence evidence = { .first = INT64_MAX };
    for (size_t i = 0; i < n; i++) {
        const struct history_entry *e = &learner->history->entries[entries[i]];
        evidence.n_connections += e->n_connections;
        evidence.n_unanswered += e->n_unanswered;
        evidence.first = MIN(evidence.first, e->first);
        evidence.last = MAX(evidence.last, e->last);
    }
    uint32_t *clients = learner_unique_ends(learner, entries, n, true,
                                    &evidence.n_clients);
    uint32_t *servers = learner_unique_ends(learner, entries, n, false,
                                    &evidence.n_servers);
    if (from->service) {
        evidence.clients_seen = count_hosts(learner, clients,
                                            evidence.n_clients);
        evidence.clients_of = from->service->n_workloads;
    }
    if (to->service) {
        evidence.servers_seen = count_hosts(learner, servers,
                                            evidence.n_servers);
        evidence.servers_of = to->service->n_workloads;
    }
    free(clients);
    free(servers);
    return evidence;
}

char *
time_to_string(int64_t seconds)
{
    return xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", seconds * 1000LL, true);
}

static void
put_share(struct ds *s, const struct endpoint *end, size_t seen, size_t of,
          size_t n_addresses)
{
    if (end->service) {
        ds_put_format(s, "%"PRIuSIZE" of %"PRIuSIZE" %s", seen, of,
                      end->service->name);
    } else {
        ds_put_format(s, "%"PRIuSIZE" address%s of %s", n_addresses,
                      n_addresses == 1 ? "" : "es", end->network->name);
    }
}

char *
evidence_to_string(const struct learned_link *link)
{
    const struct evidence *e = &link->evidence;
    char *first = time_to_string(e->first);
    char *last = time_to_string(e->last);
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%"PRIu64" connection%s ", e->n_connections,
                  e->n_connections == 1 ? "" : "s");
    if (e->first == e->last) {
        ds_put_format(&s, "at %s: ", first);
    } else {
        ds_put_format(&s, "from %s to %s: ", first, last);
    }
    put_share(&s, &link->from, e->clients_seen, e->clients_of, e->n_clients);
    ds_put_cstr(&s, " to ");
    put_share(&s, &link->to, e->servers_seen, e->servers_of, e->n_servers);
    if (e->n_unanswered) {
        ds_put_format(&s, "; %"PRIu64" unanswered", e->n_unanswered);
    }
    free(first);
    free(last);
    return ds_steal_cstr(&s);
}

/* One short connection is no habit; one that lasts may be. */
bool
evidence_is_rare(const struct evidence *evidence)
{
    return evidence->n_connections == 1
           && evidence->last - evidence->first < RARE_S;
}
