/* Valid documents to model.
 *
 * Names may be used before the file that declares them, so the documents are
 * gone through three times: for segments, for what is in them, and for what
 * refers to that. */

#ifndef SDFW_INTERPRET_H
#define SDFW_INTERPRET_H 1

#include <libxml/tree.h>

#include "model.h"
#include "report.h"

struct document {
    const char *name;           /* As findings call it; of the topology. */
    char *directory;            /* Without symbolic links. */
    xmlDoc *doc;
};

/* Adds what the 'n' 'documents' say to 'topology'.  What cannot be understood
 * goes to 'report' and not into the model. */
void interpret(struct topology *, const struct document documents[], size_t n,
               struct report *);

#endif /* interpret.h */
