/* The state of sdfwd in Prometheus' text format 0.0.4.  Pure. */

#ifndef SDFW_METRICS_H
#define SDFW_METRICS_H 1

#include <openvswitch/dynamic-string.h>

#include "totals.h"

struct daemon;

struct process_use {
    double cpu_seconds;
    double start_seconds;       /* Since the epoch. */
    uint64_t resident_bytes;
    int open_fds;
};

/* Appends all metrics.  totals_count_open() has been called for 'totals'. */
void metrics_format(struct ds *, const struct daemon *,
                    const struct totals *totals, const struct process_use *);

#endif /* metrics.h */
