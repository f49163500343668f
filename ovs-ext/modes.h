/* Modes that were set by hand, over those of the manifests.
 *
 * They hold for the running sdfwd, whatever manifests are read, until they are
 * taken back.  Pure. */

#ifndef SDFW_MODES_H
#define SDFW_MODES_H 1

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "model.h"

struct modes {
    struct shash overrides;     /* "APP" or "APP/SERVICE": a mode's name. */
    struct shash declared;      /* Likewise, of what is overridden: the mode
                                 * of the manifests. */
};

void modes_init(struct modes *);
void modes_destroy(struct modes *);

/* Puts them into force in 'topology', and what was taken back out of it.
 * 'fresh': the topology was just read, and its modes are the manifests'. */
void modes_apply(struct modes *, struct topology *, bool fresh);

/* Sets the mode of 'name', which must be in 'topology', from the next
 * modes_apply() on; "manifest" takes that back.  Returns an error that the
 * caller must free. */
char *modes_set(struct modes *, const struct topology *, const char *name,
                const char *mode) OVS_WARN_UNUSED_RESULT;

/* Appends a table of the modes of all, or of 'name' and what is in it.
 * Returns false if there is none of this name. */
bool modes_format(const struct modes *, const struct topology *,
                  const char *name, struct ds *);

/* Appends a line for each that was set by hand, or nothing. */
void modes_format_overrides(const struct modes *, struct ds *);

#endif /* modes.h */
