/* Appends whole records to a file: a reader sees all of one, or nothing. */

#ifndef SDFW_APPEND_H
#define SDFW_APPEND_H 1

#include <stdbool.h>
#include <stddef.h>

/* Appends 'n' bytes, of which '*done', mostly 0, have been written before, to
 * 'fd', which is opened with O_APPEND.  Returns 0, or an errno.
 *
 * If a part could be written only (the disk is full), it is taken back and
 * '*done' is 0.  If that cannot be, as in a FIFO, '*done' says how much of the
 * record is there; after EAGAIN, the same can be called again to go on. */
int append_whole(int fd, const void *data, size_t n, size_t *done);

/* Was the file removed?  What is appended to it, nobody can read. */
bool append_is_gone(int fd);

#endif /* append.h */
