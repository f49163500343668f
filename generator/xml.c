/* One file: see xml.h.
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
#include <libxml/c14n.h>
#include <libxml/parserInternals.h>

#include "dsse.h"
#include "util.h"

#define MAX_FILE_BYTES (64 << 20)
#define MAX_DEPTH 32

/* Where messages of libxml2 go. */
struct sink {
    const char *name;           /* The file. */
    const struct xml_language *language;
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
        error_at(sink, line, "elements are nested deeper than %d; %s %s "
                 "needs %d levels", MAX_DEPTH, sink->language->article,
                 sink->language->root, sink->language->levels);
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

/* What to do about an error of libxml2's parser, or "". */
static const char *
syntax_hint(int code)
{
    switch (code) {
    case XML_ERR_NAME_REQUIRED:
    case XML_ERR_ENTITYREF_SEMICOL_MISSING:
        return "; write &amp; for '&' and &lt; for '<' in text";
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        return "; only &amp; &lt; &gt; &quot; and &apos; are known";
    case XML_ERR_LT_IN_ATTRIBUTE:
        return "; write &lt; for '<', or close the quote before it";
    case XML_ERR_ATTRIBUTE_NOT_STARTED:
    case XML_ERR_ATTRIBUTE_WITHOUT_VALUE:
        return "; write it as name=\"value\"";
    case XML_ERR_TAG_NOT_FINISHED:
        return "; close it with </...>";
    case XML_ERR_DOCUMENT_END:
        return "; a file has one root element and nothing after it";
    case XML_ERR_INVALID_CHAR:
    case XML_ERR_INVALID_ENCODING:
    case XML_ERR_UNSUPPORTED_ENCODING:
        return "; save the file as UTF-8 text";
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
        return "; write elements without a prefix";
    default:
        return "";
    }
}

/* The first error of a file only: the others mostly follow from it. */
static void
syntax_error(void *sink_, xmlError *e)
{
    struct sink *sink = sink_;
    if (sink->refused) {
        return;
    }
    sink->refused = true;
    char *message = xmemdup0(e->message, strcspn(e->message, "\n"));
    if (e->code == XML_ERR_DOCUMENT_EMPTY) {
        error_at(sink, e->line, "this is not XML; %s %s begins with %s",
                 sink->language->article, sink->language->root,
                 sink->language->beginning);
    } else if (e->code == XML_ERR_TAG_NAME_MISMATCH && e->str1 && e->str2) {
        error_at(sink, e->line, "'</%s>' does not close '<%s>' of line %d; "
                 "close that first, with '</%s>'", e->str2, e->str1, e->int1,
                 e->str1);
    } else {
        error_at(sink, e->line, "not well-formed XML: %s%s", message,
                 syntax_hint(e->code));
    }
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
    bool ok = doc && parser->wellFormed && !sink->refused
              && xmlDocGetRootElement(doc);
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlFreeParserCtxt(parser);
    if (!ok) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    return doc;
}

xmlDoc *
xml_read_text(const char *text, size_t size, const char *name,
              const struct xml_schema *schema, struct report *report)
{
    struct sink sink = { .name = name, .report = report,
                         .language = xml_schema_language(schema) };
    xmlDoc *doc = parse(text, size, &sink);
    if (doc && !xml_validate(doc, schema, name, report)) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    return doc;
}

xmlDoc *
xml_read(const char *file, const char *name, const struct xml_schema *schema,
         struct report *report)
{
    size_t size;
    char *error;
    char *text = read_file(file, &size, &error);
    if (!text) {
        report_error(report, (struct location) { .file = name }, "%s", error);
        free(error);
        return NULL;
    }
    xmlDoc *doc = xml_read_text(text, size, name, schema, report);
    free(text);
    return doc;
}

/* Reading a valid document. */

char *
xml_digest(xmlDoc *doc)
{
    xmlChar *text = NULL;
    int n = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 0, &text);
    ovs_assert(n >= 0);
    char *hex = xmalloc(SHA256_HEX_SIZE);
    sha256_hex(text, n, hex);
    xmlFree(text);
    return hex;
}

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
