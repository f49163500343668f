/* What the parts of interpret.c share. */

#ifndef SDFW_INTERPRET_PRIVATE_H
#define SDFW_INTERPRET_PRIVATE_H 1

#include <libxml/tree.h>

#include "interpret.h"
#include "resolve.h"

struct interpreter {
    struct topology *topology;
    struct report *report;
    struct resolver resolver;   /* Of all workloads, and for suggestions. */
    struct shash settings;      /* By application or service path. */
    const struct document *document;    /* The one being read. */
};

/* The place of 'node'. */
struct location interpret_place(const struct interpreter *,
                                const xmlNode *node);

/* Reports and frees 'error', if there is one.  Returns true if not. */
bool interpret_ok(struct interpreter *, const xmlNode *, char *error);

/* Reports that 'name', which is a 'what', is declared at 'first' too. */
void interpret_report_twice(struct interpreter *, struct location place,
                            const char *what, const char *name,
                            struct location first);

/* The segment called 'name', or NULL after an error. */
struct segment *interpret_find_segment(struct interpreter *, const char *name,
                                       struct location place);

/* Each reads one element. */
void interpret_network(struct interpreter *, xmlNode *);
void interpret_response(struct interpreter *, xmlNode *,
                        struct application *, struct service *);
void interpret_references(struct interpreter *, xmlNode *application);
void interpret_expect(struct interpreter *, xmlNode *);

#endif /* interpret-private.h */
