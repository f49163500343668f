/* Tells when something in OVSDB changes that decides where workloads are:
 * bridges, ports, interfaces (RFC 7047, 4.1.5).  What has changed is read by
 * who needs it (generator/ovsdb.h). */

#ifndef SDFW_OVSDB_WATCH_H
#define SDFW_OVSDB_WATCH_H 1

#include <openvswitch/compiler.h>

#include "loop.h"

struct ovsdb_watch;

struct ovsdb_watch_callbacks {
    /* Something has changed, or the database is there (again). */
    void (*changed)(void *aux);
    /* The database is not there; told once for each time it went away. */
    void (*down)(const char *why, void *aux);
};

/* 'remote' is unix:, tcp: or ssl:, or NULL for this host's. */
char *ovsdb_watch_create(struct loop *, const char *remote,
                         const struct ovsdb_watch_callbacks *, void *aux,
                         struct ovsdb_watch **) OVS_WARN_UNUSED_RESULT;
void ovsdb_watch_destroy(struct ovsdb_watch *);

#endif /* ovsdb-watch.h */
