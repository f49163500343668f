/* Errors and warnings about links: segments, acceptance, shadowing. */

#ifndef SDFW_CHECK_LINKS_H
#define SDFW_CHECK_LINKS_H 1

#include "model.h"
#include "report.h"

void check_links(const struct topology *, time_t now, struct report *);

#endif /* check-links.h */
