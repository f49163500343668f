/* Findings of manifests in the log: what was there at the last reading is not
 * told again. */

#ifndef SDFW_FINDINGS_H
#define SDFW_FINDINGS_H 1

#include <openvswitch/shash.h>

#include "report.h"

/* Its place, if it has one, and its message; the caller must free it. */
char *finding_format(const struct finding *);

/* Calls 'tell' for each error, and for each warning that is not in 'known':
 * how often each was found ('data'), wherever in its file, for edits above it
 * move it.  If 'taken', 'known' becomes what is in the report. */
void findings_tell(struct shash *known, const struct report *, bool taken,
                   void (*tell)(const struct finding *, void *aux), void *aux);

#endif /* findings.h */
