/* queue.c: records wait in order, and never take more than their bound. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue.h"
#include "util.h"

static void
assert_front(const struct queue *queue, const char *text)
{
    const struct queue_item *item = queue_front(queue);
    assert_non_null(item);
    assert_int_equal(item->n, strlen(text));
    assert_memory_equal(item->data, text, item->n);
}

static bool
push(struct queue *queue, const char *text)
{
    return queue_push(queue, text, strlen(text));
}

static void
test_order(void **state OVS_UNUSED)
{
    struct queue queue;
    queue_init(&queue, 1000);
    assert_null(queue_front(&queue));
    assert_true(push(&queue, "one"));
    assert_true(push(&queue, ""));
    assert_true(push(&queue, "three"));
    assert_int_equal(queue.n, 3);
    assert_front(&queue, "one");
    queue_pop(&queue);
    assert_front(&queue, "");
    queue_pop(&queue);
    assert_true(push(&queue, "four"));
    assert_front(&queue, "three");
    queue_pop(&queue);
    assert_front(&queue, "four");
    queue_pop(&queue);
    assert_null(queue_front(&queue));
    assert_int_equal(queue.n_bytes, 0);
    queue_destroy(&queue);
}

static void
test_bound(void **state OVS_UNUSED)
{
    char data[100] = "";
    size_t n = 0;
    struct queue queue;
    queue_init(&queue, 1000);
    while (queue_push(&queue, data, sizeof data)) {
        n++;
        assert_true(queue.n_bytes <= 1000);
        assert_true(n < 11);
    }
    assert_true(n > 5);
    assert_int_equal(queue.n, n);
    /* One goes, one comes. */
    queue_pop(&queue);
    assert_true(queue_fits(&queue, sizeof data));
    assert_true(queue_push(&queue, data, sizeof data));
    assert_false(queue_push(&queue, data, sizeof data));
    queue_destroy(&queue);
    assert_int_equal(queue.n, 0);
}

/* Items cost something even if they are empty. */
static void
test_empty_items(void **state OVS_UNUSED)
{
    struct queue queue;
    queue_init(&queue, 1000);
    while (queue_push(&queue, "", 0)) {
        assert_true(queue.n < 1000);
    }
    queue_destroy(&queue);
}

static void
test_too_large(void **state OVS_UNUSED)
{
    char data[1000] = "";
    struct queue queue;
    queue_init(&queue, 1000);
    assert_false(queue_fits(&queue, SIZE_MAX));
    assert_false(queue_push(&queue, data, sizeof data));
    assert_int_equal(queue.n, 0);
    queue_destroy(&queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_empty_items),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
