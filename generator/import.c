/* What was read from a file into a profile: see import.h. */

#include "import.h"

#include <stdlib.h>
#include <string.h>

#include "direction.h"
#include "util.h"

/* With each import more may be told of who is a server. */
static char *
settle(struct profile *profile)
{
    struct history history;
    char *error = profile_read(profile, &history);
    if (error) {
        return error;
    }
    enum settlement *settlements = xcalloc(history.n_tuples + 1,
                                           sizeof *settlements);
    direction_settle(&history, settlements);
    error = profile_settle(profile, &history, settlements);
    free(settlements);
    history_destroy(&history);
    return error;
}

/* By what the profile's keys are: neighbors are cheap to add. */
static int
compare_observations(const void *a_, const void *b_)
{
    const struct observation *a = a_;
    const struct observation *b = b_;
    int order = memcmp(&a->src.address, &b->src.address,
                       sizeof a->src.address);
    if (!order) {
        order = memcmp(&a->dst.address, &b->dst.address,
                       sizeof a->dst.address);
    }
    order = order ? order : a->protocol - b->protocol;
    order = order ? order : a->dst_port - b->dst_port;
    order = order ? order : a->src_port - b->src_port;
    /* What is cumulative is told in order of time. */
    return order ? order : a->last < b->last ? -1 : a->last > b->last;
}

static char *
add_all(struct profile *profile, struct observations *observations)
{
    if (observations->n) {
        qsort(observations->all, observations->n, sizeof *observations->all,
              compare_observations);
    }
    for (size_t i = 0; i < observations->n; i++) {
        char *error = profile_add(profile, &observations->all[i]);
        if (error) {
            return error;
        }
    }
    return profile_has_undecided(profile) ? settle(profile) : NULL;
}

char *
import_observations(struct profile *profile,
                    struct observations *observations, const char *path,
                    const char *digest, int64_t now, bool *again)
{
    char *error = profile_begin(profile);
    if (error) {
        return error;
    }
    error = profile_add_import(profile, digest, path, now, again);
    if (!error && !*again) {
        error = add_all(profile, observations);
    }
    if (!error && !*again) {
        error = profile_commit(profile);
    }
    if (error || *again) {
        profile_rollback(profile);
    }
    return error;
}
