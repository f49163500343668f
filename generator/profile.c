/* The profile as a SQLite database: see profile.h.  What is read back for
 * learning is in profile-read.c. */

#include "profile-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openvswitch/shash.h>

#include "hash.h"
#include "packets.h"
#include "profile-schema.h"
#include "util.h"

/* Longer than any import takes to write. */
#define BUSY_TIMEOUT_MS 60000

/* The same addresses and ports are the same connection if they are seen again
 * within this time; then they are forgotten. */
#define SAME_CONNECTION_S (24 * 60 * 60)

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

/* Ends that this process knows, so that most are not asked for. */
struct known_end {
    struct hmap_node node;
    struct in6_addr address;
    struct eth_addr mac;
    char *segment, *name;
    int64_t id;
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
                         ovs_strerror(errno ? errno : ENOENT));
    case SQLITE_READONLY:
        return xasprintf("%s cannot be written", profile->file);
    default:
        return xasprintf("%s: %s", profile->file,
                         sqlite3_errmsg(profile->db));
    }
}

static char *
execute(struct profile *profile, const char *sql)
{
    return sqlite3_exec(profile->db, sql, NULL, NULL, NULL)
           ? profile_error(profile) : NULL;
}

/* Runs a statement without a result, whose parameters are bound. */
static char *
step(struct profile *profile, enum statement which)
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
    char *error = execute(profile, "BEGIN IMMEDIATE");
    if (error) {
        return error;
    }
    /* Another process may have been faster. */
    int64_t id = 0;
    error = pragma(profile, "application_id", &id);
    if (!error && !id) {
        error = execute(profile, PROFILE_SCHEMA);
    }
    if (error) {
        sqlite3_exec(profile->db, "ROLLBACK", NULL, NULL, NULL);
        return error;
    }
    return execute(profile, "COMMIT");
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

char *
profile_open(const char *file, bool create, struct profile **profilep)
{
    struct profile *profile = xzalloc(sizeof *profile);
    profile->file = xstrdup(file);
    hmap_init(&profile->ends);
    shash_init(&profile->observers);
    *profilep = NULL;

    char *error = NULL;
    errno = 0;
    if (!create && access(file, R_OK)) {
        error = xasprintf("cannot read %s: %s", file, ovs_strerror(errno));
    } else if (sqlite3_open_v2(file, &profile->db,
                               SQLITE_OPEN_NOMUTEX
                               | (create ? SQLITE_OPEN_READWRITE
                                           | SQLITE_OPEN_CREATE
                                         : SQLITE_OPEN_READONLY), NULL)) {
        error = profile_error(profile);
    } else {
        sqlite3_busy_timeout(profile->db, BUSY_TIMEOUT_MS);
        /* Random keys: most of the file should fit. */
        error = execute(profile, "PRAGMA cache_size = -131072");
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

static void
forget_ends(struct profile *profile)
{
    struct known_end *end;
    HMAP_FOR_EACH_POP (end, node, &profile->ends) {
        free(end->segment);
        free(end->name);
        free(end);
    }
    shash_clear_free_data(&profile->observers);
}

void
profile_close(struct profile *profile)
{
    if (profile) {
        for (size_t i = 0; i < N_STATEMENTS; i++) {
            sqlite3_finalize(profile->statements[i]);
        }
        sqlite3_close(profile->db);
        forget_ends(profile);
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
    char *error = step(profile, ADD_IMPORT);
    *again = !error && !sqlite3_changes(profile->db);
    return error;
}

/* Observers and ends to their numbers. */

static char *
find_observer(struct profile *profile, const char *name, int64_t *id)
{
    int64_t *known = shash_find_data(&profile->observers, name);
    if (known) {
        *id = *known;
        return NULL;
    }
    sqlite3_stmt *s = profile->statements[FIND_OBSERVER];
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    *id = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (code == SQLITE_DONE) {
        s = profile->statements[ADD_OBSERVER];
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
        char *error = step(profile, ADD_OBSERVER);
        if (error) {
            return error;
        }
        *id = sqlite3_last_insert_rowid(profile->db);
    } else if (code != SQLITE_ROW) {
        return profile_error(profile);
    }
    shash_add(&profile->observers, name, xmemdup(id, sizeof *id));
    return NULL;
}

/* Reads the end from the file, or adds it there. */
static char *
load_end(struct profile *profile, struct known_end *end)
{
    sqlite3_stmt *s = profile->statements[FIND_END];
    sqlite3_bind_text(s, 1, end->segment, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, &end->address, sizeof end->address,
                      SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        end->id = sqlite3_column_int64(s, 0);
        if (sqlite3_column_bytes(s, 1) == sizeof end->mac) {
            memcpy(&end->mac, sqlite3_column_blob(s, 1), sizeof end->mac);
        }
        end->name = nullable_xstrdup(
            (const char *) sqlite3_column_text(s, 2));
    }
    sqlite3_reset(s);
    if (code == SQLITE_DONE) {
        s = profile->statements[ADD_END];
        sqlite3_bind_text(s, 1, end->segment, -1, SQLITE_STATIC);
        sqlite3_bind_blob(s, 2, &end->address, sizeof end->address,
                          SQLITE_STATIC);
        char *error = step(profile, ADD_END);
        end->id = sqlite3_last_insert_rowid(profile->db);
        return error;
    }
    return code == SQLITE_ROW ? NULL : profile_error(profile);
}

/* What is told of an end, and was not known or was different, is kept. */
static char *
name_end(struct profile *profile, struct known_end *end,
         const struct observed_end *observed)
{
    bool new_mac = !eth_addr_is_zero(observed->mac)
                   && !eth_addr_equals(observed->mac, end->mac);
    bool new_name = observed->name && observed->name[0]
                    && !nullable_string_is_equal(observed->name, end->name);
    if (!new_mac && !new_name) {
        return NULL;
    }
    sqlite3_stmt *s = profile->statements[NAME_END];
    sqlite3_bind_int64(s, 1, end->id);
    if (new_mac) {
        end->mac = observed->mac;
        sqlite3_bind_blob(s, 2, &end->mac, sizeof end->mac, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(s, 2);
    }
    if (new_name) {
        free(end->name);
        end->name = xstrdup(observed->name);
        sqlite3_bind_text(s, 3, end->name, -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(s, 3);
    }
    return step(profile, NAME_END);
}

static char *
find_end(struct profile *profile, const char *segment,
         const struct observed_end *observed, int64_t *id)
{
    uint32_t hash = hash_string(segment, hash_bytes(&observed->address,
                                                    sizeof(struct in6_addr),
                                                    0));
    struct known_end *end;
    HMAP_FOR_EACH_WITH_HASH (end, node, hash, &profile->ends) {
        if (IN6_ARE_ADDR_EQUAL(&end->address, &observed->address)
            && !strcmp(end->segment, segment)) {
            *id = end->id;
            return name_end(profile, end, observed);
        }
    }
    end = xzalloc(sizeof *end);
    end->address = observed->address;
    end->segment = xstrdup(segment);
    hmap_insert(&profile->ends, &end->node, hash);
    char *error = load_end(profile, end);
    *id = end->id;
    return error ? error : name_end(profile, end, observed);
}

/* Adding. */

/* A connection as it stands in table 'tuple'. */
struct tuple {
    int64_t observer, a, b;
    uint8_t protocol;
    uint16_t a_port, b_port;
};

static void
bind_tuple(sqlite3_stmt *s, const struct tuple *tuple)
{
    sqlite3_bind_int64(s, 1, tuple->a);
    sqlite3_bind_int64(s, 2, tuple->b);
    sqlite3_bind_int(s, 3, tuple->protocol);
    sqlite3_bind_int(s, 4, tuple->a_port);
    sqlite3_bind_int(s, 5, tuple->b_port);
    sqlite3_bind_int64(s, 6, tuple->observer);
}

static void
bind_counts(sqlite3_stmt *s, const struct observation *o)
{
    sqlite3_bind_int64(s, 7, o->n_packets);
    sqlite3_bind_int64(s, 8, o->n_bytes);
    sqlite3_bind_int64(s, 9, o->n_unanswered);
    sqlite3_bind_int64(s, 10, o->first);
    sqlite3_bind_int64(s, 11, o->last);
}

/* What is to be added to an entry; differences may be negative. */
struct difference {
    int64_t connections, unanswered, packets, bytes;
};

/* Takes from '*d' what an earlier import told of the same connection. */
static char *
subtract_known(struct profile *profile, const struct tuple *tuple,
               const struct observation *o, struct difference *d)
{
    sqlite3_stmt *s = profile->statements[ADD_TUPLE];
    bind_tuple(s, tuple);
    bind_counts(s, o);
    char *error = step(profile, ADD_TUPLE);
    if (error || sqlite3_changes(profile->db)) {
        return error;           /* Mostly it is new. */
    }
    s = profile->statements[FIND_TUPLE];
    bind_tuple(s, tuple);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW
        && sqlite3_column_int64(s, 0) <= d->packets
        && o->first <= sqlite3_column_int64(s, 3) + SAME_CONNECTION_S) {
        d->connections = 0;
        d->packets -= sqlite3_column_int64(s, 0);
        d->bytes -= MIN(d->bytes, sqlite3_column_int64(s, 1));
        d->unanswered -= sqlite3_column_int64(s, 2);
    }
    sqlite3_reset(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return profile_error(profile);
    }
    s = profile->statements[SET_TUPLE];
    bind_tuple(s, tuple);
    bind_counts(s, o);
    return step(profile, SET_TUPLE);
}

char *
profile_flush(struct profile *profile)
{
    const struct pending_entry *p = &profile->pending;
    if (!p->waits) {
        return NULL;
    }
    const int64_t values[] = {
        p->key.observer, p->key.client, p->key.server, p->key.protocol,
        p->key.port, p->key.code, p->connections, p->unanswered, p->packets,
        p->bytes, p->first, p->last,
    };
    sqlite3_stmt *s = profile->statements[ADD_ENTRY];
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        sqlite3_bind_int64(s, i + 1, values[i]);
    }
    profile->pending.waits = false;
    return step(profile, ADD_ENTRY);
}

/* Adds to an entry.  What is added to one in a row is written at once. */
static char *
add_entry(struct profile *profile, const struct entry_key *key,
          const struct difference *d, int64_t first, int64_t last)
{
    struct pending_entry *p = &profile->pending;
    if (!p->waits || memcmp(&p->key, key, sizeof *key)) {
        char *error = profile_flush(profile);
        if (error) {
            return error;
        }
        *p = (struct pending_entry) {
            .waits = true, .key = *key, .first = first, .last = last,
        };
    }
    p->connections += d->connections;
    p->unanswered += d->unanswered;
    p->packets += d->packets;
    p->bytes += d->bytes;
    p->first = MIN(p->first, first);
    p->last = MAX(p->last, last);
    return NULL;
}

static char *
add_undecided(struct profile *profile, struct tuple tuple,
              const struct observation *o)
{
    /* One order, whoever was seen to send first. */
    if (tuple.a > tuple.b
        || (tuple.a == tuple.b && tuple.a_port > tuple.b_port)) {
        tuple = (struct tuple) {
            .observer = tuple.observer, .protocol = tuple.protocol,
            .a = tuple.b, .b = tuple.a,
            .a_port = tuple.b_port, .b_port = tuple.a_port,
        };
    }
    sqlite3_stmt *s = profile->statements[ADD_UNDECIDED];
    bind_tuple(s, &tuple);
    bind_counts(s, o);
    return step(profile, ADD_UNDECIDED);
}

char *
profile_add(struct profile *profile, const struct observation *o)
{
    struct tuple tuple = {
        .protocol = o->protocol, .a_port = o->src_port, .b_port = o->dst_port,
    };
    char *error = find_observer(profile, o->observer, &tuple.observer);
    if (!error) {
        error = find_end(profile, o->segment, &o->src, &tuple.a);
    }
    if (!error) {
        error = find_end(profile, o->segment, &o->dst, &tuple.b);
    }
    if (error) {
        return error;
    }
    profile->newest = MAX(profile->newest, o->last);
    if (!o->opener_known) {
        return add_undecided(profile, tuple, o);
    }
    struct difference d = {
        .connections = o->n_connections, .unanswered = o->n_unanswered,
        .packets = o->n_packets, .bytes = o->n_bytes,
    };
    if (o->cumulative) {
        error = subtract_known(profile, &tuple, o, &d);
    }
    const struct entry_key key = {
        .observer = tuple.observer, .client = tuple.a, .server = tuple.b,
        .protocol = o->protocol, .port = o->dst_port, .code = o->icmp_code,
    };
    return error ? error : add_entry(profile, &key, &d, o->first, o->last);
}

static bool
is_added_to(const struct profile *profile, int64_t observer)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, &profile->observers) {
        const int64_t *id = node->data;
        if (*id == observer) {
            return true;
        }
    }
    return false;
}

char *
profile_settle(struct profile *profile, const struct history *history,
               const enum settlement *settlements)
{
    for (size_t i = 0; i < history->n_tuples; i++) {
        const struct history_tuple *t = &history->tuples[i];
        if (settlements[i] == SETTLE_NOT
            || !is_added_to(profile, t->observer)) {
            continue;
        }
        const struct tuple tuple = {
            .observer = t->observer, .protocol = t->protocol,
            .a = history->ends[t->a].id, .b = history->ends[t->b].id,
            .a_port = t->a_port, .b_port = t->b_port,
        };
        bool client_is_a = settlements[i] == SETTLE_CLIENT_A;
        const struct difference d = {
            .connections = 1, .packets = t->n_packets, .bytes = t->n_bytes,
        };
        sqlite3_stmt *s = profile->statements[DELETE_UNDECIDED];
        bind_tuple(s, &tuple);
        char *error = step(profile, DELETE_UNDECIDED);
        const struct entry_key key = {
            .observer = tuple.observer, .protocol = tuple.protocol,
            .client = client_is_a ? tuple.a : tuple.b,
            .server = client_is_a ? tuple.b : tuple.a,
            .port = client_is_a ? tuple.b_port : tuple.a_port,
        };
        if (!error) {
            error = add_entry(profile, &key, &d, t->first, t->last);
        }
        if (error) {
            return error;
        }
    }
    return NULL;
}

/* Transactions. */

char *
profile_begin(struct profile *profile)
{
    profile->newest = 0;
    return step(profile, BEGIN);
}

char *
profile_commit(struct profile *profile)
{
    char *error = profile_flush(profile);
    if (!error) {
        sqlite3_bind_int64(profile->statements[FORGET_TUPLES], 1,
                           profile->newest - SAME_CONNECTION_S);
        error = step(profile, FORGET_TUPLES);
    }
    return error ? error : step(profile, COMMIT);
}

void
profile_rollback(struct profile *profile)
{
    free(step(profile, ROLLBACK));
    profile->pending.waits = false;
    /* Ends that were added are gone. */
    forget_ends(profile);
}

/* Merging. */

/* Of what one observer saw, the larger count stands: see profile.h. */
static const char merge_text[] =
    "INSERT OR IGNORE INTO observer (name) SELECT name FROM other.observer;"
    "INSERT INTO end (segment, address, mac, name)"
    "  SELECT segment, address, mac, name FROM other.end WHERE true"
    "  ON CONFLICT DO UPDATE SET mac = coalesce(excluded.mac, mac),"
    "    name = coalesce(excluded.name, name);"
    "INSERT INTO entry SELECT o.id, c.id, s.id, e.protocol, e.port, e.code,"
    "    e.connections, e.unanswered, e.packets, e.bytes, e.first, e.last"
    "  FROM other.entry e"
    "  JOIN other.observer oo ON oo.id = e.observer"
    "  JOIN observer o ON o.name = oo.name"
    "  JOIN other.end oc ON oc.id = e.client"
    "  JOIN end c ON c.segment = oc.segment AND c.address = oc.address"
    "  JOIN other.end os ON os.id = e.server"
    "  JOIN end s ON s.segment = os.segment AND s.address = os.address"
    "  WHERE true ON CONFLICT DO UPDATE SET"
    "    connections = max(connections, excluded.connections),"
    "    unanswered = max(unanswered, excluded.unanswered),"
    "    packets = max(packets, excluded.packets),"
    "    bytes = max(bytes, excluded.bytes),"
    "    first = min(first, excluded.first),"
    "    last = max(last, excluded.last);"
    "INSERT INTO tuple SELECT o.id, 0, min(a.id, b.id), max(a.id, b.id),"
    "    t.protocol, iif(a.id <= b.id, a_port, b_port),"
    "    iif(a.id <= b.id, b_port, a_port), t.packets, t.bytes,"
    "    t.unanswered, t.first, t.last"
    "  FROM other.tuple t"
    "  JOIN other.observer oo ON oo.id = t.observer"
    "  JOIN observer o ON o.name = oo.name"
    "  JOIN other.end oa ON oa.id = t.a"
    "  JOIN end a ON a.segment = oa.segment AND a.address = oa.address"
    "  JOIN other.end ob ON ob.id = t.b"
    "  JOIN end b ON b.segment = ob.segment AND b.address = ob.address"
    "  WHERE t.known = 0 ON CONFLICT DO UPDATE SET"
    "    packets = max(packets, excluded.packets),"
    "    bytes = max(bytes, excluded.bytes),"
    "    first = min(first, excluded.first),"
    "    last = max(last, excluded.last);"
    "INSERT OR IGNORE INTO import SELECT * FROM other.import;";

static char *
attach(struct profile *profile, const char *other)
{
    sqlite3_stmt *statement;
    char *error = NULL;
    if (sqlite3_prepare_v2(profile->db, "ATTACH DATABASE ?1 AS other", -1,
                           &statement, NULL)
        || sqlite3_bind_text(statement, 1, other, -1, SQLITE_STATIC)
        || sqlite3_step(statement) != SQLITE_DONE) {
        error = profile_error(profile);
    }
    sqlite3_finalize(statement);
    return error;
}

char *
profile_merge(struct profile *profile, const char *other)
{
    struct profile *checked;
    char *error = profile_open(other, false, &checked);
    if (error) {
        return error;
    }
    profile_close(checked);
    error = attach(profile, other);
    if (error) {
        return error;
    }
    error = profile_begin(profile);
    if (!error) {
        error = execute(profile, merge_text);
        if (!error) {
            error = step(profile, COMMIT);
        }
        if (error) {
            profile_rollback(profile);
        }
    }
    forget_ends(profile);
    sqlite3_exec(profile->db, "DETACH DATABASE other", NULL, NULL, NULL);
    return error;
}
