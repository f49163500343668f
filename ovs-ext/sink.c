/* Where records of deviations go: see sink.h. */

#include "sink.h"

#include <stdlib.h>

#include "util.h"

char *
sink_open(const struct sink_class *class, struct loop *loop,
          const char *target, struct sink **sinkp)
{
    *sinkp = NULL;
    char *error = class->open(loop, target, sinkp);
    if (!error) {
        (*sinkp)->class = class;
        (*sinkp)->target = xstrdup(target);
    }
    return error;
}

void
sink_put(struct sink *sink, const struct record *record)
{
    if (!record->folded || !sink->class->for_people) {
        sink->n_records++;
        sink->class->put(sink, record);
    }
}

void
sink_reopen(struct sink *sink)
{
    if (sink->class->reopen) {
        sink->class->reopen(sink);
    }
}

void
sink_close(struct sink *sink)
{
    if (sink) {
        free(sink->target);
        free(sink->error);
        sink->class->close(sink);
    }
}

size_t
sink_n_waiting(const struct sink *sink)
{
    return sink->class->n_waiting ? sink->class->n_waiting(sink) : 0;
}
