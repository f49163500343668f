/* Somebody else changes our flows.
 *
 * A flow monitor (ovs-ofctl(8), "monitor"; OpenFlow 1.4, 7.3.5.17) tells of
 * every change in our tables and of our flows in table 0.  What is not our
 * own doing makes keeper.h read back and repair, and what it has found is told
 * here.  Flows with another cookie in our tables, which no push looks at, are
 * removed at once. */

#ifndef SDFW_DRIFT_H
#define SDFW_DRIFT_H 1

#include "daemon.h"

struct ofp_header;

/* Asks the bridge to tell of changes; once in a session. */
void drift_watch(struct bridge_state *);

/* Takes a message that may be of a flow monitor. */
void drift_hear(struct bridge_state *, const struct ofp_header *);

/* A push has read back what differs from what the last one left: 'drift' is
 * what turns the one into the other.  Tells it, with what drift_hear() has
 * found since the last call, unless there is nothing. */
void drift_found(struct bridge_state *, const struct flow_set *drift,
                 const struct ports *);

/* Frees what was found and is not told. */
void drift_forget(struct bridge_state *);

#endif /* drift.h */
