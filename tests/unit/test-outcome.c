/* outcome.c: text that documents can hold. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libxml/parser.h>

#include "outcome.h"
#include "util.h"

static void
test_clean_text(void **state OVS_UNUSED)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        { "", "" },
        { "shop/web\t\n\r]]>&<\"", "shop/web\t\n\r]]>&<\"" },
        { "\xc3\xa4 \xe9\x98\xb2 \xf0\x9f\x94\xa5",
          "\xc3\xa4 \xe9\x98\xb2 \xf0\x9f\x94\xa5" },
        { "\x01 \x1b[m", "\\x01 \\x1b[m" },
        { "\xbf\xbe", "\\xbf\\xbe" },                   /* No first byte. */
        { "\xc0\xaf", "\\xc0\\xaf" },                   /* Overlong. */
        { "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* Surrogate. */
        { "\xef\xbf\xbe", "\\xef\\xbf\\xbe" },          /* U+FFFE. */
        { "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" }, /* Too large. */
        { "a\xe2\x82", "a\\xe2\\x82" },                 /* Cut off. */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *clean = outcome_clean(cases[i].text);
        assert_string_equal(clean, cases[i].clean);
        free(clean);
    }
}

/* Whatever three bytes stand there, with something before and behind, XML
 * holds what comes out. */
static void
test_clean_text_is_xml(void **state OVS_UNUSED)
{
    static const uint8_t bytes[] = {
        0x01, 'a', 0x7f, 0x80, 0xa0, 0xbe, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe2,
        0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
    };
    enum { N = ARRAY_SIZE(bytes) };
    for (size_t i = 0; i < N * N * N; i++) {
        char text[] = { 'x', bytes[i % N], bytes[i / N % N],
                        bytes[i / N / N], 'y', '\0' };
        char *clean = outcome_clean(text);
        char *document = xasprintf("<a>%s</a>", clean);
        xmlDoc *doc = xmlReadMemory(document, strlen(document), "a.xml",
                                    NULL, XML_PARSE_NOERROR);
        assert_non_null(doc);
        xmlFreeDoc(doc);
        free(document);
        free(clean);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_text),
        cmocka_unit_test(test_clean_text_is_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
