/* What the files of the syslog sink share: what is the same for all ways to a
 * receiver is in sink-syslog.c, and each way in a file of its own. */

#ifndef SDFW_SINK_SYSLOG_PRIVATE_H
#define SDFW_SINK_SYSLOG_PRIVATE_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/list.h>

#include "queue.h"
#include "sink.h"

struct sink_syslog;

/* A way to a receiver.  'put' sends the message, or makes it wait, or drops
 * it. */
struct syslog_transport {
    const char *scheme;         /* "udp:" */
    int port;                   /* Unless the target has one; 0: a file. */
    size_t max_bytes;           /* Of a message. */
    bool local;                 /* In the form of syslog(3). */
    bool counted;               /* RFC 6587, 3.4.1: octet counting. */
    void (*open)(struct sink_syslog *);
    void (*put)(struct sink_syslog *, const struct ds *message);
    void (*close)(struct sink_syslog *);
};

extern const struct syslog_transport syslog_local, syslog_udp, syslog_tcp,
    syslog_tls;

/* How long to wait before connecting again, at first. */
#define SYSLOG_BACKOFF_MIN_MS 100

struct sink_syslog {
    struct sink sink;
    const struct syslog_transport *transport;
    struct loop *loop;
    char *target;               /* With its port. */
    char hostname[256];
    uint64_t n_untold;          /* Dropped, and the receiver does not know. */

    /* The local socket, TCP and TLS. */
    struct queue queue;
    struct timer *retry;        /* To connect, or to send. */
    long long int backoff_ms;

    /* The local socket and UDP. */
    int fd;                     /* -1 if it cannot be opened. */

    /* UDP. */
    struct watch *watch;        /* Of errors. */
    bool failed;                /* The last datagram, as far as we know. */
    uint64_t n_told_last;       /* By the last datagram; 0: it is a record. */

    /* TCP and TLS. */
    struct connection *connection;
    bool up;
    size_t n_in_flight;         /* So many messages, the first of 'queue', */
    uint64_t n_given_bytes;     /* and so many bytes have been given to it; */
    uint64_t n_arrived_bytes;   /* of these, messages that have arrived. */
    struct timer *look;         /* Whether they have been acknowledged. */
    long long int look_ms;
};

/* Sets the timer 'retry', later each time. */
void syslog_retry_later(struct sink_syslog *);

/* Counts a record that is lost. */
void syslog_drop(struct sink_syslog *);

/* Appends to the queue; returns false if there is no room. */
bool syslog_enqueue(struct sink_syslog *, const struct ds *message);

/* Tells the receiver of 'n_untold': appends the message, or enqueues it, once
 * there is room again. */
void syslog_format_untold(const struct sink_syslog *, struct ds *);
void syslog_tell_dropped(struct sink_syslog *);

#endif /* sink-syslog-private.h */
