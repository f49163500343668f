/* From the book to the sinks: each event in words, once. */

#ifndef SDFW_TELL_H
#define SDFW_TELL_H 1

#include "capture.h"
#include "daemon.h"
#include "explain.h"

/* What is known of a deviation besides itself. */
struct explain_context tell_context(const struct daemon *,
                                    const struct deviation *);

/* One of the packets of the deviation with this key, which is open, for sinks
 * that want the first. */
void tell_packet(struct daemon *, const struct deviation_key *,
                 const struct deviation_frame *);

/* A packet of a workload that is captured. */
void tell_captured(const struct bridge_state *, const struct captured *);

/* For the book and the fold, with struct daemon. */
void tell_deviation(enum deviation_event, struct deviation *, void *d);
void tell_incident(enum deviation_event, const struct incident *, void *d);

/* Something that happened once to a bridge; 'event' and MSGID name it.  Takes
 * 'json', and adds when and where. */
void tell_event(const struct bridge_state *, const char *event, struct json *,
                const char *text, int severity, const char *msgid);

/* For the fold's timer, with struct daemon. */
void tell_incidents_that_grow(void *d);

#endif /* tell.h */
