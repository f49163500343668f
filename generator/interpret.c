/* Valid documents to model: see interpret.h.
 *
 * An application, or a service, may be given in several parts.  What each of
 * them says about mode, version and segment is kept with its place until all
 * parts are known. */

#include "interpret.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "resolve.h"
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

struct interpreter {
    struct topology *topology;
    struct report *report;
    struct resolver resolver;   /* Of all workloads, and for suggestions. */
    struct shash settings;      /* By application or service path. */
    const struct document *document;    /* The one being read. */
};

static struct location
where(const struct interpreter *in, const xmlNode *node)
{
    return (struct location) { .file = in->document->name,
                               .line = xml_line(node) };
}

/* Reports and frees 'error', if there is one.  Returns true if not. */
static bool
is_right(struct interpreter *in, const xmlNode *node, char *error)
{
    if (!error) {
        return true;
    }
    report_error(in->report, where(in, node), "%s", error);
    free(error);
    return false;
}

static void
report_twice(struct interpreter *in, struct location place, const char *what,
             const char *name, struct location first)
{
    report_error(in->report, place, "%s '%s' is already declared at %s:%d; "
                 "rename one of them", what, name, first.file, first.line);
}

/* Segments. */

static void
read_segment(struct interpreter *in, xmlNode *node)
{
    struct location place = where(in, node);
    const char *name = xml_attribute(node, "name");
    const char *vlan = xml_attribute(node, "vlan");
    const struct segment *first
        = shash_find_data(&in->topology->segment_index, name);
    if (first && !first->where.file) {
        report_error(in->report, place, "the segment 'default' is always "
                     "there; remove this or choose another name");
    } else if (first) {
        report_twice(in, place, "segment", name, first->where);
    } else {
        topology_add_segment(in->topology, name,
                             vlan ? SEGMENT_VLAN : SEGMENT_ISOLATED,
                             vlan ? value_to_number(vlan) : 0, place);
    }
}

/* The segment called 'name', or NULL after an error. */
static struct segment *
find_segment(struct interpreter *in, const char *name, struct location place)
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

/* Networks. */

/* A prefix and where it stands, to find it again by its value. */
struct prefix_node {
    struct hmap_node node;
    struct prefix prefix;
    struct location where;
};

static const struct prefix_node *
find_prefix(const struct hmap *prefixes, const struct prefix *prefix)
{
    const struct prefix_node *p;
    HMAP_FOR_EACH_WITH_HASH (p, node,
                             hash_bytes(&prefix->addr, 16, prefix->len),
                             prefixes) {
        if (p->prefix.len == prefix->len
            && !memcmp(&p->prefix.addr, &prefix->addr, 16)) {
            return p;
        }
    }
    return NULL;
}

static void
append_prefix(struct prefix **list, size_t *n, size_t *allocated,
              const struct prefix *prefix)
{
    if (*n >= *allocated) {
        *list = x2nrealloc(*list, allocated, sizeof **list);
    }
    (*list)[(*n)++] = *prefix;
}

/* Reads the <prefix> or <except> elements ('name') of a network. */
static void
read_prefixes(struct interpreter *in, xmlNode *network, const char *name,
              struct prefix **list, size_t *n, struct hmap *index)
{
    size_t allocated = *n;
    for (xmlNode *child = xml_first(network); child; child = xml_next(child)) {
        struct prefix prefix;
        if (!xml_is(child, name)
            || !is_right(in, child,
                         value_to_prefix(xml_text(child), &prefix))) {
            continue;
        }
        const struct prefix_node *first = find_prefix(index, &prefix);
        if (first) {
            report_error(in->report, where(in, child), "'%s' stands in this "
                         "network already, at line %d; remove one of them",
                         xml_text(child), first->where.line);
            continue;
        }
        struct prefix_node *p = xmalloc(sizeof *p);
        p->prefix = prefix;
        p->where = where(in, child);
        hmap_insert(index, &p->node,
                    hash_bytes(&prefix.addr, 16, prefix.len));
        append_prefix(list, n, &allocated, &prefix);
    }
}

/* True if one of 'prefixes' holds all of 'inner' and more. */
static bool
is_inside(const struct hmap *prefixes, const struct prefix *inner)
{
    struct prefix outer = *inner;
    int shortest = IN6_IS_ADDR_V4MAPPED(&inner->addr) ? 96 : 0;
    for (int len = inner->len - 1; len >= shortest; len--) {
        outer.addr.s6_addr[len / 8] &= ~(0x80 >> len % 8);
        outer.len = len;
        if (find_prefix(prefixes, &outer)) {
            return true;
        }
    }
    return false;
}

static void
free_prefixes(struct hmap *prefixes)
{
    struct prefix_node *p;
    HMAP_FOR_EACH_POP (p, node, prefixes) {
        free(p);
    }
    hmap_destroy(prefixes);
}

/* What is wrong with prefixes that are right one by one. */
static void
judge_exceptions(struct interpreter *in, const struct network *network,
                 const struct hmap *prefixes, const struct hmap *exceptions)
{
    if (!network->n_prefixes) {
        report_error(in->report, network->where, "network '%s' has no "
                     "<prefix>; it needs one such as 10.0.0.0/8",
                     network->name);
        return;
    }
    const struct prefix_node *e;
    HMAP_FOR_EACH (e, node, exceptions) {
        if (!is_inside(prefixes, &e->prefix)) {
            char *text = prefix_to_string(&e->prefix);
            report_error(in->report, e->where, "exception '%s' is not inside "
                         "a prefix of network '%s'; remove it or add the "
                         "prefix", text, network->name);
            free(text);
        }
    }
}

static void
read_network_prefixes(struct interpreter *in, xmlNode *node,
                      struct network *network)
{
    struct hmap prefixes = HMAP_INITIALIZER(&prefixes);
    struct hmap exceptions = HMAP_INITIALIZER(&exceptions);
    size_t n_errors = in->report->n_errors;
    read_prefixes(in, node, "prefix", &network->prefixes,
                  &network->n_prefixes, &prefixes);
    read_prefixes(in, node, "except", &network->exceptions,
                  &network->n_exceptions, &exceptions);
    if (n_errors == in->report->n_errors) {
        judge_exceptions(in, network, &prefixes, &exceptions);
    }
    free_prefixes(&prefixes);
    free_prefixes(&exceptions);
}

static void
read_network(struct interpreter *in, xmlNode *node)
{
    struct location place = where(in, node);
    const char *name = xml_attribute(node, "name");
    const char *segment = xml_attribute(node, "segment");
    const struct network *first
        = shash_find_data(&in->topology->network_index, name);
    if (first) {
        report_twice(in, place, "network", name, first->where);
        return;
    }
    struct network *network = topology_add_network(in->topology, name, place);
    if (segment) {
        network->segment = find_segment(in, segment, place);
    }
    read_network_prefixes(in, node, network);
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
    struct location place = where(in, node);
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

static enum mode
mode_from_string(const char *s)
{
    return !s ? MODE_INHERIT
           : !strcmp(s, "learn") ? MODE_LEARN
           : !strcmp(s, "audit") ? MODE_AUDIT : MODE_ENFORCE;
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
            workload->n_macs += is_right(in, child, value_to_mac(text, mac));
        } else {
            struct in6_addr *address
                = &workload->addresses[workload->n_addresses];
            workload->n_addresses
                += is_right(in, child, value_to_address(text, address));
        }
    }
}

static void
read_workload(struct interpreter *in, xmlNode *node, struct service *service)
{
    struct location place = where(in, node);
    const char *name = xml_attribute(node, "name");
    const struct workload *first = resolver_find_workload(&in->resolver, service, name);
    if (first) {
        char *path = workload_path(first);
        report_twice(in, place, "workload", path, first->where);
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
    struct location place = where(in, node);
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
    service->mode = mode_from_string(settings->mode.value);
    free(path);
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (xml_is(child, "workload")) {
            read_workload(in, child, service);
        }
    }
}

static void
read_application(struct interpreter *in, xmlNode *node)
{
    struct location place = where(in, node);
    const char *name = xml_attribute(node, "name");
    struct application *application
        = shash_find_data(&in->topology->application_index, name);
    if (!application) {
        application = topology_add_application(in->topology, name, place);
    }
    struct settings *settings = get_settings(in, name, place);
    if (strcmp(settings->directory, in->document->directory)) {
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
        application->mode = mode_from_string(settings->mode.value);
    }
    if (settings->version.value && !application->version) {
        application->version = xstrdup(settings->version.value);
    }
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (xml_is(child, "service")) {
            read_service(in, child, application);
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
            segment = find_segment(in, outer->segment.value,
                                   outer->segment.where);
        }
        for (size_t j = 0; j < application->n_services; j++) {
            struct service *service = application->services[j];
            const struct settings *inner = shash_find_data(&in->settings,
                                                           service->path);
            struct segment *own = segment;
            if (inner->segment.value) {
                own = find_segment(in, inner->segment.value,
                                   inner->segment.where);
            }
            service->segment = own ? own : in->topology->segments[0];
        }
    }
}

/* Links, accepts, members and expectations: what refers to others. */

static void
add_opening(struct link *link, size_t *allocated,
            const struct opening *opening)
{
    if (link->n_openings >= *allocated) {
        link->openings = x2nrealloc(link->openings, allocated,
                                    sizeof *link->openings);
    }
    link->openings[link->n_openings++] = *opening;
}

static void
read_ports(struct interpreter *in, xmlNode *node, struct link *link,
           size_t *allocated, struct opening opening)
{
    const char *list = xml_attribute(node, "port");
    if (!list) {
        add_opening(link, allocated, &opening);
        return;
    }
    while (list) {
        char *error = value_next_ports(&list, &opening.first, &opening.last);
        if (is_right(in, node, error)) {
            add_opening(link, allocated, &opening);
        }
    }
}

static bool
read_icmp(struct interpreter *in, xmlNode *node, struct opening *opening)
{
    const char *type = xml_attribute(node, "type");
    const char *code = xml_attribute(node, "code");
    if (code && !type) {
        report_error(in->report, where(in, node), "code=\"%s\" needs a "
                     "type=\"...\", as codes differ by type", code);
        return false;
    }
    opening->icmp_code = code ? value_to_number(code) : -1;
    return !type || is_right(in, node,
                             value_to_icmp_type(type, opening->protocol,
                                                &opening->icmp_type));
}

/* An opening of everything that 'protocol' has. */
static struct opening
whole_protocol(uint16_t protocol, struct location place)
{
    return (struct opening) { .protocol = protocol, .last = UINT16_MAX,
                              .icmp_type = -1, .icmp_code = -1,
                              .where = place };
}

static void
read_opening(struct interpreter *in, xmlNode *node, struct link *link,
             size_t *allocated)
{
    struct location place = where(in, node);
    struct opening opening = whole_protocol(PROTOCOL_ANY, place);
    if (xml_is(node, "protocol")) {
        /* Numbers of protocols that have ports or types mean all of them. */
        opening.protocol = value_to_number(xml_attribute(node, "number"));
        add_opening(link, allocated, &opening);
    } else if (xml_is(node, "any")) {
        add_opening(link, allocated, &opening);
    } else {
        char *error = value_to_protocol((const char *) node->name,
                                        &opening.protocol);
        ovs_assert(!error);
        if (opening.protocol != IPPROTO_ICMP
            && opening.protocol != IPPROTO_ICMPV6) {
            read_ports(in, node, link, allocated, opening);
        } else if (read_icmp(in, node, &opening)) {
            add_opening(link, allocated, &opening);
        }
    }
}

static void
read_window(struct interpreter *in, xmlNode *node, struct link *link)
{
    const char *before = xml_attribute(node, "not-before");
    const char *after = xml_attribute(node, "not-after");
    bool right = true;
    if (before) {
        right &= is_right(in, node, value_to_time(before, &link->not_before));
    }
    if (after) {
        right &= is_right(in, node, value_to_time(after, &link->not_after));
    }
    if (before && after && right && link->not_after <= link->not_before) {
        report_error(in->report, link->where, "not-after=\"%s\" is not after "
                     "not-before=\"%s\"; the link would never be valid",
                     after, before);
    }
}

static void
read_link(struct interpreter *in, xmlNode *node,
          struct application *application, bool accept)
{
    struct location place = where(in, node);
    struct endpoint from, to;
    char *error = resolve_ends(&in->resolver, application, accept,
                               xml_attribute(node, "from"),
                               xml_attribute(node, "to"), &from, &to);
    if (!is_right(in, node, error)) {
        return;
    }
    const char *reason = xml_attribute(node, "reason");
    const char *ticket = xml_attribute(node, "ticket");
    struct link *link = application_add_link(application, accept, place);
    link->from = from;
    link->to = to;
    link->reason = nullable_xstrdup(reason);
    link->ticket = nullable_xstrdup(ticket);
    read_window(in, node, link);
    size_t allocated = 0;
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        read_opening(in, child, link, &allocated);
    }
}

static void
read_member(struct interpreter *in, xmlNode *node, struct service *service)
{
    struct workload *workload;
    char *error = resolve_member(&in->resolver, service,
                                 xml_attribute(node, "workload"), &workload);
    if (is_right(in, node, error)) {
        service_add_member(service, workload);
    }
}

static void
read_references(struct interpreter *in, xmlNode *node)
{
    struct application *application
        = shash_find_data(&in->topology->application_index,
                          xml_attribute(node, "name"));
    const struct settings *settings = shash_find_data(&in->settings,
                                                      application->name);
    if (strcmp(settings->directory, in->document->directory)) {
        return;                 /* Said already. */
    }
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        if (!xml_is(child, "service")) {
            read_link(in, child, application, xml_is(child, "accept"));
            continue;
        }
        char *path = xasprintf("%s/%s", application->name,
                               xml_attribute(child, "name"));
        struct service *service
            = shash_find_data(&in->topology->service_index, path);
        free(path);
        for (xmlNode *member = xml_first(child); member && service;
             member = xml_next(member)) {
            if (xml_is(member, "member")) {
                read_member(in, member, service);
            }
        }
    }
}

static char *
read_expected_opening(xmlNode *node, struct opening *opening)
{
    const char *port = xml_attribute(node, "port");
    const char *type = xml_attribute(node, "type");
    const char *code = xml_attribute(node, "code");
    char *error = value_to_protocol(xml_attribute(node, "protocol"),
                                    &opening->protocol);
    if (error) {
        return error;
    }
    bool icmp = opening->protocol == IPPROTO_ICMP
                || opening->protocol == IPPROTO_ICMPV6;
    bool ports = opening->protocol == IPPROTO_TCP
                 || opening->protocol == IPPROTO_UDP
                 || opening->protocol == IPPROTO_SCTP;
    if (ports != !!port) {
        return xasprintf(ports ? "protocol %s needs a port=\"...\""
                         : "protocol %s has no ports; remove port=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    if (icmp != !!type) {
        return xasprintf(icmp ? "protocol %s needs a type=\"...\""
                         : "protocol %s has no types; remove type=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    if (code && !type) {
        return xasprintf("protocol %s has no codes; remove code=\"...\"",
                         xml_attribute(node, "protocol"));
    }
    opening->first = opening->last = port ? value_to_number(port) : 0;
    opening->icmp_code = code ? value_to_number(code) : icmp ? 0 : -1;
    return type ? value_to_icmp_type(type, opening->protocol,
                                     &opening->icmp_type) : NULL;
}

static void
read_expect(struct interpreter *in, xmlNode *node)
{
    struct location place = where(in, node);
    const char *from = xml_attribute(node, "from");
    const char *to = xml_attribute(node, "to");
    const char *segment = xml_attribute(node, "segment");
    struct opening opening = whole_protocol(0, place);
    bool right = is_right(in, node, resolve_expected(&in->resolver, from));
    right &= is_right(in, node, resolve_expected(&in->resolver, to));
    right &= is_right(in, node, read_expected_opening(node, &opening));
    struct segment *scope = segment ? find_segment(in, segment, place) : NULL;
    if (!right || (segment && !scope)) {
        return;
    }
    struct expect *expect = topology_add_expect(in->topology, place);
    expect->from = xstrdup(from);
    expect->to = xstrdup(to);
    expect->segment = scope;
    expect->opening = opening;
    expect->allow = !strcmp(xml_attribute(node, "verdict"), "allow");
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
        read_network(in, node);
    } else if (xml_is(node, "application")) {
        read_application(in, node);
    }
}

static void
pass_references(struct interpreter *in, xmlNode *node)
{
    if (xml_is(node, "application")) {
        read_references(in, node);
    } else if (xml_is(node, "expect")) {
        read_expect(in, node);
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
