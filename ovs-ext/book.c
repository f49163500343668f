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
          void (*tell)(enum deviation_event, const struct deviation *,
                       void *aux), void *aux)
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

void
book_packet_in(struct book *book, const struct deviation_key *key,
               const struct deviation_packet *packet, long long int now_ms)
{
    struct deviation *d = find(book, key, hash_key(key));
    book->n_packet_ins++;
    if (d && !d->closes_ms) {
        /* Until Open vSwitch has revalidated its cache, packets go to the
         * controller though a flow absorbs them; it counts them. */
        book->n_duplicates++;
        d->last_ms = now_ms;
        return;
    }
    enum deviation_event event = d ? DEVIATION_UPDATE : DEVIATION_OPEN;
    if (!d) {
        d = open_one(book, key, packet, now_ms);
    }
    stay_open(d);
    d->last_ms = now_ms;
    d->n_packets++;
    d->n_bytes += packet->n_bytes;
    book->tell(event, d, book->aux);
}

void
book_absorbed(struct book *book, const struct deviation_key *key,
              const struct deviation_counts *counts, long long int now_ms)
{
    struct deviation *d = find(book, key, hash_key(key));
    bool told = d;
    if (!d) {
        const struct deviation_packet packet = packet_of_key(key);
        d = open_one(book, key, &packet, now_ms);
    }
    if (!told || d->closes_ms) {
        /* The meter dropped the packet-in of the packet that made this flow
         * be learned, which is in no learned flow's count. */
        d->n_packets++;
        book->n_unseen++;
    }
    d->n_packets += counts->n_packets;
    d->n_bytes += counts->n_bytes;
    if (counts->n_packets) {
        d->last_ms = now_ms;
    }
    if (!told) {
        book->tell(DEVIATION_OPEN, d, book->aux);
    }
    stay_open(d);
    d->closes_ms = now_ms + QUIET_MS;
    ovs_list_push_back(&book->closing, &d->list_node);
}

static void
close_one(struct book *book, struct deviation *d)
{
    stay_open(d);
    hmap_remove(&book->open, &d->node);
    book->tell(DEVIATION_CLOSE, d, book->aux);
    free(d);
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
book_close_bridge(struct book *book, uint8_t bridge)
{
    struct deviation *d;
    HMAP_FOR_EACH_SAFE (d, node, &book->open) {
        if (d->key.bridge == bridge) {
            close_one(book, d);
        }
    }
}
