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
#include <event2/event.h>
#include <event2/listener.h>

#include "socket-util.h"
#include "util.h"

struct signal_event {
    struct signal_event *next;
    struct event *event;
    loop_callback *cb;
    void *aux;
};

struct loop {
    struct event_base *base;
    struct signal_event *signals;
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
    /* What libevent has deferred still holds connections that were closed. */
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    event_base_free(loop->base);
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

struct connection {
    struct bufferevent *bev;
    struct connection_callbacks callbacks;
    void *aux;
    bool closed;                /* By a callback that is running. */
    int n_running;
};

static void
connection_free(struct connection *connection)
{
    bufferevent_free(connection->bev);
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
connection_readable(struct bufferevent *bev, void *connection_)
{
    struct connection *connection = connection_;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(input);
    enter(connection);
    size_t taken = connection->callbacks.received(evbuffer_pullup(input, -1),
                                                  n, connection->aux);
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
    if (connection->callbacks.drained && !waiting) {
        enter(connection);
        connection->callbacks.drained(connection->aux);
        leave(connection);
    }
}

static void
connection_event(struct bufferevent *bev OVS_UNUSED, short what,
                 void *connection_)
{
    struct connection *connection = connection_;
    enter(connection);
    if (what & BEV_EVENT_CONNECTED) {
        connection->callbacks.connected(connection->aux);
    } else if (what & BEV_EVENT_EOF) {
        connection->callbacks.lost("connection closed", connection->aux);
    } else if (what & BEV_EVENT_ERROR) {
        connection->callbacks.lost(ovs_strerror(EVUTIL_SOCKET_ERROR()),
                                   connection->aux);
    }
    leave(connection);
}

static struct connection *
connection_create(struct loop *loop, int fd,
                  const struct connection_callbacks *callbacks, void *aux)
{
    struct connection *connection = xzalloc(sizeof *connection);
    connection->callbacks = *callbacks;
    connection->aux = aux;
    /* Deferred, so that no callback comes before this returns. */
    connection->bev = bufferevent_socket_new(
        loop->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    bufferevent_setcb(connection->bev, connection_readable,
                      connection_writable, connection_event, connection);
    bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
    return connection;
}

static char *
parse_target(const char *target, struct sockaddr_storage *ss, int *len)
{
    memset(ss, 0, sizeof *ss);
    if (!strncmp(target, "unix:", 5)) {
        struct sockaddr_un *un = ALIGNED_CAST(struct sockaddr_un *, ss);
        un->sun_family = AF_UNIX;
        if (strlen(target + 5) >= sizeof un->sun_path) {
            return xasprintf("%s: the name of a socket may have %"PRIuSIZE
                             " characters", target, sizeof un->sun_path - 1);
        }
        strcpy(un->sun_path, target + 5);
        *len = sizeof *un;
        return NULL;
    }
    if (!strncmp(target, "tcp:", 4)
        && inet_parse_active(target + 4, -1, ss, false, NULL)) {
        *len = ss->ss_family == AF_INET ? sizeof(struct sockaddr_in)
               : sizeof(struct sockaddr_in6);
        return NULL;
    }
    return xasprintf("\"%s\" is no unix:FILE or tcp:ADDRESS:PORT", target);
}

char *
connection_open(struct loop *loop, const char *target,
                const struct connection_callbacks *callbacks, void *aux,
                struct connection **connectionp)
{
    struct sockaddr_storage ss;
    int len = 0;
    *connectionp = NULL;
    char *error = parse_target(target, &ss, &len);
    if (error) {
        return error;
    }
    *connectionp = connection_create(loop, -1, callbacks, aux);
    /* A failure is told by an event, but not one that is clear at once, such
     * as that there is no socket of this name. */
    if (bufferevent_socket_connect((*connectionp)->bev,
                                   (struct sockaddr *) &ss, len) < 0) {
        error = xstrdup(ovs_strerror(EVUTIL_SOCKET_ERROR()));
        connection_close(*connectionp);
        *connectionp = NULL;
    }
    return error;
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
    return connection_create(listener->loop, fd, callbacks, aux);
}
