/* The quarantine of an interface, as its external_ids have it. */

#ifndef SDFW_VSCTL_QUARANTINE_H
#define SDFW_VSCTL_QUARANTINE_H 1

#include <stdbool.h>

#include "native.h"

/* True if there is one that has not ended. */
bool quarantine_is_in_force(const struct ovsrec_interface *);

#endif /* quarantine.h */
