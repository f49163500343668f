/* Envelopes: what is signed, and what is noticed. */

#include "dsse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"

#define TYPE "application/x-test"

/* The key of RFC 8032, 7.1, test 1, in PKCS #8. */
static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n";

static char *
write_file(const char *text)
{
    char *name = xstrdup("/tmp/test-dsse-XXXXXX");
    int fd = mkstemp(name);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return name;
}

static struct dsse_key *
read_key(const char *text, char *(*read)(const char *, struct dsse_key **))
{
    struct dsse_key *key;
    char *file = write_file(text);
    char *error = read(file, &key);
    unlink(file);
    free(file);
    assert_null(error);
    return key;
}

struct keys {
    struct dsse_key *private, *public;
};

static void
set_up(struct keys *keys)
{
    keys->private = read_key(private_key, dsse_read_private_key);
    keys->public = read_key(public_key, dsse_read_public_key);
    assert_string_equal(dsse_key_id(keys->private),
                        dsse_key_id(keys->public));
}

static void
tear_down(struct keys *keys)
{
    dsse_key_destroy(keys->private);
    dsse_key_destroy(keys->public);
}

static void
test_round_trip(void **state OVS_UNUSED)
{
    static const char *const payloads[] = { "", "a", "ab", "abc",
                                            "{\"n\": 1}\n" };
    struct keys keys;
    set_up(&keys);
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        char *payload, *envelope = dsse_sign(keys.private, TYPE, payloads[i]);
        assert_null(strchr(envelope, '\n'));
        assert_null(dsse_verify(keys.public, TYPE, envelope, &payload));
        assert_string_equal(payload, payloads[i]);
        free(payload);
        free(envelope);
    }
    tear_down(&keys);
}

static void
assert_refused(const struct dsse_key *key, const char *type,
               const char *envelope)
{
    char *payload, *error = dsse_verify(key, type, envelope, &payload);
    assert_non_null(error);
    assert_null(payload);
    free(error);
}

static void
test_every_changed_byte_is_noticed(void **state OVS_UNUSED)
{
    struct keys keys;
    set_up(&keys);
    char *envelope = dsse_sign(keys.private, TYPE, "conforms");
    assert_refused(keys.public, "application/x-other", envelope);
    size_t n = strlen(envelope);
    for (size_t i = 0; i < n; i++) {
        char c = envelope[i];
        char *payload, *error;
        envelope[i] ^= 1;
        error = dsse_verify(keys.public, TYPE, envelope, &payload);
        if (!error) {
            /* The key's name is a hint, and is not signed; base64 has bits
             * that say nothing. */
            assert_string_equal(payload, "conforms");
        }
        free(payload);
        free(error);
        envelope[i] = c;
    }
    free(envelope);
    assert_refused(keys.public, TYPE, "");
    assert_refused(keys.public, TYPE, "{}");
    assert_refused(keys.public, TYPE, "[]");
    assert_refused(keys.public, TYPE, "{\"payload\":\"\",\"payloadType\":\""
                   TYPE"\",\"signatures\":[]}");
    assert_refused(keys.public, TYPE, "{\"payload\":\"YQ==\",\"payloadType\":"
                   "\""TYPE"\",\"signatures\":[{\"sig\":\"AAAA\"},3]}");
    tear_down(&keys);
}

static void
test_other_keys(void **state OVS_UNUSED)
{
    static const char other[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
        "-----END PUBLIC KEY-----\n";
    struct keys keys;
    set_up(&keys);
    struct dsse_key *stranger = read_key(other, dsse_read_public_key);
    char *envelope = dsse_sign(keys.private, TYPE, "conforms");
    assert_refused(stranger, TYPE, envelope);
    free(envelope);
    dsse_key_destroy(stranger);
    tear_down(&keys);

    char *file = write_file("no key\n");
    struct dsse_key *key;
    char *error = dsse_read_private_key(file, &key);
    assert_non_null(strstr(error, "openssl genpkey"));
    free(error);
    error = dsse_read_public_key("/nonexistent", &key);
    assert_non_null(strstr(error, "No such file"));
    free(error);
    unlink(file);
    free(file);
}

static void
test_deterministic(void **state OVS_UNUSED)
{
    /* FIPS 180-4's example. */
    char hex[SHA256_HEX_SIZE];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
                        "b410ff61f20015ad");
    struct keys keys;
    set_up(&keys);
    char *one = dsse_sign(keys.private, TYPE, "hello");
    char *two = dsse_sign(keys.private, TYPE, "hello");
    assert_string_equal(one, two);
    free(one);
    free(two);
    tear_down(&keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_changed_byte_is_noticed),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
