/* The topology as JSON: see topology-json.h. */

#include "topology-json.h"

#include <stdlib.h>

#include <openvswitch/json.h>

#include "daemon.h"
#include "overlay.h"
#include "timeval.h"
#include "util.h"

/* Where a workload is. */
struct place {
    const struct workload *workload;
    const char *bridge;
    uint16_t port;
    const struct quarantine *quarantine; /* Or NULL. */
};

struct places {
    struct place *all;          /* Sorted by workload. */
    size_t n, allocated;
};

static int
compare_places(const void *a_, const void *b_)
{
    const struct place *a = a_, *b = b_;
    uintptr_t x = (uintptr_t) a->workload, y = (uintptr_t) b->workload;
    return x < y ? -1 : x > y;
}

static void
find_places(const struct daemon *d, struct places *places)
{
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct bridge_state *b = &d->bridges[i];
        for (size_t port = 0; port < PORT_MAX; port++) {
            if (!b->by_port[port]) {
                continue;
            }
            if (places->n >= places->allocated) {
                places->all = x2nrealloc(places->all, &places->allocated,
                                         sizeof *places->all);
            }
            places->all[places->n++] = (struct place) {
                b->by_port[port], d->bridge_names.names[i], port,
                overlay_find_quarantine(b->overlay, b->by_port[port]),
            };
        }
    }
    if (places->n) {
        qsort(places->all, places->n, sizeof *places->all, compare_places);
    }
}

static void
put_number(struct json *json, const char *name, long long int number)
{
    json_object_put(json, name, json_integer_create(number));
}

static void
put_text(struct json *json, const char *name, const char *text)
{
    if (text) {
        json_object_put_string(json, name, text);
    }
}

/* Takes 'text'. */
static void
put_own_text(struct json *json, const char *name, char *text)
{
    json_object_put(json, name, json_string_create_nocopy(text));
}

static void
put_bool(struct json *json, const char *name, bool value)
{
    json_object_put(json, name, json_boolean_create(value));
}

static void
put_time(struct json *json, const char *name, long long int ms)
{
    if (ms) {
        put_own_text(json, name,
                     xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", ms, true));
    }
}

static void
put_where(struct json *json, struct location where)
{
    put_text(json, "file", where.file);
    put_number(json, "line", where.line);
}

/* Applications. */

static struct json *
workload_to_json(const struct workload *w, const struct places *places)
{
    struct json *json = json_object_create();
    struct json *addresses = json_array_create_empty();
    for (size_t i = 0; i < w->n_addresses; i++) {
        json_array_add(addresses, json_string_create_nocopy(
                           address_to_string(&w->addresses[i])));
    }
    const struct place key = { .workload = w };
    const struct place *place
        = places->n ? bsearch(&key, places->all, places->n,
                              sizeof *places->all, compare_places) : NULL;
    put_text(json, "name", w->name);
    put_own_text(json, "binding", binding_to_string(w));
    json_object_put(json, "addresses", addresses);
    put_bool(json, "bound", place != NULL);
    if (place) {
        put_text(json, "bridge", place->bridge);
        put_number(json, "port", place->port);
    }
    if (place && place->quarantine) {
        put_text(json, "quarantine", place->quarantine->reason);
        put_time(json, "quarantine_until", place->quarantine->until * 1000LL);
    }
    return json;
}

/* All of 'service'.  Each bridge knows those that were bound by hand; some
 * take the place of one that is declared. */
static struct json *
workloads_to_json(const struct daemon *d, const struct service *service,
                  const struct places *places)
{
    const struct overlay *overlay = d->bridge_names.n ? d->bridges[0].overlay
                                                      : NULL;
    size_t n_own = overlay ? overlay->n_workloads : 0;
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *w = service->workloads[i];
        bool replaced = false;
        for (size_t j = 0; j < n_own; j++) {
            replaced |= overlay->workloads[j]->index == w->index;
        }
        if (!replaced) {
            json_array_add(json, workload_to_json(w, places));
        }
    }
    for (size_t i = 0; i < n_own; i++) {
        if (workload_is_in(overlay->workloads[i], service)) {
            json_array_add(json, workload_to_json(overlay->workloads[i],
                                                  places));
        }
    }
    return json;
}

/* The strictest mode that it has on a bridge. */
static enum mode
find_mode(const struct daemon *d, const struct service *service)
{
    enum mode mode = d->bridge_names.n ? MODE_INHERIT : service_mode(service);
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        mode = MAX(mode, overlay_service_mode(d->bridges[i].overlay,
                                              service));
    }
    return mode;
}

static struct json *
service_to_json(const struct daemon *d, const struct service *service,
                const struct places *places)
{
    struct json *json = json_object_create();
    put_text(json, "name", service->name);
    put_text(json, "path", service->path);
    put_text(json, "segment", service->segment->name);
    put_text(json, "mode", mode_to_string(find_mode(d, service)));
    put_where(json, service->where);
    json_object_put(json, "workloads",
                    workloads_to_json(d, service, places));
    return json;
}

static struct json *
applications_to_json(const struct daemon *d, const struct places *places)
{
    const struct topology *topology = d->topology;
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *a = topology->applications[i];
        struct json *application = json_object_create();
        struct json *services = json_array_create_empty();
        for (size_t j = 0; j < a->n_services; j++) {
            json_array_add(services, service_to_json(d, a->services[j],
                                                     places));
        }
        put_text(application, "name", a->name);
        put_text(application, "version", a->version);
        put_text(application, "mode", mode_to_string(a->mode));
        put_where(application, a->where);
        json_object_put(application, "services", services);
        json_array_add(json, application);
    }
    return json;
}

/* Networks. */

static struct json *
prefixes_to_json(const struct prefix *prefixes, size_t n)
{
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < n; i++) {
        json_array_add(json, json_string_create_nocopy(
                           prefix_to_string(&prefixes[i])));
    }
    return json;
}

static struct json *
networks_to_json(const struct topology *topology)
{
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < topology->n_networks; i++) {
        const struct network *n = topology->networks[i];
        struct json *network = json_object_create();
        put_text(network, "name", n->name);
        put_text(network, "segment", n->segment ? n->segment->name : NULL);
        json_object_put(network, "prefixes",
                        prefixes_to_json(n->prefixes, n->n_prefixes));
        json_object_put(network, "exceptions",
                        prefixes_to_json(n->exceptions, n->n_exceptions));
        put_where(network, n->where);
        json_array_add(json, network);
    }
    return json;
}

/* Links. */

static void
put_counts(struct json *json, const struct use_counts *counts)
{
    put_number(json, "connections", counts->connections);
    put_number(json, "packets", counts->packets);
    put_number(json, "bytes", counts->bytes);
}

static void
add_counts(struct use_counts *sum, const struct use_counts *counts)
{
    sum->connections += counts->connections;
    sum->packets += counts->packets;
    sum->bytes += counts->bytes;
}

/* Adds what all bridges count for 'opening'; false if none knows. */
static bool
count_opening(const struct daemon *d, const struct opening *opening,
              struct use_counts *sum)
{
    bool known = false;
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct use_counts *counts = link_use_find(&d->bridges[i].use,
                                                        opening);
        if (counts) {
            known = true;
            add_counts(sum, counts);
        }
    }
    return known;
}

static struct json *
link_to_json(const struct link *link, const struct daemon *d,
             long long int now_ms)
{
    struct json *json = json_object_create();
    struct json *openings = json_array_create_empty();
    struct use_counts all = { .packets = 0 };
    bool known = false;
    for (size_t i = 0; i < link->n_openings; i++) {
        struct json *opening = json_object_create();
        struct use_counts counts = { .packets = 0 };
        put_own_text(opening, "opens", opening_to_string(&link->openings[i]));
        put_number(opening, "line", link->openings[i].where.line);
        if (count_opening(d, &link->openings[i], &counts)) {
            known = true;
            put_counts(opening, &counts);
            add_counts(&all, &counts);
        }
        json_array_add(openings, opening);
    }
    put_text(json, "application", link->application->name);
    put_own_text(json, "from", endpoint_to_string(&link->from));
    put_own_text(json, "to", endpoint_to_string(&link->to));
    json_object_put(json, "openings", openings);
    put_text(json, "reason", link->reason);
    put_text(json, "ticket", link->ticket);
    put_time(json, "not_before", link->not_before * 1000LL);
    put_time(json, "not_after", link->not_after * 1000LL);
    put_bool(json, "valid", link_is_valid(link, now_ms / 1000));
    if (known) {
        put_counts(json, &all);
    }
    put_where(json, link->where);
    return json;
}

static struct json *
links_to_json(const struct daemon *d, long long int now_ms)
{
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < d->topology->n_applications; i++) {
        const struct application *a = d->topology->applications[i];
        for (size_t j = 0; j < a->n_links; j++) {
            json_array_add(json, link_to_json(a->links[j], d, now_ms));
        }
    }
    return json;
}

/* Bridges and the whole. */

static struct json *
bridges_to_json(const struct daemon *d)
{
    struct json *json = json_array_create_empty();
    for (size_t i = 0; i < d->bridge_names.n; i++) {
        const struct bridge_state *b = &d->bridges[i];
        struct json *bridge = json_object_create();
        put_text(bridge, "name", d->bridge_names.names[i]);
        put_bool(bridge, "connected", b->up);
        put_number(bridge, "flows", b->n_flows);
        put_number(bridge, "workloads", b->n_local);
        put_time(bridge, "pushed", b->pushed_ms);
        put_text(bridge, "error", b->error);
        put_time(bridge, "counted", b->use.read_ms);
        if (b->use.read_ms) {
            put_number(bridge, "deviating_packets", b->use.deviating.packets);
        }
        json_array_add(json, bridge);
    }
    return json;
}

struct json *
topology_to_json(const struct daemon *d, long long int now_ms)
{
    struct json *json = json_object_create();
    put_time(json, "time", now_ms);
    put_text(json, "sdfwd", SDFW_VERSION);
    put_bool(json, "manifests_valid", d->topology && !d->broken);
    put_text(json, "error", d->broken);
    put_time(json, "loaded", d->loaded_ms);
    json_object_put(json, "bridges", bridges_to_json(d));
    if (d->topology) {
        struct places places = { .n = 0 };
        find_places(d, &places);
        json_object_put(json, "applications",
                        applications_to_json(d, &places));
        json_object_put(json, "networks", networks_to_json(d->topology));
        json_object_put(json, "links", links_to_json(d, now_ms));
        free(places.all);
    } else {
        json_object_put(json, "applications", json_array_create_empty());
        json_object_put(json, "networks", json_array_create_empty());
        json_object_put(json, "links", json_array_create_empty());
    }
    return json;
}
