/* Syslog to the local socket, such as /dev/log. */

#include "sink-syslog-private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket-util.h"
#include "util.h"

/* What rsyslog and systemd-journald take is more. */
#define MAX_BYTES 8192

/* How long to wait for room in the socket. */
#define ROOM_MS 10

static void
local_disconnect(struct sink_syslog *sink)
{
    if (sink->fd >= 0) {
        close(sink->fd);
        sink->fd = -1;
    }
}

/* Sends 'm', to whoever has the socket now.  Returns an errno. */
static int
send_local(struct sink_syslog *sink, const struct queue_item *m)
{
    int error = 0;
    for (int i = 0; i < 2; i++) {
        if (sink->fd < 0) {
            int fd = make_unix_socket(SOCK_DGRAM, true, NULL,
                                      sink->target + 5);
            if (fd < 0) {
                return -fd;
            }
            sink->fd = fd;
        }
        error = send(sink->fd, m->data, m->n, MSG_NOSIGNAL) < 0 ? errno : 0;
        if (!error || error == EAGAIN || error == ENOBUFS
            || error == EMSGSIZE) {
            break;
        }
        local_disconnect(sink); /* Of a receiver that has ended. */
    }
    return error;
}

static void
send_queue(void *sink_)
{
    struct sink_syslog *sink = sink_;
    const struct queue_item *m;
    syslog_tell_dropped(sink);
    while ((m = queue_front(&sink->queue)) != NULL) {
        int error = send_local(sink, m);
        if (error == EAGAIN || error == ENOBUFS) {
            timer_set(sink->retry, ROOM_MS);
            return;
        } else if (error && error != EMSGSIZE) {
            sink_note_error(&sink->sink, ovs_strerror(error));
            syslog_retry_later(sink);
            return;
        } else if (error) {
            syslog_drop(sink);
        } else {
            sink->backoff_ms = SYSLOG_BACKOFF_MIN_MS;
            sink_note_error(&sink->sink, NULL);
        }
        queue_pop(&sink->queue);
        syslog_tell_dropped(sink);
    }
}

static void
local_open(struct sink_syslog *sink)
{
    sink->retry = timer_create_in(sink->loop, send_queue, sink);
}

static void
local_put(struct sink_syslog *sink, const struct ds *message)
{
    if (!syslog_enqueue(sink, message)) {
        syslog_drop(sink);
    } else if (sink->queue.n == 1) {
        send_queue(sink);       /* Otherwise the timer is set. */
    }
}

static void
local_close(struct sink_syslog *sink)
{
    local_disconnect(sink);
    timer_destroy(sink->retry);
}

const struct syslog_transport syslog_local = {
    .scheme = "unix:", .max_bytes = MAX_BYTES, .local = true,
    .open = local_open, .put = local_put, .close = local_close,
};
