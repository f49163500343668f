/* A bridge as those who push see it: see scene.h.
 *
 * An interface that is made in this transaction has no port number yet, so all
 * get one that is made up. */

#include "scene.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>

#include "db-ctl-base.h"
#include "overlay.h"
#include "ovsdb-data.h"
#include "ovsdb-idl.h"
#include "ovsdb-rows.h"
#include "util.h"

/* Of the bridge in question, and of the others. */
#define DATAPATH_ID 1
#define DATAPATH_ID_TEXT "0000000000000001"
#define OTHER_DATAPATH_ID_TEXT "0000000000000002"

/* A row as OVSDB writes it (RFC 7047, 4.1.5). */
static struct json *
row_to_json(const struct ovsdb_idl_row *row,
            const struct ovsdb_idl_column *const columns[])
{
    struct json *json = json_object_create();
    char *uuid = xasprintf(UUID_FMT, UUID_ARGS(&row->uuid));
    json_object_put(json, "_uuid",
                    json_array_create_2(json_string_create("uuid"),
                                        json_string_create(uuid)));
    free(uuid);
    for (; *columns; columns++) {
        json_object_put(json, (*columns)->name,
                        ovsdb_datum_to_json(ovsdb_idl_read(row, *columns),
                                            &(*columns)->type));
    }
    return json;
}

static void
add_row(struct shash *rows, const struct ovsdb_idl_row *row,
        struct json *json)
{
    shash_add_nocopy(rows, xasprintf(UUID_FMT, UUID_ARGS(&row->uuid)), json);
}

/* Adds all interfaces; those of 'bridge' get numbers. */
static void
add_interfaces(struct ctl_context *ctx, const struct ovsrec_bridge *bridge,
               struct scene *scene, struct ovsdb_rows *rows)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_interface_col_name, &ovsrec_interface_col_type,
        &ovsrec_interface_col_external_ids, &ovsrec_interface_col_mac_in_use,
        NULL
    };
    const struct ovsrec_interface *interface;
    OVSREC_INTERFACE_FOR_EACH (interface, ctx->idl) {
        add_row(&rows->interfaces, &interface->header_,
                row_to_json(&interface->header_, columns));
    }
    for (size_t i = 0; i < bridge->n_ports; i++) {
        const struct ovsrec_port *port = bridge->ports[i];
        for (size_t j = 0; j < port->n_interfaces; j++) {
            interface = port->interfaces[j];
            char *uuid = xasprintf(UUID_FMT,
                                   UUID_ARGS(&interface->header_.uuid));
            struct json *row = shash_find_data(&rows->interfaces, uuid);
            free(uuid);
            /* The bridge's own is no workload's. */
            if (row && strcmp(interface->name, bridge->name)) {
                svec_add(&scene->interfaces, interface->name);
                json_object_put(row, "ofport",
                                json_integer_create(scene->interfaces.n));
            }
        }
    }
}

static void
add_ports(struct ctl_context *ctx, struct ovsdb_rows *rows)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_port_col_name, &ovsrec_port_col_tag,
        &ovsrec_port_col_interfaces, NULL
    };
    const struct ovsrec_port *port;
    OVSREC_PORT_FOR_EACH (port, ctx->idl) {
        add_row(&rows->ports, &port->header_,
                row_to_json(&port->header_, columns));
    }
}

static void
add_bridges(struct ctl_context *ctx, const struct ovsrec_bridge *wanted,
            struct ovsdb_rows *rows)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_bridge_col_name, &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_other_config, NULL
    };
    const struct ovsrec_bridge *bridge;
    OVSREC_BRIDGE_FOR_EACH (bridge, ctx->idl) {
        struct json *row = row_to_json(&bridge->header_, columns);
        json_object_put_string(row, "datapath_id",
                               bridge == wanted ? DATAPATH_ID_TEXT
                               : OTHER_DATAPATH_ID_TEXT);
        add_row(&rows->bridges, &bridge->header_, row);
    }
}

static void
free_rows(struct shash *rows)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, rows) {
        json_destroy(node->data);
    }
}

struct scene *
scene_create(struct ctl_context *ctx, struct topology *topology,
             const struct ovsrec_bridge *bridge)
{
    struct scene *scene = xzalloc(sizeof *scene);
    struct ovsdb_rows rows;
    ovsdb_rows_init(&rows);
    svec_init(&scene->interfaces);
    add_interfaces(ctx, bridge, scene, &rows);
    add_ports(ctx, &rows);
    add_bridges(ctx, bridge, &rows);
    scene->ports = ports_create(topology);
    scene->error = ovsdb_resolve_rows(&rows, DATAPATH_ID, scene->ports);
    free_rows(&rows.interfaces);
    free_rows(&rows.ports);
    free_rows(&rows.bridges);
    ovsdb_rows_destroy(&rows);
    return scene;
}

void
scene_destroy(struct scene *scene)
{
    if (scene) {
        ports_destroy(scene->ports);
        svec_destroy(&scene->interfaces);
        free(scene->error);
        free(scene);
    }
}

const char *
scene_interface(const struct scene *scene, const struct workload *workload)
{
    uint16_t port = scene->ports->of_workload[workload->index];
    return port ? scene->interfaces.names[port - 1] : NULL;
}

const struct workload *
scene_workload(const struct scene *scene, const char *interface)
{
    for (size_t i = 0; i < scene->ports->n_workloads; i++) {
        const struct workload *workload = scene->ports->workloads[i];
        const char *at = scene_interface(scene, workload);
        if (at && !strcmp(at, interface)) {
            return workload;
        }
    }
    return NULL;
}
