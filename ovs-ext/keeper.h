/* Keeps bridges in step with the manifests.
 *
 * Reading manifests and pushing (generator/push.h) block, so a thread does
 * them, one piece of work at a time; what it found is taken up in the loop.
 * Each push reads back what is installed and sends the difference, so it does
 * not matter what happened to the bridge before.  A broken manifest leaves
 * the last good policy in force. */

#ifndef SDFW_KEEPER_H
#define SDFW_KEEPER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "model.h"
#include "pipeline.h"
#include "push.h"
#include "report.h"
#include "tls.h"

struct keeper;

struct keeper_settings {
    const char *const *paths;   /* Topologies. */
    size_t n_paths;
    const char *const *bridges;
    size_t n_bridges;
    const char *db;             /* NULL: this host's. */
    int timeout_ms;
    uint16_t adopt_seconds;
    uint8_t table_base;
    const struct report_settings *reports;
    const struct tls_settings *ssl;
};

struct keeper_callbacks {
    /* The manifests were read.  'topology' is in force, unless it is NULL:
     * then they are wrong, as 'report' says.  It is valid until the next
     * call. */
    void (*loaded)(const struct topology *, struct report *, void *aux);
    /* A push to 'bridge' (an index) has ended, with or without an error. */
    void (*pushed)(size_t bridge, const struct push_result *, void *aux);
    /* There is nothing left to do, for now. */
    void (*idle)(void *aux);
};

/* 'settings' and what it points to stay until keeper_destroy(). */
struct keeper *keeper_create(struct loop *, const struct keeper_settings *,
                             const struct keeper_callbacks *, void *aux);
/* Waits for a push that is under way. */
void keeper_destroy(struct keeper *);

/* Reads the manifests (again), and then pushes to all bridges. */
void keeper_reload(struct keeper *);

/* Pushes to bridge 'i', or to all. */
void keeper_push(struct keeper *, size_t i);
void keeper_push_all(struct keeper *);

#endif /* keeper.h */
