/* Names in manifests to what they name: see resolve.h. */

#include "resolve.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"
#include "util.h"
#include "values.h"

/* A suggestion looks at all names.  Whoever has that many wrong names does
 * not need one for each, and a run stays linear in the size of the input. */
#define MAX_SUGGESTIONS 50

struct workload_node {
    struct hmap_node node;
    struct workload *workload;
};

void
resolver_init(struct resolver *resolver, const struct topology *topology)
{
    resolver->topology = topology;
    resolver->n_suggestions = 0;
    hmap_init(&resolver->workloads);
}

void
resolver_destroy(struct resolver *resolver)
{
    struct workload_node *w;
    HMAP_FOR_EACH_POP (w, node, &resolver->workloads) {
        free(w);
    }
    hmap_destroy(&resolver->workloads);
}

static uint32_t
workload_hash(const struct service *home, const char *name)
{
    return hash_string(name, hash_pointer(home, 0));
}

void
resolver_add_workload(struct resolver *resolver, struct workload *workload)
{
    struct workload_node *w = xmalloc(sizeof *w);
    w->workload = workload;
    hmap_insert(&resolver->workloads, &w->node,
                workload_hash(workload->home, workload->name));
}

struct workload *
resolver_find_workload(const struct resolver *resolver,
                       const struct service *service, const char *name)
{
    const struct workload_node *w;
    HMAP_FOR_EACH_WITH_HASH (w, node, workload_hash(service, name),
                             &resolver->workloads) {
        if (w->workload->home == service
            && !strcmp(w->workload->name, name)) {
            return w->workload;
        }
    }
    return NULL;
}

/* The workload "APPLICATION/SERVICE/WORKLOAD", or NULL. */
static struct workload *
find_workload_path(const struct resolver *resolver, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return NULL;
    }
    char *home = xmemdup0(path, slash - path);
    const struct service *service
        = shash_find_data(&resolver->topology->service_index, home);
    free(home);
    return service ? resolver_find_workload(resolver, service, slash + 1)
                   : NULL;
}

/* Suggestions. */

struct candidates {
    const char **names;
    size_t n, allocated;
};

static void
add_candidate(struct candidates *candidates, const char *name)
{
    if (candidates->n >= candidates->allocated) {
        candidates->names = x2nrealloc(candidates->names,
                                       &candidates->allocated,
                                       sizeof *candidates->names);
    }
    candidates->names[candidates->n++] = name;
}

static void
add_index(struct candidates *candidates, const struct shash *index)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, index) {
        add_candidate(candidates, node->name);
    }
}

static void
add_services(struct candidates *candidates,
             const struct application *application)
{
    for (size_t i = 0; i < application->n_services; i++) {
        add_candidate(candidates, application->services[i]->name);
    }
}

/* The nearest of 'candidates', which it frees. */
static const char *
suggest(struct resolver *resolver, struct candidates *candidates,
        const char *name)
{
    const char *nearest = NULL;
    if (resolver->n_suggestions++ < MAX_SUGGESTIONS) {
        nearest = check_nearest(name, candidates->names, candidates->n);
    }
    free(candidates->names);
    return nearest;
}

/* "unknown WHAT 'NAME'", with the nearest of 'candidates' or with 'advice'. */
static char *
unknown(struct resolver *resolver, struct candidates *candidates,
        const char *what, const char *name, const char *advice)
{
    const char *nearest = suggest(resolver, candidates, name);
    return nearest ? xasprintf("unknown %s '%s'; did you mean '%s'?", what,
                               name, nearest)
                   : xasprintf("unknown %s '%s'; %s", what, name, advice);
}

const char *
resolver_suggest_segment(struct resolver *resolver, const char *name)
{
    struct candidates candidates = { .n = 0 };
    add_index(&candidates, &resolver->topology->segment_index);
    return suggest(resolver, &candidates, name);
}

/* Ends of links. */

static struct service *
own_service(const struct resolver *resolver,
            const struct application *application, const char *name)
{
    char *path = xasprintf("%s/%s", application->name, name);
    struct service *service
        = shash_find_data(&resolver->topology->service_index, path);
    free(path);
    return service;
}

/* An end that is written "APPLICATION/SERVICE". */
static char *
resolve_path(struct resolver *resolver, const char *name,
             struct endpoint *end)
{
    const struct topology *topology = resolver->topology;
    end->service = shash_find_data(&topology->service_index, name);
    if (end->service) {
        return NULL;
    }
    char *application = xmemdup0(name, strcspn(name, "/"));
    struct candidates candidates = { .n = 0 };
    char *error;
    if (shash_find(&topology->application_index, application)) {
        add_index(&candidates, &topology->service_index);
        char *advice = xasprintf("application '%s' has no such service",
                                 application);
        error = unknown(resolver, &candidates, "service", name, advice);
        free(advice);
    } else {
        add_index(&candidates, &topology->application_index);
        error = unknown(resolver, &candidates, "application", application,
                        "no manifest of this topology declares it");
    }
    free(application);
    return error;
}

static char *
resolve_link_end(struct resolver *resolver,
                 const struct application *application, const char *name,
                 struct endpoint *end)
{
    const struct topology *topology = resolver->topology;
    if (strchr(name, '/')) {
        return resolve_path(resolver, name, end);
    }
    end->service = own_service(resolver, application, name);
    end->network = shash_find_data(&topology->network_index, name);
    if (end->service && end->network) {
        return xasprintf("'%s' is ambiguous: a service of '%s' (%s:%d) and a "
                         "network (%s:%d); rename one, or write '%s' for the "
                         "service", name, application->name,
                         end->service->where.file, end->service->where.line,
                         end->network->where.file, end->network->where.line,
                         end->service->path);
    }
    if (end->service || end->network) {
        return NULL;
    }
    if (shash_find(&topology->application_index, name)) {
        return xasprintf("'%s' is an application; name one of its services, "
                         "such as '%s/SERVICE'", name, name);
    }
    struct candidates candidates = { .n = 0 };
    add_services(&candidates, application);
    add_index(&candidates, &topology->network_index);
    return unknown(resolver, &candidates, "service or network", name,
                   "declare it, or write APPLICATION/SERVICE for a service "
                   "of another application");
}

static char *
resolve_accept_end(struct resolver *resolver,
                   const struct application *application, const char *name,
                   struct endpoint *end)
{
    const struct topology *topology = resolver->topology;
    if (strchr(name, '/')) {
        return resolve_path(resolver, name, end);
    }
    end->service = own_service(resolver, application, name);
    end->application = shash_find_data(&topology->application_index, name);
    if (end->service && end->application) {
        return xasprintf("'%s' is ambiguous: a service of '%s' (%s:%d) and an "
                         "application (%s:%d); rename one, or write '%s' for "
                         "the service", name, application->name,
                         end->service->where.file, end->service->where.line,
                         end->application->where.file,
                         end->application->where.line, end->service->path);
    }
    if (end->service || end->application) {
        return NULL;
    }
    if (shash_find(&topology->network_index, name)) {
        return xasprintf("'%s' is a network; links with networks need no "
                         "<accept>, remove it", name);
    }
    struct candidates candidates = { .n = 0 };
    add_services(&candidates, application);
    add_index(&candidates, &topology->application_index);
    return unknown(resolver, &candidates, "service or application", name,
                   "an end of an accept is a service of this application, "
                   "another application, or APPLICATION/SERVICE");
}

static bool
is_own(const struct endpoint *end, const struct application *application)
{
    return end->service && end->service->application == application;
}

static char *
judge_link(const struct application *application,
           const struct endpoint *from, const struct endpoint *to)
{
    if (from->network && to->network) {
        return xasprintf("both ends, '%s' and '%s', are networks; one of them "
                         "must be a service of '%s'", from->network->name,
                         to->network->name, application->name);
    }
    if (!is_own(from, application) && !is_own(to, application)) {
        return xasprintf("neither end is a service of '%s'; such a link "
                         "belongs in the application of one of its ends",
                         application->name);
    }
    return NULL;
}

static char *
judge_accept(const struct application *application,
             const struct endpoint *from, const struct endpoint *to)
{
    int n_own = is_own(from, application) + is_own(to, application);
    if (n_own == 2 || from->application == application
        || to->application == application) {
        return xasprintf("links inside '%s' need no <accept>; remove it",
                         application->name);
    }
    return n_own ? NULL
           : xasprintf("neither end is a service of '%s', which can accept "
                       "links with its own services only",
                       application->name);
}

char *
resolve_ends(struct resolver *resolver, struct application *application,
             bool accept, const char *from_name, const char *to_name,
             struct endpoint *from, struct endpoint *to)
{
    char *(*resolve)(struct resolver *, const struct application *,
                     const char *, struct endpoint *)
        = accept ? resolve_accept_end : resolve_link_end;
    memset(from, 0, sizeof *from);
    memset(to, 0, sizeof *to);
    char *error = resolve(resolver, application, from_name, from);
    char *other = resolve(resolver, application, to_name, to);
    if (error && other) {
        char *both = xasprintf("%s; and %s", error, other);
        free(error);
        free(other);
        return both;
    }
    if (error || other) {
        return error ? error : other;
    }
    return accept ? judge_accept(application, from, to)
                  : judge_link(application, from, to);
}

/* Members. */

char *
resolve_member(struct resolver *resolver, const struct service *service,
               const char *name, struct workload **workloadp)
{
    const struct application *application = service->application;
    const char *slash = strchr(name, '/');
    if (!slash) {
        return xasprintf("'%s' does not name a workload; write "
                         "SERVICE/WORKLOAD, such as web/web-1", name);
    }
    char *home_name = xmemdup0(name, slash - name);
    struct service *home = own_service(resolver, application, home_name);
    struct candidates candidates = { .n = 0 };
    char *error = NULL;
    if (!home) {
        add_services(&candidates, application);
        error = unknown(resolver, &candidates, "service", home_name,
                        "a member is a workload of this application");
    } else if (!(*workloadp = resolver_find_workload(resolver, home,
                                                     slash + 1))) {
        for (size_t i = 0; i < home->n_workloads; i++) {
            add_candidate(&candidates, home->workloads[i]->name);
        }
        error = unknown(resolver, &candidates, "workload", slash + 1,
                        "the service that is named has no such workload");
    } else if (home == service) {
        error = xasprintf("'%s' is declared in this service; remove the "
                          "<member>", name);
    } else if (home->segment != service->segment) {
        error = xasprintf("'%s' is in segment '%s', but service '%s' in "
                          "segment '%s'; members share the segment",
                          name, home->segment->name, service->name,
                          service->segment->name);
    } else if (workload_is_in(*workloadp, service)) {
        error = xasprintf("'%s' is a member already; remove one", name);
    }
    free(home_name);
    return error;
}

/* Expectations. */

static void
add_workload_paths(struct shash *paths, const struct hmap *workloads)
{
    const struct workload_node *w;
    HMAP_FOR_EACH (w, node, workloads) {
        shash_add_nocopy(paths, workload_path(w->workload), NULL);
    }
}

char *
resolve_expected(struct resolver *resolver, const char *name)
{
    const struct topology *topology = resolver->topology;
    struct in6_addr address;
    if (shash_find(&topology->service_index, name)
        || shash_find(&topology->network_index, name)
        || find_workload_path(resolver, name)
        || value_parse_address(name, &address)) {
        return NULL;
    }
    struct candidates candidates = { .n = 0 };
    struct shash paths = SHASH_INITIALIZER(&paths);
    add_index(&candidates, &topology->service_index);
    add_index(&candidates, &topology->network_index);
    if (resolver->n_suggestions < MAX_SUGGESTIONS) {
        add_workload_paths(&paths, &resolver->workloads);
        add_index(&candidates, &paths);
    }
    char *error = unknown(resolver, &candidates, "end", name, "expected "
                          "APPLICATION/SERVICE, APPLICATION/SERVICE/WORKLOAD, "
                          "a network or an address");
    shash_destroy(&paths);
    return error;
}
