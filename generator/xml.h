/* One manifest file: parsed by libxml2 and validated against the schema.
 *
 * libxml2's way to say what is wrong is made into ours: file, line, what is
 * wrong and what would be right. */

#ifndef SDFW_XML_H
#define SDFW_XML_H 1

#include <libxml/tree.h>

#include "report.h"

/* A schema that is ready for use, or NULL after an error in 'report'.  The
 * caller frees it with xml_schema_destroy(). */
struct xml_schema *xml_schema_read(const char *file, struct report *);
void xml_schema_destroy(struct xml_schema *);

/* Parses and validates 'file', which findings call 'name'.  Returns NULL after
 * an error; otherwise the caller frees the document with xmlFreeDoc(). */
xmlDoc *xml_read(const char *file, const char *name,
                 const struct xml_schema *, struct report *);

#endif /* xml.h */
