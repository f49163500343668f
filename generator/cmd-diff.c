/* sdfw diff: which communication becomes possible, and which stops?
 *
 * For every pair of ends and protocol, what the links of a topology open is a
 * set of port ranges (for ICMP: of type << 8 | code).  The difference of two
 * topologies is the difference of these sets, so that splitting, moving or
 * renaming links shows nothing. */

#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/shash.h>

#include "util.h"

struct range {
    uint32_t first, last;
};

/* What is open from one end to another by one protocol. */
struct pair {
    char *from, *to;
    uint16_t protocol;
    struct range *ranges;       /* Sorted and disjoint after tidy(). */
    size_t n, allocated;
};

static struct range
opening_to_range(const struct opening *o)
{
    if (o->protocol == IPPROTO_ICMP || o->protocol == IPPROTO_ICMPV6) {
        if (o->icmp_type < 0) {
            return (struct range) { 0, UINT16_MAX };
        }
        uint32_t type = o->icmp_type << 8;
        return o->icmp_code < 0
               ? (struct range) { type, type | 0xff }
               : (struct range) { type | o->icmp_code, type | o->icmp_code };
    }
    return (struct range) { o->first, o->last };
}

static void
add_range(struct pair *pair, struct range range)
{
    if (pair->n >= pair->allocated) {
        pair->ranges = x2nrealloc(pair->ranges, &pair->allocated,
                                  sizeof *pair->ranges);
    }
    pair->ranges[pair->n++] = range;
}

static int
compare_ranges(const void *a_, const void *b_)
{
    const struct range *a = a_;
    const struct range *b = b_;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void
tidy(struct pair *pair)
{
    if (pair->n) {
        qsort(pair->ranges, pair->n, sizeof *pair->ranges, compare_ranges);
    }
    size_t n = 0;
    for (size_t i = 0; i < pair->n; i++) {
        if (n && pair->ranges[i].first <= pair->ranges[n - 1].last + 1) {
            pair->ranges[n - 1].last = MAX(pair->ranges[n - 1].last,
                                           pair->ranges[i].last);
        } else {
            pair->ranges[n++] = pair->ranges[i];
        }
    }
    pair->n = n;
}

static void
add_link(struct shash *pairs, const struct link *link)
{
    char *from = endpoint_to_string(&link->from);
    char *to = endpoint_to_string(&link->to);
    for (size_t i = 0; i < link->n_openings; i++) {
        const struct opening *o = &link->openings[i];
        char *key = xasprintf("%s %s %u", from, to, o->protocol);
        struct pair *pair = shash_find_data(pairs, key);
        if (!pair) {
            pair = xzalloc(sizeof *pair);
            pair->from = xstrdup(from);
            pair->to = xstrdup(to);
            pair->protocol = o->protocol;
            shash_add(pairs, key, pair);
        }
        add_range(pair, opening_to_range(o));
        free(key);
    }
    free(from);
    free(to);
}

static void
collect(struct shash *pairs, const struct topology *topology, time_t now)
{
    shash_init(pairs);
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            if (link_is_valid(application->links[j], now)) {
                add_link(pairs, application->links[j]);
            }
        }
    }
    struct shash_node *node;
    SHASH_FOR_EACH (node, pairs) {
        tidy(node->data);
    }
}

static void
pairs_destroy(struct shash *pairs)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, pairs) {
        struct pair *pair = node->data;
        free(pair->from);
        free(pair->to);
        free(pair->ranges);
        free(pair);
    }
    shash_destroy(pairs);
}

/* What kind of change, and the columns of its table. */
struct heading {
    const char *text;           /* Before a line of text. */
    const char *markdown;       /* Above a table. */
    const char *columns[3];
};

static const struct heading possible = {
    "becomes possible", "Becomes possible", { "From", "To", "What" },
};
static const struct heading stops = {
    "stops", "Stops", { "From", "To", "What" },
};
static const struct heading removed = {
    "removed", "Removed", { "What", "Was", NULL },
};
static const struct heading changed = {
    "changed", "Changed", { "What", "Was", "Becomes" },
};
static const struct heading added = {
    "added", "Added", { "What", "Is", NULL },
};

/* Writes the lines of a difference, as text or as tables in Markdown. */
struct writer {
    bool markdown;
    const struct heading *last; /* Of the table that is open. */
    size_t n;                   /* Lines so far. */
};

static void
start_table(struct writer *writer, const struct heading *heading)
{
    printf("%s**%s**\n\n", writer->n ? "\n" : "", heading->markdown);
    for (int i = 0; i < 3 && heading->columns[i]; i++) {
        printf("| %s ", heading->columns[i]);
    }
    puts("|");
    for (int i = 0; i < 3 && heading->columns[i]; i++) {
        printf("|---");
    }
    puts("|");
    writer->last = heading;
}

/* Writes a line whose columns are 'a', 'b' and 'c' in Markdown, which may be
 * NULL, and 'text' otherwise.  None of them can end a column or a code span:
 * they are made of names, numbers and addresses. */
static void OVS_PRINTF_FORMAT(6, 7)
put_line(struct writer *writer, const struct heading *heading, const char *a,
         const char *b, const char *c, const char *text, ...)
{
    if (writer->markdown) {
        if (writer->last != heading) {
            start_table(writer, heading);
        }
        printf("| `%s` | `%s` |", a, b);
        if (c) {
            printf(" `%s` |", c);
        }
    } else {
        va_list args;
        va_start(args, text);
        printf("%s: ", heading->text);
        vprintf(text, args);
        va_end(args);
    }
    putchar('\n');
    writer->n++;
}

static void
put_range(struct writer *writer, const struct heading *heading,
          const struct pair *pair, struct range range)
{
    struct opening o = {
        .protocol = pair->protocol, .first = range.first, .last = range.last,
        .icmp_type = -1, .icmp_code = -1,
    };
    if ((pair->protocol == IPPROTO_ICMP || pair->protocol == IPPROTO_ICMPV6)
        && !(range.first == 0 && range.last == UINT16_MAX)) {
        o.icmp_type = range.first >> 8;
        o.icmp_code = range.first == range.last ? range.first & 0xff : -1;
    }
    char *opening = opening_to_string(&o);
    put_line(writer, heading, pair->from, pair->to, opening, "%s -> %s %s",
             pair->from, pair->to, opening);
    free(opening);
}

/* Writes what 'a' has and 'b' has not. */
static void
put_missing(struct writer *writer, const struct heading *heading,
            const struct pair *a, const struct pair *b)
{
    for (size_t i = 0; i < a->n; i++) {
        uint32_t next = a->ranges[i].first;
        for (size_t j = 0; b && j < b->n; j++) {
            const struct range *r = &b->ranges[j];
            if (r->last < next || r->first > a->ranges[i].last) {
                continue;
            }
            if (r->first > next) {
                put_range(writer, heading, a,
                          (struct range) { next, r->first - 1 });
            }
            next = r->last + 1;
        }
        if (next <= a->ranges[i].last) {
            put_range(writer, heading, a,
                      (struct range) { next, a->ranges[i].last });
        }
    }
}

static void
put_all_missing(struct writer *writer, const struct heading *heading,
                const struct shash *a, const struct shash *b)
{
    const struct shash_node **nodes = shash_sort(a);
    for (size_t i = 0; i < shash_count(a); i++) {
        put_missing(writer, heading, nodes[i]->data,
                    shash_find_data(b, nodes[i]->name));
    }
    free(nodes);
}

/* Workloads and modes, as "what" -> "how" to be compared. */

static void
put_workload(struct shash *facts, const struct workload *workload)
{
    char *path = workload_path(workload);
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < workload->n_addresses; i++) {
        char *address = address_to_string(&workload->addresses[i]);
        ds_put_format(&s, "%s%s", i ? ", " : "", address);
        free(address);
    }
    for (size_t i = 0; i < workload->n_services; i++) {
        if (workload->services[i] != workload->home) {
            ds_put_format(&s, "; also %s", workload->services[i]->path);
        }
    }
    shash_add_nocopy(facts, xasprintf("workload %s", path),
                     ds_steal_cstr(&s));
    free(path);
}

static void
put_network(struct shash *facts, const struct network *network)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < network->n_prefixes; i++) {
        char *prefix = prefix_to_string(&network->prefixes[i]);
        ds_put_format(&s, "%s%s", i ? ", " : "", prefix);
        free(prefix);
    }
    for (size_t i = 0; i < network->n_exceptions; i++) {
        char *prefix = prefix_to_string(&network->exceptions[i]);
        ds_put_format(&s, "%s%s", i ? ", " : " except ", prefix);
        free(prefix);
    }
    if (network->forensics) {
        ds_put_cstr(&s, "; forensics");
    }
    shash_add_nocopy(facts, xasprintf("network %s", network->name),
                     ds_steal_cstr(&s));
}

/* What is done in 'whose', an application or a service, if a workload
 * deviates. */
static void
put_responses(struct shash *facts, const char *whose,
              struct response *const responses[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct response *r = responses[i];
        struct ds s = DS_EMPTY_INITIALIZER;
        ds_put_format(&s, "%u deviations (reasons 0x%"PRIx32") in %u s: ",
                      r->count, r->reasons, r->within_s);
        if (r->quarantine_min == QUARANTINE_NONE) {
            ds_put_cstr(&s, "report");
        } else {
            ds_put_format(&s, "quarantine %d min, at most %u %%",
                          r->quarantine_min, r->max_share);
        }
        if (r->capture_min) {
            ds_put_format(&s, ", capture %u min", r->capture_min);
        }
        shash_add_nocopy(facts, xasprintf("response %"PRIuSIZE" of %s", i + 1,
                                          whose), ds_steal_cstr(&s));
    }
}

static void
collect_facts(struct shash *facts, const struct topology *topology)
{
    shash_init(facts);
    for (size_t i = 0; i < topology->n_networks; i++) {
        put_network(facts, topology->networks[i]);
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        put_responses(facts, application->name, application->responses,
                      application->n_responses);
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            put_responses(facts, service->path, service->responses,
                          service->n_responses);
            shash_add_nocopy(facts, xasprintf("service %s", service->path),
                             xasprintf("mode %s, segment %s",
                                       mode_to_string(service_mode(service)),
                                       service->segment->name));
            for (size_t k = 0; k < service->n_workloads; k++) {
                if (service->workloads[k]->home == service) {
                    put_workload(facts, service->workloads[k]);
                }
            }
        }
    }
}

/* Writes what 'a' has and 'b' has not. */
static void
put_missing_facts(struct writer *writer, const struct heading *heading,
                  const struct shash *a, const struct shash *b)
{
    const struct shash_node **nodes = shash_sort(a);
    for (size_t i = 0; i < shash_count(a); i++) {
        const char *name = nodes[i]->name;
        const char *how = nodes[i]->data;
        if (!shash_find(b, name)) {
            put_line(writer, heading, name, how, NULL, "%s (%s)", name, how);
        }
    }
    free(nodes);
}

static void
put_changed_facts(struct writer *writer, const struct shash *old,
                  const struct shash *new)
{
    const struct shash_node **nodes = shash_sort(old);
    for (size_t i = 0; i < shash_count(old); i++) {
        const char *name = nodes[i]->name;
        const char *before = nodes[i]->data;
        const char *after = shash_find_data(new, name);
        if (after && strcmp(after, before)) {
            put_line(writer, &changed, name, before, after, "%s: %s -> %s",
                     name, before, after);
        }
    }
    free(nodes);
}

static void
put_facts(struct writer *writer, const struct topology *old,
          const struct topology *new)
{
    struct shash old_facts, new_facts;
    collect_facts(&old_facts, old);
    collect_facts(&new_facts, new);
    put_missing_facts(writer, &removed, &old_facts, &new_facts);
    put_changed_facts(writer, &old_facts, &new_facts);
    put_missing_facts(writer, &added, &new_facts, &old_facts);
    shash_destroy_free_data(&old_facts);
    shash_destroy_free_data(&new_facts);
}

/* Who reads a page looks at its top, who reads a terminal at its bottom: what
 * becomes possible is there. */
static void
compare(struct writer *writer, const struct topology *old,
        const struct topology *new, time_t now)
{
    struct shash old_pairs, new_pairs;
    collect(&old_pairs, old, now);
    collect(&new_pairs, new, now);
    if (writer->markdown) {
        put_all_missing(writer, &possible, &new_pairs, &old_pairs);
        put_all_missing(writer, &stops, &old_pairs, &new_pairs);
        put_facts(writer, old, new);
    } else {
        put_facts(writer, old, new);
        put_all_missing(writer, &stops, &old_pairs, &new_pairs);
        put_all_missing(writer, &possible, &new_pairs, &old_pairs);
    }
    pairs_destroy(&old_pairs);
    pairs_destroy(&new_pairs);
}

static int
run(const struct options *options)
{
    struct topology *old = command_read_topology(options,
                                                 &options->arguments[0], 1);
    struct topology *new = command_read_topology(options,
                                                 &options->arguments[1], 1);
    int status = EXIT_MANIFEST;
    if (old && new) {
        struct writer writer = { .markdown = options->format };
        compare(&writer, old, new, options->now);
        if (!writer.n && !options->quiet) {
            puts("nothing changes");
        }
        status = writer.n ? EXIT_CHANGES : EXIT_OK;
    }
    topology_destroy(old);
    topology_destroy(new);
    return status;
}

const struct command diff_command = {
    .name = "diff",
    .arguments = "OLD NEW",
    .summary = "says which communication becomes possible and which stops",
    .options = "",
    .formats = "markdown",
    .min_arguments = 2, .max_arguments = 2,
    .help = "Needs no bridge.\n"
            "Exit status: 0 nothing changes, 2 something does, 1 a topology "
            "is wrong.",
    .run = run,
};
