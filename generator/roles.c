/* Roles: see roles.h.  What comes in any order is brought into the order of
 * names here, and the result back. */

#include "roles.h"

#include <stdlib.h>
#include <string.h>

#include "roles-private.h"
#include "util.h"

struct name_index {
    const char *name;
    uint32_t index;
};

static int
compare_names(const void *a_, const void *b_)
{
    const struct name_index *a = a_, *b = b_;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Returns where each name comes in their order, and puts the reverse into
 * 'at', unless it is NULL. */
static void
order_names(const char *const *names, size_t n, uint32_t *place, uint32_t *at)
{
    struct name_index *order = xmalloc(n * sizeof *order);
    for (size_t i = 0; i < n; i++) {
        order[i] = (struct name_index) { names[i], i };
    }
    qsort(order, n, sizeof *order, compare_names);
    for (size_t i = 0; i < n; i++) {
        place[order[i].index] = i;
        if (at) {
            at[i] = order[i].index;
        }
    }
    free(order);
}

static int
compare_host_entries(const void *a_, const void *b_)
{
    const struct host_entry *a = a_, *b = b_;
#define COMPARE(MEMBER)                                                     \
    if (a->MEMBER != b->MEMBER) {                                           \
        return a->MEMBER < b->MEMBER ? -1 : 1;                              \
    }
    COMPARE(in);
    COMPARE(protocol);
    COMPARE(port);
    COMPARE(peer);
#undef COMPARE
    return 0;
}

/* Adds up what is the same; returns how many are left. */
static size_t
sort_and_merge(struct host_entry *entries, size_t n)
{
    size_t n_merged = 0;
    qsort(entries, n, sizeof *entries, compare_host_entries);
    for (size_t i = 0; i < n; i++) {
        if (n_merged
            && !compare_host_entries(&entries[n_merged - 1], &entries[i])) {
            entries[n_merged - 1].n_connections += entries[i].n_connections;
        } else {
            entries[n_merged++] = entries[i];
        }
    }
    return n_merged;
}

static void
put_entry(struct behaviours *b, size_t *next, uint32_t host, uint32_t peer,
          const struct role_entry *entry, bool in)
{
    if (host < b->n_hosts) {
        b->entries[next[host]++] = (struct host_entry) {
            .peer = peer, .protocol = entry->protocol, .port = entry->port,
            .in = in, .n_connections = entry->n_connections,
        };
        b->n_connections[host] += entry->n_connections;
    }
}

/* 'place' has the new number of each end. */
static void
collect_behaviours(const struct role_observations *observations,
                   const uint32_t *place, const uint32_t *scans,
                   struct behaviours *b)
{
    size_t n = observations->n_hosts;
    size_t *next = xcalloc(n + 1, sizeof *next);

    *b = (struct behaviours) {
        .n_hosts = n,
        .entries = xmalloc(2 * observations->n_entries * sizeof *b->entries),
        .first = xcalloc(n + 1, sizeof *b->first),
        .n_connections = xcalloc(n, sizeof *b->n_connections),
    };
    for (size_t i = 0; i < observations->n_entries; i++) {
        const struct role_entry *entry = &observations->entries[i];
        ovs_assert(entry->client < n + observations->n_outside);
        ovs_assert(entry->server < n + observations->n_outside);
        next[MIN(place[entry->client], n)]++;
        next[MIN(place[entry->server], n)]++;
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        size_t n_entries = next[i];
        b->first[i] = next[i] = at;
        at += n_entries;
    }
    for (size_t i = 0; i < observations->n_entries; i++) {
        const struct role_entry *entry = &observations->entries[i];
        uint32_t client = place[entry->client];
        uint32_t server = place[entry->server];
        if (!scans[i] && entry->n_connections) {
            put_entry(b, next, client, server, entry, false);
            put_entry(b, next, server, client, entry, true);
        }
    }

    /* Close the gaps. */
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct host_entry *entries = b->entries + b->first[i];
        size_t n_entries = sort_and_merge(entries, next[i] - b->first[i]);
        memmove(b->entries + at, entries, n_entries * sizeof *entries);
        b->first[i] = at;
        at += n_entries;
    }
    b->first[n] = at;
    free(next);
}

static struct roles *
make_roles(size_t n_hosts, const uint32_t *at, const uint32_t *group_of,
           size_t n_groups)
{
    struct roles *roles = xmalloc(sizeof *roles);
    roles->of_host = xmalloc(n_hosts * sizeof *roles->of_host);
    roles->roles = xcalloc(n_groups, sizeof *roles->roles);
    roles->n_roles = n_groups;

    for (size_t i = 0; i < n_hosts; i++) {
        roles->of_host[at[i]] = group_of[i];
        if (group_of[i] != ROLE_NONE) {
            roles->roles[group_of[i]].n_hosts++;
        }
    }
    for (size_t i = 0; i < n_groups; i++) {
        struct role *role = &roles->roles[i];
        role->hosts = xmalloc(role->n_hosts * sizeof *role->hosts);
        role->n_hosts = 0;
    }
    for (size_t i = 0; i < n_hosts; i++) {
        if (group_of[i] != ROLE_NONE) {
            struct role *role = &roles->roles[group_of[i]];
            role->hosts[role->n_hosts++] = at[i];
        }
    }
    return roles;
}

struct roles *
roles_create(const struct role_observations *observations,
             const struct role_port_name *port_names, size_t n_port_names)
{
    size_t n = observations->n_hosts;
    uint32_t *place = xmalloc((n + observations->n_outside) * sizeof *place);
    uint32_t *at = xmalloc(n * sizeof *at);
    uint32_t *group_of = xmalloc(n * sizeof *group_of);
    uint32_t *scans = find_port_scans(observations);
    struct behaviours b;

    order_names(observations->hosts, n, place, at);
    order_names(observations->outside, observations->n_outside, place + n,
                NULL);
    for (size_t i = 0; i < observations->n_outside; i++) {
        place[n + i] += n;
    }
    collect_behaviours(observations, place, scans, &b);
    keep_regular(&b);
    size_t n_groups = group_hosts(&b, group_of);
    struct roles *roles = make_roles(n, at, group_of, n_groups);
    name_roles(observations, roles, port_names, n_port_names);

    free(b.entries);
    free(b.first);
    free(b.n_connections);
    free(scans);
    free(group_of);
    free(at);
    free(place);
    return roles;
}

void
roles_destroy(struct roles *roles)
{
    if (roles) {
        for (size_t i = 0; i < roles->n_roles; i++) {
            free(roles->roles[i].name);
            free(roles->roles[i].hosts);
        }
        free(roles->roles);
        free(roles->of_host);
        free(roles);
    }
}

struct cell {
    uint32_t a, b;
};

static int
compare_cells(const void *a_, const void *b_)
{
    const struct cell *a = a_, *b = b_;
    if (a->a != b->a) {
        return a->a < b->a ? -1 : 1;
    }
    return (a->b > b->b) - (a->b < b->b);
}

/* How many pairs are in the same cell. */
static double
pairs_together(struct cell *cells, size_t n)
{
    double pairs = 0;
    qsort(cells, n, sizeof *cells, compare_cells);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1;
             end < n && !compare_cells(&cells[i], &cells[end]); end++) {
            pairs += end - i;
        }
    }
    return pairs;
}

/* ROLE_NONE, as groups of their own: numbers from the top. */
static uint32_t
group_or_alone(const uint32_t *group_of, size_t i)
{
    return group_of[i] == ROLE_NONE ? ROLE_NONE - 1 - i : group_of[i];
}

double
adjusted_rand_index(const uint32_t *a, const uint32_t *b, size_t n)
{
    struct cell *cells = xmalloc(n * sizeof *cells);
    double together[3];

    for (int which = 0; which < 3; which++) {
        for (size_t i = 0; i < n; i++) {
            cells[i] = (struct cell) {
                which == 1 ? 0 : group_or_alone(a, i),
                which == 0 ? 0 : group_or_alone(b, i),
            };
        }
        together[which] = pairs_together(cells, n);
    }
    free(cells);

    double all = n * (n - 1.0) / 2;
    double expected = all ? together[0] * together[1] / all : 0;
    double most = (together[0] + together[1]) / 2;
    return most == expected ? 1 : (together[2] - expected) / (most - expected);
}
