/* ovs-vsctl as it is: see native.h.
 *
 * The source of the package's ovs-vsctl is compiled here, unchanged, with two
 * names replaced: its main(), and the function whose text --help prints before
 * the database commands.  So the functions below see what is static in it.
 *
 * It is found like a system header, and gets no warnings. */

#include "native.h"

#include "db-ctl-base.h"
#include "openvswitch/dynamic-string.h"

static const char *
usage_of_commands(void)
{
    static struct ds s;
    if (!s.length) {
        ds_put_format(&s, "%s\n%s", plugin_usage(), ctl_get_db_cmd_usage());
    }
    return ds_cstr(&s);
}

#define main native_main
#define ctl_get_db_cmd_usage usage_of_commands
#include "utilities/ovs-vsctl.c"
#undef ctl_get_db_cmd_usage
#undef main

bool
native_is_dry_run(void)
{
    return dry_run;
}

const char *
native_db(void)
{
    return db;
}

void
native_pre_get_info(struct ctl_context *ctx)
{
    pre_get_info(ctx);
}

const struct ovsrec_bridge *
native_find_bridge(struct ctl_context *ctx, const char *name)
{
    vsctl_context_populate_cache(ctx);
    struct vsctl_bridge *bridge = find_real_bridge(vsctl_context_cast(ctx),
                                                   name, false);
    return bridge ? bridge->br_cfg : NULL;
}

bool
native_find_interface(struct ctl_context *ctx, const char *name,
                      struct native_place *place)
{
    vsctl_context_populate_cache(ctx);
    struct vsctl_iface *iface = find_iface(vsctl_context_cast(ctx), name,
                                           false);
    if (!iface) {
        return false;
    }
    struct vsctl_bridge *bridge = iface->port->bridge;
    place->bridge = bridge->parent ? bridge->parent->br_cfg : bridge->br_cfg;
    place->port = iface->port->port_cfg;
    place->interface = iface->iface_cfg;
    return true;
}

static void
add_names(const struct shash *shash, struct svec *names)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, shash) {
        svec_add(names, node->name);
    }
}

void
native_bridge_names(struct ctl_context *ctx, struct svec *names)
{
    vsctl_context_populate_cache(ctx);
    add_names(&vsctl_context_cast(ctx)->bridges, names);
}

void
native_interface_names(struct ctl_context *ctx, struct svec *names)
{
    vsctl_context_populate_cache(ctx);
    add_names(&vsctl_context_cast(ctx)->ifaces, names);
}
