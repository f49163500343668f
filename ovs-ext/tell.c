/* From the book to the sinks: see tell.h. */

#include "tell.h"

#include <stdlib.h>
#include <syslog.h>

#include <openvswitch/json.h>
#include <openvswitch/vlog.h>

#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(deviations);

static const char *const msgids[] = { "OPEN", "UPDATE", "CLOSE" };

struct explain_context
tell_context(const struct daemon *d, const struct deviation *deviation)
{
    const struct bridge_state *b = &d->bridges[deviation->key.bridge];
    uint16_t in_port = deviation->key.in_port;
    bool known = in_port < PORT_MAX;
    return (struct explain_context) {
        .topology = d->topology,
        .overlay = b->overlay,
        .bridge = d->bridge_names.names[b->index],
        .interface = known ? b->port_names[in_port] : NULL,
        .from = known ? b->by_port[in_port] : NULL,
        .policy_ms = d->topology ? d->loaded_ms : 0,
        .now_ms = time_wall_msec(),
    };
}

static void
put_record(struct daemon *d, const struct record *record)
{
    if (!record->folded) {
        VLOG_INFO("%s", record->text);
    }
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_put(d->sinks[i], record);
    }
}

static int
severity_of(enum deviation_event event, const struct deviation *deviation)
{
    return event != DEVIATION_OPEN ? LOG_INFO
           : deviation->key.enforced ? LOG_WARNING : LOG_NOTICE;
}

void
tell_deviation(enum deviation_event event, struct deviation *deviation,
               void *d_)
{
    struct daemon *d = d_;
    const struct explain_context context = tell_context(d, deviation);
    bool folded = fold_event(&d->fold, event, deviation, context.from,
                             context.now_ms);
    if (deviation->incident_id && !d->fold_pending) {
        d->fold_pending = true;
        timer_set(d->fold_timer, 1000LL * d->reports.timeout_s);
    }
    struct explanation e;
    explain(event, deviation, &context, &e);
    put_record(d, &(struct record) {
        .event = event, .deviation = deviation, .json = e.json,
        .text = e.text, .severity = severity_of(event, deviation),
        .msgid = msgids[event], .folded = folded || e.learning,
    });
    web_note_deviation(d->web, event, deviation, e.json, e.text);
    bool allowed = e.allowed;
    explanation_destroy(&e);
    if (event == DEVIATION_OPEN && context.from && !allowed) {
        respond_to(&d->bridges[deviation->key.bridge], deviation,
                   context.from);
    }
}

void
tell_incident(enum deviation_event event, const struct incident *incident,
              void *d_)
{
    struct daemon *d = d_;
    const struct explain_context context = tell_context(d, &incident->first);
    struct explanation e;
    explain_incident(event, incident, &context, &e);
    put_record(d, &(struct record) {
        .event = event, .json = e.json, .text = e.text,
        .severity = severity_of(event, &incident->first),
        .msgid = msgids[event], .folded = e.learning,
    });
    explanation_destroy(&e);
}

void
tell_event(const struct bridge_state *b, const char *event,
           struct json *json, const char *text, int severity,
           const char *msgid)
{
    json_object_put_string(json, "event", event);
    json_object_put_string(json, "bridge",
                           b->daemon->bridge_names.names[b->index]);
    json_object_put(json, "time", json_string_create_nocopy(
                        xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z",
                                        time_wall_msec(), true)));
    put_record(b->daemon, &(struct record) {
        .event = DEVIATION_OPEN, .json = json, .text = text,
        .severity = severity, .msgid = msgid,
    });
    json_destroy(json);
}

void
tell_incidents_that_grow(void *d_)
{
    struct daemon *d = d_;
    long long int now = time_wall_msec();
    long long int next = fold_run(&d->fold, 1000LL * d->reports.timeout_s,
                                  now);
    d->fold_pending = next != 0;
    if (next) {
        timer_set(d->fold_timer, MAX(next - now, 1));
    }
}

/* How many packets of a deviation may be kept. */
#define MAX_PACKETS_KEPT 4

/* The port that a deviation came in at, as others call it; the caller frees
 * it. */
static char *
port_of(const struct deviation *deviation,
        const struct explain_context *context)
{
    return context->interface
           ? xasprintf("%s/%s", context->bridge, context->interface)
           : xasprintf("%s/%"PRIu16, context->bridge, deviation->key.in_port);
}

void
tell_packet(struct daemon *d, const struct deviation_key *key,
            const struct deviation_frame *frame)
{
    const struct deviation *deviation = d->wants_packets
                                        ? book_find(&d->book, key) : NULL;
    if (!deviation || deviation->n_packet_ins > MAX_PACKETS_KEPT) {
        return;
    }
    const struct explain_context context = tell_context(d, deviation);
    char *port = port_of(deviation, &context);
    struct explanation e;
    explain(DEVIATION_OPEN, deviation, &context, &e);
    char *text = xasprintf("deviation %"PRIu64": %s", deviation->id, e.text);
    const struct packet_record packet = {
        .frame = frame, .port = port, .text = text,
        .time_us = time_wall_usec(),
    };
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_put_packet(d->sinks[i], &packet);
    }
    explanation_destroy(&e);
    free(text);
    free(port);
}

void
tell_captured(const struct bridge_state *b, const struct captured *captured)
{
    const struct daemon *d = b->daemon;
    const struct workload *w = captured->port < PORT_MAX
                               ? b->by_port[captured->port] : NULL;
    const char *interface = captured->port < PORT_MAX
                            ? b->port_names[captured->port] : NULL;
    char *path = w ? workload_path(w) : xstrdup("a workload that is gone");
    char *port = xasprintf("%s/%s", d->bridge_names.names[b->index],
                           interface ? interface : "?");
    char *text = xasprintf("%s %s", captured->sent ? "from" : "to", path);
    const struct packet_record packet = {
        .captured = true, .frame = &captured->frame, .port = port,
        .text = text, .time_us = time_wall_usec(),
    };
    for (size_t i = 0; i < d->n_sinks; i++) {
        sink_put_packet(d->sinks[i], &packet);
    }
    free(text);
    free(port);
    free(path);
}
