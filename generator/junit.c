/* Outcomes as JUnit XML: one suite a file, one case an outcome.
 *
 * There is no standard; this is what GitLab, Jenkins and the common viewers
 * read.  A warning is a case that passes and has something to say. */

#include "outcome.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>

#include "util.h"

static void
put_attribute(xmlTextWriter *writer, const char *name, const char *value)
{
    char *text = outcome_clean(value);
    xmlTextWriterWriteAttribute(writer, (const xmlChar *) name,
                                (const xmlChar *) text);
    free(text);
}

static void
put_number(xmlTextWriter *writer, const char *name, size_t number)
{
    xmlTextWriterWriteFormatAttribute(writer, (const xmlChar *) name, "%zu",
                                      number);
}

static void
start(xmlTextWriter *writer, const char *name)
{
    xmlTextWriterStartElement(writer, (const xmlChar *) name);
}

static bool
is_failure(const struct outcome *o)
{
    return o->kind == OUTCOME_ERROR || o->kind == OUTCOME_UNEXPECTED
           || o->kind == OUTCOME_RISK;
}

/* The attributes of a suite, or of all together. */
static void
put_counts(xmlTextWriter *writer, const struct outcome outcomes[], size_t n)
{
    size_t n_failures = 0;
    for (size_t i = 0; i < n; i++) {
        n_failures += is_failure(&outcomes[i]);
    }
    put_number(writer, "tests", n);
    put_number(writer, "failures", n_failures);
    put_number(writer, "errors", 0);
    put_number(writer, "skipped", 0);
    put_number(writer, "time", 0);
}

static void
put_message(xmlTextWriter *writer, const struct outcome *o)
{
    if (is_failure(o)) {
        start(writer, "failure");
        put_attribute(writer, "message", o->message);
        put_attribute(writer, "type", o->kind == OUTCOME_ERROR ? "manifest"
                                      : o->kind == OUTCOME_RISK ? "verify"
                                      : "expect");
    } else {
        start(writer, "system-out");
    }
    char *place = o->line ? xasprintf("%s:%d", o->file, o->line)
                          : xstrdup(o->file);
    char *text = xasprintf("%s: %s", place, o->message);
    char *clean = outcome_clean(text);
    xmlTextWriterWriteString(writer, (const xmlChar *) clean);
    free(clean);
    free(text);
    free(place);
    xmlTextWriterEndElement(writer);
}

static void
put_case(xmlTextWriter *writer, const struct outcome *o)
{
    start(writer, "testcase");
    put_attribute(writer, "classname", o->file);
    put_attribute(writer, "name", o->name);
    put_attribute(writer, "file", o->file);
    if (o->line) {
        put_number(writer, "line", o->line);
    }
    put_number(writer, "time", 0);
    if (o->message) {
        put_message(writer, o);
    }
    xmlTextWriterEndElement(writer);
}

static void
put_suite(xmlTextWriter *writer, const struct outcome outcomes[], size_t n)
{
    start(writer, "testsuite");
    put_attribute(writer, "name", outcomes[0].file);
    put_counts(writer, outcomes, n);
    for (size_t i = 0; i < n; i++) {
        put_case(writer, &outcomes[i]);
    }
    xmlTextWriterEndElement(writer);
}

void
outcomes_print_junit(const struct outcomes *outcomes, FILE *stream)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlTextWriter *writer = xmlNewTextWriterMemory(buffer, 0);
    xmlTextWriterSetIndent(writer, 1);
    xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL);
    start(writer, "testsuites");
    char *name = xasprintf("sdfw %s", outcomes->command);
    put_attribute(writer, "name", name);
    free(name);
    put_counts(writer, outcomes->all, outcomes->n);
    for (size_t i = 0, n; i < outcomes->n; i += n) {
        const struct outcome *suite = &outcomes->all[i];
        for (n = 1; i + n < outcomes->n
                    && !strcmp(suite[n].file, suite->file); n++) {
            continue;
        }
        put_suite(writer, suite, n);
    }
    xmlTextWriterEndDocument(writer);
    xmlFreeTextWriter(writer);
    fwrite(xmlBufferContent(buffer), 1, xmlBufferLength(buffer), stream);
    xmlBufferFree(buffer);
}
