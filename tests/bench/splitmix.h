/* Random numbers that are the same everywhere: splitmix64 (Steele, Lea and
 * Flood, OOPSLA 2014). */

#ifndef SPLITMIX_H
#define SPLITMIX_H 1

#include <stdint.h>

static inline uint64_t
splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* From 0 to below 1. */
static inline double
splitmix_unit(uint64_t *state)
{
    return (splitmix64(state) >> 11) * 0x1p-53;
}

#endif /* splitmix.h */
