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

/* Values. */

static const struct json *
member(const struct json *row, const char *name)
{
    return row->type == JSON_OBJECT ? shash_find_data(json_object(row), name)
                                    : NULL;
}

static const char *
string_member(const struct json *row, const char *name)
{
    const struct json *value = member(row, name);
    return value && value->type == JSON_STRING ? json_string(value) : NULL;
}

/* An integer, or -1 if it is an empty set. */
static long long int
integer_member(const struct json *row, const char *name)
{
    const struct json *value = member(row, name);
    return value && value->type == JSON_INTEGER ? json_integer(value) : -1;
}

/* If 'value' is ["TAG", X], returns X. */
static const struct json *
tagged(const struct json *value, const char *tag)
{
    if (value && value->type == JSON_ARRAY && value->array.n == 2
        && value->array.elems[0]->type == JSON_STRING
        && !strcmp(json_string(value->array.elems[0]), tag)) {
        return value->array.elems[1];
    }
    return NULL;
}

static const char *
row_uuid(const struct json *row)
{
    const struct json *uuid = tagged(member(row, "_uuid"), "uuid");
    return uuid && uuid->type == JSON_STRING ? json_string(uuid) : NULL;
}

/* Calls 'cb' for each UUID in a column that is one reference or a set. */
static void
for_each_reference(const struct json *value,
                   void (*cb)(const char *uuid, void *aux), void *aux)
{
    const struct json *one = tagged(value, "uuid");
    if (one) {
        cb(json_string(one), aux);
        return;
    }
    const struct json *set = tagged(value, "set");
    for (size_t i = 0; set && i < set->array.n; i++) {
        one = tagged(set->array.elems[i], "uuid");
        if (one) {
            cb(json_string(one), aux);
        }
    }
}

/* Resolving. */

struct interface {
    const char *name;
    uint16_t ofport;
    uint16_t tag;
    const struct workload *owner;
};

struct resolver {
    const struct ovsdb_rows *rows;
    struct shash by_binding;    /* "=NAME" or "KEY=VALUE": interface. */
    const struct json *port_row; /* That the interfaces are being read of. */
    struct interface *interfaces;
    size_t n_interfaces;
};

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
        "_uuid", "name", "datapath_id", "ports", NULL
    };
    static const char *port_columns[] = {
        "_uuid", "name", "tag", "interfaces", NULL
    };
    static const char *interface_columns[] = {
        "_uuid", "name", "ofport", "external_ids", NULL
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

/* Enters the rows that operation 'i' of a transaction has selected into
 * 'index' by UUID.  They stay part of 'result'. */
static bool
index_rows(const struct json *result, size_t i, struct shash *index)
{
    if (result->type != JSON_ARRAY || i >= result->array.n) {
        return false;
    }
    const struct json *rows = member(result->array.elems[i], "rows");
    if (!rows || rows->type != JSON_ARRAY) {
        return false;
    }
    for (size_t j = 0; j < rows->array.n; j++) {
        const char *uuid = row_uuid(rows->array.elems[j]);
        if (uuid) {
            shash_add(index, uuid, rows->array.elems[j]);
        }
    }
    return true;
}

static void
add_interface(const char *uuid, void *resolver_)
{
    struct resolver *r = resolver_;
    const struct json *row = shash_find_data(&r->rows->interfaces, uuid);
    long long int ofport = row ? integer_member(row, "ofport") : -1;
    if (ofport < 1 || ofport > UINT16_MAX) {
        return;
    }
    long long int tag = integer_member(r->port_row, "tag");
    struct interface *interface = &r->interfaces[r->n_interfaces++];
    *interface = (struct interface) {
        .name = string_member(row, "name"),
        .ofport = ofport,
        .tag = tag > 0 ? tag : 0,
    };
    shash_add_nocopy(&r->by_binding, xasprintf("=%s", interface->name),
                     interface);

    const struct json *map = tagged(member(row, "external_ids"), "map");
    for (size_t i = 0; map && i < map->array.n; i++) {
        const struct json *pair = map->array.elems[i];
        if (pair->type == JSON_ARRAY && pair->array.n == 2) {
            shash_add_nocopy(&r->by_binding,
                             xasprintf("%s=%s",
                                       json_string(pair->array.elems[0]),
                                       json_string(pair->array.elems[1])),
                             interface);
        }
    }
}

static void
add_port(const char *uuid, void *resolver_)
{
    struct resolver *r = resolver_;
    r->port_row = shash_find_data(&r->rows->ports, uuid);
    if (r->port_row) {
        for_each_reference(member(r->port_row, "interfaces"), add_interface,
                           r);
    }
}

static struct interface *
find_interface(const struct resolver *r, const struct workload *workload)
{
    const char *key = workload->binding == BIND_IFACE_ID ? "iface-id"
                      : workload->binding == BIND_EXTERNAL_ID ? workload->key
                      : "";
    char *binding = xasprintf("%s=%s", key, workload->value);
    struct interface *interface = shash_find_data(&r->by_binding, binding);
    free(binding);
    return interface;
}

/* A port must carry its workload's segment, or what NORMAL does with the
 * workload's traffic would be something else than the manifest says. */
static char *
check_tag(const struct workload *workload, const struct interface *interface)
{
    const struct segment *segment = workload->home->segment;
    if (interface->tag == segment->vlan) {
        return NULL;
    }
    char *fix = segment->vlan
                ? xasprintf("ovs-vsctl set port %s tag=%u", interface->name,
                            segment->vlan)
                : xasprintf("ovs-vsctl remove port %s tag %u",
                            interface->name, interface->tag);
    char *error = xasprintf(
        "%s:%d: workload %s/%s is in segment %s (VLAN %u), but port %s has "
        "tag %u; run \"%s\", or change the segment",
        workload->where.file, workload->where.line, workload->home->path,
        workload->name, segment->name, segment->vlan, interface->name,
        interface->tag, fix);
    free(fix);
    return error;
}

static char *
bind_workloads(struct resolver *r, struct ports *ports)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        struct interface *interface = find_interface(r, workload);
        if (!interface || interface->ofport >= PORT_MAX) {
            continue;
        }
        if (interface->owner) {
            return xasprintf("%s:%d: port %s is bound to %s/%s already; one "
                             "port is one workload",
                             workload->where.file, workload->where.line,
                             interface->name, interface->owner->home->path,
                             interface->owner->name);
        }
        char *error = check_tag(workload, interface);
        if (error) {
            return error;
        }
        interface->owner = workload;
        ports->of_workload[i] = interface->ofport;
    }
    for (size_t i = 0; i < r->n_interfaces; i++) {
        if (!r->interfaces[i].owner && r->interfaces[i].tag) {
            ports_add_access(ports, r->interfaces[i].ofport,
                             r->interfaces[i].tag);
        }
    }
    return NULL;
}

void
ovsdb_rows_init(struct ovsdb_rows *rows)
{
    shash_init(&rows->bridges);
    shash_init(&rows->ports);
    shash_init(&rows->interfaces);
}

void
ovsdb_rows_destroy(struct ovsdb_rows *rows)
{
    shash_destroy(&rows->bridges);
    shash_destroy(&rows->ports);
    shash_destroy(&rows->interfaces);
}

static const struct json *
find_bridge(const struct ovsdb_rows *rows, const char *column,
            const char *wanted)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &rows->bridges) {
        const char *value = string_member(node->data, column);
        if (value && !strcmp(value, wanted)) {
            return node->data;
        }
    }
    return NULL;
}

bool
ovsdb_rows_have_bridge(const struct ovsdb_rows *rows, const char *name)
{
    return find_bridge(rows, "name", name) != NULL;
}

char *
ovsdb_resolve_rows(const struct ovsdb_rows *rows, uint64_t datapath_id,
                   struct ports *ports)
{
    char *id = xasprintf("%016"PRIx64, datapath_id);
    const struct json *bridge = find_bridge(rows, "datapath_id", id);
    free(id);
    if (!bridge) {
        return xasprintf("this OVSDB has no bridge with datapath id "
                         "%016"PRIx64"; --db must name the OVSDB of the "
                         "bridge's own host", datapath_id);
    }
    struct resolver r = {
        .rows = rows,
        .by_binding = SHASH_INITIALIZER(&r.by_binding),
        .interfaces = xcalloc(shash_count(&rows->interfaces) + 1,
                              sizeof *r.interfaces),
    };
    for_each_reference(member(bridge, "ports"), add_port, &r);
    char *error = bind_workloads(&r, ports);
    shash_destroy(&r.by_binding);
    free(r.interfaces);
    return error;
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
    if (!index_rows(result, 0, &rows.bridges)
        || !index_rows(result, 1, &rows.ports)
        || !index_rows(result, 2, &rows.interfaces)) {
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
