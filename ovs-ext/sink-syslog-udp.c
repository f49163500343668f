/* Syslog over UDP (RFC 5426).
 *
 * Nothing waits here: what cannot be sent, or is refused, is dropped.  That a
 * host has no receiver is told by its ICMP messages, which the socket gives as
 * errors; what is lost otherwise is not known. */

#include "sink-syslog-private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket-util.h"
#include "util.h"

/* What receivers should take (RFC 5426, 3.2). */
#define MAX_BYTES 2048

/* The last datagram has not arrived. */
static void
datagram_was_refused(struct sink_syslog *sink, int error)
{
    if (sink->n_told_last) {
        sink->n_untold += sink->n_told_last;
        sink->n_told_last = 0;
    } else {
        syslog_drop(sink);
    }
    sink->failed = true;
    sink_note_error(&sink->sink, ovs_strerror(error));
}

static void
take_errors(void *sink_)
{
    struct sink_syslog *sink = sink_;
    char buffer[1];
    while (recv(sink->fd, buffer, sizeof buffer, MSG_DONTWAIT) >= 0) {
        continue;               /* Receivers have nothing to say. */
    }
    if (errno != EAGAIN) {
        datagram_was_refused(sink, errno);
    }
}

/* Returns an errno. */
static int
connect_socket(struct sink_syslog *sink)
{
    if (sink->fd >= 0) {
        return 0;
    }
    int error = inet_open_active(SOCK_DGRAM, sink->target + 4, -1, NULL,
                                 &sink->fd, 0);
    if (error) {
        sink->fd = -1;
    } else {
        sink->watch = watch_create(sink->loop, sink->fd, take_errors, sink);
    }
    return error;
}

/* Returns an errno. */
static int
send_datagram(struct sink_syslog *sink, const struct ds *s)
{
    int error = connect_socket(sink);
    /* The first attempt may fail for the datagram before. */
    for (int i = 0; !error && i < 2; i++) {
        if (send(sink->fd, s->string, s->length, MSG_NOSIGNAL) >= 0) {
            return 0;
        } else if (errno != ECONNREFUSED) {
            return errno;
        }
        datagram_was_refused(sink, errno);
    }
    return error ? error : ECONNREFUSED;
}

/* The datagram before seems to have arrived. */
static void
tell_dropped(struct sink_syslog *sink)
{
    sink_note_error(&sink->sink, NULL);
    if (sink->n_untold) {
        uint64_t n = sink->n_untold;
        struct ds s = DS_EMPTY_INITIALIZER;
        syslog_format_untold(sink, &s);
        if (!send_datagram(sink, &s)) {
            sink->n_untold -= n;
            sink->n_told_last = n;
        }
        ds_destroy(&s);
    }
}

static void
udp_put(struct sink_syslog *sink, const struct ds *message)
{
    if (sink->fd >= 0) {
        take_errors(sink);
    }
    if (!sink->failed) {
        tell_dropped(sink);
    }
    int error = send_datagram(sink, message);
    sink->n_told_last = 0;
    sink->failed = error;
    if (error) {
        syslog_drop(sink);
        sink_note_error(&sink->sink, ovs_strerror(error));
    }
}

static void
udp_open(struct sink_syslog *sink)
{
    /* If that fails, it may not for the first message. */
    ignore(connect_socket(sink));
}

static void
udp_close(struct sink_syslog *sink)
{
    watch_destroy(sink->watch);
    if (sink->fd >= 0) {
        close(sink->fd);
    }
}

const struct syslog_transport syslog_udp = {
    .scheme = "udp:", .port = 514, .max_bytes = MAX_BYTES,
    .open = udp_open, .put = udp_put, .close = udp_close,
};
