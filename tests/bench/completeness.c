/* Holds completeness.c against the truth.
 *
 * usage: completeness
 *
 * 1,000 seeds for each kind of behaviour and number of connections, spread
 * over ten days: the true unseen probability, Good and Turing's estimate, the
 * bound at 95 %, how often the truth was above it (should be 5 % at most),
 * McAllester and Schapire's bound for comparison, and how often the judgement
 * was "ready" and how often that was wrong (more unseen than it may be). */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "draws.h"
#include "util.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define N_DAYS 10
#define N_SEEDS 1000

static void
measure(const char *name, enum draws_kind kind, bool thin, uint64_t n,
        double days)
{
    const struct completeness_criteria *criteria
        = &completeness_default_criteria;
    double truth = 0, estimate = 0, bound = 0, n_drawn = 0;
    int n_above = 0, n_ready = 0, n_wrong = 0;

    for (int seed = 1; seed <= N_SEEDS; seed++) {
        struct completeness c;
        struct draws d;
        draws_init(&d, kind, seed);
        completeness_init(&c, DAY_MS);
        for (uint64_t i = 0; i < n; i++) {
            draws_next(&d, &c, (i + 0.5) / n * days * DAY_MS, thin);
        }
        struct completeness_judgement j
            = completeness_judge(&c, criteria, days * DAY_MS);
        double unseen = draws_unseen(&d);
        truth += unseen;
        estimate += j.unseen;
        bound += j.bound;
        n_drawn += c.n_connections;
        n_above += unseen > j.bound;
        n_ready += j.state == COMPLETENESS_READY;
        n_wrong += j.state == COMPLETENESS_READY
                   && unseen > criteria->max_unseen;
    }
    double mcallester_schapire = estimate / N_SEEDS
        + (2 * sqrt(2) + sqrt(3)) * sqrt(log(3 / 0.05) * N_SEEDS / n_drawn);
    printf("%-16s %6"PRIu64" %5.1f %8.4f %8.4f %8.4f %6.1f%% %9.4f "
           "%6.1f%% %6.1f%%\n", name, n, days, truth / N_SEEDS,
           estimate / N_SEEDS, bound / N_SEEDS, n_above * 100.0 / N_SEEDS,
           MIN(mcallester_schapire, 1), n_ready * 100.0 / N_SEEDS,
           n_wrong * 100.0 / N_SEEDS);
    fflush(stdout);
}

int
main(void)
{
    static const uint64_t numbers[] = { 100, 1000, 10000, 30000 };

    puts("behaviour      connections days  unseen estimate    bound  above it "
         "McA.-Sch.  ready  wrongly");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uint64_t n = numbers[i];
        measure("uniform", DRAWS_UNIFORM, false, n, N_DAYS);
        measure("zipf", DRAWS_ZIPF, false, n, N_DAYS);
        measure("bursty", DRAWS_BURSTY, false, n, N_DAYS);
        measure("bursty, thinned", DRAWS_BURSTY, true, n, N_DAYS);
        measure("nightly, 2 hours", DRAWS_NIGHTLY, false, n, 1 / 12.0);
        measure("nightly", DRAWS_NIGHTLY, false, n, N_DAYS);
    }
    return 0;
}
