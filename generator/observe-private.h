/* What the readers of observe.h share. */

#ifndef SDFW_OBSERVE_PRIVATE_H
#define SDFW_OBSERVE_PRIVATE_H 1

#include "observe.h"

#include <stdio.h>

struct input {
    FILE *stream;               /* At its beginning. */
    const char *name;           /* For messages. */
    const char *observer, *segment; /* If the file does not tell. */
    int64_t time;               /* Of what has no time of its own. */
    struct observations *observations;
    struct observe_result *result;
};

/* Counts, and perhaps names, what is not understood. */
void observe_bad(struct input *, uint64_t line, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

/* Takes an observation, or counts it as other if it is no connection. */
void observe_add(struct input *, const struct observation *);

/* "tcp" and so on, in the names of conntrack, Open vSwitch and manifests; -1:
 * unknown. */
int observe_protocol(const char *name, size_t len);

/* The readers.  Those of lines take a line without its end and say what is
 * wrong with it, which the caller frees. */
char *observe_conntrack_line(struct input *, char *line)
    OVS_WARN_UNUSED_RESULT;

struct json_reader;
struct json_reader *json_reader_create(struct input *);
char *json_reader_line(struct json_reader *, const char *line)
    OVS_WARN_UNUSED_RESULT;
void json_reader_destroy(struct json_reader *);

/* Takes the stream. */
char *observe_pcap(struct input *) OVS_WARN_UNUSED_RESULT;

#endif /* observe-private.h */
