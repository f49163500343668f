/* Circles: see roles-private.h.
 *
 * For each protocol and port, the connected components of the graph of clients
 * and servers; a host that is both is two nodes.  Only entries that are used
 * regularly connect: a scan would make one circle of all.  O(E log E). */

#include "roles-private.h"

#include <math.h>
#include <stdlib.h>

#include "util.h"

/* "Regularly": as log(connections), against that of the usual number. */
#define MIN_REGULAR 0.5

/* A host as client or server of one protocol and port, and where its entries
 * are. */
struct node {
    uint32_t service;           /* Protocol, port. */
    bool in;
    uint32_t host;
    uint32_t parent;            /* Index of another node, or of itself. */
};

static int
compare_nodes(const void *a_, const void *b_)
{
    const struct node *a = a_, *b = b_;
#define COMPARE(MEMBER)                                                     \
    if (a->MEMBER != b->MEMBER) {                                           \
        return a->MEMBER < b->MEMBER ? -1 : 1;                              \
    }
    COMPARE(host);
    COMPARE(in);
    COMPARE(service);
#undef COMPARE
    return 0;
}

static uint32_t
find_root(struct node *nodes, uint32_t i)
{
    while (nodes[i].parent != i) {
        i = nodes[i].parent = nodes[nodes[i].parent].parent;
    }
    return i;
}

static uint32_t
service_of(const struct host_entry *entry)
{
    return (uint32_t) entry->protocol << 16 | entry->port;
}

/* The nodes of all hosts and of what is outside, sorted. */
static struct node *
make_nodes(const struct behaviours *b, size_t *n)
{
    size_t n_entries = b->first[b->n_hosts], n_all = 0;
    struct node *nodes = xmalloc(2 * n_entries * sizeof *nodes);
    for (size_t i = 0; i < b->n_hosts; i++) {
        for (size_t j = b->first[i]; j < b->first[i + 1]; j++) {
            const struct host_entry *entry = &b->entries[j];
            uint32_t service = service_of(entry);
            nodes[n_all++] = (struct node) { service, entry->in, i, 0 };
            if (entry->peer >= b->n_hosts) {
                nodes[n_all++] = (struct node) {
                    service, !entry->in, entry->peer, 0
                };
            }
        }
    }
    qsort(nodes, n_all, sizeof *nodes, compare_nodes);
    *n = 0;
    for (size_t i = 0; i < n_all; i++) {
        if (!*n || compare_nodes(&nodes[*n - 1], &nodes[i])) {
            nodes[*n] = nodes[i];
            nodes[*n].parent = *n;
            ++*n;
        }
    }
    return nodes;
}

static uint32_t
find_node(const struct node *nodes, size_t n, uint32_t host, bool in,
          uint32_t service)
{
    struct node node = { service, in, host, 0 };
    const struct node *found = bsearch(&node, nodes, n, sizeof node,
                                       compare_nodes);
    return found - nodes;
}

static int
compare_doubles(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;
    return (*a > *b) - (*a < *b);
}

/* The median over hosts of the usual numbers of connections of their
 * entries. */
static double
usual_of_all(const struct behaviours *b)
{
    double *usual = xmalloc(b->n_hosts * sizeof *usual);
    size_t n = 0;
    for (size_t i = 0; i < b->n_hosts; i++) {
        struct usual u = USUAL_INITIALIZER;
        for (size_t j = b->first[i]; j < b->first[i + 1]; j++) {
            usual_add(&u, b->entries[j].n_connections);
        }
        if (b->first[i + 1] > b->first[i]) {
            usual[n++] = usual_number(&u);
        }
    }
    qsort(usual, n, sizeof *usual, compare_doubles);
    double median = n ? usual[n / 2] : 1;
    free(usual);
    return MIN(median, MANY_CONNECTIONS);
}

void
find_circles(struct behaviours *b)
{
    size_t n;
    struct node *nodes = make_nodes(b, &n);

    b->usual = usual_of_all(b);
    double regular = MIN_REGULAR * log1p(b->usual);

    for (size_t i = 0; i < b->n_hosts; i++) {
        for (size_t j = b->first[i]; j < b->first[i + 1]; j++) {
            struct host_entry *entry = &b->entries[j];
            entry->circle = find_node(nodes, n, entry->peer, !entry->in,
                                      service_of(entry));
            if (!entry->in && entry->peer < b->n_hosts
                && log1p(entry->n_connections) >= regular) {
                uint32_t own = find_node(nodes, n, i, false,
                                         service_of(entry));
                nodes[find_root(nodes, own)].parent
                    = find_root(nodes, entry->circle);
            }
        }
    }
    for (size_t i = 0; i < b->first[b->n_hosts]; i++) {
        b->entries[i].circle = find_root(nodes, b->entries[i].circle);
    }
    free(nodes);
}
