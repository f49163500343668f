/* The event loop: see loop.h. */

#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(loop);

struct signal_event {
    struct signal_event *next;
    struct event *event;
    loop_callback *cb;
    void *aux;
};

struct loop {
    struct event_base *base;
    struct signal_event *signals;

    /* TLS. */
    const struct tls_settings *ssl, *tls; /* For "ssl:" and "tls:". */
    unsigned long int n_tls_failures;
    char *tls_failure;          /* The last. */
};

struct loop *
loop_create(void)
{
    struct loop *loop = xzalloc(sizeof *loop);
    loop->base = event_base_new();
    if (!loop->base) {
        ovs_abort(0, "libevent finds no way to wait for events");
    }
    return loop;
}

void
loop_destroy(struct loop *loop)
{
    while (loop->signals) {
        struct signal_event *s = loop->signals;
        loop->signals = s->next;
        event_free(s->event);
        free(s);
    }
    event_base_free(loop->base);
    free(loop->tls_failure);
    free(loop);
}

void
loop_run(struct loop *loop)
{
    event_base_dispatch(loop->base);
}

void
loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

void
loop_stop_soon(struct loop *loop)
{
    const struct timeval soon = { .tv_usec = 50000 };
    event_base_loopexit(loop->base, &soon);
}

/* Timers. */

struct timer {
    struct event *event;
    loop_callback *cb;
    void *aux;
};

static void
timer_fired(evutil_socket_t fd OVS_UNUSED, short events OVS_UNUSED,
            void *timer_)
{
    struct timer *timer = timer_;
    timer->cb(timer->aux);
}

struct timer *
timer_create_in(struct loop *loop, loop_callback *cb, void *aux)
{
    struct timer *timer = xmalloc(sizeof *timer);
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    timer->cb = cb;
    timer->aux = aux;
    return timer;
}

void
timer_destroy(struct timer *timer)
{
    if (timer) {
        event_free(timer->event);
        free(timer);
    }
}

void
timer_set(struct timer *timer, long long int ms)
{
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    evtimer_add(timer->event, &tv);
}

void
timer_cancel(struct timer *timer)
{
    evtimer_del(timer->event);
}

/* Signals. */

static void
signal_fired(evutil_socket_t number OVS_UNUSED, short events OVS_UNUSED,
             void *s_)
{
    struct signal_event *s = s_;
    s->cb(s->aux);
}

void
loop_on_signal(struct loop *loop, int signal_number, loop_callback *cb,
               void *aux)
{
    struct signal_event *s = xmalloc(sizeof *s);
    *s = (struct signal_event) {
        .next = loop->signals,
        .event = evsignal_new(loop->base, signal_number, signal_fired, s),
        .cb = cb,
        .aux = aux,
    };
    loop->signals = s;
    evsignal_add(s->event, NULL);
}

/* Descriptors. */

struct watch {
    struct event *event;
    loop_callback *cb;
    void *aux;
};

static void
watch_fired(evutil_socket_t fd OVS_UNUSED, short events OVS_UNUSED,
            void *watch_)
{
    struct watch *watch = watch_;
    watch->cb(watch->aux);
}

struct watch *
watch_create(struct loop *loop, int fd, loop_callback *cb, void *aux)
{
    struct watch *watch = xmalloc(sizeof *watch);
    watch->event = event_new(loop->base, fd, EV_READ | EV_PERSIST,
                             watch_fired, watch);
    watch->cb = cb;
    watch->aux = aux;
    event_add(watch->event, NULL);
    return watch;
}

void
watch_destroy(struct watch *watch)
{
    if (watch) {
        event_free(watch->event);
        free(watch);
    }
}

/* Connections. */

/* How long a server that got a certificate from us has to refuse it: with TLS
 * 1.3 that may come when the handshake is over for us, and what was sent by
 * then would be lost. */
#define SETTLE_MS 500

struct connection {
    struct loop *loop;
    struct bufferevent *bev;
    struct connection_callbacks callbacks;
    void *aux;
    char *target;               /* NULL: accepted by a listener. */
    struct ssl_st *session;     /* NULL: no TLS. */
    struct timer *timer;        /* Of what it waits for, until it is up. */
    bool connected;             /* The handshake of TLS is done, too. */
    bool accepted;              /* The server has taken our certificate. */
    bool up;                    /* Its owner has been told. */
    bool closed;                /* By a callback that is running. */
    int n_running;
};

static void
connection_free(struct connection *connection)
{
    if (connection->session && connection->up) {
        SSL_shutdown(connection->session);
        ERR_clear_error();
    }
    bufferevent_free(connection->bev);
    timer_destroy(connection->timer);
    free(connection->target);
    free(connection);
}

/* Between these two, connection_close() only notes that it was called. */
static void
enter(struct connection *connection)
{
    connection->n_running++;
}

static bool
leave(struct connection *connection)
{
    connection->n_running--;
    if (connection->closed) {
        connection_free(connection);
        return false;
    }
    return true;
}

static void
connection_is_up(struct connection *connection)
{
    if (!connection->up) {
        connection->up = true;
        timer_cancel(connection->timer);
        connection->callbacks.connected(connection->aux);
    }
}

static void
connection_readable(struct bufferevent *bev, void *connection_)
{
    struct connection *connection = connection_;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(input), taken = 0;
    enter(connection);
    connection_is_up(connection);
    if (!connection->closed) {
        taken = connection->callbacks.received(evbuffer_pullup(input, -1), n,
                                               connection->aux);
    }
    if (leave(connection)) {
        evbuffer_drain(input, taken);
    }
}

static void
connection_writable(struct bufferevent *bev, void *connection_)
{
    struct connection *connection = connection_;
    /* libevent also calls this when the connection has just been made. */
    size_t waiting = evbuffer_get_length(bufferevent_get_output(bev));
    if (connection->callbacks.drained && connection->up && !waiting) {
        enter(connection);
        connection->callbacks.drained(connection->aux);
        leave(connection);
    }
}

static void
note_tls_failure(const struct connection *connection, const char *why)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);
    struct loop *loop = connection->loop;
    char *failure = xasprintf("%s: %s", connection->target, why);
    loop->n_tls_failures++;
    if (!loop->tls_failure || strcmp(loop->tls_failure, failure)) {
        VLOG_WARN_RL(&rl, "%s", failure);
    }
    free(loop->tls_failure);
    loop->tls_failure = failure;
}

/* 'error' is that of the system, or 0: the peer closed it. */
static void
connection_lost(struct connection *connection, int error)
{
    if (!connection->session) {
        connection->callbacks.lost(error ? ovs_strerror(error)
                                   : "connection closed", connection->aux);
        return;
    }
    bool failed;
    char *why = tls_explain(connection->session,
                            bufferevent_get_openssl_error(connection->bev),
                            error, &failed);
    if (failed) {
        note_tls_failure(connection, why);
    }
    connection->callbacks.lost(why, connection->aux);
    free(why);
}

static void
connection_event(struct bufferevent *bev OVS_UNUSED, short what,
                 void *connection_)
{
    struct connection *connection = connection_;
    int error = EVUTIL_SOCKET_ERROR();
    enter(connection);
    if (what & BEV_EVENT_CONNECTED) {
        connection->connected = true;
        if (connection->session && !connection->accepted
            && tls_session_is_undecided(connection->session)) {
            timer_set(connection->timer, SETTLE_MS);
        } else {
            connection_is_up(connection);
        }
    } else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        connection_lost(connection, what & BEV_EVENT_EOF ? 0 : error);
    }
    leave(connection);
}

/* A server that says nothing wrong has taken our certificate; one with which
 * there is no connection yet is given up. */
static void
connection_waited(void *connection_)
{
    struct connection *connection = connection_;
    enter(connection);
    if (connection->connected) {
        connection_is_up(connection);
    } else {
        bool in_tls = connection->session
                      && !SSL_in_before(connection->session);
        const char *why = in_tls ? "it does not answer in the TLS handshake"
                          : "it does not answer";
        if (in_tls) {
            note_tls_failure(connection, why);
        }
        connection->callbacks.lost(why, connection->aux);
    }
    leave(connection);
}

static void
connection_accepted(void *connection_)
{
    struct connection *connection = connection_;
    connection->accepted = true;
    if (connection->connected && !connection->up) {
        timer_set(connection->timer, 0);
    }
}

/* Takes 'session', which may be NULL: no TLS. */
static struct connection *
connection_create(struct loop *loop, int fd, struct ssl_st *session,
                  const struct connection_callbacks *callbacks, void *aux)
{
    /* Deferred, so that no callback comes before this returns. */
    const int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    struct connection *connection = xzalloc(sizeof *connection);
    connection->loop = loop;
    connection->callbacks = *callbacks;
    connection->aux = aux;
    connection->session = session;
    connection->bev = session
        ? bufferevent_openssl_socket_new(loop->base, fd, session,
                                         BUFFEREVENT_SSL_CONNECTING, options)
        : bufferevent_socket_new(loop->base, fd, options);
    bufferevent_setcb(connection->bev, connection_readable,
                      connection_writable, connection_event, connection);
    bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
    return connection;
}

/* What a target says. */
struct address {
    struct sockaddr_storage ss;
    int len;
    bool use_tls;
    const struct tls_settings *tls; /* If 'use_tls'; NULL: there are none. */
};

static char *
parse_target(const struct loop *loop, const char *target, struct address *a)
{
    memset(a, 0, sizeof *a);
    if (!strncmp(target, "unix:", 5)) {
        struct sockaddr_un *un = ALIGNED_CAST(struct sockaddr_un *, &a->ss);
        un->sun_family = AF_UNIX;
        if (strlen(target + 5) >= sizeof un->sun_path) {
            return xasprintf("%s: the name of a socket may have %"PRIuSIZE
                             " characters", target, sizeof un->sun_path - 1);
        }
        strcpy(un->sun_path, target + 5);
        a->len = sizeof *un;
        return NULL;
    }
    a->use_tls = !strncmp(target, "ssl:", 4) || !strncmp(target, "tls:", 4);
    a->tls = target[0] == 's' ? loop->ssl : loop->tls;
    if (!a->use_tls && strncmp(target, "tcp:", 4)) {
        return xasprintf("\"%s\" is no unix:FILE, tcp:ADDRESS:PORT or "
                         "ssl:ADDRESS:PORT", target);
    } else if (!inet_parse_active(target + 4, -1, &a->ss, false, NULL)) {
        return xasprintf("\"%s\" is no %.4sADDRESS:PORT; names of hosts are "
                         "not looked up, an address is wanted", target,
                         target);
    } else if (a->use_tls && !a->tls) {
        return xasprintf("%s: %.4s needs private-key, certificate and "
                         "ca-cert", target, target);
    }
    a->len = a->ss.ss_family == AF_INET ? sizeof(struct sockaddr_in)
             : sizeof(struct sockaddr_in6);
    return NULL;
}

char *
connection_check(const struct loop *loop, const char *target)
{
    struct address address;
    return parse_target(loop, target, &address);
}

char *
connection_open(struct loop *loop, const char *target,
                const struct connection_callbacks *callbacks, void *aux,
                struct connection **connectionp)
{
    struct address address;
    struct ssl_st *session = NULL;
    *connectionp = NULL;
    char *error = parse_target(loop, target, &address);
    if (!error && address.use_tls) {
        struct ds text = DS_EMPTY_INITIALIZER;
        ss_format_address_nobracks(&address.ss, &text);
        error = tls_session_create(address.tls, ds_cstr(&text), &session);
        ds_destroy(&text);
    }
    if (error) {
        return error;
    }
    struct connection *connection = connection_create(loop, -1, session,
                                                      callbacks, aux);
    connection->target = xstrdup(target);
    connection->timer = timer_create_in(loop, connection_waited, connection);
    timer_set(connection->timer, CONNECT_TIMEOUT_MS);
    if (session) {
        tls_session_on_accepted(session, connection_accepted, connection);
    }
    /* A failure is told by an event. */
    bufferevent_socket_connect(connection->bev,
                               (struct sockaddr *) &address.ss, address.len);
    *connectionp = connection;
    return NULL;
}

void
connection_close(struct connection *connection)
{
    if (connection && connection->n_running) {
        connection->closed = true;
    } else if (connection) {
        connection_free(connection);
    }
}

void
connection_send(struct connection *connection, const void *data, size_t n)
{
    bufferevent_write(connection->bev, data, n);
}

void
loop_use_tls(struct loop *loop, const struct tls_settings *ssl,
             const struct tls_settings *tls)
{
    loop->ssl = ssl;
    loop->tls = tls;
}

unsigned long int
loop_tls_failures(const struct loop *loop, const char **last)
{
    *last = loop->tls_failure;
    return loop->n_tls_failures;
}

/* Listeners. */

struct listener {
    struct loop *loop;
    struct evconnlistener *listener;
    void (*accepted)(int fd, void *aux);
    void *aux;
};

static void
listener_accepted(struct evconnlistener *evl OVS_UNUSED, evutil_socket_t fd,
                  struct sockaddr *sa OVS_UNUSED, int len OVS_UNUSED,
                  void *listener_)
{
    struct listener *listener = listener_;
    listener->accepted(fd, listener->aux);
}

char *
listener_create(struct loop *loop, const char *file,
                void (*accepted)(int fd, void *aux), void *aux,
                struct listener **listenerp)
{
    *listenerp = NULL;
    /* A socket of a process that is gone is removed. */
    int fd = make_unix_socket(SOCK_STREAM, true, file, NULL);
    if (fd < 0) {
        return xasprintf("cannot listen on %s: %s", file, ovs_strerror(-fd));
    }
    struct listener *listener = xzalloc(sizeof *listener);
    *listener = (struct listener) {
        .loop = loop, .accepted = accepted, .aux = aux,
    };
    listener->listener = evconnlistener_new(
        loop->base, listener_accepted, listener,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
    *listenerp = listener;
    return NULL;
}

void
listener_destroy(struct listener *listener)
{
    if (listener) {
        evconnlistener_free(listener->listener);
        free(listener);
    }
}

struct connection *
connection_adopt(int fd, const struct listener *listener,
                 const struct connection_callbacks *callbacks, void *aux)
{
    struct connection *connection = connection_create(listener->loop, fd, NULL,
                                                      callbacks, aux);
    connection->connected = connection->up = true;
    return connection;
}
