/* append.c: a record is in the file as a whole, or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "append.h"
#include "util.h"

static off_t
size_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_size;
}

/* Files may not become larger, as if the disk were full. */
static void
limit(rlim_t size)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static int
make_file(void)
{
    char name[] = "/tmp/sdfw-append-XXXXXX";
    int fd = mkostemp(name, O_APPEND);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static void
test_part_is_taken_back(void **state OVS_UNUSED)
{
    int fd = make_file();
    size_t done = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(append_whole(fd, "first\n", 6, &done), 0);
    limit(10);
    assert_int_equal(append_whole(fd, "second\n", 7, &done), EFBIG);
    assert_int_equal(done, 0);
    assert_int_equal(size_of(fd), 6);
    limit(RLIM_INFINITY);
    assert_int_equal(append_whole(fd, "third\n", 6, &done), 0);
    char text[20];
    assert_int_equal(pread(fd, text, sizeof text, 0), 12);
    assert_memory_equal(text, "first\nthird\n", 12);
    close(fd);
}

static void
test_pipe_goes_on(void **state OVS_UNUSED)
{
    enum { N = 200000 };
    char *sent = xmalloc(N), *got = xmalloc(N);
    for (size_t i = 0; i < N; i++) {
        sent[i] = i * 7 + i / 256;
    }
    int fds[2];
    size_t done = 0, n = 0, last = 0;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    int error;
    while ((error = append_whole(fds[1], sent, N, &done))) {
        assert_int_equal(error, EAGAIN);
        assert_true(done > last && done < N);
        last = done;
        n += read(fds[0], got + n, N - n);
    }
    assert_int_equal(done, 0);
    n += read(fds[0], got + n, N - n);
    assert_int_equal(n, N);
    assert_memory_equal(sent, got, N);
    close(fds[0]);
    close(fds[1]);
    free(sent);
    free(got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_is_taken_back),
        cmocka_unit_test(test_pipe_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
