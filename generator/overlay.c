/* What was said by hand: see overlay.h. */

#include "overlay.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>

#include "identities.h"
#include "packets.h"
#include "ports.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "values.h"

struct overlay *
overlay_create(const struct topology *topology)
{
    struct overlay *overlay = xzalloc(sizeof *overlay);
    ovs_refcount_init(&overlay->ref_cnt);
    overlay->topology = topology;
    shash_init(&overlay->bound);
    shash_init(&overlay->modes);
    svec_init(&overlay->problems);
    return overlay;
}

struct overlay *
overlay_ref(const struct overlay *overlay_)
{
    struct overlay *overlay = CONST_CAST(struct overlay *, overlay_);
    if (overlay) {
        ovs_refcount_ref(&overlay->ref_cnt);
    }
    return overlay;
}

void
overlay_unref(struct overlay *overlay)
{
    if (!overlay || ovs_refcount_unref(&overlay->ref_cnt) > 1) {
        return;
    }
    for (size_t i = 0; i < overlay->n_workloads; i++) {
        workload_destroy(overlay->workloads[i]);
    }
    for (size_t i = 0; i < overlay->n_quarantines; i++) {
        free(overlay->quarantines[i].reason);
    }
    free(overlay->workloads);
    free(overlay->quarantines);
    free(overlay->captures);
    shash_destroy(&overlay->bound);
    shash_destroy_free_data(&overlay->modes);
    svec_destroy(&overlay->problems);
    free(overlay);
}

void
overlay_add_problem(struct overlay *overlay, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    svec_add_nocopy(&overlay->problems, xvasprintf(format, args));
    va_end(args);
}

/* Modes. */

/* What 'key' ("sdfw-mode:NAME") is the mode of, or NULL. */
static const char *
mode_key_name(const char *key)
{
    size_t n = strlen(KEY_MODE":");
    return strncmp(key, KEY_MODE":", n) ? NULL : key + n;
}

static bool
is_known(const struct topology *topology, const char *name)
{
    return shash_find(&topology->service_index, name)
           || shash_find(&topology->application_index, name);
}

void
overlay_read_modes(struct overlay *overlay, const struct smap *other_config)
{
    const struct smap_node *node;
    SMAP_FOR_EACH (node, other_config) {
        const char *name = mode_key_name(node->key);
        enum mode mode;
        if (!name && strcmp(node->key, KEY_MODE)) {
            continue;
        }
        if (!mode_from_string(node->value, &mode)) {
            overlay_add_problem(overlay, "OVSDB, other_config:%s: \"%s\" is "
                                "no mode; those are learn, audit and enforce",
                                node->key, node->value);
        } else if (!name) {
            overlay->mode = mode;
        } else if (!is_known(overlay->topology, name)) {
            overlay_add_problem(overlay, "OVSDB, other_config:%s: the "
                                "manifests have no application or service "
                                "\"%s\"", node->key, name);
        } else {
            struct overlay_mode *entry = xmalloc(sizeof *entry);
            entry->mode = mode;
            shash_add(&overlay->modes, name, entry);
        }
    }
}

enum mode
overlay_service_mode(const struct overlay *overlay,
                     const struct service *service)
{
    const struct overlay_mode *entry = NULL;
    if (overlay) {
        entry = shash_find_data(&overlay->modes, service->path);
    }
    if (overlay && !entry) {
        entry = shash_find_data(&overlay->modes, service->application->name);
    }
    return entry ? entry->mode
           : overlay && overlay->mode ? overlay->mode : service_mode(service);
}

/* Workloads. */

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

const struct workload *
overlay_find_address(const struct overlay *overlay,
                     const struct segment *segment,
                     const struct in6_addr *address)
{
    for (size_t i = 0; overlay && i < overlay->n_workloads; i++) {
        const struct workload *w = overlay->workloads[i];
        for (size_t j = 0; w->home->segment == segment && j < w->n_addresses;
             j++) {
            if (!memcmp(&w->addresses[j], address, sizeof *address)) {
                return w;
            }
        }
    }
    return NULL;
}

/* Quarantine. */

time_t
overlay_parse_until(const char *text)
{
    struct tm tm = { .tm_isdst = 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return end && !*end ? timegm(&tm) : 0;
}

/* Reads when what 'key' of 'interface' says ends.  Returns false if it has. */
static bool
read_until(struct overlay *overlay, const char *interface, const char *key,
           const char *text, time_t now, time_t *until)
{
    *until = 0;
    if (!strcmp(text, INDEFINITE)) {
        return true;
    }
    *until = overlay_parse_until(text);
    if (!*until) {
        overlay_add_problem(overlay, "OVSDB, interface %s, external_ids:%s: "
                            "\"%s\" is no time such as 2026-12-31T18:00:00Z; "
                            "it lasts until it is released", interface, key,
                            text);
        return true;
    } else if (*until <= now) {
        return false;
    }
    if (!overlay->changes || *until < overlay->changes) {
        overlay->changes = *until;
    }
    return true;
}

void
overlay_quarantine(struct overlay *overlay, const char *interface,
                   const struct workload *workload, const char *until_text,
                   const char *reason, time_t now)
{
    time_t until;
    if (!read_until(overlay, interface, KEY_QUARANTINE, until_text, now,
                    &until)) {
        return;
    } else if (!workload) {
        overlay_add_problem(overlay, "interface %s is to be in quarantine, "
                            "but no workload is there: it is as free as any "
                            "port that is not managed", interface);
        return;
    }
    if (overlay->n_quarantines >= overlay->allocated_quarantines) {
        overlay->quarantines = x2nrealloc(overlay->quarantines,
                                          &overlay->allocated_quarantines,
                                          sizeof *overlay->quarantines);
    }
    overlay->quarantines[overlay->n_quarantines++] = (struct quarantine) {
        .workload = workload, .until = until,
        .reason = xstrdup(reason ? reason : ""),
    };
}

void
overlay_capture(struct overlay *overlay, const char *interface,
                const struct workload *workload, const char *until_text,
                time_t now)
{
    time_t until;
    if (!read_until(overlay, interface, KEY_CAPTURE, until_text, now,
                    &until)) {
        return;
    } else if (!workload) {
        overlay_add_problem(overlay, "packets of interface %s are to be "
                            "captured, but no workload is there", interface);
        return;
    }
    if (overlay->n_captures >= overlay->allocated_captures) {
        overlay->captures = x2nrealloc(overlay->captures,
                                       &overlay->allocated_captures,
                                       sizeof *overlay->captures);
    }
    overlay->captures[overlay->n_captures++] = (struct capture) {
        .workload = workload, .until = until,
    };
}

const struct quarantine *
overlay_find_quarantine(const struct overlay *overlay,
                        const struct workload *workload)
{
    for (size_t i = 0; overlay && i < overlay->n_quarantines; i++) {
        if (overlay->quarantines[i].workload == workload) {
            return &overlay->quarantines[i];
        }
    }
    return NULL;
}

/* In words. */

/* "shop/web/web-1 WHAT until ...". */
static char *
describe_until(const struct workload *workload, const char *what,
               time_t until, const char *reason)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%s/%s %s ", workload->home->path, workload->name,
                  what);
    if (until) {
        char *text = xastrftime_msec("until %Y-%m-%dT%H:%M:%SZ",
                                     until * 1000LL, true);
        ds_put_cstr(&s, text);
        free(text);
    } else {
        ds_put_cstr(&s, "until it is released");
    }
    if (reason[0]) {
        ds_put_format(&s, ": %s", reason);
    }
    return ds_steal_cstr(&s);
}

void
overlay_describe(const struct overlay *overlay, struct svec *lines)
{
    svec_init(lines);
    if (!overlay) {
        return;
    }
    if (overlay->mode) {
        svec_add_nocopy(lines, xasprintf("all is in mode %s",
                                         mode_to_string(overlay->mode)));
    }
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &overlay->modes) {
        const struct overlay_mode *entry = node->data;
        svec_add_nocopy(lines, xasprintf("%s is in mode %s", node->name,
                                         mode_to_string(entry->mode)));
    }
    for (size_t i = 0; i < overlay->n_quarantines; i++) {
        const struct quarantine *q = &overlay->quarantines[i];
        svec_add_nocopy(lines, describe_until(q->workload, "is in quarantine",
                                              q->until, q->reason));
    }
    for (size_t i = 0; i < overlay->n_captures; i++) {
        const struct capture *c = &overlay->captures[i];
        svec_add_nocopy(lines, describe_until(c->workload, "is captured",
                                              c->until, ""));
    }
    svec_sort(lines);
}

/* Comparing. */

static bool
workload_equal(const struct workload *a, const struct workload *b)
{
    return a->home == b->home && !strcmp(a->name, b->name)
           && a->n_macs == b->n_macs && a->n_addresses == b->n_addresses
           && !memcmp(a->macs, b->macs, a->n_macs * sizeof *a->macs)
           && !memcmp(a->addresses, b->addresses,
                      a->n_addresses * sizeof *a->addresses);
}

static bool
modes_equal(const struct overlay *a, const struct overlay *b)
{
    const struct shash_node *node;
    if (a->mode != b->mode
        || shash_count(&a->modes) != shash_count(&b->modes)) {
        return false;
    }
    SHASH_FOR_EACH (node, &a->modes) {
        const struct overlay_mode *x = node->data;
        const struct overlay_mode *y = shash_find_data(&b->modes, node->name);
        if (!y || x->mode != y->mode) {
            return false;
        }
    }
    return true;
}

bool
overlay_equal(const struct overlay *a, const struct overlay *b)
{
    if (!a || !b || a->topology != b->topology
        || a->n_workloads != b->n_workloads
        || a->n_quarantines != b->n_quarantines
        || a->n_captures != b->n_captures
        || !svec_equal(&a->problems, &b->problems)) {
        return a == b;
    }
    for (size_t i = 0; i < a->n_workloads; i++) {
        if (!workload_equal(a->workloads[i], b->workloads[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_quarantines; i++) {
        const struct quarantine *x = &a->quarantines[i];
        const struct quarantine *y = &b->quarantines[i];
        if (x->workload->index != y->workload->index || x->until != y->until
            || strcmp(x->reason, y->reason)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_captures; i++) {
        const struct capture *x = &a->captures[i], *y = &b->captures[i];
        if (x->workload->index != y->workload->index || x->until != y->until) {
            return false;
        }
    }
    return modes_equal(a, b);
}
