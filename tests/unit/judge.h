/* For tests of verify.c: judges links of a small world of networks and
 * applications, by manifests and catalogues as a user writes them. */

#ifndef TESTS_JUDGE_H
#define TESTS_JUDGE_H 1

#include "verify.h"

#define JUDGE_NOW 1780272000    /* 2026-06-01T00:00:00Z */

/* A service called NAME, with one workload; N is a number of two digits. */
#define WORKLOAD(N) "<workload name=\"w" #N "\" interface=\"p" #N "\">" \
    "<mac>02:00:00:00:00:" #N "</mac><address>10.0.0." #N "</address>" \
    "</workload>"
#define SERVICE(NAME, N) "<service name=\"" NAME "\">" WORKLOAD(N) "</service>"

struct fixture {
    char directory[32];
    struct report report;
    struct topology *topology;
    struct catalogue *catalogue;    /* NULL if it is wrong. */
    struct verify_result result;
};

/* A test with a fixture as its state. */
#define JUDGE_TEST(NAME) \
    cmocka_unit_test_setup_teardown(NAME, judge_set_up, judge_tear_down)
int judge_set_up(void **state);
int judge_tear_down(void **state);

/* Reads the built-in catalogue with 'entries' on top, which begin in line
 * 2 of a file site.xml. */
void judge_read_catalogue(struct fixture *, const char *entries);

/* Judges 'manifest' by that. */
void judge_manifest(struct fixture *, const char *manifest,
                    const char *entries);

/* Judges 'links' of the world's application "shop", or one of them, and
 * returns the first finding. */
const struct verify_finding *judge_links(struct fixture *, const char *links,
                                         const char *entries);
const struct verify_finding *judge_link(struct fixture *, const char *from,
                                        const char *to, const char *opens,
                                        const char *entries);

/* True if the rule 'id' counts in the finding. */
bool judged_by(const struct verify_finding *, const char *id);

#endif /* judge.h */
