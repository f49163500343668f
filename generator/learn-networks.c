/* Addresses outside to networks: see learn-private.h.
 *
 * Networks of the topology come first; of several, the one with the longest
 * prefix.  What is in none of them is folded by these rules, for the
 * addresses of one link:
 *
 *   - private addresses: MIN_TOGETHER or more of one /24 (IPv6: /64) are that
 *     prefix, "net-10.1.2.0-24";
 *   - public addresses of MIN_TOGETHER or more different /24 (IPv6: /48) are
 *     "internet", which is everything that is not private;
 *   - any other is a network of its own, "at-192.0.2.7".
 *
 * So a link opens to many only if many were seen. */

#include "learn-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "util.h"

#define MIN_TOGETHER 3

#define IPV4(A, B, LEN) \
    { .addr.s6_addr = { [10] = 0xff, 0xff, A, B }, .len = 96 + LEN }
#define IPV6(A, LEN) { .addr.s6_addr = { A, LEN > 8 ? 0x80 : 0 }, .len = LEN }

/* Ranges that the internet does not route (RFC 6890, and multicast).  The
 * first are private: hosts have addresses of them. */
static const struct prefix private_ranges[] = {
    IPV4(10, 0, 8), IPV4(172, 16, 12), IPV4(192, 168, 16), IPV4(100, 64, 10),
    IPV4(169, 254, 16), IPV6(0xfc, 7), IPV6(0xfe, 10),
};
static const struct prefix multicast_ranges[] = {
    IPV4(224, 0, 3), IPV6(0xff, 8),
};

bool
is_private(const struct in6_addr *address)
{
    for (size_t i = 0; i < ARRAY_SIZE(private_ranges); i++) {
        if (prefix_holds(&private_ranges[i], address)) {
            return true;
        }
    }
    return false;
}

static struct prefix
prefix_of(const struct in6_addr *address, unsigned int ipv4_len,
          unsigned int ipv6_len)
{
    struct prefix prefix = { .addr = *address };
    prefix.len = IN6_IS_ADDR_V4MAPPED(address) ? 96 + ipv4_len : ipv6_len;
    for (unsigned int i = prefix.len; i < 128; i++) {
        prefix.addr.s6_addr[i / 8] &= ~(0x80 >> i % 8);
    }
    return prefix;
}

/* What is folded together, if there is enough of it. */
static struct prefix
neighborhood(const struct in6_addr *address)
{
    return is_private(address) ? prefix_of(address, 24, 64)
                               : prefix_of(address, 24, 48);
}

static bool
is_same_prefix(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

struct network *
learner_find_network(const struct learner *learner,
                     const struct segment *segment,
                     const struct in6_addr *address)
{
    struct network *found = NULL;
    int best = -1;
    for (size_t i = 0; i < learner->learned->n_old_networks; i++) {
        struct network *network = learner->topology->networks[i];
        if ((network->segment && network->segment != segment)
            || !network_holds(network, address)) {
            continue;
        }
        for (size_t j = 0; j < network->n_prefixes; j++) {
            const struct prefix *prefix = &network->prefixes[j];
            if (prefix_holds(prefix, address) && prefix->len > best) {
                best = prefix->len;
                found = network;
            }
        }
    }
    return found;
}

char *
learner_outside_name(const struct learner *learner,
                     const struct segment *segment,
                     const struct in6_addr *address)
{
    struct network *network = learner_find_network(learner, segment, address);
    if (network || !is_private(address)) {
        return xstrdup(network ? network->name : "internet");
    }
    const struct prefix prefix = neighborhood(address);
    return prefix_to_string(&prefix);
}

/* Making networks. */

static void
append_prefix(struct prefix **prefixes, size_t *n, struct prefix prefix)
{
    *prefixes = xrealloc(*prefixes, (*n + 1) * sizeof **prefixes);
    (*prefixes)[(*n)++] = prefix;
}

/* The new network 'name', unless the topology has another thing called so. */
static struct network *
find_or_add(struct learner *learner, const char *name, bool *added)
{
    struct topology *topology = learner->topology;
    for (size_t i = learner->learned->n_old_networks;
         i < topology->n_networks; i++) {
        if (!strcmp(topology->networks[i]->name, name)) {
            *added = false;
            return topology->networks[i];
        }
    }
    *added = true;
    return topology_add_network(topology, name,
                                (struct location) { .file = NULL });
}

static struct network *
add_network(struct learner *learner, const char *name, bool *added)
{
    const struct topology *topology = learner->topology;
    struct network *old = shash_find_data(&topology->network_index, name);
    bool taken = shash_find(&topology->application_index, name) != NULL;
    for (size_t i = 0; old && i < learner->learned->n_old_networks; i++) {
        taken |= topology->networks[i] == old;
    }
    char *other = xasprintf("%s-learned", name);
    struct network *network = find_or_add(learner, taken ? other : name,
                                          added);
    free(other);
    return network;
}

static struct network *
add_internet(struct learner *learner)
{
    static const struct prefix everything[] = { IPV4(0, 0, 0), { .len = 0 } };
    bool added;
    struct network *network = add_network(learner, "internet", &added);
    for (size_t i = 0; added && i < ARRAY_SIZE(everything); i++) {
        append_prefix(&network->prefixes, &network->n_prefixes,
                      everything[i]);
    }
    for (size_t i = 0; added && i < ARRAY_SIZE(private_ranges); i++) {
        append_prefix(&network->exceptions, &network->n_exceptions,
                      private_ranges[i]);
    }
    for (size_t i = 0; added && i < ARRAY_SIZE(multicast_ranges); i++) {
        append_prefix(&network->exceptions, &network->n_exceptions,
                      multicast_ranges[i]);
    }
    return network;
}

/* "net-10.1.2.0-24", "at-fd07--c1": names have no ":" and no "/". */
static struct network *
add_prefix_network(struct learner *learner, struct prefix prefix)
{
    bool is_one = prefix.len == 128;
    char *text = is_one ? address_to_string(&prefix.addr)
                        : prefix_to_string(&prefix);
    char *name = xasprintf("%s-%s", is_one ? "at" : "net", text);
    for (char *p = name; *p; p++) {
        *p = *p == ':' || *p == '/' ? '-' : *p;
    }
    bool added;
    struct network *network = add_network(learner, name, &added);
    if (added) {
        append_prefix(&network->prefixes, &network->n_prefixes, prefix);
    }
    free(name);
    free(text);
    return network;
}

/* Folding. */

/* An address that is in no network of the topology. */
struct stranger {
    struct in6_addr address;    /* First, for compare_addresses(). */
    struct prefix neighborhood;
    struct network *network;
};

static int
compare_addresses(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct in6_addr));
}

/* Strangers by address, each once; the caller frees them. */
static struct stranger *
find_strangers(const struct in6_addr *addresses, size_t n,
               struct network *const *networks, size_t *n_strangers)
{
    struct stranger *all = xcalloc(n + 1, sizeof *all);
    size_t n_all = 0;
    for (size_t i = 0; i < n; i++) {
        if (!networks[i]) {
            all[n_all].address = addresses[i];
            all[n_all++].neighborhood = neighborhood(&addresses[i]);
        }
    }
    qsort(all, n_all, sizeof *all, compare_addresses);
    *n_strangers = 0;
    for (size_t i = 0; i < n_all; i++) {
        if (!i || compare_addresses(&all[i], &all[*n_strangers - 1])) {
            all[(*n_strangers)++] = all[i];
        }
    }
    return all;
}

/* The end of those that are in one neighborhood: they lie side by side. */
static size_t
neighbors_end(const struct stranger *all, size_t n, size_t begin)
{
    size_t end = begin + 1;
    while (end < n && is_same_prefix(&all[begin].neighborhood,
                                     &all[end].neighborhood)) {
        end++;
    }
    return end;
}

static void
name_neighbors(struct learner *learner, struct stranger *all, size_t n,
               bool is_internet)
{
    bool private = is_private(&all[0].address);
    for (size_t i = 0; i < n; i++) {
        all[i].network
            = !private && is_internet ? add_internet(learner)
            : private && n >= MIN_TOGETHER
              ? add_prefix_network(learner, all[i].neighborhood)
            : add_prefix_network(learner, prefix_of(&all[i].address, 32,
                                                    128));
    }
}

void
learner_fold(struct learner *learner, const struct segment *segment,
             const struct in6_addr *addresses, size_t n,
             struct network **networks)
{
    for (size_t i = 0; i < n; i++) {
        networks[i] = learner_find_network(learner, segment, &addresses[i]);
    }
    size_t n_strangers, n_public = 0;
    struct stranger *all = find_strangers(addresses, n, networks,
                                          &n_strangers);
    for (size_t i = 0; i < n_strangers;
         i = neighbors_end(all, n_strangers, i)) {
        n_public += !is_private(&all[i].address);
    }
    for (size_t i = 0, end; i < n_strangers; i = end) {
        end = neighbors_end(all, n_strangers, i);
        name_neighbors(learner, &all[i], end - i, n_public >= MIN_TOGETHER);
    }
    for (size_t i = 0; i < n; i++) {
        if (!networks[i]) {
            struct stranger *stranger = bsearch(
                &addresses[i], all, n_strangers, sizeof *all,
                compare_addresses);
            networks[i] = stranger->network;
        }
    }
    free(all);
}
