/* Deviations as JSON lines in a file. */

#ifndef SDFW_SINK_JSON_H
#define SDFW_SINK_JSON_H 1

#include <stdint.h>

#include <openvswitch/compiler.h>

struct json;
struct sink_json;

/* Opens 'file' for appending.  Returns an error that the caller must free. */
char *sink_json_open(const char *file, struct sink_json **)
    OVS_WARN_UNUSED_RESULT;
void sink_json_close(struct sink_json *);

/* Writes 'record' as one line, in one write(2).  What cannot be written is
 * dropped and counted. */
void sink_json_put(struct sink_json *, const struct json *record);

/* Opens the file again, after it was rotated. */
void sink_json_reopen(struct sink_json *);

uint64_t sink_json_n_dropped(const struct sink_json *);

#endif /* sink-json.h */
