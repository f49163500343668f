/* Valid documents to model: see interpret.h.
 *
 * An application, or a service, may be given in several parts.  What each of
 * them says about mode, version and segment is kept with its place until all
 * parts are known. */

#include "interpret-private.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "values.h"
#include "xml.h"

/* A setting that may stand in one part only, or must agree. */
struct setting {
    const char *value;          /* NULL if no part gives it. */
    struct location where;
};

/* What the parts of an application or a service say. */
struct settings {
    struct setting mode, version, segment;
    const char *directory;      /* Of the parts of an application. */
    struct location where;      /* The first part. */
};

struct location
interpret_place(const struct interpreter *in, const xmlNode *node)
{
    return (struct location) { .file = in->document->name,
                               .line = xml_line(node) };
}

bool
interpret_ok(struct interpreter *in, const xmlNode *node, char *error)
{
    if (!error) {
        return true;
    }
    report_error(in->report, interpret_place(in, node), "%s", error);
    free(error);
    return false;
}

void
interpret_report_twice(struct interpreter *in, struct location place,
                       const char *what, const char *name,
                       struct location first)
{
    report_error(in->report, place, "%s '%s' is already declared at %s:%d; "
                 "rename one of them", what, name, first.file, first.line);
}

/* Segments. */

static void
read_segment(struct interpreter *in, xmlNode *node)
{
    struct location place = interpret_place(in, node);
    const char *name = xml_attribute(node, "name");
    const char *vlan = xml_attribute(node, "vlan");
    const struct segment *first
        = shash_find_data(&in->topology->segment_index, name);
    if (first && !first->where.file) {
        report_error(in->report, place, "the segment 'default' is always "
                     "there; remove this or choose another name");
    } else if (first) {
        interpret_report_twice(in, place, "segment", name, first->where);
    } else {
        topology_add_segment(in->topology, name,
                             vlan ? SEGMENT_VLAN : SEGMENT_ISOLATED,
                             vlan ? value_to_number(vlan) : 0, place);
    }
}

struct segment *
interpret_find_segment(struct interpreter *in, const char *name,
                       struct location place)
{
    struct segment *segment
        = shash_find_data(&in->topology->segment_index, name);
    if (!segment) {
        const char *nearest = resolver_suggest_segment(&in->resolver, name);
        if (nearest) {
            report_error(in->report, place, "unknown segment '%s'; did you "
                         "mean '%s'?", name, nearest);
        } else {
            report_error(in->report, place, "unknown segment '%s'; declare "
                         "it with <segment name=\"%s\" vlan=\"...\"/>", name,
                         name);
        }
    }
    return segment;
}

/* Applications and services, which may come in parts. */

static struct settings *
get_settings(struct interpreter *in, const char *path, struct location place)
{
    struct settings *settings = shash_find_data(&in->settings, path);
    if (!settings) {
        settings = xzalloc(sizeof *settings);
        settings->where = place;
        settings->directory = in->document->directory;
        shash_add(&in->settings, path, settings);
    }
    return settings;
}

static void
settle(struct interpreter *in, xmlNode *node, const char *attribute,
       struct setting *setting)
{
    const char *value = xml_attribute(node, attribute);
    if (!value) {
        return;
    }
    struct location place = interpret_place(in, node);
    if (!setting->value) {
        *setting = (struct setting) { .value = value, .where = place };
    } else if (strcmp(setting->value, value)) {
        report_error(in->report, place, "%s '%s' of %s '%s' contradicts '%s' "
                     "at %s:%d; give it once", attribute, value,
                     (const char *) node->name, xml_attribute(node, "name"),
                     setting->value, setting->where.file,
                     setting->where.line);
    }
}

static bool
read_binding(struct interpreter *in, xmlNode *node, struct workload *workload)
{
    const char *interface = xml_attribute(node, "interface");
    const char *iface_id = xml_attribute(node, "iface-id");
    const char *external_id = xml_attribute(node, "external-id");
    int n = !!interface + !!iface_id + !!external_id;
    if (n != 1) {
        report_error(in->report, workload->where, "workload '%s' has %s "
                     "binding; give %s of interface, iface-id and "
                     "external-id", workload->name,
                     n ? "more than one" : "no",
                     n ? "only one" : "one");
        return false;
    }
    if (external_id) {
        const char *equals = strchr(external_id, '=');
        workload->binding = BIND_EXTERNAL_ID;
        workload->key = xmemdup0(external_id, equals - external_id);
        workload->value = xstrdup(equals + 1);
    } else {
        workload->binding = interface ? BIND_INTERFACE : BIND_IFACE_ID;
        workload->value = xstrdup(interface ? interface : iface_id);
    }
    return true;
}

static size_t
count_children(const xmlNode *node, const char *name)
{
    size_t n = 0;
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        n += xml_is(child, name);
    }
    return n;
}

static void
read_identity(struct interpreter *in, xmlNode *node, struct workload *workload)
{
    size_t n_macs = count_children(node, "mac");
    size_t n_addresses = count_children(node, "address");
    if (!n_macs || !n_addresses) {
        report_error(in->report, workload->where, "workload '%s' needs at "
                     "least one %s", workload->name,
                     n_macs ? "<address>" : "<mac>");
    }
    workload->macs = xcalloc(n_macs, sizeof *workload->macs);
    workload->addresses = xcalloc(n_addresses, sizeof *workload->addresses);
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        const char *text = xml_text(child);
        if (xml_is(child, "mac")) {
            struct eth_addr *mac = &workload->macs[workload->n_macs];
            workload->n_macs += interpret_ok(in, child,
                                             value_to_mac(text, mac));
        } else {
            struct in6_addr *address
                = &workload->addresses[workload->n_addresses];
            workload->n_addresses
                += interpret_ok(in, child, value_to_address(text, address));
        }
    }
}

static void
read_workload(struct interpreter *in, xmlNode *node, struct service *service)
{
    struct location place = interpret_place(in, node);
    const char *name = xml_attribute(node, "name");
    const struct workload *first
        = resolver_find_workload(&in->resolver, service, name);
    if (first) {
        char *path = workload_path(first);
        interpret_report_twice(in, place, "workload", path, first->where);
        free(path);
        return;
    }
    struct workload *workload = service_add_workload(service, name, place);
    resolver_add_workload(&in->resolver, workload);
    if (!read_binding(in, node, workload)) {
        workload->value = xstrdup("");
    }
    read_identity(in, node, workload);
}

static void
read_service(struct interpreter *in, xmlNode *node,
             struct application *application)
{
    struct location place = interpret_place(in, node);
    const char *name = xml_attribute(node, "name");
    char *path = xasprintf("%s/%s", application->name, name);
    struct service *service = shash_find_data(&in->topology->service_index,
                                              path);
    if (!service) {
        service = application_add_service(in->topology, application, name,
                                          place);
    }
    struct settings *settings = get_settings(in, path, place);
    settle(in, node, "mode", &settings->mode);
    settle(in, node, "segment", &settings->segment);
    if (settings->mode.value) {
        mode_from_string(settings->mode.value, &service->mode);
    }
    free(path);
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (xml_is(child, "workload")) {
            read_workload(in, child, service);
        } else if (xml_is(child, "response")) {
            interpret_response(in, child, application, service);
        }
    }
}

/* False if the application 'node' has parts in another directory, which was
 * reported. */
static bool
is_in_directory(const struct interpreter *in, const xmlNode *node)
{
    const struct settings *settings
        = shash_find_data(&in->settings, xml_attribute(node, "name"));
    return !strcmp(settings->directory, in->document->directory);
}

static void
read_application(struct interpreter *in, xmlNode *node)
{
    struct location place = interpret_place(in, node);
    const char *name = xml_attribute(node, "name");
    struct application *application
        = shash_find_data(&in->topology->application_index, name);
    if (!application) {
        application = topology_add_application(in->topology, name, place);
    }
    struct settings *settings = get_settings(in, name, place);
    if (!is_in_directory(in, node)) {
        report_error(in->report, place, "application '%s' is declared in "
                     "another directory, at %s:%d; all its parts must lie in "
                     "one directory", name, settings->where.file,
                     settings->where.line);
        return;
    }
    settle(in, node, "mode", &settings->mode);
    settle(in, node, "version", &settings->version);
    settle(in, node, "segment", &settings->segment);
    if (settings->mode.value) {
        mode_from_string(settings->mode.value, &application->mode);
    }
    if (settings->version.value && !application->version) {
        application->version = xstrdup(settings->version.value);
    }
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (xml_is(child, "service")) {
            read_service(in, child, application);
        } else if (xml_is(child, "response")) {
            interpret_response(in, child, application, NULL);
        }
    }
}

/* Gives every service its segment, now that all parts are known. */
static void
assign_segments(struct interpreter *in)
{
    for (size_t i = 0; i < in->topology->n_applications; i++) {
        struct application *application = in->topology->applications[i];
        const struct settings *outer = shash_find_data(&in->settings,
                                                       application->name);
        struct segment *segment = in->topology->segments[0];
        if (outer->segment.value) {
            segment = interpret_find_segment(in, outer->segment.value,
                                   outer->segment.where);
        }
        for (size_t j = 0; j < application->n_services; j++) {
            struct service *service = application->services[j];
            const struct settings *inner = shash_find_data(&in->settings,
                                                           service->path);
            struct segment *own = segment;
            if (inner->segment.value) {
                own = interpret_find_segment(in, inner->segment.value,
                                   inner->segment.where);
            }
            service->segment = own ? own : in->topology->segments[0];
        }
    }
}

/* The three passes. */

static void
pass_segments(struct interpreter *in, xmlNode *node)
{
    if (xml_is(node, "segment")) {
        read_segment(in, node);
    }
}

static void
pass_declarations(struct interpreter *in, xmlNode *node)
{
    if (xml_is(node, "network")) {
        interpret_network(in, node);
    } else if (xml_is(node, "application")) {
        read_application(in, node);
    }
}

static void
pass_references(struct interpreter *in, xmlNode *node)
{
    if (xml_is(node, "application")) {
        if (is_in_directory(in, node)) {
            interpret_references(in, node);
        }
    } else if (xml_is(node, "expect")) {
        interpret_expect(in, node);
    }
}

static void
for_each(struct interpreter *in, const struct document documents[], size_t n,
         void (*pass)(struct interpreter *, xmlNode *))
{
    for (size_t i = 0; i < n; i++) {
        in->document = &documents[i];
        xmlNode *root = xmlDocGetRootElement(documents[i].doc);
        for (xmlNode *node = xml_first(root); node; node = xml_next(node)) {
            pass(in, node);
        }
    }
}

void
interpret(struct topology *topology, const struct document documents[],
          size_t n, struct report *report)
{
    struct interpreter in = { .topology = topology, .report = report };
    shash_init(&in.settings);
    resolver_init(&in.resolver, topology);
    for_each(&in, documents, n, pass_segments);
    for_each(&in, documents, n, pass_declarations);
    assign_segments(&in);
    for_each(&in, documents, n, pass_references);
    resolver_destroy(&in.resolver);
    shash_destroy_free_data(&in.settings);
}
