/* Keeps ovs-vswitchd from forwarding before it has the policy.
 *
 * If other_config:flow-restore-wait of table Open_vSwitch is true when
 * ovs-vswitchd starts (ovs-vswitchd.conf.db(5)), it handles no packets until
 * the key is gone; afterwards it does not look at it again.  So the key is
 * kept there for the next start, and after a start it is taken out for a
 * moment, when the policy is on the bridges.  docs/restarts.md has the rest of
 * the story. */

#ifndef SDFW_RESTORE_WAIT_H
#define SDFW_RESTORE_WAIT_H 1

#include <stdbool.h>

#include "loop.h"
#include "ovsdb-watch.h"

struct restore_wait;

struct restore_wait_callbacks {
    /* Wants a full push to all bridges; restore_wait_idle() tells that it has
     * ended. */
    void (*push)(void *aux);
    /* Is the policy on all bridges that there are? */
    bool (*in_force)(void *aux);
};

/* All functions accept NULL: then nothing is held.  Packets wait for
 * 'limit_s' seconds at most after ovs-vswitchd has configured its bridges. */
struct restore_wait *restore_wait_create(
    struct loop *, struct ovsdb_watch *, int limit_s,
    const struct restore_wait_callbacks *, void *aux);
void restore_wait_destroy(struct restore_wait *);

/* What happens. */
void restore_wait_config_changed(struct restore_wait *);
void restore_wait_database_down(struct restore_wait *);
void restore_wait_bridge_changed(struct restore_wait *);
void restore_wait_idle(struct restore_wait *);

/* sdfwd ends: the next start of ovs-vswitchd must not wait for it. */
void restore_wait_let_go(struct restore_wait *);

/* For the status; NULL if nothing is held. */
const char *restore_wait_state(const struct restore_wait *);

#endif /* restore-wait.h */
