/* What the manifests mean for one connection: see evaluate.h. */

#include "evaluate.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "check.h"
#include "util.h"
#include "values.h"

/* Parties. */

static char *
unknown(const struct topology *topology, const char *text)
{
    struct shash names = SHASH_INITIALIZER(&names);
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            shash_add_once(&names, service->path, NULL);
            for (size_t k = 0; k < service->n_workloads; k++) {
                char *path = workload_path(service->workloads[k]);
                shash_add_once(&names, path, NULL);
                free(path);
            }
        }
    }
    for (size_t i = 0; i < topology->n_networks; i++) {
        shash_add_once(&names, topology->networks[i]->name, NULL);
    }

    const char **list = xmalloc((shash_count(&names) + 1) * sizeof *list);
    size_t n = 0;
    struct shash_node *node;
    SHASH_FOR_EACH (node, &names) {
        list[n++] = node->name;
    }
    const char *nearest = check_nearest(text, list, n);
    char *error = nearest
        ? xasprintf("no workload, service or network '%s'; did you mean "
                    "'%s'?", text, nearest)
        : xasprintf("no workload, service or network '%s', and no address",
                    text);
    free(list);
    shash_destroy(&names);
    return error;
}

static bool
parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        memset(address, 0, sizeof *address);
        address->s6_addr[10] = address->s6_addr[11] = 0xff;
        memcpy(&address->s6_addr[12], &ipv4, sizeof ipv4);
        return true;
    }
    return inet_pton(AF_INET6, text, address) == 1;
}

static bool
workload_has(const struct workload *workload, const struct in6_addr *address)
{
    for (size_t i = 0; i < workload->n_addresses; i++) {
        if (!memcmp(&workload->addresses[i], address, sizeof *address)) {
            return true;
        }
    }
    return false;
}

static void
find_address(const struct topology *topology, const struct segment *segment,
             struct party *party)
{
    const struct workload *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                const struct workload *workload = service->workloads[k];
                if (workload->home == service
                    && (!segment || workload->home->segment == segment)
                    && workload_has(workload, &party->address)) {
                    found = workload;
                    n++;
                }
            }
        }
    }
    party->workload = n == 1 ? found : NULL;
    party->segment = party->workload ? found->home->segment
                     : segment ? segment : topology->segments[0];
}

static const struct workload *
find_workload(const struct topology *topology, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return NULL;
    }
    char *service_path = xmemdup0(path, slash - path);
    const struct service *service = shash_find_data(&topology->service_index,
                                                    service_path);
    free(service_path);
    for (size_t i = 0; service && i < service->n_workloads; i++) {
        if (!strcmp(service->workloads[i]->name, slash + 1)) {
            return service->workloads[i];
        }
    }
    return NULL;
}

char *
party_parse(const struct topology *topology, const char *text,
            const struct segment *segment, struct party *party)
{
    memset(party, 0, sizeof *party);
    if (parse_address(text, &party->address)) {
        party->has_address = true;
        find_address(topology, segment, party);
        return NULL;
    }
    party->service = shash_find_data(&topology->service_index, text);
    if (party->service) {
        party->segment = party->service->segment;
        return NULL;
    }
    party->network = shash_find_data(&topology->network_index, text);
    if (party->network) {
        party->segment = party->network->segment;
        return NULL;
    }
    party->workload = find_workload(topology, text);
    if (party->workload) {
        party->segment = party->workload->home->segment;
        return NULL;
    }
    return unknown(topology, text);
}

/* Openings. */

static bool
parse_number(const char *text, int max, int *value)
{
    char *end;
    long int number = strtol(text, &end, 10);
    if (!*text || *end || number < 0 || number > max) {
        return false;
    }
    *value = number;
    return true;
}

static char *
parse_icmp(const char *text, struct opening *opening)
{
    int16_t type;
    int number, code = -1;
    char *error = NULL;
    char *copy = xstrdup(text ? text : "");
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    if (parse_number(copy, 255, &number)) {
        type = number;
    } else if (copy[0] >= 'a' && copy[0] <= 'z') {
        error = value_to_icmp_type(copy, opening->protocol, &type);
    } else {
        error = xasprintf("an ICMP type is a number from 0 to 255 or a name "
                          "such as echo-request, not '%s'", copy);
    }
    if (!error && slash && !parse_number(slash + 1, 255, &code)) {
        error = xasprintf("an ICMP code is a number from 0 to 255, not '%s'",
                          slash + 1);
    }
    free(copy);
    if (error) {
        return error;
    }
    opening->icmp_type = type;
    opening->icmp_code = code;
    return NULL;
}

char *
opening_parse(const char *protocol, const char *port, struct opening *opening)
{
    static const struct {
        const char *name;
        int number;
    } protocols[] = {
        { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
        { "sctp", IPPROTO_SCTP }, { "icmp", IPPROTO_ICMP },
        { "icmp6", IPPROTO_ICMPV6 },
    };
    int number = -1;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (!strcmp(protocol, protocols[i].name)) {
            number = protocols[i].number;
        }
    }
    if (number < 0 && !parse_number(protocol, 255, &number)) {
        return xasprintf("a protocol is tcp, udp, sctp, icmp, icmp6 or a "
                         "number from 0 to 255, not '%s'", protocol);
    }
    *opening = (struct opening) {
        .protocol = number, .last = UINT16_MAX,
        .icmp_type = -1, .icmp_code = -1,
    };
    if (number == IPPROTO_ICMP || number == IPPROTO_ICMPV6) {
        return parse_icmp(port, opening);
    }
    bool has_ports = number == IPPROTO_TCP || number == IPPROTO_UDP
                     || number == IPPROTO_SCTP;
    int value;
    if (!has_ports) {
        return port ? xasprintf("protocol %d has no ports", number) : NULL;
    }
    if (!port || !parse_number(port, UINT16_MAX, &value)) {
        return xasprintf("%s wants a port from 0 to 65535, not '%s'",
                         protocol, port ? port : "");
    }
    opening->first = opening->last = value;
    return NULL;
}

bool
opening_covers(const struct opening *outer, const struct opening *inner)
{
    if (outer->protocol == PROTOCOL_ANY) {
        return true;
    }
    return outer->protocol == inner->protocol
           && outer->first <= inner->first && inner->last <= outer->last
           && (outer->icmp_type < 0 || outer->icmp_type == inner->icmp_type)
           && (outer->icmp_code < 0 || outer->icmp_code == inner->icmp_code);
}

/* Evaluation. */

static bool
in_service(const struct party *party, const struct service *service)
{
    if (party->service) {
        return party->service == service;
    }
    return party->workload && workload_is_in(party->workload, service);
}

static bool
is_at(const struct party *party, const struct endpoint *end)
{
    if (end->service) {
        return in_service(party, end->service);
    }
    if (party->network) {
        return party->network == end->network;
    }
    return party->has_address && !party->workload
           && (!end->network->segment
               || end->network->segment == party->segment)
           && network_holds(end->network, &party->address);
}

static bool
is_inside(const struct party *party)
{
    return party->workload || party->service;
}

static bool
enforces(const struct party *party)
{
    if (party->service) {
        return service_mode(party->service) == MODE_ENFORCE;
    }
    for (size_t i = 0; party->workload && i < party->workload->n_services;
         i++) {
        if (service_mode(party->workload->services[i]) == MODE_ENFORCE) {
            return true;
        }
    }
    return false;
}

static bool
link_opens(const struct link *link, const struct opening *what,
           const struct opening **opening)
{
    for (size_t i = 0; i < link->n_openings; i++) {
        if (opening_covers(&link->openings[i], what)) {
            *opening = &link->openings[i];
            return true;
        }
    }
    return false;
}

/* How near a link that does not allow the connection comes to it; 0: not. */
static int
nearness(const struct link *link, bool from, bool to, bool opens, bool valid,
         const char **why)
{
    if (from && to && opens && !valid) {
        *why = link->not_before ? "but only within its validity"
                                : "but it has expired";
        return 5;
    } else if (from && to) {
        *why = "but not on that";
        return 4;
    } else if (to && opens) {
        *why = "but not from there";
        return 3;
    } else if (from && opens) {
        *why = "but not to there";
        return 2;
    } else if (from) {
        *why = "and nothing nearer";
        return 1;
    }
    return 0;
}

struct verdict
evaluate(const struct topology *topology, const struct party *from,
         const struct party *to, const struct opening *what, time_t now)
{
    struct verdict verdict = { .kind = VERDICT_DENY };
    int best = 0;
    if (!is_inside(from) && !is_inside(to)) {
        verdict.kind = VERDICT_PASS;
        verdict.why = "neither end is a workload: not policed";
        return verdict;
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            const struct opening *opening = NULL;
            bool at_from = is_at(from, &link->from);
            bool at_to = is_at(to, &link->to);
            bool opens = link_opens(link, what, &opening);
            bool valid = link_is_valid(link, now);
            if (at_from && at_to && opens && valid) {
                return (struct verdict) {
                    .kind = VERDICT_ALLOW, .link = link, .opening = opening,
                };
            }
            const char *why;
            int near = nearness(link, at_from, at_to, opens, valid, &why);
            if (near > best) {
                best = near;
                verdict.nearest = link;
                verdict.why = why;
            }
        }
    }
    if (!enforces(from) && !enforces(to)) {
        verdict.kind = VERDICT_PASS;
    }
    return verdict;
}
