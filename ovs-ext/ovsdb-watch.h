/* Tells when something in OVSDB changes that decides where workloads are:
 * bridges, ports, interfaces (RFC 7047, 4.1.5).  Keeps what it was told, so
 * that nobody has to ask again.  Also brings the settings that are kept in
 * OVSDB. */

#ifndef SDFW_OVSDB_WATCH_H
#define SDFW_OVSDB_WATCH_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "loop.h"
#include "ovsdb-rows.h"

struct json;
struct ovsdb_watch;
struct smap;

struct ovsdb_watch_callbacks {
    /* What other_config of Open_vSwitch is, when the database is there, before
     * 'changed', and whenever it has changed. */
    void (*settings)(const struct smap *other_config, void *aux);
    /* Something has changed, or the database is there (again). */
    void (*changed)(void *aux);
    /* The row of table Open_vSwitch has changed, likewise.  May be NULL. */
    void (*config_changed)(void *aux);
    /* The database is not there; told once for each time it went away. */
    void (*down)(const char *why, void *aux);
};

/* 'remote' is unix:, tcp: or ssl:, or NULL for this host's. */
char *ovsdb_watch_create(struct loop *, const char *remote,
                         const struct ovsdb_watch_callbacks *, void *aux,
                         struct ovsdb_watch **) OVS_WARN_UNUSED_RESULT;
void ovsdb_watch_destroy(struct ovsdb_watch *);

/* The rows that there are, or NULL while the database is not there. */
const struct ovsdb_rows *ovsdb_watch_rows(const struct ovsdb_watch *);

/* Of the row of table Open_vSwitch: columns other_config, next_cfg and
 * cur_cfg.  NULL if there is none. */
const struct json *ovsdb_watch_config(const struct ovsdb_watch *);

/* ovs-vswitchd has said by OpenFlow that the new interface 'name' got
 * 'ofport', which it tells the database only when it has configured all.
 * Returns true if that is news. */
bool ovsdb_watch_note_ofport(struct ovsdb_watch *, const char *name,
                             uint16_t ofport);

/* Sends a transaction with one operation on the row of table Open_vSwitch,
 * 'mutations' (RFC 7047, 5.1), which is taken over.  'done' is called after
 * what it changed is seen; not if the database goes away before. */
void ovsdb_watch_mutate_config(struct ovsdb_watch *, struct json *mutations,
                               void (*done)(bool ok, void *aux), void *aux);

/* Likewise on the interface 'name'. */
void ovsdb_watch_mutate_interface(struct ovsdb_watch *, const char *name,
                                  struct json *mutations,
                                  void (*done)(bool ok, void *aux), void *aux);

#endif /* ovsdb-watch.h */
