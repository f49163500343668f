/* Deviations as JSON lines in a file: see sink-json.h. */

#include "sink-json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "util.h"

struct sink_json {
    char *file;
    int fd;                     /* -1 while it cannot be opened. */
    uint64_t n_dropped;
};

static int
open_file(const char *file)
{
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

char *
sink_json_open(const char *file, struct sink_json **sinkp)
{
    int fd = open_file(file);
    *sinkp = NULL;
    if (fd < 0) {
        return xasprintf("cannot write %s: %s", file, ovs_strerror(errno));
    }
    struct sink_json *sink = xmalloc(sizeof *sink);
    *sink = (struct sink_json) { .file = xstrdup(file), .fd = fd };
    *sinkp = sink;
    return NULL;
}

void
sink_json_close(struct sink_json *sink)
{
    if (sink) {
        close(sink->fd);
        free(sink->file);
        free(sink);
    }
}

void
sink_json_put(struct sink_json *sink, const struct json *record)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    json_to_ds(record, JSSF_SORT, &line);
    ds_put_char(&line, '\n');
    if (sink->fd < 0
        || write(sink->fd, line.string, line.length) != line.length) {
        sink->n_dropped++;
    }
    ds_destroy(&line);
}

void
sink_json_reopen(struct sink_json *sink)
{
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    sink->fd = open_file(sink->file);
}

uint64_t
sink_json_n_dropped(const struct sink_json *sink)
{
    return sink->n_dropped;
}
