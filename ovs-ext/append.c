/* Appends whole records to a file: see append.h. */

#include "append.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes the last '*n' bytes, which were written through 'fd', unless
 * somebody else has appended since, or it is no file. */
static void
take_back(int fd, size_t *n)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat st;
    if (end >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)
        && st.st_size == end && !ftruncate(fd, end - *n)) {
        *n = 0;
    }
}

bool
append_is_gone(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && !st.st_nlink;
}

int
append_whole(int fd, const void *data_, size_t n, size_t *done)
{
    const char *data = data_;
    while (*done < n) {
        ssize_t written = write(fd, data + *done, n - *done);
        if (written > 0) {
            *done += written;
        } else if (!written || errno != EINTR) {
            int error = written ? errno : EIO;
            if (*done) {
                take_back(fd, done);
            }
            return error;
        }
    }
    *done = 0;
    return 0;
}
