/* A profile to history: see profile.h. */

#include "profile-private.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

struct reader {
    struct profile *profile;
    struct history *history;
    uint32_t *index_of_id;      /* Of ends; UINT32_MAX: none. */
    int64_t n_ids;
    size_t allocated;           /* Of the array that is being read. */
};

static uint32_t
index_of(const struct reader *reader, sqlite3_stmt *s, int column)
{
    int64_t id = sqlite3_column_int64(s, column);
    return id >= 0 && id < reader->n_ids ? reader->index_of_id[id]
                                         : UINT32_MAX;
}

static bool
read_end(struct reader *reader, sqlite3_stmt *s)
{
    struct history *h = reader->history;
    int64_t id = sqlite3_column_int64(s, 0);
    const char *segment = (const char *) sqlite3_column_text(s, 1);
    if (id < 0 || !segment
        || sqlite3_column_bytes(s, 2) != sizeof(struct in6_addr)) {
        return false;
    }
    if (h->n_ends >= reader->allocated) {
        h->ends = x2nrealloc(h->ends, &reader->allocated, sizeof *h->ends);
    }
    struct history_end *end = &h->ends[h->n_ends];
    memset(end, 0, sizeof *end);
    end->id = id;
    end->segment = xstrdup(segment);
    memcpy(&end->address, sqlite3_column_blob(s, 2), sizeof end->address);
    if (sqlite3_column_bytes(s, 3) == sizeof end->mac) {
        memcpy(&end->mac, sqlite3_column_blob(s, 3), sizeof end->mac);
    }
    end->name = nullable_xstrdup((const char *) sqlite3_column_text(s, 4));
    /* Rows come by number, which has few gaps. */
    reader->index_of_id = xrealloc(reader->index_of_id,
                                   (id + 1) * sizeof *reader->index_of_id);
    for (; reader->n_ids <= id; reader->n_ids++) {
        reader->index_of_id[reader->n_ids] = UINT32_MAX;
    }
    reader->index_of_id[id] = h->n_ends++;
    return true;
}

static bool
read_entry(struct reader *reader, sqlite3_stmt *s)
{
    struct history *h = reader->history;
    if (h->n_entries >= reader->allocated) {
        h->entries = x2nrealloc(h->entries, &reader->allocated,
                                sizeof *h->entries);
    }
    struct history_entry *e = &h->entries[h->n_entries++];
    *e = (struct history_entry) {
        .client = index_of(reader, s, 0), .server = index_of(reader, s, 1),
        .protocol = sqlite3_column_int(s, 2),
        .port = sqlite3_column_int(s, 3),
        .icmp_code = sqlite3_column_int(s, 4),
        .n_connections = sqlite3_column_int64(s, 5),
        .n_packets = sqlite3_column_int64(s, 7),
        .n_bytes = sqlite3_column_int64(s, 8),
        .first = sqlite3_column_int64(s, 9),
        .last = sqlite3_column_int64(s, 10),
    };
    /* Who has seen an answer is right. */
    int64_t n_answered = sqlite3_column_int64(s, 6);
    e->n_unanswered = e->n_connections - MIN(n_answered, e->n_connections);
    return e->client != UINT32_MAX && e->server != UINT32_MAX;
}

static bool
read_tuple(struct reader *reader, sqlite3_stmt *s)
{
    struct history *h = reader->history;
    if (h->n_tuples >= reader->allocated) {
        h->tuples = x2nrealloc(h->tuples, &reader->allocated,
                               sizeof *h->tuples);
    }
    struct history_tuple *t = &h->tuples[h->n_tuples++];
    *t = (struct history_tuple) {
        .observer = sqlite3_column_int64(s, 0),
        .a = index_of(reader, s, 1), .b = index_of(reader, s, 2),
        .protocol = sqlite3_column_int(s, 3),
        .a_port = sqlite3_column_int(s, 4),
        .b_port = sqlite3_column_int(s, 5),
        .n_packets = sqlite3_column_int64(s, 6),
        .n_bytes = sqlite3_column_int64(s, 7),
        .first = sqlite3_column_int64(s, 8),
        .last = sqlite3_column_int64(s, 9),
    };
    return t->a != UINT32_MAX && t->b != UINT32_MAX;
}

static char *
read_rows(struct reader *reader, const char *sql,
          bool (*read_row)(struct reader *, sqlite3_stmt *))
{
    sqlite3_stmt *s;
    reader->allocated = 0;
    if (sqlite3_prepare_v2(reader->profile->db, sql, -1, &s, NULL)) {
        return profile_error(reader->profile);
    }
    char *error = NULL;
    int code;
    while (!error && (code = sqlite3_step(s)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            error = profile_error(reader->profile);
        } else if (!read_row(reader, s)) {
            error = xasprintf("%s is damaged (an end is missing); go back to "
                              "a copy, or move it away and begin anew",
                              reader->profile->file);
        }
    }
    sqlite3_finalize(s);
    return error;
}

char *
profile_read(struct profile *profile, struct history *history)
{
    *history = (struct history) { .ends = NULL };
    struct reader reader = { .profile = profile, .history = history };
    /* One moment for all three, also if others write. */
    bool own = sqlite3_get_autocommit(profile->db);
    if (own && sqlite3_exec(profile->db, "BEGIN", NULL, NULL, NULL)) {
        return profile_error(profile);
    }
    char *error = profile_flush(profile);
    if (!error) {
        error = read_rows(
            &reader, "SELECT id, segment, address, mac, name FROM end "
            "ORDER BY id", read_end);
    }
    if (!error) {
        error = read_rows(
            &reader, "SELECT client, server, protocol, port, code, "
            "max(connections), max(connections - unanswered), max(packets), "
            "max(bytes), min(first), max(last) FROM entry "
            "GROUP BY client, server, protocol, port, code", read_entry);
    }
    if (!error) {
        error = read_rows(
            &reader, "SELECT observer, a, b, protocol, a_port, b_port, "
            "packets, bytes, first, last FROM tuple WHERE known = 0 "
            "ORDER BY a, b, protocol, a_port, b_port, observer", read_tuple);
    }
    if (own) {
        sqlite3_exec(profile->db, "COMMIT", NULL, NULL, NULL);
    }
    free(reader.index_of_id);
    if (error) {
        history_destroy(history);
    }
    return error;
}

bool
profile_has_undecided(struct profile *profile)
{
    sqlite3_stmt *s;
    bool any = !sqlite3_prepare_v2(profile->db, "SELECT 1 FROM tuple WHERE "
                                   "known = 0 LIMIT 1", -1, &s, NULL)
               && sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    return any;
}

void
history_destroy(struct history *history)
{
    for (size_t i = 0; i < history->n_ends; i++) {
        free(history->ends[i].segment);
        free(history->ends[i].name);
    }
    free(history->ends);
    free(history->entries);
    free(history->tuples);
    *history = (struct history) { .ends = NULL };
}
