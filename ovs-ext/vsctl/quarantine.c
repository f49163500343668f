/* sdfw-quarantine, sdfw-release: see quarantine.h. */

#include "quarantine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>

#include "commands.h"
#include "common.h"
#include "db-ctl-base.h"
#include "manifests.h"
#include "overlay.h"
#include "scene.h"
#include "sdfwd-client.h"
#include "smap.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

#define MAX_MINUTES (366 * 24 * 60)

bool
quarantine_is_in_force(const struct ovsrec_interface *interface)
{
    const char *until = smap_get(&interface->external_ids, KEY_QUARANTINE);
    time_t end = until ? overlay_parse_until(until) : 0;
    return until && (!end || end > time(NULL));
}

struct wish {
    unsigned int minutes;       /* 0: until it is released. */
    const char *reason;         /* NULL if none is given. */
};

/* A lone argument is MINUTES if it begins like a number, otherwise REASON. */
static char *
parse(const struct ctl_context *ctx, struct wish *wish)
{
    const char *first = ctx->argc > 2 ? ctx->argv[2] : NULL;
    *wish = (struct wish) { .minutes = 0 };
    if (!first) {
        return NULL;
    }
    bool is_number = ctx->argc > 3
                     || isdigit((unsigned char) first[strspn(first, "+-")]);
    if (!is_number) {
        wish->reason = first;
        return NULL;
    }
    wish->reason = ctx->argc > 3 ? ctx->argv[3] : NULL;
    if (!isdigit((unsigned char) first[0])
        || !str_to_uint(first, 10, &wish->minutes)
        || wish->minutes > MAX_MINUTES) {
        return xasprintf("\"%s\" is no number of minutes from 0 (until it is "
                         "released) to %d (a year)%s", first, MAX_MINUTES,
                         wish->reason ? "; a reason of several words is one "
                         "argument, in quotes"
                         : "; if it is the reason, write 0 before it");
    }
    return NULL;
}

/* The workload at 'place', which must be one.  '*path' is "" if it is not
 * known here; the caller frees it. */
static char *
find_workload(struct ctl_context *ctx, const struct native_place *place,
              char **path)
{
    char *why;
    struct topology *topology = manifests_read_all(ctx, &why);
    *path = xstrdup("");
    if (!topology) {
        common_warn("whether %s is a workload is not checked: %s",
                    place->interface->name, why);
        free(why);
        return NULL;
    }
    struct scene *scene = scene_create(ctx, topology, place->bridge);
    const struct workload *w = scene_workload(scene, place->interface->name);
    char *error = NULL;
    if (w) {
        free(*path);
        *path = workload_path(w);
    } else {
        error = xasprintf("interface %s is no workload's, so nothing watches "
                          "over it%s%s; \"sdfw-bind %s APP/SERVICE\" makes it "
                          "one", place->interface->name,
                          scene->error ? ": " : "",
                          scene->error ? scene->error : "",
                          place->interface->name);
    }
    scene_destroy(scene);
    return error;
}

static void
write_keys(const struct ovsrec_interface *interface, const char *until,
           const char *reason)
{
    struct smap ids;
    smap_clone(&ids, &interface->external_ids);
    smap_remove(&ids, KEY_QUARANTINE);
    smap_remove(&ids, KEY_QUARANTINE_REASON);
    if (until) {
        smap_add(&ids, KEY_QUARANTINE, until);
    }
    if (reason) {
        smap_add(&ids, KEY_QUARANTINE_REASON, reason);
    }
    ovsrec_interface_verify_external_ids(interface);
    ovsrec_interface_set_external_ids(interface, &ids);
    smap_destroy(&ids);
}

static void
quarantine(struct ctl_context *ctx, const struct ovsrec_interface *interface,
           const struct wish *wish, const char *path)
{
    char *until = !wish->minutes ? xstrdup(INDEFINITE)
                  : xastrftime_msec("%Y-%m-%dT%H:%M:%SZ",
                                    time_wall_msec()
                                    + wish->minutes * 60LL * 1000, true);
    write_keys(interface, until, wish->reason);
    ds_put_format(&ctx->output, "%s%s%s is in quarantine %s%s\n",
                  path, path[0] ? " at " : "", interface->name,
                  wish->minutes ? "until " : "indefinitely: until "
                  "sdfw-release ",
                  wish->minutes ? until : interface->name);
    free(until);
}

/* If no sdfwd keeps the bridge, only a push brings it into force. */
static void
warn_if_alone(const struct ovsrec_bridge *bridge)
{
    struct svec kept = SVEC_EMPTY_INITIALIZER;
    char *error = !common_db_is_local() ? NULL
                  : sdfwd_get_setting("bridge", &kept);
    if (!error && common_db_is_local()
        && !smap_get(&bridge->other_config, KEY_TOPOLOGY)
        && !svec_contains_unsorted(&kept, bridge->name)) {
        error = xasprintf("sdfwd does not keep bridge %s", bridge->name);
    }
    if (error) {
        common_warn("%s: the quarantine begins with the next \"sdfw push\"",
                    error);
    }
    free(error);
    svec_destroy(&kept);
}

void
quarantine_run(struct ctl_context *ctx)
{
    struct native_place place;
    if (!common_get_interface(ctx, &place)) {
        return;
    }
    struct wish wish;
    char *path = NULL;
    char *error = parse(ctx, &wish);
    if (!error) {
        error = find_workload(ctx, &place, &path);
    }
    if (error) {
        ctl_error(ctx, "%s", error);
        free(error);
    } else {
        quarantine(ctx, place.interface, &wish, path);
        warn_if_alone(place.bridge);
    }
    free(path);
}

void
release_run(struct ctl_context *ctx)
{
    struct native_place place;
    if (!common_get_interface(ctx, &place)) {
        return;
    }
    if (!smap_get(&place.interface->external_ids, KEY_QUARANTINE)
        && !common_has_option(ctx, "--if-exists")) {
        ctl_error(ctx, "interface %s is not in quarantine",
                  place.interface->name);
        return;
    }
    write_keys(place.interface, NULL, NULL);
}
