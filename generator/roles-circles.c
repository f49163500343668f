/* Circles: see roles-private.h.
 *
 * For each protocol and port, the connected components of the graph of clients
 * and servers; a host that is both is two nodes, and a group is one host.
 * O(E log E). */

#include "roles-private.h"

#include <stdlib.h>

#include "util.h"

/* A party as client or server of one protocol and port. */
struct node {
    uint32_t service;           /* Protocol, port. */
    bool in;
    uint32_t label;             /* See party_label(). */
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
    COMPARE(label);
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

/* The nodes of all parties, sorted. */
static struct node *
make_nodes(const struct behaviours *b, const uint32_t *group_of, size_t *n)
{
    size_t n_entries = b->first[b->n_hosts], n_all = 0;
    struct node *nodes = xmalloc(2 * n_entries * sizeof *nodes);
    for (size_t i = 0; i < b->n_hosts; i++) {
        uint32_t own = party_label(b, group_of, i);
        for (size_t j = b->first[i]; j < b->first[i + 1]; j++) {
            const struct host_entry *entry = &b->entries[j];
            uint32_t service = service_of(entry);
            nodes[n_all++] = (struct node) { service, entry->in, own, 0 };
            if (entry->peer >= b->n_hosts) {
                uint32_t label = party_label(b, group_of, entry->peer);
                nodes[n_all++] = (struct node) {
                    service, !entry->in, label, 0
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
find_node(const struct node *nodes, size_t n, uint32_t label, bool in,
          uint32_t service)
{
    struct node node = { service, in, label, 0 };
    const struct node *found = bsearch(&node, nodes, n, sizeof node,
                                       compare_nodes);
    return found - nodes;
}

uint32_t
party_label(const struct behaviours *b, const uint32_t *group_of,
            uint32_t end)
{
    if (end >= b->n_hosts) {
        return LABEL_OUTSIDE | (end - b->n_hosts);
    }
    return group_of[end] == ROLE_NONE ? LABEL_HOST | end : group_of[end];
}

void
find_circles(struct behaviours *b, const uint32_t *group_of)
{
    size_t n;
    struct node *nodes = make_nodes(b, group_of, &n);

    for (size_t i = 0; i < b->n_hosts; i++) {
        uint32_t own = party_label(b, group_of, i);
        for (size_t j = b->first[i]; j < b->first[i + 1]; j++) {
            struct host_entry *entry = &b->entries[j];
            uint32_t service = service_of(entry);
            uint32_t label = party_label(b, group_of, entry->peer);
            entry->circle = find_node(nodes, n, label, !entry->in, service);
            if (!entry->in && entry->peer < b->n_hosts) {
                uint32_t client = find_node(nodes, n, own, false, service);
                uint32_t root = find_root(nodes, entry->circle);
                nodes[find_root(nodes, client)].parent = root;
            }
        }
    }
    for (size_t i = 0; i < b->first[b->n_hosts]; i++) {
        b->entries[i].circle = find_root(nodes, b->entries[i].circle);
    }
    free(nodes);
}
