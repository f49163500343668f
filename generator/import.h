/* A file of history into a profile. */

#ifndef SDFW_IMPORT_H
#define SDFW_IMPORT_H 1

#include "observe.h"
#include "profile.h"

/* Reads 'path' and adds what it tells, all of it or, after an error, nothing.
 * '*again': a file with the same content was read before, and nothing was
 * added.  The caller destroys the result in any case. */
char *import_file(struct profile *, const char *path, const char *observer,
                  int64_t now, struct observe_result *, bool *again)
    OVS_WARN_UNUSED_RESULT;

#endif /* import.h */
