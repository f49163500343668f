/* Adding a profile to another: see profile.h. */

#include "profile-private.h"

#include <stdlib.h>

#include "util.h"

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
        error = profile_execute(profile, merge_text);
        if (!error) {
            error = profile_step(profile, COMMIT);
        }
        if (error) {
            profile_rollback(profile);
        }
    }
    profile_forget_ends(profile);
    sqlite3_exec(profile->db, "DETACH DATABASE other", NULL, NULL, NULL);
    return error;
}
