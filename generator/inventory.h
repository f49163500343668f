/* Which hosts and bridges there are, and how to reach them.
 *
 * An inventory is one file, validated against schemas/inventory.xsd.  The
 * model is plain data; who uses it is fleet.c. */

#ifndef SDFW_INVENTORY_H
#define SDFW_INVENTORY_H 1

#include <stdbool.h>
#include <stddef.h>

#include "report.h"
#include "tls.h"

struct inventory_bridge {
    char *name;
    char *openflow;             /* "ssl:192.0.2.11:6653". */
    struct location where;
};

struct inventory_host {
    char *name;
    char *db;
    bool canary;
    struct tls_settings tls;    /* Its strings are the host's. */
    struct inventory_bridge *bridges;
    size_t n_bridges;
    struct location where;
};

struct inventory {
    char *file;
    struct inventory_host *hosts; /* In the order of the file. */
    size_t n_hosts;
};

/* Reads 'file'.  Everything that is wrong goes to 'report'.  Returns NULL if
 * there is an error; otherwise the caller frees the inventory with
 * inventory_destroy(). */
struct inventory *inventory_read(const char *file, struct report *report);
void inventory_destroy(struct inventory *);

#endif /* inventory.h */
