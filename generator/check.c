/* Semantic errors and warnings: see check.h. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "check-links.h"
#include "hash.h"
#include "hmapx.h"
#include "identities.h"
#include "openvswitch/hmap.h"
#include "packets.h"
#include "util.h"

/* The nearest name. */

/* Edit distance (restricted Damerau-Levenshtein), or 'limit' + 1 if it is
 * larger than 'limit'.  Rows of the usual table are kept in 'rows', which has
 * room for three of strlen(b) + 1 each. */
static size_t
edit_distance(const char *a, const char *b, size_t limit, size_t *rows)
{
    size_t n = strlen(b);
    size_t *before = rows, *last = rows + n + 1, *row = rows + 2 * (n + 1);
    for (size_t j = 0; j <= n; j++) {
        last[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t least = row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t cost = a[i - 1] != b[j - 1];
            row[j] = MIN(MIN(last[j], row[j - 1]) + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1]) {
                row[j] = MIN(row[j], before[j - 2] + 1);
            }
            least = MIN(least, row[j]);
        }
        if (least > limit + 1) {
            return limit + 1;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[n];
}

const char *
check_nearest(const char *name, const char *const names[], size_t n)
{
    size_t length = strlen(name);
    size_t limit = length < 2 ? 0 : MIN(MAX(length / 3, 1), 4);
    const char *nearest = NULL;
    size_t *rows = xmalloc(3 * (length + limit + 1) * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > length + limit || other + limit < length) {
            continue;
        }
        size_t distance = edit_distance(name, names[i], limit, rows);
        /* The first in the order of the alphabet, so that the answer does
         * not depend on the order of 'names'. */
        if (distance <= limit
            && (!nearest || distance < limit
                || strcmp(names[i], nearest) < 0)) {
            nearest = names[i];
            limit = distance;
        }
    }
    free(rows);
    return nearest;
}

/* Segments. */

static void
check_vlans(const struct topology *topology, struct report *report)
{
    const struct segment *by_vlan[4096] = { NULL };
    for (size_t i = 0; i < topology->n_segments; i++) {
        const struct segment *segment = topology->segments[i];
        if (segment->kind != SEGMENT_VLAN) {
            continue;
        }
        const struct segment **first = &by_vlan[segment->vlan];
        if (*first) {
            report_error(report, segment->where, "VLAN %u of segment '%s' is "
                         "that of segment '%s' (%s:%d) already; choose "
                         "another", segment->vlan, segment->name,
                         (*first)->name, (*first)->where.file,
                         (*first)->where.line);
        } else {
            *first = segment;
        }
    }
}

/* Workloads: what must be theirs alone. */

static void
report_taken(struct report *report, const char *what, const char *value,
             const struct workload *workload, const struct workload *first)
{
    if (workload == first) {
        report_error(report, workload->where, "workload '%s' has %s '%s' "
                     "twice; remove one", workload->name, what, value);
        return;
    }
    char *path = workload_path(first);
    const char *segment = workload->home->segment->name;
    report_error(report, workload->where, "%s '%s' of workload '%s' is that "
                 "of '%s' (%s:%d) already; it must be unique in segment '%s'",
                 what, value, workload->name, path, first->where.file,
                 first->where.line, segment);
    free(path);
}

static void
check_identity(const struct workload *workload,
               struct identities *identities, struct report *report)
{
    for (size_t i = 0; i < workload->n_macs; i++) {
        const struct eth_addr *mac = &workload->macs[i];
        const struct workload *first = identities_claim_mac(identities,
                                                            workload, mac);
        if (first) {
            char *text = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(*mac));
            report_taken(report, "MAC", text, workload, first);
            free(text);
        }
    }
    for (size_t i = 0; i < workload->n_addresses; i++) {
        const struct in6_addr *address = &workload->addresses[i];
        const struct workload *first = identities_claim_address(
            identities, workload, address);
        if (first) {
            char *text = address_to_string(address);
            report_taken(report, "address", text, workload, first);
            free(text);
        }
    }
}

/* A port that a workload is bound to. */
struct binding {
    struct hmap_node node;
    const struct workload *workload;
};

static const struct workload *
find_binding(const struct hmap *bindings, const struct workload *workload,
             uint32_t hash)
{
    const struct binding *b;
    HMAP_FOR_EACH_WITH_HASH (b, node, hash, bindings) {
        if (b->workload->binding == workload->binding
            && !strcmp(b->workload->value, workload->value)
            && nullable_string_is_equal(b->workload->key, workload->key)) {
            return b->workload;
        }
    }
    return NULL;
}

static void
check_binding(const struct workload *workload, struct hmap *bindings,
              struct binding *binding, struct report *report)
{
    if (!workload->value[0]) {
        return;                 /* Said already. */
    }
    uint32_t hash = hash_string(workload->value, workload->binding);
    const struct workload *first = find_binding(bindings, workload, hash);
    if (!first) {
        binding->workload = workload;
        hmap_insert(bindings, &binding->node, hash);
        return;
    }
    char *text = binding_to_string(workload);
    char *path = workload_path(first);
    report_error(report, workload->where, "workload '%s' is bound by %s, as "
                 "is '%s' (%s:%d); a port belongs to one workload",
                 workload->name, text, path, first->where.file,
                 first->where.line);
    free(path);
    free(text);
}

/* All workloads, each once.  The caller frees them. */
static const struct workload **
list_workloads(const struct topology *topology, size_t *n)
{
    const struct workload **list = xmalloc(topology_n_workloads(topology)
                                           * sizeof *list);
    *n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                if (service->workloads[k]->home == service) {
                    list[(*n)++] = service->workloads[k];
                }
            }
        }
    }
    return list;
}

static void
check_workloads(const struct topology *topology, struct report *report)
{
    size_t n, n_identities = 0;
    const struct workload **workloads = list_workloads(topology, &n);
    for (size_t i = 0; i < n; i++) {
        n_identities += workloads[i]->n_macs + workloads[i]->n_addresses;
    }
    struct identities identities;
    identities_init(&identities, n_identities);
    struct hmap taken_ports = HMAP_INITIALIZER(&taken_ports);
    struct binding *bindings = xmalloc(n * sizeof *bindings);
    hmap_reserve(&taken_ports, n);
    for (size_t i = 0; i < n; i++) {
        check_binding(workloads[i], &taken_ports, &bindings[i], report);
        check_identity(workloads[i], &identities, report);
    }
    identities_destroy(&identities);
    hmap_destroy(&taken_ports);
    free(bindings);
    free(workloads);
}

/* What is declared and not used. */

static void
mark_end(struct hmapx *used, const struct endpoint *end)
{
    hmapx_add(used, end->service ? (void *) end->service
                                 : (void *) end->network);
}

static void
mark_used(const struct topology *topology, struct hmapx *used)
{
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            mark_end(used, &application->links[j]->from);
            mark_end(used, &application->links[j]->to);
        }
    }
    for (size_t i = 0; i < topology->n_expects; i++) {
        const struct expect *expect = topology->expects[i];
        hmapx_add(used, shash_find_data(&topology->network_index,
                                        expect->from));
        hmapx_add(used, shash_find_data(&topology->network_index,
                                        expect->to));
    }
}

static void
check_services_used(const struct application *application,
                    const struct hmapx *used, struct report *report)
{
    for (size_t i = 0; i < application->n_services; i++) {
        const struct service *service = application->services[i];
        if (!service->n_workloads) {
            report_warning(report, service->where, "service '%s' has no "
                           "workloads; links with it open nothing",
                           service->path);
        }
        if (!hmapx_contains(used, service)) {
            report_warning(report, service->where, "service '%s' has no "
                           "link; it can reach nothing and nothing can reach "
                           "it", service->path);
        }
    }
}

static void
check_used(const struct topology *topology, struct report *report)
{
    struct hmapx used = HMAPX_INITIALIZER(&used);
    mark_used(topology, &used);
    for (size_t i = 0; i < topology->n_applications; i++) {
        check_services_used(topology->applications[i], &used, report);
    }
    for (size_t i = 0; i < topology->n_networks; i++) {
        const struct network *network = topology->networks[i];
        if (!hmapx_contains(&used, network)) {
            report_warning(report, network->where, "network '%s' is never "
                           "used; link it or remove it", network->name);
        }
    }
    hmapx_destroy(&used);
}

/* Expectations. */

static void
check_expects(const struct topology *topology, struct report *report)
{
    struct shash seen = SHASH_INITIALIZER(&seen);
    for (size_t i = 0; i < topology->n_expects; i++) {
        const struct expect *expect = topology->expects[i];
        char *opening = opening_to_string(&expect->opening);
        char *key = xasprintf("%s %s %s %s", expect->from, expect->to,
                              expect->segment ? expect->segment->name : "",
                              opening);
        const struct expect *first = shash_find_data(&seen, key);
        if (!first) {
            shash_add(&seen, key, expect);
        } else if (first->allow != expect->allow) {
            report_warning(report, expect->where, "this contradicts %s:%d, "
                           "which expects %s from '%s' to '%s' to be %s",
                           first->where.file, first->where.line, opening,
                           expect->from, expect->to,
                           first->allow ? "allowed" : "denied");
        }
        free(key);
        free(opening);
    }
    shash_destroy(&seen);
}

void
check_declarations(const struct topology *topology, struct report *report)
{
    check_vlans(topology, report);
    check_workloads(topology, report);
}

void
check_topology(const struct topology *topology, time_t now,
               struct report *report)
{
    check_declarations(topology, report);
    check_links(topology, now, report);
    check_used(topology, report);
    check_expects(topology, report);
}
