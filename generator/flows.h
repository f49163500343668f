/* A set of flows, in the form in which they go over the wire.
 *
 * A flow is kept as the OpenFlow 1.4 encoding of its match and instructions,
 * made by libopenvswitch, in one growing buffer.  What a switch reports of an
 * installed flow is encoded by the same functions, so equal flows are equal
 * bytes: comparing, and sending, needs no decoding.  Text is made from the
 * encoding, by libopenvswitch too. */

#ifndef SDFW_FLOWS_H
#define SDFW_FLOWS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/match.h>
#include <openvswitch/ofpbuf.h>

#include "model.h"
#include "pipeline.h"

/* Where a flow comes from.  'object' belongs to the topology and depends on
 * 'kind': segment, workload, network, link or service, otherwise NULL. */
struct origin {
    enum origin_kind kind;
    const void *object;
    const struct opening *opening; /* ORIGIN_LINK only. */
};

struct flow_record {
    uint64_t cookie;            /* Host byte order. */
    uint64_t n_packets, n_bytes; /* Of flows read from a switch, else 0. */
    uint32_t duration_s;        /* Likewise. */
    uint32_t idle_s;            /* Likewise, if asked for; UINT32_MAX: not
                                 * known. */
    uint32_t offset;            /* In the buffer: match, then instructions. */
    uint16_t match_len;         /* Padded to 8 bytes. */
    uint16_t actions_len;
    uint16_t priority;
    uint16_t hard_timeout;      /* Seconds; 0: none. */
    uint8_t table;
    uint8_t command;            /* In a difference: enum ofp11_flow_mod's. */
    struct origin origin;       /* Of flows that were compiled. */
};

struct flow_set {
    struct flow_record *flows;
    size_t n, allocated;
    struct ofpbuf bytes;
    uint8_t table_base;         /* Of tables by name. */
};

void flow_set_init(struct flow_set *, uint8_t table_base);
void flow_set_destroy(struct flow_set *);

/* Makes room for 'n' more flows with 'n_bytes' of matches and instructions. */
void flow_set_reserve(struct flow_set *, size_t n, size_t n_bytes);

/* Adds a flow and returns it; the pointer is good until the next one is
 * added.  'table' is the number on the bridge. */
struct flow_record *flow_set_add(struct flow_set *, uint8_t table,
                                 uint16_t priority, uint64_t cookie,
                                 const struct match *,
                                 const struct ofpbuf *ofpacts);

/* The same from encoded bytes. */
struct flow_record *flow_set_add_encoded(struct flow_set *, uint8_t table,
                                         uint16_t priority, uint64_t cookie,
                                         const void *match, size_t match_len,
                                         const void *actions,
                                         size_t actions_len);

/* Adds a copy of 'flow', which is in 'from', with 'command'. */
struct flow_record *flow_set_add_copy(struct flow_set *,
                                      const struct flow_set *from,
                                      const struct flow_record *flow,
                                      uint8_t command);

/* The same from ovs-ofctl's text without table, priority and cookie; tables
 * are known by the names of pipeline.h.  Aborts if 'text' is wrong: it is
 * part of the program. */
struct flow_record *flow_set_add_text(struct flow_set *, uint8_t table,
                                      uint16_t priority, uint64_t cookie,
                                      const char *text);

/* Sorts by table, falling priority and match: the order of all output. */
void flow_set_sort(struct flow_set *);

static inline const void *
flow_record_match(const struct flow_set *set, const struct flow_record *flow)
{
    return (const char *) set->bytes.data + flow->offset;
}

static inline const void *
flow_record_actions(const struct flow_set *set, const struct flow_record *flow)
{
    return (const char *) flow_record_match(set, flow) + flow->match_len;
}

/* True if the two have the same table, priority and match, that is, if one
 * would replace the other. */
bool flow_record_same_key(const struct flow_set *, const struct flow_record *,
                          const struct flow_set *,
                          const struct flow_record *);
bool flow_record_same_actions(const struct flow_set *,
                              const struct flow_record *,
                              const struct flow_set *,
                              const struct flow_record *);
uint32_t flow_record_key_hash(const struct flow_set *,
                              const struct flow_record *);

/* Decodes.  The caller initializes neither and frees '*ofpacts' with
 * ofpbuf_uninit(). */
void flow_record_decode(const struct flow_set *, const struct flow_record *,
                        struct match *, struct ofpbuf *ofpacts);

/* Appends the flow in the syntax of ovs-ofctl(8), without a new-line. */
void flow_record_format(struct ds *, const struct flow_set *,
                        const struct flow_record *, bool table_names);

/* Appends only the actions, or only the match with priority. */
void flow_record_format_actions(struct ds *, const struct flow_set *,
                                const struct flow_record *);
void flow_record_format_match(struct ds *, const struct flow_set *,
                              const struct flow_record *);

/* Sets 'ports', by number, to true where 'flow' has an output action. */
void flow_record_outputs(const struct flow_set *, const struct flow_record *,
                         bool ports[]);

/* "ENTRY" for 0, "ADMIT" for base + TABLE_ADMIT, or NULL if not ours. */
const char *flow_table_name(uint8_t table_base, uint8_t table);

/* Appends where the flow comes from, e.g. "link shop/web -> shop/app tcp/8080
 * (shop.xml:12)". */
void origin_format(struct ds *, const struct origin *);

#endif /* flows.h */
