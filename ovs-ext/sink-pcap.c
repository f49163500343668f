/* Packets as pcapng files in a directory: the first of each deviation, or all
 * of workloads that are captured.
 *
 * The files are a ring: before one is begun, the oldest are removed, until
 * all, with those of earlier runs, are within the budget ("pcap-size").  While
 * files cannot be written, packets wait in a bounded queue. */

#include "sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/ofpbuf.h>
#include <openvswitch/shash.h>

#include "append.h"
#include "deviation.h"
#include "pcapng.h"
#include "queue.h"
#include "settings.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

#define MAX_QUEUED (1024 * 1024)
#define RETRY_MS 1000

/* What is kept of a packet, in bytes: its headers, or if it is captured, all
 * of it. */
#define SNAP_LEN 256
#define SNAP_LEN_CAPTURED 65535

/* A file takes this part of the budget. */
#define FILES_IN_BUDGET 8

#define FILE_SUFFIX ".pcapng"

struct sink_pcap {
    struct sink sink;
    char *directory;
    off_t budget, max_size;     /* Bytes of all files, and of one. */

    int fd;                     /* -1: none. */
    char *file;                 /* Its name in 'directory'. */
    off_t size;
    struct shash interfaces;    /* Ports that it has; data is the number. */

    struct queue queue;         /* Of struct stored_packet. */
    struct ofpbuf buffer;       /* What is being put together. */
    struct timer *retry;
    bool retrying;
};

/* In the queue; followed by the bytes of the packet, and the port and the
 * comment as strings. */
struct stored_packet {
    long long int time_us;
    size_t n, total;
};

static struct sink_pcap *
sink_pcap_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_pcap, sink);
}

/* How the names of files begin. */
static const char *
prefix_of(const struct sink_pcap *pcap)
{
    return pcap->sink.class->captures ? "capture-" : "sdfw-";
}

static size_t
snap_len(const struct sink_pcap *pcap)
{
    return pcap->sink.class->captures ? SNAP_LEN_CAPTURED : SNAP_LEN;
}

/* Files. */

static void
close_file(struct sink_pcap *pcap)
{
    if (pcap->fd < 0) {
        return;
    }
    if (!pcap->size) {
        char *path = xasprintf("%s/%s", pcap->directory, pcap->file);
        unlink(path);
        free(path);
    }
    close(pcap->fd);
    pcap->fd = -1;
    pcap->size = 0;
    free(pcap->file);
    pcap->file = NULL;
    shash_clear(&pcap->interfaces);
}

/* What a file takes on the disk, or 0 if it is not one of ours. */
static off_t
size_of(const struct sink_pcap *pcap, int directory, const char *name)
{
    struct stat st;
    const char *prefix = prefix_of(pcap);
    return !strncmp(name, prefix, strlen(prefix))
           && string_ends_with(name, FILE_SUFFIX)
           && !fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW)
           && S_ISREG(st.st_mode) ? ROUND_UP(MAX(st.st_size, 1), 4096) : 0;
}

/* Removes the oldest files until there is room for another.  Returns 0 or an
 * errno. */
static int
make_room(struct sink_pcap *pcap)
{
    DIR *stream = opendir(pcap->directory);
    if (!stream) {
        return errno;
    }
    struct svec names = SVEC_EMPTY_INITIALIZER;
    off_t total = 0;
    int error = 0;
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        off_t size = size_of(pcap, dirfd(stream), entry->d_name);
        if (size) {
            svec_add(&names, entry->d_name);
            total += size;
        }
    }
    svec_sort(&names);          /* Their names are times. */
    for (size_t i = 0; i < names.n && total + pcap->max_size > pcap->budget
                       && !error; i++) {
        total -= size_of(pcap, dirfd(stream), names.names[i]);
        if (unlinkat(dirfd(stream), names.names[i], 0) && errno != ENOENT) {
            error = errno;
        }
    }
    svec_destroy(&names);
    closedir(stream);
    return error;
}

/* Returns 0 or an errno. */
static int
begin_file(struct sink_pcap *pcap)
{
    int error = make_room(pcap);
    if (error) {
        return error;
    }
    for (long long int now = time_wall_msec(); ; now++) {
        char *time = xastrftime_msec("%Y%m%dT%H%M%S.###Z", now, true);
        char *name = xasprintf("%s%s"FILE_SUFFIX, prefix_of(pcap), time);
        free(time);
        char *path = xasprintf("%s/%s", pcap->directory, name);
        pcap->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL
                              | O_CLOEXEC, 0640);
        error = pcap->fd < 0 ? errno : 0;
        free(path);
        if (!error) {
            pcap->file = name;
            return 0;
        }
        free(name);
        if (error != EEXIST) {
            return error;
        }
    }
}

/* Puts the blocks of 'stored' into the buffer.  Returns the name of its port
 * if the file does not have it yet. */
static const char *
format(struct sink_pcap *pcap, const struct stored_packet *stored)
{
    const char *data = (const char *) (stored + 1);
    const char *port = data + stored->n;
    const struct shash_node *known = shash_find(&pcap->interfaces, port);
    const struct pcapng_packet packet = {
        .interface = known ? (uintptr_t) known->data
                     : shash_count(&pcap->interfaces),
        .time_us = stored->time_us,
        .data = data, .n = stored->n, .total = stored->total,
        .comment = port + strlen(port) + 1,
    };
    ofpbuf_clear(&pcap->buffer);
    if (!pcap->size) {
        pcapng_put_section(&pcap->buffer, "sdfwd (ovs-sdfw) " SDFW_VERSION);
    }
    if (!known) {
        pcapng_put_interface(&pcap->buffer, port, snap_len(pcap));
    }
    pcapng_put_packet(&pcap->buffer, &packet);
    return known ? NULL : port;
}

/* Returns 0 or an errno. */
static int
write_packet(struct sink_pcap *pcap, const struct stored_packet *stored)
{
    if (pcap->fd >= 0 && append_is_gone(pcap->fd)) {
        close_file(pcap);
    }
    const char *port = format(pcap, stored);
    if (pcap->size + pcap->buffer.size > pcap->max_size) {
        close_file(pcap);
        port = format(pcap, stored);
    }
    int error = pcap->fd < 0 ? begin_file(pcap) : 0;
    if (error) {
        return error;
    }
    size_t done = 0;
    error = append_whole(pcap->fd, pcap->buffer.data, pcap->buffer.size,
                         &done);
    if (error) {
        if (done) {
            close_file(pcap);   /* It ends with a part of a block. */
        }
        return error;
    }
    pcap->size += pcap->buffer.size;
    if (port) {
        uintptr_t number = shash_count(&pcap->interfaces);
        shash_add(&pcap->interfaces, port, (void *) number);
    }
    return 0;
}

/* The queue. */

static void
flush(void *pcap_)
{
    struct sink_pcap *pcap = pcap_;
    const struct queue_item *item;
    int error = 0;
    while (!error && (item = queue_front(&pcap->queue))) {
        error = write_packet(pcap, (const void *) item->data);
        if (!error) {
            queue_pop(&pcap->queue);
        }
    }
    /* EAGAIN: a slow reader is nothing to worry about yet. */
    sink_note_error(&pcap->sink, error && error != EAGAIN
                               ? ovs_strerror(error) : NULL);
    pcap->retrying = error != 0;
    if (error) {
        timer_set(pcap->retry, RETRY_MS);
    }
}

static void
sink_pcap_put_packet(struct sink *sink, const struct packet_record *packet)
{
    struct sink_pcap *pcap = sink_pcap_cast(sink);
    const struct stored_packet stored = {
        .time_us = packet->time_us,
        .n = MIN(packet->frame->n, snap_len(pcap)),
        .total = packet->frame->total,
    };
    struct ofpbuf *b = &pcap->buffer;
    ofpbuf_clear(b);
    ofpbuf_put(b, &stored, sizeof stored);
    ofpbuf_put(b, packet->frame->data, stored.n);
    ofpbuf_put(b, packet->port, strlen(packet->port) + 1);
    ofpbuf_put(b, packet->text, strlen(packet->text) + 1);
    if (!queue_push(&pcap->queue, b->data, b->size)) {
        sink->n_dropped++;
    }
    if (!pcap->retrying) {
        flush(pcap);
    }
}

/* The rest of a sink. */

static char *
sink_pcap_check(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *error = NULL;
    if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS)) {
        error = xasprintf("cannot write packets to %s: %s", directory,
                          ovs_strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static char *
sink_pcap_open(struct loop *loop, const char *directory, struct sink **sinkp)
{
    struct sink_pcap *pcap = xzalloc(sizeof *pcap);
    pcap->directory = xstrdup(directory);
    pcap->fd = -1;
    shash_init(&pcap->interfaces);
    queue_init(&pcap->queue, MAX_QUEUED);
    ofpbuf_init(&pcap->buffer, 1024);
    pcap->retry = timer_create_in(loop, flush, pcap);
    *sinkp = &pcap->sink;
    return NULL;
}

static void
sink_pcap_configure(struct sink *sink, const struct settings *settings)
{
    struct sink_pcap *pcap = sink_pcap_cast(sink);
    pcap->budget = settings_number(settings, SETTING_PCAP_SIZE) * 1048576LL;
    pcap->max_size = pcap->budget / FILES_IN_BUDGET;
}

/* SIGHUP: the file can be taken away. */
static void
sink_pcap_reopen(struct sink *sink)
{
    close_file(sink_pcap_cast(sink));
}

static void
sink_pcap_close(struct sink *sink)
{
    struct sink_pcap *pcap = sink_pcap_cast(sink);
    close_file(pcap);
    shash_destroy(&pcap->interfaces);
    queue_destroy(&pcap->queue);
    ofpbuf_uninit(&pcap->buffer);
    timer_destroy(pcap->retry);
    free(pcap->directory);
    free(pcap);
}

static size_t
sink_pcap_n_waiting(const struct sink *sink)
{
    return sink_pcap_cast(sink)->queue.n;
}

const struct sink_class sink_pcap_class = {
    .name = "pcap",
    .check = sink_pcap_check,
    .open = sink_pcap_open,
    .configure = sink_pcap_configure,
    .put_packet = sink_pcap_put_packet,
    .reopen = sink_pcap_reopen,
    .close = sink_pcap_close,
    .n_waiting = sink_pcap_n_waiting,
};

const struct sink_class sink_capture_class = {
    .name = "capture",
    .captures = true,
    .check = sink_pcap_check,
    .open = sink_pcap_open,
    .configure = sink_pcap_configure,
    .put_packet = sink_pcap_put_packet,
    .reopen = sink_pcap_reopen,
    .close = sink_pcap_close,
    .n_waiting = sink_pcap_n_waiting,
};
