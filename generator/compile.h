/* Policy to flows.
 *
 * Pure and deterministic: the same topology, ports and options give the same
 * flows, byte by byte, on every host.
 *
 * What only concerns workloads that 'ports' does not have is left out, as far
 * as no packet on the bridge is judged otherwise: docs/pipeline.md.
 *
 * For W addresses of workloads, M MACs, P prefixes and L openings of links
 * there are about W + M + 2P + 2L flows: docs/pipeline.md has the bound. */

#ifndef SDFW_COMPILE_H
#define SDFW_COMPILE_H 1

#include <time.h>

#include "flows.h"
#include "model.h"
#include "ports.h"

struct compile_options {
    uint8_t table_base;         /* DEFAULT_TABLE_BASE. */
    time_t now;                 /* Which links are within their validity. */
    const struct report_settings *reports; /* NULL: none. */
    uint16_t adopt_seconds;     /* For the first push: how long running
                                 * connections are admitted; 0: not. */
};

/* Adds the flows of 'topology', which must be free of errors (check.h), for
 * the bridge whose ports are 'ports' to 'flows', which the caller has
 * initialized with 'options->table_base'. */
void compile(const struct topology *topology, const struct ports *ports,
             const struct compile_options *options, struct flow_set *flows);

/* Returns the cookies that flows of the topology's links and workloads have,
 * whether a link is valid now or not, and a workload is on the bridge or not.
 * The caller frees the array, which has '*n' of them in no order. */
uint64_t *compile_cookies(const struct topology *, const struct ports *,
                          size_t *n);

#endif /* compile.h */
