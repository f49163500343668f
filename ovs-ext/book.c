/* The book of deviations: see book.h. */

#include "book.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

/* How long a deviation may be quiet, after its flow has ended, before it is
 * over. */
#define QUIET_MS 3000

void
book_init(struct book *book,
          void (*tell)(enum deviation_event, struct deviation *, void *aux),
          void *aux)
{
    memset(book, 0, sizeof *book);
    hmap_init(&book->open);
    ovs_list_init(&book->closing);
    book->tell = tell;
    book->aux = aux;
}

void
book_destroy(struct book *book)
{
    struct deviation *d;
    HMAP_FOR_EACH_POP (d, node, &book->open) {
        free(d);
    }
    hmap_destroy(&book->open);
}

static struct deviation *
find(const struct book *book, const struct deviation_key *key, uint32_t hash)
{
    struct deviation *d;
    HMAP_FOR_EACH_WITH_HASH (d, node, hash, &book->open) {
        if (!memcmp(&d->key, key, sizeof *key)) {
            return d;
        }
    }
    return NULL;
}

static uint32_t
hash_key(const struct deviation_key *key)
{
    return hash_bytes(key, sizeof *key, 0);
}

const struct deviation *
book_find(const struct book *book, const struct deviation_key *key)
{
    return find(book, key, hash_key(key));
}

static void
stay_open(struct deviation *d)
{
    if (d->closes_ms) {
        ovs_list_remove(&d->list_node);
        d->closes_ms = 0;
    }
}

static struct deviation *
open_one(struct book *book, const struct deviation_key *key,
         const struct deviation_packet *packet, long long int now_ms)
{
    struct deviation *d = xzalloc(sizeof *d);
    d->key = *key;
    d->packet = *packet;
    d->id = ++book->last_id;
    d->poll = book->polls[key->bridge];
    d->first_ms = now_ms;
    d->last_ms = now_ms;
    hmap_insert(&book->open, &d->node, hash_key(key));
    return d;
}

static struct deviation_packet
packet_of_key(const struct deviation_key *key)
{
    bool icmp = key->protocol == IPPROTO_ICMP
                || key->protocol == IPPROTO_ICMPV6;
    return (struct deviation_packet) {
        .src = key->src,
        .dst = key->dst,
        .src_mac = key->src_mac,
        .eth_type = key->eth_type,
        .protocol = key->protocol,
        .tp_src = icmp ? key->port : 0,
        .tp_dst = icmp ? 0 : key->port,
        .unseen = true,
    };
}

static void
tell(struct book *book, enum deviation_event event, struct deviation *d)
{
    d->n_told = d->n_packets;
    book->tell(event, d, book->aux);
}

bool
book_packet_in(struct book *book, const struct deviation_key *key,
               const struct deviation_packet *packet, long long int now_ms)
{
    struct deviation *d = find(book, key, hash_key(key));
    book->n_packet_ins++;
    if (d && !d->closes_ms) {
        /* Until Open vSwitch has revalidated its cache, packets go to the
         * controller though a flow absorbs them; it counts them. */
        book->n_duplicates++;
        d->n_packet_ins++;
        d->last_ms = now_ms;
        return false;
    }
    enum deviation_event event = d ? DEVIATION_UPDATE : DEVIATION_OPEN;
    if (!d) {
        d = open_one(book, key, packet, now_ms);
    }
    stay_open(d);
    d->poll = book->polls[key->bridge];
    d->last_ms = now_ms;
    d->n_packets++;
    d->n_bytes += packet->n_bytes;
    d->n_packet_ins++;
    tell(book, event, d);
    return true;
}

/* Takes over what a learned flow has counted.  Returns the deviation, with
 * '*unseen' set if the meter dropped the packet-in of the packet that made
 * the flow be learned, which is in no learned flow's count. */
static struct deviation *
count(struct book *book, const struct deviation_key *key,
      const struct deviation_counts *counts, bool taken_over,
      long long int now_ms, bool *unseen)
{
    struct deviation *d = find(book, key, hash_key(key));
    bool opened = !d;
    if (opened) {
        const struct deviation_packet packet = packet_of_key(key);
        d = open_one(book, key, &packet, now_ms);
    }
    bool counts_one = opened || d->closes_ms;
    d->n_packets += counts_one;
    *unseen = counts_one && !taken_over;
    book->n_unseen += *unseen;
    stay_open(d);
    if (counts->n_packets > d->live.n_packets) {
        d->n_packets += counts->n_packets - d->live.n_packets;
        d->n_bytes += counts->n_bytes - d->live.n_bytes;
        d->live = *counts;
        d->last_ms = now_ms;
    }
    if (opened) {
        tell(book, DEVIATION_OPEN, d);
    }
    return d;
}

bool
book_absorbed(struct book *book, const struct deviation_key *key,
              const struct deviation_counts *counts, long long int now_ms)
{
    bool unseen;
    struct deviation *d = count(book, key, counts, false, now_ms,
                                &unseen);
    d->live = (struct deviation_counts) { .n_packets = 0 };
    d->closes_ms = now_ms + QUIET_MS;
    ovs_list_push_back(&book->closing, &d->list_node);
    return unseen;
}

void
book_poll_begin(struct book *book, uint8_t bridge)
{
    book->polls[bridge]++;
}

bool
book_absorbing(struct book *book, const struct deviation_key *key,
               const struct deviation_counts *counts, bool taken_over,
               long long int now_ms)
{
    bool unseen;
    struct deviation *d = count(book, key, counts, taken_over, now_ms,
                                &unseen);
    d->poll = book->polls[key->bridge];
    if (d->n_packets > d->n_told) {
        tell(book, DEVIATION_UPDATE, d);
    }
    return unseen;
}

static void
close_one(struct book *book, struct deviation *d)
{
    stay_open(d);
    hmap_remove(&book->open, &d->node);
    tell(book, DEVIATION_CLOSE, d);
    free(d);
}

void
book_poll_end(struct book *book, uint8_t bridge)
{
    struct deviation *d;
    HMAP_FOR_EACH_SAFE (d, node, &book->open) {
        /* Open vSwitch tells of a flow's end some time after it can no longer
         * be polled, so it must be missing twice. */
        if (d->key.bridge == bridge && !d->closes_ms
            && book->polls[bridge] - d->poll >= 2) {
            close_one(book, d);
        }
    }
}

bool
book_absorbs(const struct book *book, uint8_t bridge)
{
    const struct deviation *d;
    HMAP_FOR_EACH (d, node, &book->open) {
        if (d->key.bridge == bridge && !d->closes_ms) {
            return true;
        }
    }
    return false;
}

long long int
book_run(struct book *book, long long int now_ms)
{
    while (!ovs_list_is_empty(&book->closing)) {
        struct deviation *d = CONTAINER_OF(ovs_list_front(&book->closing),
                                           struct deviation, list_node);
        if (d->closes_ms > now_ms) {
            return d->closes_ms;
        }
        close_one(book, d);
    }
    return 0;
}

void
book_renumber(struct book *book, const uint8_t map[UINT8_MAX + 1])
{
    uint32_t polls[UINT8_MAX + 1] = { 0 };
    struct hmap renumbered = HMAP_INITIALIZER(&renumbered);
    struct deviation *d;
    HMAP_FOR_EACH_SAFE (d, node, &book->open) {
        uint8_t bridge = map[d->key.bridge];
        if (bridge == UINT8_MAX) {
            close_one(book, d);
        } else {
            hmap_remove(&book->open, &d->node);
            d->key.bridge = bridge;
            hmap_insert(&renumbered, &d->node, hash_key(&d->key));
        }
    }
    for (int i = 0; i < UINT8_MAX; i++) {
        polls[map[i]] = book->polls[i];
    }
    memcpy(book->polls, polls, sizeof polls);
    hmap_swap(&book->open, &renumbered);
    hmap_destroy(&renumbered);
}
