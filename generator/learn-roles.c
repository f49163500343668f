/* Services for workloads, and what is suspicious: see learn-private.h.
 *
 * With a topology, its services are the roles.  Without one, roles.h groups
 * the workloads, and each group becomes a service of the application
 * "learned"; a workload of which too little was seen gets a service of its
 * own. */

#include "learn-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "packets.h"
#include "roles.h"
#include "util.h"

/* Observations as roles.h wants them. */
struct view {
    struct role_observations observations;
    struct role_entry *entries;
    size_t *of_entry;           /* Index into history's entries. */
    const char **hosts;
    struct shash outside;       /* Data: number + 1. */
    const char **outside_names;
};

static uint32_t
outside_number(struct learner *learner, struct view *view, uint32_t end)
{
    char *name = learner_outside_name(learner, learner->whom[end].segment,
                                      &learner->history->ends[end].address);
    struct shash_node *node = shash_find(&view->outside, name);
    if (!node) {
        node = shash_add(&view->outside, name,
                         (void *) (uintptr_t) shash_count(&view->outside));
    }
    free(name);
    return learner->n_hosts + (uintptr_t) node->data;
}

static uint32_t
role_end(struct learner *learner, struct view *view, uint32_t end)
{
    uint32_t host = learner->whom[end].host;
    return host != NO_HOST ? host : outside_number(learner, view, end);
}

static void
view_init(struct view *view, struct learner *learner)
{
    const struct history *history = learner->history;
    memset(view, 0, sizeof *view);
    shash_init(&view->outside);
    view->entries = xcalloc(history->n_entries + 1, sizeof *view->entries);
    view->of_entry = xcalloc(history->n_entries + 1, sizeof *view->of_entry);
    size_t n = 0;
    for (size_t i = 0; i < history->n_entries; i++) {
        const struct history_entry *e = &history->entries[i];
        if (learner->whom[e->client].host == NO_HOST
            && learner->whom[e->server].host == NO_HOST) {
            continue;
        }
        view->of_entry[n] = i;
        view->entries[n++] = (struct role_entry) {
            .client = role_end(learner, view, e->client),
            .server = role_end(learner, view, e->server),
            .protocol = e->protocol, .port = e->port,
            .n_connections = e->n_connections,
            .n_unanswered = e->n_unanswered,
        };
    }
    view->hosts = xcalloc(learner->n_hosts + 1, sizeof *view->hosts);
    for (size_t i = 0; i < learner->n_hosts; i++) {
        view->hosts[i] = learner->hosts[i].name;
    }
    view->outside_names = xcalloc(shash_count(&view->outside) + 1,
                                  sizeof *view->outside_names);
    struct shash_node *node;
    SHASH_FOR_EACH (node, &view->outside) {
        view->outside_names[(uintptr_t) node->data] = node->name;
    }
    view->observations = (struct role_observations) {
        .hosts = view->hosts, .n_hosts = learner->n_hosts,
        .outside = view->outside_names,
        .n_outside = shash_count(&view->outside),
        .entries = view->entries, .n_entries = n,
    };
}

static void
view_destroy(struct view *view)
{
    free(view->entries);
    free(view->of_entry);
    free(view->hosts);
    free(view->outside_names);
    shash_destroy(&view->outside);
}

/* The services of a topology as roles. */
static struct roles *
roles_of_topology(const struct learner *learner)
{
    struct roles *roles = xzalloc(sizeof *roles);
    struct shash numbers = SHASH_INITIALIZER(&numbers);
    roles->of_host = xcalloc(learner->n_hosts + 1, sizeof *roles->of_host);
    roles->roles = xcalloc(learner->n_hosts + 1, sizeof *roles->roles);
    for (size_t i = 0; i < learner->n_hosts; i++) {
        const char *path = learner->hosts[i].service->path;
        struct shash_node *node = shash_find(&numbers, path);
        if (!node) {
            node = shash_add(&numbers, path,
                             (void *) (uintptr_t) roles->n_roles);
            roles->roles[roles->n_roles].name = xstrdup(path);
            roles->roles[roles->n_roles].hosts
                = xcalloc(learner->n_hosts, sizeof *roles->roles->hosts);
            roles->n_roles++;
        }
        struct role *role = &roles->roles[(uintptr_t) node->data];
        role->hosts[role->n_hosts++] = i;
        roles->of_host[i] = (uintptr_t) node->data;
    }
    shash_destroy(&numbers);
    return roles;
}

/* libvirt and others tell Open vSwitch the MAC of a port's workload as
 * external_ids:attached-mac; the names of interfaces are rarely in
 * histories. */
static void
bind_workload(struct workload *workload, const struct host *host)
{
    if (host->interface) {
        workload->binding = BIND_INTERFACE;
        workload->value = xstrdup(host->interface);
    } else {
        workload->binding = BIND_EXTERNAL_ID;
        workload->key = xstrdup("attached-mac");
        workload->value = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(host->mac));
    }
}

static void
make_workload(struct host *host, struct service *service)
{
    struct workload *workload = service_add_workload(
        service, host->name, (struct location) { .file = NULL });
    bind_workload(workload, host);
    workload->macs = xmemdup(&host->mac, sizeof host->mac);
    workload->n_macs = 1;
    workload->addresses = xmemdup(host->addresses, host->n_addresses
                                  * sizeof *host->addresses);
    workload->n_addresses = host->n_addresses;
    host->workload = workload;
    host->service = service;
}

/* The service 'name' in 'segment': workloads of one service are in one
 * segment. */
static struct service *
find_or_make_service(struct learner *learner, struct application *application,
                     const char *name, struct segment *segment)
{
    char *own = segment == learner->topology->segments[0]
                ? xstrdup(name) : xasprintf("%s.%s", name, segment->name);
    char *path = xasprintf("%s/%s", application->name, own);
    struct service *service = shash_find_data(
        &learner->topology->service_index, path);
    if (!service) {
        service = application_add_service(
            learner->topology, application, own,
            (struct location) { .file = NULL });
        service->segment = segment;
    }
    free(path);
    free(own);
    return service;
}

static void
make_services(struct learner *learner, const struct roles *roles)
{
    if (!learner->n_hosts) {
        return;
    }
    struct application *application = topology_add_application(
        learner->topology, "learned", (struct location) { .file = NULL });
    application->mode = MODE_AUDIT;
    for (size_t i = 0; i < learner->n_hosts; i++) {
        struct host *host = &learner->hosts[i];
        uint32_t role = roles->of_host[i];
        bool own = role == ROLE_NONE || learner->options->per_workload;
        make_workload(host, find_or_make_service(
                          learner, application,
                          own ? host->name : roles->roles[role].name,
                          host->segment));
    }
}

/* Each workload of a topology in a further service of its own, named after its
 * service and itself, so that no other has it. */
static void
make_own_services(struct learner *learner)
{
    for (size_t i = 0; i < learner->n_hosts; i++) {
        struct host *host = &learner->hosts[i];
        struct service *home = host->workload->home;
        char *name = xasprintf("%s.%s", home->name, host->workload->name);
        char *path = xasprintf("%s/%s", home->application->name, name);
        host->service = shash_find_data(&learner->topology->service_index,
                                        path);
        if (!host->service) {
            host->service = application_add_service(
                learner->topology, home->application, name,
                (struct location) { .file = NULL });
            host->service->segment = home->segment;
            service_add_member(host->service, host->workload);
        }
        free(path);
        free(name);
    }
}

static void
note_suspicions(struct learner *learner, const struct view *view,
                const struct roles *roles)
{
    size_t n;
    struct suspicion *found = roles_suspicions(&view->observations, roles, &n);
    for (size_t i = 0; i < n; i++) {
        size_t entry = view->of_entry[found[i].entry];
        learner->suspicions[entry] = suspicion_text(&view->observations,
                                                    roles, &found[i]);
        learner->scanned[entry] = found[i].reason == SUSPICION_PORT_SCAN;
    }
    free(found);
}

void
learner_find_roles(struct learner *learner)
{
    struct view view;
    struct roles *roles;
    view_init(&view, learner);
    bool given = learner->learned->has_topology;
    if (given) {
        roles = roles_of_topology(learner);
    } else {
        roles = roles_create(&view.observations, learner->options->port_names,
                             learner->options->n_port_names);
        make_services(learner, roles);
    }
    note_suspicions(learner, &view, roles);
    if (given && learner->options->per_workload) {
        make_own_services(learner);
    }
    roles_destroy(roles);
    view_destroy(&view);
}
