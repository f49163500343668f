/* A bridge's OpenFlow connection: read back, and change in one bundle.
 *
 * Calls block until they are done or until the connection's deadline.  Each
 * thread may use connections of its own. */

#ifndef SDFW_BRIDGE_H
#define SDFW_BRIDGE_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "flows.h"
#include "ports.h"

struct bridge;

/* Connects to 'target': the name of a bridge of this host, or a
 * unix:, tcp: or ssl: connection method (ovs-ofctl(8)).  'deadline_ms' is in
 * the time of time_msec().  On success sets '*bridgep', which the caller
 * closes with bridge_close(), and returns NULL; otherwise an error that the
 * caller must free. */
char *bridge_open(const char *target, long long int deadline_ms,
                  struct bridge **bridgep) OVS_WARN_UNUSED_RESULT;
void bridge_close(struct bridge *);

/* The same without connecting: good for bridge_set_no_flood() only. */
struct bridge *bridge_prepare(const char *target, long long int deadline_ms);

/* "br0" or the connection method, as given. */
const char *bridge_target(const struct bridge *);
uint64_t bridge_datapath_id(const struct bridge *);

/* Adds all flows with our cookie prefix to 'installed'. */
char *bridge_dump_flows(struct bridge *, struct flow_set *installed)
    OVS_WARN_UNUSED_RESULT;

/* Adds the flows of others that may come before ours: all in our tables (from
 * 'foreign->table_base' on), and those of our priority in table 0. */
char *bridge_dump_foreign(struct bridge *, struct flow_set *foreign)
    OVS_WARN_UNUSED_RESULT;

/* Sets 'idle_s' of the flows in 'installed', which have been read.  It stays
 * unknown if the bridge does not speak OpenFlow 1.5. */
char *bridge_read_idle(struct bridge *, struct flow_set *installed)
    OVS_WARN_UNUSED_RESULT;

/* Counts the packets that went through DEVIATION since its flows are there. */
char *bridge_count_deviations(struct bridge *, uint8_t table_base,
                              uint64_t *n) OVS_WARN_UNUSED_RESULT;

/* Applies 'changes' in one atomic bundle.  On error the bridge is as it was,
 * and the message names the flow; but see bridge_is_unsure(). */
char *bridge_apply(struct bridge *, const struct flow_set *changes)
    OVS_WARN_UNUSED_RESULT;

/* True if bridge_apply() failed when the bridge was told to commit and had
 * not answered: it may have done so. */
bool bridge_is_unsure(const struct bridge *);

/* Makes the meters of 'settings', for workloads at 'ports' and for others, or
 * sets their rates. */
char *bridge_set_meters(struct bridge *,
                        const struct report_settings *settings,
                        const struct ports *)
    OVS_WARN_UNUSED_RESULT;

/* Appends the messages that make the meters of those workloads at 'ports' that
 * were not at a port in 'before'.  The bridge refuses those that it has. */
void bridge_put_meters(struct ofpbuf *, int of_version,
                       const struct report_settings *settings,
                       const struct ports *ports, const struct ports *before);

/* Removes all flows with our cookie prefix, and the meters that begin at
 * REPORT_METER. */
char *bridge_clear(struct bridge *) OVS_WARN_UNUSED_RESULT;

/* Sets OFPPC_NO_FLOOD as 'wanted', by port number, says, so that what others
 * flood does not reach a workload.  '*n_changed' counts ports that were not
 * so. */
enum { FLOOD_YES, FLOOD_NO, FLOOD_KEEP };
char *bridge_set_no_flood(struct bridge *, const uint8_t wanted[PORT_MAX],
                          size_t *n_changed)
    OVS_WARN_UNUSED_RESULT;

#endif /* bridge.h */
