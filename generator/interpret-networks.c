/* Networks: <network> to model.  See interpret.h. */

#include "interpret-private.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"
#include "values.h"
#include "xml.h"

/* A prefix and where it stands, to find it again by its value. */
struct prefix_node {
    struct hmap_node node;
    struct prefix prefix;
    struct location where;
};

static const struct prefix_node *
find_prefix(const struct hmap *prefixes, const struct prefix *prefix)
{
    const struct prefix_node *p;
    HMAP_FOR_EACH_WITH_HASH (p, node,
                             hash_bytes(&prefix->addr, 16, prefix->len),
                             prefixes) {
        if (p->prefix.len == prefix->len
            && !memcmp(&p->prefix.addr, &prefix->addr, 16)) {
            return p;
        }
    }
    return NULL;
}

static void
append_prefix(struct prefix **list, size_t *n, size_t *allocated,
              const struct prefix *prefix)
{
    if (*n >= *allocated) {
        *list = x2nrealloc(*list, allocated, sizeof **list);
    }
    (*list)[(*n)++] = *prefix;
}

/* Reads the <prefix> or <except> elements ('name') of a network. */
static void
read_prefixes(struct interpreter *in, xmlNode *network, const char *name,
              struct prefix **list, size_t *n, struct hmap *index)
{
    size_t allocated = *n;
    for (xmlNode *child = xml_first(network); child; child = xml_next(child)) {
        struct prefix prefix;
        if (!xml_is(child, name)
            || !interpret_ok(in, child,
                             value_to_prefix(xml_text(child), &prefix))) {
            continue;
        }
        const struct prefix_node *first = find_prefix(index, &prefix);
        if (first) {
            report_error(in->report, interpret_place(in, child), "'%s' stands "
                         "in this network already, at line %d; remove one of "
                         "them", xml_text(child), first->where.line);
            continue;
        }
        struct prefix_node *p = xmalloc(sizeof *p);
        p->prefix = prefix;
        p->where = interpret_place(in, child);
        hmap_insert(index, &p->node,
                    hash_bytes(&prefix.addr, 16, prefix.len));
        append_prefix(list, n, &allocated, &prefix);
    }
}

/* True if one of 'prefixes' holds all of 'inner' and more. */
static bool
is_inside(const struct hmap *prefixes, const struct prefix *inner)
{
    struct prefix outer = *inner;
    int shortest = IN6_IS_ADDR_V4MAPPED(&inner->addr) ? 96 : 0;
    for (int len = inner->len - 1; len >= shortest; len--) {
        outer.addr.s6_addr[len / 8] &= ~(0x80 >> len % 8);
        outer.len = len;
        if (find_prefix(prefixes, &outer)) {
            return true;
        }
    }
    return false;
}

static void
free_prefixes(struct hmap *prefixes)
{
    struct prefix_node *p;
    HMAP_FOR_EACH_POP (p, node, prefixes) {
        free(p);
    }
    hmap_destroy(prefixes);
}

/* What is wrong with prefixes that are right one by one. */
static void
judge_exceptions(struct interpreter *in, const struct network *network,
                 const struct hmap *prefixes, const struct hmap *exceptions)
{
    if (!network->n_prefixes) {
        report_error(in->report, network->where, "network '%s' has no "
                     "<prefix>; it needs one such as 10.0.0.0/8",
                     network->name);
        return;
    }
    const struct prefix_node *e;
    HMAP_FOR_EACH (e, node, exceptions) {
        if (!is_inside(prefixes, &e->prefix)) {
            char *text = prefix_to_string(&e->prefix);
            report_error(in->report, e->where, "exception '%s' is not inside "
                         "a prefix of network '%s'; remove it or add the "
                         "prefix", text, network->name);
            free(text);
        }
    }
}

static void
read_network_prefixes(struct interpreter *in, xmlNode *node,
                      struct network *network)
{
    struct hmap prefixes = HMAP_INITIALIZER(&prefixes);
    struct hmap exceptions = HMAP_INITIALIZER(&exceptions);
    size_t n_errors = in->report->n_errors;
    read_prefixes(in, node, "prefix", &network->prefixes,
                  &network->n_prefixes, &prefixes);
    read_prefixes(in, node, "except", &network->exceptions,
                  &network->n_exceptions, &exceptions);
    if (n_errors == in->report->n_errors) {
        judge_exceptions(in, network, &prefixes, &exceptions);
    }
    free_prefixes(&prefixes);
    free_prefixes(&exceptions);
}

void
interpret_network(struct interpreter *in, xmlNode *node)
{
    struct location place = interpret_place(in, node);
    const char *name = xml_attribute(node, "name");
    const char *segment = xml_attribute(node, "segment");
    const char *forensics = xml_attribute(node, "forensics");
    const struct network *first
        = shash_find_data(&in->topology->network_index, name);
    if (first) {
        interpret_report_twice(in, place, "network", name, first->where);
        return;
    }
    struct network *network = topology_add_network(in->topology, name, place);
    network->forensics = forensics && (forensics[0] == 't'
                                       || forensics[0] == '1');
    if (segment) {
        network->segment = interpret_find_segment(in, segment, place);
    }
    read_network_prefixes(in, node, network);
}
