/* Stream connections of the event loop, plain or with TLS: see loop.h.
 *
 * A connection is up, for its owner, when bytes may be sent: with TLS, when
 * the handshake is done and the server does not refuse our certificate. */

#include "loop-private.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "address.h"
#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(connection);

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
    uint64_t n_wire_bytes;      /* Of TLS, when all had been written that was
                                 * sent; 0: it has not. */
    bool connected;             /* The handshake of TLS is done, too. */
    bool accepted;              /* The server has taken our certificate. */
    bool up;                    /* Its owner has been told. */
    bool closed;                /* By a callback that is running. */
    int n_running;
};

static void
connection_free(struct connection *connection)
{
    if (connection->session) {
        /* libevent may keep the session until its own callbacks have run. */
        SSL_set_msg_callback(connection->session, NULL);
        if (connection->up) {
            SSL_shutdown(connection->session);
            ERR_clear_error();
        }
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

/* Sends at once, and notices soon that nothing arrives.  Does nothing to what
 * is not TCP. */
static void
set_tcp_options(int fd)
{
    const unsigned int ms = SEND_TIMEOUT_MS;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
connection_is_up(struct connection *connection)
{
    if (!connection->up) {
        connection->up = true;
        timer_cancel(connection->timer);
        set_tcp_options(bufferevent_getfd(connection->bev));
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
    if (connection->session && !waiting) {
        connection->n_wire_bytes
            = BIO_number_written(SSL_get_wbio(connection->session));
    }
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

/* Of OpenSSL, or 0.  libevent puts numbers of its own before it. */
static unsigned long int
openssl_error(const struct connection *connection)
{
    unsigned long int error;
    do {
        error = bufferevent_get_openssl_error(connection->bev);
    } while (error && !ERR_SYSTEM_ERROR(error) && !ERR_GET_LIB(error));
    return error;
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
    char *why = tls_explain(connection->session, connection->connected,
                            openssl_error(connection), error, &failed);
    if (!failed && connection->connected && !connection->up) {
        free(why);
        why = xstrdup("it closed the connection after the TLS handshake; does "
                      "it accept our certificate?");
        failed = true;
    }
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

struct connection *
connection_create_accepted(struct loop *loop, int fd,
                           const struct connection_callbacks *callbacks,
                           void *aux)
{
    struct connection *connection = connection_create(loop, fd, NULL,
                                                      callbacks, aux);
    connection->connected = connection->up = true;
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
        if (!target[5] || strlen(target + 5) >= sizeof un->sun_path) {
            return xasprintf("%s: the name of a socket has 1 to %"PRIuSIZE
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
    }
    char *why = address_parse(target + 4, 0, &a->ss);
    if (why) {
        char *error = xasprintf("\"%s\" is no %.4sADDRESS:PORT; %s", target,
                                target, why);
        free(why);
        return error;
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
    /* A failure is told by an event, but not one that is clear at once, such
     * as that there is no socket of this name. */
    if (bufferevent_socket_connect(connection->bev,
                                   (struct sockaddr *) &address.ss,
                                   address.len) < 0) {
        error = xasprintf("%s: %s", target,
                          ovs_strerror(EVUTIL_SOCKET_ERROR()));
        connection_close(connection);
        return error;
    }
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
    connection->n_wire_bytes = 0;
    bufferevent_write(connection->bev, data, n);
}

/* What TLS adds to the owner's bytes counts, hence "at most", but not what it
 * has to say after them. */
size_t
connection_unacknowledged(const struct connection *connection)
{
    size_t n = evbuffer_get_length(bufferevent_get_output(connection->bev));
    int n_wire;
    if (ioctl(bufferevent_getfd(connection->bev), SIOCOUTQ, &n_wire)) {
        n_wire = INT_MAX;
    }
    if (connection->n_wire_bytes) {
        uint64_t after = BIO_number_written(SSL_get_wbio(connection->session))
                         - connection->n_wire_bytes;
        n_wire -= MIN(n_wire, after);
    }
    return n + n_wire;
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
