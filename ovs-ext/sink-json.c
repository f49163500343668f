/* Records as JSON lines in a file or a FIFO.
 *
 * A line is written at once (a write(2) takes 1.4 us, so there is no gain in
 * putting several into one), whole or not at all.  While that fails - the disk
 * is full, the file cannot be opened, nobody reads the FIFO - lines wait in a
 * bounded queue; what does not fit is dropped and counted, and a line of its
 * own says so in its place. */

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "append.h"
#include "queue.h"
#include "timeval.h"
#include "util.h"

#define MAX_QUEUED (4 * 1024 * 1024)
/* What is written in one turn of the loop, in bytes. */
#define MAX_AT_ONCE (256 * 1024)

#define RETRY_MIN_MS 5
#define RETRY_MAX_MS 1000

struct sink_json {
    struct sink sink;
    char *file;
    int fd;                     /* -1 while it cannot be opened. */
    bool torn;                  /* The file does not end with a newline. */
    struct queue queue;         /* Lines. */
    size_t n_done;              /* Bytes of the first that are written. */
    struct timer *retry;
    bool retrying;
    long long int retry_ms;
    uint64_t n_untold;          /* Dropped, and no line says so yet. */
    long long int untold_ms;    /* Since when. */
};

static struct sink_json *
sink_json_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_json, sink);
}

/* Was the last line cut short, as when the host died? */
static bool
is_torn(const struct sink_json *json)
{
    struct stat st;
    if (fstat(json->fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
        return false;
    }
    char last;
    int fd = open(json->file, O_RDONLY | O_CLOEXEC);
    bool torn = fd >= 0 && pread(fd, &last, 1, st.st_size - 1) == 1
                && last != '\n';
    if (fd >= 0) {
        close(fd);
    }
    return torn;
}

/* Returns 0 or an errno. */
static int
open_file(struct sink_json *json)
{
    json->fd = open(json->file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK
                                | O_NOCTTY | O_CLOEXEC, 0640);
    if (json->fd < 0) {
        return errno;
    }
    json->torn = json->n_done || is_torn(json);
    json->n_done = 0;
    return 0;
}

static void
close_file(struct sink_json *json)
{
    if (json->fd >= 0) {
        close(json->fd);
        json->fd = -1;
    }
}

/* Returns 0 or an errno. */
static int
write_line(struct sink_json *json, const struct queue_item *line)
{
    if (json->torn) {
        size_t done = 0;
        int error = append_whole(json->fd, "\n", 1, &done);
        if (error) {
            return error;
        }
        json->torn = false;
    }
    int error = append_whole(json->fd, line->data, line->n, &json->n_done);
    if (error && error != EAGAIN && json->n_done) {
        json->torn = true;
        json->n_done = 0;
    }
    return error;
}

/* Queues a line that says how many are missing, if it fits together with 'n'
 * more bytes. */
static void
tell_dropped(struct sink_json *json, size_t n)
{
    if (!json->n_untold || !queue_fits(&json->queue, n)) {
        return;
    }
    char *now = xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", time_wall_msec(),
                                true);
    char *since = xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", json->untold_ms,
                                  true);
    char *line = xasprintf("{\"event\":\"dropped\",\"records\":%"PRIu64","
                           "\"since\":\"%s\",\"time\":\"%s\"}\n",
                           json->n_untold, since, now);
    if (queue_fits(&json->queue, strlen(line) + n)
        && queue_push(&json->queue, line, strlen(line))) {
        json->n_untold = 0;
    }
    free(now);
    free(since);
    free(line);
}

static void
retry_in(struct sink_json *json, long long int ms)
{
    timer_set(json->retry, ms);
    json->retrying = true;
}

/* Writes what waits, or makes that it is tried again. */
static void
flush(void *json_)
{
    struct sink_json *json = json_;
    const struct queue_item *line;
    size_t n = 0;
    if (json->fd >= 0 && append_is_gone(json->fd)) {
        json->n_done = 0;       /* All of the line goes into the new one. */
        close_file(json);
    }
    int error = json->fd < 0 ? open_file(json) : 0;
    timer_cancel(json->retry);
    json->retrying = false;
    while (!error && n < MAX_AT_ONCE && (line = queue_front(&json->queue))) {
        error = write_line(json, line);
        if (!error) {
            n += line->n;
            queue_pop(&json->queue);
            tell_dropped(json, 0);
        }
    }
    if (n) {
        json->retry_ms = RETRY_MIN_MS;
    }
    /* EAGAIN: a slow reader is nothing to worry about yet. */
    sink_note_error(&json->sink, error && error != EAGAIN
                               ? ovs_strerror(error) : NULL);
    if (error) {
        retry_in(json, json->retry_ms);
        json->retry_ms = MIN(json->retry_ms * 2, RETRY_MAX_MS);
    } else if (json->queue.n) {
        retry_in(json, 0);
    }
}

static char *
cannot_write(const char *file, int error)
{
    return xasprintf("cannot write %s: %s", file, ovs_strerror(error));
}

static char *
sink_json_check(const char *file)
{
    struct stat st;
    int error = 0;
    if (!stat(file, &st)) {
        error = S_ISDIR(st.st_mode) ? EISDIR
                : faccessat(AT_FDCWD, file, W_OK, AT_EACCESS) ? errno : 0;
    } else if (errno != ENOENT) {
        error = errno;
    } else {
        char *directory = dir_name(file);
        if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS)) {
            error = errno;
        }
        free(directory);
    }
    return error ? cannot_write(file, error) : NULL;
}

static char *
sink_json_open(struct loop *loop, const char *file, struct sink **sinkp)
{
    struct sink_json *json = xzalloc(sizeof *json);
    json->file = xstrdup(file);
    json->retry_ms = RETRY_MIN_MS;
    int error = open_file(json);
    /* A FIFO without a reader, or a full disk, may be better later. */
    if (error && error != ENXIO && error != ENOSPC && error != EDQUOT) {
        free(json->file);
        free(json);
        return cannot_write(file, error);
    }
    queue_init(&json->queue, MAX_QUEUED);
    json->retry = timer_create_in(loop, flush, json);
    *sinkp = &json->sink;
    return NULL;
}

static bool
sink_json_is_same(const struct sink *sink, const char *file)
{
    struct stat a, b;
    int fd = sink_json_cast(sink)->fd;
    return fd >= 0 && !fstat(fd, &a) && !stat(file, &b)
           && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
sink_json_close(struct sink *sink)
{
    struct sink_json *json = sink_json_cast(sink);
    close_file(json);
    timer_destroy(json->retry);
    queue_destroy(&json->queue);
    free(json->file);
    free(json);
}

static void
sink_json_put(struct sink *sink, const struct record *record)
{
    struct sink_json *json = sink_json_cast(sink);
    struct ds line = DS_EMPTY_INITIALIZER;
    json_to_ds(record->json, JSSF_SORT, &line);
    ds_put_char(&line, '\n');
    tell_dropped(json, line.length);
    if (json->n_untold
        || !queue_push(&json->queue, line.string, line.length)) {
        sink->n_dropped++;
        if (!json->n_untold++) {
            json->untold_ms = time_wall_msec();
        }
    }
    ds_destroy(&line);
    if (!json->retrying) {
        flush(json);
    }
}

static void
sink_json_reopen(struct sink *sink)
{
    struct sink_json *json = sink_json_cast(sink);
    close_file(json);
    flush(json);
}

static size_t
sink_json_n_waiting(const struct sink *sink)
{
    return sink_json_cast(sink)->queue.n;
}

const struct sink_class sink_json_class = {
    .name = "json",
    .check = sink_json_check,
    .open = sink_json_open,
    .is_same = sink_json_is_same,
    .put = sink_json_put,
    .reopen = sink_json_reopen,
    .close = sink_json_close,
    .n_waiting = sink_json_n_waiting,
};
