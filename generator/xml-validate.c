/* Validation against the schema, and what is wrong in our words.
 *
 * libxml2 skips what follows the first element that it does not expect.  So a
 * document that is not valid is gone through once more, with the schema's own
 * document at hand: elements and attributes that do not belong are reported
 * and renamed to what was meant, or removed.  What libxml2 then still finds
 * are missing parts and wrong values, of which it finds all. */

#include "xml.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "check.h"
#include "util.h"
#include "xml-language.h"

#define MAX_SHOWN 64            /* Bytes of a wrong value. */

struct name_list {
    const char *names[32];      /* Of the schema's document. */
    size_t n;
};

/* What an element may have. */
struct element {
    struct name_list elements;
    struct name_list attributes;
};

struct xml_schema {
    const struct xml_language *language;
    xmlDoc *doc;                /* The file, for names; used by 'schema'. */
    xmlSchema *schema;
    struct shash elements;      /* By name; data is struct element. */
};

struct validation {
    const struct xml_schema *schema;
    const char *name;           /* The file. */
    struct report *report;
};

static void
error_at(const struct validation *v, const xmlNode *node, const char *format,
         ...) OVS_PRINTF_FORMAT(3, 4);

static void
error_at(const struct validation *v, const xmlNode *node, const char *format,
         ...)
{
    va_list args;
    va_start(args, format);
    char *message = xvasprintf(format, args);
    va_end(args);
    report_error(v->report, (struct location) { .file = v->name,
                                                .line = xml_line(node) },
                 "%s", message);
    free(message);
}

/* Names in the schema. */

/* The top-level definition of 'kind' ("group", "complexType") in the
 * schema. */
static const xmlNode *
find_definition(const struct xml_schema *schema, const char *kind,
                const char *name)
{
    const xmlNode *node = xml_first(xmlDocGetRootElement(schema->doc));
    for (; node && name; node = xml_next(node)) {
        const char *its_name = xml_attribute(node, "name");
        if (xml_is(node, kind) && its_name && !strcmp(its_name, name)) {
            return node;
        }
    }
    return NULL;
}

/* Appends the names of what is of 'kind' ("element", "attribute") in the
 * definition 'node', but not in the elements in it. */
static void
list_names(const struct xml_schema *schema, const xmlNode *node,
           const char *kind, struct name_list *list)
{
    for (node = xml_first(node); node; node = xml_next(node)) {
        if (xml_is(node, kind) && list->n < ARRAY_SIZE(list->names)) {
            list->names[list->n++] = xml_attribute(node, "name");
        }
        if (xml_is(node, "group")) {
            list_names(schema, find_definition(schema, "group",
                                               xml_attribute(node, "ref")),
                       kind, list);
        } else if (!xml_is(node, "element")) {
            list_names(schema, node, kind, list);
        }
    }
}

/* Enters what each element that is defined below 'node' may have.  No two
 * elements share a name. */
static void
index_elements(struct xml_schema *schema, const xmlNode *node)
{
    for (node = xml_first(node); node; node = xml_next(node)) {
        if (xml_is(node, "element")) {
            struct element *element = xzalloc(sizeof *element);
            const xmlNode *type
                = find_definition(schema, "complexType",
                                  xml_attribute(node, "type"));
            list_names(schema, type ? type : node, "element",
                       &element->elements);
            list_names(schema, type ? type : node, "attribute",
                       &element->attributes);
            shash_add_assert(&schema->elements, xml_attribute(node, "name"),
                             element);
        }
        index_elements(schema, node);
    }
}

/* What the element 'name' may have; nothing if there is no such element. */
static const struct element *
find_element(const struct xml_schema *schema, const char *name)
{
    static const struct element nothing = { .elements.n = 0 };
    const struct element *element = shash_find_data(&schema->elements, name);
    return element ? element : &nothing;
}

static bool
holds_name(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!strcmp(list->names[i], name)) {
            return true;
        }
    }
    return false;
}

/* "'a', 'b' or 'c'". */
static char *
join_names(const struct name_list *list)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < list->n; i++) {
        ds_put_format(&s, "%s'%s'", !i ? "" : i + 1 < list->n ? ", " : " or ",
                      list->names[i]);
    }
    return ds_steal_cstr(&s);
}

/* Elements and attributes that do not belong. */

static bool
is_ours(const struct validation *v, const xmlNode *node)
{
    return node->ns && !strcmp((const char *) node->ns->href,
                               v->schema->language->namespace);
}

static void
weed_attributes(const struct validation *v, xmlNode *node)
{
    const char *name = (const char *) node->name;
    const struct name_list *allowed
        = &find_element(v->schema, name)->attributes;
    xmlAttr *next;
    for (xmlAttr *a = node->properties; a; a = next) {
        const char *attribute = (const char *) a->name;
        next = a->next;
        if (holds_name(allowed, attribute)) {
            continue;
        }
        const char *nearest = check_nearest(attribute, allowed->names,
                                            allowed->n);
        char *names = join_names(allowed);
        error_at(v, node, "attribute '%s' is not allowed on '%s'; %s%s%s",
                 attribute, name,
                 nearest ? "did you mean '" : allowed->n ? "it may have "
                                                        : "it has none",
                 nearest ? nearest : names, nearest ? "'?" : "");
        free(names);
        if (nearest && !xml_attribute(node, nearest)) {
            xmlNodeSetName((xmlNode *) a, (const xmlChar *) nearest);
        } else {
            xmlRemoveProp(a);
        }
    }
}

static void
report_element(const struct validation *v, const xmlNode *node,
               const struct name_list *allowed, const char *nearest)
{
    const char *name = (const char *) node->name;
    const char *parent = (const char *) node->parent->name;
    char *names = join_names(allowed);
    bool known = shash_find(&v->schema->elements, name);
    if (nearest) {
        error_at(v, node, "unknown element '%s' in '%s'; did you mean '%s'?",
                 name, parent, nearest);
    } else if (!allowed->n) {
        error_at(v, node, "element '%s' does not belong in '%s', which holds "
                 "no elements", name, parent);
    } else if (known && holds_name(allowed, name)) {
        error_at(v, node, "element '%s' is of another namespace; that of "
                 "%s %s is %s", name, v->schema->language->article,
                 v->schema->language->root,
                 v->schema->language->namespace);
    } else if (known) {
        error_at(v, node, "element '%s' does not belong in '%s', which may "
                 "hold %s", name, parent, names);
    } else {
        error_at(v, node, "unknown element '%s' in '%s'; expected %s", name,
                 parent, names);
    }
    free(names);
}

/* Reports what does not belong in 'node' and makes it right. */
static void
weed(const struct validation *v, xmlNode *node)
{
    weed_attributes(v, node);
    const struct name_list *allowed
        = &find_element(v->schema, (const char *) node->name)->elements;
    xmlNode *next;
    for (xmlNode *child = xml_first(node); child; child = next) {
        const char *name = (const char *) child->name;
        next = xml_next(child);
        if (!is_ours(v, child) || !holds_name(allowed, name)) {
            const char *nearest
                = is_ours(v, child)
                  ? check_nearest(name, allowed->names, allowed->n) : NULL;
            report_element(v, child, allowed, nearest);
            if (!nearest) {
                node->extra = true;     /* Not empty: see missing_child(). */
                xmlUnlinkNode(child);
                xmlFreeNode(child);
                continue;
            }
            xmlNodeSetName(child, (const xmlChar *) nearest);
        }
        weed(v, child);
    }
}

/* Missing parts and wrong values. */

/* The attribute that 'message' of libxml2 is about, or NULL. */
static char *
attribute_of(const char *message)
{
    const char *p = strstr(message, "attribute '");
    if (!p) {
        return NULL;
    }
    p += strlen("attribute '");
    return xmemdup0(p, strcspn(p, "'"));
}

static void
value_error(const struct validation *v, xmlNode *node, const char *message)
{
    char *attribute = attribute_of(message);
    const char *element = (const char *) node->name;
    const char *value = attribute ? xml_attribute(node, attribute)
                                  : xml_text(node);
    int shown = value ? MIN(strlen(value), MAX_SHOWN) : 0;
    const char *more = value && value[shown] ? "..." : "";
    if (attribute) {
        error_at(v, node, "%s=\"%.*s%s\" on '%s' is not right; expected %s",
                 attribute, shown, value ? value : "", more, element,
                 xml_language_hint(v->schema->language, element, attribute));
    } else {
        error_at(v, node, "'%.*s%s' in '%s' is not right; expected %s", shown,
                 value ? value : "", more, element,
                 xml_language_hint(v->schema->language, element, element));
    }
    free(attribute);
}

static void
missing_attribute(const struct validation *v, const xmlNode *node,
                  const char *message)
{
    char *attribute = attribute_of(message);
    const char *element = (const char *) node->name;
    error_at(v, node, "'%s' needs the attribute '%s': %s", element,
             attribute ? attribute : "?",
             xml_language_hint(v->schema->language, element,
                               attribute ? attribute : "?"));
    free(attribute);
}

static void
missing_child(const struct validation *v, const xmlNode *node)
{
    if (node->extra) {
        return;                 /* What stood there was reported. */
    }
    const char *name = (const char *) node->name;
    char *names = join_names(&find_element(v->schema, name)->elements);
    error_at(v, node, "'%s' is empty; it needs %s", name, names);
    free(names);
}

static void
validity_error(void *validation, xmlError *e)
{
    const struct validation *v = validation;
    xmlNode *node = e->node;
    if (node && node->type == XML_ATTRIBUTE_NODE) {
        node = node->parent;
    }
    if (!node) {
        report_error(v->report, (struct location) { .file = v->name }, "%s",
                     e->message);
        return;
    }
    switch (e->code) {
    case XML_SCHEMAV_ELEMENT_CONTENT:
        missing_child(v, node);
        break;
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_4:
        missing_attribute(v, node, e->message);
        break;
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_1:
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_3:
        error_at(v, node, "'%s' has text in it; it may hold elements only",
                 node->name);
        break;
    default:
        value_error(v, node, e->message);
    }
}

static void
ignore_error(void *aux OVS_UNUSED, xmlError *e OVS_UNUSED)
{
}

static bool
run_schema(xmlDoc *doc, struct validation *v, xmlStructuredErrorFunc handler)
{
    xmlSchemaValidCtxt *context = xmlSchemaNewValidCtxt(v->schema->schema);
    xmlSchemaSetValidStructuredErrors(context, handler, v);
    int result = xmlSchemaValidateDoc(context, doc);
    xmlSchemaFreeValidCtxt(context);
    return !result;
}

bool
xml_validate(xmlDoc *doc, const struct xml_schema *schema, const char *name,
             struct report *report)
{
    struct validation v = { .schema = schema, .name = name,
                            .report = report };
    const struct xml_language *l = schema->language;
    xmlNode *root = xmlDocGetRootElement(doc);
    if (!xml_is(root, l->root)) {
        error_at(&v, root, "the root is '%s'; %s %s begins with %s",
                 root->name, l->article, l->root, l->beginning);
        return false;
    }
    if (!is_ours(&v, root)) {
        error_at(&v, root, "'%s' has %s; it begins with %s", l->root,
                 root->ns ? "an unknown namespace" : "no namespace",
                 l->beginning);
        return false;
    }
    if (run_schema(doc, &v, ignore_error)) {
        return true;
    }
    size_t n_errors = report->n_errors;
    weed(&v, root);
    run_schema(doc, &v, validity_error);
    if (report->n_errors == n_errors) {
        error_at(&v, root, "this does not match the schema, and libxml2 does "
                 "not say why");
    }
    return false;
}

/* The schema. */

struct xml_schema *
xml_schema_create(const struct xml_language *language)
{
    xmlDoc *doc = xmlReadMemory(language->schema,
                                language->schema_end - language->schema,
                                "schema.xsd", NULL, XML_PARSE_NONET);
    xmlSchemaParserCtxt *parser = xmlSchemaNewDocParserCtxt(doc);
    xmlSchema *schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    ovs_assert(schema);         /* It is part of the program. */

    struct xml_schema *result = xmalloc(sizeof *result);
    result->language = language;
    result->doc = doc;
    result->schema = schema;
    shash_init(&result->elements);
    index_elements(result, xmlDocGetRootElement(doc));
    return result;
}

const struct xml_language *
xml_schema_language(const struct xml_schema *schema)
{
    return schema->language;
}

void
xml_schema_destroy(struct xml_schema *schema)
{
    if (schema) {
        shash_destroy_free_data(&schema->elements);
        xmlSchemaFree(schema->schema);
        xmlFreeDoc(schema->doc);
        free(schema);
    }
}
