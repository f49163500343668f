/* Records to syslog: the local socket, UDP (RFC 5426), TCP (RFC 6587, octet
 * counting) or TLS (RFC 5425).
 *
 * Messages wait in a bounded queue while the receiver is away or slow, except
 * over UDP, which does not know.  Over TCP and TLS they stay there until the
 * receiver's system has acknowledged them, and are sent again otherwise.  What
 * does not fit, or is known not to have arrived, is dropped and counted, and
 * the receiver is told how many it missed. */

#include "sink-syslog-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "socket-util.h"
#include "syslog-format.h"
#include "timeval.h"
#include "util.h"

/* What may wait, in bytes. */
#define MAX_QUEUED (4 * 1024 * 1024)

/* How long to wait before connecting again, at most. */
#define BACKOFF_MAX_MS 10000

static struct sink_syslog *
sink_syslog_cast(const struct sink *sink)
{
    return CONTAINER_OF(sink, struct sink_syslog, sink);
}

void
syslog_retry_later(struct sink_syslog *sink)
{
    timer_set(sink->retry, sink->backoff_ms);
    sink->backoff_ms = MIN(sink->backoff_ms * 2, BACKOFF_MAX_MS);
}

/* The queue. */

void
syslog_drop(struct sink_syslog *sink)
{
    sink->sink.n_dropped++;
    sink->n_untold++;
}

bool
syslog_enqueue(struct sink_syslog *sink, const struct ds *text)
{
    struct ds frame = DS_EMPTY_INITIALIZER;
    if (sink->transport->counted) {
        ds_put_format(&frame, "%"PRIuSIZE" ", text->length);
    }
    ds_put_buffer(&frame, text->string, text->length);
    bool taken = queue_push(&sink->queue, frame.string, frame.length);
    ds_destroy(&frame);
    return taken;
}

/* Formats. */

static void
format(const struct sink_syslog *sink, int severity, const char *msgid,
       const struct json *json, const char *text, struct ds *s)
{
    const struct syslog_header header = {
        .severity = severity,
        .msgid = msgid,
        .hostname = sink->hostname,
        .pid = getpid(),
        .time_ms = time_wall_msec(),
        .max_bytes = sink->transport->max_bytes,
    };
    if (sink->transport->local) {
        syslog_format_local(s, &header, text);
    } else {
        syslog_format_5424(s, &header, json, text);
    }
}

void
syslog_format_untold(const struct sink_syslog *sink, struct ds *s)
{
    char *text = xasprintf("%"PRIu64" records could not be sent and were "
                           "dropped", sink->n_untold);
    format(sink, 4, "DROPPED", NULL, text, s);
    free(text);
}

void
syslog_tell_dropped(struct sink_syslog *sink)
{
    if (sink->n_untold && sink->queue.n_bytes < MAX_QUEUED / 2) {
        struct ds s = DS_EMPTY_INITIALIZER;
        syslog_format_untold(sink, &s);
        if (syslog_enqueue(sink, &s)) {
            sink->n_untold = 0;
        }
        ds_destroy(&s);
    }
}

/* The sink. */

static const struct syslog_transport *
find_transport(const char *target)
{
    static const struct syslog_transport *const transports[] = {
        &syslog_local, &syslog_udp, &syslog_tcp, &syslog_tls,
    };
    for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
        const char *scheme = transports[i]->scheme;
        if (!strncmp(target, scheme, strlen(scheme))) {
            return transports[i];
        }
    }
    return NULL;
}

/* Sets '*fullp' to 'target' with its port. */
static char *
complete_target(const char *target, const struct syslog_transport *transport,
                char **fullp)
{
    struct sockaddr_storage ss;
    const char *where = target + strlen(transport->scheme);
    if (!transport->port) {
        *fullp = where[0] ? xstrdup(target) : NULL;
        return where[0] ? NULL : xasprintf("\"%s\" is no unix:SOCKET", target);
    }
    char *why = address_parse(where, transport->port, &ss);
    if (why) {
        char *error = xasprintf("\"%s\" is no %sADDRESS[:PORT]; %s", target,
                                transport->scheme, why);
        free(why);
        return error;
    }
    struct ds full = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&full, transport->scheme);
    ss_format_address(&ss, &full);
    ds_put_format(&full, ":%"PRIu16, ss_get_port(&ss));
    *fullp = ds_steal_cstr(&full);
    return NULL;
}

static char *
sink_syslog_check(const char *target)
{
    const struct syslog_transport *transport = find_transport(target);
    char *full = NULL;
    if (!transport) {
        return xasprintf("\"%s\" is no unix:SOCKET, udp:ADDRESS[:PORT], "
                         "tcp:ADDRESS[:PORT] or tls:ADDRESS[:PORT]", target);
    }
    char *error = complete_target(target, transport, &full);
    free(full);
    return error;
}

static char *
sink_syslog_open(struct loop *loop, const char *target, struct sink **sinkp)
{
    const struct syslog_transport *transport = find_transport(target);
    char *full = NULL;
    char *error = complete_target(target, transport, &full);
    if (error) {
        return error;
    }
    struct sink_syslog *sink = xzalloc(sizeof *sink);
    *sink = (struct sink_syslog) {
        .transport = transport, .loop = loop, .target = full, .fd = -1,
        .backoff_ms = SYSLOG_BACKOFF_MIN_MS,
    };
    queue_init(&sink->queue, MAX_QUEUED);
    if (gethostname(sink->hostname, sizeof sink->hostname - 1)) {
        sink->hostname[0] = '\0';
    }
    transport->open(sink);
    *sinkp = &sink->sink;
    return NULL;
}

static void
sink_syslog_close(struct sink *sink_)
{
    struct sink_syslog *sink = sink_syslog_cast(sink_);
    sink->transport->close(sink);
    queue_destroy(&sink->queue);
    free(sink->target);
    free(sink);
}

static void
sink_syslog_put(struct sink *sink_, const struct record *record)
{
    struct sink_syslog *sink = sink_syslog_cast(sink_);
    struct ds s = DS_EMPTY_INITIALIZER;
    format(sink, record->severity, record->msgid, record->json, record->text,
           &s);
    sink->transport->put(sink, &s);
    ds_destroy(&s);
}

static size_t
sink_syslog_n_waiting(const struct sink *sink)
{
    return sink_syslog_cast(sink)->queue.n;
}

const struct sink_class sink_syslog_class = {
    .name = "syslog",
    .for_people = true,
    .check = sink_syslog_check,
    .open = sink_syslog_open,
    .put = sink_syslog_put,
    .close = sink_syslog_close,
    .n_waiting = sink_syslog_n_waiting,
};
