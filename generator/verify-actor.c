/* Who is at the ends of links: what a service or network looks like, and
 * what a network reaches.  See catalogue.xsd for what that means. */

#include "verify-private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "bitmap.h"
#include "evaluate.h"
#include "hash.h"
#include "packets.h"
#include "util.h"

#define EVERYWHERE_IPV4 (96 + 8)
#define EVERYWHERE_IPV6 16

bool
verify_intersects(const struct verifier *v, const unsigned long *a,
                  const unsigned long *b)
{
    size_t n = a && b ? bitmap_n_longs(v->catalogue->n_services) : 0;
    for (size_t i = 0; i < n; i++) {
        if (a[i] & b[i]) {
            return true;
        }
    }
    return false;
}

bool
verify_overlaps(const struct opening *a, const struct opening *b)
{
    if (a->protocol == PROTOCOL_ANY || b->protocol == PROTOCOL_ANY) {
        return true;
    }
    return a->protocol == b->protocol
           && a->first <= b->last && b->first <= a->last
           && (a->icmp_type < 0 || b->icmp_type < 0
               || a->icmp_type == b->icmp_type)
           && (a->icmp_code < 0 || b->icmp_code < 0
               || a->icmp_code == b->icmp_code);
}

void
verify_find_services(const struct verifier *v, const struct opening *opening,
                     unsigned long *within, unsigned long *touching)
{
    for (size_t i = 0; i < v->catalogue->n_services; i++) {
        const struct well_known *s = v->catalogue->services[i];
        for (size_t j = 0; j < s->n_openings; j++) {
            if (!verify_overlaps(&s->openings[j], opening)) {
                continue;
            }
            bitmap_set1(touching, i);
            if (opening_covers(&s->openings[j], opening)) {
                bitmap_set1(within, i);
            }
        }
    }
}

/* Names. */

static void
add_named(const struct verifier *v, struct actor *actor, const char *word)
{
    for (size_t i = 0; i < v->catalogue->n_services; i++) {
        if (svec_contains(&v->catalogue->services[i]->names, word)) {
            bitmap_set1(actor->looks, i);
            actor->named = true;
        }
    }
}

/* Takes the words of 'name' ("Orders-DB2" is "orders", "db2" and "db"). */
static void
add_words(const struct verifier *v, struct actor *actor, const char *name)
{
    struct ds word = DS_EMPTY_INITIALIZER;
    for (const char *p = name; *p; p++) {
        ds_clear(&word);
        while (isalnum((unsigned char) *p)) {
            ds_put_char(&word, tolower((unsigned char) *p++));
        }
        add_named(v, actor, ds_cstr(&word));
        size_t n = word.length;
        while (n && isdigit((unsigned char) word.string[n - 1])) {
            n--;
        }
        if (n < word.length) {
            ds_truncate(&word, n);
            add_named(v, actor, ds_cstr(&word));
        }
        if (!*p) {
            break;
        }
    }
    ds_destroy(&word);
}

/* Networks. */

static bool
is_private(const struct prefix *prefix)
{
    static const struct prefix ranges[] = {
#define V4(A, B, LEN) { .addr.s6_addr = { [10] = 0xff, 0xff, A, B }, \
                        .len = 96 + LEN }
        V4(10, 0, 8), V4(172, 16, 12), V4(192, 168, 16),    /* RFC 1918 */
        V4(100, 64, 10),        /* Shared: RFC 6598. */
        V4(169, 254, 16), V4(127, 0, 8),
        V4(224, 0, 3),          /* Multicast, reserved, broadcast. */
        { .addr.s6_addr = { 0xfc }, .len = 7 },     /* RFC 4193 */
        { .addr.s6_addr = { 0xfe, 0x80 }, .len = 10 },
        { .addr.s6_addr = { 0xff }, .len = 8 },
        { .addr.s6_addr = { [15] = 1 }, .len = 128 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (ranges[i].len <= prefix->len
            && prefix_holds(&ranges[i], &prefix->addr)) {
            return true;
        }
    }
    return false;
}

static unsigned int
network_kinds(const struct network *network)
{
    unsigned int kinds = END_NETWORK;
    for (size_t i = 0; i < network->n_prefixes; i++) {
        const struct prefix *p = &network->prefixes[i];
        bool v4 = IN6_IS_ADDR_V4MAPPED(&p->addr) && p->len >= 96;
        if (is_private(p)) {
            continue;
        }
        kinds |= END_OUTSIDE;
        if (p->len < (v4 ? EVERYWHERE_IPV4 : EVERYWHERE_IPV6)) {
            kinds |= END_EVERYWHERE;
        }
    }
    return kinds & END_OUTSIDE ? kinds : kinds | END_INSIDE;
}

/* Actors. */

static const void *
object_of(const struct endpoint *end)
{
    return end->service ? (const void *) end->service
                        : (const void *) end->network;
}

const struct actor *
verify_actor(const struct verifier *v, const struct endpoint *end)
{
    const struct actor *actor;
    HMAP_FOR_EACH_WITH_HASH (actor, node, hash_pointer(object_of(end), 0),
                             &v->actors) {
        if (object_of(&actor->end) == object_of(end)) {
            return actor;
        }
    }
    OVS_NOT_REACHED();
}

static struct actor *
add_actor(struct verifier *v, struct endpoint end, const char *name,
          unsigned int kinds)
{
    struct actor init = { .end = end, .kinds = kinds };
    struct actor *actor = xmemdup(&init, sizeof init);
    actor->looks = bitmap_allocate(v->catalogue->n_services);
    add_words(v, actor, name);
    hmap_insert(&v->actors, &actor->node, hash_pointer(object_of(&end), 0));
    return actor;
}

/* The service that declares all workloads of 'service' and has more. */
static const struct service *
whole_of(const struct service *service)
{
    const struct service *home = NULL;
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct service *its = service->workloads[i]->home;
        if (its == service || (home && its != home)) {
            return NULL;
        }
        home = its;
    }
    return home && home->n_workloads > service->n_workloads ? home : NULL;
}

static void
add_all(struct verifier *v)
{
    for (size_t i = 0; i < v->topology->n_networks; i++) {
        struct network *network = v->topology->networks[i];
        add_actor(v, (struct endpoint) { .network = network }, network->name,
                  network_kinds(network));
    }
    for (size_t i = 0; i < v->topology->n_applications; i++) {
        const struct application *a = v->topology->applications[i];
        for (size_t j = 0; j < a->n_services; j++) {
            struct service *s = a->services[j];
            struct actor *actor = add_actor(
                v, (struct endpoint) { .service = s }, s->name, END_SERVICE);
            if (!actor->named) {
                add_words(v, actor, a->name);
            }
            actor->whole = whole_of(s);
        }
    }
}

/* A service without a telling name looks like what listens on its ports.  What
 * runs on any host tells nothing about it. */
static void
look_at_ports(struct verifier *v, const struct link *link,
              unsigned long *within, unsigned long *touching)
{
    struct actor *to = CONST_CAST(struct actor *,
                                  verify_actor(v, &link->to));
    size_t n = v->catalogue->n_services;
    bool looks = link->to.service && !to->named;
    for (size_t i = 0; looks && i < link->n_openings; i++) {
        memset(within, 0, bitmap_n_bytes(n));
        verify_find_services(v, &link->openings[i], within, touching);
        size_t j;
        BITMAP_FOR_EACH_1 (j, n, within) {
            if (!v->catalogue->services[j]->on_any_host) {
                bitmap_set1(to->looks, j);
            }
        }
    }
}

static void
look_at_all_ports(struct verifier *v)
{
    unsigned long *within = bitmap_allocate(v->catalogue->n_services);
    unsigned long *touching = bitmap_allocate(v->catalogue->n_services);
    for (size_t i = 0; i < v->topology->n_applications; i++) {
        const struct application *a = v->topology->applications[i];
        for (size_t j = 0; j < a->n_links; j++) {
            if (!verify_passes_over(v, a->links[j])) {
                look_at_ports(v, a->links[j], within, touching);
            }
        }
    }
    bitmap_free(within);
    bitmap_free(touching);
}

/* Numbers the kinds. */
static void
sort_by_kind(struct verifier *v)
{
    struct shash kinds = SHASH_INITIALIZER(&kinds);
    size_t n = v->catalogue->n_services;
    struct actor *actor;
    HMAP_FOR_EACH (actor, node, &v->actors) {
        struct ds key = DS_EMPTY_INITIALIZER;
        size_t i;
        ds_put_format(&key, "%x", actor->kinds);
        BITMAP_FOR_EACH_1 (i, n, actor->looks) {
            ds_put_format(&key, " %"PRIuSIZE, i);
        }
        if (actor->end.service && bitmap_is_all_zeros(actor->looks, n)) {
            ds_put_format(&key, " %s", actor->end.service->name);
        }
        const struct shash_node *kind = shash_find(&kinds, ds_cstr(&key));
        actor->kind = kind ? (uintptr_t) kind->data : shash_count(&kinds);
        if (!kind) {
            shash_add(&kinds, ds_cstr(&key),
                      (void *) (uintptr_t) actor->kind);
        }
        ds_destroy(&key);
    }
    shash_destroy(&kinds);
}

void
verify_meet_actors(struct verifier *v)
{
    hmap_init(&v->actors);
    add_all(v);
    look_at_all_ports(v);
    sort_by_kind(v);
}

void
verify_leave_actors(struct verifier *v)
{
    struct actor *actor;
    HMAP_FOR_EACH_POP (actor, node, &v->actors) {
        bitmap_free(actor->looks);
        free(actor);
    }
    hmap_destroy(&v->actors);
}
