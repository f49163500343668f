/* What several commands do: see common.h. */

#include "common.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "check.h"
#include "db-ctl-base.h"
#include "ovsdb-idl.h"
#include "sset.h"
#include "svec.h"
#include "util.h"

/* So few names are listed all. */
#define FEW 12

void
common_prerequisites(struct ctl_context *ctx)
{
    native_pre_get_info(ctx);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_open_vswitch_col_other_config);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_bridge_col_other_config);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_interface_col_external_ids);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_interface_col_type);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_interface_col_mac_in_use);
}

bool
common_has_option(const struct ctl_context *ctx, const char *name)
{
    return shash_find(&ctx->options, name);
}

static void
tell_unknown(struct ctl_context *ctx, const char *what, struct svec *names)
{
    if (!common_has_option(ctx, "--if-exists")) {
        char *suggestion = common_suggest(ctx->argv[1], names);
        ctl_error(ctx, "no %s named %s%s", what, ctx->argv[1], suggestion);
        free(suggestion);
    }
    svec_destroy(names);
}

const struct ovsrec_bridge *
common_get_bridge(struct ctl_context *ctx)
{
    const struct ovsrec_bridge *bridge = native_find_bridge(ctx,
                                                            ctx->argv[1]);
    if (!bridge) {
        struct svec names = SVEC_EMPTY_INITIALIZER;
        native_bridge_names(ctx, &names);
        tell_unknown(ctx, "bridge", &names);
    }
    return bridge;
}

bool
common_get_interface(struct ctl_context *ctx, struct native_place *place)
{
    bool found = native_find_interface(ctx, ctx->argv[1], place);
    if (!found) {
        struct svec names = SVEC_EMPTY_INITIALIZER;
        native_interface_names(ctx, &names);
        tell_unknown(ctx, "interface", &names);
    }
    return found;
}

char *
common_suggest(const char *name, const struct svec *names)
{
    const char *nearest = check_nearest(name,
                                        (const char *const *) names->names,
                                        names->n);
    if (nearest) {
        return xasprintf("; did you mean %s?", nearest);
    } else if (!names->n || names->n > FEW) {
        return xstrdup("");
    }
    struct svec sorted;
    svec_clone(&sorted, names);
    svec_sort(&sorted);
    char *list = svec_join(&sorted, ", ", "");
    char *suggestion = xasprintf("; there %s: %s",
                                 names->n > 1 ? "are" : "is", list);
    free(list);
    svec_destroy(&sorted);
    return suggestion;
}

/* Paths. */

/* As the schema has it. */
static bool
is_name(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        if (!isalnum((unsigned char) name[n])
            && (!n || !strchr("._-", name[n]))) {
            return false;
        }
    }
    return n && n <= 63;
}

static char *
unknown(const char *what, const char *name, struct svec *names)
{
    char *suggestion = common_suggest(name, names);
    char *error = xasprintf("the manifests have no %s %s%s", what, name,
                            suggestion);
    free(suggestion);
    svec_destroy(names);
    return error;
}

static char *
check_known(const struct topology *topology, const struct svec *parts)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    const struct application *application
        = shash_find_data(&topology->application_index, parts->names[0]);
    if (!application) {
        for (size_t i = 0; i < topology->n_applications; i++) {
            svec_add(&names, topology->applications[i]->name);
        }
        return unknown("application", parts->names[0], &names);
    }
    for (size_t i = 0; i < application->n_services; i++) {
        svec_add(&names, application->services[i]->path);
    }
    char *path = parts->n < 2 ? NULL
                 : xasprintf("%s/%s", parts->names[0], parts->names[1]);
    char *error = NULL;
    if (path && !svec_contains_unsorted(&names, path)) {
        error = unknown("service", path, &names);
    } else {
        svec_destroy(&names);
    }
    free(path);
    return error;
}

char *
common_check_path(const char *path, int min, int max,
                  const struct topology *topology)
{
    struct svec parts = SVEC_EMPTY_INITIALIZER;
    char *error = NULL;
    bool right = true;
    for (const char *p = path; p; ) {
        size_t n = strcspn(p, "/");
        svec_add_nocopy(&parts, xmemdup0(p, n));
        right &= is_name(parts.names[parts.n - 1]);
        p = p[n] ? p + n + 1 : NULL;
    }
    if (!right || parts.n < min || parts.n > max) {
        error = xasprintf("\"%s\" is not %s, with names of letters, digits, "
                          "dots, underscores and hyphens", path,
                          max == 3 ? "APP/SERVICE[/WORKLOAD]"
                          : "APP[/SERVICE]");
    } else if (topology) {
        error = check_known(topology, &parts);
    }
    svec_destroy(&parts);
    return error;
}

/* Others. */

bool
common_db_is_local(void)
{
    return !strncmp(native_db(), "unix:", 5);
}

void
common_warn(const char *format, ...)
{
    static struct sset told = SSET_INITIALIZER(&told);
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    if (sset_add(&told, text)) {
        ovs_error(0, "%s", text);
    }
    free(text);
}
