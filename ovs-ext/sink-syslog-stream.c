/* Syslog over TCP (RFC 6587, octet counting) and TLS (RFC 5425).
 *
 * A message stays in the queue until the receiver's system has acknowledged
 * it: what a connection that ends has not is sent again by the next.  So there
 * may be duplicates then; and what a receiver that dies has not read is lost,
 * for syslog has no answers. */

#include "sink-syslog-private.h"

#include <stdlib.h>

#include "util.h"

/* What may be under way at a time, in bytes. */
#define MAX_IN_FLIGHT (1024 * 1024)

/* What receivers should take (RFC 5425, 4.3.1). */
#define MAX_BYTES 8192

/* How long between looks for an acknowledgement: at first and at most. */
#define LOOK_MIN_MS 20
#define LOOK_MAX_MS 1000

/* Gives as much to the connection as may be under way. */
static void
send_more(struct sink_syslog *sink)
{
    if (!sink->up) {
        return;
    }
    uint64_t limit = sink->n_arrived_bytes + MAX_IN_FLIGHT;
    size_t i = 0;
    const struct queue_item *m;
    LIST_FOR_EACH (m, list_node, &sink->queue.items) {
        if (i++ < sink->n_in_flight) {
            continue;
        } else if (sink->n_given_bytes + m->n > limit) {
            break;
        }
        connection_send(sink->connection, m->data, m->n);
        sink->n_given_bytes += m->n;
        sink->n_in_flight++;
    }
}

/* Forgets what the receiver's system has. */
static void
take_acknowledged(struct sink_syslog *sink)
{
    uint64_t missing = connection_unacknowledged(sink->connection);
    uint64_t arrived = sink->n_given_bytes
                       - MIN(missing, sink->n_given_bytes);
    while (sink->n_in_flight) {
        size_t n = queue_front(&sink->queue)->n;
        if (sink->n_arrived_bytes + n > arrived) {
            break;
        }
        sink->n_arrived_bytes += n;
        queue_pop(&sink->queue);
        sink->n_in_flight--;
        sink->look_ms = LOOK_MIN_MS;
    }
}

static void
look(void *sink_)
{
    struct sink_syslog *sink = sink_;
    take_acknowledged(sink);
    syslog_tell_dropped(sink);
    send_more(sink);
    if (sink->n_in_flight) {
        timer_set(sink->look, sink->look_ms);
        sink->look_ms = MIN(sink->look_ms * 2, LOOK_MAX_MS);
    }
}

static void
connected(void *sink_)
{
    struct sink_syslog *sink = sink_;
    sink->up = true;
    sink->backoff_ms = SYSLOG_BACKOFF_MIN_MS;
    sink->look_ms = LOOK_MIN_MS;
    sink_note_error(&sink->sink, NULL);
    look(sink);
}

static size_t
received(const void *data OVS_UNUSED, size_t n, void *sink OVS_UNUSED)
{
    return n;                   /* Receivers have nothing to say. */
}

static void
lost(const char *error, void *sink_)
{
    struct sink_syslog *sink = sink_;
    if (sink->up) {
        take_acknowledged(sink);
    }
    connection_close(sink->connection);
    sink->connection = NULL;
    sink->up = false;
    sink->n_in_flight = 0;
    sink->n_given_bytes = 0;
    sink->n_arrived_bytes = 0;
    timer_cancel(sink->look);
    sink_note_error(&sink->sink, error);
    syslog_retry_later(sink);
}

static void
try_to_connect(void *sink_)
{
    static const struct connection_callbacks callbacks = {
        .connected = connected, .received = received, .lost = lost,
        .drained = look,
    };
    struct sink_syslog *sink = sink_;
    char *error = connection_open(sink->loop, sink->target, &callbacks, sink,
                                  &sink->connection);
    if (error) {
        lost(error, sink);
        free(error);
    }
}

static void
stream_open(struct sink_syslog *sink)
{
    sink->look = timer_create_in(sink->loop, look, sink);
    sink->retry = timer_create_in(sink->loop, try_to_connect, sink);
    timer_set(sink->retry, 0);
}

static void
stream_put(struct sink_syslog *sink, const struct ds *message)
{
    if (syslog_enqueue(sink, message)) {
        send_more(sink);
    } else {
        syslog_drop(sink);
    }
}

static void
stream_close(struct sink_syslog *sink)
{
    if (sink->up) {
        take_acknowledged(sink);
    }
    connection_close(sink->connection);
    timer_destroy(sink->retry);
    timer_destroy(sink->look);
}

const struct syslog_transport syslog_tcp = {
    .scheme = "tcp:", .port = 514, .max_bytes = MAX_BYTES, .counted = true,
    .open = stream_open, .put = stream_put, .close = stream_close,
};

const struct syslog_transport syslog_tls = {
    .scheme = "tls:", .port = 6514, .max_bytes = MAX_BYTES, .counted = true,
    .open = stream_open, .put = stream_put, .close = stream_close,
};
