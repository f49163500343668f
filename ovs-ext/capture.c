/* Packets of workloads that are captured: see capture.h. */

#include "capture.h"

#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-packet.h>

#include "byte-order.h"
#include "pipeline.h"

bool
captured_from_packet_in(const struct ofp_header *oh, uint8_t table_base,
                        struct captured *captured)
{
    struct ofputil_packet_in pin;
    size_t total_len;
    uint32_t buffer_id;
    if (ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_len,
                                 &buffer_id, NULL)) {
        return false;
    }
    uint64_t cookie = ntohll(pin.cookie);
    if ((cookie & ~COOKIE_ID_MASK)
        != (COOKIE_PREFIX | (uint64_t) ORIGIN_CAPTURE << COOKIE_KIND_SHIFT)) {
        return false;
    }
    *captured = (struct captured) {
        .port = cookie & UINT16_MAX,
        .sent = pin.table_id == table_base + TABLE_PORT,
        .frame = { .data = pin.packet, .n = pin.packet_len,
                   .total = total_len },
    };
    return true;
}
