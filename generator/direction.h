/* Who is the server of a connection whose beginning nobody has seen?
 *
 * Told are, in this order:
 *
 *   1. the end that is known to be a server on that port, from connections
 *      whose beginning was seen;
 *   2. the end whose (address, port) meets many different ports of others,
 *      while the other end's meets few: a server's port stays, a client's
 *      changes;
 *   3. the only end whose port is in none of the ranges that systems take the
 *      ports of clients from.
 *
 * Never the lower of two ports for its own sake.  What none of these tells
 * stays undecided.  Pure. */

#ifndef SDFW_DIRECTION_H
#define SDFW_DIRECTION_H 1

#include "profile.h"

/* Linux takes the ports of clients from 32768 to 60999 (ip_local_port_range,
 * ip-sysctl.rst), IANA gives them 49152 to 65535 (RFC 6335, 6). */
#define FIRST_EPHEMERAL_PORT 32768

/* Fills settlements[i] for each of history's tuples. */
void direction_settle(const struct history *, enum settlement *);

/* Makes entries of those tuples that can be settled. */
void history_settle(struct history *);

/* Why tuple 'i', which stays unsettled, does so.  A constant. */
const char *direction_why_not(const struct history_tuple *);

#endif /* direction.h */
