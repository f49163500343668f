/* A bridge as those who push see it: which workload is at which interface,
 * and what was said by hand (overlay.h), with all that this transaction has
 * changed so far.  It is made by the same code that they use (ovsdb-rows.h),
 * so what is right here is right for them. */

#ifndef SDFW_VSCTL_SCENE_H
#define SDFW_VSCTL_SCENE_H 1

#include "model.h"
#include "native.h"
#include "ports.h"
#include "svec.h"

struct ctl_context;

struct scene {
    struct ports *ports;        /* Its port numbers are not those of the
                                 * bridge: see scene_interface(). */
    char *error;                /* Nothing can be pushed; or NULL. */
    struct svec interfaces;     /* Those of the bridge; the index is the port
                                 * number minus 1. */
};

struct scene *scene_create(struct ctl_context *, struct topology *,
                           const struct ovsrec_bridge *);
/* Accepts NULL. */
void scene_destroy(struct scene *);

/* The workload at an interface of the bridge, or NULL. */
const struct workload *scene_workload(const struct scene *,
                                      const char *interface);
/* The interface that 'workload' is at, or NULL if it is not on the bridge. */
const char *scene_interface(const struct scene *, const struct workload *);

#endif /* scene.h */
