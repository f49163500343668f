/* sdfw-bind, sdfw-unbind: which workload an interface is. */

#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "db-ctl-base.h"
#include "manifests.h"
#include "overlay.h"
#include "packets.h"
#include "quarantine.h"
#include "scene.h"
#include "smap.h"
#include "svec.h"
#include "util.h"
#include "values.h"

static const char *const keys[] = { KEY_WORKLOAD, KEY_MAC, KEY_ADDRESS };

/* What is to be written: values by the index of 'keys', "" for none. */
struct binding {
    char *values[ARRAY_SIZE(keys)];
};

static void
binding_destroy(struct binding *binding)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        free(binding->values[i]);
    }
}

/* Reading the command line. */

static bool
is_like_mac(const char *text)
{
    return strlen(text) == 17 && text[strspn(text, "0123456789abcdefABCDEF:")]
                                 == '\0'
           && text[2] == ':' && text[5] == ':' && text[8] == ':'
           && text[11] == ':' && text[14] == ':';
}

static char *
take_identity(const char *text, struct svec *macs, struct svec *addresses)
{
    struct in6_addr address;
    struct eth_addr mac;
    bool is_mac = is_like_mac(text);
    char *error = is_mac ? value_to_mac(text, &mac)
                  : value_to_address(text, &address);
    if (!error) {
        /* As it is written canonically, so that the same is equal. */
        svec_add_nocopy(is_mac ? macs : addresses,
                        is_mac ? xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac))
                        : address_to_string(&address));
    } else if (!is_mac && !value_parse_address(text, &address)) {
        free(error);
        error = xasprintf("\"%s\" is neither a MAC such as 52:54:00:12:34:56 "
                          "nor an address such as 10.0.0.11 or fd00::11, "
                          "without a prefix length", text);
    }
    return error;
}

static char *
parse(const struct ctl_context *ctx, struct binding *binding)
{
    struct svec macs = SVEC_EMPTY_INITIALIZER;
    struct svec addresses = SVEC_EMPTY_INITIALIZER;
    char *error = common_check_path(ctx->argv[2], 2, 3, NULL);
    for (int i = 3; i < ctx->argc && !error; i++) {
        error = take_identity(ctx->argv[i], &macs, &addresses);
    }
    svec_sort_unique(&macs);
    svec_sort_unique(&addresses);
    binding->values[0] = xstrdup(ctx->argv[2]);
    binding->values[1] = svec_join(&macs, " ", "");
    binding->values[2] = svec_join(&addresses, " ", "");
    svec_destroy(&macs);
    svec_destroy(&addresses);
    return error;
}

/* Writing. */

static bool
is_bound_so(const struct ovsrec_interface *interface,
            const struct binding *binding)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(smap_get_def(&interface->external_ids, keys[i], ""),
                   binding->values[i])) {
            return false;
        }
    }
    return true;
}

static void
write_keys(const struct ovsrec_interface *interface,
           const struct binding *binding)
{
    struct smap ids;
    smap_clone(&ids, &interface->external_ids);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        smap_remove(&ids, keys[i]);
        if (binding->values[i][0]) {
            smap_add(&ids, keys[i], binding->values[i]);
        }
    }
    ovsrec_interface_verify_external_ids(interface);
    ovsrec_interface_set_external_ids(interface, &ids);
    smap_destroy(&ids);
}

/* Checking. */

/* What the interface is already, if that hinders. */
static char *
check_old(const struct ovsrec_interface *interface, const struct scene *before)
{
    const char *old = smap_get(&interface->external_ids, KEY_WORKLOAD);
    const struct workload *w = before ? scene_workload(before,
                                                       interface->name) : NULL;
    if (old) {
        const char *mac = smap_get_def(&interface->external_ids, KEY_MAC, "");
        const char *address = smap_get_def(&interface->external_ids,
                                           KEY_ADDRESS, "");
        return xasprintf("it is bound to %s already%s%s%s%s; --may-exist "
                         "replaces that", old, mac[0] ? ", " : "", mac,
                         address[0] ? ", " : "", address);
    } else if (w) {
        return xasprintf("%s:%d makes it %s/%s already; --may-exist binds it "
                         "nevertheless", w->where.file, w->where.line,
                         w->home->path, w->name);
    }
    return NULL;
}

/* A problem as OVSDB's readers tell it, to an error of this command: what it
 * has to say before "; it is left out" or the like. */
static char *
problem_to_error(const char *problem)
{
    static const char *const prefixes[] = { "OVSDB, ", "OVSDB:0: " };
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (!strncmp(problem, prefixes[i], strlen(prefixes[i]))) {
            problem += strlen(prefixes[i]);
        }
    }
    const char *end = strstr(problem, "; it is left ");
    return xmemdup0(problem, end ? end - problem : strlen(problem));
}

/* A MAC or address that both have, in words, or NULL. */
static char *
find_shared(const struct workload *a, const struct workload *b)
{
    for (size_t i = 0; i < a->n_macs; i++) {
        for (size_t j = 0; j < b->n_macs; j++) {
            if (eth_addr_equals(a->macs[i], b->macs[j])) {
                return xasprintf("MAC "ETH_ADDR_FMT,
                                 ETH_ADDR_ARGS(a->macs[i]));
            }
        }
    }
    for (size_t i = 0; i < a->n_addresses; i++) {
        for (size_t j = 0; j < b->n_addresses; j++) {
            if (ipv6_addr_equals(&a->addresses[i], &b->addresses[j])) {
                return address_to_string(&a->addresses[i]);
            }
        }
    }
    return NULL;
}

/* Whom 'interface' takes something from that was theirs: readers prefer the
 * interface that is first in the alphabet, we the one that was first. */
static char *
find_robbed(const struct scene *before, const struct scene *after,
            const char *interface)
{
    const struct shash *bound = &before->ports->overlay->bound;
    const struct workload *was = shash_find_data(bound, interface);
    const struct workload *is = shash_find_data(
        &after->ports->overlay->bound, interface);
    const struct shash_node *node;
    SHASH_FOR_EACH (node, bound) {
        const struct workload *other = node->data;
        if (!is || other == was || other->home->segment != is->home->segment) {
            continue;
        }
        bool same = other->home == is->home && !strcmp(other->name, is->name);
        char *what = same ? workload_path(is) : find_shared(is, other);
        if (what) {
            char *error = xasprintf("%s is at interface %s already", what,
                                    node->name);
            free(what);
            return error;
        }
    }
    return NULL;
}

/* What is wrong now and was not before. */
static char *
compare(const struct scene *before, const struct scene *after,
        const char *interface)
{
    char *robbed = find_robbed(before, after, interface);
    if (robbed) {
        return robbed;
    }
    const struct svec *old = &before->ports->overlay->problems;
    const struct svec *new = &after->ports->overlay->problems;
    for (size_t i = 0; i < new->n; i++) {
        if (!svec_contains(old, new->names[i])) {
            return problem_to_error(new->names[i]);
        }
    }
    return after->error && !before->error ? xstrdup(after->error) : NULL;
}

/* A replica without a MAC is held off the network, which nobody means.  That
 * of an internal port may be known only when the port is made. */
static void
warn_without_mac(const struct scene *after,
                 const struct ovsrec_interface *interface)
{
    const struct workload *w = shash_find_data(&after->ports->overlay->bound,
                                               interface->name);
    if (w && !w->n_macs && strcmp(interface->type, "internal")) {
        common_warn("%s has no MAC yet: it may send nothing until one is "
                    "given here, or by the platform (external_ids:"
                    "attached-mac)", interface->name);
    }
}

/* Writes it if it is right. */
static char *
check_and_write(struct ctl_context *ctx, const struct native_place *place,
                const struct binding *binding, struct topology *topology)
{
    struct scene *before = !topology ? NULL
                           : scene_create(ctx, topology, place->bridge);
    char *error = common_check_path(ctx->argv[2], 2, 3, topology);
    if (!error && !common_has_option(ctx, "--may-exist")) {
        error = check_old(place->interface, before);
    }
    if (!error) {
        write_keys(place->interface, binding);
    }
    if (!error && before) {
        struct scene *after = scene_create(ctx, topology, place->bridge);
        error = compare(before, after, place->interface->name);
        if (!error) {
            warn_without_mac(after, place->interface);
        }
        scene_destroy(after);
    }
    scene_destroy(before);
    return error;
}

/* Two that are bound at the same time to one address are both right, each
 * seen alone, so what was looked at must not change. */
static void
verify_all(struct ctl_context *ctx)
{
    const struct ovsrec_interface *interface;
    OVSREC_INTERFACE_FOR_EACH (interface, ctx->idl) {
        ovsrec_interface_verify_external_ids(interface);
    }
}

void
bind_run(struct ctl_context *ctx)
{
    struct native_place place;
    if (!common_get_interface(ctx, &place)) {
        return;
    }
    struct binding binding;
    char *error = parse(ctx, &binding);
    if (!error && !(common_has_option(ctx, "--may-exist")
                    && is_bound_so(place.interface, &binding))) {
        char *why;
        struct topology *topology = manifests_read_all(ctx, &why);
        if (!topology) {
            common_warn("%s is not checked: %s", ctx->argv[2], why);
        }
        free(why);
        verify_all(ctx);
        error = check_and_write(ctx, &place, &binding, topology);
    }
    if (error) {
        ctl_error(ctx, "cannot bind %s to %s: %s", ctx->argv[1], ctx->argv[2],
                  error);
        free(error);
    }
    binding_destroy(&binding);
}

/* Unbinding. */

static char *
check_unbind(struct ctl_context *ctx, const struct ovsrec_interface *interface)
{
    if (!smap_get(&interface->external_ids, KEY_WORKLOAD)) {
        return common_has_option(ctx, "--if-exists") ? NULL
               : xasprintf("interface %s is not bound; what a manifest binds, "
                           "only the manifest unbinds", interface->name);
    } else if (quarantine_is_in_force(interface)) {
        return xasprintf("interface %s is in quarantine, which would end; "
                         "first: sdfw-release %s", interface->name,
                         interface->name);
    }
    return NULL;
}

void
unbind_run(struct ctl_context *ctx)
{
    struct native_place place;
    if (!common_get_interface(ctx, &place)) {
        return;
    }
    char *error = check_unbind(ctx, place.interface);
    if (error) {
        ctl_error(ctx, "%s", error);
        free(error);
        return;
    }
    struct binding nothing = { .values = { "", "", "" } };
    write_keys(place.interface, &nothing);
}
