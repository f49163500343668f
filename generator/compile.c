/* Policy to flows: see compile.h and, for the tables, pipeline.h.
 *
 * What there is many of (MACs, addresses, links) is encoded directly; what
 * there is few of is written as text and parsed by libopenvswitch. */

#include "compile-private.h"

#include <string.h>

#include "byte-order.h"
#include "packets.h"

/* MAC and ADDRESS: who is who. */

static uint64_t
workload_cookie(const struct workload *workload)
{
    uint64_t hash = stable_hash(workload->home->path, 0);
    return make_cookie(ORIGIN_WORKLOAD,
                       stable_hash(workload->name, stable_hash("/", hash)));
}

static void
put_owner(struct compiler *c, const struct class *class, uint16_t port)
{
    put_load(&c->ofpacts, REG_CLASS, 0, 32, class->id);
    put_load(&c->ofpacts, REG_OWNER, 0, 16, port);
    if (class->enforce) {
        put_load(&c->ofpacts, REG_FLAGS, FLAG_ENFORCE, 1, 1);
    }
}

static void
add_mac(struct compiler *c, const struct workload *workload,
        const struct eth_addr *mac, uint16_t port)
{
    struct match match;
    match_init_catchall(&match);
    match_set_reg_masked(&match, REG_SEGMENT, workload->home->segment->id,
                         0xffff);
    match_set_xreg(&match, XREG_MAC, eth_addr_to_uint64(*mac));
    ofpbuf_clear(&c->ofpacts);
    put_owner(c, c->classes->of_workload[workload->index], port);
    add_match(c, TABLE_MAC, 10, workload_cookie(workload),
              (struct origin) { .kind = ORIGIN_WORKLOAD, .object = workload },
              &match);
}

static void
add_address(struct compiler *c, const struct segment *segment,
            const struct workload *workload, const struct in6_addr *address,
            const struct class *class, uint16_t port)
{
    struct match match;
    ovs_be128 key;
    match_init_catchall(&match);
    match_set_reg_masked(&match, REG_SEGMENT, segment->id, 0xffff);
    memcpy(&key, address, sizeof key);
    match_set_xxreg(&match, XXREG_ADDRESS, ntoh128(key));

    ofpbuf_clear(&c->ofpacts);
    put_owner(c, class, port);
    add_match(c, TABLE_ADDRESS, 10, workload_cookie(workload),
              (struct origin) { .kind = ORIGIN_WORKLOAD, .object = workload },
              &match);
}

static void
add_macs(struct compiler *c, const struct workload *workload)
{
    uint16_t port = c->ports->of_workload[workload->index];
    for (size_t i = 0; port && i < workload->n_macs; i++) {
        add_mac(c, workload, &workload->macs[i], port);
    }
}

static void
add_addresses(struct compiler *c, const struct class_segment *cs)
{
    for (size_t i = 0; i < cs->n_addresses; i++) {
        const struct class_address *a = &cs->addresses[i];
        uint16_t port = c->ports->of_workload[a->workload->index];
        add_address(c, cs->segment, a->workload, &a->address, a->class,
                    a->foreign ? 0 : port);
    }
}

/* CLASSIFY and SOURCE: prefixes. */

static void
add_prefix(struct compiler *c, const struct class_segment *cs,
           const struct class_prefix *cp, bool source)
{
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&cp->prefix.addr);
    const char *field = ipv4 ? (source ? "nw_src" : "nw_dst")
                             : (source ? "ipv6_src" : "ipv6_dst");
    const char *nxm = ipv4 ? (source ? "NXM_OF_IP_SRC" : "NXM_OF_IP_DST")
                           : (source ? "NXM_NX_IPV6_SRC" : "NXM_NX_IPV6_DST");
    struct ds s = DS_EMPTY_INITIALIZER;
    char *prefix = prefix_to_string(&cp->prefix);
    ds_put_format(&s, "reg2=%u/0xffff,%s%s,%s=%s,"
                  "actions=set_field:%u->reg14,", cs->segment->id,
                  source ? "reg6=0/1," : "", ipv4 ? "ip" : "ipv6", field,
                  prefix, cp->class ? cp->class->id : 0);
    free(prefix);
    if (cp->exact) {
        if (ipv4) {
            ds_put_format(&s, "set_field:0xffff00000000->xxreg2,"
                          "move:%s[]->NXM_NX_REG11[],", nxm);
        } else {
            ds_put_format(&s, "move:%s[]->NXM_NX_XXREG2[],", nxm);
        }
        ds_put_cstr(&s, "set_field:0->reg7,resubmit(,ADDRESS),");
        if (source) {
            /* Nobody outside may have the address of a local workload. */
            ds_put_cstr(&s, "set_field:0->reg5,resubmit(,COMPARE),");
        }
    }
    ds_put_cstr(&s, source ? "move:NXM_NX_REG14[]->NXM_NX_REG0[],"
                             "resubmit(,TRACK)" : "resubmit(,ROUTE)");

    uint64_t id = cp->network ? stable_hash(cp->network->name, 0)
                              : cs->segment->id;
    struct origin origin = {
        .kind = cp->network ? ORIGIN_NETWORK : ORIGIN_SEGMENT,
        .object = cp->network ? (const void *) cp->network
                              : (const void *) cs->segment,
    };
    add_text(c, source ? TABLE_SOURCE : TABLE_CLASSIFY, 100 + cp->prefix.len,
             make_cookie(origin.kind, id), origin, "%s", ds_cstr(&s));
    ds_destroy(&s);
}

static bool
opens_sctp(const struct topology *topology)
{
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            for (size_t k = 0; k < link->n_openings; k++) {
                if (link->openings[k].protocol == IPPROTO_SCTP) {
                    return true;
                }
            }
        }
    }
    return false;
}

static struct pipeline_needs
find_needs(const struct compiler *c)
{
    struct pipeline_needs needs = { .sctp = opens_sctp(c->topology) };
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        const struct workload *workload = c->ports->workloads[i];
        for (size_t j = 0; j < workload->n_addresses; j++) {
            bool ipv4 = IN6_IS_ADDR_V4MAPPED(&workload->addresses[j]);
            *(ipv4 ? &needs.ipv4 : &needs.ipv6) = true;
        }
        needs.lenient |= !c->classes->of_workload[i]->enforce;
        needs.last_port = MAX(needs.last_port, c->ports->of_workload[i]);
    }
    for (size_t i = 0; i < c->topology->n_segments; i++) {
        needs.vlans |= c->topology->segments[i]->kind == SEGMENT_VLAN;
    }
    return needs;
}

void
compile(const struct topology *topology, const struct ports *ports,
        const struct compile_options *options, struct flow_set *flows)
{
    struct compiler c = {
        .topology = topology,
        .ports = ports,
        .options = options,
        .flows = flows,
    };
    ofpbuf_init(&c.ofpacts, 1024);
    c.classes = classes_create(topology, ports);
    classes_prune(c.classes, topology, ports, options->now);

    struct pipeline_needs needs = find_needs(&c);
    pipeline_add_flows(flows, &needs);
    if (options->adopt_seconds) {
        pipeline_add_adoption(flows, &needs, options->adopt_seconds);
    }
    if (options->reports) {
        pipeline_add_reports(flows, options->reports, ports);
    }
    compile_access_ports(&c);
    compile_captures(&c);
    for (size_t i = 0; i < c.classes->n_segments; i++) {
        const struct class_segment *cs = &c.classes->segments[i];
        if (!cs->local) {
            continue;           /* Its traffic passes untouched. */
        }
        compile_segment(&c, cs->segment, needs.lenient);
        for (size_t j = 0; j < cs->n_prefixes; j++) {
            const struct class_prefix *cp = &cs->prefixes[j];
            if (IN6_IS_ADDR_V4MAPPED(&cp->prefix.addr) ? needs.ipv4
                : needs.ipv6) {
                add_prefix(&c, cs, cp, false);
                add_prefix(&c, cs, cp, true);
            }
        }
        add_addresses(&c, cs);
    }
    for (size_t i = 0; i < ports->n_workloads; i++) {
        add_macs(&c, ports->workloads[i]);
    }
    compile_links(&c, needs.ipv6);

    classes_destroy(c.classes);
    ofpbuf_uninit(&c.ofpacts);
}

uint64_t *
compile_cookies(const struct topology *topology, const struct ports *ports,
                size_t *n)
{
    uint64_t *cookies = compile_link_cookies(topology, ports->n_workloads, n);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        cookies[(*n)++] = workload_cookie(ports->workloads[i]);
    }
    return cookies;
}
