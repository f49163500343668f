/* Elements that say what is opened (<tcp port="443"/>, <any/>, ...), as
 * manifests and catalogues have them, to 'struct opening'. */

#ifndef SDFW_OPENINGS_H
#define SDFW_OPENINGS_H 1

#include <libxml/tree.h>

#include "model.h"
#include "report.h"

/* Appends what the children of 'node', which is valid and of 'file', open;
 * other elements are passed over.  A list of ports becomes an opening each.
 * What is wrong goes to 'report'.  The caller frees '*openings'. */
void openings_read(xmlNode *node, const char *file, struct opening **openings,
                   size_t *n, struct report *);

/* An opening of everything that 'protocol' has. */
struct opening opening_of_protocol(uint16_t protocol, struct location);

#endif /* openings.h */
