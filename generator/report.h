/* What was found wrong: errors and warnings with file and line.
 *
 * All findings of a run are collected, so that a user sees them all at once,
 * sorted by place, and so that text, JUnit and SARIF can be made of the
 * same records. */

#ifndef SDFW_REPORT_H
#define SDFW_REPORT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <openvswitch/compiler.h>

#include "model.h"
#include "sset.h"

enum severity { SEVERITY_WARNING, SEVERITY_ERROR };

struct finding {
    enum severity severity;
    char *file;                 /* May be NULL: not about a file. */
    int line;                   /* 0: about the file as a whole. */
    char *message;
};

struct report {
    struct finding *findings;
    size_t n, allocated;
    size_t n_errors, n_warnings;
    struct sset files;          /* Names of the manifests that were read. */
};

void report_init(struct report *);
void report_destroy(struct report *);

void report_error(struct report *, struct location, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);
void report_warning(struct report *, struct location, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

/* Writes "file:line: error: message" lines, sorted by file and line. */
void report_print(struct report *, FILE *);

#endif /* report.h */
