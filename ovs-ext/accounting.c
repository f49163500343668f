/* Is every deviating packet accounted for?  See accounting.h. */

#include "accounting.h"

#include <string.h>

#include <openvswitch/match.h>
#include <openvswitch/ofp-errors.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-meter.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofpbuf.h>

#include "byte-order.h"
#include "pipeline.h"
#include "ports.h"
#include "util.h"

/* What each account is the sum of: flows of a table, of one kind. */
static const struct {
    enum table table;
    bool learned;
} sums[] = {
    [ACCOUNT_DEVIATING] = { TABLE_DEVIATION, false },
    [ACCOUNT_OFFERED] = { TABLE_TELL, false },
    [ACCOUNT_ABSORBING] = { TABLE_REPORT_TUPLE, true },
    [ACCOUNT_ABSORBING_PAIR] = { TABLE_REPORT_PAIR, true },
    [ACCOUNT_ABSORBING_SOURCE] = { TABLE_REPORT_SOURCE, true },
    [ACCOUNT_ANSWERS] = { TABLE_VERDICT, false },
};
BUILD_ASSERT_DECL(ARRAY_SIZE(sums) == ACCOUNT_METERED);

void
accounting_rebase(struct accounting *a)
{
    a->rebase = true;
    memset(a->xids, 0, sizeof a->xids);
}

static bool
is_awaited(const struct accounting *a)
{
    for (size_t i = 0; i < N_ACCOUNTS; i++) {
        if (a->xids[i]) {
            return true;
        }
    }
    return false;
}

static struct ofpbuf *
sum_request(size_t i, int of_version, uint8_t table_base)
{
    uint64_t kind = (uint64_t) ORIGIN_LEARNED << COOKIE_KIND_SHIFT;
    struct ofputil_flow_stats_request request = {
        .aggregate = true,
        .cookie = htonll(COOKIE_PREFIX | (sums[i].learned ? kind : 0)),
        .cookie_mask = htonll(sums[i].learned ? ~COOKIE_ID_MASK
                              : COOKIE_PREFIX_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = table_base + sums[i].table,
    };
    match_init_catchall(&request.match);
    if (i == ACCOUNT_ANSWERS) {
        match_set_ct_mark_masked(&request.match, MARK_AUDIT, MARK_ID_MASK);
    }
    return ofputil_encode_flow_stats_request(
        &request, ofputil_protocol_from_ofp_version(of_version));
}

void
accounting_read(struct accounting *a, int of_version, uint8_t table_base,
                void (*send)(struct ofpbuf *, void *aux), void *aux)
{
    if (is_awaited(a)) {
        return;
    }
    memset(&a->next, 0, sizeof a->next);
    for (size_t i = 0; i < N_ACCOUNTS; i++) {
        struct ofpbuf *msg = i == ACCOUNT_METERED
            ? ofputil_encode_meter_request(of_version, OFPUTIL_METER_STATS,
                                           OFPM13_ALL)
            : sum_request(i, of_version, table_base);
        a->xids[i] = ((struct ofp_header *) msg->data)->xid;
        send(msg, aux);
    }
}

static uint64_t
sum_of_meters(const struct ofp_header *oh, uint32_t first_meter)
{
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_meter_stats stats;
    struct ofpbuf bands;
    uint64_t n = 0;
    ofpbuf_init(&bands, 64);
    while (!ofputil_decode_meter_stats(&msg, &stats, &bands)) {
        if (stats.meter_id - first_meter < PORT_MAX && stats.n_bands) {
            n += stats.bands[0].packet_count;
        }
    }
    ofpbuf_uninit(&bands);
    return n;
}

static void
complete(struct accounting *a, long long int now_ms)
{
    a->next.n_absorbed = a->n_absorbed;
    a->next.n_received = a->n_received;
    a->next.n_unseen = a->n_unseen;
    a->next.time_ms = now_ms;
    a->last = a->next;
    if (a->rebase || !a->base.time_ms) {
        a->base = a->last;
        a->rebase = false;
    }
}

bool
accounting_take(struct accounting *a, const struct ofp_header *oh,
                uint32_t first_meter, long long int now_ms)
{
    size_t i = 0;
    while (i < N_ACCOUNTS && (!a->xids[i] || a->xids[i] != oh->xid)) {
        i++;
    }
    if (i == N_ACCOUNTS) {
        return false;
    }
    enum ofptype type;
    bool more = false;
    if (ofptype_decode(&type, oh)) {
        type = OFPTYPE_ERROR;
    } else if (type == OFPTYPE_AGGREGATE_STATS_REPLY) {
        struct ofputil_aggregate_stats stats;
        if (!ofputil_decode_aggregate_stats_reply(&stats, oh)) {
            a->next.counts[i] = stats.packet_count;
        }
    } else if (type == OFPTYPE_METER_STATS_REPLY) {
        a->next.counts[i] += sum_of_meters(oh, first_meter);
        more = ofpmp_more(oh);
    }
    if (!more) {
        a->xids[i] = 0;
        if (!is_awaited(a)) {
            complete(a, now_ms);
        }
    }
    return true;
}

/* What is absorbed, by flows that are there and by those that have ended. */
static uint64_t
absorbed(const struct account_reading *r)
{
    return r->n_absorbed + r->counts[ACCOUNT_ABSORBING]
           + r->counts[ACCOUNT_ABSORBING_PAIR]
           + r->counts[ACCOUNT_ABSORBING_SOURCE];
}

bool
accounting_balance(const struct accounting *a, struct account_balance *b)
{
    const struct account_reading *last = &a->last, *base = &a->base;
    if (!last->time_ms || !base->time_ms) {
        return false;
    }
#define SINCE(MEMBER) (last->MEMBER - base->MEMBER)
    *b = (struct account_balance) {
        .deviating = SINCE(counts[ACCOUNT_DEVIATING]),
        .offered = SINCE(counts[ACCOUNT_OFFERED]),
        .absorbed = absorbed(last) - absorbed(base),
        .answers = SINCE(counts[ACCOUNT_ANSWERS]),
        .received = SINCE(n_received),
        .unseen = SINCE(n_unseen),
        .metered = SINCE(counts[ACCOUNT_METERED]),
        .since_ms = base->time_ms,
        .time_ms = last->time_ms,
    };
#undef SINCE
    b->missing = b->deviating - b->offered - b->absorbed - b->answers;
    b->untold = b->offered - b->received - b->unseen;
    return true;
}
