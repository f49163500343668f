/* Semantic errors and warnings: see check.h.
 *
 * Each check_*() finds one kind of mistake.  All are linear in the size of
 * the topology, by way of hash tables. */

#include "check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/hmap.h>

#include "evaluate.h"
#include "hash.h"
#include "packets.h"
#include "util.h"

/* Nearest name. */

/* The restricted Damerau-Levenshtein distance: insertions, deletions,
 * substitutions and swaps of neighbours (Damerau 1964; "optimal string
 * alignment").  Gives up above 'limit'. */
static size_t
edit_distance(const char *a, const char *b, size_t limit)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX || (n > m ? n - m : m - n) > limit) {
        return limit + 1;
    }
    size_t rows[3][MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = MIN(best, above[j] + 1);
            best = MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1]) {
                best = MIN(best, above2[j - 2] + 1);
            }
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *
check_nearest(const char *name, const char *const names[], size_t n)
{
    /* A third of the letters may be wrong. */
    size_t limit = MAX(1, strlen(name) / 3);
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t distance = edit_distance(name, names[i], limit);
        if (distance <= limit) {
            nearest = names[i];
            if (!distance) {
                break;
            }
            limit = distance - 1;
        }
    }
    return nearest;
}

/* Going through the topology. */

#define FOR_EACH_SERVICE(SERVICE, TOPOLOGY)                             \
    for (size_t a_ = 0; a_ < (TOPOLOGY)->n_applications; a_++)          \
        for (size_t s_ = 0;                                             \
             s_ < (TOPOLOGY)->applications[a_]->n_services; s_++)       \
            for (const struct service *SERVICE                          \
                     = (TOPOLOGY)->applications[a_]->services[s_];      \
                 SERVICE; SERVICE = NULL)

#define FOR_EACH_WORKLOAD(WORKLOAD, TOPOLOGY)                           \
    FOR_EACH_SERVICE (service_, TOPOLOGY)                               \
        for (size_t w_ = 0; w_ < service_->n_workloads; w_++)           \
            for (const struct workload *WORKLOAD                        \
                     = service_->workloads[w_]->home == service_        \
                       ? service_->workloads[w_] : NULL;                \
                 WORKLOAD; WORKLOAD = NULL)

#define FOR_EACH_LINK(LINK, TOPOLOGY)                                   \
    for (size_t a_ = 0; a_ < (TOPOLOGY)->n_applications; a_++)          \
        for (size_t l_ = 0;                                             \
             l_ < (TOPOLOGY)->applications[a_]->n_links; l_++)          \
            for (const struct link *LINK                                \
                     = (TOPOLOGY)->applications[a_]->links[l_];         \
                 LINK; LINK = NULL)

/* Workloads. */

/* Something that must be unique: an address or MAC in a segment, a binding. */
struct claim {
    struct hmap_node node;
    uint8_t key[24];
    const char *text;           /* Instead of 'key', if not NULL. */
    const struct workload *owner;
};

static const struct workload *
claim(struct hmap *claims, const uint8_t key[24], const char *text,
      const struct workload *owner)
{
    uint32_t hash = text ? hash_string(text, 1) : hash_bytes(key, 24, 0);
    struct claim *c;
    HMAP_FOR_EACH_WITH_HASH (c, node, hash, claims) {
        if (text ? c->text && !strcmp(c->text, text)
            : !c->text && !memcmp(c->key, key, 24)) {
            return c->owner;
        }
    }
    c = xzalloc(sizeof *c);
    if (text) {
        c->text = xstrdup(text);
    } else {
        memcpy(c->key, key, 24);
    }
    c->owner = owner;
    hmap_insert(claims, &c->node, hash);
    return NULL;
}

static void
claims_destroy(struct hmap *claims)
{
    struct claim *c;
    HMAP_FOR_EACH_POP (c, node, claims) {
        free(CONST_CAST(char *, c->text));
        free(c);
    }
    hmap_destroy(claims);
}

static const char *
bad_address(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        uint32_t ip = ntohl(in6_addr_get_mapped_ipv4(address));
        return !ip ? "unspecified"
               : ip == UINT32_MAX ? "the broadcast address"
               : ip >> 24 == 127 ? "a loopback address"
               : ip >> 28 == 14 ? "a multicast address" : NULL;
    }
    return IN6_IS_ADDR_UNSPECIFIED(address) ? "unspecified"
           : IN6_IS_ADDR_LOOPBACK(address) ? "a loopback address"
           : IN6_IS_ADDR_MULTICAST(address) ? "a multicast address" : NULL;
}

static void
check_address(const struct workload *workload, const struct in6_addr *address,
              struct hmap *claims, struct report *report)
{
    char *text = address_to_string(address);
    const char *bad = bad_address(address);
    if (bad) {
        report_error(report, workload->where, "address %s of workload '%s' "
                     "is %s; give the one that the workload sends from",
                     text, workload->name, bad);
        free(text);
        return;
    }
    uint8_t key[24] = { workload->home->segment->id >> 8,
                        workload->home->segment->id };
    memcpy(key + 4, address, sizeof *address);
    const struct workload *other = claim(claims, key, NULL, workload);
    if (other) {
        report_error(report, workload->where, "address %s of workload '%s' "
                     "belongs to '%s/%s' already, at %s:%d; addresses are "
                     "unique within a segment", text, workload->name,
                     other->home->path, other->name, other->where.file,
                     other->where.line);
    }
    free(text);
}

static void
check_mac(const struct workload *workload, const struct eth_addr *mac,
          struct hmap *claims, struct report *report)
{
    if (eth_addr_is_multicast(*mac) || eth_addr_is_zero(*mac)) {
        report_error(report, workload->where, "MAC "ETH_ADDR_FMT" of "
                     "workload '%s' is %s; give the one that the workload "
                     "sends from", ETH_ADDR_ARGS(*mac), workload->name,
                     eth_addr_is_zero(*mac) ? "zero" : "a group address");
        return;
    }
    uint8_t key[24] = { workload->home->segment->id >> 8,
                        workload->home->segment->id, 1 };
    memcpy(key + 4, mac, sizeof *mac);
    const struct workload *other = claim(claims, key, NULL, workload);
    if (other) {
        report_error(report, workload->where, "MAC "ETH_ADDR_FMT" of "
                     "workload '%s' belongs to '%s/%s' already, at %s:%d; "
                     "MACs are unique within a segment",
                     ETH_ADDR_ARGS(*mac), workload->name, other->home->path,
                     other->name, other->where.file, other->where.line);
    }
}

static void
check_binding(const struct workload *workload, struct hmap *claims,
              struct report *report)
{
    char *binding = binding_to_string(workload);
    const struct workload *other = claim(claims, NULL, binding, workload);
    if (other) {
        report_error(report, workload->where, "workload '%s' is bound to %s, "
                     "as '%s/%s' at %s:%d is; one port is one workload",
                     workload->name, binding, other->home->path, other->name,
                     other->where.file, other->where.line);
    }
    free(binding);
}

static void
check_workloads(const struct topology *topology, struct report *report)
{
    struct hmap claims = HMAP_INITIALIZER(&claims);
    FOR_EACH_WORKLOAD (workload, topology) {
        check_binding(workload, &claims, report);
        for (size_t i = 0; i < workload->n_macs; i++) {
            check_mac(workload, &workload->macs[i], &claims, report);
        }
        for (size_t i = 0; i < workload->n_addresses; i++) {
            check_address(workload, &workload->addresses[i], &claims, report);
        }
        if (!workload->n_macs) {
            report_error(report, workload->where, "workload '%s' has no "
                         "<mac>; it needs at least one, or nothing that it "
                         "sends would pass", workload->name);
        }
        if (!workload->n_addresses) {
            report_error(report, workload->where, "workload '%s' has no "
                         "<address>; it needs at least one", workload->name);
        }
    }
    claims_destroy(&claims);
}

/* Segments and networks. */

static void
check_segments(const struct topology *topology, struct report *report)
{
    const struct segment *of_vlan[4096] = { NULL };
    for (size_t i = 0; i < topology->n_segments; i++) {
        const struct segment *segment = topology->segments[i];
        if (segment->kind != SEGMENT_VLAN) {
            continue;
        }
        const struct segment *other = of_vlan[segment->vlan];
        if (other) {
            report_error(report, segment->where, "VLAN %u of segment '%s' is "
                         "that of '%s' already, at %s:%d; a VLAN is one "
                         "segment", segment->vlan, segment->name, other->name,
                         other->where.file, other->where.line);
        }
        of_vlan[segment->vlan] = segment;
    }
}

static bool
prefix_within(const struct prefix *inner, const struct prefix *outer)
{
    return inner->len >= outer->len && prefix_holds(outer, &inner->addr);
}

static void
check_networks(const struct topology *topology, struct report *report)
{
    for (size_t i = 0; i < topology->n_networks; i++) {
        const struct network *network = topology->networks[i];
        if (!network->n_prefixes) {
            report_error(report, network->where, "network '%s' has no "
                         "<prefix>, only exceptions; say what is in it",
                         network->name);
            continue;
        }
        for (size_t j = 0; j < network->n_exceptions; j++) {
            bool within = false;
            for (size_t k = 0; k < network->n_prefixes && !within; k++) {
                within = prefix_within(&network->exceptions[j],
                                       &network->prefixes[k]);
            }
            if (!within) {
                char *text = prefix_to_string(&network->exceptions[j]);
                report_error(report, network->where, "exception %s of "
                             "network '%s' is within none of its prefixes; "
                             "remove it or correct one", text,
                             network->name);
                free(text);
            }
        }
    }
}

/* Links. */

static bool
endpoint_is(const struct endpoint *pattern, const struct endpoint *end)
{
    return pattern->service ? pattern->service == end->service
           : pattern->network ? pattern->network == end->network
           : pattern->application && end->service
             && pattern->application == end->application;
}

static bool
accept_covers(const struct link *accept, const struct opening *opening)
{
    if (!accept->n_openings) {
        return true;
    }
    for (size_t i = 0; i < accept->n_openings; i++) {
        if (opening_covers(&accept->openings[i], opening)) {
            return true;
        }
    }
    return false;
}

/* The application that must agree to 'link', or NULL. */
static const struct application *
other_side(const struct link *link)
{
    return link->from.service && link->from.application != link->application
           ? link->from.application
           : link->to.service && link->to.application != link->application
           ? link->to.application : NULL;
}

/* Accepts by the two applications, so that links find theirs quickly. */
struct accept_index {
    struct hmap accepts;        /* struct accept_node. */
};

struct accept_node {
    struct hmap_node node;
    const struct link *accept;
    bool used;
};

static uint32_t
hash_applications(const void *a, const void *b)
{
    return hash_pointer(a, hash_pointer(b, 0));
}

static const struct application *
accept_peer(const struct link *accept)
{
    return accept->from.application == accept->application
           ? accept->to.application : accept->from.application;
}

static void
check_accepted(const struct link *link, struct accept_index *index,
               struct report *report)
{
    const struct application *other = other_side(link);
    if (!other) {
        return;
    }
    char *from = endpoint_to_string(&link->from);
    char *to = endpoint_to_string(&link->to);
    uint32_t hash = hash_applications(other, link->application);
    for (size_t i = 0; i < link->n_openings; i++) {
        bool covered = false, some = false;
        struct accept_node *a;
        HMAP_FOR_EACH_WITH_HASH (a, node, hash, &index->accepts) {
            if (a->accept->application == other
                && endpoint_is(&a->accept->from, &link->from)
                && endpoint_is(&a->accept->to, &link->to)) {
                some = a->used = true;
                covered |= accept_covers(a->accept, &link->openings[i]);
            }
        }
        if (!covered) {
            char *what = opening_to_string(&link->openings[i]);
            report_error(report, link->openings[i].where, "link %s -> %s %s "
                         "%s application '%s'; its team has to add <accept "
                         "from=\"%s\" to=\"%s\"/>%s", from, to, what,
                         some ? "is more than is accepted by"
                              : "is not accepted by", other->name, from, to,
                         some ? " with this in it" : "");
            free(what);
            if (!some) {
                break;
            }
        }
    }
    free(from);
    free(to);
}

static bool
leaves_isolation(const struct endpoint *a, const struct endpoint *b)
{
    return a->service && a->service->segment->kind == SEGMENT_ISOLATED
           && (b->service ? b->service->segment != a->service->segment
               : true);
}

static void
check_ends(const struct link *link, bool accept, struct report *report)
{
    const char *what = accept ? "accept" : "link";
    const struct application *own = link->application;
    if (!link->from.service && !link->to.service && !accept) {
        report_error(report, link->where, "neither end of the link is a "
                     "service; a link has at least one end in its "
                     "application");
        return;
    }
    if (link->from.application != own && link->to.application != own) {
        report_error(report, link->where, "neither end of the %s is a "
                     "service of application '%s'; it belongs into the "
                     "manifest of another", what, own->name);
    } else if (accept && (link->from.network || link->to.network
                          || link->from.application
                             == link->to.application)) {
        report_error(report, link->where, "an accept is for links of another "
                     "application; within one, and for networks, a link is "
                     "enough");
    }
    if (leaves_isolation(&link->from, &link->to)
        || leaves_isolation(&link->to, &link->from)) {
        report_error(report, link->where, "the link leads out of an isolated "
                     "segment; give the segment a VLAN, or put both ends "
                     "into one segment");
    }
    if (link->from.network && link->from.network->segment && link->to.service
        && link->from.network->segment != link->to.service->segment) {
        report_error(report, link->where, "network '%s' is in segment '%s', "
                     "service '%s' in '%s'", link->from.network->name,
                     link->from.network->segment->name,
                     link->to.service->path,
                     link->to.service->segment->name);
    }
    if (link->to.network && link->to.network->segment && link->from.service
        && link->to.network->segment != link->from.service->segment) {
        report_error(report, link->where, "network '%s' is in segment '%s', "
                     "service '%s' in '%s'", link->to.network->name,
                     link->to.network->segment->name,
                     link->from.service->path,
                     link->from.service->segment->name);
    }
}

static void
check_validity(const struct link *link, time_t now, struct report *report)
{
    if (link->not_before && link->not_after
        && link->not_after <= link->not_before) {
        report_error(report, link->where, "the link ends (not-after) before "
                     "it begins (not-before); swap the two");
    } else if (link->not_after && now >= link->not_after) {
        report_warning(report, link->where, "the link has expired and allows "
                       "nothing; remove it, or extend not-after");
    } else if (link->not_before && now < link->not_before) {
        report_warning(report, link->where, "the link is not yet valid and "
                       "allows nothing so far");
    }
}

static bool
holds_everything(const struct network *network)
{
    for (size_t i = 0; i < network->n_prefixes; i++) {
        int len = network->prefixes[i].len;
        bool ipv4 = IN6_IS_ADDR_V4MAPPED(&network->prefixes[i].addr);
        if (len == (ipv4 ? 96 : 0)) {
            return true;
        }
    }
    return false;
}

static void
check_breadth(const struct link *link, struct report *report)
{
    const struct network *network = link->from.network ? link->from.network
                                                       : link->to.network;
    for (size_t i = 0; i < link->n_openings; i++) {
        const struct opening *o = &link->openings[i];
        bool all_ports = o->first == 0 && o->last == UINT16_MAX
                         && (o->protocol == IPPROTO_TCP
                             || o->protocol == IPPROTO_UDP);
        if (o->protocol == PROTOCOL_ANY) {
            report_warning(report, o->where, "<any/> opens everything; name "
                           "protocols and ports");
        } else if (all_ports && network && holds_everything(network)) {
            report_warning(report, o->where, "opens every port %s the whole "
                           "world; name ports", link->from.network ? "to"
                           : "towards");
        }
    }
}

/* Openings by their link's ends, to find those that another one covers. */
struct seen_opening {
    struct hmap_node node;
    const struct link *link;
    const struct opening *opening;
};

static bool
same_window(const struct link *outer, const struct link *inner)
{
    return outer->not_before <= inner->not_before
           && (!outer->not_after
               || (inner->not_after && outer->not_after >= inner->not_after));
}

static bool
same_ends(const struct link *a, const struct link *b)
{
    return a->from.service == b->from.service
           && a->from.network == b->from.network
           && a->to.service == b->to.service
           && a->to.network == b->to.network;
}

static uint32_t
hash_ends(const struct link *link)
{
    const void *from = link->from.service ? (const void *) link->from.service
                       : (const void *) link->from.network;
    const void *to = link->to.service ? (const void *) link->to.service
                     : (const void *) link->to.network;
    return hash_applications(from, to);
}

static void
check_shadow(const struct seen_opening *s, const struct hmap *openings,
             struct report *report)
{
    const struct seen_opening *other;
    HMAP_FOR_EACH_WITH_HASH (other, node, s->node.hash, openings) {
        if (other == s || !same_ends(other->link, s->link)
            || !same_window(other->link, s->link)
            || !opening_covers(other->opening, s->opening)) {
            continue;
        }
        /* Of two that are the same, the later one is too much. */
        if (opening_covers(s->opening, other->opening)
            && same_window(s->link, other->link)
            && s->opening->where.line <= other->opening->where.line
            && strcmp(s->opening->where.file,
                      other->opening->where.file) <= 0) {
            continue;
        }
        char *what = opening_to_string(s->opening);
        report_warning(report, s->opening->where, "%s is shadowed: %s:%d "
                       "opens it already, for the same ends; remove one",
                       what, other->opening->where.file,
                       other->opening->where.line);
        free(what);
        return;
    }
}

static void
check_shadows(const struct topology *topology, struct report *report)
{
    struct hmap openings = HMAP_INITIALIZER(&openings);
    FOR_EACH_LINK (link, topology) {
        for (size_t i = 0; i < link->n_openings; i++) {
            struct seen_opening *s = xmalloc(sizeof *s);
            s->link = link;
            s->opening = &link->openings[i];
            hmap_insert(&openings, &s->node, hash_ends(link));
        }
    }
    struct seen_opening *s;
    HMAP_FOR_EACH (s, node, &openings) {
        check_shadow(s, &openings, report);
    }
    HMAP_FOR_EACH_POP (s, node, &openings) {
        free(s);
    }
    hmap_destroy(&openings);
}

/* A link between segments makes the addresses of each side known in the
 * other's, where they must not be somebody else's. */
static void
check_foreign(const struct service *service, const struct segment *segment,
              const struct link *link, const struct hmap *addresses,
              struct report *report)
{
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *workload = service->workloads[i];
        for (size_t j = 0; j < workload->n_addresses; j++) {
            uint8_t key[24] = { segment->id >> 8, segment->id };
            memcpy(key + 4, &workload->addresses[j],
                   sizeof workload->addresses[j]);
            const struct claim *c;
            HMAP_FOR_EACH_WITH_HASH (c, node, hash_bytes(key, 24, 0),
                                     addresses) {
                if (memcmp(c->key, key, 24)) {
                    continue;
                }
                char *text = address_to_string(&workload->addresses[j]);
                report_error(report, link->where, "the link leads between "
                             "segments, but address %s of '%s/%s' is that of "
                             "'%s/%s' in segment '%s'; renumber one, or use "
                             "a network for a translated address", text,
                             workload->home->path, workload->name,
                             c->owner->home->path, c->owner->name,
                             segment->name);
                free(text);
                return;
            }
        }
    }
}

static void
check_between_segments(const struct topology *topology, struct report *report)
{
    struct hmap addresses = HMAP_INITIALIZER(&addresses);
    FOR_EACH_WORKLOAD (workload, topology) {
        for (size_t i = 0; i < workload->n_addresses; i++) {
            uint8_t key[24] = { workload->home->segment->id >> 8,
                                workload->home->segment->id };
            memcpy(key + 4, &workload->addresses[i],
                   sizeof workload->addresses[i]);
            claim(&addresses, key, NULL, workload);
        }
    }
    FOR_EACH_LINK (link, topology) {
        const struct service *from = link->from.service;
        const struct service *to = link->to.service;
        if (from && to && from->segment != to->segment) {
            check_foreign(from, to->segment, link, &addresses, report);
            check_foreign(to, from->segment, link, &addresses, report);
        }
    }
    claims_destroy(&addresses);
}

/* What is declared but serves nothing. */

static void
mark_used(struct hmap *used, const void *object)
{
    if (object) {
        struct hmap_node *node = hmap_first_with_hash(
            used, hash_pointer(object, 0));
        if (!node) {
            node = xzalloc(sizeof *node);
            hmap_insert(used, node, hash_pointer(object, 0));
        }
    }
}

static bool
is_used(const struct hmap *used, const void *object)
{
    return hmap_first_with_hash(used, hash_pointer(object, 0));
}

static void
check_unused(const struct topology *topology, struct report *report)
{
    struct hmap used = HMAP_INITIALIZER(&used);
    FOR_EACH_LINK (link, topology) {
        mark_used(&used, link->from.service);
        mark_used(&used, link->from.network);
        mark_used(&used, link->to.service);
        mark_used(&used, link->to.network);
    }
    FOR_EACH_SERVICE (service, topology) {
        if (!service->n_workloads) {
            report_warning(report, service->where, "service '%s' has no "
                           "workloads; links with it open nothing",
                           service->path);
        } else if (!is_used(&used, service)) {
            report_warning(report, service->where, "service '%s' has no "
                           "link; nobody can talk to it", service->path);
        }
    }
    for (size_t i = 0; i < topology->n_networks; i++) {
        const struct network *network = topology->networks[i];
        if (!is_used(&used, network)) {
            report_warning(report, network->where, "network '%s' is used by "
                           "no link", network->name);
        }
    }
    struct hmap_node *node;
    while ((node = hmap_first(&used))) {
        hmap_remove(&used, node);
        free(node);
    }
    hmap_destroy(&used);
}

static void
check_links(const struct topology *topology, time_t now,
            struct report *report)
{
    struct accept_index index = { .accepts = HMAP_INITIALIZER(
                                      &index.accepts) };
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_accepts; j++) {
            const struct link *accept = application->accepts[j];
            struct accept_node *a = xzalloc(sizeof *a);
            a->accept = accept;
            check_ends(accept, true, report);
            hmap_insert(&index.accepts, &a->node,
                        hash_applications(application, accept_peer(accept)));
        }
    }
    FOR_EACH_LINK (link, topology) {
        check_ends(link, false, report);
        check_accepted(link, &index, report);
        check_validity(link, now, report);
        check_breadth(link, report);
    }
    struct accept_node *a;
    HMAP_FOR_EACH_POP (a, node, &index.accepts) {
        if (!a->used && !report->n_errors) {
            report_warning(report, a->accept->where,
                           "no link uses this accept");
        }
        free(a);
    }
    hmap_destroy(&index.accepts);
}

/* Expectations. */

static void
check_expects(const struct topology *topology, struct report *report)
{
    struct shash seen = SHASH_INITIALIZER(&seen);
    for (size_t i = 0; i < topology->n_expects; i++) {
        const struct expect *expect = topology->expects[i];
        struct party party;
        const char *ends[] = { expect->from, expect->to };
        for (size_t j = 0; j < ARRAY_SIZE(ends); j++) {
            char *error = party_parse(topology, ends[j], expect->segment,
                                      &party);
            if (error) {
                report_error(report, expect->where, "%s", error);
                free(error);
            }
        }
        char *what = opening_to_string(&expect->opening);
        char *key = xasprintf("%s %s %s %s", expect->from, expect->to, what,
                              expect->segment ? expect->segment->name : "");
        const struct expect *other = shash_find_data(&seen, key);
        if (other && other->allow != expect->allow) {
            report_error(report, expect->where, "expects %s, but %s:%d "
                         "expects %s of the same connection; remove one",
                         expect->allow ? "allow" : "deny", other->where.file,
                         other->where.line, other->allow ? "allow" : "deny");
        } else if (!other) {
            shash_add(&seen, key, expect);
        }
        free(what);
        free(key);
    }
    shash_destroy(&seen);
}

void
check_topology(const struct topology *topology, time_t now,
               struct report *report)
{
    check_segments(topology, report);
    check_networks(topology, report);
    check_workloads(topology, report);
    check_links(topology, now, report);
    check_between_segments(topology, report);
    check_shadows(topology, report);
    check_unused(topology, report);
    check_expects(topology, report);
}
