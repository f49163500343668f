/* The sinks that the settings name. */

#ifndef SDFW_SINKS_H
#define SDFW_SINKS_H 1

#include <openvswitch/compiler.h>

#include "settings.h"

struct daemon;

/* Returns what is wrong with 'target', which the caller must free, or NULL; of
 * a setting that names no sinks, nothing is. */
char *sinks_check(enum setting, const char *target) OVS_WARN_UNUSED_RESULT;

/* Opens what is to be open, and closes the rest; what is right stays as it is.
 * What cannot be opened is noted for the status.  Returns the first error,
 * which the caller must free; others are logged. */
char *sinks_update(struct daemon *) OVS_WARN_UNUSED_RESULT;

#endif /* sinks.h */
