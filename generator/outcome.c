/* What was looked at and what came of it: see outcome.h. */

#include "outcome.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/parserInternals.h>
#include <openvswitch/dynamic-string.h>

#include "sset.h"
#include "util.h"

void
outcomes_init(struct outcomes *outcomes, const char *command)
{
    *outcomes = (struct outcomes) { .command = command };
}

void
outcomes_destroy(struct outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->n; i++) {
        free(outcomes->all[i].file);
        free(outcomes->all[i].name);
        free(outcomes->all[i].message);
    }
    free(outcomes->all);
}

struct outcome *
outcomes_add(struct outcomes *outcomes, enum outcome_kind kind,
             struct location where, char *name, char *message)
{
    if (outcomes->n >= outcomes->allocated) {
        outcomes->all = x2nrealloc(outcomes->all, &outcomes->allocated,
                                   sizeof *outcomes->all);
    }
    struct outcome *outcome = &outcomes->all[outcomes->n++];
    *outcome = (struct outcome) {
        .kind = kind,
        .file = xstrdup(where.file),
        .line = where.line,
        .name = name,
        .message = message,
    };
    return outcome;
}

/* A viewer shows names first, so the name of a finding says what it is.  The
 * line is in it, since GitLab keeps only one of those that are called alike
 * in one file. */
static void
add_finding(struct outcomes *outcomes, const struct finding *f,
            const char *root)
{
    bool is_error = f->severity == SEVERITY_ERROR;
    struct location where = { .file = f->file ? f->file : root,
                              .line = f->line };
    struct ds name = DS_EMPTY_INITIALIZER;
    if (f->line) {
        ds_put_format(&name, "line %d: ", f->line);
    }
    ds_put_format(&name, "%s%s", is_error ? "" : "warning: ", f->message);
    outcomes_add(outcomes, is_error ? OUTCOME_ERROR : OUTCOME_WARNING, where,
                 ds_steal_cstr(&name), xstrdup(f->message));
}

void
outcomes_add_report(struct outcomes *outcomes, struct report *report,
                    const char *root)
{
    struct sset found = SSET_INITIALIZER(&found);
    for (size_t i = 0; i < report->n; i++) {
        add_finding(outcomes, &report->findings[i], root);
        sset_add(&found, outcomes->all[outcomes->n - 1].file);
    }
    const char *file;
    SSET_FOR_EACH (file, &report->files) {
        if (!sset_contains(&found, file)) {
            outcomes_add(outcomes, OUTCOME_PASS,
                         (struct location) { .file = file },
                         xstrdup("the manifest is right"), NULL);
        }
    }
    sset_destroy(&found);
}

static int
compare_outcomes(const void *a_, const void *b_)
{
    const struct outcome *a = a_;
    const struct outcome *b = b_;
    int cmp = strcmp(a->file, b->file);
    if (!cmp) {
        cmp = a->line < b->line ? -1 : a->line > b->line;
    }
    return cmp ? cmp : strcmp(a->name, b->name);
}

void
outcomes_print(struct outcomes *outcomes, const char *format, FILE *stream)
{
    if (outcomes->n) {
        qsort(outcomes->all, outcomes->n, sizeof *outcomes->all,
              compare_outcomes);
    }
    if (!strcmp(format, "junit")) {
        outcomes_print_junit(outcomes, stream);
    } else {
        outcomes_print_sarif(outcomes, stream);
    }
}

/* The length of the character at 'text' if it is in UTF-8 and XML can hold
 * it, otherwise 0.  xmlGetUTF8Char() takes some things that are no UTF-8. */
static int
clean_length(const char *text)
{
    xmlChar again[8];
    int len = strnlen(text, 4);
    int c = xmlGetUTF8Char((const xmlChar *) text, &len);
    return c > 0 && IS_CHAR(c) && xmlCopyCharMultiByte(again, c) == len
           && !memcmp(again, text, len) ? len : 0;
}

char *
outcome_clean(const char *text)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    while (*text) {
        int len = clean_length(text);
        if (len) {
            ds_put_buffer(&s, text, len);
        } else {
            ds_put_format(&s, "\\x%02x", (unsigned char) *text);
        }
        text += len ? len : 1;
    }
    return ds_steal_cstr(&s);
}
