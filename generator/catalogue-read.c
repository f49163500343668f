/* Catalogues: from valid documents.  See catalogue.h. */

#include "catalogue-private.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "openings.h"
#include "util.h"
#include "values.h"
#include "xml.h"

#define DEFAULT_AMONG 5

/* schemas/catalogue.xml, by the linker (Makefile). */
extern const char _binary_schemas_catalogue_xml_start[];
extern const char _binary_schemas_catalogue_xml_end[];

struct catalogue_reader {
    struct catalogue *catalogue;
    struct report *report;
    const char *file;
    struct shash seen;          /* Ids in this file; data is the line. */
};

static struct location
place_of(const struct catalogue_reader *r, const xmlNode *node)
{
    return (struct location) { .file = r->file, .line = xml_line(node) };
}

static char *
copy_attribute(const xmlNode *node, const char *name)
{
    return nullable_xstrdup(xml_attribute(node, name));
}

static bool
is_true(const xmlNode *node, const char *name)
{
    const char *value = xml_attribute(node, name);
    return value && (!strcmp(value, "true") || !strcmp(value, "1"));
}

static unsigned int
number_of(const xmlNode *node, const char *name)
{
    const char *value = xml_attribute(node, name);
    return value ? value_to_number(value) : 0;
}

static struct service_set
set_of(const xmlNode *node, const char *name)
{
    return (struct service_set) { .text = copy_attribute(node, name) };
}

/* A bit for each of 'words' that the attribute 'name' has. */
static unsigned int
bits_of(const xmlNode *node, const char *name, const char *const words[],
        size_t n)
{
    unsigned int bits = 0;
    struct svec given = SVEC_EMPTY_INITIALIZER;
    svec_parse_words(&given, xml_attribute(node, name)
                             ? xml_attribute(node, name) : "");
    for (size_t i = 0; i < n; i++) {
        bits |= svec_contains_unsorted(&given, words[i]) ? 1u << i : 0;
    }
    svec_destroy(&given);
    return bits;
}

/* What stands twice in one file is a mistake: only the last would count. */
static void
check_new(struct catalogue_reader *r, const xmlNode *node)
{
    const char *id = xml_attribute(node, "id");
    const struct shash_node *first = shash_find(&r->seen, id);
    if (first) {
        report_error(r->report, place_of(r, node), "'%s' is already given in "
                     "line %d; rename or remove one of them", id,
                     (int) (intptr_t) first->data);
    } else {
        shash_add(&r->seen, id, (void *) (intptr_t) xml_line(node));
    }
}

static void
read_service(struct catalogue_reader *r, xmlNode *node)
{
    struct well_known *service = xzalloc(sizeof *service);
    service->id = copy_attribute(node, "id");
    service->title = copy_attribute(node, "title");
    service->class = copy_attribute(node, "class");
    svec_init(&service->names);
    if (xml_attribute(node, "names")) {
        svec_parse_words(&service->names, xml_attribute(node, "names"));
        svec_sort(&service->names);
    }
    service->calls = set_of(node, "calls");
    service->called_by_all = is_true(node, "called-by-all");
    service->on_any_host = is_true(node, "on-any-host");
    service->where = place_of(r, node);
    openings_read(node, r->file, &service->openings, &service->n_openings,
                  r->report);
    catalogue_put_service(r->catalogue, service);
}

/* 'text' with a blank for each piece of white space.  The caller frees it. */
static char *
in_one_line(const char *text)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    while (*text) {
        size_t n = strcspn(text, " \t\r\n");
        ds_put_buffer(&s, text, n);
        text += n;
        n = strspn(text, " \t\r\n");
        ds_put_cstr(&s, n && text[n] ? " " : "");
        text += n;
    }
    return ds_steal_cstr(&s);
}

static void
read_texts(struct rule *rule, xmlNode *node)
{
    for (xmlNode *child = xml_first(node); child; child = xml_next(child)) {
        char **text = xml_is(child, "explanation") ? &rule->explanation
                      : xml_is(child, "instead") ? &rule->instead : NULL;
        if (text) {
            free(*text);
            *text = in_one_line(xml_text(child));
        }
    }
}

static void
read_conditions(struct rule *rule, xmlNode *node)
{
    static const char *const ends[] = { "service", "network", "inside",
                                        "outside", "everywhere" };
    static const char *const relations[] = {
        "same-service", "same-application", "other-application" };
    static const char *const names[] = { "same", "other" };
    static const char *const calls[] = { "expected", "unexpected" };
    rule->from = bits_of(node, "from", ends, ARRAY_SIZE(ends));
    rule->to = bits_of(node, "to", ends, ARRAY_SIZE(ends));
    rule->relations = bits_of(node, "relation", relations,
                              ARRAY_SIZE(relations));
    rule->service = set_of(node, "service");
    rule->from_like = set_of(node, "from-like");
    rule->from_unlike = set_of(node, "from-unlike");
    rule->to_like = set_of(node, "to-like");
    rule->to_unlike = set_of(node, "to-unlike");
    rule->server_name = bits_of(node, "server-name", names, 2);
    rule->call = bits_of(node, "call", calls, 2);
    rule->min_ports = number_of(node, "min-ports");
    rule->rare = number_of(node, "rare");
    rule->common = number_of(node, "common");
    rule->among = xml_attribute(node, "among") ? number_of(node, "among")
                                               : DEFAULT_AMONG;
    rule->replicas = number_of(node, "replicas");
}

static void
check_rule(struct catalogue_reader *r, const struct rule *rule)
{
    static const int ranges[VERIFY_N_VERDICTS][2] = {
        [VERIFY_KNOWN_GOOD] = { 0, 19 },
        [VERIFY_UNUSUAL] = { 30, 59 },
        [VERIFY_DANGEROUS] = { 60, 100 },
    };
    const int *range = ranges[rule->verdict];
    if (rule->score < range[0] || rule->score > range[1]) {
        report_error(r->report, rule->where, "score=\"%d\" does not go with "
                     "verdict=\"%s\"; expected %d to %d", rule->score,
                     verify_verdict_to_string(rule->verdict), range[0],
                     range[1]);
    }
    if (rule->relations && ((rule->from && !(rule->from & END_SERVICE))
                            || (rule->to && !(rule->to & END_SERVICE)))) {
        report_error(r->report, rule->where, "this rule never matches: "
                     "relation=\"...\" is about two services, but from or to "
                     "is a network");
    }
}

static void
read_rule(struct catalogue_reader *r, xmlNode *node)
{
    struct rule *rule = xzalloc(sizeof *rule);
    rule->id = copy_attribute(node, "id");
    rule->title = copy_attribute(node, "title");
    ovs_assert(verify_verdict_from_string(xml_attribute(node, "verdict"),
                                          &rule->verdict));
    rule->score = number_of(node, "score");
    rule->where = place_of(r, node);
    read_conditions(rule, node);
    read_texts(rule, node);
    openings_read(node, r->file, &rule->openings, &rule->n_openings,
                  r->report);
    check_rule(r, rule);
    catalogue_put_rule(r->catalogue, rule);
}

static void
read_accepted(struct catalogue_reader *r, xmlNode *node)
{
    struct accepted_risk *accepted = xzalloc(sizeof *accepted);
    svec_init(&accepted->rules);
    svec_parse_words(&accepted->rules, xml_attribute(node, "rule"));
    accepted->from = copy_attribute(node, "from");
    accepted->to = copy_attribute(node, "to");
    accepted->reason = copy_attribute(node, "reason");
    accepted->ticket = copy_attribute(node, "ticket");
    accepted->where = place_of(r, node);
    char *error = value_to_time(xml_attribute(node, "not-after"),
                                &accepted->not_after);
    if (error) {
        report_error(r->report, accepted->where, "%s", error);
        free(error);
    }
    openings_read(node, r->file, &accepted->openings, &accepted->n_openings,
                  r->report);
    catalogue_put_accepted(r->catalogue, accepted);
}

static void
read_drop(struct catalogue_reader *r, const xmlNode *node)
{
    const char *id = xml_attribute(node, "id");
    if (!catalogue_drop(r->catalogue, id)) {
        const char *nearest = catalogue_nearest(r->catalogue, id, true, true);
        report_error(r->report, place_of(r, node), "there is no service or "
                     "rule '%s' to drop%s%s%s", id,
                     nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
    }
}

static void
read_document(struct catalogue *catalogue, xmlDoc *doc, const char *file,
              struct report *report)
{
    struct catalogue_reader r = {
        .catalogue = catalogue, .report = report, .file = file,
        .seen = SHASH_INITIALIZER(&r.seen),
    };
    xmlNode *node = xml_first(xmlDocGetRootElement(doc));
    for (; node; node = xml_next(node)) {
        if (xml_is(node, "accept-risk")) {
            read_accepted(&r, node);
            continue;
        }
        check_new(&r, node);
        if (xml_is(node, "service")) {
            read_service(&r, node);
        } else if (xml_is(node, "rule")) {
            read_rule(&r, node);
        } else {
            read_drop(&r, node);
        }
    }
    shash_destroy(&r.seen);
}

void
catalogue_read_files(struct catalogue *catalogue, const char *const files[],
                     size_t n, struct report *report)
{
    struct xml_schema *schema = xml_schema_create(&xml_catalogue);
    for (size_t i = 0; i <= n; i++) {
        const char *name = i ? files[i - 1] : "built-in catalogue.xml";
        const char *text = _binary_schemas_catalogue_xml_start;
        sset_add(&catalogue->files, name);
        name = sset_find(&catalogue->files, name)->name;
        xmlDoc *doc = i ? xml_read(name, name, schema, report)
                        : xml_read_text(text,
                                        _binary_schemas_catalogue_xml_end
                                        - text, name, schema, report);
        if (doc) {
            read_document(catalogue, doc, name, report);
            xmlFreeDoc(doc);
        }
    }
    xml_schema_destroy(schema);
}
