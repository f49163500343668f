/* Packets of workloads that are captured: overlay.h says of which, and
 * compile-ports.c makes flows that send them.  Pure. */

#ifndef SDFW_CAPTURE_H
#define SDFW_CAPTURE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "deviation.h"

struct captured {
    uint16_t port;              /* The workload's. */
    bool sent;                  /* By the workload; otherwise it is for it. */
    struct deviation_frame frame;
};

/* Decodes a packet-in.  Returns false if it is of no capture. */
bool captured_from_packet_in(const struct ofp_header *, uint8_t table_base,
                             struct captured *);

#endif /* capture.h */
