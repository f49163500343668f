/* What is used regularly: see roles-private.h.  O(E). */

#include "roles-private.h"

#include <math.h>
#include <stdlib.h>

#include "util.h"

/* Entries are regular if they have this part of the usual number of
 * connections, as logarithms: 4 of 20. */
#define MIN_REGULAR 0.5

/* So many connections are as good as any number. */
#define MANY_CONNECTIONS 20

/* The number of connections such that entries with about as many or more have
 * half of all connections of the host (an N50): neither many small ones nor a
 * few large ones move it much. */
static double
usual_of_host(const struct host_entry *entries, size_t n)
{
    struct {
        double n_entries, sum;
    } by_log[64] = { { 0, 0 } };
    double total = 0, sum = 0;
    int i = 63;

    for (size_t j = 0; j < n; j++) {
        int log2 = log_2_floor(entries[j].n_connections);
        by_log[log2].n_entries++;
        by_log[log2].sum += entries[j].n_connections;
        total += entries[j].n_connections;
    }
    for (; i > 0; i--) {
        sum += by_log[i].sum;
        if (sum * 2 >= total) {
            break;
        }
    }
    return by_log[i].sum / MAX(by_log[i].n_entries, 1);
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
        size_t n_entries = b->first[i + 1] - b->first[i];
        if (n_entries) {
            usual[n++] = usual_of_host(b->entries + b->first[i], n_entries);
        }
    }
    qsort(usual, n, sizeof *usual, compare_doubles);
    double median = n ? usual[n / 2] : 1;
    free(usual);
    return MIN(median, MANY_CONNECTIONS);
}

void
keep_regular(struct behaviours *b)
{
    b->usual = usual_of_all(b);

    double least = MIN_REGULAR * log1p(b->usual);
    size_t n = 0;
    for (size_t i = 0; i < b->n_hosts; i++) {
        size_t first = b->first[i];
        b->first[i] = n;
        for (size_t j = first; j < b->first[i + 1]; j++) {
            if (log1p(b->entries[j].n_connections) >= least) {
                b->entries[n++] = b->entries[j];
            }
        }
    }
    b->first[b->n_hosts] = n;
}
