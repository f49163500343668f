/* accounting.c: the sums of what a bridge counts, since it was known. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accounting.h"
#include "byte-order.h"
#include "pipeline.h"
#include "util.h"

#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-util.h>
#include <openvswitch/ofpbuf.h>

#define METER 1000

/* Requests that were sent, to be answered. */
struct bridge {
    struct ofpbuf *requests[N_ACCOUNTS];
    size_t n;
};

static void
take(struct ofpbuf *msg, void *bridge_)
{
    struct bridge *bridge = bridge_;
    ofpmsg_update_length(msg);
    bridge->requests[bridge->n++] = msg;
}

/* Answers all but 'skip' requests, table sums with 'packets' by account, and
 * meters with an error, as a bridge without any. */
static void
answer(struct accounting *a, struct bridge *bridge,
       const uint64_t packets[N_ACCOUNTS], long long int now)
{
    for (size_t i = 0; i < bridge->n; i++) {
        const struct ofp_header *request = bridge->requests[i]->data;
        const struct ofputil_aggregate_stats stats = {
            .packet_count = packets[i],
        };
        struct ofpbuf *reply = i == ACCOUNT_METERED
            ? ofperr_encode_reply(OFPERR_OFPBRC_BAD_STAT, request)
            : ofputil_encode_aggregate_stats_reply(&stats, request);
        ofpmsg_update_length(reply);
        assert_true(accounting_take(a, reply->data, METER, now));
        assert_false(accounting_take(a, reply->data, METER, now));
        ofpbuf_delete(reply);
        ofpbuf_delete(bridge->requests[i]);
    }
    bridge->n = 0;
}

static void
read_all(struct accounting *a, const uint64_t packets[N_ACCOUNTS],
         long long int now)
{
    struct bridge bridge = { .n = 0 };
    accounting_read(a, OFP14_VERSION, 100, take, &bridge);
    assert_int_equal(bridge.n, N_ACCOUNTS);
    /* Not again while answers are awaited. */
    accounting_read(a, OFP14_VERSION, 100, take, &bridge);
    assert_int_equal(bridge.n, N_ACCOUNTS);
    answer(a, &bridge, packets, now);
}

static void
test_balance(void **state OVS_UNUSED)
{
    struct accounting a = { .n_absorbed = 0 };
    struct account_balance b;
    assert_false(accounting_balance(&a, &b));
    /* What was before is not ours to balance. */
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 500, 20, 100, 30, 7, 0 }, 1000);
    assert_true(accounting_balance(&a, &b));
    assert_int_equal(b.deviating, 0);
    assert_int_equal(b.missing, 0);
    /* 10 offered, of them 6 received and 3 known by their flow's end; 40 more
     * absorbed by flows that are there, 50 by one that has ended. */
    a.n_received = 6;
    a.n_unseen = 3;
    a.n_absorbed = 150;         /* 100 of these it had absorbed before. */
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 607, 30, 0, 60, 17, 7 }, 2000);
    assert_true(accounting_balance(&a, &b));
    assert_int_equal(b.deviating, 107);
    assert_int_equal(b.answers, 7);
    assert_int_equal(b.offered, 10);
    assert_int_equal(b.absorbed, 90);
    assert_int_equal(b.missing, 0);
    assert_int_equal(b.untold, 1);
    assert_int_equal(b.since_ms, 1000);
    assert_int_equal(b.time_ms, 2000);
}

static void
test_missing(void **state OVS_UNUSED)
{
    struct accounting a = { .n_absorbed = 0 };
    struct account_balance b;
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 0 }, 1000);
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 10, 1, 4, 0, 0, 0 }, 2000);
    assert_true(accounting_balance(&a, &b));
    assert_int_equal(b.missing, 5);
}

static void
test_rebase(void **state OVS_UNUSED)
{
    struct accounting a = { .n_absorbed = 0 };
    struct account_balance b;
    struct bridge late = { .n = 0 };
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 10, 1, 9, 0, 0, 0 }, 1000);
    /* An answer from before counts no more. */
    accounting_read(&a, OFP14_VERSION, 100, take, &late);
    accounting_rebase(&a);
    const struct ofp_header *old = late.requests[0]->data;
    struct ofpbuf *reply = ofperr_encode_reply(OFPERR_OFPBRC_BAD_STAT, old);
    ofpmsg_update_length(reply);
    assert_false(accounting_take(&a, reply->data, METER, 1500));
    ofpbuf_delete(reply);
    for (size_t i = 0; i < late.n; i++) {
        ofpbuf_delete(late.requests[i]);
    }
    read_all(&a, (uint64_t[N_ACCOUNTS]) { 3, 3, 0, 0, 0, 0 }, 2000);
    assert_true(accounting_balance(&a, &b));
    assert_int_equal(b.deviating, 0);
    assert_int_equal(b.since_ms, 2000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_rebase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
