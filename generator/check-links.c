/* Errors and warnings about links: see check-links.h.
 *
 * Links are grouped by hash or by sorting, so that the cost stays near the
 * number of openings. */

#include "check-links.h"

#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"

/* Segments: a link between two needs addresses that are unique in both. */

/* A workload's address in one segment. */
struct scoped_address {
    struct hmap_node node;
    const struct in6_addr *address;
    const struct segment *segment;
    const struct workload *workload;
};

static const struct scoped_address *
find_address(const struct hmap *addresses, const struct in6_addr *address,
             const struct segment *segment)
{
    const struct scoped_address *a;
    HMAP_FOR_EACH_WITH_HASH (a, node, hash_bytes(address, 16, segment->id),
                             addresses) {
        if (a->segment == segment
            && !memcmp(a->address, address, sizeof *address)) {
            return a;
        }
    }
    return NULL;
}

static void
add_address(struct hmap *addresses, const struct in6_addr *address,
            const struct segment *segment, const struct workload *workload)
{
    struct scoped_address *a = xmalloc(sizeof *a);
    *a = (struct scoped_address) { .address = address, .segment = segment,
                                   .workload = workload };
    hmap_insert(addresses, &a->node, hash_bytes(address, 16, segment->id));
}

static void
index_addresses(const struct topology *topology, struct hmap *addresses)
{
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                const struct workload *workload = service->workloads[k];
                for (size_t m = 0; m < workload->n_addresses
                     && workload->home == service; m++) {
                    add_address(addresses, &workload->addresses[m],
                                service->segment, workload);
                }
            }
        }
    }
}

struct crossing_check {
    const struct topology *topology;
    struct hmap addresses;      /* Filled when a link first needs it. */
    struct hmap done;           /* struct crossing. */
    struct report *report;
};

/* A service that was checked against a segment. */
struct crossing {
    struct hmap_node node;
    const struct service *service;
    const struct segment *segment;
};

static bool
is_first_crossing(struct crossing_check *check, const struct service *service,
                  const struct segment *segment)
{
    uint32_t hash = hash_pointer(service, segment->id);
    struct crossing *c;
    HMAP_FOR_EACH_WITH_HASH (c, node, hash, &check->done) {
        if (c->service == service && c->segment == segment) {
            return false;
        }
    }
    c = xmalloc(sizeof *c);
    c->service = service;
    c->segment = segment;
    hmap_insert(&check->done, &c->node, hash);
    return true;
}

/* Makes the addresses of 'service' known in 'segment', or reports the first
 * of them that somebody else has there, or is known by there. */
static void
check_crossing(struct crossing_check *check, const struct link *link,
               const struct service *service, const struct segment *segment)
{
    if (!is_first_crossing(check, service, segment)) {
        return;
    }
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *workload = service->workloads[i];
        for (size_t j = 0; j < workload->n_addresses; j++) {
            const struct in6_addr *address = &workload->addresses[j];
            if (IN6_IS_ADDR_LINKLOCAL(address)) {
                continue;
            }
            const struct scoped_address *a
                = find_address(&check->addresses, address, segment);
            if (!a) {
                add_address(&check->addresses, address, segment, workload);
                continue;
            } else if (a->workload == workload) {
                continue;
            }
            char *text = address_to_string(address);
            char *mine = workload_path(workload);
            char *other = workload_path(a->workload);
            report_error(check->report, link->where, "this link leaves "
                         "segment '%s' for '%s', where '%s' (%s:%d) has the "
                         "address %s of '%s' too; renumber one of them",
                         service->segment->name, segment->name, other,
                         a->workload->where.file, a->workload->where.line,
                         text, mine);
            free(text);
            free(mine);
            free(other);
            return;
        }
    }
}

static void
check_isolated(const struct link *link, const struct segment *segment,
               const char *other, struct report *report)
{
    report_error(report, link->where, "segment '%s' (%s:%d) is isolated and "
                 "this link leaves it for %s; give the segment a "
                 "vlan=\"...\" or remove the link", segment->name,
                 segment->where.file, segment->where.line, other);
}

static void
check_network_link(const struct link *link, const struct service *service,
                   const struct network *network, struct report *report)
{
    const struct segment *segment = service->segment;
    char *other = xasprintf("network '%s'", network->name);
    if (segment->kind == SEGMENT_ISOLATED) {
        check_isolated(link, segment, other, report);
    } else if (network->segment && network->segment != segment) {
        report_error(report, link->where, "%s is reached in segment '%s', "
                     "but service '%s' is in segment '%s'; declare the "
                     "network without a segment, or another one", other,
                     network->segment->name, service->path, segment->name);
    }
    free(other);
}

static void
check_link_segments(struct crossing_check *check, const struct link *link)
{
    const struct service *from = link->from.service;
    const struct service *to = link->to.service;
    if (!from || !to) {
        check_network_link(link, from ? from : to,
                           from ? link->to.network : link->from.network,
                           check->report);
        return;
    }
    if (from->segment == to->segment) {
        return;
    }
    const struct service *isolated
        = from->segment->kind == SEGMENT_ISOLATED ? from
          : to->segment->kind == SEGMENT_ISOLATED ? to : NULL;
    if (isolated) {
        const struct service *other = isolated == from ? to : from;
        char *text = xasprintf("segment '%s'", other->segment->name);
        check_isolated(link, isolated->segment, text, check->report);
        free(text);
        return;
    }
    if (hmap_is_empty(&check->addresses)) {
        index_addresses(check->topology, &check->addresses);
    }
    check_crossing(check, link, from, to->segment);
    check_crossing(check, link, to, from->segment);
}

static void
check_segments(const struct topology *topology, struct report *report)
{
    struct crossing_check check = { .topology = topology, .report = report };
    hmap_init(&check.addresses);
    hmap_init(&check.done);
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            check_link_segments(&check, application->links[j]);
        }
    }
    struct crossing *c;
    HMAP_FOR_EACH_POP (c, node, &check.done) {
        free(c);
    }
    struct scoped_address *a;
    HMAP_FOR_EACH_POP (a, node, &check.addresses) {
        free(a);
    }
    hmap_destroy(&check.done);
    hmap_destroy(&check.addresses);
}

/* Shadowed openings: wholly covered by another of the same ends. */

/* True if 'a' is valid whenever 'b' is. */
static bool
window_covers(const struct link *a, const struct link *b)
{
    return (!a->not_before
            || (b->not_before && a->not_before <= b->not_before))
           && (!a->not_after
               || (b->not_after && a->not_after >= b->not_after));
}

struct entry {
    const struct link *link;
    const struct opening *opening;
    const void *from, *to;
    size_t order;               /* Of the manifests. */
};

#define COMPARE(A, B)                           \
    do {                                        \
        if ((A) != (B)) {                       \
            return (A) < (B) ? -1 : 1;          \
        }                                       \
    } while (0)

/* Within one pair of ends whatever covers an opening comes before it. */
static int
compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = a_;
    const struct entry *b = b_;
    COMPARE((uintptr_t) a->from, (uintptr_t) b->from);
    COMPARE((uintptr_t) a->to, (uintptr_t) b->to);
    COMPARE(b->opening->protocol, a->opening->protocol);
    COMPARE(a->opening->icmp_type, b->opening->icmp_type);
    COMPARE(a->opening->icmp_code, b->opening->icmp_code);
    COMPARE(a->opening->first, b->opening->first);
    COMPARE(b->opening->last, a->opening->last);
    COMPARE(a->order, b->order);
    return 0;
}

static struct entry *
list_openings(const struct topology *topology, size_t *n)
{
    struct entry *entries = NULL;
    size_t allocated = 0;
    *n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            for (size_t k = 0; k < link->n_openings; k++) {
                if (*n >= allocated) {
                    entries = x2nrealloc(entries, &allocated,
                                         sizeof *entries);
                }
                entries[*n] = (struct entry) {
                    .link = link, .opening = &link->openings[k], .order = *n,
                    .from = link->from.service ? (void *) link->from.service
                                               : (void *) link->from.network,
                    .to = link->to.service ? (void *) link->to.service
                                           : (void *) link->to.network,
                };
                ++*n;
            }
        }
    }
    return entries;
}

static bool
entry_covers(const struct entry *a, const struct entry *b)
{
    return a && a != b && opening_covers(a->opening, b->opening)
           && window_covers(a->link, b->link);
}

static void
report_shadowed(const struct entry *entry, const struct entry *by,
                struct report *report)
{
    char *text = opening_to_string(entry->opening);
    char *other = opening_to_string(by->opening);
    const struct location *where = &by->opening->where;
    report_warning(report, entry->opening->where, "%s is open between these "
                   "ends already, by %s at %s:%d; remove one", text, other,
                   where->file, where->line);
    free(text);
    free(other);
}

static void
check_shadowed(const struct topology *topology, struct report *report)
{
    size_t n;
    struct entry *entries = list_openings(topology, &n);
    if (n) {
        qsort(entries, n, sizeof *entries, compare_entries);
    }

    /* Those that may cover the next one: <any/>, the widest of the protocol,
     * the widest of the ICMP type, and the one before. */
    const struct entry *any = NULL, *widest = NULL, *type = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = &entries[i];
        const struct entry *last = i ? e - 1 : NULL;
        if (!last || last->from != e->from || last->to != e->to) {
            any = widest = type = last = NULL;
        }
        if (last && last->opening->protocol != e->opening->protocol) {
            widest = type = NULL;
        }
        if (type && type->opening->icmp_type != e->opening->icmp_type) {
            type = NULL;
        }
        const struct entry *by = entry_covers(any, e) ? any
                                 : entry_covers(widest, e) ? widest
                                 : entry_covers(type, e) ? type
                                 : entry_covers(last, e) ? last : NULL;
        if (by) {
            report_shadowed(e, by, report);
        }
        any = any || e->opening->protocol != PROTOCOL_ANY ? any : e;
        widest = widest && widest->opening->last >= e->opening->last ? widest
                                                                     : e;
        type = type ? type : e;
    }
    free(entries);
}

/* Single links. */

static bool
holds_everything(const struct network *network)
{
    for (size_t i = 0; network && i < network->n_prefixes; i++) {
        const struct prefix *prefix = &network->prefixes[i];
        if (!prefix->len || (prefix->len == 96
                             && IN6_IS_ADDR_V4MAPPED(&prefix->addr))) {
            return true;
        }
    }
    return false;
}

static void
check_wide_open(const struct link *link, struct report *report)
{
    const struct network *network = link->from.network ? link->from.network
                                                       : link->to.network;
    if (!holds_everything(network)) {
        return;
    }
    for (size_t i = 0; i < link->n_openings; i++) {
        const struct opening *o = &link->openings[i];
        if (o->protocol == PROTOCOL_ANY
            || (o->protocol == IPPROTO_TCP && !o->first
                && o->last == UINT16_MAX)) {
            char *text = opening_to_string(o);
            report_warning(report, o->where, "this opens everything (%s) "
                           "with network '%s', which is everybody; name the "
                           "ports that are needed", text, network->name);
            free(text);
        }
    }
}

static char *
time_to_string(time_t t)
{
    struct tm tm;
    char text[64];
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return xstrdup(text);
}

static void
check_window(const struct link *link, time_t now, struct report *report)
{
    if (link_is_valid(link, now)) {
        return;
    }
    bool expired = link->not_after && now >= link->not_after;
    char *time = time_to_string(expired ? link->not_after
                                        : link->not_before);
    report_warning(report, link->where, expired
                   ? "this link expired at %s; remove it or extend not-after"
                   : "this link is not valid before %s; until then it opens "
                     "nothing", time);
    free(time);
}

void
check_links(const struct topology *topology, time_t now,
            struct report *report)
{
    check_accepts(topology, report);
    check_segments(topology, report);
    check_shadowed(topology, report);
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            check_wide_open(application->links[j], report);
            check_window(application->links[j], now, report);
        }
    }
}
