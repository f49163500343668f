/* Opening profiles: what a file must be, and what is said of one that is not:
 * see profile.h. */

#include "profile-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile-schema.h"
#include "util.h"

/* Longer than any import takes to write. */
#define BUSY_TIMEOUT_MS 60000

static const char *const statement_texts[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FIND_OBSERVER] = "SELECT id FROM observer WHERE name = ?1",
    [ADD_OBSERVER] = "INSERT INTO observer (name) VALUES (?1)",
    [FIND_END] = "SELECT id, mac, name FROM end "
        "WHERE segment = ?1 AND address = ?2",
    [ADD_END] = "INSERT INTO end (segment, address) VALUES (?1, ?2)",
    [NAME_END] = "UPDATE end SET mac = coalesce(?2, mac), "
        "name = coalesce(?3, name) WHERE id = ?1",
    [ADD_ENTRY] = "INSERT INTO entry VALUES "
        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, max(?8, 0), ?9, ?10, ?11, ?12) "
        "ON CONFLICT DO UPDATE SET connections = connections + ?7, "
        "unanswered = max(unanswered + ?8, 0), packets = packets + ?9, "
        "bytes = bytes + ?10, first = min(first, ?11), last = max(last, ?12)",
    [FIND_TUPLE] = "SELECT packets, bytes, unanswered, last FROM tuple "
        "WHERE known = 1 AND a = ?1 AND b = ?2 AND protocol = ?3 "
        "AND a_port = ?4 AND b_port = ?5 AND observer = ?6",
    [ADD_TUPLE] = "INSERT OR IGNORE INTO tuple VALUES "
        "(?6, 1, ?1, ?2, ?3, ?4, ?5, ?7, ?8, ?9, ?10, ?11)",
    [SET_TUPLE] = "UPDATE tuple SET packets = ?7, bytes = ?8, "
        "unanswered = ?9, first = min(first, ?10), last = max(last, ?11) "
        "WHERE known = 1 AND a = ?1 AND b = ?2 AND protocol = ?3 "
        "AND a_port = ?4 AND b_port = ?5 AND observer = ?6",
    [ADD_UNDECIDED] = "INSERT INTO tuple VALUES "
        "(?6, 0, ?1, ?2, ?3, ?4, ?5, ?7, ?8, ?9, ?10, ?11) "
        "ON CONFLICT DO UPDATE SET packets = packets + ?7, "
        "bytes = bytes + ?8, first = min(first, ?10), last = max(last, ?11)",
    [DELETE_UNDECIDED] = "DELETE FROM tuple WHERE known = 0 "
        "AND a = ?1 AND b = ?2 AND protocol = ?3 AND a_port = ?4 "
        "AND b_port = ?5 AND observer = ?6",
    [FORGET_TUPLES] = "DELETE FROM tuple WHERE known = 1 AND last < ?1",
    [ADD_IMPORT] = "INSERT OR IGNORE INTO import VALUES (?1, ?2, ?3)",
};

/* Errors. */

char *
profile_error(const struct profile *profile)
{
    int code = sqlite3_errcode(profile->db) & 0xff;
    switch (code) {
    case SQLITE_NOTADB:
        return xasprintf("%s is not a profile of sdfw; choose another file",
                         profile->file);
    case SQLITE_CORRUPT:
        return xasprintf("%s is damaged (%s); go back to a copy, or move it "
                         "away and begin anew", profile->file,
                         sqlite3_errmsg(profile->db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return xasprintf("%s is in use by another process for more than %d "
                         "s; try again", profile->file,
                         BUSY_TIMEOUT_MS / 1000);
    case SQLITE_CANTOPEN:
        return xasprintf("cannot open %s: %s", profile->file,
                         ovs_strerror(sqlite3_system_errno(profile->db)));
    case SQLITE_READONLY:
        return xasprintf("%s cannot be written", profile->file);
    default:
        return xasprintf("%s: %s", profile->file,
                         sqlite3_errmsg(profile->db));
    }
}

char *
profile_execute(struct profile *profile, const char *sql)
{
    return sqlite3_exec(profile->db, sql, NULL, NULL, NULL)
           ? profile_error(profile) : NULL;
}

char *
profile_step(struct profile *profile, enum statement which)
{
    sqlite3_stmt *statement = profile->statements[which];
    int code = sqlite3_step(statement);
    char *error = code == SQLITE_DONE ? NULL : profile_error(profile);
    sqlite3_reset(statement);
    return error;
}

/* Opening. */

static char *
pragma(struct profile *profile, const char *name, int64_t *value)
{
    char *sql = xasprintf("PRAGMA %s", name);
    sqlite3_stmt *statement;
    char *error = NULL;
    if (sqlite3_prepare_v2(profile->db, sql, -1, &statement, NULL)
        || sqlite3_step(statement) != SQLITE_ROW) {
        error = profile_error(profile);
    } else {
        *value = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    free(sql);
    return error;
}

static char *
create_tables(struct profile *profile)
{
    char *error = profile_execute(profile, "BEGIN IMMEDIATE");
    if (error) {
        return error;
    }
    /* Another process may have been faster. */
    int64_t id = 0;
    error = pragma(profile, "application_id", &id);
    if (!error && !id) {
        error = profile_execute(profile, PROFILE_SCHEMA);
    }
    if (error) {
        sqlite3_exec(profile->db, "ROLLBACK", NULL, NULL, NULL);
        return error;
    }
    return profile_execute(profile, "COMMIT");
}

/* A damaged file is better told now than after an hour of reading. */
static char *
check_pages(struct profile *profile)
{
    sqlite3_stmt *statement;
    char *error = NULL;
    if (sqlite3_prepare_v2(profile->db, "PRAGMA quick_check(1)", -1,
                           &statement, NULL)
        || sqlite3_step(statement) != SQLITE_ROW) {
        error = profile_error(profile);
    } else {
        const char *text = (const char *) sqlite3_column_text(statement, 0);
        if (strcmp(text, "ok")) {
            error = xasprintf("%s is damaged (%s); go back to a copy, or "
                              "move it away and begin anew", profile->file,
                              text);
        }
    }
    sqlite3_finalize(statement);
    return error;
}

static char *
check_file(struct profile *profile, bool create)
{
    int64_t id, version, n_pages;
    char *error = pragma(profile, "application_id", &id);
    if (!error) {
        error = pragma(profile, "page_count", &n_pages);
    }
    if (!error && !n_pages && create) {
        error = create_tables(profile);
        if (!error) {
            error = pragma(profile, "application_id", &id);
        }
    }
    if (error) {
        return error;
    }
    if (id != strtoll(PROFILE_APPLICATION_ID, NULL, 10)) {
        return xasprintf("%s is not a profile of sdfw; choose another file",
                         profile->file);
    }
    error = pragma(profile, "user_version", &version);
    if (!error && version != PROFILE_VERSION) {
        error = xasprintf("%s is a profile of version %"PRId64", and this "
                          "sdfw knows version %d; use the sdfw that wrote it",
                          profile->file, version, PROFILE_VERSION);
    }
    return error ? error : check_pages(profile);
}

static char *
prepare(struct profile *profile)
{
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(profile->db, statement_texts[i], -1,
                               SQLITE_PREPARE_PERSISTENT,
                               &profile->statements[i], NULL)) {
            return profile_error(profile);
        }
    }
    return NULL;
}

/* Who talks to whom is not for everybody to read. */
#define PROFILE_MODE 0640

static char *
check_access(const char *file, bool create)
{
    int fd = open(file, create ? O_RDWR | O_CREAT : O_RDONLY, PROFILE_MODE);
    if (fd < 0) {
        return xasprintf("cannot %s %s: %s", create ? "write" : "read", file,
                         ovs_strerror(errno));
    }
    close(fd);
    return NULL;
}

char *
profile_open(const char *file, bool create, struct profile **profilep)
{
    *profilep = NULL;
    char *error = check_access(file, create);
    if (error) {
        return error;
    }
    struct profile *profile = xzalloc(sizeof *profile);
    profile->file = xstrdup(file);
    hmap_init(&profile->ends);
    shash_init(&profile->observers);

    /* Also who only reads may have to take back what a process left that was
     * killed.  Without the right to write, SQLite opens for reading. */
    if (sqlite3_open_v2(file, &profile->db,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL)) {
        error = profile_error(profile);
    } else {
        sqlite3_busy_timeout(profile->db, BUSY_TIMEOUT_MS);
        /* Random keys: most of the file should fit. */
        error = profile_execute(profile, "PRAGMA cache_size = -131072");
    }
    if (!error) {
        error = check_file(profile, create);
    }
    if (!error) {
        error = prepare(profile);
    }
    if (error) {
        profile_close(profile);
        return error;
    }
    *profilep = profile;
    return NULL;
}

void
profile_close(struct profile *profile)
{
    if (profile) {
        for (size_t i = 0; i < N_STATEMENTS; i++) {
            sqlite3_finalize(profile->statements[i]);
        }
        sqlite3_close(profile->db);
        profile_forget_ends(profile);
        hmap_destroy(&profile->ends);
        shash_destroy(&profile->observers);
        free(profile->file);
        free(profile);
    }
}


char *
profile_add_import(struct profile *profile, const char *digest,
                   const char *name, int64_t now, bool *again)
{
    sqlite3_stmt *s = profile->statements[ADD_IMPORT];
    sqlite3_bind_text(s, 1, digest, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, now);
    char *error = profile_step(profile, ADD_IMPORT);
    *again = !error && !sqlite3_changes(profile->db);
    return error;
}
