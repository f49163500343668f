/* Tells when something in OVSDB changes: see ovsdb-watch.h. */

#include "ovsdb-watch.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/list.h>

#include "dirs.h"
#include "json-stream.h"
#include "jsonrpc.h"
#include "smap.h"
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
    struct ovsdb_rows rows;
    struct shash config_rows;   /* Open_vSwitch: one at most. */
    struct ovs_list transactions; /* That are under way. */
};

struct transaction {
    struct ovs_list node;
    struct json *id;
    void (*done)(bool ok, void *aux);
    void *aux;
};

/* The tables that are watched, and where their rows are kept. */
enum { TABLE_BRIDGE, TABLE_PORT, TABLE_INTERFACE, TABLE_CONFIG, N_TABLES };
static const struct {
    const char *name, *columns;
} tables[N_TABLES] = {
    [TABLE_BRIDGE] = { "Bridge", "name datapath_id ports other_config" },
    [TABLE_PORT] = { "Port", "name tag interfaces" },
    [TABLE_INTERFACE] = { "Interface",
                          "name type ofport external_ids mac_in_use" },
    [TABLE_CONFIG] = { "Open_vSwitch", "other_config next_cfg cur_cfg" },
};

static struct shash *
rows_of(struct ovsdb_watch *watch, int table)
{
    return table == TABLE_BRIDGE ? &watch->rows.bridges
           : table == TABLE_PORT ? &watch->rows.ports
           : table == TABLE_INTERFACE ? &watch->rows.interfaces
           : &watch->config_rows;
}

/* Takes it off the list. */
static void
transaction_destroy(struct transaction *t)
{
    ovs_list_remove(&t->node);
    json_destroy(t->id);
    free(t);
}

static void
forget_rows(struct ovsdb_watch *watch)
{
    for (int i = 0; i < N_TABLES; i++) {
        struct shash_node *node;
        SHASH_FOR_EACH (node, rows_of(watch, i)) {
            json_destroy(node->data);
        }
        shash_clear(rows_of(watch, i));
    }
    struct transaction *t;
    LIST_FOR_EACH_SAFE (t, node, &watch->transactions) {
        transaction_destroy(t);
    }
}

static const struct json *
member(const struct json *object, const char *name)
{
    return object && object->type == JSON_OBJECT
           ? shash_find_data(json_object(object), name) : NULL;
}

/* Takes over the rows of a <table-updates> (RFC 7047, 4.1.6).  Sets
 * 'changed[i]' for the tables that there was something of. */
static void
take_updates(struct ovsdb_watch *watch, const struct json *updates,
             bool changed[N_TABLES])
{
    for (int i = 0; i < N_TABLES; i++) {
        const struct json *rows = member(updates, tables[i].name);
        const struct shash_node *node;
        changed[i] = rows && rows->type == JSON_OBJECT;
        if (!changed[i]) {
            continue;
        }
        SHASH_FOR_EACH (node, json_object(rows)) {
            const struct json *new = member(node->data, "new");
            json_destroy(new ? shash_replace(rows_of(watch, i), node->name,
                                             json_clone(new))
                         : shash_find_and_delete(rows_of(watch, i),
                                                 node->name));
        }
    }
}

static void
tell_settings(struct ovsdb_watch *watch)
{
    struct smap other_config = SMAP_INITIALIZER(&other_config);
    const struct shash_node *row;
    SHASH_FOR_EACH (row, &watch->config_rows) {
        ovsdb_row_get_map(row->data, "other_config", &other_config);
    }
    watch->callbacks.settings(&other_config, watch->aux);
    smap_destroy(&other_config);
}

static void
handle_updates(struct ovsdb_watch *watch, const struct json *updates,
               bool all)
{
    bool changed[N_TABLES];
    take_updates(watch, updates, changed);
    if (all || changed[TABLE_CONFIG]) {
        tell_settings(watch);
    }
    if (all || changed[TABLE_BRIDGE] || changed[TABLE_PORT]
        || changed[TABLE_INTERFACE]) {
        watch->callbacks.changed(watch->aux);
    }
    if (watch->callbacks.config_changed && (all || changed[TABLE_CONFIG])) {
        watch->callbacks.config_changed(watch->aux);
    }
}

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
    forget_rows(watch);
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
    for (int i = 0; i < N_TABLES; i++) {
        add_table(requests, tables[i].name, tables[i].columns);
    }
    return jsonrpc_create_request(
        "monitor", json_array_create_3(json_string_create("Open_vSwitch"),
                                       json_null_create(), requests), NULL);
}

static void
transaction_done(struct ovsdb_watch *watch, const struct jsonrpc_msg *msg)
{
    struct transaction *t;
    LIST_FOR_EACH_SAFE (t, node, &watch->transactions) {
        if (json_equal(t->id, msg->id)) {
            /* The result of the operation, and an error if it could not
             * commit. */
            const struct json *count
                = msg->result->type == JSON_ARRAY && msg->result->array.n == 1
                  ? member(msg->result->array.elems[0], "count") : NULL;
            bool ok = count && count->type == JSON_INTEGER
                      && json_integer(count) > 0;
            void (*done)(bool, void *) = t->done;
            void *aux = t->aux;
            transaction_destroy(t);
            done(ok, aux);
            return;
        }
    }
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
        handle_updates(watch, msg->result, true);
    } else if (msg->type == JSONRPC_REPLY) {
        transaction_done(watch, msg);
    } else if (msg->type == JSONRPC_NOTIFY && !strcmp(msg->method, "update")
               && msg->params->type == JSON_ARRAY
               && msg->params->array.n == 2) {
        handle_updates(watch, msg->params->array.elems[1], false);
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
    ovsdb_rows_init(&watch->rows);
    shash_init(&watch->config_rows);
    ovs_list_init(&watch->transactions);
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
        forget_rows(watch);
        ovsdb_rows_destroy(&watch->rows);
        shash_destroy(&watch->config_rows);
        timer_destroy(watch->retry);
        free(watch->remote);
        free(watch);
    }
}

const struct ovsdb_rows *
ovsdb_watch_rows(const struct ovsdb_watch *watch)
{
    return watch->up ? &watch->rows : NULL;
}

const struct json *
ovsdb_watch_config(const struct ovsdb_watch *watch)
{
    const struct shash_node *node = shash_first(&watch->config_rows);
    return node ? node->data : NULL;
}

bool
ovsdb_watch_note_ofport(struct ovsdb_watch *watch, const char *name,
                        uint16_t ofport)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &watch->rows.interfaces) {
        struct json *row = node->data;
        const struct json *row_name = member(row, "name");
        const struct json *known = member(row, "ofport");
        if (row_name && row_name->type == JSON_STRING
            && !strcmp(json_string(row_name), name)) {
            if (known && known->type == JSON_INTEGER
                && json_integer(known) > 0) {
                return false;
            }
            /* The row that comes from the database replaces this one. */
            json_object_put(row, "ofport", json_integer_create(ofport));
            return true;
        }
    }
    return false;
}

static void
mutate(struct ovsdb_watch *watch, int table, struct json *where,
       struct json *mutations, void (*done)(bool ok, void *aux), void *aux)
{
    struct json *operation = json_object_create();
    json_object_put_string(operation, "op", "mutate");
    json_object_put_string(operation, "table", tables[table].name);
    json_object_put(operation, "where", where);
    json_object_put(operation, "mutations", mutations);
    ovs_assert(watch->up);
    struct transaction *t = xmalloc(sizeof *t);
    t->done = done;
    t->aux = aux;
    ovs_list_push_back(&watch->transactions, &t->node);
    send_message(watch, jsonrpc_create_request(
                     "transact",
                     json_array_create_2(json_string_create("Open_vSwitch"),
                                         operation), &t->id));
}

void
ovsdb_watch_mutate_config(struct ovsdb_watch *watch, struct json *mutations,
                          void (*done)(bool ok, void *aux), void *aux)
{
    mutate(watch, TABLE_CONFIG, json_array_create_empty(), mutations, done,
           aux);
}

void
ovsdb_watch_mutate_interface(struct ovsdb_watch *watch, const char *name,
                             struct json *mutations,
                             void (*done)(bool ok, void *aux), void *aux)
{
    struct json *where = json_array_create_1(json_array_create_3(
        json_string_create("name"), json_string_create("=="),
        json_string_create(name)));
    mutate(watch, TABLE_INTERFACE, where, mutations, done, aux);
}
