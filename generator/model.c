/* The model: creating, naming, asking.  See model.h. */

#include "model.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Grows 'array' of pointers, of which there are 'n', by 'item'.  Capacity is
 * the next power of two, so that no field for it is needed. */
#define APPEND(ARRAY, N, ITEM)                                          \
    do {                                                                \
        if (!((N) & ((N) - 1))) {                                       \
            (ARRAY) = xrealloc(ARRAY, ((N) ? 2 * (N) : 1)               \
                                      * sizeof *(ARRAY));               \
        }                                                               \
        (ARRAY)[(N)++] = (ITEM);                                        \
    } while (0)

struct topology *
topology_create(void)
{
    struct topology *topology = xzalloc(sizeof *topology);
    shash_init(&topology->files);
    shash_init(&topology->service_index);
    shash_init(&topology->network_index);
    shash_init(&topology->segment_index);
    shash_init(&topology->application_index);
    topology_add_segment(topology, "default", SEGMENT_DEFAULT, 0,
                         (struct location) { .file = NULL });
    return topology;
}

static void
link_destroy(struct link *link)
{
    free(link->openings);
    free(link->reason);
    free(link->ticket);
    free(link);
}

void
workload_destroy(struct workload *workload)
{
    free(workload->name);
    free(workload->services);
    free(workload->key);
    free(workload->value);
    free(workload->macs);
    free(workload->addresses);
    free(workload);
}

static void
service_destroy(struct service *service)
{
    for (size_t i = 0; i < service->n_workloads; i++) {
        if (service->workloads[i]->home == service) {
            workload_destroy(service->workloads[i]);
        }
    }
    for (size_t i = 0; i < service->n_responses; i++) {
        free(service->responses[i]);
    }
    free(service->responses);
    free(service->workloads);
    free(service->name);
    free(service->path);
    free(service);
}

/* Members belong to their home, so they go before any home does. */
static void
drop_members(struct service *service)
{
    size_t n = 0;
    for (size_t i = 0; i < service->n_workloads; i++) {
        if (service->workloads[i]->home == service) {
            service->workloads[n++] = service->workloads[i];
        }
    }
    service->n_workloads = n;
}

static void
application_destroy(struct application *application)
{
    for (size_t i = 0; i < application->n_services; i++) {
        service_destroy(application->services[i]);
    }
    for (size_t i = 0; i < application->n_links; i++) {
        link_destroy(application->links[i]);
    }
    for (size_t i = 0; i < application->n_accepts; i++) {
        link_destroy(application->accepts[i]);
    }
    for (size_t i = 0; i < application->n_responses; i++) {
        free(application->responses[i]);
    }
    free(application->responses);
    free(application->services);
    free(application->links);
    free(application->accepts);
    free(application->name);
    free(application->version);
    free(application);
}

void
topology_destroy(struct topology *topology)
{
    if (!topology) {
        return;
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            drop_members(application->services[j]);
        }
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        application_destroy(topology->applications[i]);
    }
    for (size_t i = 0; i < topology->n_networks; i++) {
        free(topology->networks[i]->name);
        free(topology->networks[i]->prefixes);
        free(topology->networks[i]->exceptions);
        free(topology->networks[i]);
    }
    for (size_t i = 0; i < topology->n_segments; i++) {
        free(topology->segments[i]->name);
        free(topology->segments[i]);
    }
    for (size_t i = 0; i < topology->n_expects; i++) {
        free(topology->expects[i]->from);
        free(topology->expects[i]->to);
        free(topology->expects[i]);
    }
    free(topology->applications);
    free(topology->networks);
    free(topology->segments);
    free(topology->expects);
    shash_destroy_free_data(&topology->files);
    shash_destroy(&topology->service_index);
    shash_destroy(&topology->network_index);
    shash_destroy(&topology->segment_index);
    shash_destroy(&topology->application_index);
    free(topology);
}

struct segment *
topology_add_segment(struct topology *topology, const char *name,
                     enum segment_kind kind, uint16_t vlan,
                     struct location where)
{
    struct segment *segment = xzalloc(sizeof *segment);
    segment->name = xstrdup(name);
    segment->kind = kind;
    segment->vlan = vlan;
    segment->where = where;
    APPEND(topology->segments, topology->n_segments, segment);
    shash_add_assert(&topology->segment_index, name, segment);
    return segment;
}

struct network *
topology_add_network(struct topology *topology, const char *name,
                     struct location where)
{
    struct network *network = xzalloc(sizeof *network);
    network->name = xstrdup(name);
    network->where = where;
    APPEND(topology->networks, topology->n_networks, network);
    shash_add_assert(&topology->network_index, name, network);
    return network;
}

struct application *
topology_add_application(struct topology *topology, const char *name,
                         struct location where)
{
    struct application *application = xzalloc(sizeof *application);
    application->name = xstrdup(name);
    application->mode = MODE_ENFORCE;
    application->where = where;
    APPEND(topology->applications, topology->n_applications, application);
    shash_add_assert(&topology->application_index, name, application);
    return application;
}

struct service *
application_add_service(struct topology *topology,
                        struct application *application, const char *name,
                        struct location where)
{
    struct service *service = xzalloc(sizeof *service);
    service->name = xstrdup(name);
    service->path = xasprintf("%s/%s", application->name, name);
    service->application = application;
    service->segment = topology->segments[0];
    service->mode = MODE_INHERIT;
    service->where = where;
    APPEND(application->services, application->n_services, service);
    shash_add_assert(&topology->service_index, service->path, service);
    return service;
}

static struct workload *
workload_new(struct service *home, const char *name, struct location where)
{
    struct workload *workload = xzalloc(sizeof *workload);
    workload->name = xstrdup(name);
    workload->home = home;
    workload->where = where;
    return workload;
}

struct workload *
workload_create(struct service *service, const char *name,
                struct location where)
{
    struct workload *workload = workload_new(service, name, where);
    APPEND(workload->services, workload->n_services, service);
    return workload;
}

struct workload *
service_add_workload(struct service *service, const char *name,
                     struct location where)
{
    struct workload *workload = workload_new(service, name, where);
    service_add_member(service, workload);
    return workload;
}

bool
workload_is_in(const struct workload *workload, const struct service *service)
{
    for (size_t i = 0; i < workload->n_services; i++) {
        if (workload->services[i] == service) {
            return true;
        }
    }
    return false;
}

void
service_add_member(struct service *service, struct workload *workload)
{
    APPEND(service->workloads, service->n_workloads, workload);
    APPEND(workload->services, workload->n_services, service);
}

struct link *
application_add_link(struct application *application, bool accept,
                     struct location where)
{
    struct link *link = xzalloc(sizeof *link);
    link->application = application;
    link->where = where;
    if (accept) {
        APPEND(application->accepts, application->n_accepts, link);
    } else {
        APPEND(application->links, application->n_links, link);
    }
    return link;
}

void
application_drop_last_link(struct application *application, bool accept)
{
    link_destroy(accept ? application->accepts[--application->n_accepts]
                        : application->links[--application->n_links]);
}

struct response *
add_response(struct application *application, struct service *service,
             struct location where)
{
    struct response *response = xzalloc(sizeof *response);
    response->where = where;
    if (service) {
        APPEND(service->responses, service->n_responses, response);
    } else {
        APPEND(application->responses, application->n_responses, response);
    }
    return response;
}

struct expect *
topology_add_expect(struct topology *topology, struct location where)
{
    struct expect *expect = xzalloc(sizeof *expect);
    expect->where = where;
    APPEND(topology->expects, topology->n_expects, expect);
    return expect;
}

/* Conntrack zones of segments: the default segment, VLANs, names. */
#define ID_DEFAULT 1
#define ID_VLAN 4096
#define ID_NAME 8192
#define N_NAME_IDS 56000

static int
compare_segments(const void *a_, const void *b_)
{
    const struct segment *const *a = a_;
    const struct segment *const *b = b_;
    return strcmp((*a)->name, (*b)->name);
}

void
topology_number_segments(struct topology *topology)
{
    struct segment **sorted = xmemdup(topology->segments,
                                      topology->n_segments * sizeof *sorted);
    uint8_t *used = xzalloc(N_NAME_IDS);
    qsort(sorted, topology->n_segments, sizeof *sorted, compare_segments);
    for (size_t i = 0; i < topology->n_segments; i++) {
        struct segment *segment = sorted[i];
        if (segment->kind == SEGMENT_DEFAULT) {
            segment->id = ID_DEFAULT;
        } else if (segment->kind == SEGMENT_VLAN) {
            segment->id = ID_VLAN + segment->vlan;
        } else {
            /* djb2 is stable across machines; collisions are resolved in
             * the order of names. */
            uint32_t hash = 5381;
            for (const char *p = segment->name; *p; p++) {
                hash = hash * 33 + (uint8_t) *p;
            }
            uint32_t slot = hash % N_NAME_IDS;
            while (used[slot]) {
                slot = (slot + 1) % N_NAME_IDS;
            }
            used[slot] = 1;
            segment->id = ID_NAME + slot;
        }
    }
    free(used);
    free(sorted);
}

void
segment_text_of_zone(uint16_t zone, char text[SEGMENT_TEXT_LEN])
{
    if (!zone || zone == ID_DEFAULT) {
        snprintf(text, SEGMENT_TEXT_LEN, "default");
    } else if (zone > ID_VLAN && zone < ID_NAME) {
        snprintf(text, SEGMENT_TEXT_LEN, "vlan:%d", zone - ID_VLAN);
    } else {
        snprintf(text, SEGMENT_TEXT_LEN, "zone:%d", zone);
    }
}

const char *
topology_intern_file(struct topology *topology, const char *file)
{
    struct shash_node *node = shash_find(&topology->files, file);
    if (!node) {
        node = shash_add(&topology->files, file, NULL);
    }
    return node->name;
}

enum mode
service_mode(const struct service *service)
{
    return service->mode == MODE_INHERIT ? service->application->mode
                                         : service->mode;
}

const char *
mode_to_string(enum mode mode)
{
    switch (mode) {
    case MODE_LEARN: return "learn";
    case MODE_AUDIT: return "audit";
    case MODE_ENFORCE: return "enforce";
    case MODE_INHERIT: break;
    }
    return "inherit";
}

bool
mode_from_string(const char *name, enum mode *mode)
{
    for (enum mode m = MODE_LEARN; m <= MODE_ENFORCE; m++) {
        if (!strcmp(name, mode_to_string(m))) {
            *mode = m;
            return true;
        }
    }
    return false;
}

bool
link_is_valid(const struct link *link, time_t now)
{
    return (!link->not_before || now >= link->not_before)
           && (!link->not_after || now < link->not_after);
}

size_t
topology_n_workloads(const struct topology *topology)
{
    size_t n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                n += service->workloads[k]->home == service;
            }
        }
    }
    return n;
}

bool
opening_has_ports(const struct opening *o)
{
    return o->protocol == IPPROTO_TCP || o->protocol == IPPROTO_UDP
           || o->protocol == IPPROTO_SCTP;
}

bool
prefix_holds(const struct prefix *prefix, const struct in6_addr *address)
{
    /* ::/0 holds no IPv4 address, though IPv4 is kept in 128 bits. */
    if (!IN6_IS_ADDR_V4MAPPED(&prefix->addr)
        != !IN6_IS_ADDR_V4MAPPED(address)) {
        return false;
    }
    size_t bytes = prefix->len / 8;
    if (memcmp(&prefix->addr, address, bytes)) {
        return false;
    }
    uint8_t mask = 0xff << (8 - prefix->len % 8);
    return prefix->len % 8 == 0
           || !((prefix->addr.s6_addr[bytes] ^ address->s6_addr[bytes])
                & mask);
}

bool
network_holds(const struct network *network, const struct in6_addr *address)
{
    int in = -1, out = -1;
    for (size_t i = 0; i < network->n_prefixes; i++) {
        if (prefix_holds(&network->prefixes[i], address)) {
            in = MAX(in, network->prefixes[i].len);
        }
    }
    for (size_t i = 0; i < network->n_exceptions; i++) {
        if (prefix_holds(&network->exceptions[i], address)) {
            out = MAX(out, network->exceptions[i].len);
        }
    }
    return in > out;
}

char *
endpoint_to_string(const struct endpoint *end)
{
    return xstrdup(end->service ? end->service->path
                   : end->network ? end->network->name
                   : end->application ? end->application->name : "?");
}

static char *
icmp_to_string(const char *name, const struct opening *o)
{
    return o->icmp_type < 0 ? xstrdup(name)
           : o->icmp_code < 0 ? xasprintf("%s/%d", name, o->icmp_type)
           : xasprintf("%s/%d/%d", name, o->icmp_type, o->icmp_code);
}

static char *
ports_to_string(const char *name, const struct opening *o)
{
    return o->first == 0 && o->last == UINT16_MAX ? xstrdup(name)
           : o->first == o->last ? xasprintf("%s/%u", name, o->first)
           : xasprintf("%s/%u-%u", name, o->first, o->last);
}

char *
opening_to_string(const struct opening *o)
{
    switch (o->protocol) {
    case PROTOCOL_ANY: return xstrdup("any");
    case IPPROTO_TCP: return ports_to_string("tcp", o);
    case IPPROTO_UDP: return ports_to_string("udp", o);
    case IPPROTO_SCTP: return ports_to_string("sctp", o);
    case IPPROTO_ICMP: return icmp_to_string("icmp", o);
    case IPPROTO_ICMPV6: return icmp_to_string("icmp6", o);
    default: return xasprintf("protocol/%u", o->protocol);
    }
}

char *
address_to_string(const struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        inet_ntop(AF_INET, &address->s6_addr[12], text, sizeof text);
    } else {
        inet_ntop(AF_INET6, address, text, sizeof text);
    }
    return xstrdup(text);
}

char *
prefix_to_string(const struct prefix *prefix)
{
    char *address = address_to_string(&prefix->addr);
    int len = prefix->len
              - (IN6_IS_ADDR_V4MAPPED(&prefix->addr) ? 96 : 0);
    char *text = xasprintf("%s/%d", address, len);
    free(address);
    return text;
}

char *
workload_path(const struct workload *workload)
{
    return xasprintf("%s/%s", workload->home->path, workload->name);
}

char *
binding_to_string(const struct workload *workload)
{
    switch (workload->binding) {
    case BIND_INTERFACE:
        return xasprintf("interface=%s", workload->value);
    case BIND_BY_HAND:
        return xasprintf("interface=%s, by hand", workload->value);
    case BIND_IFACE_ID:
        return xasprintf("iface-id=%s", workload->value);
    case BIND_EXTERNAL_ID:
        return xasprintf("external-id=%s=%s", workload->key,
                         workload->value);
    }
    OVS_NOT_REACHED();
}
