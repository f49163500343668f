/* Drawn connections: see draws.h. */

#include "draws.h"

#include <string.h>

#include "splitmix.h"
#include "util.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define N_UNIFORM 200
#define N_ZIPF 500
#define BURST 20
/* One of 24 hours. */
#define NIGHT (1 / 24.0)

void
draws_init(struct draws *d, enum draws_kind kind, uint64_t seed)
{
    size_t n = kind == DRAWS_UNIFORM ? N_UNIFORM : N_ZIPF;
    double sum = 0;

    memset(d, 0, sizeof *d);
    d->kind = kind;
    d->state = seed;
    d->last = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        sum += d->p[i] = kind == DRAWS_UNIFORM ? 1 : 1.0 / (i + 1);
        d->cumulative[i] = sum;
    }
    for (size_t i = 0; i < n; i++) {
        d->p[i] /= sum / (kind == DRAWS_NIGHTLY ? 1 - NIGHT : 1);
        d->cumulative[i] /= sum;
    }
    for (size_t i = n; kind == DRAWS_NIGHTLY && i < DRAWS_ENTRIES; i++) {
        d->p[i] = NIGHT / (DRAWS_ENTRIES - n);
    }
}

static size_t
draw_entry(struct draws *d, int64_t when_ms)
{
    double x = splitmix_unit(&d->state);
    if (d->kind == DRAWS_NIGHTLY && when_ms / HOUR_MS % 24 == 2) {
        return N_ZIPF + (size_t) (x * (DRAWS_ENTRIES - N_ZIPF));
    }
    size_t i = 0;
    while (x >= d->cumulative[i] && d->cumulative[i + 1] > 0) {
        i++;
    }
    return i;
}

void
draws_next(struct draws *d, struct completeness *c, int64_t when_ms, bool thin)
{
    bool goes_on = d->kind == DRAWS_BURSTY && d->last != SIZE_MAX
                   && splitmix_unit(&d->state) >= 1.0 / BURST;
    size_t i = goes_on ? d->last : draw_entry(d, when_ms);
    d->last = i;
    if (!goes_on || !thin) {
        completeness_add(c, when_ms, d->counts[i]++, 1);
    }
}

double
draws_unseen(const struct draws *d)
{
    double unseen = 0;
    for (size_t i = 0; i < DRAWS_ENTRIES; i++) {
        unseen += d->counts[i] ? 0 : d->p[i];
    }
    return unseen;
}
