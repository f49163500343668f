/* Tells when something in OVSDB changes: see ovsdb-watch.h. */

#include "ovsdb-watch.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>

#include "dirs.h"
#include "json-stream.h"
#include "jsonrpc.h"
#include "util.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000

struct ovsdb_watch {
    struct loop *loop;
    char *remote;
    struct ovsdb_watch_callbacks callbacks;
    void *aux;
    struct connection *connection;
    struct json_stream stream;
    struct timer *retry;
    long long int backoff_ms;
    bool up, told_down;
};

static void
send_message(struct ovsdb_watch *watch, struct jsonrpc_msg *msg)
{
    char *text = jsonrpc_msg_to_string(msg);
    connection_send(watch->connection, text, strlen(text));
    free(text);
    jsonrpc_msg_destroy(msg);
}

static void
go_down(struct ovsdb_watch *watch, const char *why)
{
    connection_close(watch->connection);
    watch->connection = NULL;
    json_stream_destroy(&watch->stream);
    timer_set(watch->retry, watch->backoff_ms);
    watch->backoff_ms = MIN(watch->backoff_ms * 2, BACKOFF_MAX_MS);
    if (watch->up || !watch->told_down) {
        watch->up = false;
        watch->told_down = true;
        watch->callbacks.down(why, watch->aux);
    }
}

static void
add_table(struct json *requests, const char *table, const char *columns)
{
    struct json *names = json_array_create_empty();
    char *copy = xstrdup(columns), *save = NULL;
    for (char *name = strtok_r(copy, " ", &save); name;
         name = strtok_r(NULL, " ", &save)) {
        json_array_add(names, json_string_create(name));
    }
    free(copy);
    struct json *request = json_object_create();
    json_object_put(request, "columns", names);
    json_object_put(requests, table, request);
}

static struct jsonrpc_msg *
monitor_request(void)
{
    struct json *requests = json_object_create();
    add_table(requests, "Bridge", "name datapath_id ports");
    add_table(requests, "Port", "name tag interfaces");
    add_table(requests, "Interface", "name ofport external_ids");
    return jsonrpc_create_request(
        "monitor", json_array_create_3(json_string_create("Open_vSwitch"),
                                       json_null_create(), requests), NULL);
}

static void
handle_message(struct ovsdb_watch *watch, struct jsonrpc_msg *msg)
{
    if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        send_message(watch, jsonrpc_create_reply(json_clone(msg->params),
                                                 msg->id));
    } else if (msg->type == JSONRPC_REPLY && !watch->up) {
        watch->up = true;
        watch->told_down = false;
        watch->backoff_ms = BACKOFF_MIN_MS;
        watch->callbacks.changed(watch->aux);
    } else if (msg->type == JSONRPC_NOTIFY && !strcmp(msg->method, "update")) {
        watch->callbacks.changed(watch->aux);
    } else if (msg->type == JSONRPC_ERROR) {
        go_down(watch, "it has no database Open_vSwitch of this form");
    }
}

/* Returns false if the connection is gone. */
static bool
handle_json(struct json *json, void *watch_)
{
    struct ovsdb_watch *watch = watch_;
    const struct connection *connection = watch->connection;
    struct jsonrpc_msg *msg;
    char *error = json->type == JSON_STRING
                  ? xstrdup(json_string(json)) : NULL;
    if (error) {
        json_destroy(json);
    } else {
        error = jsonrpc_msg_from_json(json, &msg);
    }
    if (error) {
        go_down(watch, error);
        free(error);
        return false;
    }
    handle_message(watch, msg);
    jsonrpc_msg_destroy(msg);
    return watch->connection == connection;
}

static size_t
received(const void *data, size_t n, void *watch_)
{
    struct ovsdb_watch *watch = watch_;
    json_stream_feed(&watch->stream, data, n, handle_json, watch);
    return n;
}

static void
connected(void *watch_)
{
    struct ovsdb_watch *watch = watch_;
    send_message(watch, monitor_request());
}

static void
lost(const char *error, void *watch_)
{
    go_down(watch_, error);
}

static void
try_to_connect(void *watch_)
{
    static const struct connection_callbacks callbacks = {
        .connected = connected, .received = received, .lost = lost,
    };
    struct ovsdb_watch *watch = watch_;
    char *error = connection_open(watch->loop, watch->remote, &callbacks,
                                  watch, &watch->connection);
    if (error) {
        go_down(watch, error);
        free(error);
    }
}

char *
ovsdb_watch_create(struct loop *loop, const char *remote,
                   const struct ovsdb_watch_callbacks *callbacks, void *aux,
                   struct ovsdb_watch **watchp)
{
    *watchp = NULL;
    char *error = remote ? connection_check(loop, remote) : NULL;
    if (error) {
        return error;
    }
    struct ovsdb_watch *watch = xzalloc(sizeof *watch);
    watch->loop = loop;
    watch->remote = remote ? xstrdup(remote)
                    : xasprintf("unix:%s/db.sock", ovs_rundir());
    watch->callbacks = *callbacks;
    watch->aux = aux;
    watch->backoff_ms = BACKOFF_MIN_MS;
    watch->retry = timer_create_in(loop, try_to_connect, watch);
    timer_set(watch->retry, 0);
    *watchp = watch;
    return NULL;
}

void
ovsdb_watch_destroy(struct ovsdb_watch *watch)
{
    if (watch) {
        connection_close(watch->connection);
        json_stream_destroy(&watch->stream);
        timer_destroy(watch->retry);
        free(watch->remote);
        free(watch);
    }
}
