/* Statements whether workloads conform.
 *
 * What is on a bridge is compared to what the manifests make of it, now, and
 * each workload that is there gets a statement: an in-toto Statement (v1,
 * github.com/in-toto/attestation) whose subject is the workload, with the
 * digest of the policy, and whose predicate says what was found.
 *
 * Pure: push.h has read the bridge. */

#ifndef SDFW_ATTEST_H
#define SDFW_ATTEST_H 1

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "push.h"

struct json;

#define ATTEST_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define ATTEST_PREDICATE_TYPE "urn:ovs-sdfw:conformance:1"
/* The media type of statements, as dsse.h signs them. */
#define ATTEST_PAYLOAD_TYPE "application/vnd.in-toto+json"

enum attest_verdict {
    ATTEST_CONFORMS,
    ATTEST_QUARANTINED,         /* All is as it should be: nothing gets out. */
    ATTEST_DEVIATES,
};
const char *attest_verdict_to_string(enum attest_verdict);

struct attestation {
    const struct workload *workload;
    enum attest_verdict verdict;
    char *why;                  /* "" if it conforms. */
    struct json *statement;
};

/* Makes the statements of the workloads on one bridge, which the caller frees
 * with attest_destroy().  'result' is of a push that was read only, with
 * 'read_foreign', of 'topology', which was read with digests; 'host' and the
 * time 'now' are what the statements name. */
struct attestation *attest(const struct topology *,
                           const struct push_result *result,
                           const char *host, time_t now, size_t *n);
void attest_destroy(struct attestation *, size_t n);

#endif /* attest.h */
