/* book.c: deviations are opened, updated and closed once, with all counts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "book.h"
#include "util.h"

struct told {
    int n[3];                   /* By enum deviation_event. */
    uint64_t n_packets, n_bytes; /* Of the last. */
    bool unseen;
};

static void
tell(enum deviation_event event, struct deviation *d, void *told_)
{
    struct told *told = told_;
    told->n[event]++;
    told->n_packets = d->n_packets;
    told->n_bytes = d->n_bytes;
    told->unseen = d->packet.unseen;
}

static const struct deviation_key key = {
    .in_port = 3, .segment = 1, .eth_type = 0x0800, .protocol = 6, .port = 22,
    .reason = REASON_NO_LINK,
};
static const struct deviation_packet packet = {
    .eth_type = 0x0800, .protocol = 6, .tp_dst = 22, .n_bytes = 60,
};

static void
assert_told(const struct told *told, int open, int update, int close)
{
    assert_int_equal(told->n[DEVIATION_OPEN], open);
    assert_int_equal(told->n[DEVIATION_UPDATE], update);
    assert_int_equal(told->n[DEVIATION_CLOSE], close);
}

static void
absorb(struct book *book, uint64_t n, long long int now)
{
    const struct deviation_counts counts = { n, n * 60 };
    book_absorbed(book, &key, &counts, now);
}

static void
test_one_life(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    book_packet_in(&book, &key, &packet, 1000);
    assert_told(&told, 1, 0, 0);
    assert_int_equal(book_run(&book, 20000), 0);
    absorb(&book, 9, 31000);
    assert_told(&told, 1, 0, 0);
    long long int next = book_run(&book, 31000);
    assert_true(next > 31000);
    assert_int_equal(book_run(&book, next), 0);
    assert_told(&told, 1, 0, 1);
    assert_int_equal(told.n_packets, 10);
    assert_int_equal(told.n_bytes, 600);
    book_destroy(&book);
}

static void
test_what_goes_on_is_updated(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    book_packet_in(&book, &key, &packet, 1000);
    absorb(&book, 9, 31000);
    book_packet_in(&book, &key, &packet, 31500);
    assert_told(&told, 1, 1, 0);
    assert_int_equal(told.n_packets, 11);
    assert_int_equal(book_run(&book, 60000), 0);
    absorb(&book, 4, 61500);
    book_run(&book, 100000);
    assert_told(&told, 1, 1, 1);
    assert_int_equal(told.n_packets, 15);
    book_destroy(&book);
}

static void
test_duplicates_are_not_counted(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(book_packet_in(&book, &key, &packet, 1000 + i), !i);
        assert_int_equal(book_find(&book, &key)->n_packet_ins, i + 1);
    }
    assert_told(&told, 1, 0, 0);
    assert_int_equal(book.n_packet_ins, 5);
    assert_int_equal(book.n_duplicates, 4);
    absorb(&book, 4, 31000);
    book_run(&book, 100000);
    assert_int_equal(told.n_packets, 5);
    book_destroy(&book);
}

static void
test_what_the_meter_dropped_is_told_late(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    absorb(&book, 7, 31000);
    assert_told(&told, 1, 0, 0);
    assert_true(told.unseen);
    absorb(&book, 2, 33000);
    book_run(&book, 100000);
    assert_told(&told, 1, 0, 1);
    assert_int_equal(told.n_packets, 8 + 3);
    assert_int_equal(book.n_unseen, 2);
    book_destroy(&book);
}

static void
test_others_do_not_mix(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    struct deviation_key other = key;
    other.port = 23;
    book_packet_in(&book, &key, &packet, 1000);
    book_packet_in(&book, &other, &packet, 1000);
    other.bridge = 1;
    book_packet_in(&book, &other, &packet, 1000);
    assert_told(&told, 3, 0, 0);
    book_destroy(&book);
}

static void
poll(struct book *book, uint64_t n, long long int now)
{
    const struct deviation_counts counts = { n, n * 60 };
    book_absorbing(book, &key, &counts, false, now);
}

static void
test_bridges_change_places(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    struct deviation_key other = key, third = key;
    other.bridge = 1;
    third.bridge = 2;
    book_packet_in(&book, &key, &packet, 1000);
    book_packet_in(&book, &other, &packet, 1000);
    book_packet_in(&book, &third, &packet, 1000);
    const struct deviation_counts counts = { 5, 300 };
    book_poll_begin(&book, 1);
    book_absorbing(&book, &other, &counts, false, 1500);
    book_poll_end(&book, 1);
    absorb(&book, 0, 1500);
    assert_told(&told, 3, 1, 0);

    /* The first two change places, the third goes. */
    uint8_t map[UINT8_MAX + 1];
    memset(map, UINT8_MAX, sizeof map);
    map[0] = 1;
    map[1] = 0;
    book_renumber(&book, map);
    assert_told(&told, 3, 1, 1);
    assert_int_equal(hmap_count(&book.open), 2);
    assert_true(book_absorbs(&book, 0));
    assert_false(book_absorbs(&book, 1));

    /* What was 1 goes on where it was, what was 0 ends in its time. */
    book_poll_begin(&book, 0);
    poll(&book, 8, 2000);
    book_poll_end(&book, 0);
    assert_told(&told, 3, 2, 1);
    assert_int_equal(told.n_packets, 9);
    assert_int_equal(book_run(&book, 4500), 0);
    assert_told(&told, 3, 2, 2);
    assert_int_equal(told.n_packets, 1);
    book_destroy(&book);
}

static void
test_polls_tell_what_grew(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    book_packet_in(&book, &key, &packet, 1000);
    book_poll_begin(&book, 0);
    poll(&book, 5, 2000);
    book_poll_end(&book, 0);
    assert_told(&told, 1, 1, 0);
    assert_int_equal(told.n_packets, 6);
    book_poll_begin(&book, 0);
    poll(&book, 5, 3000);
    book_poll_end(&book, 0);
    assert_told(&told, 1, 1, 0);
    assert_true(book_absorbs(&book, 0));
    absorb(&book, 8, 4000);
    assert_false(book_absorbs(&book, 0));
    book_run(&book, 10000);
    assert_told(&told, 1, 1, 1);
    assert_int_equal(told.n_packets, 9);
    assert_int_equal(told.n_bytes, 9 * 60);
    book_destroy(&book);
}

static void
test_polls_find_what_the_meter_dropped(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    book_poll_begin(&book, 0);
    poll(&book, 5, 2000);
    book_poll_end(&book, 0);
    assert_told(&told, 1, 0, 0);
    assert_true(told.unseen);
    absorb(&book, 5, 4000);
    book_run(&book, 10000);
    assert_told(&told, 1, 0, 1);
    assert_int_equal(told.n_packets, 6);
    assert_int_equal(book.n_unseen, 1);
    book_destroy(&book);
}

/* A new sdfwd finds the flows of the one before: nothing was unseen. */
static void
test_flows_are_taken_over(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    const struct deviation_counts counts = { 5, 300 };
    book_poll_begin(&book, 0);
    assert_false(book_absorbing(&book, &key, &counts, true, 1000));
    book_poll_end(&book, 0);
    assert_told(&told, 1, 0, 0);
    assert_int_equal(told.n_packets, 6);
    assert_int_equal(book.n_unseen, 0);
    book_destroy(&book);
}

/* The end of a flow was not heard: the bridge was away, or restarted. */
static void
test_polls_close_what_is_gone(void **state OVS_UNUSED)
{
    struct told told = { .n = { 0 } };
    struct book book;
    book_init(&book, tell, &told);
    struct deviation_key other = key;
    other.bridge = 1;
    book_packet_in(&book, &key, &packet, 1000);
    book_packet_in(&book, &other, &packet, 1000);
    book_poll_begin(&book, 0);
    struct deviation_key late = key;
    late.port = 99;
    book_packet_in(&book, &late, &packet, 1500);
    book_poll_end(&book, 0);
    assert_told(&told, 3, 0, 0);
    book_poll_begin(&book, 0);
    book_poll_end(&book, 0);
    assert_told(&told, 3, 0, 1);
    book_poll_begin(&book, 0);
    book_poll_end(&book, 0);
    assert_told(&told, 3, 0, 2);
    book_destroy(&book);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_life),
        cmocka_unit_test(test_what_goes_on_is_updated),
        cmocka_unit_test(test_duplicates_are_not_counted),
        cmocka_unit_test(test_what_the_meter_dropped_is_told_late),
        cmocka_unit_test(test_others_do_not_mix),
        cmocka_unit_test(test_bridges_change_places),
        cmocka_unit_test(test_polls_tell_what_grew),
        cmocka_unit_test(test_polls_find_what_the_meter_dropped),
        cmocka_unit_test(test_flows_are_taken_over),
        cmocka_unit_test(test_polls_close_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
