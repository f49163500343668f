/* Differences as OpenFlow bundles (OpenFlow 1.4.0, 7.3.9; as an extension in
 * 1.3), appended message after message to one buffer.
 *
 * Pure: who sends the bytes, and when, is up to the caller. */

#ifndef SDFW_BUNDLE_H
#define SDFW_BUNDLE_H 1

#include <openvswitch/ofpbuf.h>

#include "flows.h"

/* The message for change 'i' has the transaction id BUNDLE_FIRST_XID + i, so
 * that an error tells which flow it is about.  Far from the ids that
 * libopenvswitch allocates. */
#define BUNDLE_FIRST_XID UINT32_C(0x80000000)

/* The transaction ids of what is not a flow. */
#define BUNDLE_OPEN_XID (BUNDLE_FIRST_XID - 3)
#define BUNDLE_BARRIER_XID (BUNDLE_FIRST_XID - 2)
#define BUNDLE_COMMIT_XID (BUNDLE_FIRST_XID - 1)

/* Appends a request of 'type' (OFPBCT_*_REQUEST).  'xid' is in host order. */
void bundle_put_control(struct ofpbuf *, int of_version, uint16_t type,
                        uint32_t xid);

/* Appends change 'i' of 'changes', with its command. */
void bundle_put_change(struct ofpbuf *, int of_version,
                       const struct flow_set *changes, size_t i);

#endif /* bundle.h */
