/* Records to syslog: the local socket, UDP (RFC 5426) or TCP (RFC 6587, octet
 * counting).
 *
 * Over TCP, messages wait in a bounded queue while the receiver is away or
 * slow, and those that may not have arrived are sent again.  What does not fit
 * is dropped and counted, and the receiver is told how many it missed. */

#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/list.h>

#include "socket-util.h"
#include "syslog-format.h"
#include "timeval.h"
#include "util.h"

/* What may wait, in bytes, and what may be under way at a time. */
#define MAX_QUEUED (4 * 1024 * 1024)
#define MAX_IN_FLIGHT (64 * 1024)

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000

struct message {
    struct ovs_list list_node;
    size_t n;
    char data[];
};

struct sink_syslog {
    struct sink sink;
    struct loop *loop;
    char *target;
    char hostname[256];
    uint64_t n_untold;          /* Dropped, and the receiver does not know. */

    int fd;                     /* Datagrams; -1: TCP, or cannot be opened. */
    bool local;                 /* Datagrams in the local form. */

    /* TCP. */
    struct connection *connection;
    bool up;
    struct timer *retry;
    long long int backoff_ms;
    struct ovs_list queue;      /* Of struct message; the first 'n_in_flight'
                                 * have been given to the connection. */
    size_t n_queued_bytes;
    size_t n_in_flight;
};

static struct sink_syslog *
sink_syslog_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_syslog, sink);
}

/* TCP. */

/* Gives as much to the connection as may be under way. */
static void
send_more(struct sink_syslog *sink)
{
    size_t bytes = 0, i = 0;
    const struct message *m;
    if (!sink->up || sink->n_in_flight) {
        return;
    }
    LIST_FOR_EACH (m, list_node, &sink->queue) {
        if (i && bytes + m->n > MAX_IN_FLIGHT) {
            break;
        }
        connection_send(sink->connection, m->data, m->n);
        bytes += m->n;
        i++;
    }
    sink->n_in_flight = i;
}

static void
drained(void *sink_)
{
    struct sink_syslog *sink = sink_;
    for (; sink->n_in_flight; sink->n_in_flight--) {
        struct message *m = CONTAINER_OF(ovs_list_pop_front(&sink->queue),
                                         struct message, list_node);
        sink->n_queued_bytes -= m->n;
        free(m);
    }
    send_more(sink);
}

static void
enqueue(struct sink_syslog *sink, const struct ds *text)
{
    char *frame = xasprintf("%"PRIuSIZE" ", text->length);
    size_t n = strlen(frame) + text->length;
    if (sink->n_queued_bytes + n > MAX_QUEUED) {
        sink->sink.n_dropped++;
        sink->n_untold++;
    } else {
        struct message *m = xmalloc(sizeof *m + n);
        m->n = n;
        memcpy(m->data, frame, strlen(frame));
        memcpy(m->data + strlen(frame), text->string, text->length);
        ovs_list_push_back(&sink->queue, &m->list_node);
        sink->n_queued_bytes += n;
        send_more(sink);
    }
    free(frame);
}

static struct syslog_header
make_header(const struct sink_syslog *sink, int severity, const char *msgid)
{
    return (struct syslog_header) {
        .severity = severity,
        .msgid = msgid,
        .hostname = sink->hostname,
        .pid = getpid(),
        .time_ms = time_wall_msec(),
    };
}

static void
tell_dropped(struct sink_syslog *sink)
{
    if (sink->n_untold) {
        const struct syslog_header header = make_header(sink, 4, "DROPPED");
        struct ds s = DS_EMPTY_INITIALIZER;
        char *text = xasprintf("%"PRIu64" records could not be sent and were "
                               "dropped", sink->n_untold);
        sink->n_untold = 0;
        syslog_format_5424(&s, &header, NULL, text);
        enqueue(sink, &s);
        ds_destroy(&s);
        free(text);
    }
}

static void
connected(void *sink_)
{
    struct sink_syslog *sink = sink_;
    sink->up = true;
    sink->backoff_ms = BACKOFF_MIN_MS;
    send_more(sink);
    tell_dropped(sink);
}

static size_t
received(const void *data OVS_UNUSED, size_t n, void *sink OVS_UNUSED)
{
    return n;                   /* Receivers have nothing to say. */
}

static void
lost(const char *error OVS_UNUSED, void *sink_)
{
    struct sink_syslog *sink = sink_;
    connection_close(sink->connection);
    sink->connection = NULL;
    sink->up = false;
    sink->n_in_flight = 0;
    timer_set(sink->retry, sink->backoff_ms);
    sink->backoff_ms = MIN(sink->backoff_ms * 2, BACKOFF_MAX_MS);
}

static void
try_to_connect(void *sink_)
{
    static const struct connection_callbacks callbacks = {
        .connected = connected, .received = received, .lost = lost,
        .drained = drained,
    };
    struct sink_syslog *sink = sink_;
    char *error = connection_open(sink->loop, sink->target, &callbacks, sink,
                                  &sink->connection);
    if (error) {
        lost(error, sink);
        free(error);
    }
}

/* Datagrams. */

static char *
open_datagrams(struct sink_syslog *sink)
{
    const char *where = strchr(sink->target, ':') + 1;
    int error;
    if (sink->local) {
        error = make_unix_socket(SOCK_DGRAM, true, NULL, where);
        sink->fd = MAX(error, -1);
        error = error < 0 ? -error : 0;
    } else {
        error = inet_open_active(SOCK_DGRAM, where, 514, NULL, &sink->fd, 0);
    }
    return error && !sink->local
           ? xasprintf("%s: %s", sink->target, ovs_strerror(error)) : NULL;
}

static void
send_datagram(struct sink_syslog *sink, const struct ds *s)
{
    if (sink->fd < 0 && sink->local) {
        free(open_datagrams(sink)); /* Its receiver was started late. */
    }
    if (sink->fd < 0
        || send(sink->fd, s->string, s->length, MSG_NOSIGNAL) < 0) {
        sink->sink.n_dropped++;
        if (sink->fd >= 0 && sink->local && errno != EAGAIN) {
            close(sink->fd);
            sink->fd = -1;
        }
    }
}

/* Both. */

static void
sink_syslog_close(struct sink *sink_)
{
    struct sink_syslog *sink = sink_syslog_cast(sink_);
    struct message *m;
    LIST_FOR_EACH_POP (m, list_node, &sink->queue) {
        free(m);
    }
    connection_close(sink->connection);
    timer_destroy(sink->retry);
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    free(sink->target);
    free(sink);
}

static char *
sink_syslog_open(struct loop *loop, const char *target, struct sink **sinkp)
{
    struct sink_syslog *sink = xzalloc(sizeof *sink);
    char *error = NULL;
    *sink = (struct sink_syslog) {
        .loop = loop, .target = xstrdup(target), .fd = -1,
        .local = !strncmp(target, "unix:", 5),
        .backoff_ms = BACKOFF_MIN_MS,
    };
    ovs_list_init(&sink->queue);
    if (gethostname(sink->hostname, sizeof sink->hostname - 1)
        || !sink->hostname[0]) {
        ovs_strlcpy(sink->hostname, "-", sizeof sink->hostname);
    }
    if (!strncmp(target, "tcp:", 4)) {
        sink->retry = timer_create_in(loop, try_to_connect, sink);
        timer_set(sink->retry, 0);
    } else if (sink->local || !strncmp(target, "udp:", 4)) {
        error = open_datagrams(sink);
    } else {
        error = xasprintf("\"%s\" is no unix:SOCKET, udp:ADDRESS:PORT or "
                          "tcp:ADDRESS:PORT", target);
    }
    if (error) {
        sink_syslog_close(&sink->sink);
        return error;
    }
    *sinkp = &sink->sink;
    return NULL;
}

static void
sink_syslog_put(struct sink *sink_, const struct record *record)
{
    struct sink_syslog *sink = sink_syslog_cast(sink_);
    const struct syslog_header header
        = make_header(sink, record->severity, record->msgid);
    struct ds s = DS_EMPTY_INITIALIZER;
    if (sink->local) {
        syslog_format_local(&s, &header, record->text);
    } else {
        syslog_format_5424(&s, &header, record->json, record->text);
    }
    if (sink->retry) {
        enqueue(sink, &s);
    } else {
        send_datagram(sink, &s);
    }
    ds_destroy(&s);
}

static size_t
sink_syslog_n_waiting(const struct sink *sink)
{
    return ovs_list_size(&sink_syslog_cast(sink)->queue);
}

const struct sink_class sink_syslog_class = {
    .name = "syslog",
    .for_people = true,
    .open = sink_syslog_open,
    .put = sink_syslog_put,
    .close = sink_syslog_close,
    .n_waiting = sink_syslog_n_waiting,
};
