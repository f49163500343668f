/* Takes what was pushed off a bridge: see clear.h. */

#include "clear.h"

#include <stdlib.h>
#include <unistd.h>

#include "dirs.h"
#include "push.h"
#include "util.h"

#define TIMEOUT_MS 10000

char *
clear_bridge(const char *bridge, const char *db, size_t *n_removed)
{
    char *socket = xasprintf("%s/%s.mgmt", ovs_rundir(), bridge);
    bool is_there = !access(socket, F_OK);
    const struct push_options options = {
        .db = db, .timeout_ms = TIMEOUT_MS,
    };
    free(socket);
    *n_removed = 0;
    return is_there ? push_clear(bridge, &options, n_removed) : NULL;
}
