/* Statements whether workloads conform (attest.h), appended to a file: one a
 * line, signed if there is a key. */

#ifndef SDFW_ATTEST_LOG_H
#define SDFW_ATTEST_LOG_H 1

#include <stddef.h>

#include <openvswitch/compiler.h>

#include "push.h"

struct attest_settings {
    const char *file;
    const char *key;            /* Private, of Ed25519 (PEM); NULL: none. */
};

struct attest_counts {
    size_t n, n_deviate;        /* Workloads. */
};

/* Blocks.  'result' is as attest() wants it.  Returns an error that the caller
 * must free: then nothing, or not all, was written. */
char *attest_log(const struct attest_settings *, const struct topology *,
                 const struct push_result *result, struct attest_counts *)
    OVS_WARN_UNUSED_RESULT;

#endif /* attest-log.h */
