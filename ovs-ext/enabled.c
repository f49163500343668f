/* Bridges that OVSDB says are to be kept: see enabled.h. */

#include "enabled.h"

#include <stdlib.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/vlog.h>

#include "daemon.h"
#include "push.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(enabled);

/* Indexes of bridges have 8 bits, and the last is none. */
#define MAX_BRIDGES (UINT8_MAX - 1)

#define CLEAR_TIMEOUT_MS 5000

/* Those of 'before' that are not in 'now', though the bridge is there, and that
 * the settings do not name. */
static void
note_disabled(struct daemon *d, const struct ovsdb_rows *rows,
              const struct svec *before, const struct svec *now)
{
    for (size_t i = 0; i < before->n; i++) {
        const char *name = before->names[i];
        if (!svec_contains(now, name) && ovsdb_rows_have_bridge(rows, name)
            && !svec_contains_unsorted(settings_list(&d->settings,
                                                     SETTING_BRIDGE), name)) {
            svec_add(&d->disabled, name);
        }
    }
}

bool
enabled_update(struct daemon *d, const struct ovsdb_rows *rows)
{
    struct svec bridges = SVEC_EMPTY_INITIALIZER;
    struct svec paths = SVEC_EMPTY_INITIALIZER;
    ovsdb_rows_get_enabled(rows, &bridges, &paths);
    bool changed = !svec_equal(&bridges, &d->enabled)
                   || !svec_equal(&paths, &d->enabled_paths);
    if (changed) {
        note_disabled(d, rows, &d->enabled, &bridges);
        svec_swap(&d->enabled, &bridges);
        svec_swap(&d->enabled_paths, &paths);
    }
    svec_destroy(&bridges);
    svec_destroy(&paths);
    return changed;
}

static void
add_others(struct svec *list, const struct svec *others, size_t max)
{
    for (size_t i = 0; i < others->n && list->n < max; i++) {
        if (!svec_contains_unsorted(list, others->names[i])) {
            svec_add(list, others->names[i]);
        }
    }
}

void
enabled_list(const struct daemon *d, struct svec *bridges, struct svec *paths)
{
    svec_clone(bridges, settings_list(&d->settings, SETTING_BRIDGE));
    svec_clone(paths, settings_list(&d->settings, SETTING_TOPOLOGY));
    add_others(bridges, &d->enabled, MAX_BRIDGES);
    add_others(paths, &d->enabled_paths, SIZE_MAX);
    if (!paths->n) {
        /* No topology is not the same as an empty one. */
        svec_clear(bridges);
    }
}

void
enabled_clear(struct daemon *d)
{
    const struct push_options options = {
        .db = settings_text(&d->settings, SETTING_DB),
        .timeout_ms = CLEAR_TIMEOUT_MS,
    };
    for (size_t i = 0; i < d->disabled.n; i++) {
        size_t n;
        char *error = push_clear(d->disabled.names[i], &options, &n);
        if (error) {
            VLOG_WARN("%s is no longer enabled, but what was installed may "
                      "still be there: %s", d->disabled.names[i], error);
            free(error);
        } else {
            VLOG_INFO("%s is no longer enabled: removed %"PRIuSIZE" flows",
                      d->disabled.names[i], n);
        }
    }
    svec_clear(&d->disabled);
}

void
enabled_format(const struct daemon *d, struct ds *s)
{
    char *paths = svec_join(&d->enabled_paths, " ", "");
    for (size_t i = 0; i < d->enabled.n; i++) {
        ds_put_format(s, "%-20s %s (OVSDB, Bridge:other_config, with %s)\n",
                      "bridge", d->enabled.names[i], paths);
    }
    free(paths);
}

void
enabled_destroy(struct daemon *d)
{
    svec_destroy(&d->enabled);
    svec_destroy(&d->enabled_paths);
    svec_destroy(&d->disabled);
}
