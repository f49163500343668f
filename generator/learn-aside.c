/* What is set aside: see learn-private.h.  First one by one, then joined: a
 * scan of a thousand ports is one line. */

#include "learn-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "util.h"

/* More ports than these are told as "first-last (n ports)". */
#define MAX_PORTS_NAMED 5

/* Until it is joined, 'what' of an aside is that of one port, and the ports
 * are beside it. */
struct single {
    struct aside aside;
    uint8_t protocol;
    uint16_t port;
};

static char *
end_to_string(const struct learner *learner, uint32_t end)
{
    const struct whom *whom = &learner->whom[end];
    return whom->host != NO_HOST ? xstrdup(learner->hosts[whom->host].name)
           : address_to_string(&learner->history->ends[end].address);
}

static struct application *
application_at(const struct learner *learner, uint32_t client,
               uint32_t server)
{
    uint32_t host = learner->whom[client].host != NO_HOST
                    ? learner->whom[client].host : learner->whom[server].host;
    return host == NO_HOST ? NULL : learner->hosts[host].service->application;
}

static struct single *
add_single(struct learner *learner)
{
    if (learner->n_singles >= learner->allocated_singles) {
        learner->singles = x2nrealloc(learner->singles,
                                      &learner->allocated_singles,
                                      sizeof *learner->singles);
    }
    return &learner->singles[learner->n_singles++];
}

void
learner_set_aside(struct learner *learner, size_t i, char *why)
{
    const struct history_entry *e = &learner->history->entries[i];
    *add_single(learner) = (struct single) {
        .aside = {
            .application = application_at(learner, e->client, e->server),
            .from = end_to_string(learner, e->client),
            .to = end_to_string(learner, e->server),
            .why = why, .n_connections = e->n_connections,
            .first = e->first, .last = e->last,
        },
        .protocol = e->protocol, .port = e->port,
    };
}

void
learner_set_tuple_aside(struct learner *learner, size_t i, const char *why)
{
    const struct history_tuple *t = &learner->history->tuples[i];
    *add_single(learner) = (struct single) {
        .aside = {
            .application = application_at(learner, t->a, t->b),
            .from = end_to_string(learner, t->a),
            .to = end_to_string(learner, t->b),
            .why = xasprintf("%s (ports %u and %u)", why, t->a_port,
                             t->b_port),
            .n_connections = 1, .first = t->first, .last = t->last,
        },
        .protocol = t->protocol, .port = t->b_port,
    };
}

static int
compare_groups(const struct single *a, const struct single *b)
{
    const char *a_name = a->aside.application ? a->aside.application->name
                                              : "";
    const char *b_name = b->aside.application ? b->aside.application->name
                                              : "";
    int order = strcmp(a_name, b_name);
    order = order ? order : strcmp(a->aside.from, b->aside.from);
    order = order ? order : strcmp(a->aside.to, b->aside.to);
    order = order ? order : strcmp(a->aside.why, b->aside.why);
    return order ? order : a->protocol - b->protocol;
}

static int
compare_singles(const void *a_, const void *b_)
{
    const struct single *a = a_;
    const struct single *b = b_;
    int order = compare_groups(a, b);
    return order ? order : a->port - b->port;
}

static char *
what_to_string(const struct single *singles, size_t n)
{
    struct opening opening = {
        .protocol = singles[0].protocol, .first = singles[0].port,
        .last = singles[n - 1].port, .icmp_type = -1, .icmp_code = -1,
    };
    if (opening.protocol == IPPROTO_ICMP
        || opening.protocol == IPPROTO_ICMPV6) {
        opening.icmp_type = singles[0].port;
    } else if (opening_has_ports(&opening) && n > MAX_PORTS_NAMED) {
        char *range = opening_to_string(&opening);
        char *text = xasprintf("%s (%"PRIuSIZE" ports)", range, n);
        free(range);
        return text;
    }
    opening.last = opening.first;
    struct ds s = DS_EMPTY_INITIALIZER;
    char *first = opening_to_string(&opening);
    ds_put_cstr(&s, first);
    free(first);
    for (size_t i = 1; i < n && opening_has_ports(&opening); i++) {
        if (singles[i].port != singles[i - 1].port) {
            ds_put_format(&s, ",%u", singles[i].port);
        }
    }
    return ds_steal_cstr(&s);
}

void
learner_join_asides(struct learner *learner)
{
    struct learned *learned = learner->learned;
    struct single *singles = learner->singles;
    size_t n = learner->n_singles;
    if (n) {
        qsort(singles, n, sizeof *singles, compare_singles);
    }
    learned->asides = xcalloc(n + 1, sizeof *learned->asides);
    for (size_t i = 0, end; i < n; i = end) {
        struct aside *aside = &learned->asides[learned->n_asides++];
        *aside = singles[i].aside;
        for (end = i + 1; end < n && !compare_groups(&singles[i],
                                                     &singles[end]); end++) {
            const struct aside *other = &singles[end].aside;
            aside->n_connections += other->n_connections;
            aside->first = MIN(aside->first, other->first);
            aside->last = MAX(aside->last, other->last);
        }
        aside->what = what_to_string(&singles[i], end - i);
        for (size_t j = i + 1; j < end; j++) {
            free(singles[j].aside.from);
            free(singles[j].aside.to);
            free(singles[j].aside.why);
        }
    }
    free(singles);
    learner->singles = NULL;
}
