/* Measures how well and how fast roles are found.
 *
 * usage: roles [WORKLOADS...]
 *
 * For each number of workloads (100, 1000 and 10000), shares of noise, rare
 * links and sizes of services: the adjusted Rand index over ten seeds (three
 * for more than 1,000 workloads). */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "estate.h"
#include "util.h"

static double
now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

struct result {
    double score, worst, seconds, slowest;
    double n_entries, n_roles, n_services;
    double guessed;             /* Idle hosts that are in some role. */
    double kept_noise, lost_real; /* Share of entries, by suspicion. */
};

static void
measure_suspicions(const struct estate *e, const struct roles *roles,
                   struct result *r)
{
    size_t n, n_noise = 0, noise_found = 0;
    struct suspicion *s = roles_suspicions(&e->observations, roles, &n);
    for (size_t i = 0; i < e->n_entries; i++) {
        n_noise += e->noise[i];
    }
    for (size_t i = 0; i < n; i++) {
        noise_found += e->noise[s[i].entry];
    }
    r->kept_noise += n_noise ? 1 - (double) noise_found / n_noise : 0;
    r->lost_real += (double) (n - noise_found) / (e->n_entries - n_noise);
    free(s);
}

static void
measure_one(const struct estate_options *options, struct result *r)
{
    struct estate *e = estate_create(options);
    double start = now();
    struct roles *roles = roles_create(&e->observations, NULL, 0);
    double seconds = now() - start;
    double score = estate_score(e, roles);
    size_t n_idle = 0, guessed = 0;

    for (size_t i = 0; i < options->n_workloads; i++) {
        n_idle += e->idle[i];
        guessed += e->idle[i] && roles->of_host[i] != ROLE_NONE;
    }
    r->score += score;
    r->worst = MIN(r->worst, score);
    r->seconds += seconds;
    r->slowest = MAX(r->slowest, seconds);
    r->n_entries += e->n_entries;
    r->n_roles += roles->n_roles;
    r->n_services += e->n_services;
    r->guessed += n_idle ? (double) guessed / n_idle : 0;
    measure_suspicions(e, roles, r);
    roles_destroy(roles);
    estate_destroy(e);
}

static void
measure(size_t n_workloads, size_t max_replicas, double noise, double rare)
{
    int n = n_workloads > 1000 ? 3 : 10;
    struct result r = { .worst = 1 };

    for (int seed = 1; seed <= n; seed++) {
        struct estate_options options = {
            .seed = seed, .n_workloads = n_workloads,
            .max_replicas = max_replicas, .noise = noise, .rare = rare,
            .idle = 0.02,
        };
        measure_one(&options, &r);
    }
    printf("%9"PRIuSIZE" %8"PRIuSIZE" %4.0f%% %4.0f%% %8.0f %5.0f %5.0f "
           "%6.3f %6.3f %6.2f %6.2f %5.1f%% %5.1f%% %5.2f%%\n", n_workloads,
           max_replicas, noise * 100, rare * 100, r.n_entries / n,
           r.n_services / n, r.n_roles / n, r.score / n, r.worst,
           r.seconds / n, r.slowest, r.guessed / n * 100,
           r.kept_noise / n * 100, r.lost_real / n * 100);
    fflush(stdout);
}

static void
measure_size(size_t n_workloads)
{
    static const double noise[] = { 0, 0.01, 0.05, 0.1, 0.2 };
    static const double rare[] = { 0, 0.1, 0.4 };
    static const size_t replicas[] = { 3, 10, 20 };

    for (size_t i = 0; i < ARRAY_SIZE(noise); i++) {
        measure(n_workloads, 50, noise[i], 0.2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(rare); i++) {
        measure(n_workloads, 50, 0.05, rare[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(replicas); i++) {
        measure(n_workloads, replicas[i], 0.05, 0.2);
    }
}

int
main(int argc, char *argv[])
{
    puts("workloads replicas noise rare  entries services roles   ARI  worst "
         "seconds  worst idle in noise  real\n"
         "             up to                                       (mean)    "
         "    (mean)        a role kept  set aside");
    for (int i = 1; i < argc; i++) {
        measure_size(strtoul(argv[i], NULL, 10));
    }
    if (argc < 2) {
        measure_size(100);
        measure_size(1000);
        measure_size(10000);
    }
    return 0;
}
