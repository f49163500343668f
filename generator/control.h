/* Asks a daemon of this host by its control socket, as ovs-appctl(8) does. */

#ifndef SDFW_CONTROL_H
#define SDFW_CONTROL_H 1

#include <stddef.h>

#include <openvswitch/compiler.h>

/* Has 'program' (such as "ovs-vswitchd") run 'command' with 'argv' and sets
 * '*reply', which the caller frees.  Returns an error that the caller must
 * free: it is not running, does not answer within 'timeout_ms', or what it
 * says against the command. */
char *control_ask(const char *program, int timeout_ms, const char *command,
                  const char *const argv[], size_t argc, char **reply)
    OVS_WARN_UNUSED_RESULT;

#endif /* control.h */
