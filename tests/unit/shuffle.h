/* The same topology, as other files in another order would have given it. */

#ifndef SHUFFLE_H
#define SHUFFLE_H 1

#include "model.h"

/* Puts networks, applications, services, workloads, links, openings and what
 * they list into a random order (random.h). */
void shuffle_topology(struct topology *);

#endif /* shuffle.h */
