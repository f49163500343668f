/* Rows of OVSDB to where workloads are, and what was said by hand: see
 * ovsdb-rows.h.  Values are in the notation of RFC 7047, 5.1. */

#include "ovsdb-rows.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/json.h>

#include "overlay.h"
#include "smap.h"
#include "svec.h"
#include "util.h"

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

/* What the map in a column has for 'key', or NULL. */
static const char *
map_member(const struct json *row, const char *column, const char *key)
{
    const struct json *map = tagged(member(row, column), "map");
    for (size_t i = 0; map && i < map->array.n; i++) {
        const struct json *pair = map->array.elems[i];
        if (pair->type == JSON_ARRAY && pair->array.n == 2
            && !strcmp(json_string(pair->array.elems[0]), key)) {
            return json_string(pair->array.elems[1]);
        }
    }
    return NULL;
}

/* A copy in one line, with nothing that steers a terminal: it goes to logs. */
static char *
printable(const char *text)
{
    char *copy = xstrdup(text);
    for (char *p = copy; *p; p++) {
        if (isspace((unsigned char) *p)) {
            *p = ' ';
        } else if (iscntrl((unsigned char) *p)) {
            *p = '?';
        }
    }
    return copy;
}

void
ovsdb_row_get_map(const struct json *row, const char *column,
                  struct smap *smap)
{
    const struct json *map = tagged(member(row, column), "map");
    for (size_t i = 0; map && i < map->array.n; i++) {
        const struct json *pair = map->array.elems[i];
        if (pair->type == JSON_ARRAY && pair->array.n == 2) {
            char *key = printable(json_string(pair->array.elems[0]));
            smap_replace_nocopy(smap, key,
                                printable(json_string(pair->array.elems[1])));
            free(key);
        }
    }
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

/* Rows. */

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

bool
ovsdb_rows_index(const struct json *result, size_t i, struct shash *index)
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

void
ovsdb_rows_get_enabled(const struct ovsdb_rows *rows, struct svec *bridges,
                       struct svec *topologies)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &rows->bridges) {
        const char *paths = map_member(node->data, "other_config",
                                       KEY_TOPOLOGY);
        if (paths) {
            svec_add(bridges, string_member(node->data, "name"));
            svec_parse_words(topologies, paths);
        }
    }
    svec_sort_unique(bridges);
    svec_sort_unique(topologies);
}

/* Resolving. */

struct interface {
    const char *name;
    const struct json *row;
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
        .row = row,
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

/* Enters what is bound by hand, on whatever bridge of this OVSDB. */
static void
read_hand_bindings(const struct resolver *r, struct ports *ports)
{
    struct hand_binding *bindings = NULL;
    size_t n = 0, allocated = 0;
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &r->rows->interfaces) {
        const struct json *row = node->data;
        const char *type = string_member(row, "type");
        if (!map_member(row, "external_ids", KEY_WORKLOAD)) {
            continue;
        }
        if (n >= allocated) {
            bindings = x2nrealloc(bindings, &allocated, sizeof *bindings);
        }
        struct smap *ids = xmalloc(sizeof *ids);
        smap_init(ids);
        ovsdb_row_get_map(row, "external_ids", ids);
        bindings[n++] = (struct hand_binding) {
            .interface = string_member(row, "name"),
            .ids = ids,
            .mac = type && !strcmp(type, "internal")
                   ? string_member(row, "mac_in_use") : NULL,
        };
    }
    overlay_bind(ports->overlay, ports, bindings, n);
    for (size_t i = 0; i < n; i++) {
        struct smap *ids = CONST_CAST(struct smap *, bindings[i].ids);
        smap_destroy(ids);
        free(ids);
    }
    free(bindings);
}

/* Puts what is bound by hand and is on this bridge to its ports. */
static void
place_by_hand(struct resolver *r, struct ports *ports)
{
    struct overlay *overlay = ports->overlay;
    for (size_t i = 0; i < r->n_interfaces; i++) {
        struct interface *interface = &r->interfaces[i];
        const struct workload *workload = shash_find_data(&overlay->bound,
                                                          interface->name);
        if (!workload || interface->ofport >= PORT_MAX) {
            continue;
        }
        char *error = check_tag(workload, interface);
        if (error) {
            overlay_add_problem(overlay, "%s", error);
            free(error);
            continue;
        }
        interface->owner = workload;
        ports->of_workload[workload->index] = interface->ofport;
    }
}

static void
read_measures(const struct resolver *r, struct overlay *overlay)
{
    time_t now = time(NULL);
    for (size_t i = 0; i < r->n_interfaces; i++) {
        const struct interface *interface = &r->interfaces[i];
        const char *until = map_member(interface->row, "external_ids",
                                       KEY_QUARANTINE);
        if (until) {
            overlay_quarantine(overlay, interface->name, interface->owner,
                               until, map_member(interface->row,
                                                 "external_ids",
                                                 KEY_QUARANTINE_REASON), now);
        }
        until = map_member(interface->row, "external_ids", KEY_CAPTURE);
        if (until) {
            overlay_capture(overlay, interface->name, interface->owner, until,
                            now);
        }
    }
}

static char *
bind_declared(struct resolver *r, struct ports *ports)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        struct interface *interface = ports->by_hand[i] ? NULL
                                      : find_interface(r, workload);
        if (!interface || interface->ofport >= PORT_MAX
            || shash_find(&ports->overlay->bound, interface->name)) {
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
    return NULL;
}

static char *
bind_workloads(struct resolver *r, struct ports *ports)
{
    read_hand_bindings(r, ports);
    place_by_hand(r, ports);
    char *error = bind_declared(r, ports);
    for (size_t i = 0; !error && i < r->n_interfaces; i++) {
        if (!r->interfaces[i].owner && r->interfaces[i].tag) {
            ports_add_access(ports, r->interfaces[i].ofport,
                             r->interfaces[i].tag);
        }
    }
    read_measures(r, ports->overlay);
    svec_sort(&ports->overlay->problems);
    return error;
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
    ports->overlay = overlay_create(ports->topology);
    struct smap other_config = SMAP_INITIALIZER(&other_config);
    ovsdb_row_get_map(bridge, "other_config", &other_config);
    overlay_read_modes(ports->overlay, &other_config);
    smap_destroy(&other_config);
    char *error = bind_workloads(&r, ports);
    shash_destroy(&r.by_binding);
    free(r.interfaces);
    return error;
}

