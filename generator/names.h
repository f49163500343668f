/* Names for what is read back from a bridge.
 *
 * Flows carry numbers: classes, openings, ports.  With the topology that they
 * were compiled from (or the one that is to replace it) at hand, these become
 * names again. */

#ifndef SDFW_NAMES_H
#define SDFW_NAMES_H 1

#include <openvswitch/dynamic-string.h>

#include "flows.h"
#include "model.h"
#include "ports.h"

struct names;

/* Names of all that 'topology' has.  Free with names_destroy(). */
struct names *names_create(const struct topology *, const struct ports *);
void names_destroy(struct names *);

/* Appends in words what 'flow', which may be of another topology, is for:
 * "link shop/web -> shop/app tcp/8080", "address 10.0.0.5 (shop/web, port 3)",
 * or its origin if it has one. */
void names_describe_flow(const struct names *, struct ds *,
                         const struct flow_set *, const struct flow_record *);

#endif /* names.h */
