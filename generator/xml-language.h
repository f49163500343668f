/* The languages that our XML files are written in: manifests, catalogues and
 * inventories.
 *
 * Each has a schema, which the linker puts into the program, and words for
 * what a right value looks like. */

#ifndef SDFW_XML_LANGUAGE_H
#define SDFW_XML_LANGUAGE_H 1

#include <stddef.h>

struct xml_hint {
    const char *name;           /* Of an element or attribute. */
    const char *hint;           /* "a MAC such as ...". */
};

struct xml_language {
    const char *root;           /* "manifest": also what a file of it is
                                 * called, */
    const char *article;        /* ... with "a". */
    int levels;                 /* How deep elements are nested. */
    const char *namespace;
    const char *beginning;      /* How a file begins. */
    const char *schema, *schema_end;
    const struct xml_hint *hints;
    size_t n_hints;
};

extern const struct xml_language xml_manifest, xml_catalogue, xml_inventory;

/* What a right value of the element 'name', or of the attribute 'name' of
 * 'element', looks like. */
const char *xml_language_hint(const struct xml_language *,
                              const char *element, const char *name);

#endif /* xml-language.h */
