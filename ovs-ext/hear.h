/* What bridges tell of ports and deviations, on its way into the book.
 *
 * Packet-ins and ends of flows come by themselves.  Learned flows are polled
 * for what they have absorbed while there are any, once in --interval, and
 * counters are read after something has happened: an idle bridge is asked
 * nothing. */

#ifndef SDFW_HEAR_H
#define SDFW_HEAR_H 1

#include "daemon.h"

/* Of one bridge; hear_create() before its connection. */
void hear_create(struct bridge_state *);
void hear_destroy(struct bridge_state *);

/* The bridge is there (again). */
void hear_anew(struct bridge_state *);

/* Its flows have changed, and their counters perhaps. */
void hear_changed(struct bridge_state *);

/* For openflow.h, with struct bridge_state. */
void hear(const struct ofp_header *, void *b);

/* For the book's timer, with struct daemon: closes what has been quiet. */
void hear_quiet(void *d);

#endif /* hear.h */
