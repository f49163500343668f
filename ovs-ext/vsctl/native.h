/* What the commands need of ovs-vsctl itself, whose own source native.c
 * compiles.  Errors are told, and the program ended, in its own words. */

#ifndef SDFW_VSCTL_NATIVE_H
#define SDFW_VSCTL_NATIVE_H 1

#include <stdbool.h>

#include "lib/vswitch-idl.h"

struct ctl_context;
struct svec;

/* The main() of ovs-vsctl. */
int native_main(int argc, char *argv[]);

/* Text for --help, by the plug-in, before that of the database commands. */
const char *plugin_usage(void);

bool native_is_dry_run(void);
/* The remote of the database. */
const char *native_db(void);

/* The columns that the functions below look at. */
void native_pre_get_info(struct ctl_context *);

/* Where an interface is. */
struct native_place {
    const struct ovsrec_bridge *bridge; /* A real one. */
    const struct ovsrec_port *port;
    const struct ovsrec_interface *interface;
};

/* Both see what earlier commands of the transaction have changed, and have the
 * transaction tried again if somebody else changes it.  A fake bridge is an
 * error; one that is not there is NULL, or false. */
const struct ovsrec_bridge *native_find_bridge(struct ctl_context *,
                                               const char *name);
bool native_find_interface(struct ctl_context *, const char *name,
                           struct native_place *);

/* The names that there are. */
void native_bridge_names(struct ctl_context *, struct svec *);
void native_interface_names(struct ctl_context *, struct svec *);

#endif /* native.h */
