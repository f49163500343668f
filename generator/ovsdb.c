/* What OVSDB knows of a bridge: see ovsdb.h.  Tables and columns are those of
 * ovs-vswitchd.conf.db(5), values in the notation of RFC 7047, 5.1. */

#include "ovsdb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>
#include <openvswitch/poll-loop.h>
#include <openvswitch/shash.h>

#include "dirs.h"
#include "jsonrpc.h"
#include "ovsdb-rows.h"
#include "stream.h"
#include "timeval.h"
#include "tls.h"
#include "util.h"

struct ovsdb {
    struct jsonrpc *rpc;
    char *remote;
    long long int deadline_ms;
};

static char *
io_error(const struct ovsdb *db, int error)
{
    return xasprintf("%s: %s", db->remote,
                     error == EOF ? "connection closed"
                     : error == ETIMEDOUT ? "no answer from OVSDB in time"
                     : ovs_strerror(error));
}

char *
ovsdb_open(const char *remote, long long int deadline_ms,
           struct ovsdb **dbp)
{
    struct ovsdb *db = xzalloc(sizeof *db);
    db->remote = remote ? xstrdup(remote)
                 : xasprintf("unix:%s/db.sock", ovs_rundir());
    db->deadline_ms = deadline_ms;

    struct stream *stream;
    int error = jsonrpc_stream_open(db->remote, &stream, 0);
    while (!error && (error = stream_connect(stream)) == EAGAIN) {
        if (time_msec() >= deadline_ms) {
            error = ETIMEDOUT;
            break;
        }
        error = 0;
        stream_run(stream);
        stream_run_wait(stream);
        stream_connect_wait(stream);
        poll_timer_wait_until(deadline_ms);
        poll_block();
    }
    if (error) {
        bool tls = tls_may_have_failed(db->remote, error);
        char *message = xasprintf("%s: cannot reach OVSDB: %s (%s)",
                                  db->remote,
                                  tls ? "TLS failed" : ovs_strerror(error),
                                  tls ? "are both certificates valid, and "
                                        "each signed by the CA that the other "
                                        "side trusts?"
                                  : "is ovsdb-server running? --db names "
                                    "another");
        if (stream) {
            stream_close(stream);
        }
        free(db->remote);
        free(db);
        *dbp = NULL;
        return message;
    }
    db->rpc = jsonrpc_open(stream);
    *dbp = db;
    return NULL;
}

void
ovsdb_close(struct ovsdb *db)
{
    if (db) {
        jsonrpc_close(db->rpc);
        free(db->remote);
        free(db);
    }
}

/* Receives the next message; answers echo requests (RFC 7047, 4.1.11). */
static int
receive(struct ovsdb *db, struct jsonrpc_msg **msgp)
{
    for (;;) {
        jsonrpc_run(db->rpc);
        int error = jsonrpc_recv(db->rpc, msgp);
        if (!error && (*msgp)->type == JSONRPC_REQUEST
            && !strcmp((*msgp)->method, "echo")) {
            struct jsonrpc_msg *reply = jsonrpc_create_reply(
                json_clone((*msgp)->params), (*msgp)->id);
            jsonrpc_msg_destroy(*msgp);
            error = jsonrpc_send(db->rpc, reply);
            if (!error) {
                continue;
            }
        }
        if (error != EAGAIN) {
            return error;
        }
        if (time_msec() >= db->deadline_ms) {
            return ETIMEDOUT;
        }
        jsonrpc_wait(db->rpc);
        jsonrpc_recv_wait(db->rpc);
        poll_timer_wait_until(db->deadline_ms);
        poll_block();
    }
}

/* Sends a request and sets '*resultp' to its result, which the caller
 * destroys. */
static char *
request(struct ovsdb *db, const char *method, struct json *params,
        struct json **resultp)
{
    struct json *id;
    struct jsonrpc_msg *msg = jsonrpc_create_request(method, params, &id);
    int error = jsonrpc_send(db->rpc, msg);
    char *message = NULL;
    bool done = false;
    while (!error && !done) {
        struct jsonrpc_msg *reply;
        error = receive(db, &reply);
        if (error) {
            break;
        }
        if ((reply->type == JSONRPC_REPLY || reply->type == JSONRPC_ERROR)
            && reply->id && json_equal(reply->id, id)) {
            done = true;
            if (reply->type == JSONRPC_ERROR || !reply->result) {
                char *s = json_to_string(reply->error, 0);
                message = xasprintf("%s: %s: %s", db->remote, method, s);
                free(s);
            } else {
                *resultp = json_clone(reply->result);
            }
        }
        jsonrpc_msg_destroy(reply);
    }
    json_destroy(id);
    return message ? message : error ? io_error(db, error) : NULL;
}

char *
ovsdb_lock(struct ovsdb *db, uint64_t datapath_id)
{
    char *name = xasprintf("sdfw_%016"PRIx64, datapath_id);
    struct json *result;
    char *error = request(db, "lock", json_array_create_1(
                              json_string_create_nocopy(name)), &result);
    if (error) {
        return error;
    }
    bool locked = result->type == JSON_OBJECT
                  && shash_find_data(json_object(result), "locked")
                  && json_boolean(shash_find_data(json_object(result),
                                                  "locked"));
    json_destroy(result);

    /* Not ours yet: a "locked" notification will tell. */
    while (!locked) {
        struct jsonrpc_msg *msg;
        int io = receive(db, &msg);
        if (io == ETIMEDOUT) {
            return xstrdup("another push to this bridge is under way and did "
                           "not end in time; try again, or give a longer "
                           "--timeout");
        } else if (io) {
            return io_error(db, io);
        }
        locked = msg->type == JSONRPC_NOTIFY && !strcmp(msg->method, "locked");
        jsonrpc_msg_destroy(msg);
    }
    return NULL;
}

/* Reading. */

static struct json *
select_op(const char *table, struct json *where, const char *columns[])
{
    struct json *names = json_array_create_empty();
    for (size_t i = 0; columns[i]; i++) {
        json_array_add(names, json_string_create(columns[i]));
    }
    struct json *op = json_object_create();
    json_object_put_string(op, "op", "select");
    json_object_put_string(op, "table", table);
    json_object_put(op, "where", where);
    json_object_put(op, "columns", names);
    return op;
}

static struct json *
build_query(uint64_t datapath_id)
{
    static const char *bridge_columns[] = {
        "_uuid", "name", "datapath_id", "ports", "other_config", NULL
    };
    static const char *port_columns[] = {
        "_uuid", "name", "tag", "interfaces", NULL
    };
    static const char *interface_columns[] = {
        "_uuid", "name", "type", "ofport", "external_ids", "mac_in_use", NULL
    };
    struct json *condition = json_array_create_3(
        json_string_create("datapath_id"), json_string_create("=="),
        json_string_create_nocopy(xasprintf("%016"PRIx64, datapath_id)));
    struct json *params = json_array_create_empty();
    json_array_add(params, json_string_create("Open_vSwitch"));
    json_array_add(params, select_op("Bridge", json_array_create_1(condition),
                                     bridge_columns));
    json_array_add(params, select_op("Port", json_array_create_empty(),
                                     port_columns));
    json_array_add(params, select_op("Interface", json_array_create_empty(),
                                     interface_columns));
    return params;
}

char *
ovsdb_resolve_ports(struct ovsdb *db, uint64_t datapath_id,
                    struct ports *ports)
{
    struct json *result;
    char *error = request(db, "transact", build_query(datapath_id), &result);
    if (error) {
        return error;
    }
    struct ovsdb_rows rows;
    ovsdb_rows_init(&rows);
    if (!ovsdb_rows_index(result, 0, &rows.bridges)
        || !ovsdb_rows_index(result, 1, &rows.ports)
        || !ovsdb_rows_index(result, 2, &rows.interfaces)) {
        error = xasprintf("%s: the reply of OVSDB is not understood",
                          db->remote);
    } else {
        char *wrong = ovsdb_resolve_rows(&rows, datapath_id, ports);
        if (wrong && !shash_count(&rows.bridges)) {
            error = xasprintf("%s: %s", db->remote, wrong);
            free(wrong);
        } else {
            error = wrong;
        }
    }
    ovsdb_rows_destroy(&rows);
    json_destroy(result);
    return error;
}
