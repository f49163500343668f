/* Who is the server of a connection: see direction.h. */

#include "direction.h"

#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "util.h"

/* A point that meets at least so many ports of others, and so many times as
 * many as the other point, is a server's.  Fewer could be chance: a client
 * may use one port twice. */
#define MIN_PEER_PORTS 3
#define TIMES_AS_MANY 3

/* Where a server may be. */
struct point {
    uint32_t end;
    uint16_t port;
    uint8_t protocol;
};

struct meeting {
    struct point point;
    uint16_t peer_port;
};

/* A point and what it meets. */
struct place {
    struct point point;
    size_t n_peer_ports;        /* Different ones. */
    bool is_server;             /* Known to be one. */
};

struct places {
    struct place *all;          /* By point. */
    size_t n;
};

static int
compare_points(const void *a_, const void *b_)
{
    const struct point *a = a_;
    const struct point *b = b_;
    return a->end != b->end ? (a->end < b->end ? -1 : 1)
           : a->protocol != b->protocol ? a->protocol - b->protocol
           : a->port - b->port;
}

static int
compare_meetings(const void *a_, const void *b_)
{
    const struct meeting *a = a_;
    const struct meeting *b = b_;
    int order = compare_points(&a->point, &b->point);
    return order ? order : a->peer_port - b->peer_port;
}

static struct place *
find_place(const struct places *places, const struct point *point)
{
    return places->n ? bsearch(point, places->all, places->n,
                               sizeof *places->all, compare_points) : NULL;
}

static struct point
point_of(const struct history_tuple *t, bool a)
{
    return (struct point) {
        .end = a ? t->a : t->b, .protocol = t->protocol,
        .port = a ? t->a_port : t->b_port,
    };
}

static struct meeting *
gather_meetings(const struct history *history)
{
    struct meeting *meetings = xcalloc(history->n_tuples * 2,
                                       sizeof *meetings);
    for (size_t i = 0; i < history->n_tuples; i++) {
        const struct history_tuple *t = &history->tuples[i];
        meetings[2 * i] = (struct meeting) { point_of(t, true), t->b_port };
        meetings[2 * i + 1] = (struct meeting) { point_of(t, false),
                                                 t->a_port };
    }
    if (history->n_tuples) {
        qsort(meetings, history->n_tuples * 2, sizeof *meetings,
              compare_meetings);
    }
    return meetings;
}

static void
count_places(const struct history *history, struct places *places)
{
    struct meeting *meetings = gather_meetings(history);
    size_t n = history->n_tuples * 2;
    places->all = xcalloc(n + 1, sizeof *places->all);
    places->n = 0;
    for (size_t i = 0; i < n; i++) {
        bool same = i && !compare_points(&meetings[i].point,
                                         &meetings[i - 1].point);
        if (!same) {
            places->all[places->n++].point = meetings[i].point;
        }
        places->all[places->n - 1].n_peer_ports
            += !same || meetings[i].peer_port != meetings[i - 1].peer_port;
    }
    free(meetings);
}

static void
note_servers(const struct history *history, struct places *places)
{
    for (size_t i = 0; i < history->n_entries; i++) {
        const struct history_entry *e = &history->entries[i];
        const struct point point = {
            .end = e->server, .protocol = e->protocol, .port = e->port,
        };
        struct place *place = find_place(places, &point);
        if (place && e->n_unanswered < e->n_connections) {
            place->is_server = true;
        }
    }
}

static bool
meets_many(const struct place *this, const struct place *that)
{
    return this->n_peer_ports >= MIN_PEER_PORTS
           && this->n_peer_ports >= TIMES_AS_MANY * that->n_peer_ports;
}

static bool
has_ports(const struct history_tuple *t)
{
    const struct opening what = { .protocol = t->protocol };
    return opening_has_ports(&what);
}

static enum settlement
settle(const struct history_tuple *t, const struct places *places)
{
    if (!has_ports(t)) {
        return SETTLE_NOT;
    }
    const struct point a_point = point_of(t, true);
    const struct point b_point = point_of(t, false);
    const struct place *a = find_place(places, &a_point);
    const struct place *b = find_place(places, &b_point);
    if (a->is_server != b->is_server) {
        return a->is_server ? SETTLE_CLIENT_B : SETTLE_CLIENT_A;
    } else if (a->is_server || t->a_port == t->b_port) {
        return SETTLE_NOT;
    } else if (meets_many(a, b)) {
        return SETTLE_CLIENT_B;
    } else if (meets_many(b, a)) {
        return SETTLE_CLIENT_A;
    }
    bool a_is_high = t->a_port >= FIRST_EPHEMERAL_PORT;
    bool b_is_high = t->b_port >= FIRST_EPHEMERAL_PORT;
    return a_is_high == b_is_high ? SETTLE_NOT
           : a_is_high ? SETTLE_CLIENT_A : SETTLE_CLIENT_B;
}

void
direction_settle(const struct history *history, enum settlement *settlements)
{
    struct places places;
    count_places(history, &places);
    note_servers(history, &places);
    for (size_t i = 0; i < history->n_tuples; i++) {
        settlements[i] = settle(&history->tuples[i], &places);
    }
    free(places.all);
}

static struct history_entry
entry_of(const struct history_tuple *t, bool client_is_a)
{
    return (struct history_entry) {
        .client = client_is_a ? t->a : t->b,
        .server = client_is_a ? t->b : t->a,
        .protocol = t->protocol,
        .port = client_is_a ? t->b_port : t->a_port,
        .n_connections = 1, .n_packets = t->n_packets,
        .n_bytes = t->n_bytes, .first = t->first, .last = t->last,
    };
}

/* Several observers may have seen one connection. */
static bool
is_same(const struct history_tuple *a, const struct history_tuple *b)
{
    return a->a == b->a && a->b == b->b && a->protocol == b->protocol
           && a->a_port == b->a_port && a->b_port == b->b_port;
}

void
history_settle(struct history *history)
{
    enum settlement *settlements = xcalloc(history->n_tuples + 1,
                                           sizeof *settlements);
    struct history_tuple last = { .a = UINT32_MAX };
    size_t n_left = 0;
    direction_settle(history, settlements);
    history->entries = xrealloc(history->entries,
                                (history->n_entries + history->n_tuples + 1)
                                * sizeof *history->entries);
    for (size_t i = 0; i < history->n_tuples; i++) {
        const struct history_tuple t = history->tuples[i];
        if (is_same(&t, &last)) {
            continue;
        }
        last = t;
        if (settlements[i] == SETTLE_NOT) {
            history->tuples[n_left++] = t;
        } else {
            history->entries[history->n_entries++]
                = entry_of(&t, settlements[i] == SETTLE_CLIENT_A);
        }
    }
    history->n_tuples = n_left;
    free(settlements);
}

const char *
direction_why_not(const struct history_tuple *t)
{
    return !has_ports(t) ? "its protocol has no ports, and nobody saw who "
                           "began"
           : t->a_port == t->b_port ? "both ends use the same port, and "
                                      "nobody saw who began"
           : "nobody saw who began, and the ports do not tell";
}
