/* sdfw-show: bridges with their applications, services and workloads, in the
 * manner of "ovs-vsctl show". */

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "common.h"
#include "db-ctl-base.h"
#include "manifests.h"
#include "overlay.h"
#include "packets.h"
#include "scene.h"
#include "sdfwd-client.h"
#include "smap.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

struct show {
    struct ctl_context *ctx;
    struct topology *topology;  /* NULL: not known. */
    char *why;                  /* ... for this reason. */
    char *no_sdfwd;             /* Why sdfwd does not answer, or NULL. */
    struct svec kept;           /* Bridges of sdfwd. */
    struct shash modes;         /* Set in sdfwd itself. */
    struct json **deviations;
    size_t n_deviations;
    /* Of the bridge in question. */
    const struct ovsrec_bridge *bridge;
    const struct scene *scene;
};

static void OVS_PRINTF_FORMAT(3, 4)
put_line(const struct show *show, int level, const char *format, ...)
{
    struct ds *s = &show->ctx->output;
    va_list args;
    ds_put_char_multiple(s, ' ', level * 4);
    va_start(args, format);
    ds_put_format_valist(s, format, args);
    va_end(args);
    ds_put_char(s, '\n');
}

/* Modes. */

static void
put_manifest_mode(const struct show *show, const struct service *service)
{
    const struct application *application = service->application;
    bool own = service->mode != MODE_INHERIT;
    const struct location *where = own ? &service->where
                                   : &application->where;
    const char *by_hand = shash_find_data(&show->modes, service->path);
    by_hand = by_hand || own ? by_hand
              : shash_find_data(&show->modes, application->name);
    if (by_hand) {
        put_line(show, 3, "mode: %s (by ovs-appctl sdfw/mode, until sdfwd "
                 "ends)", by_hand);
    } else {
        put_line(show, 3, "mode: %s (%s:%d)",
                 mode_to_string(service_mode(service)), where->file,
                 where->line);
    }
}

/* With the command that made it so, or the line of the manifest. */
static void
put_mode(const struct show *show, const struct service *service)
{
    const struct overlay *overlay = show->scene->ports->overlay;
    const char *part = shash_find(&overlay->modes, service->path)
                       ? service->path
                       : shash_find(&overlay->modes,
                                    service->application->name)
                       ? service->application->name : NULL;
    if (part || overlay->mode) {
        put_line(show, 3, "mode: %s (by sdfw-set-mode %s%s%s)",
                 mode_to_string(overlay_service_mode(overlay, service)),
                 show->bridge->name, part ? " " : "", part ? part : "");
    } else {
        put_manifest_mode(show, service);
    }
}

/* Workloads. */

static bool
has(const struct json *record, const char *path, const char *value)
{
    char *text = sdfwd_get_text(record, path);
    bool equal = text && !strcmp(text, value);
    free(text);
    return equal;
}

static void
put_deviations(const struct show *show, const struct workload *workload)
{
    size_t n = 0;
    long long int n_packets = 0;
    for (size_t i = 0; i < show->n_deviations; i++) {
        const struct json *record = show->deviations[i];
        if (has(record, "bridge", show->bridge->name)
            && has(record, "src.workload", workload->name)
            && has(record, "src.service", workload->home->name)
            && has(record, "src.application",
                   workload->home->application->name)) {
            n++;
            n_packets += sdfwd_get_number(record, "packets");
        }
    }
    if (n) {
        put_line(show, 4, "DEVIATIONS: %"PRIuSIZE" open, %lld packet%s", n,
                 n_packets, n_packets == 1 ? "" : "s");
    }
}

/* "2 h 5 min", rounded up. */
static char *
format_left(time_t seconds)
{
    long int minutes = (seconds + 59) / 60;
    return minutes < 60 ? xasprintf("%ld min", minutes)
           : minutes < 48 * 60 ? xasprintf("%ld h %ld min", minutes / 60,
                                           minutes % 60)
           : xasprintf("%ld days", minutes / (24 * 60));
}

/* "WHAT until ...: REASON". */
static void
put_until(const struct show *show, const char *what, time_t until,
          const char *reason)
{
    const char *colon = reason[0] ? ": " : "";
    if (until) {
        char *end = xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", until * 1000LL,
                                    true);
        char *left = format_left(until - time(NULL));
        put_line(show, 4, "%s until %s (%s left)%s%s", what, end, left, colon,
                 reason);
        free(end);
        free(left);
    } else {
        put_line(show, 4, "%s until it is released%s%s", what, colon, reason);
    }
}

static void
put_measures(const struct show *show, const struct workload *workload)
{
    const struct overlay *overlay = show->scene->ports->overlay;
    const struct quarantine *q = overlay_find_quarantine(overlay, workload);
    if (q) {
        put_until(show, "QUARANTINE", q->until, q->reason);
    }
    for (size_t i = 0; overlay && i < overlay->n_captures; i++) {
        if (overlay->captures[i].workload == workload) {
            put_until(show, "CAPTURED", overlay->captures[i].until, "");
        }
    }
}

static void
put_identity(const struct show *show, const struct workload *workload)
{
    for (size_t i = 0; i < workload->n_macs; i++) {
        put_line(show, 4, "mac: "ETH_ADDR_FMT,
                 ETH_ADDR_ARGS(workload->macs[i]));
    }
    for (size_t i = 0; i < workload->n_addresses; i++) {
        char *address = address_to_string(&workload->addresses[i]);
        put_line(show, 4, "address: %s", address);
        free(address);
    }
    if (!workload->n_macs) {
        put_line(show, 4, "NO MAC: it may send nothing");
    } else if (!workload->n_addresses) {
        put_line(show, 4, "no address: ARP, DHCP and link-local only");
    }
}

static void
put_workload(const struct show *show, const struct workload *workload)
{
    const char *interface = scene_interface(show->scene, workload);
    struct native_place place;
    put_line(show, 3, "Workload %s", workload->name);
    put_line(show, 4, "Interface %s%s", interface,
             show->scene->ports->by_hand[workload->index]
             ? " (by sdfw-bind)" : "");
    if (native_find_interface(show->ctx, interface, &place)
        && place.port->tag) {
        put_line(show, 4, "tag: %"PRId64, *place.port->tag);
    }
    put_identity(show, workload);
    put_measures(show, workload);
    put_deviations(show, workload);
}

/* Services. */

static void
put_service(const struct show *show, const struct service *service)
{
    size_t n_elsewhere = 0;
    put_line(show, 2, "Service %s", service->name);
    put_mode(show, service);
    const struct ports *ports = show->scene->ports;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *workload = ports->workloads[i];
        if (workload->home != service) {
            continue;
        } else if (scene_interface(show->scene, workload)) {
            put_workload(show, workload);
        } else {
            n_elsewhere++;
        }
    }
    if (n_elsewhere) {
        put_line(show, 3, "not on this bridge: %"PRIuSIZE" workload%s",
                 n_elsewhere, n_elsewhere > 1 ? "s" : "");
    }
}

static void
put_scene(const struct show *show)
{
    for (size_t i = 0; i < show->topology->n_applications; i++) {
        const struct application *a = show->topology->applications[i];
        put_line(show, 1, "Application %s%s%s", a->name,
                 a->version ? " " : "", a->version ? a->version : "");
        for (size_t j = 0; j < a->n_services; j++) {
            put_service(show, a->services[j]);
        }
    }
    if (show->scene->error) {
        put_line(show, 1, "CANNOT BE PUSHED: %s", show->scene->error);
    }
    const struct svec *problems = &show->scene->ports->overlay->problems;
    for (size_t i = 0; i < problems->n; i++) {
        put_line(show, 1, "NOT TAKEN: %s", problems->names[i]);
    }
}

/* What is bound, if nothing is known of what to. */
static void
put_bound(const struct show *show)
{
    for (size_t i = 0; i < show->bridge->n_ports; i++) {
        const struct ovsrec_port *port = show->bridge->ports[i];
        for (size_t j = 0; j < port->n_interfaces; j++) {
            const struct ovsrec_interface *interface = port->interfaces[j];
            const char *path = smap_get(&interface->external_ids,
                                        KEY_WORKLOAD);
            if (path) {
                put_line(show, 1, "Interface %s: %s (not checked)",
                         interface->name, path);
            }
        }
    }
}

static void
put_bridge(struct show *show, const struct ovsrec_bridge *bridge)
{
    struct svec paths = SVEC_EMPTY_INITIALIZER;
    manifests_of_bridge(bridge, &paths);
    show->bridge = bridge;
    put_line(show, 0, "Bridge %s", bridge->name);
    for (size_t i = 0; i < paths.n; i++) {
        put_line(show, 1, "topology: %s", paths.names[i]);
    }
    if (!paths.n && svec_contains_unsorted(&show->kept, bridge->name)) {
        put_line(show, 1, "enabled by the settings of sdfwd");
    } else if (!paths.n) {
        put_line(show, 1, "not enabled");
    }
    svec_destroy(&paths);
    if (show->topology) {
        struct scene *scene = scene_create(show->ctx, show->topology, bridge);
        show->scene = scene;
        put_scene(show);
        scene_destroy(scene);
    } else {
        put_bound(show);
    }
}

/* All that is enabled, in whatever way. */
static void
put_bridges(struct show *show)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    const struct ovsrec_bridge *bridge;
    OVSREC_BRIDGE_FOR_EACH (bridge, show->ctx->idl) {
        if (smap_get(&bridge->other_config, KEY_TOPOLOGY)
            || svec_contains_unsorted(&show->kept, bridge->name)) {
            svec_add(&names, bridge->name);
        }
    }
    svec_sort(&names);
    for (size_t i = 0; i < names.n; i++) {
        put_bridge(show, native_find_bridge(show->ctx, names.names[i]));
    }
    if (!names.n) {
        put_line(show, 0, "no bridge is enabled; \"sdfw-enable BRIDGE "
                 "TOPOLOGY...\" enables one");
    }
    svec_destroy(&names);
}

static void
ask_sdfwd(struct show *show)
{
    show->no_sdfwd = sdfwd_get_setting("bridge", &show->kept);
    if (!show->no_sdfwd) {
        show->no_sdfwd = sdfwd_get_deviations(&show->deviations,
                                              &show->n_deviations);
        /* It has none before its first policy. */
        free(sdfwd_get_modes(&show->modes));
    }
}

void
show_run(struct ctl_context *ctx)
{
    const struct ovsrec_bridge *bridge = NULL;
    if (ctx->argc > 1) {
        bridge = common_get_bridge(ctx);
        if (!bridge) {
            return;
        }
    }
    struct show show = { .ctx = ctx };
    svec_init(&show.kept);
    shash_init(&show.modes);
    ask_sdfwd(&show);
    show.topology = manifests_read_all(ctx, &show.why);
    if (bridge) {
        put_bridge(&show, bridge);
    } else {
        put_bridges(&show);
    }
    if (!show.topology) {
        put_line(&show, 0, "NO MANIFESTS: %s", show.why);
    }
    if (show.no_sdfwd) {
        put_line(&show, 0, "deviations are not known: %s", show.no_sdfwd);
    }
    free(show.why);
    free(show.no_sdfwd);
    svec_destroy(&show.kept);
    shash_destroy_free_data(&show.modes);
    sdfwd_free_deviations(show.deviations, show.n_deviations);
}
