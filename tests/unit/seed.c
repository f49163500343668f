/* The seed of random tests: see seed.h. */

#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "random.h"

void
seed_random(void)
{
    const char *text = getenv("SDFW_SEED");
    uint32_t seed = text ? strtoul(text, NULL, 0) : time(NULL) * 2654435761u;
    seed |= 1;                  /* Must not be 0. */
    print_message("repeat with SDFW_SEED=%u\n", seed);
    random_set_seed(seed);
}
