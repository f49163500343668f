/* Random tests that can be repeated. */

#ifndef SEED_H
#define SEED_H 1

/* Seeds libopenvswitch's random.h from SDFW_SEED, or from the clock if the
 * environment has none, and prints the seed: with it, a run that failed can
 * be repeated. */
void seed_random(void);

#endif /* seed.h */
