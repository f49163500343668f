/* Adding to a profile: see profile.h.
 *
 * profile-open.c opens the file, profile-read.c reads all of it back,
 * profile-merge.c adds another one. */

#include "profile-private.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "packets.h"
#include "util.h"

/* The same addresses and ports are the same connection if they are seen again
 * within this time; then they are forgotten. */
#define SAME_CONNECTION_S (24 * 60 * 60)

/* Ends that this process knows, so that most are not asked for. */
struct known_end {
    struct hmap_node node;
    struct in6_addr address;
    struct eth_addr mac;
    char *segment, *name;
    int64_t id;
};

void
profile_forget_ends(struct profile *profile)
{
    struct known_end *end;
    HMAP_FOR_EACH_POP (end, node, &profile->ends) {
        free(end->segment);
        free(end->name);
        free(end);
    }
    shash_clear_free_data(&profile->observers);
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
        char *error = profile_step(profile, ADD_OBSERVER);
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
        char *error = profile_step(profile, ADD_END);
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
    return profile_step(profile, NAME_END);
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
    char *error = profile_step(profile, ADD_TUPLE);
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
    return profile_step(profile, SET_TUPLE);
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
    return profile_step(profile, ADD_ENTRY);
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
    return profile_step(profile, ADD_UNDECIDED);
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
        char *error = profile_step(profile, DELETE_UNDECIDED);
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
    return profile_step(profile, BEGIN);
}

char *
profile_commit(struct profile *profile)
{
    char *error = profile_flush(profile);
    if (!error) {
        sqlite3_bind_int64(profile->statements[FORGET_TUPLES], 1,
                           profile->newest - SAME_CONNECTION_S);
        error = profile_step(profile, FORGET_TUPLES);
    }
    return error ? error : profile_step(profile, COMMIT);
}

void
profile_rollback(struct profile *profile)
{
    free(profile_step(profile, ROLLBACK));
    profile->pending.waits = false;
    /* Ends that were added are gone. */
    profile_forget_ends(profile);
}
