/* History to links: see learn.h.
 *
 * Entries that may become links are sorted into groups: from one service to
 * another (or the outside), on one protocol and port.  Each group that is not
 * set aside becomes a link, or, with addresses outside, one for each network
 * that they are folded to. */

#include "learn-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "direction.h"
#include "evaluate.h"
#include "packets.h"
#include "util.h"

/* Which entries may become links? */

/* Who is outside is in the segment of the workload at the other end. */
static struct party
party_of(const struct learner *learner, uint32_t end, uint32_t other)
{
    const struct whom *whom = &learner->whom[end];
    bool outside = whom->host == NO_HOST;
    return (struct party) {
        .workload = outside ? NULL : learner->hosts[whom->host].workload,
        .address = learner->history->ends[end].address, .has_address = true,
        .segment = outside ? learner->whom[other].segment : whom->segment,
    };
}

static struct opening
opening_of(uint8_t protocol, uint16_t first, uint16_t last)
{
    bool is_icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
    struct opening opening = {
        .protocol = protocol, .first = first, .last = last,
        .icmp_type = is_icmp ? first : -1, .icmp_code = -1,
    };
    if (!opening_has_ports(&opening)) {
        opening.first = 0;
        opening.last = UINT16_MAX;
    }
    return opening;
}

static bool
is_covered(const struct learner *learner, uint32_t client, uint32_t server,
           uint8_t protocol, uint16_t port, uint8_t icmp_code)
{
    const struct party from = party_of(learner, client, server);
    const struct party to = party_of(learner, server, client);
    struct opening what = opening_of(protocol, port, port);
    what.icmp_code = what.icmp_type >= 0 ? icmp_code : -1;
    return learner->learned->has_topology
           && evaluate(learner->topology, &from, &to, &what,
                       learner->options->now).kind == VERDICT_ALLOW;
}

/* Between workloads, or of one with the outside? */
static bool
is_ours(const struct learner *learner, uint32_t a, uint32_t b)
{
    uint32_t a_host = learner->whom[a].host;
    uint32_t b_host = learner->whom[b].host;
    return a_host != b_host;
}

/* A MAC tells the broadcast address of a subnet. */
static bool
is_group(const struct history_end *end)
{
    const struct in6_addr *address = &end->address;
    return IN6_IS_ADDR_MULTICAST(address) || eth_addr_is_multicast(end->mac)
           || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] >= 224);
}

static bool
is_dhcp(const struct history_entry *e)
{
    return e->protocol == IPPROTO_UDP
           && (e->port == 67 || e->port == 68 || e->port == 546
               || e->port == 547);
}

/* UDP and others may need no answer. */
static bool
needs_answer(const struct history_entry *e)
{
    return e->protocol == IPPROTO_TCP || e->protocol == IPPROTO_SCTP
           || e->protocol == IPPROTO_ICMP || e->protocol == IPPROTO_ICMPV6;
}

static bool
is_stray(const struct learner *learner, uint32_t end)
{
    return learner->whom[end].host == NO_HOST
           && IN6_IS_ADDR_LINKLOCAL(&learner->history->ends[end].address);
}

/* Between a workload of an isolated segment and the outside? */
static bool
leaves_isolated(const struct learner *learner, const struct history_entry *e)
{
    uint32_t client = learner->whom[e->client].host;
    uint32_t server = learner->whom[e->server].host;
    uint32_t inside = client == NO_HOST ? server : client;
    return (client == NO_HOST || server == NO_HOST)
           && learner->hosts[inside].segment->kind == SEGMENT_ISOLATED;
}

/* NULL if the entry may become a link by itself; otherwise why not. */
static const char *
why_aside(const struct learner *learner, const struct history_entry *e)
{
    if (is_dhcp(e)) {
        return "DHCP: clients need no link, and servers are a decision";
    } else if (is_group(&learner->history->ends[e->server])) {
        return "multicast or broadcast: who is meant is not told";
    } else if (needs_answer(e) && e->n_unanswered >= e->n_connections) {
        return "never answered";
    } else if (is_stray(learner, e->client) || is_stray(learner, e->server)) {
        return "a link-local address that is no workload's";
    } else if (leaves_isolated(learner, e)) {
        return "the segment has no VLAN, so nothing of it can leave";
    }
    return NULL;
}

/* Links. */

static struct application *
application_of(const struct service *from, const struct service *to)
{
    return from ? from->application : to->application;
}

static void
add_link(struct learner *learner, struct endpoint from, struct endpoint to,
         struct opening opening, const size_t *entries, size_t n)
{
    struct learned *learned = learner->learned;
    struct evidence evidence = gather_evidence(learner, &from, &to, entries,
                                               n);
    if (evidence_is_rare(&evidence)) {
        learner_set_aside(learner, entries[0],
                          xstrdup("seen only once, for less than an hour"));
        return;
    }
    learned->links = xrealloc(learned->links, (learned->n_links + 1)
                              * sizeof *learned->links);
    struct learned_link *link = &learned->links[learned->n_links++];
    *link = (struct learned_link) {
        .application = application_of(from.service, to.service),
        .from = from, .to = to, .opening = opening, .evidence = evidence,
    };
    link->reason = evidence_to_string(link);
    for (size_t i = 0; i < n; i++) {
        learner->fates[entries[i]] = (struct fate) {
            .counts = true, .port = opening_has_ports(&opening)
                                    ? opening.first
                                    : MAX(opening.icmp_type, 0),
        };
    }
}

/* One link for each network that the ends outside are folded to. */
static void
add_links_with_outside(struct learner *learner, const struct group *group,
                       struct opening opening, size_t *entries, size_t n)
{
    const struct history *history = learner->history;
    struct service *inside = group->from ? group->from : group->to;
    struct in6_addr *addresses = xcalloc(n + 1, sizeof *addresses);
    struct network **networks = xcalloc(n + 1, sizeof *networks);
    size_t *some = xcalloc(n + 1, sizeof *some);
    for (size_t i = 0; i < n; i++) {
        const struct history_entry *e = &history->entries[entries[i]];
        addresses[i] = history->ends[group->from ? e->server
                                                 : e->client].address;
    }
    learner_fold(learner, inside->segment, addresses, n, networks);
    for (size_t i = 0; i < n; i++) {
        struct network *network = networks[i];
        size_t n_some = 0;
        for (size_t j = i; network && j < n; j++) {
            if (networks[j] == network) {
                some[n_some++] = entries[j];
                networks[j] = NULL;
            }
        }
        if (n_some) {
            struct endpoint from = { .service = group->from };
            struct endpoint to = { .service = group->to };
            (group->from ? &to : &from)->network = network;
            add_link(learner, from, to, opening, some, n_some);
        }
    }
    free(addresses);
    free(networks);
    free(some);
}

static void
add_links(struct learner *learner, const struct group *group, uint16_t last,
          size_t *entries, size_t n)
{
    struct opening opening = opening_of(group->protocol, group->port, last);
    if (!n) {
        return;
    } else if (group->from && group->to) {
        add_link(learner, (struct endpoint) { .service = group->from },
                 (struct endpoint) { .service = group->to }, opening, entries,
                 n);
    } else {
        add_links_with_outside(learner, group, opening, entries, n);
    }
}

/* Groups. */

static struct service *
service_of(const struct learner *learner, uint32_t end)
{
    uint32_t host = learner->whom[end].host;
    return host == NO_HOST ? NULL : learner->hosts[host].service;
}

static int
compare_services(const struct service *a, const struct service *b)
{
    return strcmp(a ? a->path : "", b ? b->path : "");
}

static int
compare_entries(const void *a_, const void *b_, void *learner_)
{
    const struct learner *learner = learner_;
    const struct history_entry *a
        = &learner->history->entries[*(const size_t *) a_];
    const struct history_entry *b
        = &learner->history->entries[*(const size_t *) b_];
    int order = compare_services(service_of(learner, a->client),
                                 service_of(learner, b->client));
    if (!order) {
        order = compare_services(service_of(learner, a->server),
                                 service_of(learner, b->server));
    }
    order = order ? order : a->protocol - b->protocol;
    order = order ? order : a->port - b->port;
    if (!order) {
        /* Any, but the same in each run. */
        order = *(const size_t *) a_ < *(const size_t *) b_ ? -1 : 1;
    }
    return order;
}

static bool
is_of_group(const struct learner *learner, const struct group *group,
            const struct history_entry *e)
{
    return service_of(learner, e->client) == group->from
           && service_of(learner, e->server) == group->to
           && e->protocol == group->protocol && e->port == group->port;
}

/* Makes groups of the sorted 'entries'; the caller frees them. */
static struct group *
make_groups(const struct learner *learner, size_t *entries, size_t n,
            size_t *n_groups)
{
    struct group *groups = xcalloc(n + 1, sizeof *groups);
    *n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        const struct history_entry *e = &learner->history->entries[entries[i]];
        if (!*n_groups || !is_of_group(learner, &groups[*n_groups - 1], e)) {
            groups[(*n_groups)++] = (struct group) {
                .from = service_of(learner, e->client),
                .to = service_of(learner, e->server),
                .protocol = e->protocol, .port = e->port,
                .entries = &entries[i],
            };
        }
        groups[*n_groups - 1].n_entries++;
    }
    return groups;
}

static struct port_use
use_of(const struct learner *learner, const struct group *group)
{
    struct port_use use = { .port = group->port, .suspicious = true };
    for (size_t i = 0; i < group->n_entries; i++) {
        use.n_connections
            += learner->history->entries[group->entries[i]].n_connections;
        use.suspicious &= learner->scanned[group->entries[i]];
    }
    use.clients = learner_unique_ends(learner, group->entries,
                                      group->n_entries, true,
                                      &use.n_clients);
    return use;
}

/* A group whose port stays: what is suspicious of it is set aside. */
static void
link_group(struct learner *learner, const struct group *group)
{
    size_t *left = xcalloc(group->n_entries + 1, sizeof *left);
    size_t n = 0;
    for (size_t i = 0; i < group->n_entries; i++) {
        size_t entry = group->entries[i];
        if (learner->suspicions[entry]) {
            learner_set_aside(learner, entry,
                              xstrdup(learner->suspicions[entry]));
        } else {
            left[n++] = entry;
        }
    }
    add_links(learner, group, group->port, left, n);
    free(left);
}

static void
set_group_aside(struct learner *learner, const struct group *group,
                const char *why)
{
    for (size_t i = 0; i < group->n_entries; i++) {
        size_t entry = group->entries[i];
        const char *suspicion = learner->suspicions[entry];
        learner_set_aside(learner, entry, xstrdup(suspicion ? suspicion
                                                            : why));
    }
}

/* 'n' groups of the same services and protocol. */
static void
link_groups(struct learner *learner, const struct group *groups, size_t n)
{
    struct opening what = { .protocol = groups[0].protocol };
    struct port_use *uses = xcalloc(n, sizeof *uses);
    for (size_t i = 0; i < n; i++) {
        uses[i] = use_of(learner, &groups[i]);
    }
    if (opening_has_ports(&what)) {
        judge_ports(uses, n);
    }
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (uses[i].verdict == PORT_RANGE) {
            size_t n_entries = groups[i].n_entries;
            for (; end < n && groups[end].port <= uses[i].last; end++) {
                n_entries += groups[end].n_entries;
            }
            /* Entries of neighboring groups lie side by side. */
            add_links(learner, &groups[i], uses[i].last, groups[i].entries,
                      n_entries);
        } else if (uses[i].verdict == PORT_ASIDE) {
            set_group_aside(learner, &groups[i], uses[i].why);
        } else {
            link_group(learner, &groups[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(uses[i].clients);
    }
    free(uses);
}

static void
link_entries(struct learner *learner, size_t *entries, size_t n)
{
    size_t n_groups;
    qsort_r(entries, n, sizeof *entries, compare_entries, learner);
    struct group *groups = make_groups(learner, entries, n, &n_groups);
    for (size_t i = 0, end; i < n_groups; i = end) {
        for (end = i + 1; end < n_groups
             && groups[end].from == groups[i].from
             && groups[end].to == groups[i].to
             && groups[end].protocol == groups[i].protocol; end++) {
            continue;
        }
        link_groups(learner, &groups[i], end - i);
    }
    free(groups);
}

/* All of it. */

/* Puts those that may become links into 'entries'; returns how many. */
static size_t
choose_entries(struct learner *learner, size_t *entries)
{
    size_t n = 0;
    for (size_t i = 0; i < learner->history->n_entries; i++) {
        const struct history_entry *e = &learner->history->entries[i];
        if (!is_ours(learner, e->client, e->server)) {
            learner->learned->n_foreign++;
        } else if (is_covered(learner, e->client, e->server, e->protocol,
                              e->port, e->icmp_code)) {
            learner->learned->n_covered++;
            learner->fates[i] = (struct fate) { true, e->port };
        } else {
            const char *why = why_aside(learner, e);
            if (!why) {
                entries[n++] = i;
            } else {
                const char *suspicion = learner->suspicions[i];
                learner_set_aside(learner, i, xstrdup(
                    learner->scanned[i] && suspicion ? suspicion : why));
            }
        }
    }
    return n;
}

static void
choose_tuples(struct learner *learner)
{
    for (size_t i = 0; i < learner->history->n_tuples; i++) {
        const struct history_tuple *t = &learner->history->tuples[i];
        if (!is_ours(learner, t->a, t->b)) {
            learner->learned->n_foreign++;
        } else if (is_covered(learner, t->a, t->b, t->protocol, t->b_port,
                              0)
                   || is_covered(learner, t->b, t->a, t->protocol,
                                 t->a_port, 0)) {
            learner->learned->n_covered++;
        } else {
            learner_set_tuple_aside(learner, i, direction_why_not(t));
        }
    }
}

static int
compare_links(const void *a_, const void *b_)
{
    const struct learned_link *a = a_;
    const struct learned_link *b = b_;
    int order = strcmp(a->application->name, b->application->name);
    if (!order) {
        char *from[] = { endpoint_to_string(&a->from),
                         endpoint_to_string(&b->from) };
        char *to[] = { endpoint_to_string(&a->to),
                       endpoint_to_string(&b->to) };
        order = strcmp(from[0], from[1]);
        order = order ? order : strcmp(to[0], to[1]);
        for (size_t i = 0; i < 2; i++) {
            free(from[i]);
            free(to[i]);
        }
    }
    order = order ? order : a->opening.protocol - b->opening.protocol;
    order = order ? order : a->opening.first - b->opening.first;
    return order ? order : a->opening.icmp_type - b->opening.icmp_type;
}

static void
learner_destroy(struct learner *learner)
{
    for (size_t i = 0; i < learner->n_hosts; i++) {
        free(learner->hosts[i].name);
        free(learner->hosts[i].addresses);
        free(learner->hosts[i].interface);
    }
    for (size_t i = 0; i < learner->history->n_entries; i++) {
        free(learner->suspicions[i]);
    }
    free(learner->hosts);
    free(learner->whom);
    free(learner->suspicions);
    free(learner->scanned);
    free(learner->fates);
}

void
learn(const struct history *history, struct topology *topology,
      const struct learn_options *options, struct learned *learned)
{
    *learned = (struct learned) {
        .has_topology = topology != NULL,
        .topology = topology ? topology : topology_create(),
    };
    learned->n_old_networks = learned->topology->n_networks;
    sset_init(&learned->strange_segments);
    struct learner learner = {
        .history = history, .learned = learned,
        .topology = learned->topology, .options = options,
    };
    learner.suspicions = xcalloc(history->n_entries + 1,
                                 sizeof *learner.suspicions);
    learner.fates = xcalloc(history->n_entries + 1, sizeof *learner.fates);
    learner.scanned = xcalloc(history->n_entries + 1,
                              sizeof *learner.scanned);
    learner_find_workloads(&learner);
    learned->n_workloads = learner.n_hosts;
    learner_find_roles(&learner);

    size_t *entries = xcalloc(history->n_entries + 1, sizeof *entries);
    size_t n = choose_entries(&learner, entries);
    link_entries(&learner, entries, n);
    choose_tuples(&learner);
    learner_join_asides(&learner);
    learner_judge_services(&learner);
    if (learned->n_links) {
        qsort(learned->links, learned->n_links, sizeof *learned->links,
              compare_links);
    }
    free(entries);
    learner_destroy(&learner);
}

void
learned_destroy(struct learned *learned)
{
    for (size_t i = 0; i < learned->n_links; i++) {
        free(learned->links[i].reason);
    }
    for (size_t i = 0; i < learned->n_asides; i++) {
        free(learned->asides[i].from);
        free(learned->asides[i].to);
        free(learned->asides[i].what);
        free(learned->asides[i].why);
    }
    free(learned->links);
    free(learned->asides);
    free(learned->services);
    sset_destroy(&learned->strange_segments);
    topology_destroy(learned->topology);
}
