/* Installed flows against wanted ones: see diff.h.
 *
 * One open-addressing table of indexes over the installed flows; both sets are
 * walked once, and bytes are compared only where hashes agree. */

#include "diff.h"

#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>

#include "util.h"

struct index {
    uint32_t *slots;            /* Index + 1 into the set; 0: empty. */
    uint32_t *hashes;           /* By index in the set. */
    size_t mask;
};

static void
index_build(struct index *index, const struct flow_set *set)
{
    size_t size = 16;
    while (size < set->n * 2) {
        size *= 2;
    }
    index->mask = size - 1;
    index->slots = xcalloc(size, sizeof *index->slots);
    index->hashes = xmalloc((set->n + 1) * sizeof *index->hashes);
    for (size_t i = 0; i < set->n; i++) {
        uint32_t hash = flow_record_key_hash(set, &set->flows[i]);
        index->hashes[i] = hash;
        size_t slot = hash & index->mask;
        while (index->slots[slot]) {
            slot = (slot + 1) & index->mask;
        }
        index->slots[slot] = i + 1;
    }
}

static size_t
index_find(const struct index *index, const struct flow_set *set,
           const struct flow_set *other, const struct flow_record *flow)
{
    uint32_t hash = flow_record_key_hash(other, flow);
    for (size_t slot = hash & index->mask; index->slots[slot];
         slot = (slot + 1) & index->mask) {
        size_t i = index->slots[slot] - 1;
        if (index->hashes[i] == hash
            && flow_record_same_key(set, &set->flows[i], other, flow)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void
index_destroy(struct index *index)
{
    free(index->slots);
    free(index->hashes);
}

size_t *
diff_match(const struct flow_set *installed, const struct flow_set *wanted)
{
    struct index index;
    index_build(&index, installed);
    size_t *matches = xmalloc((wanted->n + 1) * sizeof *matches);
    for (size_t i = 0; i < wanted->n; i++) {
        matches[i] = index_find(&index, installed, wanted,
                                &wanted->flows[i]);
    }
    index_destroy(&index);
    return matches;
}

static int
kind_of(const struct flow_record *flow)
{
    return flow->cookie >> COOKIE_KIND_SHIFT & 0xff;
}

static bool
has_reports(const struct flow_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (kind_of(&set->flows[i]) == ORIGIN_REPORT) {
            return true;
        }
    }
    return false;
}

/* What expires by itself, and what tells sdfwd of deviations, unless 'wanted'
 * is sdfwd's own. */
static bool
is_left_alone(const struct flow_record *flow, bool reports_wanted)
{
    int kind = kind_of(flow);
    return kind == ORIGIN_ADOPT || kind == ORIGIN_LEARNED
           || ((kind == ORIGIN_REPORT || kind == ORIGIN_CAPTURE)
               && !reports_wanted);
}

/* Makes room for all changes at once: growing step by step would copy, for a
 * large first push, a hundred megabytes. */
static void
reserve_additions(const struct flow_set *wanted, const size_t *matches,
                  struct flow_set *changes)
{
    size_t n = 0, n_bytes = 0;
    for (size_t i = 0; i < wanted->n; i++) {
        if (matches[i] == SIZE_MAX) {
            n++;
            n_bytes += wanted->flows[i].match_len
                       + wanted->flows[i].actions_len;
        }
    }
    flow_set_reserve(changes, n, n_bytes);
}

struct diff_counts
diff_flows(const struct flow_set *installed, const struct flow_set *wanted,
           struct flow_set *changes)
{
    struct diff_counts counts = { .added = 0 };
    size_t *matches = diff_match(installed, wanted);
    bool *keep = xcalloc(installed->n + 1, sizeof *keep);
    bool reports = has_reports(wanted);

    reserve_additions(wanted, matches, changes);
    for (size_t i = 0; i < wanted->n; i++) {
        const struct flow_record *flow = &wanted->flows[i];
        if (matches[i] == SIZE_MAX) {
            flow_set_add_copy(changes, wanted, flow, OFPFC_ADD);
            counts.added++;
            continue;
        }
        const struct flow_record *old = &installed->flows[matches[i]];
        keep[matches[i]] = true;
        if (old->cookie != flow->cookie
            || !flow_record_same_actions(installed, old, wanted, flow)) {
            flow_set_add_copy(changes, wanted, flow, old->cookie == flow->cookie
                       ? OFPFC_MODIFY_STRICT : OFPFC_ADD);
            counts.changed++;
        } else {
            counts.unchanged++;
        }
    }
    for (size_t i = 0; i < installed->n; i++) {
        if (!keep[i] && !is_left_alone(&installed->flows[i], reports)) {
            flow_set_add_copy(changes, installed, &installed->flows[i],
                       OFPFC_DELETE_STRICT);
            counts.removed++;
        }
    }
    free(keep);
    free(matches);
    return counts;
}

/* The flows of 'set' that do not expire. */
static void
copy_lasting(const struct flow_set *set, struct flow_set *lasting)
{
    flow_set_init(lasting, set->table_base);
    for (size_t i = 0; i < set->n; i++) {
        if (kind_of(&set->flows[i]) != ORIGIN_ADOPT
            && kind_of(&set->flows[i]) != ORIGIN_LEARNED) {
            flow_set_add_copy(lasting, set, &set->flows[i], 0);
        }
    }
}

void
diff_back(const struct flow_set *now, const struct flow_set *before,
          struct flow_set *changes)
{
    struct flow_set lasting;
    copy_lasting(before, &lasting);
    diff_flows(now, &lasting, changes);
    flow_set_destroy(&lasting);

    size_t *matches = diff_match(before, now);
    for (size_t i = 0; i < now->n; i++) {
        if (matches[i] == SIZE_MAX
            && kind_of(&now->flows[i]) == ORIGIN_ADOPT) {
            flow_set_add_copy(changes, now, &now->flows[i], OFPFC_DELETE_STRICT);
        }
    }
    free(matches);
}
