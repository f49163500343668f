/* Who an address is: see learn-private.h.
 *
 * With a topology, a workload is known by segment and address, or the
 * link-local address that IPv6 makes of its MAC.
 *
 * Without one, the private addresses that one MAC was seen to have are one
 * workload.  A MAC that has a public address or more than MAX_ADDRESSES is a
 * router's, and what is behind it is outside. */

#include "learn-private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "packets.h"
#include "util.h"

#define MAX_ADDRESSES 8

struct known_address {
    struct hmap_node node;
    const struct segment *segment;
    struct in6_addr address;
    uint32_t host;
};

static uint32_t
hash_address(const struct segment *segment, const struct in6_addr *address)
{
    return hash_bytes(address, sizeof *address, hash_pointer(segment, 0));
}

static uint32_t
find_address(const struct hmap *index, const struct segment *segment,
             const struct in6_addr *address)
{
    struct known_address *known;
    HMAP_FOR_EACH_WITH_HASH (known, node, hash_address(segment, address),
                             index) {
        if (known->segment == segment
            && IN6_ARE_ADDR_EQUAL(&known->address, address)) {
            return known->host;
        }
    }
    return NO_HOST;
}

static void
add_address(struct hmap *index, const struct segment *segment,
            const struct in6_addr *address, uint32_t host)
{
    if (find_address(index, segment, address) == NO_HOST) {
        struct known_address *known = xzalloc(sizeof *known);
        known->segment = segment;
        known->address = *address;
        known->host = host;
        hmap_insert(index, &known->node, hash_address(segment, address));
    }
}

static void
add_link_local(struct hmap *index, const struct segment *segment,
               struct eth_addr mac, uint32_t host)
{
    struct in6_addr address;
    in6_generate_lla(mac, &address);
    add_address(index, segment, &address, host);
}

static struct host *
add_host(struct learner *learner, size_t *allocated)
{
    if (learner->n_hosts >= *allocated) {
        learner->hosts = x2nrealloc(learner->hosts, allocated,
                                    sizeof *learner->hosts);
    }
    struct host *host = &learner->hosts[learner->n_hosts++];
    memset(host, 0, sizeof *host);
    return host;
}

/* With a topology. */

static void
take_workload(struct learner *learner, struct workload *workload,
              size_t *allocated, struct hmap *index)
{
    struct host *host = add_host(learner, allocated);
    uint32_t number = learner->n_hosts - 1;
    host->name = workload_path(workload);
    host->segment = workload->home->segment;
    host->workload = workload;
    host->service = workload->home;
    for (size_t i = 0; i < workload->n_addresses; i++) {
        add_address(index, host->segment, &workload->addresses[i], number);
    }
    for (size_t i = 0; i < workload->n_macs; i++) {
        add_link_local(index, host->segment, workload->macs[i], number);
    }
}

static void
take_topology(struct learner *learner, struct hmap *index)
{
    size_t allocated = 0;
    for (size_t i = 0; i < learner->topology->n_applications; i++) {
        const struct application *a = learner->topology->applications[i];
        for (size_t j = 0; j < a->n_services; j++) {
            struct service *service = a->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                if (service->workloads[k]->home == service) {
                    take_workload(learner, service->workloads[k], &allocated,
                                  index);
                }
            }
        }
    }
}

static struct segment *
find_segment(const struct topology *topology, const char *text)
{
    int number;
    for (size_t i = 0; i < topology->n_segments; i++) {
        struct segment *segment = topology->segments[i];
        if ((ovs_scan(text, "vlan:%d", &number)
             && segment->kind == SEGMENT_VLAN && segment->vlan == number)
            || (ovs_scan(text, "zone:%d", &number) && segment->id == number)
            || !strcmp(text, segment->name)) {
            return segment;
        }
    }
    return NULL;
}

/* Without a topology. */

/* A name for a segment that others call 'text', which may be anything. */
static char *
name_segment(const struct topology *topology, const char *text)
{
    char *name = xasprintf("%.40s", text[0] ? text : "none");
    for (char *p = name; *p; p++) {
        *p = isalnum((unsigned char) *p) || (p > name && strchr("._-", *p))
             ? *p : p > name ? '-' : 'x';
    }
    while (shash_find(&topology->segment_index, name)) {
        char *another = xasprintf("%s-x", name);
        free(name);
        name = another;
    }
    return name;
}

static struct segment *
make_segment(struct topology *topology, const char *text)
{
    int vlan;
    bool is_vlan = ovs_scan(text, "vlan:%d", &vlan)
                   && vlan >= 1 && vlan <= 4094;
    char *name = name_segment(topology, text);
    struct segment *segment = topology_add_segment(
        topology, name, is_vlan ? SEGMENT_VLAN : SEGMENT_ISOLATED,
        is_vlan ? vlan : 0, (struct location) { .file = NULL });
    free(name);
    return segment;
}

/* Ends by segment, MAC and address. */
static int
compare_ends(const void *a_, const void *b_, void *history_)
{
    const struct history *history = history_;
    const struct history_end *a = &history->ends[*(const size_t *) a_];
    const struct history_end *b = &history->ends[*(const size_t *) b_];
    int order = strcmp(a->segment, b->segment);
    order = order ? order : memcmp(&a->mac, &b->mac, sizeof a->mac);
    return order ? order : memcmp(&a->address, &b->address,
                                  sizeof a->address);
}

/* One MAC and its ends, which are ends[order[0..n-1]]. */
static bool
is_workload(const struct history *history, const size_t *order, size_t n)
{
    size_t n_own = 0;
    for (size_t i = 0; i < n; i++) {
        const struct in6_addr *address = &history->ends[order[i]].address;
        if (!is_private(address)) {
            return false;
        }
        n_own += !IN6_IS_ADDR_LINKLOCAL(address);
    }
    return n_own && n_own <= MAX_ADDRESSES;
}

/* A name for a workload of which only an address is known. */
static char *
name_by_address(const struct learner *learner, const struct host *host)
{
    char *text = address_to_string(&host->addresses[0]);
    bool is_default = host->segment == learner->topology->segments[0];
    char *name = xasprintf("host-%s%s%s", text, is_default ? "" : "-",
                           is_default ? "" : host->segment->name);
    for (char *p = name; *p; p++) {
        *p = *p == ':' || *p == '.' ? '-' : *p;
    }
    free(text);
    return name;
}

/* Can it be the interface of a workload in a manifest? */
static bool
is_interface(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p <= ' ' || *p > '~' || *p == '/') {
            return false;
        }
    }
    return name[0] && strlen(name) <= 255;
}

static void
make_host(struct learner *learner, const size_t *order, size_t n,
          size_t *allocated, struct hmap *index)
{
    const struct history *history = learner->history;
    struct host *host = add_host(learner, allocated);
    uint32_t number = learner->n_hosts - 1;
    host->segment = CONST_CAST(struct segment *,
                               learner->whom[order[0]].segment);
    host->mac = history->ends[order[0]].mac;
    host->addresses = xcalloc(n, sizeof *host->addresses);
    for (size_t i = 0; i < n; i++) {
        const struct history_end *end = &history->ends[order[i]];
        add_address(index, host->segment, &end->address, number);
        if (!IN6_IS_ADDR_LINKLOCAL(&end->address)) {
            host->addresses[host->n_addresses++] = end->address;
        }
        if (end->name && !host->interface && is_interface(end->name)) {
            host->interface = xstrdup(end->name);
        }
    }
    host->name = name_by_address(learner, host);
}

static void
make_hosts(struct learner *learner, struct hmap *index)
{
    const struct history *history = learner->history;
    size_t allocated = 0;
    size_t *order = xcalloc(history->n_ends + 1, sizeof *order);
    size_t n = 0;
    for (size_t i = 0; i < history->n_ends; i++) {
        if (!eth_addr_is_zero(history->ends[i].mac)
            && !eth_addr_is_multicast(history->ends[i].mac)) {
            order[n++] = i;
        }
    }
    qsort_r(order, n, sizeof *order, compare_ends,
            CONST_CAST(struct history *, history));
    for (size_t i = 0, end; i < n; i = end) {
        const struct history_end *first = &history->ends[order[i]];
        for (end = i + 1; end < n; end++) {
            const struct history_end *e = &history->ends[order[end]];
            if (strcmp(first->segment, e->segment)
                || !eth_addr_equals(first->mac, e->mac)) {
                break;
            }
        }
        if (is_workload(history, &order[i], end - i)) {
            make_host(learner, &order[i], end - i, &allocated, index);
        }
    }
    free(order);
}

/* At the port of a workload, frames have no tag: an address that the default
 * segment does not have is the workload's that alone has it. */
static void
find_untagged(const struct learner *learner, const struct hmap *index,
              const struct in6_addr *address, struct whom *whom)
{
    const struct topology *topology = learner->topology;
    size_t n = 0;
    struct whom found = *whom;
    for (size_t i = 1; i < topology->n_segments; i++) {
        uint32_t host = find_address(index, topology->segments[i], address);
        if (host != NO_HOST) {
            found = (struct whom) { topology->segments[i], host };
            n++;
        }
    }
    *whom = n == 1 ? found : *whom;
}

static void
find_segments(struct learner *learner)
{
    struct topology *topology = learner->topology;
    struct learned *learned = learner->learned;
    struct shash by_text = SHASH_INITIALIZER(&by_text);
    for (size_t i = 0; i < learner->history->n_ends; i++) {
        const char *text = learner->history->ends[i].segment;
        struct shash_node *node = shash_find(&by_text, text);
        if (!node) {
            struct segment *segment = find_segment(topology, text);
            if (!segment && learned->has_topology) {
                sset_add(&learned->strange_segments, text);
            } else if (!segment) {
                segment = make_segment(topology, text);
            }
            node = shash_add(&by_text, text, segment);
        }
        learner->whom[i].segment = node->data;
    }
    shash_destroy(&by_text);
}

void
learner_find_workloads(struct learner *learner)
{
    const struct history *history = learner->history;
    struct topology *topology = learner->topology;
    bool given = learner->learned->has_topology;
    struct hmap index = HMAP_INITIALIZER(&index);

    learner->whom = xcalloc(history->n_ends + 1, sizeof *learner->whom);
    find_segments(learner);
    if (given) {
        take_topology(learner, &index);
    } else {
        topology_number_segments(topology);
        make_hosts(learner, &index);
    }
    for (size_t i = 0; i < history->n_ends; i++) {
        struct whom *whom = &learner->whom[i];
        whom->host = find_address(&index, whom->segment,
                                  &history->ends[i].address);
        if (whom->host == NO_HOST && whom->segment == topology->segments[0]) {
            find_untagged(learner, &index, &history->ends[i].address, whom);
        }
    }

    struct known_address *known;
    HMAP_FOR_EACH_POP (known, node, &index) {
        free(known);
    }
    hmap_destroy(&index);
}
