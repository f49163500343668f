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
    ADD_TUPLE, FIND_TUPLE, SET_TUPLE, FORGET_TUPLES,
    ADD_UNDECIDED, DELETE_UNDECIDED,
    ADD_IMPORT,
    N_STATEMENTS
};

/* Without padding, so that its bytes can be compared. */
struct entry_key {
    int64_t observer, client, server;
    uint32_t protocol, port;
    uint64_t code;
};

/* What is to be added to an entry; differences may be negative. */
struct pending_entry {
    bool waits;
    struct entry_key key;
    int64_t connections, unanswered, packets, bytes;
    int64_t first, last;
};

struct profile {
    sqlite3 *db;
    char *file;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct hmap ends;           /* "struct known_end"s. */
    struct shash observers;     /* Data is int64_t *, the number. */
    struct pending_entry pending;
    int64_t newest;             /* Time of what this transaction added. */
};

/* Writes the entry that waits to be added to. */
char *profile_flush(struct profile *) OVS_WARN_UNUSED_RESULT;

/* Runs SQL without parameters or results. */
char *profile_execute(struct profile *, const char *sql)
    OVS_WARN_UNUSED_RESULT;

/* Runs a statement without a result, whose parameters are bound. */
char *profile_step(struct profile *, enum statement) OVS_WARN_UNUSED_RESULT;

/* Forgets what this process knows of ends and observers. */
void profile_forget_ends(struct profile *);

/* What SQLite says is wrong, in our words; the caller frees it. */
char *profile_error(const struct profile *);

#endif /* profile-private.h */
