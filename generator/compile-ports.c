/* Ports and segments to flows: PORT, and FLOOD (see pipeline.h). */

#include "compile-private.h"

#include <inttypes.h>

#include "flow.h"
#include "overlay.h"

/* PORT: managed ports, as the fewest blocks of port numbers. */

struct port_group {
    const struct segment *segment;
    bool enforce;
    uint8_t *member;            /* By port. */
};

/* What PORT does with what comes from a workload. */
static char *
port_actions(const struct segment *segment, bool enforce)
{
    return xasprintf("load:%u->NXM_NX_REG2[0..15],load:%d->NXM_NX_REG6[0..2],"
                     "move:NXM_NX_REG3[0..15]->NXM_NX_REG5[16..31],"
                     "resubmit(,ADMIT)", segment->id,
                     FLAG(FLAG_MANAGED) | (enforce ? FLAG(FLAG_ENFORCE) : 0));
}

static void
add_port_block(struct compiler *c, const struct port_group *group,
               struct port_mask block)
{
    uint64_t id = (uint64_t) block.value << 16 | block.mask;
    struct origin origin = { .kind = ORIGIN_PORTS };
    char *actions = port_actions(group->segment, group->enforce);
    add_text(c, TABLE_PORT, 20, make_cookie(ORIGIN_PORTS, id), origin,
             "reg3=%u/0x%x,actions=%s", block.value,
             0xffff0000 | block.mask, actions);
    free(actions);
}

/* Captures: what a workload sends, and what it gets, goes to sdfwd too. */

#define TO_SDFWD "controller(reason=action,max_len=65535,meter_id=%"PRIu32"),"

static void
add_capture(struct compiler *c, const struct workload *workload)
{
    uint16_t port = c->ports->of_workload[workload->index];
    uint32_t meter = c->options->reports->meter - 1;
    uint64_t cookie = make_cookie(ORIGIN_CAPTURE, port);
    struct origin origin = { .kind = ORIGIN_CAPTURE };
    char *actions = port_actions(
        workload->home->segment,
        c->classes->of_workload[workload->index]->enforce);
    add_text(c, TABLE_PORT, 30, cookie, origin,
             "reg3=%u,actions="TO_SDFWD"%s", port, meter, actions);
    free(actions);
    add_text(c, TABLE_OUTPUT, 31, cookie, origin,
             "reg4=%u/0xffff,vlan_tci=0x1000/0x1000,actions="TO_SDFWD
             "strip_vlan,output:NXM_NX_REG4[0..15]", port, meter);
    add_text(c, TABLE_OUTPUT, 30, cookie, origin,
             "reg4=%u/0xffff,actions="TO_SDFWD"output:NXM_NX_REG4[0..15]",
             port, meter);
}

void
compile_captures(struct compiler *c)
{
    const struct overlay *overlay = c->ports->overlay;
    bool wanted = overlay && c->options->reports
                  && c->options->reports->captures;
    for (size_t i = 0; wanted && i < overlay->n_captures; i++) {
        add_capture(c, overlay->captures[i].workload);
    }
}

static void
add_port_group(struct compiler *c, const struct port_group *group)
{
    /* No packet comes from port 0, and with it blocks are larger. */
    group->member[0] = group->member[1];
    for (uint32_t first = 0; first < PORT_MAX; first++) {
        if (!group->member[first]) {
            continue;
        }
        uint32_t last = first;
        while (last + 1 < PORT_MAX && group->member[last + 1]) {
            last++;
        }
        struct port_mask blocks[32];
        size_t n = port_range_to_masks(first, last, blocks);
        for (size_t i = 0; i < n; i++) {
            add_port_block(c, group, blocks[i]);
        }
        first = last;
    }
}

static void
add_managed_ports(struct compiler *c, const struct segment *segment,
                  bool enforce)
{
    struct port_group group = {
        .segment = segment,
        .enforce = enforce,
        .member = xzalloc(PORT_MAX),
    };
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        const struct workload *workload = c->ports->workloads[i];
        if (c->ports->of_workload[i] && workload->home->segment == segment
            && c->classes->of_workload[i]->enforce == enforce) {
            group.member[c->ports->of_workload[i]] = 1;
        }
    }
    add_port_group(c, &group);
    free(group.member);
}

static uint64_t
segment_cookie(const struct segment *segment)
{
    return make_cookie(ORIGIN_SEGMENT, segment->id);
}

static const struct segment *
segment_of_vlan(const struct topology *topology, uint16_t vlan)
{
    for (size_t i = 0; i < topology->n_segments; i++) {
        const struct segment *segment = topology->segments[i];
        if (segment->kind == SEGMENT_VLAN ? segment->vlan == vlan
            : segment->kind == SEGMENT_DEFAULT && !vlan) {
            return segment;
        }
    }
    return NULL;
}

/* Unmanaged ports whose untagged traffic is in a VLAN. */
void
compile_access_ports(struct compiler *c)
{
    for (size_t i = 0; i < c->ports->n_access; i++) {
        const struct access_port *access = &c->ports->access[i];
        const struct segment *segment = segment_of_vlan(c->topology,
                                                        access->vlan);
        struct origin origin = { .kind = ORIGIN_PORTS };
        uint64_t cookie = make_cookie(ORIGIN_PORTS,
                                      (uint64_t) access->port << 32);
        if (segment) {
            add_text(c, TABLE_PORT, 10, cookie, origin,
                     "reg3=%u,vlan_tci=0/0x1000,"
                     "actions=load:%u->NXM_NX_REG2[0..15],set_field:0->reg3,"
                     "resubmit(,ADMIT)", access->port, segment->id);
        } else {
            add_text(c, TABLE_PORT, 10, cookie, origin,
                     "reg3=%u,actions=set_field:0->xxreg0,"
                     "set_field:1->xxreg3,resubmit(,0)", access->port);
        }
    }
}

/* FLOOD: what is for all managed ports of a segment.  A message holds at most
 * 64 kB, so large segments take several flows, told apart by REG_DST_PORT. */
#define FLOOD_PORTS 2000

static int
compare_ports(const void *a, const void *b)
{
    return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* The ports that a flood in 'segment' reaches, in order; if 'tolerated', the
 * flood is a deviation, and only for those who do not enforce. */
static uint16_t *
list_flooded(const struct compiler *c, const struct segment *segment,
             bool tolerated, size_t *np)
{
    uint16_t *ports = xmalloc((c->ports->n_workloads + 1) * sizeof *ports);
    size_t n = 0;
    for (size_t i = 0; i < c->ports->n_workloads; i++) {
        if (c->ports->of_workload[i]
            && c->ports->workloads[i]->home->segment == segment
            && !(tolerated && c->classes->of_workload[i]->enforce)) {
            ports[n++] = c->ports->of_workload[i];
        }
    }
    qsort(ports, n, sizeof *ports, compare_ports);
    *np = n;
    return ports;
}

static void
add_flood(struct compiler *c, const struct segment *segment, bool tolerated)
{
    struct origin origin = { .kind = ORIGIN_SEGMENT, .object = segment };
    size_t n;
    uint16_t *ports = list_flooded(c, segment, tolerated, &n);
    for (size_t chunk = 0; !chunk || chunk * FLOOD_PORTS < n; chunk++) {
        struct match match;
        match_init_catchall(&match);
        match_set_reg_masked(&match, REG_SEGMENT, segment->id, 0xffff);
        match_set_reg_masked(&match, REG_DST_PORT, chunk, 0xffff);
        if (tolerated) {
            match_set_reg_masked(&match, REG_FLAGS, FLAG(FLAG_TOLERATED),
                                 FLAG(FLAG_TOLERATED));
        }
        ofpbuf_clear(&c->ofpacts);
        size_t end = MIN(n, (chunk + 1) * FLOOD_PORTS);
        for (size_t i = chunk * FLOOD_PORTS; i < end; i++) {
            ofpact_put_OUTPUT(&c->ofpacts)->port = u16_to_ofp(ports[i]);
        }
        bool more = end < n;
        put_load(&c->ofpacts, REG_DST_PORT, 0, 16, more ? chunk + 1 : 0);
        if (more) {
            put_resubmit(c, TABLE_FLOOD);
        }
        add_match(c, TABLE_FLOOD, tolerated ? 20 : 10,
                  segment_cookie(segment), origin, &match);
    }
    free(ports);
}

void
compile_segment(struct compiler *c, const struct segment *segment,
                bool lenient)
{
    struct origin origin = { .kind = ORIGIN_SEGMENT, .object = segment };
    uint64_t cookie = segment_cookie(segment);

    add_managed_ports(c, segment, true);
    add_managed_ports(c, segment, false);
    add_flood(c, segment, false);
    if (lenient) {
        add_flood(c, segment, true);
    }
    if (segment->kind == SEGMENT_VLAN) {
        add_text(c, TABLE_PORT, 5, cookie, origin,
                 "dl_vlan=%u,actions=load:%u->NXM_NX_REG2[0..15],"
                 "set_field:0->reg3,resubmit(,ADMIT)",
                 segment->vlan, segment->id);
    } else if (segment->kind == SEGMENT_ISOLATED) {
        add_text(c, TABLE_GUARD, 82, cookie, origin,
                 "reg2=%u/0xffff,udp,tp_src=68,tp_dst=67,actions=drop",
                 segment->id);
        add_text(c, TABLE_OUTPUT, 30, cookie, origin,
                 "reg2=%u/0xffff,reg4=0/0xffff,actions=drop", segment->id);
    }
}
