/* Where records of deviations go: one interface, one file a sink.
 *
 * A sink never blocks: what it cannot take at once waits in a queue of
 * bounded size, and what does not fit there is dropped and counted. */

#ifndef SDFW_SINK_H
#define SDFW_SINK_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "book.h"
#include "loop.h"

struct json;

/* One event, in the forms that sinks want. */
struct record {
    enum deviation_event event;
    const struct deviation *deviation; /* NULL: of an incident (fold.h). */
    const struct json *json;
    const char *text;           /* In a line, for people. */
    int severity;               /* RFC 5424, 6.2.1. */
    const char *msgid;          /* RFC 5424, 6.2.7. */
    bool folded;                /* Part of an incident that is told for all;
                                 * sinks for people leave it out. */
};

struct sink {
    const struct sink_class *class;
    char *target;               /* As given. */
    uint64_t n_records;         /* Taken or dropped. */
    uint64_t n_dropped;         /* Of these. */
    char *error;                /* Why it reaches nobody now, or NULL. */
};

struct sink_class {
    const char *name;           /* The setting: "json". */
    bool for_people;            /* Gets no folded records. */
    /* Returns an error that the caller must free if 'target' cannot be meant
     * seriously; a receiver that is away is no error. */
    char *(*open)(struct loop *, const char *target, struct sink **);
    void (*put)(struct sink *, const struct record *);
    /* SIGHUP: files were rotated.  May be NULL. */
    void (*reopen)(struct sink *);
    void (*close)(struct sink *);
    /* How many records wait.  May be NULL: none ever does. */
    size_t (*n_waiting)(const struct sink *);
};

extern const struct sink_class sink_json_class;
extern const struct sink_class sink_syslog_class;

/* These do what is the same for all classes. */
char *sink_open(const struct sink_class *, struct loop *, const char *target,
                struct sink **) OVS_WARN_UNUSED_RESULT;
void sink_put(struct sink *, const struct record *);
void sink_reopen(struct sink *);
void sink_close(struct sink *);
size_t sink_n_waiting(const struct sink *);

#endif /* sink.h */
