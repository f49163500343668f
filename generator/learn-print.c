/* What was learned and set aside, for people and machines: see learn.h. */

#include "learn-private.h"

#include <stdlib.h>

#include <openvswitch/json.h>

#include "util.h"

void
learned_print(const struct learned *learned, FILE *stream)
{
    for (size_t i = 0; i < learned->n_links; i++) {
        const struct learned_link *link = &learned->links[i];
        char *from = endpoint_to_string(&link->from);
        char *to = endpoint_to_string(&link->to);
        char *what = opening_to_string(&link->opening);
        fprintf(stream, "link %s -> %s %s\n  %s\n", from, to, what,
                link->reason);
        free(from);
        free(to);
        free(what);
    }
    if (learned->n_asides) {
        fprintf(stream, "set aside, for you to decide:\n");
    }
    for (size_t i = 0; i < learned->n_asides; i++) {
        const struct aside *a = &learned->asides[i];
        char *last = time_to_string(a->last);
        fprintf(stream, "  %s -> %s %s\n    %s; %"PRIu64" connection%s, last "
                "%s\n", a->from, a->to, a->what, a->why, a->n_connections,
                a->n_connections == 1 ? "" : "s", last);
        free(last);
    }
    const char *segment;
    SSET_FOR_EACH (segment, &learned->strange_segments) {
        fprintf(stream, "the topology has no segment \"%s\": what was seen "
                "there is left out\n", segment);
    }
    fprintf(stream, "%"PRIuSIZE" links; %"PRIuSIZE" set aside; "
            "%"PRIuSIZE" covered by the topology; %"PRIuSIZE" between others "
            "than workloads\n", learned->n_links, learned->n_asides,
            learned->n_covered, learned->n_foreign);
}

static void
put_number(struct json *json, const char *name, uint64_t number)
{
    json_object_put(json, name, json_integer_create(number));
}

static void
put_text(struct json *json, const char *name, char *text)
{
    json_object_put(json, name, json_string_create_nocopy(text));
}

static void
put_share(struct json *json, const char *name, size_t seen, size_t of)
{
    if (of) {
        struct json *share = json_object_create();
        put_number(share, "seen", seen);
        put_number(share, "of", of);
        json_object_put(json, name, share);
    }
}

static struct json *
link_to_json(const struct learned_link *link)
{
    const struct evidence *e = &link->evidence;
    struct json *json = json_object_create();
    json_object_put_string(json, "application", link->application->name);
    put_text(json, "from", endpoint_to_string(&link->from));
    put_text(json, "to", endpoint_to_string(&link->to));
    put_text(json, "opens", opening_to_string(&link->opening));
    put_number(json, "connections", e->n_connections);
    put_number(json, "unanswered", e->n_unanswered);
    put_text(json, "first_seen", time_to_string(e->first));
    put_text(json, "last_seen", time_to_string(e->last));
    put_number(json, "clients", e->n_clients);
    put_number(json, "servers", e->n_servers);
    put_share(json, "client_workloads", e->clients_seen, e->clients_of);
    put_share(json, "server_workloads", e->servers_seen, e->servers_of);
    return json;
}

static struct json *
aside_to_json(const struct aside *a)
{
    struct json *json = json_object_create();
    if (a->application) {
        json_object_put_string(json, "application", a->application->name);
    }
    json_object_put_string(json, "from", a->from);
    json_object_put_string(json, "to", a->to);
    json_object_put_string(json, "what", a->what);
    json_object_put_string(json, "why", a->why);
    put_number(json, "connections", a->n_connections);
    put_text(json, "first_seen", time_to_string(a->first));
    put_text(json, "last_seen", time_to_string(a->last));
    return json;
}

struct json *
learned_to_json(const struct learned *learned)
{
    struct json *json = json_object_create();
    struct json *links = json_array_create_empty();
    for (size_t i = 0; i < learned->n_links; i++) {
        json_array_add(links, link_to_json(&learned->links[i]));
    }
    struct json *asides = json_array_create_empty();
    for (size_t i = 0; i < learned->n_asides; i++) {
        json_array_add(asides, aside_to_json(&learned->asides[i]));
    }
    json_object_put(json, "links", links);
    json_object_put(json, "set_aside", asides);
    put_number(json, "covered", learned->n_covered);
    put_number(json, "between_others", learned->n_foreign);
    struct json *segments = json_array_create_empty();
    const char *segment;
    SSET_FOR_EACH (segment, &learned->strange_segments) {
        json_array_add(segments, json_string_create(segment));
    }
    json_object_put(json, "unknown_segments", segments);
    return json;
}

/* Status. */

void
learned_print_status(const struct learned *learned, FILE *stream)
{
    for (size_t i = 0; i < learned->n_services; i++) {
        const struct learned_service *row = &learned->services[i];
        const struct completeness *c = &row->completeness;
        char *text = completeness_text(&row->judgement,
                                       &completeness_default_criteria);
        fprintf(stream, "%s: %"PRIu64" connections of %"PRIu64" kind%s; %s\n",
                row->service->path, c->n_connections, c->n_entries,
                c->n_entries == 1 ? "" : "s", text);
        free(text);
    }
}

static const char *
state_to_string(enum completeness_state state)
{
    switch (state) {
    case COMPLETENESS_NOTHING: return "nothing";
    case COMPLETENESS_SHORT: return "short";
    case COMPLETENESS_GROWING: return "growing";
    case COMPLETENESS_UNCERTAIN: return "uncertain";
    case COMPLETENESS_READY: return "ready";
    }
    OVS_NOT_REACHED();
}

static struct json *
service_to_json(const struct learned_service *row)
{
    const struct completeness *c = &row->completeness;
    struct json *json = json_object_create();
    json_object_put_string(json, "service", row->service->path);
    json_object_put_string(json, "state",
                           state_to_string(row->judgement.state));
    put_number(json, "connections", c->n_connections);
    put_number(json, "kinds", c->n_entries);
    put_number(json, "kinds_seen_once", c->n_once);
    json_object_put(json, "unseen", json_real_create(row->judgement.unseen));
    json_object_put(json, "unseen_at_most",
                    json_real_create(row->judgement.bound));
    if (c->n_connections) {
        put_text(json, "first_seen", time_to_string(c->first_ms / 1000));
        put_text(json, "last_seen", time_to_string(c->last_ms / 1000));
        put_text(json, "last_new", time_to_string(c->last_new_ms / 1000));
    }
    return json;
}

struct json *
learned_status_to_json(const struct learned *learned)
{
    struct json *services = json_array_create_empty();
    for (size_t i = 0; i < learned->n_services; i++) {
        json_array_add(services, service_to_json(&learned->services[i]));
    }
    struct json *json = json_object_create();
    json_object_put(json, "services", services);
    return json;
}
