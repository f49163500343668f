/* Which workload is at which interface, said by hand: see overlay.h.
 *
 * A workload that the manifests declare stays theirs, unless it is given
 * another identity; others are the overlay's own. */

#include "overlay.h"

#include <stdlib.h>
#include <string.h>

#include "identities.h"
#include "packets.h"
#include "ports.h"
#include "smap.h"
#include "util.h"
#include "values.h"

/* The parts of "APP/SERVICE[/WORKLOAD]". */
static const struct service *
find_service(const struct topology *topology, const char *path,
             const char **name)
{
    const char *slash = strchr(path, '/');
    slash = slash ? strchr(slash + 1, '/') : NULL;
    size_t n = slash ? slash - path : strlen(path);
    char *service_path = xmemdup0(path, n);
    const struct service *service = shash_find_data(&topology->service_index,
                                                    service_path);
    free(service_path);
    *name = slash ? slash + 1 : NULL;
    return service;
}

static const struct workload *
find_by_name(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *w = service->workloads[i];
        if (w->home == service && !strcmp(w->name, name)) {
            return w;
        }
    }
    return NULL;
}

static const struct workload *
find_by_mac(const struct service *service, struct eth_addr mac)
{
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *w = service->workloads[i];
        for (size_t j = 0; w->home == service && j < w->n_macs; j++) {
            if (eth_addr_equals(w->macs[j], mac)) {
                return w;
            }
        }
    }
    return NULL;
}

/* What platforms write, if nothing was given: Neutron, Antrea,
 * OVN-Kubernetes. */
static void
read_default(const struct smap *ids, const char *one, const char *other,
             struct svec *list)
{
    const char *value = smap_get(ids, one);
    value = value ? value : smap_get(ids, other);
    char *copy = xstrdup(value ? value : ""), *save = NULL;
    for (char *word = strtok_r(copy, " ,", &save); word;
         word = strtok_r(NULL, " ,", &save)) {
        /* Some give the prefix length too. */
        word[strcspn(word, "/")] = '\0';
        svec_add(list, word);
    }
    free(copy);
}

static void
take_macs(struct overlay *overlay, const char *interface,
          const struct svec *texts, struct workload *workload)
{
    workload->macs = xrealloc(workload->macs,
                              (texts->n + 1) * sizeof *workload->macs);
    workload->n_macs = 0;
    for (size_t i = 0; i < texts->n; i++) {
        struct eth_addr mac;
        char *error = eth_addr_from_string(texts->names[i], &mac)
                      ? value_to_mac(texts->names[i], &mac)
                      : xasprintf("\"%s\" is no MAC", texts->names[i]);
        if (error) {
            overlay_add_problem(overlay, "OVSDB, interface %s: %s", interface,
                                error);
            free(error);
        } else {
            workload->macs[workload->n_macs++] = mac;
        }
    }
}

static void
take_addresses(struct overlay *overlay, const char *interface,
               const struct svec *texts, struct workload *workload)
{
    workload->addresses = xrealloc(
        workload->addresses, (texts->n + 1) * sizeof *workload->addresses);
    workload->n_addresses = 0;
    for (size_t i = 0; i < texts->n; i++) {
        struct in6_addr *address
            = &workload->addresses[workload->n_addresses];
        char *error = value_to_address(texts->names[i], address);
        if (error) {
            overlay_add_problem(overlay, "OVSDB, interface %s: %s", interface,
                                error);
            free(error);
        } else {
            workload->n_addresses++;
        }
    }
}

static struct workload *
add_workload(struct overlay *overlay, const struct service *service,
             const char *name, const char *interface)
{
    if (overlay->n_workloads >= overlay->allocated_workloads) {
        overlay->workloads = x2nrealloc(overlay->workloads,
                                        &overlay->allocated_workloads,
                                        sizeof *overlay->workloads);
    }
    struct workload *workload = workload_create(
        CONST_CAST(struct service *, service), name,
        (struct location) { .file = "OVSDB" });
    workload->binding = BIND_BY_HAND;
    workload->value = xstrdup(interface);
    overlay->workloads[overlay->n_workloads++] = workload;
    return workload;
}

/* A workload in place of 'declared', to be given another identity. */
static struct workload *
replace(struct overlay *overlay, struct ports *ports,
        const struct workload *declared, const char *interface)
{
    struct workload *w = add_workload(overlay, declared->home, declared->name,
                                      interface);
    free(w->services);
    w->services = xmemdup(declared->services,
                          declared->n_services * sizeof *w->services);
    w->n_services = declared->n_services;
    w->macs = xmemdup(declared->macs, declared->n_macs * sizeof *w->macs);
    w->n_macs = declared->n_macs;
    w->addresses = xmemdup(declared->addresses,
                           declared->n_addresses * sizeof *w->addresses);
    w->n_addresses = declared->n_addresses;
    w->index = declared->index;
    ports->workloads[w->index] = w;
    return w;
}

/* The declared workload that is meant, or NULL; '*name' is NULL if none was
 * given, and is set. */
static const struct workload *
find_declared(const struct service *service, const char **name,
              const struct svec *macs, const char *interface)
{
    struct eth_addr mac;
    const struct workload *declared
        = !*name && macs->n && eth_addr_from_string(macs->names[0], &mac)
          ? find_by_mac(service, mac) : NULL;
    if (declared) {
        *name = declared->name;
        return declared;
    }
    *name = *name ? *name : interface;
    return find_by_name(service, *name);
}

/* What 'binding' says of an identity, or what others say. */
static void
read_identity(const struct hand_binding *binding, struct svec *macs,
              struct svec *addresses)
{
    svec_init(macs);
    svec_init(addresses);
    svec_parse_words(macs, smap_get_def(binding->ids, KEY_MAC, ""));
    svec_parse_words(addresses, smap_get_def(binding->ids, KEY_ADDRESS, ""));
    if (!macs->n) {
        read_default(binding->ids, "attached-mac", "attached_mac", macs);
    }
    if (!macs->n && binding->mac) {
        svec_add(macs, binding->mac);
    }
    if (!addresses->n) {
        read_default(binding->ids, "ip-address", "ip_addresses", addresses);
    }
}

/* Makes the workload 'name' of 'service' what 'binding' says; 'declared' is
 * what the manifests say, or NULL. */
static struct workload *
make_workload(struct overlay *overlay, struct ports *ports,
              const struct hand_binding *binding,
              const struct service *service, const char *name,
              const struct workload *declared, const struct svec *macs,
              const struct svec *addresses)
{
    bool own_macs = smap_get(binding->ids, KEY_MAC);
    bool own_addresses = smap_get(binding->ids, KEY_ADDRESS);
    struct workload *w;
    if (!declared) {
        w = add_workload(overlay, service, name, binding->interface);
        ports_add_workload(ports, w);
    } else if (own_macs || own_addresses) {
        w = replace(overlay, ports, declared, binding->interface);
    } else {
        return ports->workloads[declared->index];
    }
    if (!declared || own_macs) {
        take_macs(overlay, binding->interface, macs, w);
    }
    if (!declared || own_addresses) {
        take_addresses(overlay, binding->interface, addresses, w);
    }
    return w;
}

/* 'taken' has the interfaces of those that are bound, by path. */
static void
bind_one(struct overlay *overlay, struct ports *ports,
         const struct hand_binding *binding, struct shash *taken)
{
    const char *name;
    const char *wanted = smap_get(binding->ids, KEY_WORKLOAD);
    const struct service *service = find_service(overlay->topology, wanted,
                                                 &name);
    if (!service) {
        overlay_add_problem(overlay, "OVSDB, interface %s, external_ids:"
                            KEY_WORKLOAD": the manifests have no service of "
                            "\"%s\"", binding->interface, wanted);
        return;
    }
    struct svec macs, addresses;
    read_identity(binding, &macs, &addresses);
    const struct workload *declared = find_declared(service, &name, &macs,
                                                    binding->interface);
    char *path = xasprintf("%s/%s", service->path, name);
    const char *other = shash_find_data(taken, path);
    if (other) {
        overlay_add_problem(overlay, "OVSDB, interface %s: %s is at interface "
                            "%s already; it is left as it is",
                            binding->interface, path, other);
    } else {
        struct workload *w = make_workload(overlay, ports, binding, service,
                                           name, declared, &macs, &addresses);
        ports->by_hand[w->index] = true;
        shash_add(taken, path, binding->interface);
        shash_add(&overlay->bound, binding->interface, w);
    }
    free(path);
    svec_destroy(&macs);
    svec_destroy(&addresses);
}

static void
tell_taken(struct overlay *overlay, const struct workload *w, char *what,
           const struct workload *first)
{
    char *path = workload_path(first);
    overlay_add_problem(overlay, "OVSDB, interface %s: %s is %s's already, "
                        "in segment %s; it is left out", w->value, what, path,
                        w->home->segment->name);
    free(path);
    free(what);
}

/* Enters what the manifests say. */
static void
claim_declared(const struct ports *ports, struct identities *identities)
{
    for (size_t i = 0; i < ports->n_workloads; i++) {
        const struct workload *w = ports->workloads[i];
        bool declared = w->binding != BIND_BY_HAND;
        for (size_t j = 0; declared && j < w->n_macs; j++) {
            identities_claim_mac(identities, w, &w->macs[j]);
        }
        for (size_t j = 0; declared && j < w->n_addresses; j++) {
            identities_claim_address(identities, w, &w->addresses[j]);
        }
    }
}

/* Leaves of the identity of 'w' what is nobody else's. */
static void
claim_own(struct overlay *overlay, struct workload *w,
          struct identities *identities)
{
    size_t n_macs = w->n_macs, n_addresses = w->n_addresses;
    w->n_macs = w->n_addresses = 0;
    for (size_t i = 0; i < n_macs; i++) {
        struct eth_addr *mac = &w->macs[w->n_macs];
        *mac = w->macs[i];
        const struct workload *first = identities_claim_mac(identities, w,
                                                            mac);
        if (first) {
            tell_taken(overlay, w, xasprintf("MAC "ETH_ADDR_FMT,
                                             ETH_ADDR_ARGS(*mac)), first);
        } else {
            w->n_macs++;
        }
    }
    for (size_t i = 0; i < n_addresses; i++) {
        struct in6_addr *address = &w->addresses[w->n_addresses];
        *address = w->addresses[i];
        const struct workload *first = identities_claim_address(identities, w,
                                                                address);
        if (first) {
            tell_taken(overlay, w, address_to_string(address), first);
        } else {
            w->n_addresses++;
        }
    }
}

static void
claim_all(struct overlay *overlay, const struct ports *ports)
{
    size_t max = 0;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        max += ports->workloads[i]->n_macs + ports->workloads[i]->n_addresses;
    }
    struct identities identities;
    identities_init(&identities, max);
    claim_declared(ports, &identities);
    for (size_t i = 0; i < overlay->n_workloads; i++) {
        claim_own(overlay, overlay->workloads[i], &identities);
    }
    identities_destroy(&identities);
}

static int
compare_bindings(const void *a_, const void *b_)
{
    const struct hand_binding *a = a_, *b = b_;
    return strcmp(a->interface, b->interface);
}

void
overlay_bind(struct overlay *overlay, struct ports *ports,
             struct hand_binding bindings[], size_t n)
{
    if (!n) {
        return;
    }
    /* So that of two that contradict each other the same one always wins. */
    struct shash taken = SHASH_INITIALIZER(&taken);
    qsort(bindings, n, sizeof *bindings, compare_bindings);
    for (size_t i = 0; i < n; i++) {
        bind_one(overlay, ports, &bindings[i], &taken);
    }
    shash_destroy(&taken);
    if (overlay->n_workloads) {
        claim_all(overlay, ports);
    }
}
