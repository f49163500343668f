/* One file, of manifests, catalogues or inventories: parsed by libxml2 and
 * validated against the schema of its language.
 *
 * libxml2's way to say what is wrong is made into ours: file, line, what is
 * wrong and what would be right. */

#ifndef SDFW_XML_H
#define SDFW_XML_H 1

#include <libxml/tree.h>

#include "report.h"
#include "xml-language.h"

/* The schema of a language, ready for use.  The caller frees it with
 * xml_schema_destroy(). */
struct xml_schema *xml_schema_create(const struct xml_language *);
const struct xml_language *xml_schema_language(const struct xml_schema *);
void xml_schema_destroy(struct xml_schema *);

/* Parses and validates 'file', which findings call 'name'.  Returns NULL after
 * an error; otherwise the caller frees the document with xmlFreeDoc(). */
xmlDoc *xml_read(const char *file, const char *name,
                 const struct xml_schema *, struct report *);

/* The same of the 'size' bytes at 'text'. */
xmlDoc *xml_read_text(const char *text, size_t size, const char *name,
                      const struct xml_schema *, struct report *);

/* SHA-256 of the canonical form of 'doc' (Canonical XML 1.0, without
 * comments), in hexadecimal.  The caller frees it. */
char *xml_digest(xmlDoc *doc);

/* Validates 'doc', and says in our words what is wrong with it.  Changes
 * 'doc' if it is not valid. */
bool xml_validate(xmlDoc *doc, const struct xml_schema *, const char *name,
                  struct report *);

/* What stands in a valid document.  Text belongs to the document and has no
 * white space around it. */

/* The line of the "<" of 'node'. */
int xml_line(const xmlNode *);
bool xml_is(const xmlNode *, const char *name);
/* The value of 'attribute', or NULL if it is not there. */
const char *xml_attribute(const xmlNode *, const char *attribute);
/* The text in 'node', which holds nothing but text. */
const char *xml_text(xmlNode *);
/* The first child element of 'node', and the element that follows 'node'. */
xmlNode *xml_first(const xmlNode *);
xmlNode *xml_next(const xmlNode *);

#endif /* xml.h */
