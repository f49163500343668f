/* The event loop: timers, signals, descriptors and stream connections.
 *
 * Only loop*.c and http.c know libevent; the rest of the daemon sees callbacks.  All of
 * them are called from loop_run(), in one thread. */

#ifndef SDFW_LOOP_H
#define SDFW_LOOP_H 1

#include <stdbool.h>
#include <stddef.h>

#include <openvswitch/compiler.h>

#include "tls.h"

struct loop;

struct loop *loop_create(void);
void loop_destroy(struct loop *);

/* Returns after loop_stop(). */
void loop_run(struct loop *);
void loop_stop(struct loop *);
/* After what is queued has been written, if it can be. */
void loop_stop_soon(struct loop *);

typedef void loop_callback(void *aux);

/* Calls 'cb' once, some time after timer_set(). */
struct timer;
struct timer *timer_create_in(struct loop *, loop_callback *, void *aux);
void timer_destroy(struct timer *);
/* In 'ms' milliseconds; replaces what was set before. */
void timer_set(struct timer *, long long int ms);
void timer_cancel(struct timer *);

/* Calls 'cb' whenever the signal arrives, until the loop ends. */
void loop_on_signal(struct loop *, int signal_number, loop_callback *,
                    void *aux);

/* Calls 'cb' whenever 'fd' is readable, until watch_destroy(), which does not
 * close it. */
struct watch;
struct watch *watch_create(struct loop *, int fd, loop_callback *, void *aux);
void watch_destroy(struct watch *);

/* A stream connection to "unix:FILE", "tcp:ADDRESS:PORT", or over TLS to
 * "ssl:ADDRESS:PORT" (as Open vSwitch spells it) or "tls:ADDRESS:PORT" (for
 * syslog), which differ in the settings that they use.  A callback may close
 * the connection that it is called for. */
struct connection;
struct connection_callbacks {
    /* The connection is there, and so is TLS. */
    void (*connected)(void *aux);
    /* 'n' bytes have come, among them those that were not taken before.
     * Returns how many it has taken. */
    size_t (*received)(const void *data, size_t n, void *aux);
    /* The connection could not be made, or has ended: 'error' says why.  It is
     * still to be closed. */
    void (*lost)(const char *error, void *aux);
    /* All that was queued has been written.  May be NULL. */
    void (*drained)(void *aux);
};

/* Sets what connections to "ssl:" and "tls:" use; until then there can be
 * none.  The settings stay until the loop is destroyed. */
void loop_use_tls(struct loop *, const struct tls_settings *ssl,
                  const struct tls_settings *tls);

/* How often TLS has failed, and with whom and why last (NULL: never). */
unsigned long int loop_tls_failures(const struct loop *, const char **last);

/* Returns an error that the caller must free if 'target' makes no sense. */
char *connection_check(const struct loop *, const char *target)
    OVS_WARN_UNUSED_RESULT;

/* Returns such an error, or that a file for TLS cannot be used, or that there
 * is nothing to connect to; otherwise NULL, and the outcome is told by a
 * callback, within CONNECT_TIMEOUT_MS.  A peer that acknowledges nothing for
 * SEND_TIMEOUT_MS is lost. */
#define CONNECT_TIMEOUT_MS 10000
#define SEND_TIMEOUT_MS 30000
char *connection_open(struct loop *, const char *target,
                      const struct connection_callbacks *, void *aux,
                      struct connection **) OVS_WARN_UNUSED_RESULT;
void connection_close(struct connection *);

/* Listens on the unix socket 'file', which must not exist or have no
 * listener, for its owner only, and calls 'accepted' for each connection,
 * which makes a connection of it by connection_adopt(). */
struct listener;
char *listener_create(struct loop *, const char *file,
                      void (*accepted)(int fd, void *aux), void *aux,
                      struct listener **) OVS_WARN_UNUSED_RESULT;
void listener_destroy(struct listener *);
struct connection *connection_adopt(int fd, const struct listener *,
                                    const struct connection_callbacks *,
                                    void *aux);

/* Queues a copy of 'n' bytes. */
void connection_send(struct connection *, const void *data, size_t n);

/* How many bytes, at most, the peer's system has not acknowledged yet of those
 * that were sent. */
size_t connection_unacknowledged(const struct connection *);

#endif /* loop.h */
