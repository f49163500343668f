/* settings.c: which value counts, and what is wrong with one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "settings.h"
#include "smap.h"
#include "util.h"

/* The errors of a file with 'text', in which '^' is NUL, one a line, without
 * the file's name. */
static char *
read_text(struct settings *settings, const char *text_)
{
    char file[] = "/tmp/test-settings.XXXXXX";
    int fd = mkstemp(file);
    char *text = xstrdup(text_);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == '^' ? '\0' : text[i];
    }
    assert_true(fd >= 0 && write(fd, text, n) == n);
    close(fd);
    free(text);
    struct svec errors = SVEC_EMPTY_INITIALIZER;
    settings_read_file(settings, file, &errors);
    unlink(file);
    for (size_t i = 0; i < errors.n; i++) {
        assert_int_equal(strncmp(errors.names[i], file, strlen(file)), 0);
        memmove(errors.names[i], errors.names[i] + strlen(file),
                strlen(errors.names[i]) - strlen(file) + 1);
    }
    char *joined = svec_join(&errors, "\n", "");
    svec_destroy(&errors);
    return joined;
}

static void
assert_errors(struct settings *settings, const char *text, const char *wanted)
{
    char *errors = read_text(settings, text);
    assert_string_equal(errors, wanted);
    free(errors);
}

static void
assert_list(const struct settings *settings, enum setting setting,
            const char *wanted)
{
    char *joined = svec_join(settings_list(settings, setting), "|", "");
    assert_string_equal(joined, wanted);
    free(joined);
}

static void
add(struct settings *settings, enum setting setting,
    enum setting_source source, const char *value)
{
    char *error = settings_add(settings, setting, source, value);
    assert_null(error);
}

static void
assert_refused(enum setting setting, const char *value, const char *wanted)
{
    struct settings settings;
    settings_init(&settings);
    char *error = settings_add(&settings, setting, FROM_FLAG, value);
    assert_non_null(error);
    assert_string_equal(error, wanted);
    assert_int_equal(settings_source(&settings, setting), FROM_DEFAULT);
    free(error);
    settings_destroy(&settings);
}

static void
test_file(void **state OVS_UNUSED)
{
    struct settings settings;
    settings_init(&settings);
    assert_errors(&settings,
                  "# A comment\n"
                  "\n"
                  "   \t\n"
                  "bridge=br0\n"
                  "\tbridge \t= br1 # the second\r\n"
                  "json = /var/log/a#b.json #c\n"
                  "topology = a b = c\n"
                  "  # interval = 5\n"
                  "interval = 7\n"
                  "adopt =\t#\n"
                  "tuples = 17", ":10: adopt wants a number from 0 to 65535, "
                  "not \"\"");
    assert_list(&settings, SETTING_BRIDGE, "br0|br1");
    assert_list(&settings, SETTING_JSON, "/var/log/a#b.json");
    assert_list(&settings, SETTING_TOPOLOGY, "a b = c");
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 7);
    assert_int_equal(settings_number(&settings, SETTING_ADOPT), 300);
    assert_int_equal(settings_number(&settings, SETTING_TUPLES), 17);
    settings_destroy(&settings);
}

static void
test_file_errors(void **state OVS_UNUSED)
{
    struct settings settings;
    settings_init(&settings);
    assert_errors(&settings,
                  "interval 7\n"
                  "= 7\n"
                  "nosuch = 1\n"
                  "interval = 0\n"
                  "interval = 7 seconds\n"
                  "db = br0\n"
                  "bridge =\n"
                  "interval = 7^2\n",
                  ":1: a line is NAME = VALUE\n"
                  ":2: a line is NAME = VALUE\n"
                  ":3: there is no setting \"nosuch\"; \"sdfwd --help\" shows "
                  "those that there are\n"
                  ":4: interval wants a number from 1 to 3600, not \"0\"\n"
                  ":5: interval wants a number from 1 to 3600, not "
                  "\"7 seconds\"\n"
                  ":6: db wants REMOTE, not \"br0\"\n"
                  ":7: bridge wants a value\n"
                  ":8: a NUL byte is in it; settings are text");
    for (int i = 0; i < N_SETTINGS; i++) {
        assert_int_equal(settings_source(&settings, i), FROM_DEFAULT);
    }
    struct svec errors = SVEC_EMPTY_INITIALIZER;
    settings_read_file(&settings, "/nonexistent/sdfwd.conf", &errors);
    settings_read_file(&settings, "/", &errors);
    assert_int_equal(errors.n, 2);
    assert_string_equal(errors.names[0], "cannot read /nonexistent/sdfwd.conf"
                        ": No such file or directory");
    assert_string_equal(errors.names[1], "cannot read /: Is a directory");
    svec_destroy(&errors);
    settings_destroy(&settings);
}

static void
test_listeners(void **state OVS_UNUSED)
{
    static const char *const right[] = {
        "80", "127.0.0.1:80", "[::1]:65535",
    };
    static const struct {
        const char *value, *why;
    } wrong[] = {
        { "web", "a port is a number from 1 to 65535" },
        { "0", "a port is a number from 1 to 65535" },
        { "65536", "a port is a number from 1 to 65535" },
        { "1.2.3.4:", "a port is a number from 1 to 65535" },
        { "1.2.3.4:x", "a port is a number from 1 to 65535" },
        { "[::1]", "a port is a number from 1 to 65535" },
        { "::1:80", "an IPv6 address with a port is [ADDRESS]:PORT" },
        { ":80", "names of hosts are not looked up, an address is wanted" },
        { "localhost:80",
          "names of hosts are not looked up, an address is wanted" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        struct settings settings;
        settings_init(&settings);
        add(&settings, SETTING_HTTP, FROM_FLAG, right[i]);
        settings_destroy(&settings);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char *error = xasprintf("http wants [ADDRESS:]PORT, not \"%s\"; %s",
                                wrong[i].value, wrong[i].why);
        assert_refused(SETTING_HTTP, wrong[i].value, error);
        free(error);
    }
}

static void
test_ranges(void **state OVS_UNUSED)
{
    assert_refused(SETTING_INTERVAL, "0",
                   "interval wants a number from 1 to 3600, not \"0\"");
    assert_refused(SETTING_INTERVAL, "3601",
                   "interval wants a number from 1 to 3600, not \"3601\"");
    assert_refused(SETTING_TUPLES, "99999999999999999999", "tuples wants a "
                   "number from 1 to 100000, not \"99999999999999999999\"");
    assert_refused(SETTING_ADOPT, "-1",
                   "adopt wants a number from 0 to 65535, not \"-1\"");
    assert_refused(SETTING_ADOPT, "",
                   "adopt wants a number from 0 to 65535, not \"\"");
    assert_refused(SETTING_ADOPT, "3e1",
                   "adopt wants a number from 0 to 65535, not \"3e1\"");
    assert_refused(SETTING_BRIDGE, "", "bridge wants a value");
    assert_refused(SETTING_BRIDGE, "udp:127.0.0.1:1",
                   "bridge wants BRIDGE, not \"udp:127.0.0.1:1\"");
    struct settings settings;
    settings_init(&settings);
    add(&settings, SETTING_INTERVAL, FROM_FLAG, "1");
    add(&settings, SETTING_INTERVAL, FROM_FLAG, "3600");
    for (int i = 0; i < 255; i++) {
        char *file = xasprintf("%d", i);
        add(&settings, SETTING_JSON, FROM_FLAG, file);
        free(file);
    }
    add(&settings, SETTING_JSON, FROM_FLAG, "7");
    assert_int_equal(settings_list(&settings, SETTING_JSON)->n, 255);
    char *error = settings_add(&settings, SETTING_JSON, FROM_FLAG, "x");
    assert_string_equal(error, "json takes at most 255 values");
    free(error);
    add(&settings, SETTING_ADOPT, FROM_FLAG, "0");
    add(&settings, SETTING_BRIDGE, FROM_FLAG, "br0");
    add(&settings, SETTING_BRIDGE, FROM_FLAG, "tcp:127.0.0.1:6633");
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 3600);
    assert_int_equal(settings_number(&settings, SETTING_ADOPT), 0);
    settings_destroy(&settings);
}

static void
test_strength(void **state OVS_UNUSED)
{
    struct settings settings;
    settings_init(&settings);
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 30);
    assert_null(settings_text(&settings, SETTING_DB));
    /* Whatever the order in which they come. */
    add(&settings, SETTING_INTERVAL, FROM_FLAG, "3");
    add(&settings, SETTING_INTERVAL, FROM_FILE, "1");
    add(&settings, SETTING_INTERVAL, FROM_OVSDB, "2");
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 3);
    assert_int_equal(settings_source(&settings, SETTING_INTERVAL), FROM_FLAG);
    add(&settings, SETTING_TUPLES, FROM_OVSDB, "2");
    add(&settings, SETTING_TUPLES, FROM_FILE, "1");
    assert_int_equal(settings_number(&settings, SETTING_TUPLES), 2);
    /* A stronger list replaces the weaker, and does not add to it. */
    add(&settings, SETTING_BRIDGE, FROM_FILE, "br0");
    add(&settings, SETTING_BRIDGE, FROM_FILE, "br1");
    assert_list(&settings, SETTING_BRIDGE, "br0|br1");
    add(&settings, SETTING_BRIDGE, FROM_OVSDB, "br2");
    assert_list(&settings, SETTING_BRIDGE, "br2");
    settings_destroy(&settings);
}

static void
test_ovsdb(void **state OVS_UNUSED)
{
    struct settings settings;
    struct smap config = SMAP_INITIALIZER(&config);
    struct svec errors = SVEC_EMPTY_INITIALIZER;
    settings_init(&settings);
    add(&settings, SETTING_TUPLES, FROM_FILE, "9");
    smap_add(&config, "hw-offload", "true");
    smap_add(&config, "sdfw-bridge", " br0, br1 br2,,tcp:[::1]:6633");
    smap_add(&config, "sdfw-interval", "10");
    settings_read_ovsdb(&settings, &config, &errors);
    assert_int_equal(errors.n, 0);
    assert_list(&settings, SETTING_BRIDGE, "br0|br1|br2|tcp:[::1]:6633");
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 10);

    /* What is wrong leaves the weaker value; what is gone is gone. */
    smap_clear(&config);
    smap_add(&config, "sdfw-adopt", "2");
    smap_add(&config, "sdfw-bridge", "br0 pipe:1");
    smap_add(&config, "sdfw-db", "unix:/tmp/db.sock");
    smap_add(&config, "sdfw-json", "/etc/passwd");
    smap_add(&config, "sdfw-nosuch", "1");
    smap_add(&config, "sdfw-tuples", "many");
    smap_add(&config, "sdfw-user", "root");
    settings_read_ovsdb(&settings, &config, &errors);
    char *joined = svec_join(&errors, "\n", "");
    assert_string_equal(joined,
        "OVSDB, other_config:sdfw-bridge: bridge wants BRIDGE, not "
        "\"pipe:1\"\n"
        "OVSDB, other_config:sdfw-db: db cannot be set in OVSDB, only by the "
        "file or a flag\n"
        "OVSDB, other_config:sdfw-json: json cannot be set in OVSDB, only by "
        "the file or a flag\n"
        "OVSDB, other_config:sdfw-nosuch: there is no setting \"nosuch\"\n"
        "OVSDB, other_config:sdfw-tuples: tuples wants a number from 1 to "
        "100000, not \"many\"\n"
        "OVSDB, other_config:sdfw-user: user cannot be set in OVSDB, only by "
        "the file or a flag");
    free(joined);
    assert_list(&settings, SETTING_BRIDGE, "");
    assert_int_equal(settings_number(&settings, SETTING_ADOPT), 2);
    assert_int_equal(settings_number(&settings, SETTING_INTERVAL), 30);
    assert_int_equal(settings_number(&settings, SETTING_TUPLES), 9);
    smap_destroy(&config);
    svec_destroy(&errors);
    settings_destroy(&settings);
}

static void
test_copy(void **state OVS_UNUSED)
{
    struct settings a, b;
    settings_init(&a);
    settings_init(&b);
    add(&a, SETTING_BRIDGE, FROM_FILE, "br0");
    add(&a, SETTING_ADOPT, FROM_FLAG, "1");
    add(&b, SETTING_BRIDGE, FROM_FILE, "br1");
    add(&b, SETTING_INTERVAL, FROM_FILE, "30");
    settings_copy(&a, &b, FROM_FILE);
    assert_list(&a, SETTING_BRIDGE, "br1");
    assert_int_equal(settings_number(&a, SETTING_ADOPT), 1);
    assert_true(settings_equal(&a, &b, SETTING_BRIDGE));
    assert_false(settings_equal(&a, &b, SETTING_ADOPT));
    /* From elsewhere, but the same. */
    settings_destroy(&b);
    settings_init(&b);
    assert_true(settings_equal(&a, &b, SETTING_INTERVAL));
    settings_destroy(&a);
    settings_destroy(&b);
}

static void
test_format(void **state OVS_UNUSED)
{
    struct settings settings;
    struct ds s = DS_EMPTY_INITIALIZER;
    settings_init(&settings);
    add(&settings, SETTING_BRIDGE, FROM_OVSDB, "br0");
    add(&settings, SETTING_BRIDGE, FROM_OVSDB, "unix:/x/br1.mgmt");
    add(&settings, SETTING_ADOPT, FROM_FLAG, "0");
    add(&settings, SETTING_TUPLES, FROM_FILE, "7");
    settings_format(&settings, &s);
    assert_ptr_equal(strstr(ds_cstr(&s),
        "setting             value             from\n"
        "topology            -                 default\n"
        "bridge              br0               OVSDB\n"
        "bridge              unix:/x/br1.mgmt  OVSDB\n"
        "db                  -                 default\n"), ds_cstr(&s));
    assert_non_null(strstr(ds_cstr(&s),
        "\ninterval            30                default\n"
        "tuples              7                 file\n"
        "alone               5                 default\n"
        "adopt               0                 flag\n"));
    ds_destroy(&s);
    settings_destroy(&settings);
}

/* The example names every setting once, in the order of the usage text, with
 * its default, and is right if all of it is taken. */
static void
test_example(void **state OVS_UNUSED)
{
    struct settings settings, defaults;
    struct ds line = DS_EMPTY_INITIALIZER, all = DS_EMPTY_INITIALIZER;
    FILE *stream = fopen("integration/sdfwd.conf", "r");
    assert_non_null(stream);
    while (!ds_get_line(&line, stream)) {
        const char *text = ds_cstr(&line);
        assert_true(!text[0] || text[0] == '#');
        if (text[0] == '#' && text[1] && text[1] != ' ') {
            ds_put_format(&all, "%s\n", text + 1);
        }
    }
    fclose(stream);
    settings_init(&settings);
    settings_init(&defaults);
    assert_errors(&settings, ds_cstr(&all), "");
    const char *at = ds_cstr(&all);
    for (int i = 0; i < N_SETTINGS; i++) {
        char *wanted = xasprintf("%s = ", setting_name(i));
        assert_int_equal(strncmp(at, wanted, strlen(wanted)), 0);
        at = strchr(at, '\n') + 1;
        free(wanted);
        if (settings_text(&defaults, i)) {
            assert_true(settings_equal(&settings, &defaults, i));
        }
    }
    assert_string_equal(at, "");
    ds_destroy(&line);
    ds_destroy(&all);
    settings_destroy(&settings);
    settings_destroy(&defaults);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_strength),
        cmocka_unit_test(test_ovsdb),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
