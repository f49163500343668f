/* What was read from a file of history into a profile. */

#ifndef SDFW_IMPORT_H
#define SDFW_IMPORT_H 1

#include "observe.h"
#include "profile.h"

/* Adds what was read from the file 'path' at 'now', all of it or, after an
 * error, nothing.  Sorts it.  '*again': a file with this digest was read
 * before, and nothing is added. */
char *import_observations(struct profile *, struct observations *,
                          const char *path, const char *digest, int64_t now,
                          bool *again) OVS_WARN_UNUSED_RESULT;

#endif /* import.h */
