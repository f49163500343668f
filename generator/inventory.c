/* Inventories: see inventory.h. */

#include "inventory.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "util.h"
#include "xml.h"

static char *
copy_attribute(const xmlNode *node, const char *name)
{
    return nullable_xstrdup(xml_attribute(node, name));
}

/* The file that attribute 'name' of 'host', or else of 'root', names: from
 * the directory of the inventory.  NULL if neither has it. */
static char *
file_of(const struct inventory *inventory, const xmlNode *root,
        const xmlNode *host, const char *name)
{
    const char *file = xml_attribute(host, name);
    if (!file) {
        file = xml_attribute(root, name);
    }
    const char *slash = strrchr(inventory->file, '/');
    if (!file || file[0] == '/' || !slash) {
        return nullable_xstrdup(file);
    }
    return xasprintf("%.*s%s", (int) (slash + 1 - inventory->file),
                     inventory->file, file);
}

static size_t
count_children(const xmlNode *node)
{
    size_t n = 0;
    for (node = xml_first(node); node; node = xml_next(node)) {
        n++;
    }
    return n;
}

static struct location
place_of(const struct inventory *inventory, const xmlNode *node)
{
    return (struct location) { .file = inventory->file,
                               .line = xml_line(node) };
}

static void
read_host(struct inventory *inventory, const xmlNode *root,
          const xmlNode *node, struct inventory_host *host)
{
    *host = (struct inventory_host) {
        .name = copy_attribute(node, "name"),
        .db = copy_attribute(node, "db"),
        .canary = xml_attribute(node, "group") != NULL,
        .tls = {
            .private_key = file_of(inventory, root, node, "private-key"),
            .certificate = file_of(inventory, root, node, "certificate"),
            .ca = file_of(inventory, root, node, "ca-cert"),
        },
        .bridges = xcalloc(count_children(node), sizeof *host->bridges),
        .where = place_of(inventory, node),
    };
    for (node = xml_first(node); node; node = xml_next(node)) {
        host->bridges[host->n_bridges++] = (struct inventory_bridge) {
            .name = copy_attribute(node, "name"),
            .openflow = copy_attribute(node, "openflow"),
            .where = place_of(inventory, node),
        };
    }
}

/* What the schema cannot say. */

/* Of two that are the same, the later one is wrong.  'seen' holds the places
 * of the earlier ones, by key. */
static void
check_new(struct shash *seen, const char *key, const char *what,
          const struct location *where, struct report *report)
{
    const struct location *first = shash_find_data(seen, key);
    if (first) {
        report_error(report, *where, "%s is already at line %d; remove or "
                     "change one of them", what, first->line);
    } else {
        shash_add(seen, key, where);
    }
}

static bool
is_tls(const char *endpoint)
{
    return !strncmp(endpoint, "ssl:", 4);
}

static void
check_tls(const struct inventory_host *host, struct report *report)
{
    bool wanted = is_tls(host->db);
    for (size_t i = 0; i < host->n_bridges; i++) {
        wanted |= is_tls(host->bridges[i].openflow);
    }
    const struct tls_settings *tls = &host->tls;
    if (!wanted) {
        return;
    }
    if (!tls->private_key || !tls->certificate || !tls->ca) {
        report_error(report, host->where, "host '%s' has ssl: but no %s; set "
                     "it here or on 'inventory'", host->name,
                     !tls->private_key ? "private-key"
                     : !tls->certificate ? "certificate" : "ca-cert");
        return;
    }
    char *error = tls_settings_check(tls);
    if (error) {
        report_error(report, host->where, "host '%s': %s", host->name, error);
        free(error);
    }
}

static void
check_inventory(const struct inventory *inventory, struct report *report)
{
    struct shash names = SHASH_INITIALIZER(&names);
    struct shash endpoints = SHASH_INITIALIZER(&endpoints);
    for (size_t i = 0; i < inventory->n_hosts; i++) {
        const struct inventory_host *host = &inventory->hosts[i];
        struct shash bridges = SHASH_INITIALIZER(&bridges);
        char *what = xasprintf("host '%s'", host->name);
        check_new(&names, host->name, what, &host->where, report);
        free(what);
        for (size_t j = 0; j < host->n_bridges; j++) {
            const struct inventory_bridge *bridge = &host->bridges[j];
            what = xasprintf("bridge '%s' of host '%s'", bridge->name,
                             host->name);
            check_new(&bridges, bridge->name, what, &bridge->where, report);
            free(what);
            what = xasprintf("a bridge at %s", bridge->openflow);
            check_new(&endpoints, bridge->openflow, what, &bridge->where,
                      report);
            free(what);
        }
        check_tls(host, report);
        shash_destroy(&bridges);
    }
    shash_destroy(&names);
    shash_destroy(&endpoints);
}

struct inventory *
inventory_read(const char *file, struct report *report)
{
    struct xml_schema *schema = xml_schema_create(&xml_inventory);
    struct inventory *inventory = xzalloc(sizeof *inventory);
    size_t n_errors = report->n_errors;
    inventory->file = xstrdup(file);
    xmlDoc *doc = xml_read(file, file, schema, report);
    if (doc) {
        const xmlNode *root = xmlDocGetRootElement(doc);
        inventory->hosts = xcalloc(count_children(root),
                                   sizeof *inventory->hosts);
        for (const xmlNode *node = xml_first(root); node;
             node = xml_next(node)) {
            read_host(inventory, root, node,
                      &inventory->hosts[inventory->n_hosts++]);
        }
        xmlFreeDoc(doc);
        check_inventory(inventory, report);
    }
    xml_schema_destroy(schema);
    if (report->n_errors > n_errors) {
        inventory_destroy(inventory);
        return NULL;
    }
    return inventory;
}

void
inventory_destroy(struct inventory *inventory)
{
    if (!inventory) {
        return;
    }
    for (size_t i = 0; i < inventory->n_hosts; i++) {
        struct inventory_host *host = &inventory->hosts[i];
        for (size_t j = 0; j < host->n_bridges; j++) {
            free(host->bridges[j].name);
            free(host->bridges[j].openflow);
        }
        free(host->name);
        free(host->db);
        free(CONST_CAST(char *, host->tls.private_key));
        free(CONST_CAST(char *, host->tls.certificate));
        free(CONST_CAST(char *, host->tls.ca));
        free(host->bridges);
    }
    free(inventory->hosts);
    free(inventory->file);
    free(inventory);
}
