/* Answers ovs-appctl(8): "ovs-appctl -t sdfwd COMMAND [ARGUMENT]...".
 *
 * The protocol is that of libopenvswitch's unixctl, JSON-RPC on a socket in
 * OVS_RUNDIR, which ovs-appctl finds by the pid file beside it. */

#ifndef SDFW_APPCTL_H
#define SDFW_APPCTL_H 1

#include <openvswitch/dynamic-string.h>

#include "loop.h"

struct appctl;

struct appctl_command {
    const char *name;
    const char *usage;          /* Of the arguments; "" for none. */
    int min_args, max_args;
    /* Appends the answer, or what is wrong: then returns false. */
    bool (*run)(int argc, const char *argv[], struct ds *answer, void *aux);
};

/* Returns an error that the caller must free if 'program' runs in this
 * OVS_RUNDIR. */
char *appctl_check_alone(const char *program) OVS_WARN_UNUSED_RESULT;

/* Listens, and writes and locks the pid file, so that there is one 'program'
 * in an OVS_RUNDIR.  'commands' ends with a NULL name; they,
 * "list-commands", "version" and "vlog/set" are answered. */
char *appctl_create(struct loop *, const char *program,
                    const struct appctl_command commands[], void *aux,
                    struct appctl **) OVS_WARN_UNUSED_RESULT;
void appctl_destroy(struct appctl *);

#endif /* appctl.h */
