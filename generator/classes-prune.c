/* What one bridge needs of the classes.
 *
 * On a bridge, every packet that is judged comes from or goes to a workload
 * that is there: the others go back to table 0.  So of all workloads that are
 * elsewhere, and of all networks, those matter that a link joins with a class
 * that is here ("needed").  What is not needed may only be left out where
 * nothing else would take its place:
 *
 * - an address inside a network that is needed would count as that network's;
 * - the address of one who enforces makes a deviation be dropped that would
 *   otherwise pass, if it is from or to one here who does not enforce;
 * - connections with one who is in quarantine are judged anew;
 * - a prefix that is not needed still is an exception in one that is. */

#include "classes.h"

#include <stdlib.h>

#include "util.h"

static bool
any_is_local(struct class *const classes[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (classes[i]->local) {
            return true;
        }
    }
    return false;
}

static void
mark_needed(struct class *const classes[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        classes[i]->needed = true;
    }
}

static void
mark_link(struct classes *classes, const struct link *link,
          bool from_quarantine, bool to_quarantine)
{
    size_t n_from, n_to;
    struct class *const *from = classes_of(classes, &link->from,
                                           from_quarantine, &n_from);
    struct class *const *to = classes_of(classes, &link->to, to_quarantine,
                                         &n_to);
    if (any_is_local(from, n_from)) {
        mark_needed(to, n_to);
    }
    if (any_is_local(to, n_to)) {
        mark_needed(from, n_from);
    }
}

static void
mark_links(struct classes *classes, const struct topology *topology,
           time_t now)
{
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            const struct link *link = application->links[j];
            for (int k = 0; k < 3 && link_is_valid(link, now); k++) {
                mark_link(classes, link, k == 1, k == 2);
            }
        }
    }
}

/* Leaves the addresses that are needed.  'lenient' is set if a workload of
 * the segment that is here does not enforce. */
static void
prune_addresses(struct class_segment *cs, const uint16_t ports[],
                bool lenient)
{
    size_t n = 0;
    for (size_t i = 0; i < cs->n_addresses; i++) {
        const struct class_address *a = &cs->addresses[i];
        bool here = !a->foreign && ports[a->workload->index];
        if (here || a->class->needed || a->class->quarantine
            || (lenient && a->class->enforce)
            || (a->around && a->around->needed)) {
            cs->addresses[n++] = *a;
        }
    }
    cs->n_addresses = n;
}

/* Takes the class of prefixes that are not needed, and leaves out those that
 * then say what the prefix around them says.  They are sorted, with what is
 * inside a prefix after it. */
static void
prune_prefixes(struct class_segment *cs)
{
    size_t stack[130];          /* Those around the current one. */
    size_t depth = 0, n = 0;
    for (size_t i = 0; i < cs->n_prefixes; i++) {
        struct class_prefix cp = cs->prefixes[i];
        while (depth && !prefix_holds(&cs->prefixes[stack[depth - 1]].prefix,
                                      &cp.prefix.addr)) {
            depth--;
        }
        const struct class_prefix *around
            = depth ? &cs->prefixes[stack[depth - 1]] : NULL;
        if (cp.class && !cp.class->needed) {
            cp.class = NULL;
        }
        if (cp.class != (around ? around->class : NULL)
            || cp.exact != (around && around->exact)) {
            stack[depth++] = n;
            cs->prefixes[n++] = cp;
        }
    }
    cs->n_prefixes = n;
}

void
classes_prune(struct classes *classes, const struct topology *topology,
              const struct ports *ports, time_t now)
{
    bool *lenient = xcalloc(classes->n_segments, sizeof *lenient);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        for (size_t j = 0; ports->of_workload[i] && j < classes->n_segments;
             j++) {
            struct class_segment *cs = &classes->segments[j];
            if (cs->segment == ports->workloads[i]->home->segment) {
                cs->local = true;
                lenient[j] |= !classes->of_workload[i]->enforce;
                classes->of_workload[i]->local = true;
            }
        }
    }
    mark_links(classes, topology, now);
    for (size_t i = 0; i < classes->n_segments; i++) {
        struct class_segment *cs = &classes->segments[i];
        if (cs->local) {
            prune_addresses(cs, ports->of_workload, lenient[i]);
            classes_build_prefixes(classes, topology, cs);
            prune_prefixes(cs);
        }
    }
    free(lenient);
}

bool
classes_segment_is_local(const struct classes *classes,
                         const struct segment *segment)
{
    for (size_t i = 0; i < classes->n_segments; i++) {
        if (classes->segments[i].segment == segment) {
            return classes->segments[i].local;
        }
    }
    return false;
}
