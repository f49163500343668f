/* Splits a stream of bytes into JSON texts: see json-stream.h. */

#include "json-stream.h"

#include <openvswitch/json.h>

void
json_stream_destroy(struct json_stream *stream)
{
    json_parser_abort(stream->parser);
    stream->parser = NULL;
}

void
json_stream_feed(struct json_stream *stream, const char *data, size_t n,
                 bool (*handle)(struct json *, void *aux), void *aux)
{
    for (size_t taken = 0; taken < n; ) {
        if (!stream->parser) {
            stream->parser = json_parser_create(0);
        }
        taken += json_parser_feed(stream->parser, data + taken, n - taken);
        if (json_parser_is_done(stream->parser)) {
            struct json *json = json_parser_finish(stream->parser);
            stream->parser = NULL;
            if (!handle(json, aux)) {
                return;
            }
        }
    }
}
