/* profile.c: what is added comes back, over restarts, observers and merges. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "direction.h"
#include "profile.h"
#include "util.h"
#include "values.h"

static char *
temporary(const char *name)
{
    static char directory[] = "/tmp/sdfw-profile-XXXXXX";
    static bool made;
    if (!made) {
        assert_non_null(mkdtemp(directory));
        made = true;
    }
    char *path = xasprintf("%s/%s", directory, name);
    unlink(path);
    return path;
}

static void
ok(char *error)
{
    if (error) {
        fail_msg("%s", error);
    }
}

static struct in6_addr
address(const char *text)
{
    struct in6_addr a;
    assert_true(value_parse_address(text, &a));
    return a;
}

static struct observation
web_to_db(const char *observer)
{
    return (struct observation) {
        .observer = observer, .segment = "default",
        .src.address = address("10.0.0.1"),
        .dst.address = address("10.0.0.2"),
        .protocol = 6, .src_port = 40000, .dst_port = 5432,
        .opener_known = true, .n_connections = 1, .n_packets = 10,
        .n_bytes = 1000, .first = 100, .last = 200,
    };
}

static void
add(const char *path, const struct observation *all, size_t n)
{
    struct profile *profile;
    ok(profile_open(path, true, &profile));
    ok(profile_begin(profile));
    for (size_t i = 0; i < n; i++) {
        ok(profile_add(profile, &all[i]));
    }
    ok(profile_commit(profile));
    profile_close(profile);
}

static struct history
read_back(const char *path)
{
    struct profile *profile;
    struct history history;
    ok(profile_open(path, false, &profile));
    ok(profile_read(profile, &history));
    profile_close(profile);
    return history;
}

static void
test_adds_up(void **state OVS_UNUSED)
{
    char *path = temporary("adds-up");
    struct observation o = web_to_db("hv1");
    o.src.name = "vnet3";
    add(path, &o, 1);
    o.src_port = 40001;
    o.first = 50;
    o.last = 60;
    o.src.name = NULL;
    add(path, &o, 1);
    struct history h = read_back(path);
    assert_int_equal(h.n_ends, 2);
    assert_int_equal(h.n_entries, 1);
    assert_int_equal(h.entries[0].n_connections, 2);
    assert_int_equal(h.entries[0].n_packets, 20);
    assert_int_equal(h.entries[0].first, 50);
    assert_int_equal(h.entries[0].last, 200);
    assert_int_equal(h.entries[0].port, 5432);
    /* What was known of an end is not forgotten. */
    assert_string_equal(h.ends[h.entries[0].client].name, "vnet3");
    history_destroy(&h);
    free(path);
}

static void
test_observers_are_not_added_up(void **state OVS_UNUSED)
{
    char *path = temporary("observers");
    struct observation all[] = {
        web_to_db("hv1"), web_to_db("hv1"), web_to_db("hv1"),
        web_to_db("hv2"), web_to_db("hv2"),
    };
    add(path, all, ARRAY_SIZE(all));
    struct history h = read_back(path);
    assert_int_equal(h.n_entries, 1);
    assert_int_equal(h.entries[0].n_connections, 3);
    history_destroy(&h);
    free(path);
}

/* A connection that is listed every minute is one connection. */
static void
test_cumulative(void **state OVS_UNUSED)
{
    char *path = temporary("cumulative");
    struct observation o = web_to_db("hv1");
    o.cumulative = true;
    o.n_unanswered = 1;
    add(path, &o, 1);
    o.n_unanswered = 0;
    for (int i = 0; i < 5; i++) {
        o.n_packets += 5;
        o.first = o.last += 60;
        add(path, &o, 1);
    }
    struct history h = read_back(path);
    assert_int_equal(h.entries[0].n_connections, 1);
    assert_int_equal(h.entries[0].n_packets, 35);
    assert_int_equal(h.entries[0].n_unanswered, 0);
    history_destroy(&h);

    /* Two days later it is another one, as it is with fewer packets. */
    o.first = o.last += 2 * 24 * 60 * 60;
    add(path, &o, 1);
    o.first = o.last += 60;
    o.n_packets = 1;
    add(path, &o, 1);
    h = read_back(path);
    assert_int_equal(h.entries[0].n_connections, 3);
    history_destroy(&h);
    free(path);
}

static void
test_segments(void **state OVS_UNUSED)
{
    char *path = temporary("segments");
    struct observation all[] = { web_to_db("hv1"), web_to_db("hv1") };
    all[1].segment = "vlan:10";
    add(path, all, 2);
    struct history h = read_back(path);
    assert_int_equal(h.n_ends, 4);
    assert_int_equal(h.n_entries, 2);
    history_destroy(&h);
    free(path);
}

static void
merge(const char *path, const char *other)
{
    struct profile *profile;
    ok(profile_open(path, true, &profile));
    ok(profile_merge(profile, other));
    profile_close(profile);
}

static void
test_merge(void **state OVS_UNUSED)
{
    char *a = temporary("merge-a"), *b = temporary("merge-b");
    struct observation first[] = { web_to_db("hv1"), web_to_db("hv1") };
    struct observation second[] = {
        web_to_db("hv2"), web_to_db("hv2"), web_to_db("hv2"),
        web_to_db("hv2"),
    };
    /* Numbers of ends differ in the two files. */
    second[3].src.address = address("10.0.0.9");
    second[3].dst.address = address("10.0.0.1");
    second[3].opener_known = false;
    add(a, first, 2);
    add(b, &second[3], 1);
    add(b, second, 3);
    for (int i = 0; i < 3; i++) {
        merge(a, b);
        struct history h = read_back(a);
        history_settle(&h);
        assert_int_equal(h.n_ends, 3);
        assert_int_equal(h.n_entries, 2);
        for (size_t j = 0; j < 2; j++) {
            char *client = address_to_string(
                &h.ends[h.entries[j].client].address);
            assert_int_equal(h.entries[j].n_connections,
                             strcmp(client, "10.0.0.9") ? 3 : 1);
            free(client);
        }
        history_destroy(&h);
    }
    free(a);
    free(b);
}

static void
write_file(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static void
refused(const char *path, bool create, const char *expected)
{
    struct profile *profile;
    char *error = profile_open(path, create, &profile);
    assert_non_null(error);
    assert_null(profile);
    if (!strstr(error, expected) || !strstr(error, path)) {
        fail_msg("\"%s\" lacks \"%s\" or the name", error, expected);
    }
    free(error);
}

static void
test_wrong_files(void **state OVS_UNUSED)
{
    char *path = temporary("wrong");
    refused(path, false, "No such file");
    write_file(path, "This is a letter, and by no means a profile of sdfw; "
               "it is long enough to be looked at as a database, too.\n");
    refused(path, true, "not a profile");
    FILE *stream = fopen(path, "r");
    assert_int_equal(getc(stream), 'T');
    fclose(stream);

    unlink(path);
    struct observation o = web_to_db("hv1");
    add(path, &o, 1);
    assert_int_equal(truncate(path, 5000), 0);
    refused(path, true, "damaged");
    free(path);
}

static void
sql(const char *path, const char *text)
{
    char *command = xasprintf("python3 -c \"import sqlite3; "
                              "c = sqlite3.connect('%s'); "
                              "c.execute('%s'); c.commit()\"", path, text);
    assert_int_equal(system(command), 0);
    free(command);
}

/* A directory, and one that is not there. */
static void
test_places(void **state OVS_UNUSED)
{
    char *path = temporary("none/profile");
    refused(path, true, "No such file or directory");
    free(path);
    refused("/tmp", true, "Is a directory");
    path = temporary("private");
    struct observation o = web_to_db("hv1");
    add(path, &o, 1);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0007, 0);
    free(path);
}

/* What a process wrote that was killed in between is not there, also for who
 * only reads. */
static void
test_killed_writer(void **state OVS_UNUSED)
{
    char *path = temporary("killed");
    struct observation o = web_to_db("hv1");
    add(path, &o, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        struct profile *profile;
        if (profile_open(path, true, &profile) || profile_begin(profile)) {
            _exit(1);
        }
        /* More than SQLite keeps in memory, so that it is in the file. */
        sqlite3_soft_heap_limit64(1 << 20);
        for (uint32_t i = 0; i < 50000; i++) {
            ovs_be32 ipv4 = htonl(0x0a000000 + i);
            memcpy(&o.src.address.s6_addr[12], &ipv4, sizeof ipv4);
            if (profile_add(profile, &o)) {
                _exit(1);
            }
        }
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    char *journal = xasprintf("%s-journal", path);
    assert_int_equal(access(journal, F_OK), 0);
    struct history h = read_back(path);
    assert_int_equal(h.n_entries, 1);
    assert_int_equal(access(journal, F_OK), -1);
    history_destroy(&h);
    free(journal);
    free(path);
}

static void
test_versions(void **state OVS_UNUSED)
{
    char *path = temporary("version");
    struct observation o = web_to_db("hv1");
    add(path, &o, 1);
    sql(path, "PRAGMA user_version = 2");
    refused(path, true, "version 2");
    free(path);
    path = temporary("other");
    sql(path, "CREATE TABLE cookies (a, b)");
    refused(path, true, "not a profile");
    free(path);
}

/* Writers at the same time wait for each other, and lose nothing. */
static void
test_concurrent_writers(void **state OVS_UNUSED)
{
    enum { WRITERS = 4, ROUNDS = 10 };
    char *path = temporary("concurrent");
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (!children[i]) {
            struct observation o = web_to_db("hv1");
            for (int j = 0; j < ROUNDS; j++) {
                struct profile *profile;
                if (profile_open(path, true, &profile)
                    || profile_begin(profile) || profile_add(profile, &o)
                    || profile_commit(profile)) {
                    _exit(1);
                }
                profile_close(profile);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct history h = read_back(path);
    assert_int_equal(h.entries[0].n_connections, WRITERS * ROUNDS);
    history_destroy(&h);
    free(path);
}

/* What is taken back leaves nothing, also no numbers of ends in memory. */
static void
test_rollback(void **state OVS_UNUSED)
{
    char *path = temporary("rollback");
    struct observation o = web_to_db("hv1");
    struct profile *profile;
    ok(profile_open(path, true, &profile));
    ok(profile_begin(profile));
    ok(profile_add(profile, &o));
    profile_rollback(profile);
    ok(profile_begin(profile));
    o.dst.address = address("10.0.0.3");
    ok(profile_add(profile, &o));
    ok(profile_commit(profile));
    profile_close(profile);
    struct history h = read_back(path);
    assert_int_equal(h.n_ends, 2);
    assert_int_equal(h.n_entries, 1);
    assert_int_equal(h.entries[0].n_connections, 1);
    history_destroy(&h);
    free(path);
}

static int
clean_up(void **state OVS_UNUSED)
{
    char *path = temporary("last");
    *strrchr(path, '/') = '\0';
    char *command = xasprintf("rm -rf '%s'", path);
    int status = system(command);
    free(command);
    free(path);
    return status;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_observers_are_not_added_up),
        cmocka_unit_test(test_cumulative),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_killed_writer),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_concurrent_writers),
        cmocka_unit_test(test_rollback),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
