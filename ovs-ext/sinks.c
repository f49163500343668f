/* The sinks that the settings name: see sinks.h. */

#include "sinks.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/vlog.h>

#include "daemon.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(sinks);

static const struct kind {
    enum setting setting;
    const struct sink_class *class;
} kinds[] = {
    { SETTING_JSON, &sink_json_class },
    { SETTING_SYSLOG, &sink_syslog_class },
    { SETTING_PCAP, &sink_pcap_class },
    { SETTING_CAPTURE, &sink_capture_class },
    { SETTING_HOOK, &sink_hook_class },
};

char *
sinks_check(enum setting setting, const char *target)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].setting == setting) {
            return kinds[i].class->check(target);
        }
    }
    return NULL;
}

/* Takes the sink with this target out of 'sinks', if it is there. */
static struct sink *
take_sink(struct sink **sinks, size_t n, const struct sink_class *class,
          const char *target)
{
    for (size_t i = 0; i < n; i++) {
        struct sink *sink = sinks[i];
        if (sink && sink->class == class && !strcmp(sink->target, target)) {
            sinks[i] = NULL;
            return sink;
        }
    }
    return NULL;
}

/* Is there one that writes to 'target' already, as another name? */
static bool
is_open(const struct daemon *d, const struct sink_class *class,
        const char *target)
{
    for (size_t i = 0; i < d->n_sinks; i++) {
        const struct sink *sink = d->sinks[i];
        if (sink->class == class && class->is_same
            && class->is_same(sink, target)) {
            VLOG_WARN_ONCE("%s %s: the same as %s; what is told there is told "
                           "once", class->name, target, sink->target);
            return true;
        }
    }
    return false;
}

static void
close_sink(struct sink *sink)
{
    if (sink) {
        VLOG_INFO("%s %s: closed; %"PRIuSIZE" records were waiting, %"PRIu64
                  " had been dropped", sink->class->name, sink->target,
                  sink_n_waiting(sink), sink->n_dropped);
        sink_close(sink);
    }
}

char *
sinks_update(struct daemon *d)
{
    struct sink **old = d->sinks;
    size_t n_old = d->n_sinks;
    d->sinks = NULL;
    d->n_sinks = 0;
    d->wants_packets = false;
    char *first = NULL;
    svec_clear(&d->unopened);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct svec *targets = settings_list(&d->settings,
                                                   kinds[i].setting);
        d->sinks = xrealloc(d->sinks, (d->n_sinks + targets->n)
                                      * sizeof *d->sinks);
        for (size_t j = 0; j < targets->n; j++) {
            struct sink *sink = take_sink(old, n_old, kinds[i].class,
                                          targets->names[j]);
            if (!sink && is_open(d, kinds[i].class, targets->names[j])) {
                continue;
            }
            char *error = sink ? NULL
                          : sink_open(kinds[i].class, d->loop,
                                      targets->names[j], &sink);
            if (!error) {
                sink_configure(sink, &d->settings);
                d->wants_packets |= sink->class->put_packet
                                    && !sink->class->captures;
                d->sinks[d->n_sinks++] = sink;
                continue;
            }
            svec_add(&d->unopened, error);
            if (first) {
                VLOG_ERR("%s", error);
                free(error);
            } else {
                first = error;
            }
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        close_sink(old[i]);
    }
    free(old);
    return first;
}
