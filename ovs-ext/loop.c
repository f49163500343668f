/* The event loop: see loop.h. */

#include "loop-private.h"

#include <stdlib.h>
#include <sys/socket.h>

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
    return connection_create_accepted(listener->loop, fd, callbacks, aux);
}
