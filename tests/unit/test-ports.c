/* ports.c: ranges of ports to masks, numbering, files of ports. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports.h"
#include "util.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };

static bool
matches(const struct port_mask masks[], size_t n, uint32_t port)
{
    for (size_t i = 0; i < n; i++) {
        if ((port & masks[i].mask) == masks[i].value) {
            return true;
        }
    }
    return false;
}

/* The smallest number of masks for 'first' to 'last' within the block of
 * 'size' ports at 'start', by looking at each half. */
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
    struct port_mask masks[32];
    size_t n = port_range_to_masks(first, last, masks);
    assert_int_equal(n, fewest(first, last, 0, 65536));
    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        bool wanted = port >= first && port <= last;
        if (matches(masks, n, port) != wanted) {
            fail_msg("%u-%u: port %u", first, last, port);
        }
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(masks[i].value & ~masks[i].mask, 0);
    }
}

static void
test_masks_match_the_range_and_are_fewest(void **state OVS_UNUSED)
{
    static const uint16_t corners[] = { 0, 1, 2, 3, 79, 80, 81, 127, 128, 1023,
                                        1024, 32767, 32768, 49152, 65534,
                                        65535 };
    for (size_t i = 0; i < ARRAY_SIZE(corners); i++) {
        for (size_t j = i; j < ARRAY_SIZE(corners); j++) {
            check_range(corners[i], corners[j]);
        }
    }
}

static void
test_masks_of_random_ranges(void **state OVS_UNUSED)
{
    unsigned int seed = getpid();
    print_message("seed %u\n", seed);
    for (int i = 0; i < 500; i++) {
        uint16_t a = rand_r(&seed), b = rand_r(&seed);
        check_range(MIN(a, b), MAX(a, b));
    }
}

static void
test_the_worst_range_needs_30_masks(void **state OVS_UNUSED)
{
    struct port_mask masks[32];
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
        cmocka_unit_test(test_the_worst_range_needs_30_masks),
        cmocka_unit_test(test_numbering_is_in_order),
        cmocka_unit_test(test_file_gives_ports),
        cmocka_unit_test(test_wrong_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
