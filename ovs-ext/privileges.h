/* What sdfwd may do: another user than root, and next to no capabilities.
 *
 * All that sdfwd needs of root is to open the sockets of Open vSwitch, again
 * whenever that was restarted, and to make its own beside them.  Where they
 * are root's alone, as on Debian, it takes CAP_DAC_OVERRIDE, and nothing else;
 * where USER or one of its groups may write to them, it takes nothing. */

#ifndef SDFW_PRIVILEGES_H
#define SDFW_PRIVILEGES_H 1

#include <openvswitch/compiler.h>

#include "svec.h"

/* Returns an error, which the caller must free, if there is no such user or
 * group as in "USER[:GROUP]". */
char *privileges_check_user(const char *user) OVS_WARN_UNUSED_RESULT;

/* Becomes "USER[:GROUP]" for good; programs that are started get no privileges
 * either.  Keeps CAP_DAC_OVERRIDE if not all of 'files' are there and may be
 * written to without it.  To be called before there are threads: each has
 * capabilities of its own. */
char *privileges_drop(const char *user, const struct svec *files)
    OVS_WARN_UNUSED_RESULT;

/* Keeps programs that are started from inheriting capabilities. */
void privileges_keep_to_self(void);

#endif /* privileges.h */
