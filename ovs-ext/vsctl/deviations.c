/* sdfw-list-deviations: what the sdfwd of this host has open, as a table. */

#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "common.h"
#include "db-ctl-base.h"
#include "ovsdb-data.h"
#include "sdfwd-client.h"
#include "table.h"
#include "util.h"

/* "shop/web/web-1", or the address. */
static char *
end_to_text(const struct json *record, const char *end)
{
    static const char *const names[] = { "application", "service",
                                         "workload" };
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = xasprintf("%s.%s", end, names[i]);
        char *text = sdfwd_get_text(record, path);
        if (text) {
            ds_put_format(&s, "%s%s", s.length ? "/" : "", text);
        }
        free(path);
        free(text);
    }
    if (!s.length) {
        char *path = xasprintf("%s.address", end);
        char *text = sdfwd_get_text(record, path);
        ds_put_cstr(&s, text ? text : "");
        free(path);
        free(text);
    }
    return ds_steal_cstr(&s);
}

static char *
source_to_text(const struct json *record)
{
    return end_to_text(record, "src");
}

static char *
destination_to_text(const struct json *record)
{
    return end_to_text(record, "dst");
}

static int
get_or(const struct json *record, const char *name, int otherwise)
{
    return shash_find(json_object(record), name)
           ? sdfwd_get_number(record, name) : otherwise;
}

/* "tcp/22" as in manifests, or the Ethernet type if it is not IP. */
static char *
what_to_text(const struct json *record)
{
    const struct opening opening = {
        .protocol = get_or(record, "protocol", PROTOCOL_ANY),
        .first = get_or(record, "dst_port", 0),
        .last = get_or(record, "dst_port", UINT16_MAX),
        .icmp_type = get_or(record, "icmp_type", -1),
        .icmp_code = -1,
    };
    char *eth_type = opening.protocol != PROTOCOL_ANY ? NULL
                     : sdfwd_get_text(record, "eth_type");
    return eth_type ? eth_type : opening_to_string(&opening);
}

/* The link that comes nearest, and where it stands. */
static char *
nearest_to_text(const struct json *record)
{
    static const char *const names[] = { "from", "to", "opens", "file",
                                         "line" };
    char *texts[ARRAY_SIZE(names)];
    bool all = true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = xasprintf("nearest.%s", names[i]);
        texts[i] = sdfwd_get_text(record, path);
        all &= texts[i] != NULL;
        free(path);
    }
    char *text = !all ? xstrdup("")
                 : xasprintf("%s -> %s %s (%s:%s)", texts[0], texts[1],
                             texts[2], texts[3], texts[4]);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        free(texts[i]);
    }
    return text;
}

/* A column is made by 'get', or is a member, or is a number. */
static const struct listed {
    const char *heading;
    const char *member;
    char *(*get)(const struct json *record);
    bool is_number;
} columns[] = {
    { .heading = "first_seen", .member = "first_seen" },
    { .heading = "last_seen", .member = "last_seen" },
    { .heading = "bridge", .member = "bridge" },
    { .heading = "interface", .member = "interface" },
    { .heading = "reason", .member = "reason" },
    { .heading = "verdict", .member = "verdict" },
    { .heading = "source", .get = source_to_text },
    { .heading = "destination", .get = destination_to_text },
    { .heading = "what", .get = what_to_text },
    { .heading = "packets", .member = "packets", .is_number = true },
    { .heading = "bytes", .member = "bytes", .is_number = true },
    { .heading = "nearest", .get = nearest_to_text },
};

static void
add_row(struct table *table, const struct json *record)
{
    table_add_row(table);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        const struct listed *column = &columns[i];
        struct cell *cell = table_add_cell(table);
        if (column->is_number) {
            cell->json = json_integer_create(
                sdfwd_get_number(record, column->member));
            cell->type = &ovsdb_type_integer;
        } else {
            cell->text = column->get ? column->get(record)
                         : sdfwd_get_text(record, column->member);
            cell->text = cell->text ? cell->text : xstrdup("");
        }
    }
}

static struct table *
make_table(struct json *records[], size_t n, const char *bridge)
{
    struct table *table = xmalloc(sizeof *table);
    table_init(table);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        table_add_column(table, "%s", columns[i].heading);
    }
    for (size_t i = 0; i < n; i++) {
        char *its_bridge = sdfwd_get_text(records[i], "bridge");
        if (!bridge || (its_bridge && !strcmp(its_bridge, bridge))) {
            add_row(table, records[i]);
        }
        free(its_bridge);
    }
    return table;
}

void
list_deviations_run(struct ctl_context *ctx)
{
    const char *bridge = ctx->argc > 1 ? ctx->argv[1] : NULL;
    if (bridge && !common_get_bridge(ctx)) {
        return;
    }
    struct json **records;
    size_t n;
    char *error = sdfwd_get_deviations(&records, &n);
    if (error) {
        ctl_error(ctx, "%s", error);
        free(error);
        return;
    }
    ctx->table = make_table(records, n, bridge);
    sdfwd_free_deviations(records, n);
}
