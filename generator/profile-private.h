/* What the files of profile.h share. */

#ifndef SDFW_PROFILE_PRIVATE_H
#define SDFW_PROFILE_PRIVATE_H 1

#include "profile.h"

#include <sqlite3.h>

#include <openvswitch/hmap.h>
#include <openvswitch/shash.h>

enum statement {
    BEGIN, COMMIT, ROLLBACK,
    FIND_OBSERVER, ADD_OBSERVER,
    FIND_END, ADD_END, NAME_END,
    ADD_ENTRY,
    FIND_TUPLE, SET_TUPLE, ADD_UNDECIDED, DELETE_UNDECIDED, FORGET_TUPLES,
    ADD_IMPORT,
    N_STATEMENTS
};

struct profile {
    sqlite3 *db;
    char *file;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct hmap ends;           /* "struct known_end"s. */
    struct shash observers;     /* Data is int64_t *, the number. */
    int64_t newest;             /* Time of what this transaction added. */
};

/* What SQLite says is wrong, in our words; the caller frees it. */
char *profile_error(const struct profile *);

#endif /* profile-private.h */
