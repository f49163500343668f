/* Behaviour made comparable: see roles-private.h.
 *
 * A host has two features for each of its entries: with which circle it deals,
 * as client or server, and with whom of it (the peer's group).  The first
 * makes replicas alike that deal with different replicas of a service before
 * that is known to be one service; the second tells services apart that share
 * one.
 *
 * The weight of a feature is the product of
 * - how much there is of it: the number of connections against the usual
 *   number, on a logarithmic scale;
 * - what it tells: the logarithm of groups by groups that have it (inverse
 *   document frequency: Sparck Jones 1972), so that what all do (DNS, NTP,
 *   monitoring) counts nothing.  With whom in a circle one deals tells what it
 *   adds to the circle: the logarithm of groups in that circle by groups that
 *   have the feature.  All peers in a circle count together as one, and less
 *   than the circle;
 * - what it is: what a host is asked for tells more of its role than what it
 *   asks others for.
 *
 * The profile of a group is the mean of its hosts, but for what only one (or
 * one of twenty) of many does. */

#include "roles-private.h"

#include <math.h>
#include <stdlib.h>

#include "hash.h"
#include "util.h"

/* What a host is asked for counts so much of what it asks for, and with whom
 * in a circle of the circle itself. */
#define SERVED 2.0
#define PEERS 0.5
/* Groups of so many hosts have no features that one host of 20, or just one
 * host, has. */
#define MIN_QUORUM_GROUP 4

/* A host's feature.  Then, once summed, a group's. */
struct feature {
    uint64_t key;               /* From high to low: direction, circle (31
                                 * bits), label (32 bits). */
    double n;                   /* Connections; later strength. */
    double presence;            /* Strength before peers share it out. */
    uint32_t n_hosts;
    uint32_t owner;             /* Index into the profiles being made. */
    uint32_t rank;              /* What becomes weight.feature. */
    float idf;
};

static bool
is_circle(const struct feature *feature)
{
    return (uint32_t) feature->key == LABEL_CIRCLE;
}

static bool
same_circle(const struct feature *a, const struct feature *b)
{
    return a->key >> 32 == b->key >> 32;
}

struct features {
    struct feature *all;
    size_t n, allocated;
};

static void
features_add(struct features *features, uint64_t key, double n)
{
    if (features->n >= features->allocated) {
        features->all = x2nrealloc(features->all, &features->allocated,
                                   sizeof *features->all);
    }
    features->all[features->n++] = (struct feature) {
        .key = key, .n = n, .n_hosts = 1,
    };
}

static int
compare_keys(const void *a_, const void *b_)
{
    const struct feature *a = a_, *b = b_;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->owner > b->owner) - (a->owner < b->owner);
}

/* Sums features with the same key from 'from' on. */
static void
features_sum(struct features *features, size_t from)
{
    size_t n = from;
    qsort(features->all + from, features->n - from, sizeof *features->all,
          compare_keys);
    for (size_t i = from; i < features->n; i++) {
        struct feature *feature = &features->all[i];
        if (n > from && features->all[n - 1].key == feature->key) {
            features->all[n - 1].n += feature->n;
            features->all[n - 1].n_hosts += feature->n_hosts;
        } else {
            features->all[n++] = *feature;
        }
    }
    features->n = n;
}

/* Sums of a host's entries by feature: a hash table with open addressing. */
struct sums {
    uint32_t *slots;            /* Index into features + 1; 0: none. */
    size_t mask;
};

static void
sums_init(struct sums *sums, size_t n)
{
    sums->mask = 15;
    while (sums->mask < 2 * n) {
        sums->mask = sums->mask * 2 + 1;
    }
    sums->slots = xcalloc(sums->mask + 1, sizeof *sums->slots);
}

static void
sums_add(struct sums *sums, struct features *features, uint64_t key, double n)
{
    size_t slot = hash_uint64(key) & sums->mask;
    while (sums->slots[slot]) {
        struct feature *feature = &features->all[sums->slots[slot] - 1];
        if (feature->key == key) {
            feature->n += n;
            return;
        }
        slot = (slot + 1) & sums->mask;
    }
    features_add(features, key, n);
    sums->slots[slot] = features->n;
}

/* Adds the circles, each as strong as the strongest feature in it: many weak
 * ones are rather a scan than a habit. */
static void
add_circles(struct features *features, size_t from)
{
    size_t n = features->n;
    qsort(features->all + from, n - from, sizeof *features->all, compare_keys);
    for (size_t i = from, end; i < n; i = end) {
        double strongest = 0;
        for (end = i; end < n && same_circle(&features->all[i],
                                             &features->all[end]); end++) {
            strongest = MAX(strongest, features->all[end].n);
        }
        uint64_t circle = features->all[i].key >> 32 << 32;
        features_add(features, circle | LABEL_CIRCLE, strongest);
    }
}

/* Appends the features of a host. */
static void
add_host(struct features *features, const struct behaviours *b,
         const uint32_t *group_of, uint32_t host)
{
    size_t from = features->n;
    struct sums sums;

    sums_init(&sums, b->first[host + 1] - b->first[host]);
    for (size_t i = b->first[host]; i < b->first[host + 1]; i++) {
        const struct host_entry *entry = &b->entries[i];
        uint64_t circle = (uint64_t) entry->in << 63
                          | (uint64_t) entry->circle << 32;
        uint32_t whom = party_label(b, group_of, entry->peer);
        sums_add(&sums, features, circle | whom, entry->n_connections);
    }
    free(sums.slots);

    double scale = log1p(b->usual);
    for (size_t i = from; i < features->n; i++) {
        features->all[i].n = MIN(log1p(features->all[i].n) / scale, 1);
    }
    add_circles(features, from);
}

/* Peers in a circle count together as one. */
static void
share_out(struct features *features, size_t from)
{
    for (size_t i = from, end; i < features->n; i = end) {
        const struct feature *first = &features->all[i];
        double sum = 0, strength = 1;
        for (end = i; end < features->n
                      && same_circle(first, &features->all[end]); end++) {
            if (is_circle(&features->all[end])) {
                strength = features->all[end].n;
            } else {
                sum += features->all[end].n;
            }
        }
        for (size_t j = i; j < end && sum > 0; j++) {
            if (!is_circle(&features->all[j])) {
                features->all[j].n *= strength / sum;
            }
        }
    }
}

/* Makes the features of 'size' hosts, from 'from' on, those of 'owner'. */
static void
own(struct features *features, size_t from, size_t size, uint32_t owner)
{
    size_t n = from;
    features_sum(features, from);
    for (size_t i = from; i < features->n; i++) {
        struct feature feature = features->all[i];
        if (size < MIN_QUORUM_GROUP
            || feature.n_hosts > MAX(1, size / 20)) {
            feature.n /= size;
            feature.presence = feature.n;
            feature.owner = owner;
            features->all[n++] = feature;
        }
    }
    features->n = n;
    share_out(features, from);
}

/* The features of 'groups' in order, then if wanted those of hosts. */
static struct features
collect_features(const struct behaviours *b, const uint32_t *group_of,
                 size_t n_groups, bool hosts)
{
    struct features features = {
        .all = xmalloc(sizeof *features.all), .allocated = 1,
    };
    uint32_t *next = xmalloc(b->n_hosts * sizeof *next);
    uint32_t *first = xmalloc(n_groups * sizeof *first);

    for (size_t i = 0; i < n_groups; i++) {
        first[i] = ROLE_NONE;
    }
    for (size_t i = b->n_hosts; i-- > 0; ) {
        if (group_of[i] != ROLE_NONE) {
            next[i] = first[group_of[i]];
            first[group_of[i]] = i;
        }
    }
    for (size_t i = 0; i < n_groups; i++) {
        size_t from = features.n, size = 0;
        for (uint32_t h = first[i]; h != ROLE_NONE; h = next[h]) {
            add_host(&features, b, group_of, h);
            size++;
        }
        own(&features, from, size, i);
    }
    for (size_t i = 0; hosts && i < b->n_hosts; i++) {
        size_t from = features.n;
        add_host(&features, b, group_of, i);
        own(&features, from, 1, n_groups + i);
    }
    free(first);
    free(next);
    return features;
}

struct distinct {
    double n_groups;            /* That have it, as far as they have it. */
    size_t first, n;            /* In features. */
};

static int
compare_rarity(const void *a_, const void *b_)
{
    const struct distinct *a = a_, *b = b_;
    if (a->n_groups != b->n_groups) {
        return a->n_groups < b->n_groups ? -1 : 1;
    }
    return (a->first > b->first) - (a->first < b->first);
}

/* 'distinct' is in the order of keys, so a circle comes after its peers. */
static void
set_idf(struct features *features, const struct distinct *distinct, size_t n,
        size_t n_groups)
{
    double in_circle = 0;
    for (size_t i = n; i-- > 0; ) {
        struct feature *f = &features->all[distinct[i].first];
        double n_having = MAX(distinct[i].n_groups, 1);
        double of = is_circle(f) ? n_groups + 1 : MAX(in_circle, n_having);
        if (is_circle(f)) {
            in_circle = n_having;
        }
        for (size_t j = 0; j < distinct[i].n; j++) {
            f[j].idf = log(of / n_having);
        }
    }
}

/* Sorts features by key, and sets rank and idf.  Returns how many there are
 * that are not the same. */
static size_t
rank_features(struct features *features, size_t n_groups)
{
    struct distinct *distinct = xmalloc(features->n * sizeof *distinct);
    size_t n = 0;

    qsort(features->all, features->n, sizeof *features->all, compare_keys);
    for (size_t i = 0; i < features->n; i++) {
        const struct feature *feature = &features->all[i];
        if (!i || feature->key != feature[-1].key) {
            distinct[n++] = (struct distinct) { .first = i };
        }
        distinct[n - 1].n++;
        if (feature->owner < n_groups) {
            distinct[n - 1].n_groups += feature->presence;
        }
    }
    set_idf(features, distinct, n, n_groups);
    qsort(distinct, n, sizeof *distinct, compare_rarity);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < distinct[i].n; j++) {
            features->all[distinct[i].first + j].rank = i;
        }
    }
    free(distinct);
    return n;
}

static int
compare_owners(const void *a_, const void *b_)
{
    const struct feature *a = a_, *b = b_;
    if (a->owner != b->owner) {
        return a->owner < b->owner ? -1 : 1;
    }
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static float
feature_weight(const struct feature *feature)
{
    return feature->n * feature->idf
           * (feature->key >> 63 ? SERVED : 1)
           * (is_circle(feature) ? 1 : PEERS);
}

struct profiles *
profiles_create(struct behaviours *b, const uint32_t *group_of,
                size_t n_groups, bool hosts)
{
    find_circles(b, group_of);
    struct features features = collect_features(b, group_of, n_groups, hosts);
    struct profiles *profiles = xzalloc(sizeof *profiles);
    size_t n_owners = n_groups + (hosts ? b->n_hosts : 0);

    profiles->groups = xcalloc(n_owners, sizeof *profiles->groups);
    profiles->n_groups = n_groups;
    profiles->hosts = hosts ? profiles->groups + n_groups : NULL;
    profiles->weights = xmalloc(features.n * sizeof *profiles->weights);
    profiles->n_features = rank_features(&features, n_groups);

    qsort(features.all, features.n, sizeof *features.all, compare_owners);
    size_t n = 0;
    for (size_t i = 0; i < features.n; i++) {
        const struct feature *feature = &features.all[i];
        struct profile *profile = &profiles->groups[feature->owner];
        if (!profile->n) {
            profile->weights = &profiles->weights[n];
        }
        profiles->weights[n] = (struct weight) {
            feature->rank, feature_weight(feature)
        };
        profile->total += profiles->weights[n++].value;
        profile->n++;
    }
    free(features.all);
    return profiles;
}

void
profiles_destroy(struct profiles *profiles)
{
    free(profiles->groups);
    free(profiles->weights);
    free(profiles);
}

/* Sum of the smaller weights. */
static double
common_weight(const struct profile *a, const struct profile *b)
{
    double common = 0;
    for (size_t i = 0, j = 0; i < a->n && j < b->n; ) {
        const struct weight *x = &a->weights[i], *y = &b->weights[j];
        if (x->feature == y->feature) {
            common += MIN(x->value, y->value);
        }
        i += x->feature <= y->feature;
        j += x->feature >= y->feature;
    }
    return common;
}

double
profile_similarity(const struct profile *a, const struct profile *b)
{
    double common = common_weight(a, b);
    double all = a->total + b->total - common;
    return all > 0 ? common / all : 0;
}

double
profile_containment(const struct profile *a, const struct profile *b)
{
    return a->total > 0 ? common_weight(a, b) / a->total : 0;
}
