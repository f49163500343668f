/* What was looked at and what came of it, for machines: JUnit and SARIF.
 *
 * "sdfw check" makes outcomes of its findings, "sdfw test" of its assertions,
 * "sdfw verify" of its verdicts; they are then written as the one document
 * that a CI takes. */

#ifndef SDFW_OUTCOME_H
#define SDFW_OUTCOME_H 1

#include <stddef.h>
#include <stdio.h>

#include "report.h"

enum outcome_kind {
    OUTCOME_PASS,               /* Only JUnit tells of these. */
    OUTCOME_WARNING,            /* Of a manifest. */
    OUTCOME_ERROR,              /* Of a manifest. */
    OUTCOME_UNEXPECTED,         /* An assertion does not hold. */
    OUTCOME_RISK,               /* As bad as "sdfw verify" was told to fail
                                 * on. */
};

/* What SARIF tells about a kind of outcome. */
struct outcome_rule {
    const char *id, *name;
    const char *level;          /* "error", "warning" or "note". */
    const char *summary, *help;
    int score;                  /* How bad it is, 1 to 100; 0: not said. */
};

struct outcome {
    enum outcome_kind kind;
    char *file;                 /* Never NULL. */
    int line;                   /* 0: about the file as a whole. */
    char *name;                 /* One line, unlike others of the file. */
    char *message;              /* NULL: OUTCOME_PASS. */
    const struct outcome_rule *rule;    /* One of the outcomes' 'rules'; NULL:
                                         * that of 'kind'. */
    int score;                  /* How bad it is; 0: not said. */
};

struct outcomes {
    const char *command;        /* "check", "test", "verify": whose they
                                 * are. */
    struct outcome *all;
    size_t n, allocated;
    const struct outcome_rule *rules;   /* Beside those of the kinds; the
                                         * caller's.  May be NULL. */
    size_t n_rules;
};

/* 'command' must live as long as 'outcomes'. */
void outcomes_init(struct outcomes *, const char *command);
void outcomes_destroy(struct outcomes *);

/* Takes 'name' and 'message'.  Returns what was added, which is valid until
 * the next one is. */
struct outcome *outcomes_add(struct outcomes *, enum outcome_kind,
                             struct location, char *name, char *message);

/* Adds the findings in 'report', and an OUTCOME_PASS for every file without
 * one.  What is about no file is said of 'root'. */
void outcomes_add_report(struct outcomes *, struct report *,
                         const char *root);

/* Writes them, sorted by file and line, in 'format': "junit" or "sarif".
 * Bytes that are no UTF-8, or that XML cannot hold, become "\xNN". */
void outcomes_print(struct outcomes *, const char *format, FILE *);

/* For the writers: 'text' as UTF-8 that XML and JSON can hold.  The caller
 * frees it. */
char *outcome_clean(const char *text);
/* One writer a format. */
void outcomes_print_junit(const struct outcomes *, FILE *);
void outcomes_print_sarif(const struct outcomes *, FILE *);

#endif /* outcome.h */
