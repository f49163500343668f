/* Where records of deviations go: see sink.h. */

#include "sink.h"

#include <errno.h>
#include <stdlib.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "util.h"

VLOG_DEFINE_THIS_MODULE(sink);

char *
sink_open(const struct sink_class *class, struct loop *loop,
          const char *target, struct sink **sinkp)
{
    *sinkp = NULL;
    char *error = class->check(target);
    if (!error) {
        error = class->open(loop, target, sinkp);
    }
    if (!error) {
        (*sinkp)->class = class;
        (*sinkp)->target = xstrdup(target);
    }
    return error;
}

void
sink_configure(struct sink *sink, const struct settings *settings)
{
    if (sink->class->configure) {
        sink->class->configure(sink, settings);
    }
}

void
sink_put(struct sink *sink, const struct record *record)
{
    const struct sink_class *class = sink->class;
    if (class->put && !(record->folded && class->for_people)
        && !(record->event != DEVIATION_OPEN && class->opens_only)) {
        sink->n_records++;
        class->put(sink, record);
    }
}

void
sink_put_packet(struct sink *sink, const struct packet_record *packet)
{
    if (sink->class->put_packet
        && sink->class->captures == packet->captured) {
        sink->n_records++;
        sink->class->put_packet(sink, packet);
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
        if (sink_n_waiting(sink)) {
            VLOG_WARN("%s %s: %"PRIuSIZE" records that waited are lost",
                      sink->class->name, sink->target, sink_n_waiting(sink));
        }
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

void
sink_note_error(struct sink *sink, const char *why)
{
    if (why && !sink->error) {
        VLOG_WARN("%s %s: %s; records wait", sink->class->name, sink->target,
                  why);
    } else if (!why && sink->error) {
        VLOG_WARN("%s %s: works again; %"PRIu64" records were dropped since "
                  "the start", sink->class->name, sink->target,
                  sink->n_dropped);
    }
    free(sink->error);
    sink->error = nullable_xstrdup(why);
}

void
sink_describe(const struct sink *sink, struct ds *s)
{
    if (sink->error) {
        ds_put_format(s, "; REACHES NOBODY: %s", sink->error);
    }
    if (sink->class->describe) {
        sink->class->describe(sink, s);
    }
}
