/* pcapng.c: blocks are as the draft has them.  (That others read them, a
 * system test sees with tshark.) */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openvswitch/ofpbuf.h>

#include "pcapng.h"
#include "util.h"

static uint32_t
take32(struct ofpbuf *b)
{
    uint32_t number;
    assert_true(b->size >= sizeof number);
    memcpy(&number, ofpbuf_pull(b, sizeof number), sizeof number);
    return number;
}

static uint16_t
take16(struct ofpbuf *b)
{
    uint16_t number;
    assert_true(b->size >= sizeof number);
    memcpy(&number, ofpbuf_pull(b, sizeof number), sizeof number);
    return number;
}

/* The bytes, and padding of zeros. */
static void
expect_bytes(struct ofpbuf *b, const void *data, size_t n)
{
    size_t padding = PAD_SIZE(n, 4);
    assert_true(b->size >= n + padding);
    assert_memory_equal(ofpbuf_pull(b, n), data, n);
    assert_memory_equal(ofpbuf_pull(b, padding), "\0\0\0", padding);
}

static void
expect_option(struct ofpbuf *b, uint16_t code, const char *text)
{
    assert_int_equal(take16(b), code);
    assert_int_equal(take16(b), strlen(text));
    expect_bytes(b, text, strlen(text));
}

/* Returns the length; 'b' must have nothing else. */
static uint32_t
begin(struct ofpbuf *b, uint32_t type)
{
    uint32_t size = b->size;
    assert_int_equal(take32(b), type);
    assert_int_equal(take32(b), size);
    return size;
}

static void
end(struct ofpbuf *b, uint32_t length)
{
    assert_int_equal(take32(b), 0); /* opt_endofopt. */
    assert_int_equal(take32(b), length);
    assert_int_equal(b->size, 0);
    ofpbuf_uninit(b);
}

static void
test_section(void **state OVS_UNUSED)
{
    struct ofpbuf b;
    ofpbuf_init(&b, 0);
    pcapng_put_section(&b, "sdfwd 1");
    uint32_t length = begin(&b, 0x0a0d0d0a);
    assert_int_equal(take32(&b), 0x1a2b3c4d);
    assert_int_equal(take16(&b), 1);
    assert_int_equal(take16(&b), 0);
    assert_int_equal(take32(&b), UINT32_MAX);
    assert_int_equal(take32(&b), UINT32_MAX);
    expect_option(&b, 4, "sdfwd 1");
    end(&b, length);
}

static void
test_interface(void **state OVS_UNUSED)
{
    struct ofpbuf b;
    ofpbuf_init(&b, 0);
    pcapng_put_interface(&b, "br0/vnet12", 256);
    uint32_t length = begin(&b, 1);
    assert_int_equal(take16(&b), 1); /* LINKTYPE_ETHERNET. */
    assert_int_equal(take16(&b), 0);
    assert_int_equal(take32(&b), 256);
    expect_option(&b, 2, "br0/vnet12");
    end(&b, length);
}

static void
check_packet(size_t n, size_t total, const char *comment)
{
    uint8_t data[256];
    struct ofpbuf b;
    memset(data, 0xa5, sizeof data);
    ofpbuf_init(&b, 0);
    const struct pcapng_packet packet = {
        .interface = 3, .time_us = 0x0006123456789abcLL, .data = data,
        .n = n, .total = total, .comment = comment,
    };
    pcapng_put_packet(&b, &packet);
    uint32_t length = begin(&b, 6);
    assert_int_equal(length % 4, 0);
    assert_int_equal(take32(&b), 3);
    assert_int_equal(take32(&b), 0x00061234);
    assert_int_equal(take32(&b), 0x56789abc);
    assert_int_equal(take32(&b), n);
    assert_int_equal(take32(&b), total);
    expect_bytes(&b, data, n);
    expect_option(&b, 1, comment);
    end(&b, length);
}

static void
test_packet(void **state OVS_UNUSED)
{
    for (size_t n = 60; n < 64; n++) {
        check_packet(n, n, "deviation 1");
    }
    check_packet(256, 9000, "a comment of a length that needs padding");
}

/* An option has at most 65,535 bytes. */
static void
test_long_comment(void **state OVS_UNUSED)
{
    char *comment = xmalloc(100001);
    memset(comment, 'x', 100000);
    comment[100000] = '\0';
    struct ofpbuf b;
    ofpbuf_init(&b, 0);
    pcapng_put_packet(&b, &(struct pcapng_packet) { .data = "",
                                                    .comment = comment });
    uint32_t length = begin(&b, 6);
    ofpbuf_pull(&b, 20);
    comment[UINT16_MAX] = '\0';
    expect_option(&b, 1, comment);
    end(&b, length);
    free(comment);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section),
        cmocka_unit_test(test_interface),
        cmocka_unit_test(test_packet),
        cmocka_unit_test(test_long_comment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
