/* Runs a program for a limited time, without a shell. */

#ifndef SDFW_CHILD_H
#define SDFW_CHILD_H 1

#include <stdbool.h>
#include <stddef.h>

#include <openvswitch/compiler.h>

#include "loop.h"

struct child;

/* Starts argv[0], an absolute path, in a process group of its own, with
 * 'input' as standard input, nowhere to write to, PATH and LANG as environment
 * and "/" as working directory.  When it has ended, what is left of its group
 * is killed, and 'ended' is called once with how waitid(2) tells of it
 * (si_code, si_status); after 'limit_ms', the group is killed first, and
 * 'late' is true.
 *
 * On error, which the caller must free, 'ended' is not called. */
char *child_start(struct loop *, const char *const argv[],
                  const void *input, size_t n, long long int limit_ms,
                  void (*ended)(int code, int status, bool late,
                                void *aux), void *aux,
                  struct child **) OVS_WARN_UNUSED_RESULT;

/* Of one that has not ended: kills its group, without calling 'ended'. */
void child_kill(struct child *);

#endif /* child.h */
