/* ports.c: ranges of ports to masks, numbering, files of ports. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports.h"
#include "random.h"
#include "seed.h"
#include "util.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };

/* Counts in 'hits', by port, the masks that match. */
static void
count_hits(const struct port_mask masks[], size_t n, uint8_t hits[65536])
{
    memset(hits, 0, 65536);
    for (size_t i = 0; i < n; i++) {
        /* All ports that differ from the value in wildcarded bits only. */
        uint16_t wildcards = ~masks[i].mask, bits = 0;
        assert_int_equal(masks[i].value & wildcards, 0);
        do {
            hits[masks[i].value | bits]++;
            bits = (bits - wildcards) & wildcards;
        } while (bits);
    }
}

/* The smallest number of prefix masks for 'first' to 'last' within the block
 * of 'size' ports at 'start', by looking at each half. */
static size_t
fewest(uint32_t first, uint32_t last, uint32_t start, uint32_t size)
{
    uint32_t end = start + size - 1;
    if (last < start || first > end) {
        return 0;
    } else if (first <= start && end <= last) {
        return 1;
    }
    return fewest(first, last, start, size / 2)
           + fewest(first, last, start + size / 2, size / 2);
}

static void
check_range(uint16_t first, uint16_t last)
{
    struct port_mask masks[30]; /* No more: a sanitizer tells. */
    static uint8_t hits[65536];
    size_t n = port_range_to_masks(first, last, masks);
    if (n != fewest(first, last, 0, 65536)) {
        fail_msg("%u-%u: %zu masks, %zu would do", first, last, n,
                 fewest(first, last, 0, 65536));
    }
    count_hits(masks, n, hits);
    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        bool wanted = port >= first && port <= last;
        if (hits[port] != wanted) {
            fail_msg("%u-%u: port %u is in %u masks", first, last, port,
                     hits[port]);
        }
    }
}

/* Every range between powers of two and their neighbors. */
static void
test_masks_match_the_range_and_are_fewest(void **state OVS_UNUSED)
{
    uint16_t corners[3 * 17];
    size_t n = 0;
    for (int bit = 0; bit <= 16; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            corners[n++] = (1 << bit) + delta;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (corners[i] <= corners[j]) {
                check_range(corners[i], corners[j]);
            }
        }
    }
}

static void
test_masks_of_random_ranges(void **state OVS_UNUSED)
{
    seed_random();
    for (int i = 0; i < 3000; i++) {
        uint16_t a = random_uint16(), b = random_uint16();
        check_range(MIN(a, b), MAX(a, b));
    }
}

static void
check_masks(uint16_t first, uint16_t last, uint16_t value, uint16_t mask)
{
    struct port_mask masks[30];
    assert_int_equal(port_range_to_masks(first, last, masks), 1);
    assert_int_equal(masks[0].value, value);
    assert_int_equal(masks[0].mask, mask);
}

static void
test_single_ports_blocks_and_all_ports_need_one_mask(void **state OVS_UNUSED)
{
    check_masks(0, 0, 0, 0xffff);
    check_masks(443, 443, 443, 0xffff);
    check_masks(65535, 65535, 65535, 0xffff);
    check_masks(32768, 65535, 0x8000, 0x8000);
    check_masks(0, 65535, 0, 0);
}

static void
test_an_empty_range_has_no_masks(void **state OVS_UNUSED)
{
    struct port_mask masks[30];
    assert_int_equal(port_range_to_masks(81, 80, masks), 0);
    assert_int_equal(port_range_to_masks(65535, 0, masks), 0);
}

static void
test_the_worst_range_needs_30_masks(void **state OVS_UNUSED)
{
    struct port_mask masks[30];
    assert_int_equal(port_range_to_masks(1, 65534, masks), 30);
}

static struct topology *
two_workloads(void)
{
    struct topology *t = topology_create();
    struct application *a = topology_add_application(t, "shop", nowhere);
    struct service *s = application_add_service(t, a, "web", nowhere);
    service_add_workload(s, "w1", nowhere);
    service_add_workload(s, "w2", nowhere);
    return t;
}

static char *
read_text(struct ports *ports, const char *text)
{
    char name[] = "/tmp/sdfw-ports-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *stream = fdopen(fd, "w");
    fputs(text, stream);
    fclose(stream);
    char *error = ports_read_file(ports, name);
    unlink(name);
    return error;
}

static void
test_numbering_is_in_order(void **state OVS_UNUSED)
{
    struct topology *t = two_workloads();
    struct ports *ports = ports_create(t);
    assert_int_equal(ports->n_workloads, 2);
    assert_int_equal(ports->of_workload[0], 0);
    ports_number(ports);
    assert_string_equal(ports->workloads[0]->name, "w1");
    assert_int_equal(ports->of_workload[0], 1);
    assert_int_equal(ports->of_workload[1], 2);
    ports_destroy(ports);
    topology_destroy(t);
}

static void
test_file_gives_ports(void **state OVS_UNUSED)
{
    struct topology *t = two_workloads();
    struct ports *ports = ports_create(t);
    assert_null(read_text(ports, "# on br0\nshop/web/w2 17\n\n"));
    assert_int_equal(ports->of_workload[0], 0);
    assert_int_equal(ports->of_workload[1], 17);
    ports_destroy(ports);
    topology_destroy(t);
}

static void
test_wrong_files_are_refused(void **state OVS_UNUSED)
{
    static const char *const wrong[] = {
        "shop/web/w3 1\n", "shop/web/w1\n", "shop/web/w1 0\n",
        "shop/web/w1 65280\n", "shop/web/w1 x\n",
        "shop/web/w1 1\nshop/web/w2 1\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct topology *t = two_workloads();
        struct ports *ports = ports_create(t);
        char *error = read_text(ports, wrong[i]);
        if (!error) {
            fail_msg("accepted: %s", wrong[i]);
        }
        free(error);
        ports_destroy(ports);
        topology_destroy(t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_match_the_range_and_are_fewest),
        cmocka_unit_test(test_masks_of_random_ranges),
        cmocka_unit_test(test_single_ports_blocks_and_all_ports_need_one_mask),
        cmocka_unit_test(test_an_empty_range_has_no_masks),
        cmocka_unit_test(test_the_worst_range_needs_30_masks),
        cmocka_unit_test(test_numbering_is_in_order),
        cmocka_unit_test(test_file_gives_ports),
        cmocka_unit_test(test_wrong_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
