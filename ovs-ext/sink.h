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

struct ds;
struct json;
struct settings;

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

/* One of the first packets of a deviation, or of a workload that is
 * captured. */
struct packet_record {
    bool captured;
    const struct deviation_frame *frame;
    const char *port;           /* Where it came in, or, of one for a workload
                                 * that is captured, went: "br0/vnet3". */
    const char *text;           /* What it is, in words. */
    long long int time_us;      /* Since the epoch. */
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
    bool opens_only;            /* Gets neither updates nor closes. */
    bool captures;              /* Of packets, those that are captured;
                                 * otherwise those of deviations. */
    /* Returns an error that the caller must free if 'target' cannot be meant
     * seriously; a receiver that is away is no error.  Changes nothing. */
    char *(*check)(const char *target);
    /* Returns such an error if it fails although check() has not. */
    char *(*open)(struct loop *, const char *target, struct sink **);
    /* Is that where it writes, by another name?  May be NULL: no. */
    bool (*is_same)(const struct sink *, const char *target);
    /* Takes other settings than its target, before any record and when they
     * may have changed.  May be NULL. */
    void (*configure)(struct sink *, const struct settings *);
    /* Either may be NULL. */
    void (*put)(struct sink *, const struct record *);
    void (*put_packet)(struct sink *, const struct packet_record *);
    /* SIGHUP: files were rotated.  May be NULL. */
    void (*reopen)(struct sink *);
    void (*close)(struct sink *);
    /* How many records wait.  May be NULL: none ever does. */
    size_t (*n_waiting)(const struct sink *);
    /* Appends to its line of the status.  May be NULL. */
    void (*describe)(const struct sink *, struct ds *);
};

extern const struct sink_class sink_capture_class;
extern const struct sink_class sink_hook_class;
extern const struct sink_class sink_json_class;
extern const struct sink_class sink_pcap_class;
extern const struct sink_class sink_syslog_class;

/* These do what is the same for all classes. */
char *sink_open(const struct sink_class *, struct loop *, const char *target,
                struct sink **) OVS_WARN_UNUSED_RESULT;
void sink_configure(struct sink *, const struct settings *);
void sink_put(struct sink *, const struct record *);
void sink_put_packet(struct sink *, const struct packet_record *);
void sink_reopen(struct sink *);
void sink_close(struct sink *);
size_t sink_n_waiting(const struct sink *);
/* For sinks: 'why' it reaches nobody now, or NULL if it does again; logged if
 * that has changed. */
void sink_note_error(struct sink *, const char *why);
void sink_describe(const struct sink *, struct ds *);

#endif /* sink.h */
