/* sdfw-enable, sdfw-disable, sdfw-set-mode: keys of other_config of Bridge. */

#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clear.h"
#include "common.h"
#include "db-ctl-base.h"
#include "manifests.h"
#include "overlay.h"
#include "sdfwd-client.h"
#include "smap.h"
#include "svec.h"
#include "util.h"

#define KEY_PREFIX "sdfw-"
#define MODE_OF_MANIFEST "manifest"

/* Enabling. */

/* What is relative becomes absolute.  Symbolic links of what is absolute stay,
 * so that they can be turned to another topology. */
static char *
absolute_path(const char *argument)
{
    if (argument[0] == '/') {
        return xstrdup(argument);
    }
    char *directory = dir_name(argument), *name = base_name(argument);
    bool is_dots = !strcmp(name, ".") || !strcmp(name, "..");
    char *real = realpath(is_dots ? argument : directory, NULL);
    char *path = !real ? abs_file_name(NULL, argument)
                 : is_dots ? xstrdup(real) : xasprintf("%s/%s", real, name);
    free(directory);
    free(name);
    free(real);
    return path;
}

/* Adds the absolute path of each argument; '*readable' becomes false if one is
 * not there, which only the database of another host excuses. */
static char *
take_paths(const struct ctl_context *ctx, struct svec *paths, bool *readable)
{
    *readable = true;
    for (int i = 2; i < ctx->argc; i++) {
        char *path = absolute_path(ctx->argv[i]);
        svec_add_nocopy(paths, path);
        if (path[strcspn(path, " \t\n\"'\\,")]) {
            return xasprintf("%s: OVSDB separates topologies by blanks, so "
                             "the path cannot have blanks, quotes or commas",
                             path);
        } else if (!access(path, R_OK)) {
            continue;
        } else if (common_db_is_local()) {
            return xasprintf("%s: %s", path, ovs_strerror(errno));
        }
        *readable = false;
        common_warn("%s: %s here, so it is not checked", path,
                    ovs_strerror(errno));
    }
    svec_sort_unique(paths);
    return NULL;
}

/* Checks 'paths' alone, then with all others that sdfwd takes together with
 * them. */
static char *
check_paths(const struct ctl_context *ctx, const struct ovsrec_bridge *bridge,
            const struct svec *paths)
{
    char *error = manifests_check(paths);
    if (!error && common_db_is_local()) {
        struct svec all;
        svec_clone(&all, paths);
        free(manifests_of_all(ctx, bridge, &all));
        char *reason = manifests_check(&all);
        if (reason) {
            error = xasprintf("together with the other topologies of this "
                              "host: %s", reason);
            free(reason);
        }
        svec_destroy(&all);
    }
    return error;
}

static void
enable(const struct ovsrec_bridge *bridge, const struct svec *paths)
{
    struct smap config;
    smap_clone(&config, &bridge->other_config);
    char *value = svec_join(paths, " ", "");
    smap_replace(&config, KEY_TOPOLOGY, value);
    free(value);
    ovsrec_bridge_set_other_config(bridge, &config);
    smap_destroy(&config);
}

void
enable_run(struct ctl_context *ctx)
{
    const struct ovsrec_bridge *bridge = common_get_bridge(ctx);
    if (!bridge) {
        return;
    }
    ovsrec_bridge_verify_other_config(bridge);
    const char *old = smap_get(&bridge->other_config, KEY_TOPOLOGY);
    if (old && !common_has_option(ctx, "--may-exist")) {
        ctl_error(ctx, "bridge %s is enabled already, with %s; --may-exist "
                  "replaces that", bridge->name, old);
        return;
    }
    struct svec paths = SVEC_EMPTY_INITIALIZER;
    bool readable;
    char *error = take_paths(ctx, &paths, &readable);
    if (!error && readable) {
        error = check_paths(ctx, bridge, &paths);
    }
    if (error) {
        ctl_error(ctx, "cannot enable %s: %s", bridge->name, error);
        free(error);
    } else {
        enable(bridge, &paths);
    }
    svec_destroy(&paths);
}

/* Disabling. */

void
disable_run(struct ctl_context *ctx)
{
    const struct ovsrec_bridge *bridge = common_get_bridge(ctx);
    if (!bridge) {
        return;
    }
    struct smap config = SMAP_INITIALIZER(&config);
    const struct smap_node *node;
    SMAP_FOR_EACH (node, &bridge->other_config) {
        if (strncmp(node->key, KEY_PREFIX, strlen(KEY_PREFIX))) {
            smap_add(&config, node->key, node->value);
        }
    }
    ovsrec_bridge_verify_other_config(bridge);
    ovsrec_bridge_set_other_config(bridge, &config);
    smap_destroy(&config);
}

/* If sdfwd's settings name the bridge, it puts the flows back. */
static void
warn_if_kept(const char *bridge)
{
    struct svec bridges = SVEC_EMPTY_INITIALIZER;
    free(sdfwd_get_setting("bridge", &bridges));
    if (svec_contains_unsorted(&bridges, bridge)) {
        common_warn("%s: sdfwd keeps this bridge by its own settings too; "
                    "\"ovs-appctl -t sdfwd sdfw/config\" tells which", bridge);
    }
    svec_destroy(&bridges);
}

/* It may have been deleted in the same transaction. */
static bool
is_bridge(const struct ctl_context *ctx, const char *name)
{
    const struct ovsrec_bridge *bridge;
    OVSREC_BRIDGE_FOR_EACH (bridge, ctx->idl) {
        if (!strcmp(bridge->name, name)) {
            return true;
        }
    }
    return false;
}

void
disable_postprocess(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    if (native_is_dry_run() || !is_bridge(ctx, name)) {
        return;
    } else if (!common_db_is_local()) {
        common_warn("%s: flows of another host's bridge are removed by sdfwd "
                    "there; or say sdfw-disable there", name);
        return;
    }
    size_t n;
    char *error = clear_bridge(name, native_db(), &n);
    if (error) {
        ctl_error(ctx, "%s is disabled, but its flows may still be there; run "
                  "sdfw-disable again: %s", name, error);
        free(error);
    } else if (n) {
        ds_put_format(&ctx->output, "%s: %"PRIuSIZE" flows removed\n", name,
                      n);
    }
    warn_if_kept(name);
}

/* Modes. */

static char *
check_mode(const char *word)
{
    enum mode mode;
    if (mode_from_string(word, &mode) || !strcmp(word, MODE_OF_MANIFEST)) {
        return NULL;
    }
    struct svec names = SVEC_EMPTY_INITIALIZER;
    for (mode = MODE_LEARN; mode <= MODE_ENFORCE; mode++) {
        svec_add(&names, mode_to_string(mode));
    }
    svec_add(&names, MODE_OF_MANIFEST);
    char *suggestion = common_suggest(word, &names);
    char *error = xasprintf("\"%s\" is no mode%s", word, suggestion);
    free(suggestion);
    svec_destroy(&names);
    return error;
}

/* What is not in the manifests can be taken back nevertheless. */
static char *
check_part(const struct ctl_context *ctx, const char *part, bool known)
{
    char *why = NULL;
    struct topology *topology = known ? NULL : manifests_read_all(ctx, &why);
    if (why) {
        common_warn("%s is not checked: %s", part, why);
        free(why);
    }
    return common_check_path(part, 1, 2, topology);
}

void
set_mode_run(struct ctl_context *ctx)
{
    const struct ovsrec_bridge *bridge = common_get_bridge(ctx);
    if (!bridge) {
        return;
    }
    const char *part = ctx->argc > 3 ? ctx->argv[2] : NULL;
    const char *mode = ctx->argv[ctx->argc - 1];
    bool take_back = !strcmp(mode, MODE_OF_MANIFEST);
    char *error = check_mode(mode);
    if (!error && part) {
        error = check_part(ctx, part, take_back);
    }
    if (error) {
        ctl_error(ctx, "%s", error);
        free(error);
        return;
    }
    char *key = part ? xasprintf("%s:%s", KEY_MODE, part) : xstrdup(KEY_MODE);
    struct smap config;
    smap_clone(&config, &bridge->other_config);
    smap_remove(&config, key);
    if (!take_back) {
        smap_add(&config, key, mode);
    }
    ovsrec_bridge_verify_other_config(bridge);
    ovsrec_bridge_set_other_config(bridge, &config);
    smap_destroy(&config);
    free(key);
}
