/* What several commands of the plug-in do. */

#ifndef SDFW_VSCTL_COMMON_H
#define SDFW_VSCTL_COMMON_H 1

#include <stdbool.h>

#include <openvswitch/compiler.h>

#include "model.h"
#include "native.h"

struct ctl_context;
struct svec;

/* The columns that all commands look at. */
void common_prerequisites(struct ctl_context *);

bool common_has_option(const struct ctl_context *, const char *name);

/* The bridge, or the interface, that is the first argument.  If there is none,
 * returns NULL, or false, after ctl_error(), unless --if-exists is given. */
const struct ovsrec_bridge *common_get_bridge(struct ctl_context *);
bool common_get_interface(struct ctl_context *, struct native_place *);

/* "; did you mean X?", or a list of 'names' if they are few, or "".  The
 * caller frees it. */
char *common_suggest(const char *name, const struct svec *names);

/* What is wrong with "APP[/SERVICE[/WORKLOAD]]", of which 'min' to 'max' parts
 * are wanted: how it is written, and, if 'topology' is not NULL, what it does
 * not have.  NULL if nothing.  The caller frees it. */
char *common_check_path(const char *path, int min, int max,
                        const struct topology *) OVS_WARN_UNUSED_RESULT;

/* True if the database is one of this host, so that files, sdfwd and bridges
 * of this host are those that it speaks of. */
bool common_db_is_local(void);

/* Warns on stderr, of the same thing once: a transaction may be tried several
 * times. */
void common_warn(const char *format, ...) OVS_PRINTF_FORMAT(1, 2);

#endif /* common.h */
