/* Folds related deviations into incidents: see fold.h. */

#include "fold.h"

#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "hash.h"
#include "packets.h"
#include "util.h"

/* How many hosts an incident remembers, and how many sources are told apart
 * by address. */
#define MAX_HOSTS 1024
#define MAX_BY_ADDRESS 1024

#define N_PORTS 65536

struct host {
    struct hmap_node node;
    struct in6_addr address;
};

BUILD_ASSERT_DECL(sizeof(struct incident_key) == 24);

void
fold_init(struct fold *fold, unsigned int alone,
          void (*tell)(enum deviation_event, const struct incident *,
                       void *aux), void *aux)
{
    memset(fold, 0, sizeof *fold);
    hmap_init(&fold->incidents);
    fold->alone = alone;
    fold->tell = tell;
    fold->aux = aux;
}

static void
incident_destroy(struct incident *incident)
{
    struct host *host;
    HMAP_FOR_EACH_POP (host, node, &incident->hosts) {
        free(host);
    }
    hmap_destroy(&incident->hosts);
    bitmap_free(incident->ports);
    free(incident);
}

void
fold_destroy(struct fold *fold)
{
    struct incident *incident;
    HMAP_FOR_EACH_POP (incident, node, &fold->incidents) {
        incident_destroy(incident);
    }
    hmap_destroy(&fold->incidents);
}

static bool
is_by_address(const struct incident_key *key)
{
    return ipv6_addr_is_set(&key->src);
}

static struct incident *
find_or_create(struct fold *fold, const struct incident_key *key)
{
    uint32_t hash = hash_bytes(key, sizeof *key, 0);
    struct incident *incident;
    HMAP_FOR_EACH_WITH_HASH (incident, node, hash, &fold->incidents) {
        if (!memcmp(&incident->key, key, sizeof *key)) {
            return incident;
        }
    }
    incident = xzalloc(sizeof *incident);
    incident->key = *key;
    fold->n_by_address += is_by_address(key);
    hmap_init(&incident->hosts);
    hmap_insert(&fold->incidents, &incident->node, hash);
    return incident;
}

/* Which incident a new deviation belongs to. */
static struct incident *
incident_of(struct fold *fold, const struct deviation *d, bool workload)
{
    struct incident_key key = {
        .in_port = d->key.in_port,
        .bridge = d->key.bridge,
        .reason = d->key.reason,
        .segment = d->key.segment,
    };
    if (!workload && fold->n_by_address < MAX_BY_ADDRESS) {
        key.src = d->packet.src;
    }
    return find_or_create(fold, &key);
}

static void
add_host(struct incident *incident, const struct in6_addr *address)
{
    uint32_t hash = hash_bytes(address, sizeof *address, 0);
    struct host *host;
    HMAP_FOR_EACH_WITH_HASH (host, node, hash, &incident->hosts) {
        if (!memcmp(&host->address, address, sizeof *address)) {
            return;
        }
    }
    if (hmap_count(&incident->hosts) >= MAX_HOSTS) {
        incident->more_hosts = true;
        return;
    }
    host = xmalloc(sizeof *host);
    host->address = *address;
    hmap_insert(&incident->hosts, &host->node, hash);
}

static void
add_port(struct incident *incident, uint16_t port)
{
    if (!incident->ports) {
        incident->ports = bitmap_allocate(N_PORTS);
    }
    if (!bitmap_is_set(incident->ports, port)) {
        bitmap_set1(incident->ports, port);
        incident->n_ports++;
    }
}

static void
tell(struct fold *fold, enum deviation_event event, struct incident *incident,
     long long int now_ms)
{
    incident->n_told = incident->n_packets;
    incident->told_ms = now_ms;
    fold->tell(event, incident, fold->aux);
}

static void
begin(struct fold *fold, struct deviation *d, bool workload)
{
    struct incident *incident = incident_of(fold, d, workload);
    if (!incident->n_open) {
        incident->first = *d;
        incident->first_ms = d->first_ms;
    }
    d->incident = incident;
    incident->n_open++;
    incident->n_deviations++;
}

static void
end(struct fold *fold, struct deviation *d, long long int now_ms)
{
    struct incident *incident = d->incident;
    d->incident = NULL;
    if (--incident->n_open) {
        return;
    }
    if (incident->id) {
        tell(fold, DEVIATION_CLOSE, incident, now_ms);
    }
    fold->n_by_address -= is_by_address(&incident->key);
    hmap_remove(&fold->incidents, &incident->node);
    incident_destroy(incident);
}

static void
count(struct incident *incident, struct deviation *d)
{
    uint64_t n = d->n_packets - d->n_folded;
    incident->n_packets += n;
    incident->n_bytes += d->n_bytes - d->n_folded_bytes;
    incident->n_folded += d->key.level == LEVEL_TUPLE ? 0 : n;
    incident->last_ms = MAX(incident->last_ms, d->last_ms);
    d->n_folded = d->n_packets;
    d->n_folded_bytes = d->n_bytes;
}

bool
fold_event(struct fold *fold, enum deviation_event event, struct deviation *d,
           bool workload, long long int now_ms)
{
    if (event == DEVIATION_OPEN) {
        begin(fold, d, workload);
    }
    struct incident *incident = d->incident;
    count(incident, d);
    if (event == DEVIATION_OPEN) {
        add_host(incident, &d->packet.dst);
        if (d->packet.protocol) {
            add_port(incident, d->key.level == LEVEL_TUPLE ? d->key.port
                               : d->packet.tp_dst);
        }
        if (!incident->id && (incident->n_deviations > fold->alone
                              || d->key.level != LEVEL_TUPLE)) {
            incident->id = ++fold->last_id;
            tell(fold, DEVIATION_OPEN, incident, now_ms);
        }
    }
    d->incident_id = incident->id;
    if (event == DEVIATION_CLOSE) {
        end(fold, d, now_ms);
    }
    return d->incident_id != 0;
}

long long int
fold_run(struct fold *fold, long long int interval_ms, long long int now_ms)
{
    long long int next = 0;
    struct incident *incident;
    HMAP_FOR_EACH (incident, node, &fold->incidents) {
        if (!incident->id) {
            continue;
        }
        if (now_ms >= incident->told_ms + interval_ms) {
            if (incident->n_packets > incident->n_told) {
                tell(fold, DEVIATION_UPDATE, incident, now_ms);
            }
            incident->told_ms = now_ms;
        }
        long long int due = incident->told_ms + interval_ms;
        next = next ? MIN(next, due) : due;
    }
    return next;
}

void
fold_renumber(struct fold *fold, const uint8_t map[UINT8_MAX + 1])
{
    struct hmap renumbered = HMAP_INITIALIZER(&renumbered);
    struct incident *incident;
    HMAP_FOR_EACH_SAFE (incident, node, &fold->incidents) {
        hmap_remove(&fold->incidents, &incident->node);
        incident->key.bridge = map[incident->key.bridge];
        incident->first.key.bridge = incident->key.bridge;
        hmap_insert(&renumbered, &incident->node,
                    hash_bytes(&incident->key, sizeof incident->key, 0));
    }
    hmap_swap(&fold->incidents, &renumbered);
    hmap_destroy(&renumbered);
}

enum incident_kind
incident_kind(const struct incident *incident)
{
    return incident->n_folded ? INCIDENT_FLOOD
           : incident_n_hosts(incident) > incident->n_ports ? INCIDENT_SWEEP
           : INCIDENT_SCAN;
}

size_t
incident_n_hosts(const struct incident *incident)
{
    return hmap_count(&incident->hosts);
}
