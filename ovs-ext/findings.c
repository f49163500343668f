/* Findings of manifests in the log: see findings.h. */

#include "findings.h"

#include <stdint.h>
#include <stdlib.h>

#include "util.h"

char *
finding_format(const struct finding *f)
{
    return !f->file ? xstrdup(f->message)
           : !f->line ? xasprintf("%s: %s", f->file, f->message)
           : xasprintf("%s:%d: %s", f->file, f->line, f->message);
}

/* Counts 'key' in 'counts'; returns how often it was there. */
static intptr_t
count(struct shash *counts, const char *key)
{
    intptr_t before = (intptr_t) shash_find_data(counts, key);
    shash_replace(counts, key, (void *) (before + 1));
    return before;
}

void
findings_tell(struct shash *known, const struct report *report, bool taken,
              void (*tell)(const struct finding *, void *aux), void *aux)
{
    struct shash now = SHASH_INITIALIZER(&now);
    for (size_t i = 0; i < report->n; i++) {
        const struct finding *f = &report->findings[i];
        char *key = xasprintf("%s: %s", f->file ? f->file : "?", f->message);
        if (f->severity == SEVERITY_ERROR
            || count(&now, key) >= (intptr_t) shash_find_data(known, key)) {
            tell(f, aux);
        }
        free(key);
    }
    if (taken) {
        shash_swap(known, &now);
    }
    shash_destroy(&now);
}
