/* The manifests that count for the bridges of this database. */

#ifndef SDFW_VSCTL_MANIFESTS_H
#define SDFW_VSCTL_MANIFESTS_H 1

#include <openvswitch/compiler.h>

#include "model.h"
#include "native.h"

struct ctl_context;
struct svec;

/* Adds the paths of the topologies of 'bridge', in order. */
void manifests_of_bridge(const struct ovsrec_bridge *bridge, struct svec *);

/* Adds those of all bridges that are enabled, but of 'except' (NULL: none),
 * and of sdfwd's settings, as sdfwd takes them together.  Returns NULL, or why
 * sdfwd does not tell its settings, which the caller must free. */
char *manifests_of_all(const struct ctl_context *,
                      const struct ovsrec_bridge *except, struct svec *);

/* What they say, or NULL if there are none, or they cannot be read here; then
 * '*why' tells, and is the caller's.  The topology stays ours, and is kept
 * until others are to be read. */
struct topology *manifests_read_all(const struct ctl_context *, char **why);

/* What is wrong with those at 'paths', to be pushed now: the first error, with
 * file and line.  NULL if nothing; the caller frees it. */
char *manifests_check(const struct svec *paths) OVS_WARN_UNUSED_RESULT;

#endif /* manifests.h */
