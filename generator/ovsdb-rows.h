/* What OVSDB has of bridges, as rows: which workload is at which port, and
 * what was said by hand (overlay.h).
 *
 * Pure: ovsdb.c asks for rows once, the watch of sdfwd keeps them up to date.
 * Tables and columns are those of ovs-vswitchd.conf.db(5). */

#ifndef SDFW_OVSDB_ROWS_H
#define SDFW_OVSDB_ROWS_H 1

#include <stdbool.h>
#include <stdint.h>

#include <openvswitch/compiler.h>
#include <openvswitch/shash.h>

#include "ports.h"

struct json;
struct smap;
struct svec;

/* Rows as JSON, by UUID: of Bridge (columns name, datapath_id, ports,
 * other_config), Port (name, tag, interfaces) and Interface (name, type,
 * ofport, external_ids, mac_in_use). */
struct ovsdb_rows {
    struct shash bridges, ports, interfaces;
};

void ovsdb_rows_init(struct ovsdb_rows *);
/* Leaves the rows themselves alone. */
void ovsdb_rows_destroy(struct ovsdb_rows *);

/* Enters the rows that operation 'i' of a transaction has selected into
 * 'index'.  They stay part of 'result'.  Returns false if there are none. */
bool ovsdb_rows_index(const struct json *result, size_t i,
                      struct shash *index);

bool ovsdb_rows_have_bridge(const struct ovsdb_rows *, const char *name);

/* Adds the bridges that are enabled in OVSDB, and their topologies. */
void ovsdb_rows_get_enabled(const struct ovsdb_rows *, struct svec *bridges,
                            struct svec *topologies);

/* The same as ovsdb_resolve_ports() from rows at hand. */
char *ovsdb_resolve_rows(const struct ovsdb_rows *, uint64_t datapath_id,
                         struct ports *ports) OVS_WARN_UNUSED_RESULT;

/* Adds what is in a map of a row. */
void ovsdb_row_get_map(const struct json *row, const char *column,
                       struct smap *);

#endif /* ovsdb-rows.h */
