/* Takes what was pushed off a bridge.
 *
 * A file of its own, because "table" is something else in push.h than in
 * db-ctl-base.h. */

#ifndef SDFW_VSCTL_CLEAR_H
#define SDFW_VSCTL_CLEAR_H 1

#include <stddef.h>

#include <openvswitch/compiler.h>

/* Waits for pushes that are under way, as the database at 'db' knows.  Sets
 * the number of flows that there were, 0 without ovs-vswitchd.  Returns an
 * error that the caller must free. */
char *clear_bridge(const char *bridge, const char *db, size_t *n_removed)
    OVS_WARN_UNUSED_RESULT;

#endif /* clear.h */
