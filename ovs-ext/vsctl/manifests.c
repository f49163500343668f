/* Which manifests count: see manifests.h. */

#include "manifests.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "db-ctl-base.h"
#include "manifest.h"
#include "overlay.h"
#include "report.h"
#include "sdfwd-client.h"
#include "smap.h"
#include "svec.h"
#include "util.h"

void
manifests_of_bridge(const struct ovsrec_bridge *bridge, struct svec *paths)
{
    svec_parse_words(paths, smap_get_def(&bridge->other_config, KEY_TOPOLOGY,
                                         ""));
}

char *
manifests_of_all(const struct ctl_context *ctx,
                 const struct ovsrec_bridge *except, struct svec *paths)
{
    const struct ovsrec_bridge *bridge;
    OVSREC_BRIDGE_FOR_EACH (bridge, ctx->idl) {
        if (bridge != except) {
            manifests_of_bridge(bridge, paths);
        }
    }
    struct svec settings = SVEC_EMPTY_INITIALIZER;
    char *error = sdfwd_get_setting("topology", &settings);
    for (size_t i = 0; i < settings.n; i++) {
        /* Others are relative to where sdfwd was started. */
        if (settings.names[i][0] == '/') {
            svec_add(paths, settings.names[i]);
        }
    }
    svec_destroy(&settings);
    svec_sort_unique(paths);
    return error;
}

/* The error that is first in the files, or NULL. */
static char *
first_error(const struct report *report)
{
    const struct finding *first = NULL;
    for (size_t i = 0; i < report->n; i++) {
        const struct finding *f = &report->findings[i];
        int order = f->severity != SEVERITY_ERROR ? 1
                    : !first ? -1
                    : strcmp(f->file ? f->file : "",
                             first->file ? first->file : "");
        if (order < 0 || (!order && f->line < first->line)) {
            first = f;
        }
    }
    return !first ? NULL
           : !first->file ? xstrdup(first->message)
           : !first->line ? xasprintf("%s: %s", first->file, first->message)
           : xasprintf("%s:%d: %s", first->file, first->line, first->message);
}

static struct topology *
read_topologies(const struct svec *paths, bool check, char **error)
{
    struct report report;
    report_init(&report);
    struct topology *topology = manifest_read(
        (const char *const *) paths->names, paths->n, &report);
    if (topology && check) {
        check_topology(topology, time(NULL), &report);
    }
    *error = first_error(&report);
    report_destroy(&report);
    return topology;
}

struct topology *
manifests_read_all(const struct ctl_context *ctx, char **why)
{
    static char *known_paths;
    static struct topology *known;
    struct svec paths = SVEC_EMPTY_INITIALIZER;
    char *error = manifests_of_all(ctx, NULL, &paths);
    char *joined = svec_join(&paths, "\n", "");
    *why = NULL;
    if (!known_paths || strcmp(joined, known_paths) || !known) {
        topology_destroy(known);
        free(known_paths);
        known_paths = xstrdup(joined);
        known = NULL;
        if (paths.n) {
            known = read_topologies(&paths, false, why);
        } else {
            *why = xasprintf("no bridge is enabled (sdfw-enable)%s%s",
                             error ? ", and " : "", error ? error : "");
        }
    }
    free(error);
    free(joined);
    svec_destroy(&paths);
    return known;
}

char *
manifests_check(const struct svec *paths)
{
    char *error;
    topology_destroy(read_topologies(paths, true, &error));
    return error;
}
