/* evaluate.c: connections as "sdfw trace" is asked about them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluate.h"
#include "util.h"

/* Checks the type and code that 'text' means; -2: it is refused. */
static void
check_icmp(const char *protocol, const char *text, int type, int code)
{
    struct opening opening = { .icmp_type = -2, .icmp_code = -2 };
    char *error = opening_parse(protocol, text, &opening);
    if (error) {
        opening.icmp_type = opening.icmp_code = -2;
    }
    free(error);
    assert_int_equal(opening.icmp_type, type);
    assert_int_equal(opening.icmp_code, code);
}

static void
test_icmp_types_have_the_names_of_manifests(void **state)
{
    check_icmp("icmp", "echo-request", 8, -1);
    check_icmp("icmp6", "echo-request", 128, -1);
    check_icmp("icmp", "destination-unreachable/4", 3, 4);
    check_icmp("icmp6", "packet-too-big", 2, -1);
    check_icmp("icmp", "255/255", 255, 255);
}

static void
test_wrong_icmp_types_are_refused(void **state)
{
    check_icmp("icmp", "packet-too-big", -2, -2);
    check_icmp("icmp", "256", -2, -2);
    check_icmp("icmp", "8/", -2, -2);
    check_icmp("icmp", "8/256", -2, -2);
    check_icmp("icmp", "8x", -2, -2);
    check_icmp("icmp", "/4", -2, -2);
    check_icmp("icmp", "", -2, -2);
    check_icmp("icmp", NULL, -2, -2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icmp_types_have_the_names_of_manifests),
        cmocka_unit_test(test_wrong_icmp_types_are_refused),
    };
    return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
