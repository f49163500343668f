/* One manifest file: see xml.h.
 *
 * Entities and document types are refused, the network is never asked, and
 * size and depth are limited: a manifest may come from another team. */

#include "xml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxml/parser.h>
#include <libxml/SAX2.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlschemas.h>

#include <openvswitch/dynamic-string.h>

#include "check.h"
#include "util.h"

#define MAX_FILE_BYTES (64 << 20)
#define MAX_DEPTH 32

struct xml_schema {
    xmlSchema *schema;
};

/* Where messages of libxml2 go. */
struct sink {
    const char *name;           /* The file. */
    struct report *report;
    bool refused;               /* By us, and said. */
};

static void
error_at(const struct sink *sink, int line, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

static void
error_at(const struct sink *sink, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = xvasprintf(format, args);
    va_end(args);
    report_error(sink->report,
                 (struct location) { .file = sink->name, .line = line }, "%s",
                 message);
    free(message);
}

/* Reading. */

static char *
read_file(const char *file, size_t *size, char **error)
{
    *error = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        *error = xasprintf("cannot read: %s", ovs_strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        *error = xstrdup("not a file");
    } else if (st.st_size > MAX_FILE_BYTES) {
        *error = xasprintf("larger than %d MiB; split it",
                           MAX_FILE_BYTES >> 20);
    }
    char *text = NULL;
    if (!*error) {
        text = xmalloc(st.st_size + 1);
        size_t n = 0;
        ssize_t got = 1;
        while (n < st.st_size
               && (got = read(fd, text + n, st.st_size - n)) > 0) {
            n += got;
        }
        if (got < 0) {
            *error = xasprintf("cannot read: %s", ovs_strerror(errno));
            free(text);
            text = NULL;
        }
        *size = n;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* Keeps the line of each element, exactly: the one that libxml2 keeps ends at
 * 65,535 and is that of the end of the tag.  The start of the tag is the last
 * "<" before the place where the parser is, as values cannot hold one.
 *
 * Attributes of other namespaces are dropped (xsi:schemaLocation, which
 * editors write) or refused: libxml2 would go and load the schema that
 * xsi:schemaLocation names. */
static void
start_element(void *parser_, const xmlChar *name, const xmlChar *prefix,
              const xmlChar *uri, int n_namespaces, const xmlChar **namespaces,
              int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    xmlParserCtxt *parser = parser_;
    struct sink *sink = parser->_private;
    const xmlParserInput *input = parser->input;
    long line = input->line;
    for (const xmlChar *p = input->cur; p > input->base && *p != '<'; p--) {
        line -= *p == '\n' && p != input->cur;
    }

    int n = 0;
    for (int i = 0; i < n_attributes; i++) {
        const xmlChar **attribute = &attributes[5 * i];
        if (!attribute[2]) {
            memmove(&attributes[5 * n++], attribute, 5 * sizeof *attributes);
        } else if (strcmp((const char *) attribute[0], "schemaLocation")) {
            error_at(sink, line, "attribute '%s:%s' is not allowed; remove it",
                     attribute[1], attribute[0]);
            sink->refused = true;
        }
    }
    if (parser->nameNr > MAX_DEPTH) {
        error_at(sink, line, "elements are nested deeper than %d; a manifest "
                 "needs 5 levels", MAX_DEPTH);
        sink->refused = true;
        xmlStopParser(parser);
        return;
    }
    xmlSAX2StartElementNs(parser, name, prefix, uri, n_namespaces, namespaces,
                          n, 0, attributes);
    if (parser->node) {
        parser->node->_private = (void *) line;
    }
}

static void
refuse_doctype(void *parser_, const xmlChar *name OVS_UNUSED,
               const xmlChar *external OVS_UNUSED,
               const xmlChar *system OVS_UNUSED)
{
    xmlParserCtxt *parser = parser_;
    struct sink *sink = parser->_private;
    sink->refused = true;
    error_at(sink, parser->input ? parser->input->line : 0,
             "a document type (<!DOCTYPE ...>) is not allowed; remove it");
    xmlStopParser(parser);
}

static void
syntax_error(void *sink_, xmlError *e)
{
    const struct sink *sink = sink_;
    if (sink->refused) {
        return;                 /* Said already. */
    }
    char *message = xstrdup(e->message);
    message[strcspn(message, "\n")] = '\0';
    error_at(sink, e->line, "not well-formed XML: %s", message);
    free(message);
}

static xmlDoc *
parse(const char *text, size_t size, struct sink *sink)
{
    xmlParserCtxt *parser = xmlNewParserCtxt();
    parser->_private = sink;
    parser->sax->internalSubset = refuse_doctype;
    parser->sax->startElementNs = start_element;
    xmlSetStructuredErrorFunc(sink, syntax_error);
    xmlDoc *doc = xmlCtxtReadMemory(parser, text, size, sink->name, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOBLANKS
                                    | XML_PARSE_COMPACT
                                    | XML_PARSE_NOWARNING);
    bool ok = doc && parser->wellFormed && !sink->refused;
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlFreeParserCtxt(parser);
    if (!ok) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    return doc;
}

/* Validation.  What a right value looks like, by element or attribute. */

static const char *
value_hint(const char *name)
{
    static const struct {
        const char *name;
        const char *hint;
    } hints[] = {
        { "mac", "a MAC such as 52:54:00:12:34:56" },
        { "address", "an address such as 10.0.0.11 or fd00::11" },
        { "prefix", "a prefix such as 10.0.0.0/8 or fd00::/8" },
        { "except", "a prefix such as 10.0.0.0/8 or fd00::/8" },
        { "port", "ports such as 443 or 80,443,8000-8100" },
        { "mode", "learn, audit or enforce" },
        { "vlan", "a VLAN from 1 to 4094" },
        { "name", "a name: letters, digits, '.', '_' and '-', at most 63, "
                  "beginning with a letter or digit" },
        { "segment", "the name of a segment" },
        { "from", "an end such as web, billing/api or internet" },
        { "to", "an end such as web, billing/api or internet" },
        { "workload", "SERVICE/WORKLOAD such as web/web-1" },
        { "protocol", "tcp, udp, sctp, icmp, icmp6 or a protocol number" },
        { "verdict", "allow or deny" },
        { "version", "1, the version of the manifest language" },
        { "number", "an IP protocol number from 0 to 255" },
        { "type", "an ICMP type: a number from 0 to 255 or a name such as "
                  "echo-request" },
        { "code", "an ICMP code from 0 to 255" },
        { "not-before", "a time with its zone such as "
                        "2026-12-31T18:00:00Z" },
        { "not-after", "a time with its zone such as 2026-12-31T18:00:00Z" },
        { "external-id", "KEY=VALUE such as vm-name=web-1" },
        { "interface", "the name of an interface" },
        { "iface-id", "the iface-id of an interface" },
        { "href", "the name of a file" },
        { "reason", "a text of at most 1024 characters" },
        { "ticket", "a text of at most 1024 characters" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
        if (!strcmp(hints[i].name, name)) {
            return hints[i].hint;
        }
    }
    return "another value";
}

/* Copies what stands between the first "BEFORE'" in 's' and the next "'". */
static char *
quoted_after(const char *s, const char *before)
{
    const char *p = strstr(s, before);
    if (!p) {
        return NULL;
    }
    p += strlen(before);
    return xmemdup0(p, strcspn(p, "'"));
}

/* The local names in libxml2's "Expected is one of ( {ns}a, {ns}b )". */
struct name_list {
    char *text;                 /* Storage. */
    const char *names[32];
    size_t n;
};

static void
parse_expected(const char *message, struct name_list *list)
{
    list->n = 0;
    const char *p = strstr(message, "Expected is");
    p = p ? strchr(p, '(') : NULL;
    list->text = xstrdup(p ? p + 1 : "");
    char *save = NULL;
    for (char *word = strtok_r(list->text, " ,)\n", &save);
         word && list->n < ARRAY_SIZE(list->names);
         word = strtok_r(NULL, " ,)\n", &save)) {
        char *brace = strchr(word, '}');
        if (brace) {
            list->names[list->n++] = brace + 1;
        }
    }
}

static char *
join_names(const struct name_list *list)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < list->n; i++) {
        ds_put_format(&s, "%s<%s>", i ? ", " : "", list->names[i]);
    }
    return ds_steal_cstr(&s);
}

static void
content_error(const struct sink *sink, const xmlNode *node, int line,
              const char *message)
{
    struct name_list list;
    parse_expected(message, &list);
    char *names = join_names(&list);
    const char *name = (const char *) node->name;
    if (strstr(message, "Missing child")) {
        error_at(sink, line, "<%s> is empty; it needs %s%s", name,
                 list.n > 1 ? "one of " : "", names);
    } else {
        const char *parent = node->parent && node->parent->name
                             ? (const char *) node->parent->name : "?";
        const char *nearest = check_nearest(name, list.names, list.n);
        if (nearest) {
            error_at(sink, line, "unknown element <%s> in <%s>; did you mean "
                     "<%s>?", name, parent, nearest);
        } else if (list.n) {
            error_at(sink, line, "element <%s> does not belong in <%s>; "
                     "expected %s%s", name, parent,
                     list.n > 1 ? "one of " : "", names);
        } else {
            error_at(sink, line, "element <%s> does not belong in <%s>, which "
                     "holds no elements", name, parent);
        }
    }
    free(names);
    free(list.text);
}

static void
attribute_error(const struct sink *sink, const xmlNode *node, int line,
                const char *message)
{
    static const char *const known[] = {
        "name", "vlan", "segment", "mode", "version", "href", "from", "to",
        "reason", "ticket", "not-before", "not-after", "port", "type", "code",
        "number", "protocol", "verdict", "interface", "iface-id",
        "external-id", "workload",
    };
    char *attribute = quoted_after(message, "attribute '");
    const char *nearest = attribute
        ? check_nearest(attribute, known, ARRAY_SIZE(known)) : NULL;
    if (nearest && strcmp(nearest, attribute)) {
        error_at(sink, line, "attribute '%s' is not allowed on <%s>; did you "
                 "mean '%s'?", attribute, node->name, nearest);
    } else {
        error_at(sink, line, "attribute '%s' is not allowed on <%s>; remove "
                 "it", attribute ? attribute : "?", node->name);
    }
    free(attribute);
}

static void
value_error(const struct sink *sink, const xmlNode *node, int line,
            const char *message)
{
    char *attribute = quoted_after(message, "attribute '");
    char *value = quoted_after(message, ": '");
    const char *name = attribute ? attribute : (const char *) node->name;
    const char *hint = value_hint(name);
    if (attribute) {
        error_at(sink, line, "%s=\"%s\" on <%s> is not right; expected %s",
                 attribute, value ? value : "", node->name, hint);
    } else {
        error_at(sink, line, "<%s> holds '%s'; expected %s", name,
                 value ? value : "", hint);
    }
    free(attribute);
    free(value);
}

static void
validity_error(void *sink_, xmlError *e)
{
    const struct sink *sink = sink_;
    const xmlNode *node = e->node;
    if (node && node->type == XML_ATTRIBUTE_NODE) {
        node = node->parent;
    }
    int line = node ? xml_line(node) : e->line;
    if (!node) {
        error_at(sink, line, "%s", e->message);
        return;
    }
    switch (e->code) {
    case XML_SCHEMAV_CVC_ELT_1:
        error_at(sink, line, "the root is <%s>; it must be <manifest "
                 "xmlns=\"urn:ovs-sdfw:manifest:1\" version=\"1\">",
                 node->name);
        break;
    case XML_SCHEMAV_ELEMENT_CONTENT:
        content_error(sink, node, line, e->message);
        break;
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_1:
        attribute_error(sink, node, line, e->message);
        break;
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_4: {
        char *missing = quoted_after(e->message, "attribute '");
        error_at(sink, line, "<%s> needs the attribute '%s'", node->name,
                 missing ? missing : "?");
        free(missing);
        break;
    }
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_3:
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_1:
        error_at(sink, line, "<%s> holds text; it may hold elements only",
                 node->name);
        break;
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1:
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_2:
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_3:
        value_error(sink, node, line, e->message);
        break;
    case XML_SCHEMAV_CVC_PATTERN_VALID:
    case XML_SCHEMAV_CVC_ENUMERATION_VALID:
    case XML_SCHEMAV_CVC_MININCLUSIVE_VALID:
    case XML_SCHEMAV_CVC_MAXINCLUSIVE_VALID:
    case XML_SCHEMAV_CVC_MINLENGTH_VALID:
    case XML_SCHEMAV_CVC_MAXLENGTH_VALID: {
        char *value = quoted_after(e->message, "The value '");
        char *attribute = quoted_after(e->message, "attribute '");
        char *same = xasprintf("%s%s%s: '%s'", attribute ? "attribute '" : "",
                               attribute ? attribute : "",
                               attribute ? "'" : "", value ? value : "");
        value_error(sink, node, line, same);
        free(value);
        free(attribute);
        free(same);
        break;
    }
    default: {
        char *message = xmemdup0(e->message, strcspn(e->message, "\n"));
        error_at(sink, line, "%s", message);
        free(message);
    }
    }
}

static bool
validate(xmlDoc *doc, const struct xml_schema *schema, struct sink *sink)
{
    xmlSchemaValidCtxt *ctxt = xmlSchemaNewValidCtxt(schema->schema);
    xmlSchemaSetValidStructuredErrors(ctxt, validity_error, sink);
    int result = xmlSchemaValidateDoc(ctxt, doc);
    xmlSchemaFreeValidCtxt(ctxt);
    return !result;
}

xmlDoc *
xml_read(const char *file, const char *name, const struct xml_schema *schema,
         struct report *report)
{
    struct sink sink = { .name = name, .report = report };
    size_t size;
    char *error;
    char *text = read_file(file, &size, &error);
    if (!text) {
        error_at(&sink, 0, "%s", error);
        free(error);
        return NULL;
    }
    xmlDoc *doc = parse(text, size, &sink);
    free(text);
    if (doc && !validate(doc, schema, &sink)) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    return doc;
}

/* Reading a valid document. */

int
xml_line(const xmlNode *node)
{
    return (intptr_t) node->_private;
}

bool
xml_is(const xmlNode *node, const char *name)
{
    return !strcmp((const char *) node->name, name);
}

/* Cuts white space off both ends of 's', in place. */
static const char *
trim(char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    if (n && strchr(" \t\r\n", s[n - 1])) {
        while (n && strchr(" \t\r\n", s[n - 1])) {
            n--;
        }
        s[n] = '\0';
    }
    return s;
}

const char *
xml_attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        if (!strcmp((const char *) a->name, name)) {
            return a->children ? trim((char *) a->children->content) : "";
        }
    }
    return NULL;
}

const char *
xml_text(xmlNode *node)
{
    xmlNode *child = node->children;
    if (!child) {
        return "";
    }
    if (child->next || child->type != XML_TEXT_NODE) {
        xmlChar *text = xmlNodeGetContent(node);    /* Comments in it. */
        xmlNodeSetContent(node, NULL);
        xmlNodeAddContent(node, text);
        xmlFree(text);
        child = node->children;
    }
    return child ? trim((char *) child->content) : "";
}

static xmlNode *
element_from(xmlNode *node)
{
    while (node && node->type != XML_ELEMENT_NODE) {
        node = node->next;
    }
    return node;
}

xmlNode *
xml_first(const xmlNode *node)
{
    return element_from(node->children);
}

xmlNode *
xml_next(const xmlNode *node)
{
    return element_from(node->next);
}

struct xml_schema *
xml_schema_read(const char *file, struct report *report)
{
    xmlSchemaParserCtxt *parser = xmlSchemaNewParserCtxt(file);
    xmlSchema *schema = parser ? xmlSchemaParse(parser) : NULL;
    xmlSchemaFreeParserCtxt(parser);
    if (!schema) {
        report_error(report, (struct location) { .file = file },
                     "cannot read the schema; --schemas or $SDFW_SCHEMAS "
                     "names its directory");
        return NULL;
    }
    struct xml_schema *result = xmalloc(sizeof *result);
    result->schema = schema;
    return result;
}

void
xml_schema_destroy(struct xml_schema *schema)
{
    if (schema) {
        xmlSchemaFree(schema->schema);
        free(schema);
    }
}
