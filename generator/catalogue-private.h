/* What the parts of catalogue.c share. */

#ifndef SDFW_CATALOGUE_PRIVATE_H
#define SDFW_CATALOGUE_PRIVATE_H 1

#include "catalogue.h"

/* Each takes what it is given, in place of what has the same id. */
void catalogue_put_service(struct catalogue *, struct well_known *);
void catalogue_put_rule(struct catalogue *, struct rule *);
void catalogue_put_accepted(struct catalogue *, struct accepted_risk *);

/* Takes the service or rule 'id' away.  False if there is none. */
bool catalogue_drop(struct catalogue *, const char *id);

/* The id that is nearest to 'id' among those of services (with classes) and
 * of rules, or NULL if none is near. */
const char *catalogue_nearest(const struct catalogue *, const char *id,
                              bool services, bool rules);

/* Reads the built-in catalogue and then 'files'. */
void catalogue_read_files(struct catalogue *, const char *const files[],
                          size_t n, struct report *);

#endif /* catalogue-private.h */
