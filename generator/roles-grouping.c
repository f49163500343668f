/* Hosts to groups.
 *
 * After Tan, Poletto, Guttag and Kaashoek, "Role Classification of Hosts
 * Within Enterprise Networks Based on Connection Patterns" (USENIX Annual
 * Technical Conference 2003): groups form from those that are most alike to
 * those that are less, and as they form, peers count by their group, so that
 * hosts become alike that talk to different replicas.  Three things differ.
 * Likeness is weighted (roles-profiles.c), not a number of common neighbours,
 * for theirs has no ports and takes a scan for neighbours.  Pairs to compare
 * come from an index of rare features that misses none that is alike enough
 * (prefix filter: Chaudhuri, Ganti and Kaushik, ICDE 2006; Bayardo, Ma and
 * Srikant, WWW 2007).  Each round merges disjoint pairs, best first, so that
 * the number of groups of a service about halves (heavy-edge matching:
 * Karypis and Kumar, SIAM J. Sci. Comput. 20, 1998).
 *
 * With E entries, F features a host and W = WINDOW, a round takes
 * O(E log E + E W F); there are O(log replicas) of them for each level. */

#include "roles-private.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Hosts with fewer connections found no group. */
#define MIN_CONNECTIONS 5
/* How alike groups must be to become one, level by level... */
static const double levels[] = { 0.8, 0.6, 0.5 };
/* ...and somewhat more if both have many hosts, for then the differences of
 * single hosts are averaged out. */
#define MANY_HOSTS 8
#define MIN_MANY 0.55
/* A pair is merged only if neither would find one so much better. */
#define NEARLY_BEST 0.9
/* In an index of a feature each is compared to so many that follow. */
#define WINDOW 32
#define MAX_ROUNDS 64
/* Moving hosts: times all are looked at, how alike the other group must be,
 * and how much more so than the host's own. */
#define MAX_SWEEPS 8
#define MIN_MOVE 0.3
#define CLEARLY_BETTER 1.15
/* A group whose profile weighs less does nothing that tells its role: one
 * feature that two thirds of all groups have weighs 0.4. */
#define MIN_TELLING 0.5
/* A single host of which less was seen may be a replica that has not shown the
 * rest yet, so it is no group either... */
#define MIN_ALONE 20
/* ...but may join one that does so much of what it does. */
#define MIN_CONTAINED 0.85

struct pair {
    double similarity;
    uint32_t a, b;              /* a < b. */
};

struct pairs {
    struct pair *all;
    size_t n, allocated;
};

/* For each feature, the groups for which it is one of the rare ones. */
struct index {
    size_t *first;
    uint32_t *groups;
    size_t *n_prefix;           /* By group: so many weights are in it. */
};

/* Two groups with a similarity of 'level' share at least this part of either's
 * total weight, so one of the features that come before the rest. */
static size_t
prefix(const struct profile *profile, double level)
{
    double rest = profile->total * (1 - level) * (1 + 1e-6);
    size_t n = 0;
    for (double sum = 0; n < profile->n && sum <= rest; n++) {
        sum += profile->weights[n].value;
    }
    return n;
}

static void
index_init(struct index *index, const struct profiles *profiles, double level)
{
    size_t n = 0;
    index->first = xcalloc(profiles->n_features + 2, sizeof *index->first);
    index->n_prefix = xmalloc(profiles->n_groups * sizeof *index->n_prefix);
    for (size_t i = 0; i < profiles->n_groups; i++) {
        const struct profile *profile = &profiles->groups[i];
        index->n_prefix[i] = prefix(profile, level);
        for (size_t j = 0; j < index->n_prefix[i]; j++) {
            index->first[profile->weights[j].feature + 2]++;
        }
        n += index->n_prefix[i];
    }
    for (size_t i = 2; i < profiles->n_features + 2; i++) {
        index->first[i] += index->first[i - 1];
    }
    index->groups = xmalloc(n * sizeof *index->groups);
    for (size_t i = 0; i < profiles->n_groups; i++) {
        for (size_t j = 0; j < index->n_prefix[i]; j++) {
            uint32_t f = profiles->groups[i].weights[j].feature;
            index->groups[index->first[f + 1]++] = i;
        }
    }
}

static void
index_destroy(struct index *index)
{
    free(index->first);
    free(index->groups);
    free(index->n_prefix);
}

static double
wanted_similarity(size_t a, size_t b, double level)
{
    return MIN(a, b) >= MANY_HOSTS ? MAX(level, MIN_MANY) : level;
}

static void
add_pair(struct pairs *pairs, uint32_t a, uint32_t b, double similarity)
{
    if (pairs->n >= pairs->allocated) {
        pairs->all = x2nrealloc(pairs->all, &pairs->allocated,
                                sizeof *pairs->all);
    }
    pairs->all[pairs->n++] = (struct pair) { similarity, a, b };
}

/* Pairs alike enough, and for each group its best similarity. */
static struct pairs
find_pairs(const struct profiles *profiles, const size_t *sizes, double level,
           double *best)
{
    struct pairs pairs = { NULL, 0, 0 };
    uint32_t *seen = xcalloc(profiles->n_groups, sizeof *seen);
    struct index index;

    index_init(&index, profiles, level);
    /* Where each group is in the lists of its features: groups come in
     * ascending order, so a list is walked along once. */
    size_t *at = xmalloc((profiles->n_features + 1) * sizeof *at);
    memcpy(at, index.first, (profiles->n_features + 1) * sizeof *at);
    for (uint32_t a = 0; a < profiles->n_groups; a++) {
        const struct profile *profile = &profiles->groups[a];
        for (size_t i = 0; i < index.n_prefix[a]; i++) {
            uint32_t f = profile->weights[i].feature;
            size_t next = ++at[f];
            size_t end = MIN(index.first[f + 1], next + WINDOW);
            for (size_t j = next; j < end; j++) {
                uint32_t b = index.groups[j];
                if (seen[b] == a + 1) {
                    continue;
                }
                seen[b] = a + 1;
                double s = profile_similarity(profile, &profiles->groups[b]);
                if (s >= wanted_similarity(sizes[a], sizes[b], level)) {
                    add_pair(&pairs, a, b, s);
                    best[a] = MAX(best[a], s);
                    best[b] = MAX(best[b], s);
                }
            }
        }
    }
    free(at);
    free(seen);
    index_destroy(&index);
    return pairs;
}

static int
compare_pairs(const void *a_, const void *b_)
{
    const struct pair *a = a_, *b = b_;
    if (a->similarity != b->similarity) {
        return a->similarity > b->similarity ? -1 : 1;
    }
    if (a->a != b->a) {
        return a->a < b->a ? -1 : 1;
    }
    return (a->b > b->b) - (a->b < b->b);
}

static size_t *
group_sizes(const uint32_t *group_of, size_t n_hosts, size_t n_groups)
{
    size_t *sizes = xcalloc(n_groups, sizeof *sizes);
    for (size_t i = 0; i < n_hosts; i++) {
        if (group_of[i] != ROLE_NONE) {
            sizes[group_of[i]]++;
        }
    }
    return sizes;
}

/* Numbers groups by their first hosts; returns how many there are. */
static size_t
renumber(uint32_t *group_of, size_t n_hosts, size_t n_groups)
{
    uint32_t *number = xmalloc(n_groups * sizeof *number);
    size_t n = 0;
    for (size_t i = 0; i < n_groups; i++) {
        number[i] = ROLE_NONE;
    }
    for (size_t i = 0; i < n_hosts; i++) {
        if (group_of[i] != ROLE_NONE) {
            if (number[group_of[i]] == ROLE_NONE) {
                number[group_of[i]] = n++;
            }
            group_of[i] = number[group_of[i]];
        }
    }
    free(number);
    return n;
}

/* Returns false if nothing was alike enough. */
static bool
merge_round(struct behaviours *b, uint32_t *group_of, size_t *n_groups,
            double level)
{
    struct profiles *profiles = profiles_create(b, group_of, *n_groups, false);
    size_t *sizes = group_sizes(group_of, b->n_hosts, *n_groups);
    double *best = xcalloc(*n_groups, sizeof *best);
    uint32_t *into = xmalloc(*n_groups * sizeof *into);
    struct pairs pairs = find_pairs(profiles, sizes, level, best);
    bool *taken = xcalloc(*n_groups, sizeof *taken);

    for (size_t i = 0; i < *n_groups; i++) {
        into[i] = i;
    }
    if (pairs.n) {
        qsort(pairs.all, pairs.n, sizeof *pairs.all, compare_pairs);
    }
    for (size_t i = 0; i < pairs.n; i++) {
        const struct pair *pair = &pairs.all[i];
        if (!taken[pair->a] && !taken[pair->b]
            && pair->similarity >= NEARLY_BEST * MAX(best[pair->a],
                                                     best[pair->b])) {
            taken[pair->a] = taken[pair->b] = true;
            into[pair->b] = pair->a;
        }
    }
    for (size_t i = 0; i < b->n_hosts; i++) {
        if (group_of[i] != ROLE_NONE) {
            group_of[i] = into[group_of[i]];
        }
    }
    *n_groups = renumber(group_of, b->n_hosts, *n_groups);

    bool merged = pairs.n > 0;
    free(taken);
    free(pairs.all);
    free(into);
    free(best);
    free(sizes);
    profiles_destroy(profiles);
    return merged;
}

static void
merge_groups(struct behaviours *b, uint32_t *group_of, size_t *n_groups)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        for (int round = 0; round < MAX_ROUNDS; round++) {
            if (!merge_round(b, group_of, n_groups, levels[i])) {
                break;
            }
        }
    }
}

/* Where hosts look for another group. */
struct finder {
    struct profiles *profiles;
    struct index index;
    size_t *sizes;              /* By group. */
    uint32_t *seen;             /* By group: number of the last host. */
};

static void
finder_init(struct finder *finder, struct behaviours *b,
            const uint32_t *group_of, size_t n_groups)
{
    finder->profiles = profiles_create(b, group_of, n_groups, true);
    index_init(&finder->index, finder->profiles, 0);
    finder->sizes = group_sizes(group_of, b->n_hosts, n_groups);
    finder->seen = xcalloc(n_groups, sizeof *finder->seen);
}

static void
finder_destroy(struct finder *finder)
{
    free(finder->seen);
    free(finder->sizes);
    index_destroy(&finder->index);
    profiles_destroy(finder->profiles);
}

/* Finds the group that 'host' is most like by 'likeness', and the second best
 * value, among those whose likeness is at least 'level'. */
static uint32_t
best_group(struct finder *finder, uint32_t host,
           double (*likeness)(const struct profile *, const struct profile *),
           double level, double *best, double *second)
{
    const struct profile *profile = &finder->profiles->hosts[host];
    const struct index *index = &finder->index;
    uint32_t found = ROLE_NONE;
    size_t n = prefix(profile, level);
    *best = *second = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t f = profile->weights[i].feature;
        for (size_t j = index->first[f]; j < index->first[f + 1]; j++) {
            uint32_t group = index->groups[j];
            if (finder->seen[group] != host + 1) {
                finder->seen[group] = host + 1;
                double s = likeness(profile,
                                    &finder->profiles->groups[group]);
                if (s > *best || (s == *best && group < found)) {
                    *second = *best;
                    *best = s;
                    found = group;
                } else {
                    *second = MAX(*second, s);
                }
            }
        }
    }
    return found;
}

/* Moves hosts of groups of three or more to groups that they are more like.
 * Returns false if there were none. */
static bool
move_hosts(struct behaviours *b, uint32_t *group_of, size_t *n_groups)
{
    struct finder finder;
    bool moved = false;

    finder_init(&finder, b, group_of, *n_groups);
    for (size_t i = 0; i < b->n_hosts; i++) {
        uint32_t own = group_of[i];
        if (own != ROLE_NONE && finder.sizes[own] >= 3) {
            double best, second;
            uint32_t group = best_group(&finder, i, profile_similarity,
                                        MIN_MOVE, &best, &second);
            double now = profile_similarity(&finder.profiles->hosts[i],
                                            &finder.profiles->groups[own]);
            if (group != ROLE_NONE && group != own && finder.sizes[group] >= 2
                && best > now * CLEARLY_BETTER) {
                group_of[i] = group;
                moved = true;
            }
        }
    }
    finder_destroy(&finder);
    *n_groups = renumber(group_of, b->n_hosts, *n_groups);
    return moved;
}

/* Hosts without a group join the one that does all they do, if no other comes
 * near. */
static void
join_hosts(struct behaviours *b, uint32_t *group_of, size_t n_groups)
{
    struct finder finder;

    finder_init(&finder, b, group_of, n_groups);
    for (size_t i = 0; i < b->n_hosts; i++) {
        if (group_of[i] == ROLE_NONE) {
            double best, second;
            uint32_t group = best_group(&finder, i, profile_containment,
                                        MIN_CONTAINED / 2, &best, &second);
            if (group != ROLE_NONE && finder.sizes[group] >= 2
                && best >= MIN_CONTAINED && second <= best / 2) {
                group_of[i] = group;
            }
        }
    }
    finder_destroy(&finder);
}

/* Groups that do nothing but what most do are none, nor is a single host of
 * which little was seen. */
static void
dissolve_groups(struct behaviours *b, uint32_t *group_of,
                size_t *n_groups)
{
    struct profiles *profiles = profiles_create(b, group_of, *n_groups, false);
    size_t *sizes = group_sizes(group_of, b->n_hosts, *n_groups);
    for (size_t i = 0; i < b->n_hosts; i++) {
        uint32_t own = group_of[i];
        if (own != ROLE_NONE
            && (profiles->groups[own].total < MIN_TELLING
                || (sizes[own] == 1 && b->n_connections[i] < MIN_ALONE))) {
            group_of[i] = ROLE_NONE;
        }
    }
    free(sizes);
    *n_groups = renumber(group_of, b->n_hosts, *n_groups);
    profiles_destroy(profiles);
}

size_t
group_hosts(struct behaviours *b, uint32_t *group_of)
{
    size_t n_groups = 0;
    for (size_t i = 0; i < b->n_hosts; i++) {
        group_of[i] = b->n_connections[i] >= MIN_CONNECTIONS ? n_groups++
                      : ROLE_NONE;
    }
    merge_groups(b, group_of, &n_groups);
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        if (!move_hosts(b, group_of, &n_groups)) {
            break;
        }
        merge_groups(b, group_of, &n_groups);
    }
    dissolve_groups(b, group_of, &n_groups);
    join_hosts(b, group_of, n_groups);
    return renumber(group_of, b->n_hosts, n_groups);
}
