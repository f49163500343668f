/* Tells when a manifest may have changed: see topology-watch.h.
 *
 * A directory is watched for all that could be a manifest, for single names,
 * or only for its own end.  On the way to a path, a name is watched where
 * another one may come to stand for the path: a symbolic link, and what does
 * not exist yet. */

#include "topology-watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/hmap.h>
#include <openvswitch/shash.h>
#include <openvswitch/vlog.h>

#include "hash.h"
#include "sset.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(topology_watch);

/* Editors and git write in several steps. */
#define SETTLE_MS 20

#define MAX_DEPTH 16
#define MAX_LINKS 40            /* As the kernel: path_resolution(7). */

struct directory {
    struct hmap_node node;
    int wd;                     /* Its number in inotify. */
    bool all;                   /* Directories and *.xml in it matter. */
    struct sset names;          /* So do these. */
};

struct topology_watch {
    const char *const *paths;
    size_t n_paths;
    struct sset files;          /* That were read last, but for those that
                                 * watch_tree() finds. */
    loop_callback *cb;
    void *aux;
    int fd;
    struct watch *readable;
    struct timer *settle;
    bool pending;               /* 'settle' is set. */
    struct hmap directories;
    struct hmap before;         /* Those of the last update, during one. */
    bool fresh;                 /* Something was not watched before. */
};

/* Directories. */

static struct directory *
find_directory(const struct hmap *directories, int wd)
{
    struct directory *d;
    HMAP_FOR_EACH_WITH_HASH (d, node, hash_int(wd, 0), directories) {
        if (d->wd == wd) {
            return d;
        }
    }
    return NULL;
}

static void
clear_directories(struct hmap *directories)
{
    struct directory *d;
    HMAP_FOR_EACH_POP (d, node, directories) {
        sset_destroy(&d->names);
        free(d);
    }
}

static bool
is_manifest(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".xml");
}

/* Directories hold other files too, a pid file or a log perhaps. */
static bool
name_matters(const struct directory *d, const char *name)
{
    return (d->all && is_manifest(name)) || sset_contains(&d->names, name);
}

/* Watches the directory 'path', for its end at least, with 'events'. */
static struct directory *
watch_directory(struct topology_watch *tw, const char *path, uint32_t events)
{
    int wd = inotify_add_watch(tw->fd, path, IN_DELETE_SELF | IN_MOVE_SELF
                                             | IN_ONLYDIR | IN_MASK_ADD
                                             | events);
    if (wd < 0) {
        if (events && errno != ENOENT && errno != ENOTDIR) {
            VLOG_WARN_ONCE("cannot watch %s: %s; changes in there are noticed "
                           "on SIGHUP only", path, ovs_strerror(errno));
        }
        return NULL;
    }
    struct directory *d = find_directory(&tw->directories, wd);
    if (!d) {
        d = xzalloc(sizeof *d);
        d->wd = wd;
        sset_init(&d->names);
        hmap_insert(&tw->directories, &d->node, hash_int(wd, 0));
    }
    return d;
}

#define CHANGES_OF_FILES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM \
                          | IN_CREATE | IN_DELETE | IN_ATTRIB)

static void
watch_name(struct topology_watch *tw, const char *path, const char *name)
{
    struct directory *d = watch_directory(tw, path, CHANGES_OF_FILES);
    if (d) {
        const struct directory *old = find_directory(&tw->before, d->wd);
        tw->fresh |= !old || !name_matters(old, name);
        sset_add(&d->names, name);
    }
}

static void watch_path(struct topology_watch *, const char *path, int depth);

static void
watch_tree(struct topology_watch *tw, const char *path, int depth)
{
    struct directory *d = watch_directory(tw, path, CHANGES_OF_FILES);
    if (!d || d->all || depth > MAX_DEPTH) {
        return;
    }
    d->all = true;
    const struct directory *old = find_directory(&tw->before, d->wd);
    tw->fresh |= !old || !old->all;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG) {
            char *child = xasprintf("%s/%s", path, entry->d_name);
            watch_path(tw, child, depth + 1);
            free(child);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

/* Paths. */

/* Where to go on from the link 'path', which is in 'at': puts its target
 * before '*rest', and returns the directory that this starts from; or NULL. */
static char *
follow(const char *path, const char *at, char **rest)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) {
        return NULL;
    }
    target[n] = '\0';
    char *joined = xasprintf("%s/%s", target, *rest);
    free(*rest);
    *rest = joined;
    return xstrdup(target[0] == '/' ? "/" : at);
}

/* Takes the first step off '*rest', which is none if it is empty. */
static char *
take_step(char **rest)
{
    const char *p = *rest + strspn(*rest, "/");
    size_t n = strcspn(p, "/");
    char *step = xmemdup0(p, n);
    char *left = xstrdup(p + n);
    free(*rest);
    *rest = left;
    return step;
}

/* Goes from '*at', a directory without links in its name, to 'step' in it.
 * Returns true if that is a directory, which '*at' becomes. */
static bool
walk(struct topology_watch *tw, char **at, const char *step, char **rest,
     int *n_links)
{
    struct stat st;
    char *path = xasprintf("%s/%s", *at, step);
    char *next = NULL;
    bool exists = !lstat(path, &st);
    if (exists && S_ISDIR(st.st_mode)) {
        watch_directory(tw, *at, 0);
        next = xstrdup(path);
    } else {
        watch_name(tw, *at, step);
        if (exists && S_ISLNK(st.st_mode) && ++*n_links <= MAX_LINKS) {
            next = follow(path, *at, rest);
        }
    }
    free(path);
    if (!next) {
        return false;
    }
    free(*at);
    *at = next;
    return true;
}

static void
watch_path(struct topology_watch *tw, const char *path, int depth)
{
    int n_links = 0;
    bool more = true, there = true;
    char *at = xstrdup(path[0] == '/' ? "/" : ".");
    char *rest = xstrdup(path);
    while (there && more) {
        char *step = take_step(&rest);
        more = step[0];
        there = !more || walk(tw, &at, step, &rest, &n_links);
        free(step);
    }
    if (there) {
        watch_tree(tw, at, depth);
    }
    free(at);
    free(rest);
}

/* Events. */

static void
changed(struct topology_watch *tw)
{
    /* From the first of several on, or they could put it off for ever. */
    if (!tw->pending) {
        tw->pending = true;
        timer_set(tw->settle, SETTLE_MS);
    }
}

static bool
event_matters(const struct topology_watch *tw,
              const struct inotify_event *event)
{
    const struct directory *d = find_directory(&tw->directories, event->wd);
    return event->mask & IN_Q_OVERFLOW
           || (d && !(event->mask & IN_IGNORED)
               && (!event->len || (d->all && event->mask & IN_ISDIR)
                   || name_matters(d, event->name)));
}

static void
take_events(void *tw_)
{
    struct topology_watch *tw = tw_;
    OVS_ALIGNED_VAR(8) char events[4096];
    ssize_t n;
    while ((n = read(tw->fd, events, sizeof events)) > 0) {
        for (ssize_t i = 0; i < n; ) {
            const struct inotify_event *event
                = ALIGNED_CAST(const struct inotify_event *, &events[i]);
            if (event_matters(tw, event)) {
                changed(tw);
            }
            i += sizeof *event + event->len;
        }
    }
}

/* Watches what there is to watch now, and nothing else. */
static void
update(struct topology_watch *tw)
{
    tw->fresh = false;
    hmap_swap(&tw->directories, &tw->before);
    for (size_t i = 0; i < tw->n_paths; i++) {
        watch_path(tw, tw->paths[i], 1);
    }
    const char *file;
    SSET_FOR_EACH (file, &tw->files) {
        watch_path(tw, file, 1);
    }
    const struct directory *d;
    HMAP_FOR_EACH (d, node, &tw->before) {
        if (!find_directory(&tw->directories, d->wd)) {
            inotify_rm_watch(tw->fd, d->wd);
        }
    }
    clear_directories(&tw->before);
}

static void
settled(void *tw_)
{
    struct topology_watch *tw = tw_;
    tw->pending = false;
    /* Before they are read, so that no change after that is missed. */
    update(tw);
    tw->cb(tw->aux);
}

/* Does watch_tree() find it? */
static bool
is_in_tree(const struct topology_watch *tw, const char *file)
{
    for (size_t i = 0; i < tw->n_paths; i++) {
        size_t n = strlen(tw->paths[i]);
        while (n && tw->paths[i][n - 1] == '/') {
            n--;
        }
        if (!strncmp(file, tw->paths[i], n) && file[n] == '/'
            && !strstr(file + n, "/.")) {
            return is_manifest(file);
        }
    }
    return false;
}

void
topology_watch_update(struct topology_watch *tw,
                      const struct topology *topology)
{
    const struct shash_node *node;
    if (topology) {
        sset_clear(&tw->files);
        SHASH_FOR_EACH (node, &topology->files) {
            if (!is_in_tree(tw, node->name)) {
                sset_add(&tw->files, node->name);
            }
        }
    }
    update(tw);
    if (tw->fresh) {
        changed(tw);            /* Perhaps since it was read. */
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
    sset_init(&tw->files);
    hmap_init(&tw->directories);
    hmap_init(&tw->before);
    tw->readable = watch_create(loop, tw->fd, take_events, tw);
    tw->settle = timer_create_in(loop, settled, tw);
    update(tw);
    return tw;
}

void
topology_watch_destroy(struct topology_watch *tw)
{
    if (tw) {
        watch_destroy(tw->readable);
        timer_destroy(tw->settle);
        sset_destroy(&tw->files);
        clear_directories(&tw->directories);
        hmap_destroy(&tw->directories);
        hmap_destroy(&tw->before);
        close(tw->fd);
        free(tw);
    }
}
