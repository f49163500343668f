/* Answers HTTP: see http.h. */

#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <openvswitch/list.h>
#include <openvswitch/vlog.h>

#include "address.h"
#include "loop-private.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(http);

#define MAX_CONNECTIONS 64
#define MAX_HEADER_BYTES 8192
#define MAX_BODY_BYTES 1024     /* It is read only to be refused. */
#define TIMEOUT_S 10            /* Of each read and write. */
#define PREPARE_MS 1000         /* How long an answer waits at most. */
#define SWEEP_MS 250

struct http {
    const struct http_resource *resources;
    bool (*prepare)(void *aux);
    void *aux;
    struct evhttp *evhttp;
    struct evconnlistener *listener;

    /* libevent does not tell when a connection ends, so a reference to each
     * is held, and given back when libevent has given up its own: that closes
     * the socket. */
    struct bufferevent *connections[MAX_CONNECTIONS];
    size_t n_connections;
    struct timer *sweep;

    struct ovs_list waiting;    /* Requests. */
    struct timer *patience;
};

struct waiting {
    struct ovs_list node;
    struct evhttp_request *request;
    const struct http_resource *resource;
};

/* Answers. */

static void
add_headers(struct evhttp_request *request, const char *type)
{
    static const char *const headers[][2] = {
        { "Cache-Control", "no-store" },
        { "Content-Security-Policy",
          "default-src 'none'; script-src 'self'; style-src 'self'; "
          "connect-src 'self'; img-src data:; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Referrer-Policy", "no-referrer" },
        { "X-Content-Type-Options", "nosniff" },
    };
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    evhttp_add_header(out, "Content-Type", type);
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        evhttp_add_header(out, headers[i][0], headers[i][1]);
    }
}

static void
free_body(const void *data OVS_UNUSED, size_t n OVS_UNUSED, void *text)
{
    free(text);
}

/* Sends 'body', which it destroys. */
static void
reply(struct evhttp_request *request, int status, const char *type,
      struct ds *body)
{
    char length[32];
    snprintf(length, sizeof length, "%"PRIuSIZE, body->length);
    add_headers(request, type);
    /* libevent leaves it out of answers to HEAD. */
    evhttp_add_header(evhttp_request_get_output_headers(request),
                      "Content-Length", length);
    struct evbuffer *buffer = evbuffer_new();
    size_t n = body->length;
    char *text = ds_steal_cstr(body);
    if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
        free(text);
    } else {
        evbuffer_add_reference(buffer, text, n, free_body, text);
    }
    evhttp_send_reply(request, status, NULL, buffer);
    evbuffer_free(buffer);
}

static void
refuse(struct evhttp_request *request, int status, const char *why)
{
    struct ds body = DS_EMPTY_INITIALIZER;
    ds_put_format(&body, "%s\n", why);
    reply(request, status, "text/plain; charset=utf-8", &body);
}

/* The first parameter of the query with this name, decoded, or "".
 * evhttp_parse_query_str() would take no parameter without "=". */
static char *
get_parameter(struct evhttp_request *request, const char *name)
{
    const char *p = evhttp_uri_get_query(
        evhttp_request_get_evhttp_uri(request));
    size_t n_name = strlen(name);
    for (; p; p = strchr(p, '&')) {
        p += *p == '&';
        if (!strncmp(p, name, n_name) && p[n_name] == '=') {
            const char *value = p + n_name + 1;
            char *copy = xmemdup0(value, strcspn(value, "&"));
            char *decoded = evhttp_uridecode(copy, 1, NULL);
            free(copy);
            return decoded;
        }
    }
    return xstrdup("");
}

static void
answer(struct http *http, struct evhttp_request *request,
       const struct http_resource *resource)
{
    char *filter = get_parameter(request, "filter");
    struct http_answer made = { .status = HTTP_OK };
    ds_init(&made.body);
    resource->get(filter, &made, http->aux);
    free(filter);
    reply(request, made.status, resource->type, &made.body);
}

/* Requests. */

static bool
is_host_of_ours(struct evhttp_request *request)
{
    const char *host = evhttp_request_get_host(request);
    if (!host) {
        return false;
    }
    struct in6_addr v6;
    ovs_be32 v4;
    size_t n = strlen(host);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        char *inner = xmemdup0(host + 1, n - 2);
        bool ok = ipv6_parse(inner, &v6);
        free(inner);
        return ok;
    }
    return !strcasecmp(host, "localhost") || ip_parse(host, &v4);
}

static const struct http_resource *
find_resource(const struct http *http, struct evhttp_request *request)
{
    const char *path = evhttp_uri_get_path(
        evhttp_request_get_evhttp_uri(request));
    const struct http_resource *r = http->resources;
    while (r->path && (!path || strcmp(r->path, path))) {
        r++;
    }
    return r->path ? r : NULL;
}

static void
handle_request(struct evhttp_request *request, void *http_)
{
    struct http *http = http_;
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    const struct http_resource *resource = find_resource(http, request);
    if (!is_host_of_ours(request)) {
        refuse(request, 421, "Host must be localhost or an address");
    } else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                          "GET, HEAD");
        refuse(request, HTTP_BADMETHOD, "only GET and HEAD");
    } else if (!resource) {
        refuse(request, HTTP_NOTFOUND, "there is no such page");
    } else if (resource->prepared && http->prepare(http->aux)) {
        struct waiting *w = xmalloc(sizeof *w);
        *w = (struct waiting) { .request = request, .resource = resource };
        ovs_list_push_back(&http->waiting, &w->node);
        timer_set(http->patience, PREPARE_MS);
    } else {
        answer(http, request, resource);
    }
}

/* A request whose connection is gone meanwhile is libevent's to forget. */
void
http_continue(struct http *http)
{
    timer_cancel(http->patience);
    while (!ovs_list_is_empty(&http->waiting)) {
        struct waiting *w = CONTAINER_OF(ovs_list_pop_front(&http->waiting),
                                         struct waiting, node);
        answer(http, w->request, w->resource);
        free(w);
    }
}

static void
patience_lost(void *http_)
{
    http_continue(http_);
}

/* Connections. */

/* Gives back connections that libevent is done with: then no callback is
 * set. */
static void
sweep(void *http_)
{
    struct http *http = http_;
    for (size_t i = 0; i < http->n_connections; ) {
        struct bufferevent *bev = http->connections[i];
        bufferevent_event_cb on_event;
        bufferevent_getcb(bev, NULL, NULL, &on_event, NULL);
        if (on_event) {
            i++;
        } else {
            bufferevent_decref(bev);
            http->connections[i] = http->connections[--http->n_connections];
        }
    }
    if (http->n_connections < MAX_CONNECTIONS) {
        evconnlistener_enable(http->listener);
    }
    if (http->n_connections) {
        timer_set(http->sweep, SWEEP_MS);
    }
}

/* With BEV_OPT_CLOSE_ON_FREE, evhttp leaves it to the last reference to close
 * the socket; were that closed before, events of it would still be waited for
 * under a number that another socket may have by then. */
static struct bufferevent *
make_connection(struct event_base *base, void *http_)
{
    struct http *http = http_;
    sweep(http);
    struct bufferevent *bev = bufferevent_socket_new(base, -1,
                                                     BEV_OPT_CLOSE_ON_FREE);
    bufferevent_incref(bev);
    http->connections[http->n_connections++] = bev;
    if (http->n_connections == MAX_CONNECTIONS) {
        /* The rest wait in the kernel's queue. */
        evconnlistener_disable(http->listener);
    }
    timer_set(http->sweep, SWEEP_MS);
    return bev;
}

/* Start. */

static bool
is_loopback(const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *sin
            = ALIGNED_CAST(const struct sockaddr_in *, ss);
        return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *sin6
        = ALIGNED_CAST(const struct sockaddr_in6 *, ss);
    return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
}

static char *
listen_on(struct loop *loop, const char *target, struct http *http)
{
    struct sockaddr_storage ss;
    char *error = address_parse_listener(target, &ss);
    if (error) {
        return error;
    }
    if (!is_loopback(&ss)) {
        VLOG_WARN("http %s: whoever reaches this address sees the topology "
                  "and its deviations, for there is no authentication",
                  target);
    }
    int length = ss.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                 : sizeof(struct sockaddr_in6);
    http->listener = evconnlistener_new_bind(
        loop->base, NULL, NULL,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
        16, (struct sockaddr *) &ss, length);
    return http->listener ? NULL
           : xasprintf("cannot listen on %s: %s", target,
                       ovs_strerror(errno));
}

char *
http_create(struct loop *loop, const char *target,
            const struct http_resource resources[],
            bool (*prepare)(void *aux), void *aux, struct http **httpp)
{
    struct http *http = xzalloc(sizeof *http);
    *httpp = NULL;
    char *error = listen_on(loop, target, http);
    if (error) {
        free(http);
        return error;
    }
    http->resources = resources;
    http->prepare = prepare;
    http->aux = aux;
    ovs_list_init(&http->waiting);
    http->sweep = timer_create_in(loop, sweep, http);
    http->patience = timer_create_in(loop, patience_lost, http);
    http->evhttp = evhttp_new(loop->base);
    evhttp_bind_listener(http->evhttp, http->listener);
    /* Those that are not allowed get an answer of ours. */
    evhttp_set_allowed_methods(http->evhttp, UINT16_MAX);
    evhttp_set_max_headers_size(http->evhttp, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(http->evhttp, MAX_BODY_BYTES);
    evhttp_set_timeout(http->evhttp, TIMEOUT_S);
    evhttp_set_bevcb(http->evhttp, make_connection, http);
    evhttp_set_gencb(http->evhttp, handle_request, http);
    *httpp = http;
    return NULL;
}

void
http_destroy(struct http *http)
{
    if (!http) {
        return;
    }
    while (!ovs_list_is_empty(&http->waiting)) {
        struct waiting *w = CONTAINER_OF(ovs_list_pop_front(&http->waiting),
                                         struct waiting, node);
        refuse(w->request, HTTP_SERVUNAVAIL, "sdfwd is ending");
        free(w);
    }
    evhttp_free(http->evhttp);
    for (size_t i = 0; i < http->n_connections; i++) {
        bufferevent_decref(http->connections[i]);
    }
    timer_destroy(http->sweep);
    timer_destroy(http->patience);
    free(http);
}
