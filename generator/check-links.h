/* Errors and warnings about links: segments, acceptance, shadowing. */

#ifndef SDFW_CHECK_LINKS_H
#define SDFW_CHECK_LINKS_H 1

#include "model.h"
#include "report.h"

/* That links between applications are accepted; part of check_links(). */
void check_accepts(const struct topology *, struct report *);

void check_links(const struct topology *, time_t now, struct report *);

#endif /* check-links.h */
