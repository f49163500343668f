/* Manifests to model: see manifest.h.
 *
 * Two passes over the validated documents: the first makes all that has a
 * name (segments, networks, applications, services, workloads), the second
 * what refers to names (segments of services, members, links, accepts,
 * expectations).  So order, within files and among them, does not matter. */

#include "manifest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxml/tree.h>

#include <openvswitch/dynamic-string.h>

#include "check.h"
#include "util.h"
#include "xml.h"

#define MAX_DEPTH 16
#define SCHEMA "manifest.xsd"

struct document {
    xmlDoc *doc;
    const char *file;           /* As findings call it. */
    char *directory;            /* Real path. */
};

/* What is remembered about an application or service while its parts are put
 * together. */
struct part {
    const char *directory;      /* Of the first part. */
    struct location mode_at, version_at, segment_at;
    const char *segment;        /* Name, resolved in the second pass. */
};

struct reader {
    struct topology *topology;
    struct report *report;
    struct xml_schema *schema;
    struct document *documents;
    size_t n_documents, allocated_documents;
    struct shash seen;          /* Real paths of files. */
    struct shash application_parts; /* By name: struct part. */
    struct shash service_parts; /* By path: struct part. */
    struct shash workloads;     /* By path. */
    const char *root;           /* Real path that includes may not leave. */
};

static char *schema_dir;

void
manifest_set_schema_dir(const char *dir)
{
    free(schema_dir);
    schema_dir = xstrdup(dir);
}

static char *
find_schema(void)
{
    const char *dirs[] = {
        schema_dir, getenv("SDFW_SCHEMAS"), SDFW_DATADIR, SDFW_SOURCE_SCHEMAS,
    };
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        if (dirs[i]) {
            char *file = xasprintf("%s/%s", dirs[i], SCHEMA);
            if (i < 2 || !access(file, R_OK)) {
                return file;
            }
            free(file);
        }
    }
    return xstrdup(SDFW_DATADIR "/" SCHEMA);
}

/* Finding files. */

static struct location
file_location(struct reader *r, const char *file)
{
    return (struct location) {
        .file = topology_intern_file(r->topology, file),
    };
}

static bool
is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strncmp(path, dir, n) && (path[n] == '/' || !strcmp(dir, "/"));
}

static void read_includes(struct reader *, const struct document *);

static void
read_file(struct reader *r, const char *file)
{
    struct location where = file_location(r, file);
    char *real = realpath(file, NULL);
    if (!real) {
        report_error(r->report, where, "%s", ovs_strerror(errno));
        return;
    }
    if (!is_below(real, r->root)) {
        report_error(r->report, where, "leads out of the directory of the "
                     "topology, %s", r->root);
    } else if (shash_add_once(&r->seen, real, NULL)) {
        xmlDoc *doc = xml_read(file, where.file, r->schema, r->report);
        if (doc) {
            if (r->n_documents >= r->allocated_documents) {
                r->documents = x2nrealloc(r->documents,
                                          &r->allocated_documents,
                                          sizeof *r->documents);
            }
            struct document *d = &r->documents[r->n_documents++];
            *d = (struct document) {
                .doc = doc, .file = where.file,
                .directory = xmemdup0(real, strrchr(real, '/') - real),
            };
            struct document copy = *d;
            read_includes(r, &copy);
        }
    }
    free(real);
}

static int
visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int
compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Reads the *.xml files in 'dir' and below and returns how many there are. */
static size_t
read_directory(struct reader *r, const char *dir, int depth)
{
    struct dirent **entries;
    int n = depth > MAX_DEPTH ? -1
            : scandir(dir, &entries, visible, compare_entries);
    if (n < 0) {
        report_error(r->report, file_location(r, dir), "%s",
                     depth > MAX_DEPTH ? "directories are nested too deeply"
                     : ovs_strerror(errno));
        return 1;
    }
    size_t found = 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        size_t len = strlen(name);
        char *path = xasprintf("%s%s%s", dir,
                               dir[strlen(dir) - 1] == '/' ? "" : "/", name);
        struct stat st;
        if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
            found += read_directory(r, path, depth + 1);
        } else if (len > 4 && !strcmp(name + len - 4, ".xml")) {
            read_file(r, path);
            found++;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return found;
}

static void
read_path(struct reader *r, const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        report_error(r->report, file_location(r, path), "%s",
                     ovs_strerror(errno));
        return;
    }
    char *real = realpath(path, NULL);
    if (!real) {
        report_error(r->report, file_location(r, path), "%s",
                     ovs_strerror(errno));
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        r->root = real;
        if (!read_directory(r, path, 0)) {
            report_error(r->report, file_location(r, path),
                         "no *.xml files in this directory");
        }
    } else {
        *strrchr(real, '/') = '\0';
        r->root = real[0] ? real : "/";
        read_file(r, path);
    }
    free(real);
}

/* XML access.  The schema has been checked, so values are of the right form
 * and required ones are there. */

/* Strips white space on both sides, as the schema's xs:token does. */
static const char *
strip(char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1])) {
        s[--n] = '\0';
    }
    return s;
}

static const char *
attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        if (!strcmp((const char *) a->name, name)) {
            return a->children && a->children->content
                   ? strip((char *) a->children->content) : "";
        }
    }
    return NULL;
}

static const char *
content(const xmlNode *node)
{
    return node->children && node->children->content
           ? strip((char *) node->children->content) : "";
}

static bool
is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE
           && !strcmp((const char *) node->name, name);
}

static struct location
location(const struct document *d, const xmlNode *node)
{
    return (struct location) { .file = d->file, .line = xmlGetLineNo(node) };
}

#define FOR_EACH_CHILD(CHILD, PARENT)                                   \
    for (const xmlNode *CHILD = (PARENT)->children; CHILD;              \
         CHILD = CHILD->next)                                           \
        if (CHILD->type == XML_ELEMENT_NODE)

static void
read_includes(struct reader *r, const struct document *d)
{
    const xmlNode *root = xmlDocGetRootElement(d->doc);
    FOR_EACH_CHILD (child, root) {
        if (!is_element(child, "include")) {
            continue;
        }
        const char *href = attribute(child, "href");
        const char *slash = strrchr(d->file, '/');
        if (href[0] == '/' || !strncmp(href, "../", 3)
            || strstr(href, "/../")) {
            report_error(r->report, location(d, child), "include \"%s\" "
                         "leads out of the directory of the topology; name "
                         "a file in it", href);
            continue;
        }
        char *file = xasprintf("%.*s%s", slash
                               ? (int) (slash - d->file + 1) : 0, d->file,
                               href);
        if (access(file, R_OK)) {
            report_error(r->report, location(d, child), "include \"%s\": %s",
                         href, ovs_strerror(errno));
        } else {
            read_file(r, file);
        }
        free(file);
    }
}

/* Values. */

static char *
parse_address(const char *text, struct in6_addr *address, int *width)
{
    struct in_addr ipv4;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        address->s6_addr[10] = address->s6_addr[11] = 0xff;
        memcpy(&address->s6_addr[12], &ipv4, sizeof ipv4);
        *width = 32;
        return NULL;
    }
    if (inet_pton(AF_INET6, text, address) != 1) {
        return xasprintf("'%s' is not an IP address; expected one such as "
                         "10.0.0.11 or fd00::11", text);
    }
    *width = 128;
    return IN6_IS_ADDR_V4MAPPED(address)
           ? xasprintf("'%s' is an IPv4 address in IPv6 clothes; write it "
                       "as a.b.c.d", text) : NULL;
}

static char *
parse_prefix(const char *text, struct prefix *prefix)
{
    char *copy = xstrdup(text);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    int width;
    char *error = parse_address(copy, &prefix->addr, &width);
    int len = slash ? atoi(slash + 1) : width;
    free(copy);
    if (error) {
        return error;
    }
    if (len > width) {
        return xasprintf("'%s': a prefix of this family is at most /%d",
                         text, width);
    }
    prefix->len = len + (128 - width);

    struct prefix meant = *prefix;
    for (int i = meant.len; i < 128; i++) {
        meant.addr.s6_addr[i / 8] &= ~(0x80 >> i % 8);
    }
    if (memcmp(&meant.addr, &prefix->addr, sizeof meant.addr)) {
        char *right = prefix_to_string(&meant);
        error = xasprintf("'%s' has bits set behind the prefix; the prefix "
                          "is %s, the single address would be without \"/\"",
                          text, right);
        free(right);
    }
    return error;
}

/* RFC 3339 by way of xs:dateTime: whole seconds, with a zone. */
static bool
parse_time(const char *text, time_t *t)
{
    struct tm tm = { .tm_sec = 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S%z", &tm);
    if (!end || *end) {
        return false;
    }
    long int offset = tm.tm_gmtoff;
    *t = timegm(&tm) - offset;
    return true;
}

static void
add_opening(struct link *link, struct opening opening)
{
    /* Capacity is the next power of two. */
    if (!(link->n_openings & (link->n_openings - 1))) {
        link->openings = xrealloc(link->openings,
                                  (link->n_openings ? 2 * link->n_openings
                                   : 1) * sizeof *link->openings);
    }
    link->openings[link->n_openings++] = opening;
}

static char *
parse_ports(const char *text, struct opening base, struct link *link)
{
    if (!text) {
        base.last = UINT16_MAX;
        add_opening(link, base);
        return NULL;
    }
    for (const char *p = text; *p; ) {
        char *end;
        unsigned long int first = strtoul(p, &end, 10);
        unsigned long int last = first;
        if (*end == '-') {
            last = strtoul(end + 1, &end, 10);
        }
        if (first > UINT16_MAX || last > UINT16_MAX) {
            return xasprintf("port %lu is too large; ports go up to 65535",
                             MAX(first, last));
        }
        if (first > last) {
            return xasprintf("the range %lu-%lu is reversed; write %lu-%lu",
                             first, last, last, first);
        }
        base.first = first;
        base.last = last;
        add_opening(link, base);
        p = end + strspn(end, " ,");
    }
    return NULL;
}

static const struct icmp_name {
    const char *name;
    int type, type6;            /* -1: not in this protocol. */
} icmp_names[] = {              /* IANA's registries of ICMP parameters. */
    { "echo-reply", 0, 129 },
    { "destination-unreachable", 3, 1 },
    { "redirect", 5, 137 },
    { "echo-request", 8, 128 },
    { "router-advertisement", 9, 134 },
    { "router-solicitation", 10, 133 },
    { "time-exceeded", 11, 3 },
    { "parameter-problem", 12, 4 },
    { "timestamp-request", 13, -1 },
    { "timestamp-reply", 14, -1 },
    { "packet-too-big", -1, 2 },
    { "neighbor-solicitation", -1, 135 },
    { "neighbor-advertisement", -1, 136 },
};

static char *
parse_icmp_type(const char *text, bool v6, int16_t *type)
{
    if (text[0] >= '0' && text[0] <= '9') {
        int number = atoi(text);
        *type = number;
        return number <= 255 ? NULL
               : xasprintf("ICMP type %d is too large; types go up to 255",
                           number);
    }
    const char *names[ARRAY_SIZE(icmp_names)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(icmp_names); i++) {
        int number = v6 ? icmp_names[i].type6 : icmp_names[i].type;
        if (number < 0) {
            continue;
        }
        names[n++] = icmp_names[i].name;
        if (!strcmp(icmp_names[i].name, text)) {
            *type = number;
            return NULL;
        }
    }
    const char *nearest = check_nearest(text, names, n);
    return xasprintf("unknown ICMP%s type '%s'; %s%s%s", v6 ? "v6" : "",
                     text, nearest ? "did you mean '" : "give its number",
                     nearest ? nearest : "", nearest ? "'?" : "");
}

static char *
parse_opening(const xmlNode *node, struct opening base, struct link *link)
{
    base.icmp_type = base.icmp_code = -1;
    if (is_element(node, "tcp")) {
        base.protocol = IPPROTO_TCP;
        return parse_ports(attribute(node, "port"), base, link);
    } else if (is_element(node, "udp")) {
        base.protocol = IPPROTO_UDP;
        return parse_ports(attribute(node, "port"), base, link);
    } else if (is_element(node, "sctp")) {
        base.protocol = IPPROTO_SCTP;
        return parse_ports(attribute(node, "port"), base, link);
    }
    base.last = UINT16_MAX;
    char *error = NULL;
    if (is_element(node, "icmp") || is_element(node, "icmp6")) {
        bool v6 = is_element(node, "icmp6");
        const char *type = attribute(node, "type");
        const char *code = attribute(node, "code");
        base.protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
        if (type) {
            error = parse_icmp_type(type, v6, &base.icmp_type);
        } else if (code) {
            error = xstrdup("'code' needs a 'type' beside it");
        }
        if (code) {
            base.icmp_code = atoi(code);
        }
    } else if (is_element(node, "protocol")) {
        static const char *const own[][2] = {
            { "1", "icmp" }, { "6", "tcp" }, { "17", "udp" },
            { "58", "icmp6" }, { "132", "sctp" },
        };
        int number = atoi(attribute(node, "number"));
        for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
            if (number == atoi(own[i][0])) {
                error = xasprintf("protocol %d has an element of its own; "
                                  "write <%s/>", number, own[i][1]);
            }
        }
        base.protocol = number;
    } else {
        base.protocol = PROTOCOL_ANY;
    }
    if (!error) {
        add_opening(link, base);
    }
    return error;
}

/* First pass: what has a name. */

static void
read_segment(struct reader *r, const struct document *d, const xmlNode *node)
{
    const char *name = attribute(node, "name");
    const char *vlan = attribute(node, "vlan");
    struct location where = location(d, node);
    struct segment *old = shash_find_data(&r->topology->segment_index, name);
    if (old && old->kind == SEGMENT_DEFAULT) {
        report_error(r->report, where, "the segment 'default' is always "
                     "there; give yours another name");
    } else if (old) {
        report_error(r->report, where, "segment '%s' is declared already, at "
                     "%s:%d; remove one", name, old->where.file,
                     old->where.line);
    } else {
        topology_add_segment(r->topology, name, vlan ? SEGMENT_VLAN
                             : SEGMENT_ISOLATED, vlan ? atoi(vlan) : 0,
                             where);
    }
}

static void
add_network_prefix(struct prefix **prefixes, size_t *n, struct prefix prefix)
{
    if (!(*n & (*n - 1))) {
        *prefixes = xrealloc(*prefixes, (*n ? 2 * *n : 1)
                                        * sizeof **prefixes);
    }
    (*prefixes)[(*n)++] = prefix;
}

static void
read_network(struct reader *r, const struct document *d, const xmlNode *node)
{
    const char *name = attribute(node, "name");
    struct network *old = shash_find_data(&r->topology->network_index, name);
    if (old) {
        report_error(r->report, location(d, node), "network '%s' is declared "
                     "already, at %s:%d; remove one, or put the prefixes "
                     "together", name, old->where.file, old->where.line);
        return;
    }
    struct network *network = topology_add_network(r->topology, name,
                                                   location(d, node));
    FOR_EACH_CHILD (child, node) {
        struct prefix prefix;
        char *error = parse_prefix(content(child), &prefix);
        if (error) {
            report_error(r->report, location(d, child), "%s", error);
            free(error);
        } else if (is_element(child, "prefix")) {
            add_network_prefix(&network->prefixes, &network->n_prefixes,
                               prefix);
        } else {
            add_network_prefix(&network->exceptions, &network->n_exceptions,
                               prefix);
        }
    }
}

static void
set_binding(struct workload *workload, const xmlNode *node)
{
    const char *interface = attribute(node, "interface");
    const char *iface_id = attribute(node, "iface-id");
    const char *external_id = attribute(node, "external-id");
    if (interface) {
        workload->binding = BIND_INTERFACE;
        workload->value = xstrdup(interface);
    } else if (iface_id) {
        workload->binding = BIND_IFACE_ID;
        workload->value = xstrdup(iface_id);
    } else if (external_id) {
        const char *equals = strchr(external_id, '=');
        workload->binding = BIND_EXTERNAL_ID;
        workload->key = xmemdup0(external_id, equals - external_id);
        workload->value = xstrdup(equals + 1);
    } else {
        workload->binding = BIND_INTERFACE;
        workload->value = xstrdup("");
    }
}

static void
read_identity(struct reader *r, const struct document *d,
              struct workload *workload, const xmlNode *node)
{
    if (is_element(node, "mac")) {
        struct eth_addr mac;
        unsigned int b[6];
        sscanf(content(node), "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2],
               &b[3], &b[4], &b[5]);
        for (size_t i = 0; i < 6; i++) {
            mac.ea[i] = b[i];
        }
        workload->macs = xrealloc(workload->macs, (workload->n_macs + 1)
                                                  * sizeof mac);
        workload->macs[workload->n_macs++] = mac;
        return;
    }
    struct in6_addr address;
    int width;
    char *error = parse_address(content(node), &address, &width);
    if (error) {
        report_error(r->report, location(d, node), "%s", error);
        free(error);
        return;
    }
    workload->addresses = xrealloc(workload->addresses,
                                   (workload->n_addresses + 1)
                                   * sizeof address);
    workload->addresses[workload->n_addresses++] = address;
}

static void
read_workload(struct reader *r, const struct document *d,
              struct service *service, const xmlNode *node)
{
    const char *name = attribute(node, "name");
    struct location where = location(d, node);
    char *path = xasprintf("%s/%s", service->path, name);
    struct workload *old = shash_find_data(&r->workloads, path);
    if (old) {
        report_error(r->report, where, "workload '%s' is declared already, "
                     "at %s:%d; rename or remove one", path, old->where.file,
                     old->where.line);
        free(path);
        return;
    }
    struct workload *workload = service_add_workload(service, name, where);
    shash_add_nocopy(&r->workloads, path, workload);
    set_binding(workload, node);

    int n_bindings = !!attribute(node, "interface")
                     + !!attribute(node, "iface-id")
                     + !!attribute(node, "external-id");
    if (n_bindings != 1) {
        report_error(r->report, where, "workload '%s' needs exactly one of "
                     "interface, iface-id and external-id, but has %d", name,
                     n_bindings);
    }
    FOR_EACH_CHILD (child, node) {
        read_identity(r, d, workload, child);
    }
}

static struct part *
get_part(struct shash *parts, const char *name)
{
    struct part *part = shash_find_data(parts, name);
    if (!part) {
        part = xzalloc(sizeof *part);
        shash_add(parts, name, part);
    }
    return part;
}

/* Several parts may say the same thing only in the same words. */
static void
complain_disagreement(struct reader *r, struct location where,
                      const char *what, const char *name,
                      const struct location *other)
{
    report_error(r->report, where, "%s of '%s' is given otherwise at %s:%d; "
                 "say it in one place", what, name, other->file,
                 other->line);
}

static enum mode
parse_mode(const char *text)
{
    return !strcmp(text, "learn") ? MODE_LEARN
           : !strcmp(text, "audit") ? MODE_AUDIT : MODE_ENFORCE;
}

static void
set_mode(struct reader *r, struct part *part, struct location where,
         const char *name, const char *text, enum mode *mode)
{
    if (text && part->mode_at.file && *mode != parse_mode(text)) {
        complain_disagreement(r, where, "the mode", name, &part->mode_at);
    } else if (text) {
        *mode = parse_mode(text);
        part->mode_at = where;
    }
}

static void
set_segment(struct reader *r, struct part *part, struct location where,
            const char *name, const char *segment)
{
    if (segment && part->segment && strcmp(part->segment, segment)) {
        complain_disagreement(r, where, "the segment", name,
                              &part->segment_at);
    } else if (segment) {
        part->segment = segment;
        part->segment_at = where;
    }
}

static void
read_service(struct reader *r, const struct document *d,
             struct application *application, const xmlNode *node)
{
    const char *name = attribute(node, "name");
    struct location where = location(d, node);
    char *path = xasprintf("%s/%s", application->name, name);
    struct service *service = shash_find_data(&r->topology->service_index,
                                              path);
    if (!service) {
        service = application_add_service(r->topology, application, name,
                                          where);
    }
    free(path);
    struct part *part = get_part(&r->service_parts, service->path);
    set_mode(r, part, where, service->path, attribute(node, "mode"),
             &service->mode);
    set_segment(r, part, where, service->path, attribute(node, "segment"));
    FOR_EACH_CHILD (child, node) {
        if (is_element(child, "workload")) {
            read_workload(r, d, service, child);
        }
    }
}

static void
read_application(struct reader *r, const struct document *d,
                 const xmlNode *node)
{
    const char *name = attribute(node, "name");
    const char *version = attribute(node, "version");
    struct location where = location(d, node);
    struct application *application = shash_find_data(
        &r->topology->application_index, name);
    if (!application) {
        application = topology_add_application(r->topology, name, where);
    }
    struct part *part = get_part(&r->application_parts, name);
    if (!part->directory) {
        part->directory = d->directory;
    } else if (strcmp(part->directory, d->directory)) {
        report_error(r->report, where, "application '%s' is declared in "
                     "another directory, at %s:%d; all parts of an "
                     "application lie in one directory, which its team owns",
                     name, application->where.file, application->where.line);
        return;
    }
    set_mode(r, part, where, name, attribute(node, "mode"),
             &application->mode);
    set_segment(r, part, where, name, attribute(node, "segment"));
    if (version && application->version
        && strcmp(version, application->version)) {
        complain_disagreement(r, where, "the version", name,
                              &part->version_at);
    } else if (version && !application->version) {
        application->version = xstrdup(version);
        part->version_at = where;
    }
    FOR_EACH_CHILD (child, node) {
        if (is_element(child, "service")) {
            read_service(r, d, application, child);
        }
    }
}

static void
read_names(struct reader *r, const struct document *d)
{
    FOR_EACH_CHILD (child, xmlDocGetRootElement(d->doc)) {
        if (is_element(child, "segment")) {
            read_segment(r, d, child);
        } else if (is_element(child, "network")) {
            read_network(r, d, child);
        } else if (is_element(child, "application")) {
            read_application(r, d, child);
        }
    }
}

/* Second pass: what refers to names. */

/* Appends "; did you mean 'x'?" for the name in 'index' nearest to 'name'. */
static char *
suggestion(const struct shash *index, const char *name)
{
    const char **names = xmalloc((shash_count(index) + 1) * sizeof *names);
    const struct shash_node **nodes = shash_sort(index);
    size_t n = shash_count(index);
    for (size_t i = 0; i < n; i++) {
        names[i] = nodes[i]->name;
    }
    const char *nearest = check_nearest(name, names, n);
    char *text = nearest ? xasprintf("; did you mean '%s'?", nearest)
                         : xstrdup("");
    free(nodes);
    free(names);
    return text;
}

static void
complain_unknown(struct reader *r, struct location where, const char *what,
                 const char *name, const struct shash *index)
{
    char *text = suggestion(index, name);
    report_error(r->report, where, "unknown %s '%s'%s", what, name, text);
    free(text);
}

static struct segment *
find_segment(struct reader *r, struct location where, const char *name)
{
    struct segment *segment = shash_find_data(&r->topology->segment_index,
                                              name);
    if (!segment) {
        complain_unknown(r, where, "segment", name,
                         &r->topology->segment_index);
    }
    return segment;
}

static void
resolve_segments(struct reader *r)
{
    for (size_t i = 0; i < r->topology->n_applications; i++) {
        struct application *application = r->topology->applications[i];
        const struct part *outer = shash_find_data(&r->application_parts,
                                                   application->name);
        struct segment *inherited = r->topology->segments[0];
        if (outer->segment) {
            struct segment *segment = find_segment(r, outer->segment_at,
                                                   outer->segment);
            inherited = segment ? segment : inherited;
        }
        for (size_t j = 0; j < application->n_services; j++) {
            struct service *service = application->services[j];
            const struct part *part = shash_find_data(&r->service_parts,
                                                      service->path);
            struct segment *segment = part->segment
                ? find_segment(r, part->segment_at, part->segment) : NULL;
            service->segment = segment ? segment : inherited;
        }
    }
}

static void
read_member(struct reader *r, const struct document *d,
            struct service *service, const xmlNode *node)
{
    const char *name = attribute(node, "workload");
    struct location where = location(d, node);
    char *path = xasprintf("%s/%s", service->application->name, name);
    struct workload *workload = shash_find_data(&r->workloads, path);
    if (!workload) {
        char *text = suggestion(&r->workloads, path);
        report_error(r->report, where, "no workload '%s' in application "
                     "'%s'%s", name, service->application->name, text);
        free(text);
    } else {
        bool there = false;
        for (size_t i = 0; i < workload->n_services; i++) {
            there |= workload->services[i] == service;
        }
        if (there) {
            report_error(r->report, where, "workload '%s' is in service '%s' "
                         "already; remove this line", name, service->path);
        } else if (workload->home->segment != service->segment) {
            report_error(r->report, where, "workload '%s' is in segment "
                         "'%s', service '%s' in '%s'; a workload is in one "
                         "segment", name, workload->home->segment->name,
                         service->path, service->segment->name);
        } else {
            service_add_member(service, workload);
        }
    }
    free(path);
}

/* All names that an end of a link of 'application' may have. */
static void
complain_unknown_end(struct reader *r, struct location where,
                     const struct application *application, const char *name)
{
    struct shash names = SHASH_INITIALIZER(&names);
    struct shash_node *node;
    SHASH_FOR_EACH (node, &r->topology->network_index) {
        shash_add_once(&names, node->name, NULL);
    }
    for (size_t i = 0; i < application->n_services; i++) {
        shash_add_once(&names, application->services[i]->name, NULL);
    }
    if (strchr(name, '/')) {
        SHASH_FOR_EACH (node, &r->topology->service_index) {
            shash_add_once(&names, node->name, NULL);
        }
    }
    complain_unknown(r, where, "service or network", name, &names);
    shash_destroy(&names);
}

static bool
resolve_end(struct reader *r, struct location where, bool accept,
            const struct application *application, const char *name,
            struct endpoint *end)
{
    struct topology *topology = r->topology;
    if (strchr(name, '/')) {
        end->service = shash_find_data(&topology->service_index, name);
    } else {
        char *path = xasprintf("%s/%s", application->name, name);
        end->service = shash_find_data(&topology->service_index, path);
        free(path);
        end->network = shash_find_data(&topology->network_index, name);
        if (accept && !end->service) {
            end->application = shash_find_data(&topology->application_index,
                                               name);
            end->network = end->application ? NULL : end->network;
        }
    }
    if (end->service && end->network) {
        report_error(r->report, where, "'%s' is both a service of '%s' and a "
                     "network; write \"%s/%s\" for the service, or rename "
                     "one", name, application->name, application->name,
                     name);
        return false;
    }
    if (!end->service && !end->network && !end->application) {
        complain_unknown_end(r, where, application, name);
        return false;
    }
    if (end->service) {
        end->application = end->service->application;
    }
    return true;
}

static void
read_times(struct reader *r, struct location where, struct link *link,
           const xmlNode *node)
{
    const char *before = attribute(node, "not-before");
    const char *after = attribute(node, "not-after");
    if ((before && !parse_time(before, &link->not_before))
        || (after && !parse_time(after, &link->not_after))) {
        report_error(r->report, where, "times are in whole seconds, such as "
                     "2026-12-31T18:00:00Z");
    }
}

/* A link or accept whose ends are not known is not added, so that what is
 * found wrong with it is found once. */
static void
read_link(struct reader *r, const struct document *d,
          struct application *application, const xmlNode *node, bool accept)
{
    struct location where = location(d, node);
    struct endpoint from = { .service = NULL }, to = { .service = NULL };
    bool ok = resolve_end(r, where, accept, application,
                          attribute(node, "from"), &from);
    ok &= resolve_end(r, where, accept, application, attribute(node, "to"),
                      &to);
    struct link *link = application_add_link(application, accept, where);
    link->from = from;
    link->to = to;
    read_times(r, where, link, node);
    link->reason = nullable_xstrdup(attribute(node, "reason"));
    link->ticket = nullable_xstrdup(attribute(node, "ticket"));
    FOR_EACH_CHILD (child, node) {
        struct opening base = { .where = location(d, child) };
        char *error = parse_opening(child, base, link);
        if (error) {
            report_error(r->report, base.where, "%s", error);
            free(error);
        }
    }
    if (!ok) {
        application_drop_last_link(application, accept);
    }
}

static struct application *
find_application(struct reader *r, const xmlNode *node)
{
    return shash_find_data(&r->topology->application_index,
                           attribute(node, "name"));
}

static void
read_members(struct reader *r, const struct document *d,
             const xmlNode *application)
{
    FOR_EACH_CHILD (child, application) {
        if (!is_element(child, "service")) {
            continue;
        }
        char *path = xasprintf("%s/%s", attribute(application, "name"),
                               attribute(child, "name"));
        struct service *service = shash_find_data(
            &r->topology->service_index, path);
        free(path);
        FOR_EACH_CHILD (grandchild, child) {
            if (service && is_element(grandchild, "member")) {
                read_member(r, d, service, grandchild);
            }
        }
    }
}

static void
read_links(struct reader *r, const struct document *d, const xmlNode *node)
{
    struct application *application = find_application(r, node);
    const struct part *part = get_part(&r->application_parts,
                                       application->name);
    if (strcmp(part->directory, d->directory)) {
        return;                 /* Refused in the first pass. */
    }
    read_members(r, d, node);
    FOR_EACH_CHILD (child, node) {
        if (is_element(child, "link") || is_element(child, "accept")) {
            read_link(r, d, application, child, is_element(child, "accept"));
        }
    }
}

static void
read_expect(struct reader *r, const struct document *d, const xmlNode *node)
{
    struct location where = location(d, node);
    const char *protocol = attribute(node, "protocol");
    const char *port = attribute(node, "port");
    const char *type = attribute(node, "type");
    const char *segment = attribute(node, "segment");
    struct expect *expect = topology_add_expect(r->topology, where);
    expect->from = xstrdup(attribute(node, "from"));
    expect->to = xstrdup(attribute(node, "to"));
    expect->allow = !strcmp(attribute(node, "verdict"), "allow");
    expect->segment = segment ? find_segment(r, where, segment) : NULL;

    struct opening *o = &expect->opening;
    *o = (struct opening) {
        .last = UINT16_MAX, .icmp_type = -1, .icmp_code = -1, .where = where,
    };
    o->protocol = !strcmp(protocol, "tcp") ? IPPROTO_TCP
                  : !strcmp(protocol, "udp") ? IPPROTO_UDP
                  : !strcmp(protocol, "sctp") ? IPPROTO_SCTP
                  : !strcmp(protocol, "icmp") ? IPPROTO_ICMP
                  : !strcmp(protocol, "icmp6") ? IPPROTO_ICMPV6
                  : atoi(protocol);
    bool icmp = o->protocol == IPPROTO_ICMP || o->protocol == IPPROTO_ICMPV6;
    bool ports = o->protocol == IPPROTO_TCP || o->protocol == IPPROTO_UDP
                 || o->protocol == IPPROTO_SCTP;
    char *error = NULL;
    if (ports != !!port || icmp != !!type) {
        error = xasprintf("an expectation for %s needs %s", protocol,
                          ports ? "'port', and no 'type'"
                          : icmp ? "'type', and no 'port'"
                          : "neither 'port' nor 'type'");
    } else if (port) {
        o->first = o->last = atoi(port);
    } else if (type) {
        error = parse_icmp_type(type, o->protocol == IPPROTO_ICMPV6,
                                &o->icmp_type);
    } else if (o->protocol > 255) {
        error = xasprintf("protocol %u is too large; they go up to 255",
                          o->protocol);
    }
    if (error) {
        report_error(r->report, where, "%s", error);
        free(error);
    }
}

static void
read_references(struct reader *r, const struct document *d)
{
    FOR_EACH_CHILD (child, xmlDocGetRootElement(d->doc)) {
        if (is_element(child, "application")) {
            read_links(r, d, child);
        } else if (is_element(child, "expect")) {
            read_expect(r, d, child);
        } else if (is_element(child, "network")) {
            const char *segment = attribute(child, "segment");
            struct network *network = shash_find_data(
                &r->topology->network_index, attribute(child, "name"));
            if (segment && network) {
                network->segment = find_segment(r, location(d, child),
                                                segment);
            }
        }
    }
}

static void
interpret(struct reader *r)
{
    for (size_t i = 0; i < r->n_documents; i++) {
        read_names(r, &r->documents[i]);
    }
    resolve_segments(r);
    for (size_t i = 0; i < r->n_documents; i++) {
        read_references(r, &r->documents[i]);
    }
    topology_number_segments(r->topology);
}

struct topology *
manifest_read(const char *const paths[], size_t n, struct report *report)
{
    struct reader r = {
        .topology = topology_create(),
        .report = report,
        .seen = SHASH_INITIALIZER(&r.seen),
        .application_parts = SHASH_INITIALIZER(&r.application_parts),
        .service_parts = SHASH_INITIALIZER(&r.service_parts),
        .workloads = SHASH_INITIALIZER(&r.workloads),
    };
    char *schema = find_schema();
    r.schema = xml_schema_read(schema, report);
    free(schema);
    for (size_t i = 0; r.schema && i < n; i++) {
        read_path(&r, paths[i]);
    }
    if (!report->n_errors) {
        interpret(&r);
    }

    for (size_t i = 0; i < r.n_documents; i++) {
        xmlFreeDoc(r.documents[i].doc);
        free(r.documents[i].directory);
    }
    free(r.documents);
    xml_schema_destroy(r.schema);
    shash_destroy(&r.seen);
    shash_destroy_free_data(&r.application_parts);
    shash_destroy_free_data(&r.service_parts);
    shash_destroy(&r.workloads);
    if (report->n_errors) {
        topology_destroy(r.topology);
        return NULL;
    }
    return r.topology;
}
