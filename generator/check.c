/* Semantic errors and warnings: see check.h. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Edit distance (restricted Damerau-Levenshtein), or 'limit' + 1 if it is
 * larger than 'limit'.  Rows of the usual table are kept in 'rows', which has
 * room for three of strlen(b) + 1 each. */
static size_t
edit_distance(const char *a, const char *b, size_t limit, size_t *rows)
{
    size_t n = strlen(b);
    size_t *before = rows, *last = rows + n + 1, *row = rows + 2 * (n + 1);
    for (size_t j = 0; j <= n; j++) {
        last[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t least = row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t cost = a[i - 1] != b[j - 1];
            row[j] = MIN(MIN(last[j], row[j - 1]) + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1]) {
                row[j] = MIN(row[j], before[j - 2] + 1);
            }
            least = MIN(least, row[j]);
        }
        if (least > limit + 1) {
            return limit + 1;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[n];
}

const char *
check_nearest(const char *name, const char *const names[], size_t n)
{
    size_t length = strlen(name);
    size_t limit = length < 2 ? 0 : MIN(MAX(length / 3, 1), 4);
    const char *nearest = NULL;
    size_t *rows = xmalloc(3 * (length + limit + 1) * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > length + limit || other + limit < length) {
            continue;
        }
        size_t distance = edit_distance(name, names[i], limit, rows);
        /* The first in the order of the alphabet, so that the answer does
         * not depend on the order of 'names'. */
        if (distance <= limit
            && (!nearest || distance < limit
                || strcmp(names[i], nearest) < 0)) {
            nearest = names[i];
            limit = distance;
        }
    }
    free(rows);
    return nearest;
}

void
check_declarations(const struct topology *topology OVS_UNUSED,
                   struct report *report OVS_UNUSED)
{
}

void
check_topology(const struct topology *topology, time_t now OVS_UNUSED,
               struct report *report)
{
    check_declarations(topology, report);
}
