/* Tells when a manifest may have changed (inotify(7)).
 *
 * Watches the directories that were given, with all below, the files that were
 * read, symbolic links on the way to them, and the places where what is away
 * would appear. */

#ifndef SDFW_TOPOLOGY_WATCH_H
#define SDFW_TOPOLOGY_WATCH_H 1

#include "loop.h"
#include "model.h"

struct topology_watch;

/* 'cb' is called once for changes that follow one another closely.  'paths'
 * stay until topology_watch_destroy(). */
struct topology_watch *topology_watch_create(struct loop *,
                                             const char *const *paths,
                                             size_t n_paths, loop_callback *,
                                             void *aux);
void topology_watch_destroy(struct topology_watch *);

/* Looks again at what there is to watch, after reading: 'topology' is what was
 * read, or NULL if that failed. */
void topology_watch_update(struct topology_watch *, const struct topology *);

#endif /* topology-watch.h */
