/* Bridges that OVSDB says are to be kept, besides those of the settings:
 * other_config:sdfw-topology of Bridge, which "ovs-vsctl sdfw-enable" sets.
 *
 * What is no longer enabled is taken off the bridge, also by "ovs-vsctl
 * sdfw-disable" itself, for sdfwd need not run; but while it runs, only it
 * knows that it has no more to send. */

#ifndef SDFW_ENABLED_H
#define SDFW_ENABLED_H 1

#include <stdbool.h>

struct daemon;
struct ds;
struct ovsdb_rows;
struct svec;

/* Takes what 'rows' say.  Returns true if that changes which bridges or
 * topologies there are. */
bool enabled_update(struct daemon *, const struct ovsdb_rows *);

/* Sets up all bridges and topologies: those of the settings, then others.  The
 * caller frees them. */
void enabled_list(const struct daemon *, struct svec *bridges,
                  struct svec *paths);

/* Takes all that is ours off bridges that are no longer enabled.  Not while
 * they are kept. */
void enabled_clear(struct daemon *);

/* Appends a line for each. */
void enabled_format(const struct daemon *, struct ds *);

void enabled_destroy(struct daemon *);

#endif /* enabled.h */
