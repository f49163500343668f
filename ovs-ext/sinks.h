/* The sinks that the settings name. */

#ifndef SDFW_SINKS_H
#define SDFW_SINKS_H 1

#include <openvswitch/compiler.h>

struct daemon;

/* Opens what is to be open, and closes the rest; what is right stays as it is.
 * What cannot be opened is noted for the status.  Returns the first error, if
 * it does not come from OVSDB, which the caller must free; others are
 * logged. */
char *sinks_update(struct daemon *) OVS_WARN_UNUSED_RESULT;

#endif /* sinks.h */
