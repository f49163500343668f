/* Splits a stream of bytes into JSON texts, as JSON-RPC 1.0 over a stream has
 * them (RFC 7047, 4). */

#ifndef SDFW_JSON_STREAM_H
#define SDFW_JSON_STREAM_H 1

#include <stdbool.h>
#include <stddef.h>

struct json;
struct json_parser;

/* All zeros at first. */
struct json_stream {
    struct json_parser *parser; /* Of a text that has come in part. */
};

void json_stream_destroy(struct json_stream *);

/* Calls 'handle' for each text that is complete; it owns the json, which is a
 * string if there was a syntax error.  Goes on while 'handle' returns true,
 * and otherwise must not touch 'stream' again, which may be gone. */
void json_stream_feed(struct json_stream *stream, const char *data, size_t n,
                      bool (*handle)(struct json *, void *aux), void *aux);

#endif /* json-stream.h */
