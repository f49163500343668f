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
#include <openvswitch/shash.h>

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
 * 'datapath_id', by their bindings.  What is not there keeps port 0. */
char *ovsdb_resolve_ports(struct ovsdb *, uint64_t datapath_id,
                          struct ports *ports) OVS_WARN_UNUSED_RESULT;

/* The rows that decide where workloads are, as JSON, by UUID: of Bridge
 * (columns name, datapath_id, ports), Port (name, tag, interfaces) and
 * Interface (name, ofport, external_ids). */
struct ovsdb_rows {
    struct shash bridges, ports, interfaces;
};

void ovsdb_rows_init(struct ovsdb_rows *);
/* Leaves the rows themselves alone. */
void ovsdb_rows_destroy(struct ovsdb_rows *);

bool ovsdb_rows_have_bridge(const struct ovsdb_rows *, const char *name);

/* The same as ovsdb_resolve_ports() from rows at hand. */
char *ovsdb_resolve_rows(const struct ovsdb_rows *, uint64_t datapath_id,
                         struct ports *ports) OVS_WARN_UNUSED_RESULT;

#endif /* ovsdb.h */
