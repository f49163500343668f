/* Records as JSON lines in a file, each in one write(2).
 *
 * What cannot be written is dropped and counted. */

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "util.h"

struct sink_json {
    struct sink sink;
    char *file;
    int fd;                     /* -1 while it cannot be opened. */
};

static struct sink_json *
sink_json_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_json, sink);
}

static int
open_file(const char *file)
{
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static char *
sink_json_open(struct loop *loop OVS_UNUSED, const char *file,
               struct sink **sinkp)
{
    int fd = open_file(file);
    if (fd < 0) {
        return xasprintf("cannot write %s: %s", file, ovs_strerror(errno));
    }
    struct sink_json *json = xzalloc(sizeof *json);
    json->file = xstrdup(file);
    json->fd = fd;
    *sinkp = &json->sink;
    return NULL;
}

static void
sink_json_close(struct sink *sink)
{
    struct sink_json *json = sink_json_cast(sink);
    if (json->fd >= 0) {
        close(json->fd);
    }
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
    if (json->fd < 0
        || write(json->fd, line.string, line.length) != line.length) {
        sink->n_dropped++;
    }
    ds_destroy(&line);
}

static void
sink_json_reopen(struct sink *sink)
{
    struct sink_json *json = sink_json_cast(sink);
    if (json->fd >= 0) {
        close(json->fd);
    }
    json->fd = open_file(json->file);
}

const struct sink_class sink_json_class = {
    .name = "json",
    .open = sink_json_open,
    .put = sink_json_put,
    .reopen = sink_json_reopen,
    .close = sink_json_close,
};
