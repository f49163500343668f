/* Findings: see report.h. */

#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

void
report_init(struct report *report)
{
    memset(report, 0, sizeof *report);
    sset_init(&report->files);
}

void
report_destroy(struct report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        free(report->findings[i].file);
        free(report->findings[i].message);
    }
    free(report->findings);
    sset_destroy(&report->files);
}

static void
add(struct report *report, enum severity severity, struct location where,
    const char *format, va_list args)
{
    char *message = xvasprintf(format, args);
    const struct finding *last = report->n ? &report->findings[report->n - 1]
                                           : NULL;
    if (last && last->line == where.line
        && nullable_string_is_equal(last->file, where.file)
        && !strcmp(last->message, message)) {
        free(message);          /* libxml2 says some things twice. */
        return;
    }
    if (report->n >= report->allocated) {
        report->findings = x2nrealloc(report->findings, &report->allocated,
                                      sizeof *report->findings);
    }
    report->findings[report->n++] = (struct finding) {
        .severity = severity,
        .file = nullable_xstrdup(where.file),
        .line = where.line,
        .message = message,
    };
    if (severity == SEVERITY_ERROR) {
        report->n_errors++;
    } else {
        report->n_warnings++;
    }
}

void
report_error(struct report *report, struct location where,
             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, SEVERITY_ERROR, where, format, args);
    va_end(args);
}

void
report_warning(struct report *report, struct location where,
               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, SEVERITY_WARNING, where, format, args);
    va_end(args);
}

static int
compare_findings(const void *a_, const void *b_)
{
    const struct finding *a = a_;
    const struct finding *b = b_;
    int cmp = strcmp(a->file ? a->file : "", b->file ? b->file : "");
    if (!cmp) {
        cmp = a->line < b->line ? -1 : a->line > b->line;
    }
    return cmp ? cmp : strcmp(a->message, b->message);
}

void
report_print(struct report *report, FILE *stream)
{
    if (report->n) {
        qsort(report->findings, report->n, sizeof *report->findings,
              compare_findings);
    }
    for (size_t i = 0; i < report->n; i++) {
        const struct finding *f = &report->findings[i];
        if (f->file && f->line) {
            fprintf(stream, "%s:%d: ", f->file, f->line);
        } else if (f->file) {
            fprintf(stream, "%s: ", f->file);
        }
        fprintf(stream, "%s: %s\n", f->severity == SEVERITY_ERROR
                ? "error" : "warning", f->message);
    }
}
