/* syslog-format.c: messages are well-formed (RFC 5424), whatever goes in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openvswitch/json.h>

#include "syslog-format.h"
#include "unicode.h"
#include "util.h"

static const struct syslog_header header = {
    .severity = 4, .msgid = "OPEN", .hostname = "host.example", .pid = 42,
    .time_ms = 1767225600123LL, .max_bytes = 2048,
};

static struct json *
parse(const char *text)
{
    struct json *json = json_from_string(text);
    assert_int_equal(json->type, JSON_OBJECT);
    return json;
}

/* The message of 'record', JSON text or NULL, which the caller frees. */
static char *
format(const struct syslog_header *h, const char *record, const char *text)
{
    struct json *json = record ? parse(record) : NULL;
    struct ds s = DS_EMPTY_INITIALIZER;
    syslog_format_5424(&s, h, json, text);
    json_destroy(json);
    assert_true(s.length <= h->max_bytes);
    assert_null(utf8_validate(ds_cstr(&s), NULL));
    return ds_steal_cstr(&s);
}

static void
assert_format(const char *record, const char *text, const char *expected)
{
    char *message = format(&header, record, text);
    assert_string_equal(message, expected);
    free(message);
}

#define HEADER "<84>1 2026-01-01T00:00:00.123Z host.example sdfwd 42 OPEN "
#define BOM "\xef\xbb\xbf"

static void
test_form(void **state OVS_UNUSED)
{
    assert_format(NULL, "told", HEADER "- told");
    assert_format("{\"id\":7,\"src\":{\"service\":\"web\"},\"event\":\"open\"}",
                  "told", HEADER "[sdfw@32473 event=\"open\" id=\"7\" "
                  "src_service=\"web\"] told");
}

static void
test_values_are_escaped(void **state OVS_UNUSED)
{
    assert_format("{\"but\":\"a\\\"b\\\\c]d[e\"}", "\"\\]",
                  HEADER "[sdfw@32473 but=\"a\\\"b\\\\c\\]d[e\"] \"\\]");
}

static void
test_names_are_short(void **state OVS_UNUSED)
{
    assert_format("{\"a234567890\":{\"b2345678901234567890123\":1}}", "x",
                  HEADER "[sdfw@32473 "
                  "a234567890_b23456789012345678901=\"1\"] x");
}

static void
test_control_characters_do_not_pass(void **state OVS_UNUSED)
{
    assert_format("{\"file\":\"a\\nb\\u007f\"}", "one\nline\r\t",
                  HEADER "[sdfw@32473 file=\"a?b?\"] one?line??");
}

static void
test_only_text_that_is_not_ascii_has_a_mark(void **state OVS_UNUSED)
{
    assert_format("{\"file\":\"M\u00fcller\"}", "plain",
                  HEADER "[sdfw@32473 file=\"M\u00fcller\"] plain");
    assert_format(NULL, "M\u00fcller", HEADER "- " BOM "M\u00fcller");
}

static void
test_wrong_utf8_is_replaced(void **state OVS_UNUSED)
{
    static const char *const cases[][2] = {
        { "a\xff" "b", "a\ufffdb" },
        { "a\xc3", "a\ufffd" },
        { "\xc0\xaf", "\ufffd\ufffd" }, /* Overlong. */
        { "\xed\xa0\x80", "\ufffd\ufffd\ufffd" }, /* A surrogate. */
        { "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd" },
        { "\xf0\x9f\x94\xa5\xe2\x82\xac\xc3\xbc",
          "\xf0\x9f\x94\xa5\xe2\x82\xac\xc3\xbc" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *expected = xasprintf(HEADER "- " BOM "%s", cases[i][1]);
        assert_format(NULL, cases[i][0], expected);
        free(expected);
    }
}

static void
test_header_fields_are_visible_ascii_of_their_length(void **state OVS_UNUSED)
{
    struct syslog_header h = header;
    char name[400], expected[256];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    memset(expected, 'n', sizeof expected - 1);
    expected[sizeof expected - 1] = '\0';
    h.hostname = name;
    char *message = format(&h, NULL, "x");
    char *hostname = strstr(message, " n") + 1;
    assert_int_equal(strcspn(hostname, " "), 255);
    free(message);

    h.hostname = "a b\u00fc";
    h.msgid = "";
    message = format(&h, NULL, "x");
    assert_non_null(strstr(message, " a?b?? sdfwd 42 - - x"));
    free(message);
}

/* Is 'message' the header, one element of structured data, and text? */
static bool
is_well_formed(const char *message)
{
    const char *p = strstr(message, "[sdfw@32473");
    bool quoted = false;
    for (p += strlen("[sdfw@32473"); *p && (quoted || *p != ']'); p++) {
        if (quoted && *p == '\\') {
            p++;
        } else if (*p == '"') {
            quoted = !quoted;
        }
    }
    return !quoted && p[0] == ']' && p[1] == ' ';
}

static void
test_long_text_is_cut(void **state OVS_UNUSED)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    while (text.length < 5000) {
        ds_put_cstr(&text, "\u20ac");
    }
    for (size_t max = 480; max < 490; max++) {
        struct syslog_header h = header;
        h.max_bytes = max;
        char *message = format(&h, "{\"id\":\"x\"}", ds_cstr(&text));
        size_t n = strlen(message);
        assert_true(n > max - 3);
        assert_string_equal(message + n - 3, "...");
        assert_true(is_well_formed(message));
        free(message);
    }
    ds_destroy(&text);
}

static void
test_long_members_are_left_out_whole(void **state OVS_UNUSED)
{
    struct json *json = json_object_create();
    char *value = xmalloc(2001);
    memset(value, ']', 2000);
    value[2000] = '\0';
    json_object_put_string(json, "long", value);
    json_object_put_string(json, "short", "kept");
    int n_long = 0, n_short = 0;
    for (size_t i = 1; i < 2000; i++) {
        struct ds s = DS_EMPTY_INITIALIZER;
        struct syslog_header h = header;
        h.max_bytes = 480;
        value[2000 - i] = '\0';
        json_object_put_string(json, "long", value);
        syslog_format_5424(&s, &h, json, "the text");
        assert_true(s.length <= 480);
        assert_true(is_well_formed(ds_cstr(&s)));
        assert_non_null(strstr(ds_cstr(&s), "] the text"));
        /* It may have filled what there is. */
        bool has_long = strstr(ds_cstr(&s), " long=\"");
        bool has_short = strstr(ds_cstr(&s), " short=\"kept\"");
        assert_true(has_long || has_short);
        assert_true((has_long && has_short)
                    == !strstr(ds_cstr(&s), " omitted=\"1\""));
        n_long += has_long;
        n_short += has_short;
        ds_destroy(&s);
    }
    assert_true(n_long > 50 && n_short > 1900);
    free(value);
    json_destroy(json);
}

static void
test_worst_header_leaves_a_message(void **state OVS_UNUSED)
{
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct syslog_header h = header;
    h.max_bytes = 480;
    h.hostname = h.msgid = name;
    h.pid = INT32_MAX;
    char *message = format(&h, "{\"id\":\"x\"}", name);
    assert_true(is_well_formed(message));
    free(message);
}

static void
test_local_form(void **state OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct syslog_header h = header;
    h.max_bytes = 480;
    syslog_format_local(&s, &h, "two\nlines");
    assert_non_null(strstr(ds_cstr(&s), " sdfwd[42]: two?lines"));
    assert_int_equal(strncmp(ds_cstr(&s), "<84>", 4), 0);
    ds_destroy(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_names_are_short),
        cmocka_unit_test(test_control_characters_do_not_pass),
        cmocka_unit_test(test_only_text_that_is_not_ascii_has_a_mark),
        cmocka_unit_test(test_wrong_utf8_is_replaced),
        cmocka_unit_test(test_header_fields_are_visible_ascii_of_their_length),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_long_members_are_left_out_whole),
        cmocka_unit_test(test_worst_header_leaves_a_message),
        cmocka_unit_test(test_local_form),
    };
    return cmocka_run_group_tests_name("syslog-format", tests, NULL, NULL);
}
