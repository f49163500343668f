/* What OVSDB knows of a bridge: its ports and who is at them; and a lock.
 *
 * JSON-RPC and JSON are libopenvswitch's.  The lock is OVSDB's own (RFC 7047,
 * 4.1.8): it is held by the connection, so it never outlives its holder, and
 * it excludes pushes from everywhere, not only from this host. */

#ifndef SDFW_OVSDB_H
#define SDFW_OVSDB_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "ports.h"

struct ovsdb;

/* Connects to the OVSDB server at 'remote' (unix:, tcp:, ssl:), or this
 * host's if NULL.  Errors as in bridge.h. */
char *ovsdb_open(const char *remote, long long int deadline_ms,
                 struct ovsdb **) OVS_WARN_UNUSED_RESULT;
void ovsdb_close(struct ovsdb *);

/* Waits for the lock that lets one push at a time change the bridge with
 * 'datapath_id'. */
char *ovsdb_lock(struct ovsdb *, uint64_t datapath_id)
    OVS_WARN_UNUSED_RESULT;

/* Finds the ports of the workloads in 'ports' on the bridge that has
 * 'datapath_id', by their bindings, and what was said by hand.  What is not
 * there keeps port 0. */
char *ovsdb_resolve_ports(struct ovsdb *, uint64_t datapath_id,
                          struct ports *ports) OVS_WARN_UNUSED_RESULT;

#endif /* ovsdb.h */
