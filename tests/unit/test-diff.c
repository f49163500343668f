/* diff.c: what turns installed flows into wanted ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <openflow/openflow.h>
#include <openvswitch/match.h>
#include <openvswitch/ofp-actions.h>

#include "diff.h"
#include "flow.h"
#include "util.h"

#define COOKIE(KIND, ID) \
    (COOKIE_PREFIX | (uint64_t) (KIND) << COOKIE_KIND_SHIFT | (ID))

/* A flow that matches 'key' in register 0 and outputs to 'port'. */
static void
add_flow(struct flow_set *set, uint32_t key, uint16_t port, uint64_t cookie)
{
    struct match match;
    match_init_catchall(&match);
    match_set_reg(&match, 0, key);
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 64);
    ofpact_put_OUTPUT(&ofpacts)->port = u16_to_ofp(port);
    flow_set_add(set, 100 + key % 3, 10 + key % 2, cookie, &match, &ofpacts);
    ofpbuf_uninit(&ofpacts);
}

static void
random_set(struct flow_set *set, unsigned int *seed)
{
    flow_set_init(set, 100);
    for (uint32_t key = 0; key < 200; key++) {
        if (rand_r(seed) % 2) {
            add_flow(set, key, 1 + rand_r(seed) % 2,
                     COOKIE(ORIGIN_LINK, rand_r(seed) % 2));
        }
    }
}

/* Applies 'changes' as a switch would: by table, priority and match. */
static void
apply(const struct flow_set *installed, const struct flow_set *changes,
      struct flow_set *result)
{
    bool *gone = xcalloc(installed->n + 1, sizeof *gone);
    flow_set_init(result, 100);
    for (size_t i = 0; i < changes->n; i++) {
        const struct flow_record *change = &changes->flows[i];
        bool found = false;
        for (size_t j = 0; j < installed->n; j++) {
            if (flow_record_same_key(installed, &installed->flows[j], changes,
                                     change)) {
                gone[j] = found = true;
                if (change->command == OFPFC_MODIFY_STRICT) {
                    /* Modifying leaves the cookie as it was. */
                    assert_true(installed->flows[j].cookie == change->cookie);
                }
            }
        }
        if (change->command == OFPFC_DELETE_STRICT) {
            assert_true(found);
            continue;
        }
        assert_true(change->command == OFPFC_ADD || found);
        flow_set_add_encoded(result, change->table, change->priority,
                             change->cookie,
                             flow_record_match(changes, change),
                             change->match_len,
                             flow_record_actions(changes, change),
                             change->actions_len);
    }
    for (size_t j = 0; j < installed->n; j++) {
        const struct flow_record *flow = &installed->flows[j];
        if (!gone[j]) {
            flow_set_add_encoded(result, flow->table, flow->priority,
                                 flow->cookie,
                                 flow_record_match(installed, flow),
                                 flow->match_len,
                                 flow_record_actions(installed, flow),
                                 flow->actions_len);
        }
    }
    free(gone);
}

static void
assert_same(struct flow_set *a, struct flow_set *b)
{
    flow_set_sort(a);
    flow_set_sort(b);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct flow_record *fa = &a->flows[i], *fb = &b->flows[i];
        assert_true(flow_record_same_key(a, fa, b, fb));
        assert_true(flow_record_same_actions(a, fa, b, fb));
        assert_true(fa->cookie == fb->cookie);
    }
}

static void
test_changes_turn_one_into_the_other(void **state OVS_UNUSED)
{
    unsigned int seed = getpid();
    print_message("seed %u\n", seed);
    for (int i = 0; i < 100; i++) {
        struct flow_set installed, wanted, changes, result;
        random_set(&installed, &seed);
        random_set(&wanted, &seed);
        flow_set_init(&changes, 100);
        struct diff_counts counts = diff_flows(&installed, &wanted, &changes);
        assert_int_equal(counts.added + counts.changed + counts.unchanged,
                         wanted.n);
        assert_int_equal(counts.removed + counts.changed + counts.unchanged,
                         installed.n);
        assert_int_equal(counts.added + counts.changed + counts.removed,
                         changes.n);
        apply(&installed, &changes, &result);
        assert_same(&result, &wanted);
        flow_set_destroy(&installed);
        flow_set_destroy(&wanted);
        flow_set_destroy(&changes);
        flow_set_destroy(&result);
    }
}

static void
test_equal_sets_need_no_change(void **state OVS_UNUSED)
{
    unsigned int seed = 1, again = 1;
    struct flow_set installed, wanted, changes;
    random_set(&installed, &seed);
    random_set(&wanted, &again);
    flow_set_init(&changes, 100);
    struct diff_counts counts = diff_flows(&installed, &wanted, &changes);
    assert_int_equal(changes.n, 0);
    assert_int_equal(counts.unchanged, wanted.n);
    flow_set_destroy(&installed);
    flow_set_destroy(&wanted);
    flow_set_destroy(&changes);
}

static void
test_adoption_is_left_to_expire(void **state OVS_UNUSED)
{
    struct flow_set installed, wanted, changes;
    flow_set_init(&installed, 100);
    flow_set_init(&wanted, 100);
    flow_set_init(&changes, 100);
    add_flow(&installed, 1, 1, COOKIE(ORIGIN_ADOPT, 0));
    add_flow(&installed, 2, 1, COOKIE(ORIGIN_LINK, 0));
    struct diff_counts counts = diff_flows(&installed, &wanted, &changes);
    assert_int_equal(counts.removed, 1);
    assert_int_equal(changes.n, 1);
    assert_true(changes.flows[0].cookie == COOKIE(ORIGIN_LINK, 0));
    flow_set_destroy(&installed);
    flow_set_destroy(&wanted);
    flow_set_destroy(&changes);
}

/* After a push, back is as before but for what lives by itself: what sdfwd
 * has learned since stays, what has expired since is not brought back, and
 * what the push added for a while goes. */
static void
test_back_is_as_before(void **state OVS_UNUSED)
{
    unsigned int seed = getpid();
    struct flow_set before, now, changes, result;
    random_set(&before, &seed);
    random_set(&now, &seed);
    flow_set_init(&changes, 100);
    add_flow(&before, 1000, 1, COOKIE(ORIGIN_ADOPT, 0));
    add_flow(&before, 1001, 1, COOKIE(ORIGIN_LEARNED, 0));
    add_flow(&now, 1002, 1, COOKIE(ORIGIN_ADOPT, 0));
    add_flow(&now, 1003, 1, COOKIE(ORIGIN_LEARNED, 0));
    diff_back(&now, &before, &changes);
    apply(&now, &changes, &result);

    before.n -= 2;
    add_flow(&before, 1003, 1, COOKIE(ORIGIN_LEARNED, 0));
    assert_same(&result, &before);
    flow_set_destroy(&before);
    flow_set_destroy(&now);
    flow_set_destroy(&changes);
    flow_set_destroy(&result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_turn_one_into_the_other),
        cmocka_unit_test(test_equal_sets_need_no_change),
        cmocka_unit_test(test_adoption_is_left_to_expire),
        cmocka_unit_test(test_back_is_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
