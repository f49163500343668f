/* Names for what is read back from a bridge: see names.h. */

#include "names.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/match.h>
#include <openvswitch/ofp-actions.h>

#include "byte-order.h"
#include "classes.h"
#include "flow.h"
#include "packets.h"
#include "util.h"

struct names {
    struct classes *classes;
};

struct names *
names_create(const struct topology *topology, const struct ports *ports)
{
    struct names *names = xmalloc(sizeof *names);
    names->classes = classes_create(topology, ports);
    return names;
}

void
names_destroy(struct names *names)
{
    if (names) {
        classes_destroy(names->classes);
        free(names);
    }
}

static void
put_class(const struct names *names, struct ds *s, uint32_t id)
{
    struct class *class;
    HMAP_FOR_EACH (class, node, &names->classes->by_name) {
        if (class->id == id) {
            ds_put_cstr(s, class->name);
            return;
        }
    }
    ds_put_format(s, "class 0x%"PRIx32" (no longer in the topology)", id);
}

static void
put_protocol(struct ds *s, const struct match *match)
{
    uint32_t key = match->flow.regs[REG_LINK];
    uint32_t mask = match->wc.masks.regs[REG_LINK];
    uint8_t protocol = key >> 16;

    if (!mask) {
        ds_put_cstr(s, "any");
        return;
    }
    switch (protocol) {
    case IPPROTO_TCP: ds_put_cstr(s, "tcp"); break;
    case IPPROTO_UDP: ds_put_cstr(s, "udp"); break;
    case IPPROTO_SCTP: ds_put_cstr(s, "sctp"); break;
    case IPPROTO_ICMP: ds_put_cstr(s, "icmp"); break;
    case IPPROTO_ICMPV6: ds_put_cstr(s, "icmp6"); break;
    default: ds_put_format(s, "protocol %u", protocol);
    }
    if (match->wc.masks.ct_tp_src) {
        ds_put_format(s, "/%u", ntohs(match->flow.ct_tp_src));
    }
    if (mask & 0xffff) {
        uint16_t first = key & mask;
        uint16_t last = first | ~mask;
        ds_put_format(s, first == last ? "/%u" : "/%u-%u", first, last);
    }
}

static void
describe_link(const struct names *names, struct ds *s,
              const struct match *match)
{
    ds_put_cstr(s, "link ");
    put_class(names, s, match->flow.regs[REG_SRC_CLASS]);
    ds_put_cstr(s, " -> ");
    put_class(names, s, match->flow.regs[REG_DST_CLASS]);
    ds_put_char(s, ' ');
    put_protocol(s, match);
}

/* Finds what 'ofpacts' set register 'reg' to. */
static uint32_t
loaded(const struct ofpbuf *ofpacts, unsigned int reg)
{
    const struct ofpact *a;
    OFPACT_FOR_EACH (a, ofpacts->data, ofpacts->size) {
        if (a->type == OFPACT_SET_FIELD) {
            const struct ofpact_set_field *set = ofpact_get_SET_FIELD(a);
            if (set->field->id == MFF_REG0 + reg) {
                return ntohl(set->value->be32);
            }
        }
    }
    return 0;
}

static void
put_port(struct ds *s, uint32_t port)
{
    if (port) {
        ds_put_format(s, "port %"PRIu32, port);
    } else {
        ds_put_cstr(s, "not on this bridge");
    }
}

static void
describe_address(const struct names *names, struct ds *s,
                 const struct match *match, const struct ofpbuf *ofpacts)
{
    ovs_be128 be = hton128(flow_get_xxreg(&match->flow, XXREG_ADDRESS));
    struct in6_addr address;
    memcpy(&address, &be, sizeof address);
    char *text = address_to_string(&address);
    ds_put_format(s, "address %s (", text);
    free(text);
    put_class(names, s, loaded(ofpacts, REG_CLASS));
    ds_put_cstr(s, ", ");
    put_port(s, loaded(ofpacts, REG_OWNER));
    ds_put_char(s, ')');
}

static void
describe_mac(struct ds *s, const struct match *match,
             const struct ofpbuf *ofpacts)
{
    struct eth_addr mac;
    eth_addr_from_uint64(flow_get_xreg(&match->flow, XREG_MAC), &mac);
    ds_put_format(s, "MAC "ETH_ADDR_FMT" (", ETH_ADDR_ARGS(mac));
    put_port(s, loaded(ofpacts, REG_OWNER));
    ds_put_char(s, ')');
}

void
names_describe_flow(const struct names *names, struct ds *s,
                    const struct flow_set *set,
                    const struct flow_record *flow)
{
    struct match match;
    struct ofpbuf ofpacts;
    flow_record_decode(set, flow, &match, &ofpacts);
    /* The fixed flows of these tables are nobody's. */
    bool fixed = (flow->cookie >> COOKIE_KIND_SHIFT & 0xff)
                 == ORIGIN_PIPELINE;
    switch (fixed ? N_TABLES : flow->table - set->table_base) {
    case TABLE_LINK:
        if (match.wc.masks.regs[REG_SRC_CLASS]) {
            describe_link(names, s, &match);
            break;
        }
        /* Fall through. */
    default:
        if (flow->origin.kind != ORIGIN_PIPELINE) {
            origin_format(s, &flow->origin);
        } else {
            const char *name = flow_table_name(set->table_base, flow->table);
            ds_put_format(s, "table %s", name ? name : "?");
        }
        break;
    case TABLE_ADDRESS:
        describe_address(names, s, &match, &ofpacts);
        break;
    case TABLE_MAC:
        describe_mac(s, &match, &ofpacts);
        break;
    }
    ofpbuf_uninit(&ofpacts);
}
