/* Addresses to classes: see classes.h.
 *
 * Prefixes are handled family by family, because an IPv6 prefix such as ::/0
 * does not hold IPv4 addresses though both are kept in 128 bits. */

#include "classes.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "hash.h"
#include "overlay.h"
#include "packets.h"
#include "util.h"

/* Prefixes that only say "workloads live here" are at least so many bits long
 * if that needs no more than so many of them.  Outside of them, the datapath's
 * flows need not tell addresses apart. */
struct cover_limits {
    int min_len, len;
    size_t max_n;
};
static const struct cover_limits ipv4_covers = { 96, 96 + 24, 2 };
static const struct cover_limits ipv6_covers = { 0, 64, 2 };

uint64_t
stable_hash(const char *s, uint64_t basis)
{
    uint64_t hash = basis ? basis : UINT64_C(0xcbf29ce484222325);
    for (; *s; s++) {
        hash = (hash ^ (uint8_t) *s) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool
is_ipv4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

/* Classes and memberships. */

static struct class *
class_get(struct classes *classes, const char *name)
{
    uint32_t hash = hash_string(name, 0);
    struct class *class;
    HMAP_FOR_EACH_WITH_HASH (class, node, hash, &classes->by_name) {
        if (!strcmp(class->name, name)) {
            return class;
        }
    }
    class = xzalloc(sizeof *class);
    class->name = xstrdup(name);
    hmap_insert(&classes->by_name, &class->node, hash);
    return class;
}

static struct membership *
membership_find(const struct classes *classes, const void *object,
                bool quarantine)
{
    struct membership *m;
    HMAP_FOR_EACH_WITH_HASH (m, node, hash_pointer(object, quarantine),
                             &classes->memberships) {
        if (m->object == object && m->quarantine == quarantine) {
            return m;
        }
    }
    return NULL;
}

static void
add_member(struct classes *classes, const void *object, struct class *class)
{
    struct membership *m = membership_find(classes, object,
                                           class->quarantine);
    if (!m) {
        m = xzalloc(sizeof *m);
        m->object = object;
        m->quarantine = class->quarantine;
        hmap_insert(&classes->memberships, &m->node,
                    hash_pointer(object, m->quarantine));
    }
    for (size_t i = 0; i < m->n; i++) {
        if (m->classes[i] == class) {
            return;
        }
    }
    if (m->n >= m->allocated) {
        m->classes = x2nrealloc(m->classes, &m->allocated,
                                sizeof *m->classes);
    }
    m->classes[m->n++] = class;
}

static int
compare_classes(const void *a_, const void *b_)
{
    const struct class *const *a = a_;
    const struct class *const *b = b_;
    return strcmp((*a)->name, (*b)->name);
}

/* Gives identifiers in the order of names, so that a collision is resolved
 * the same way everywhere. */
static void
number_classes(struct classes *classes)
{
    size_t n = hmap_count(&classes->by_name);
    struct class **sorted = xmalloc((n + 1) * sizeof *sorted);
    struct hmap used = HMAP_INITIALIZER(&used);
    struct id { struct hmap_node node; } *ids = xmalloc((n + 1) * sizeof *ids);

    size_t i = 0;
    struct class *class;
    HMAP_FOR_EACH (class, node, &classes->by_name) {
        sorted[i++] = class;
    }
    qsort(sorted, n, sizeof *sorted, compare_classes);
    for (i = 0; i < n; i++) {
        uint64_t hash = stable_hash(sorted[i]->name, 0);
        uint32_t id = hash ^ hash >> 32;
        while (!id || hmap_first_with_hash(&used, id)) {
            hash = stable_hash(sorted[i]->name, hash);
            id = hash ^ hash >> 32;
        }
        sorted[i]->id = id;
        hmap_insert(&used, &ids[i].node, id);
    }
    hmap_destroy(&used);
    free(ids);
    free(sorted);
}

/* Workloads. */

static int
compare_services(const void *a_, const void *b_)
{
    const struct service *const *a = a_;
    const struct service *const *b = b_;
    return strcmp((*a)->path, (*b)->path);
}

static struct class *
class_of_workload(struct classes *classes, const struct workload *workload,
                  const struct overlay *overlay)
{
    size_t n = workload->n_services;
    struct service **sorted = xmemdup(workload->services, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_services);

    struct ds name = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < n; i++) {
        ds_put_format(&name, "%s%s", i ? "+" : "", sorted[i]->path);
    }
    bool quarantine = overlay_find_quarantine(overlay, workload);
    if (quarantine) {
        ds_put_char(&name, '!');
    }
    struct class *class = class_get(classes, ds_cstr(&name));
    class->quarantine = class->enforce = quarantine;
    for (size_t i = 0; i < n; i++) {
        add_member(classes, sorted[i], class);
        class->enforce |= overlay_service_mode(overlay, sorted[i])
                          == MODE_ENFORCE;
    }
    ds_destroy(&name);
    free(sorted);
    return class;
}

static struct class_segment *
find_segment(struct classes *classes, const struct segment *segment)
{
    for (size_t i = 0; i < classes->n_segments; i++) {
        if (classes->segments[i].segment == segment) {
            return &classes->segments[i];
        }
    }
    OVS_NOT_REACHED();
}

static void
add_address(struct class_segment *cs, const struct in6_addr *address,
            const struct workload *workload, const struct class *class)
{
    if (cs->n_addresses >= cs->allocated_addresses) {
        cs->addresses = x2nrealloc(cs->addresses, &cs->allocated_addresses,
                                   sizeof *cs->addresses);
    }
    cs->addresses[cs->n_addresses++] = (struct class_address) {
        .address = *address,
        .workload = workload,
        .class = class,
        .foreign = workload->home->segment != cs->segment,
    };
}

static void
add_foreign_workload(struct classes *classes, struct class_segment *cs,
                     const struct workload *workload)
{
    for (size_t i = 0; workload->home->segment != cs->segment
         && i < workload->n_addresses; i++) {
        if (!IN6_IS_ADDR_LINKLOCAL(&workload->addresses[i])) {
            add_address(cs, &workload->addresses[i], workload,
                        classes->of_workload[workload->index]);
        }
    }
}

/* Makes the workloads of 'service' known in 'cs', where a link leads. */
static void
add_foreign(struct classes *classes, struct class_segment *cs,
            const struct service *service, const struct ports *ports)
{
    for (size_t i = 0; i < service->n_workloads; i++) {
        add_foreign_workload(classes, cs,
                             ports->workloads[service->workloads[i]->index]);
    }
    for (size_t i = ports->n_declared; i < ports->n_workloads; i++) {
        if (workload_is_in(ports->workloads[i], service)) {
            add_foreign_workload(classes, cs, ports->workloads[i]);
        }
    }
}

static int
compare_addresses(const void *a_, const void *b_)
{
    const struct class_address *a = a_;
    const struct class_address *b = b_;
    int cmp = memcmp(&a->address, &b->address, sizeof a->address);
    return cmp ? cmp : a->foreign - b->foreign;
}

/* Sorts the addresses and drops those that were added twice, because several
 * links lead to them; what is at home wins. */
static void
sort_addresses(struct class_segment *cs)
{
    if (!cs->n_addresses) {
        return;
    }
    qsort(cs->addresses, cs->n_addresses, sizeof *cs->addresses,
          compare_addresses);
    size_t n = 1;
    for (size_t i = 1; i < cs->n_addresses; i++) {
        if (memcmp(&cs->addresses[i].address, &cs->addresses[n - 1].address,
                   sizeof cs->addresses[i].address)) {
            cs->addresses[n++] = cs->addresses[i];
        }
    }
    cs->n_addresses = n;
}

/* Prefixes. */

/* In this order where prefixes are equal: an exception wins. */
enum entry_kind { ENTRY_COVER, ENTRY_IN, ENTRY_OUT };

struct entry {
    struct prefix prefix;
    enum entry_kind kind;
    const struct network *network;
};

struct entries {
    struct entry *entries;
    size_t n, allocated;
};

static void
add_entry(struct entries *es, struct prefix prefix, enum entry_kind kind,
          const struct network *network)
{
    if (es->n >= es->allocated) {
        es->entries = x2nrealloc(es->entries, &es->allocated,
                                 sizeof *es->entries);
    }
    es->entries[es->n++] = (struct entry) {
        .prefix = prefix, .kind = kind, .network = network,
    };
}

static void
clear_host_bits(struct in6_addr *address, int len)
{
    for (int i = 0; i < 16; i++, len -= 8) {
        if (len < 8) {
            address->s6_addr[i] &= len > 0 ? 0xff << (8 - len) : 0;
        }
    }
}

/* Adds covers of the addresses of one family, which are contiguous in the
 * sorted array. */
static void
add_covers(struct class_address *const addresses[], size_t n,
           const struct cover_limits *limits, struct entries *es)
{
    if (!n) {
        return;
    }
    int len = limits->len;
    for (;; len--) {
        size_t n_covers = 0;
        struct prefix cover = { .len = len };
        for (size_t i = 0; i < n; i++) {
            struct in6_addr address = addresses[i]->address;
            clear_host_bits(&address, len);
            if (!i || memcmp(&address, &cover.addr, sizeof address)) {
                cover.addr = address;
                n_covers++;
            }
        }
        if (n_covers <= limits->max_n || len == limits->min_len) {
            break;
        }
    }
    struct prefix last = { .len = len };
    for (size_t i = 0; i < n; i++) {
        struct prefix cover = { .addr = addresses[i]->address, .len = len };
        clear_host_bits(&cover.addr, len);
        if (!i || memcmp(&cover.addr, &last.addr, sizeof cover.addr)) {
            add_entry(es, cover, ENTRY_COVER, NULL);
            last = cover;
        }
    }
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = a_;
    const struct entry *b = b_;
    int cmp = memcmp(&a->prefix.addr, &b->prefix.addr, sizeof a->prefix.addr);
    if (!cmp) {
        cmp = a->prefix.len - b->prefix.len;
    }
    if (!cmp) {
        cmp = a->kind - b->kind;
    }
    /* By name, so that the prefix counts as the same network's in any order
     * of declarations. */
    return cmp || !a->network ? cmp
           : strcmp(a->network->name, b->network->name);
}

/* The networks that hold a prefix, sorted by name. */
struct network_set {
    const struct network **networks;
    size_t n;
};

static void
network_set_change(struct network_set *set, const struct network *network,
                   bool in)
{
    size_t i = 0;
    while (i < set->n && strcmp(set->networks[i]->name, network->name) < 0) {
        i++;
    }
    bool there = i < set->n && set->networks[i] == network;
    if (there == in) {
        return;
    }
    size_t rest = set->n - i - there;
    if (in) {
        set->networks = xrealloc(set->networks,
                                 (set->n + 1) * sizeof *set->networks);
        memmove(&set->networks[i + 1], &set->networks[i],
                rest * sizeof *set->networks);
        set->networks[i] = network;
        set->n++;
    } else {
        memmove(&set->networks[i], &set->networks[i + 1],
                rest * sizeof *set->networks);
        set->n--;
    }
}

static struct class *
class_of_networks(struct classes *classes, const struct network_set *set)
{
    if (!set->n) {
        return NULL;
    }
    struct ds name = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < set->n; i++) {
        ds_put_format(&name, "%s%s", i ? "+" : "", set->networks[i]->name);
    }
    struct class *class = class_get(classes, ds_cstr(&name));
    for (size_t i = 0; i < set->n; i++) {
        add_member(classes, set->networks[i], class);
    }
    ds_destroy(&name);
    return class;
}

/* A prefix on the path from the root to the current one. */
struct frame {
    struct network_set set;
    size_t index;               /* In cs->prefixes. */
};

static struct class_prefix *
append_prefix(struct class_segment *cs, const struct prefix *prefix)
{
    if (cs->n_prefixes >= cs->allocated_prefixes) {
        cs->prefixes = x2nrealloc(cs->prefixes, &cs->allocated_prefixes,
                                  sizeof *cs->prefixes);
    }
    struct class_prefix *cp = &cs->prefixes[cs->n_prefixes++];
    *cp = (struct class_prefix) { .prefix = *prefix };
    return cp;
}

static bool
holds(const struct prefix *prefix, const struct in6_addr *address)
{
    struct in6_addr masked = *address;
    clear_host_bits(&masked, prefix->len);
    return !memcmp(&masked, &prefix->addr, sizeof masked);
}

static bool
prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && !memcmp(&a->addr, &b->addr, sizeof a->addr);
}

/* Walks the sorted entries and the sorted addresses of one family together,
 * with the prefixes that hold the current place on a stack. */
static void
build_prefixes(struct classes *classes, struct class_segment *cs,
               const struct entries *es,
               struct class_address *const addresses[], size_t n_addresses)
{
    struct frame stack[130];
    size_t depth = 0;
    size_t a = 0;

    for (size_t i = 0; i <= es->n; ) {
        const struct entry *entry = i < es->n ? &es->entries[i] : NULL;

        /* Addresses before the next prefix belong to the one on top. */
        while (a < n_addresses
               && (!entry || memcmp(&addresses[a]->address,
                                    &entry->prefix.addr, 16) < 0)) {
            while (depth
                   && !holds(&cs->prefixes[stack[depth - 1].index].prefix,
                             &addresses[a]->address)) {
                free(stack[--depth].set.networks);
            }
            if (depth) {
                struct class_prefix *cp
                    = &cs->prefixes[stack[depth - 1].index];
                cp->exact = true;
                addresses[a]->around = cp->class;
            }
            a++;
        }
        if (!entry) {
            break;
        }

        while (depth && !holds(&cs->prefixes[stack[depth - 1].index].prefix,
                               &entry->prefix.addr)) {
            free(stack[--depth].set.networks);
        }
        struct frame frame = { .index = cs->n_prefixes };
        if (depth) {
            const struct network_set *outer = &stack[depth - 1].set;
            frame.set.networks = xmemdup(outer->networks,
                                         outer->n * sizeof *outer->networks);
            frame.set.n = outer->n;
        }
        struct class_prefix *cp = append_prefix(cs, &entry->prefix);
        for (; i < es->n && prefix_equal(&es->entries[i].prefix,
                                         &cp->prefix); i++) {
            if (es->entries[i].kind == ENTRY_COVER) {
                cp->exact = true;
            } else {
                network_set_change(&frame.set, es->entries[i].network,
                                   es->entries[i].kind == ENTRY_IN);
                cp->network = es->entries[i].network;
            }
        }
        cp->class = class_of_networks(classes, &frame.set);
        if (!cp->network && frame.set.n) {
            cp->network = frame.set.networks[0];
        }
        stack[depth++] = frame;
    }
    while (depth) {
        free(stack[--depth].set.networks);
    }
}

/* Where hosts have the addresses that they make of their MACs. */
static void
add_link_local_cover(struct entries *es)
{
    struct prefix link_local = { .len = 64 };
    link_local.addr.s6_addr[0] = 0xfe;
    link_local.addr.s6_addr[1] = 0x80;
    add_entry(es, link_local, ENTRY_COVER, NULL);
}

static void
build_family(const struct topology *topology, struct classes *classes,
             struct class_segment *cs, bool ipv4)
{
    struct entries es = { .n = 0 };
    for (size_t i = 0; i < topology->n_networks; i++) {
        const struct network *network = topology->networks[i];
        if (network->segment && network->segment != cs->segment) {
            continue;
        }
        for (size_t j = 0; j < network->n_prefixes; j++) {
            if (is_ipv4(&network->prefixes[j].addr) == ipv4) {
                add_entry(&es, network->prefixes[j], ENTRY_IN, network);
            }
        }
        for (size_t j = 0; j < network->n_exceptions; j++) {
            if (is_ipv4(&network->exceptions[j].addr) == ipv4) {
                add_entry(&es, network->exceptions[j], ENTRY_OUT, network);
            }
        }
    }

    struct class_address **family = xmalloc((cs->n_addresses + 1)
                                            * sizeof *family);
    size_t n = 0;
    for (size_t i = 0; i < cs->n_addresses; i++) {
        if (is_ipv4(&cs->addresses[i].address) == ipv4) {
            family[n++] = &cs->addresses[i];
        }
    }
    add_covers(family, n, ipv4 ? &ipv4_covers : &ipv6_covers, &es);
    if (!ipv4 && cs->n_addresses) {
        add_link_local_cover(&es);
    }
    if (es.n) {
        qsort(es.entries, es.n, sizeof *es.entries, compare_entries);
    }
    build_prefixes(classes, cs, &es, family, n);
    free(family);
    free(es.entries);
}

void
classes_build_prefixes(struct classes *classes,
                       const struct topology *topology,
                       struct class_segment *cs)
{
    cs->n_prefixes = 0;
    build_family(topology, classes, cs, true);
    build_family(topology, classes, cs, false);
}

struct classes *
classes_create(const struct topology *topology, const struct ports *ports)
{
    struct classes *classes = xzalloc(sizeof *classes);
    hmap_init(&classes->by_name);
    hmap_init(&classes->memberships);
    classes->n_segments = topology->n_segments;
    classes->segments = xcalloc(topology->n_segments,
                                sizeof *classes->segments);
    for (size_t i = 0; i < topology->n_segments; i++) {
        classes->segments[i].segment = topology->segments[i];
    }

    classes->of_workload = xcalloc(ports->n_workloads + 1,
                                   sizeof *classes->of_workload);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        struct class *class = class_of_workload(classes, workload,
                                                ports->overlay);
        classes->of_workload[i] = class;
        struct class_segment *cs = find_segment(classes,
                                                workload->home->segment);
        for (size_t j = 0; j < workload->n_addresses; j++) {
            add_address(cs, &workload->addresses[j], workload, class);
        }
    }

    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct service *from = application->links[j]->from.service;
            const struct service *to = application->links[j]->to.service;
            if (from && to && from->segment != to->segment) {
                add_foreign(classes, find_segment(classes, from->segment),
                            to, ports);
                add_foreign(classes, find_segment(classes, to->segment),
                            from, ports);
            }
        }
    }

    for (size_t i = 0; i < classes->n_segments; i++) {
        struct class_segment *cs = &classes->segments[i];
        sort_addresses(cs);
        classes_build_prefixes(classes, topology, cs);
    }
    number_classes(classes);
    return classes;
}

void
classes_destroy(struct classes *classes)
{
    if (!classes) {
        return;
    }
    struct class *class;
    HMAP_FOR_EACH_POP (class, node, &classes->by_name) {
        free(class->name);
        free(class);
    }
    hmap_destroy(&classes->by_name);
    struct membership *m;
    HMAP_FOR_EACH_POP (m, node, &classes->memberships) {
        free(m->classes);
        free(m);
    }
    hmap_destroy(&classes->memberships);
    for (size_t i = 0; i < classes->n_segments; i++) {
        free(classes->segments[i].prefixes);
        free(classes->segments[i].addresses);
    }
    free(classes->segments);
    free(classes->of_workload);
    free(classes);
}

struct class *const *
classes_of(const struct classes *classes, const struct endpoint *end,
           bool quarantine, size_t *n)
{
    const void *object = end->service ? (const void *) end->service
                                      : (const void *) end->network;
    const struct membership *m = membership_find(classes, object, quarantine);
    *n = m ? m->n : 0;
    return m ? m->classes : NULL;
}
