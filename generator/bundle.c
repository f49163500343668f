/* Differences as OpenFlow bundles: see bundle.h.
 *
 * ofputil_encode_bundle_add() and ofputil_encode_flow_mod() allocate a buffer
 * for each message and encode each match anew; a flow set has them encoded
 * already. */

#include "bundle.h"

#include <openflow/openflow.h>
#include <openvswitch/ofp-bundle.h>
#include <openvswitch/ofp-msgs.h>

#include "byte-order.h"

#define BUNDLE_ID 1
#define BUNDLE_FLAGS (OFPBF_ATOMIC | OFPBF_ORDERED)

/* Completes the header of the message that begins at 'start'. */
static void
finish(struct ofpbuf *b, size_t start, uint32_t xid)
{
    struct ofp_header *oh = ofpbuf_at_assert(b, start, sizeof *oh);
    oh->length = htons(b->size - start);
    oh->xid = htonl(xid);
}

void
bundle_put_control(struct ofpbuf *b, int of_version, uint16_t type,
                   uint32_t xid)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = BUNDLE_ID, .type = type, .flags = BUNDLE_FLAGS,
    };
    struct ofpbuf *msg = ofputil_encode_bundle_ctrl_request(of_version,
                                                            &control);
    size_t start = b->size;
    ofpbuf_put(b, msg->data, msg->size);
    finish(b, start, xid);
    ofpbuf_delete(msg);
}

static void
put_flow_mod(struct ofpbuf *b, int of_version, const struct flow_set *set,
             const struct flow_record *flow, uint32_t xid)
{
    bool delete = flow->command == OFPFC_DELETE_STRICT;
    size_t start = b->size;
    ofpraw_put(OFPRAW_OFPT11_FLOW_MOD, of_version, b);
    struct ofp11_flow_mod *ofm = ofpbuf_put_zeros(b, sizeof *ofm);
    ofm->cookie = htonll(flow->cookie);
    ofm->table_id = flow->table;
    ofm->command = flow->command;
    ofm->hard_timeout = htons(delete ? 0 : flow->hard_timeout);
    ofm->priority = htons(flow->priority);
    ofm->buffer_id = htonl(UINT32_MAX);
    ofm->out_port = htonl(UINT32_MAX);  /* OFPP_ANY: of any port. */
    ofm->out_group = htonl(OFPG_ANY);
    ofpbuf_put(b, flow_record_match(set, flow),
               flow->match_len + (delete ? 0 : flow->actions_len));
    finish(b, start, xid);
}

void
bundle_put_change(struct ofpbuf *b, int of_version,
                  const struct flow_set *changes, size_t i)
{
    size_t start = b->size;
    ofpraw_put(of_version == OFP13_VERSION
               ? OFPRAW_ONFT13_BUNDLE_ADD_MESSAGE
               : OFPRAW_OFPT14_BUNDLE_ADD_MESSAGE, of_version, b);
    struct ofp14_bundle_ctrl_msg *add = ofpbuf_put_zeros(b, sizeof *add);
    add->bundle_id = htonl(BUNDLE_ID);
    add->flags = htons(BUNDLE_FLAGS);
    put_flow_mod(b, of_version, changes, &changes->flows[i],
                 BUNDLE_FIRST_XID + i);
    finish(b, start, BUNDLE_FIRST_XID + i);
}
