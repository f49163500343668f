/* Tells when a manifest may have changed: see topology-watch.h. */

#include "topology-watch.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/shash.h>

#include "sset.h"
#include "util.h"

/* Editors and git write in several steps. */
#define SETTLE_MS 20

#define MAX_DEPTH 16

struct topology_watch {
    const char *const *paths;
    size_t n_paths;
    loop_callback *cb;
    void *aux;
    int fd;
    struct watch *readable;
    struct timer *settle;
    bool pending;               /* 'settle' is set. */
    struct sset names;          /* Of files that were given or read. */
};

/* Directories hold other files too, a pid file or a log perhaps. */
static bool
matters(const struct topology_watch *tw, const struct inotify_event *event)
{
    size_t n = event->len ? strlen(event->name) : 0;
    return !n || event->mask & (IN_ISDIR | IN_Q_OVERFLOW)
           || (n > 4 && !strcmp(event->name + n - 4, ".xml"))
           || sset_contains(&tw->names, event->name);
}

static void
take_events(void *tw_)
{
    struct topology_watch *tw = tw_;
    OVS_ALIGNED_VAR(8) char events[4096];
    ssize_t n;
    bool any = false;
    while ((n = read(tw->fd, events, sizeof events)) > 0) {
        for (ssize_t i = 0; i < n; ) {
            const struct inotify_event *event
                = ALIGNED_CAST(const struct inotify_event *, &events[i]);
            any |= matters(tw, event);
            i += sizeof *event + event->len;
        }
    }
    /* From the first of several on, or they could put it off for ever. */
    if (any && !tw->pending) {
        tw->pending = true;
        timer_set(tw->settle, SETTLE_MS);
    }
}

static void
settled(void *tw_)
{
    struct topology_watch *tw = tw_;
    tw->pending = false;
    tw->cb(tw->aux);
}

static void
add_directory(struct topology_watch *tw, const char *name)
{
    /* Adding twice is harmless: inotify knows the directory. */
    inotify_add_watch(tw->fd, name, IN_CLOSE_WRITE | IN_MOVED_TO
                                    | IN_MOVED_FROM | IN_CREATE | IN_DELETE
                                    | IN_DELETE_SELF | IN_MOVE_SELF
                                    | IN_ONLYDIR);
}

static void
add_tree(struct topology_watch *tw, const char *name, int depth)
{
    add_directory(tw, name);
    DIR *dir = depth < MAX_DEPTH ? opendir(name) : NULL;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR) {
            char *child = xasprintf("%s/%s", name, entry->d_name);
            add_tree(tw, child, depth + 1);
            free(child);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static void
add_file(struct topology_watch *tw, const char *file)
{
    char *copy = xstrdup(file);
    add_directory(tw, dirname(copy));
    free(copy);
    const char *slash = strrchr(file, '/');
    sset_add(&tw->names, slash ? slash + 1 : file);
}

void
topology_watch_update(struct topology_watch *tw,
                      const struct topology *topology)
{
    for (size_t i = 0; i < tw->n_paths; i++) {
        struct stat st;
        if (!stat(tw->paths[i], &st) && S_ISDIR(st.st_mode)) {
            add_tree(tw, tw->paths[i], 0);
        } else {
            add_file(tw, tw->paths[i]);
        }
    }
    const struct shash_node *node;
    if (topology) {
        SHASH_FOR_EACH (node, &topology->files) {
            add_file(tw, node->name);
        }
    }
}

struct topology_watch *
topology_watch_create(struct loop *loop, const char *const *paths,
                      size_t n_paths, loop_callback *cb, void *aux)
{
    struct topology_watch *tw = xzalloc(sizeof *tw);
    tw->paths = paths;
    tw->n_paths = n_paths;
    tw->cb = cb;
    tw->aux = aux;
    tw->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (tw->fd < 0) {
        ovs_fatal(errno, "inotify_init1");
    }
    sset_init(&tw->names);
    tw->readable = watch_create(loop, tw->fd, take_events, tw);
    tw->settle = timer_create_in(loop, settled, tw);
    topology_watch_update(tw, NULL);
    return tw;
}

void
topology_watch_destroy(struct topology_watch *tw)
{
    if (tw) {
        watch_destroy(tw->readable);
        timer_destroy(tw->settle);
        sset_destroy(&tw->names);
        close(tw->fd);
        free(tw);
    }
}
