/* Would a push take away too much: see shrink.h.  Identifiers in cookies
 * derive from names, so those on the bridge can be looked up in any
 * topology. */

#include "shrink.h"

#include <stdlib.h>

#include "compile.h"
#include "util.h"

struct loss {
    size_t installed, gone;
};

static int
compare_cookies(const void *a_, const void *b_)
{
    const uint64_t *a = a_;
    const uint64_t *b = b_;
    return *a < *b ? -1 : *a > *b;
}

static uint64_t *
list_installed(const struct flow_set *installed, size_t *n)
{
    uint64_t *cookies = xcalloc(installed->n + 1, sizeof *cookies);
    for (size_t i = 0; i < installed->n; i++) {
        cookies[i] = installed->flows[i].cookie;
    }
    *n = installed->n;
    qsort(cookies, *n, sizeof *cookies, compare_cookies);
    return cookies;
}

static struct loss
count_loss(const uint64_t *installed, size_t n_installed,
           const uint64_t *kept, size_t n_kept, enum origin_kind kind)
{
    struct loss loss = { .installed = 0 };
    for (size_t i = 0; i < n_installed; i++) {
        const uint64_t *cookie = &installed[i];
        if ((*cookie >> COOKIE_KIND_SHIFT & 0xff) != kind
            || (i && *cookie == cookie[-1])) {
            continue;
        }
        loss.installed++;
        loss.gone += !bsearch(cookie, kept, n_kept, sizeof *kept,
                              compare_cookies);
    }
    return loss;
}

static bool
is_too_much(struct loss loss, int min_kept_percent)
{
    return (loss.installed - loss.gone) * 100
           < loss.installed * min_kept_percent;
}

char *
shrink_check(const struct topology *topology, const struct ports *ports,
             const struct flow_set *installed, int min_kept_percent)
{
    if (!min_kept_percent) {
        return NULL;
    }
    size_t n_kept, n_installed;
    uint64_t *kept = compile_cookies(topology, ports, &n_kept);
    uint64_t *cookies = list_installed(installed, &n_installed);
    qsort(kept, n_kept, sizeof *kept, compare_cookies);
    struct loss links = count_loss(cookies, n_installed, kept, n_kept,
                                   ORIGIN_LINK);
    struct loss workloads = count_loss(cookies, n_installed, kept, n_kept,
                                       ORIGIN_WORKLOAD);
    free(cookies);
    free(kept);
    return is_too_much(links, min_kept_percent)
           || is_too_much(workloads, min_kept_percent)
           ? xasprintf("refused: of what is installed, %zu of %zu links and "
                       "%zu of %zu workloads would go, more than %d %%; "
                       "nothing was changed; if this is meant, use --force",
                       links.gone, links.installed, workloads.gone,
                       workloads.installed, 100 - min_kept_percent)
           : NULL;
}
