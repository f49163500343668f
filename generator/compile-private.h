/* What the files of compile.h share: adding flows and actions.
 *
 * compile.c puts the parts together and says who is who, compile-ports.c does
 * ports and segments, compile-links.c links and what follows from them. */

#ifndef SDFW_COMPILE_PRIVATE_H
#define SDFW_COMPILE_PRIVATE_H 1

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>

#include <openvswitch/match.h>
#include <openvswitch/meta-flow.h>
#include <openvswitch/ofp-actions.h>

#include "classes.h"
#include "compile.h"
#include "util.h"

struct compiler {
    const struct topology *topology;
    const struct ports *ports;
    const struct compile_options *options;
    struct classes *classes;
    struct flow_set *flows;
    struct ofpbuf ofpacts;      /* Scratch. */
};

void compile_access_ports(struct compiler *);
void compile_captures(struct compiler *);
/* If 'lenient', some service does not enforce. */
void compile_segment(struct compiler *, const struct segment *, bool lenient);
void compile_links(struct compiler *, bool ipv6);
/* The cookies of all links, valid now or not, with room for 'n_more'. */
uint64_t *compile_link_cookies(const struct topology *, size_t n_more,
                               size_t *n);

static inline uint64_t
make_cookie(enum origin_kind kind, uint64_t id)
{
    return COOKIE_PREFIX | (uint64_t) kind << COOKIE_KIND_SHIFT
           | (id & COOKIE_ID_MASK);
}

/* Adds a flow from text; the arguments are those of printf(). */
static inline void OVS_PRINTF_FORMAT(6, 7)
add_text(struct compiler *c, enum table table, uint16_t priority,
         uint64_t cookie, struct origin origin, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    struct flow_record *flow = flow_set_add_text(
        c->flows, c->flows->table_base + table, priority, cookie, text);
    flow->origin = origin;
    free(text);
}

static inline struct flow_record *
add_match(struct compiler *c, enum table table, uint16_t priority,
          uint64_t cookie, struct origin origin, const struct match *match)
{
    struct flow_record *flow = flow_set_add(
        c->flows, c->flows->table_base + table, priority, cookie, match,
        &c->ofpacts);
    flow->origin = origin;
    return flow;
}

/* Actions. */

static inline void
put_load(struct ofpbuf *ofpacts, unsigned int reg, int first, int n_bits,
         uint32_t value)
{
    uint32_t mask = (n_bits == 32 ? UINT32_MAX
                     : (UINT32_C(1) << n_bits) - 1) << first;
    ovs_be32 be_value = htonl(value << first);
    ovs_be32 be_mask = htonl(mask);
    ofpact_put_reg_load(ofpacts, mf_from_id(MFF_REG0 + reg), &be_value,
                        &be_mask);
}

static inline void
put_resubmit(struct compiler *c, enum table table)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(&c->ofpacts);
    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = c->flows->table_base + table;
}

#endif /* compile-private.h */
