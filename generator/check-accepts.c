/* Acceptance: a link between two applications needs an <accept> in the one
 * that does not declare it, so that no team opens the services of another. */

#include "check-links.h"

#include <stdlib.h>

#include "evaluate.h"
#include "hash.h"
#include "hmapx.h"
#include "openvswitch/hmap.h"
#include "util.h"

/* The end of 'link' that is not in its own application, or NULL. */
static const struct service *
foreign_end(const struct link *link)
{
    const struct service *from = link->from.service;
    const struct service *to = link->to.service;
    return from && from->application != link->application ? from
           : to && to->application != link->application ? to : NULL;
}

/* An accept under one of its names: by its own service, the direction, and
 * the other service or application. */
struct accept_node {
    struct hmap_node node;
    const struct service *own;
    const void *other;
    bool own_is_to;
    const struct link *accept;
};

static uint32_t
accept_hash(const struct service *own, const void *other, bool own_is_to)
{
    return hash_pointer(own, hash_pointer(other, own_is_to));
}

static void
index_accepts(const struct application *application, struct hmap *index)
{
    for (size_t i = 0; i < application->n_accepts; i++) {
        const struct link *accept = application->accepts[i];
        bool own_is_to = accept->to.service
                         && accept->to.service->application == application;
        const struct endpoint *own = own_is_to ? &accept->to : &accept->from;
        const struct endpoint *other = own_is_to ? &accept->from
                                                 : &accept->to;
        struct accept_node *a = xmalloc(sizeof *a);
        *a = (struct accept_node) {
            .own = own->service, .own_is_to = own_is_to, .accept = accept,
            .other = other->service ? (void *) other->service
                                    : (void *) other->application,
        };
        hmap_insert(index, &a->node, accept_hash(a->own, a->other,
                                                 own_is_to));
    }
}

/* The accepts that a link falls under, and what they open together. */
struct acceptance {
    const struct link *accept;  /* One of them, or NULL. */
    bool all;                   /* One of them does not narrow. */
    const struct opening **openings;
    size_t n, allocated;
};

static void
add_acceptance(struct acceptance *acceptance, const struct link *accept,
               struct hmapx *used)
{
    hmapx_add(used, CONST_CAST(struct link *, accept));
    acceptance->accept = accept;
    acceptance->all |= !accept->n_openings;
    for (size_t i = 0; i < accept->n_openings; i++) {
        if (acceptance->n >= acceptance->allocated) {
            acceptance->openings = x2nrealloc(acceptance->openings,
                                              &acceptance->allocated,
                                              sizeof *acceptance->openings);
        }
        acceptance->openings[acceptance->n++] = &accept->openings[i];
    }
}

static void
find_accepts(const struct hmap *index, const struct link *link,
             const struct service *foreign, struct hmapx *used,
             struct acceptance *acceptance)
{
    bool foreign_is_to = foreign == link->to.service;
    const struct service *own = foreign_is_to ? link->from.service
                                              : link->to.service;
    const void *others[] = { own, own->application };
    for (int i = 0; i < 2; i++) {
        const struct accept_node *a;
        HMAP_FOR_EACH_WITH_HASH (a, node, accept_hash(foreign, others[i],
                                                      foreign_is_to), index) {
            if (a->own == foreign && a->other == others[i]
                && a->own_is_to == foreign_is_to) {
                add_acceptance(acceptance, a->accept, used);
            }
        }
    }
}

/* True if the openings of 'acceptance' together open all of 'opening'.  A
 * range may be put together from several. */
static bool
is_accepted(const struct acceptance *acceptance,
            const struct opening *opening)
{
    struct opening rest = *opening;
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < acceptance->n; i++) {
            const struct opening *a = acceptance->openings[i];
            if (opening_covers(a, &rest)) {
                return true;
            }
            if (opening_has_ports(&rest) && a->protocol == rest.protocol
                && a->first <= rest.first && a->last >= rest.first) {
                rest.first = a->last + 1;
                moved = true;
            }
        }
    }
    return false;
}

/* 'opening' as it is written in a manifest. */
static char *
opening_to_xml(const struct opening *o)
{
    const char *name = o->protocol == IPPROTO_TCP ? "tcp"
                       : o->protocol == IPPROTO_UDP ? "udp"
                       : o->protocol == IPPROTO_SCTP ? "sctp"
                       : o->protocol == IPPROTO_ICMP ? "icmp"
                       : o->protocol == IPPROTO_ICMPV6 ? "icmp6" : NULL;
    if (o->protocol == PROTOCOL_ANY) {
        return xstrdup("<any/>");
    } else if (!name) {
        return xasprintf("<protocol number=\"%u\"/>", o->protocol);
    } else if (o->icmp_code >= 0) {
        return xasprintf("<%s type=\"%d\" code=\"%d\"/>", name, o->icmp_type,
                         o->icmp_code);
    } else if (o->icmp_type >= 0) {
        return xasprintf("<%s type=\"%d\"/>", name, o->icmp_type);
    } else if (!opening_has_ports(o) || (!o->first && o->last == UINT16_MAX)) {
        return xasprintf("<%s/>", name);
    } else if (o->first == o->last) {
        return xasprintf("<%s port=\"%u\"/>", name, o->first);
    }
    return xasprintf("<%s port=\"%u-%u\"/>", name, o->first, o->last);
}

static void
report_no_accept(const struct link *link, const struct service *foreign,
                 struct report *report)
{
    bool foreign_is_to = foreign == link->to.service;
    const struct application *application = foreign->application;
    report_error(report, link->where, "application '%s' does not accept this "
                 "link; add <accept from=\"%s\" to=\"%s\"/> to it (%s:%d)",
                 application->name,
                 foreign_is_to ? link->from.service->path : foreign->name,
                 foreign_is_to ? foreign->name : link->to.service->path,
                 application->where.file, application->where.line);
}

static void
check_acceptance(const struct hmap *index, const struct link *link,
                 struct hmapx *used, struct report *report)
{
    const struct service *foreign = foreign_end(link);
    struct acceptance acceptance = { .accept = NULL };
    if (!foreign) {
        return;
    }
    find_accepts(index, link, foreign, used, &acceptance);
    if (!acceptance.accept) {
        report_no_accept(link, foreign, report);
    }
    for (size_t i = 0; acceptance.accept && !acceptance.all
         && i < link->n_openings; i++) {
        const struct opening *opening = &link->openings[i];
        if (!is_accepted(&acceptance, opening)) {
            char *text = opening_to_string(opening);
            char *xml = opening_to_xml(opening);
            report_error(report, opening->where, "application '%s' does not "
                         "accept %s on this link; add %s to its <accept> "
                         "(%s:%d)", foreign->application->name, text, xml,
                         acceptance.accept->where.file,
                         acceptance.accept->where.line);
            free(text);
            free(xml);
        }
    }
    free(acceptance.openings);
}

void
check_accepts(const struct topology *topology, struct report *report)
{
    struct hmap index = HMAP_INITIALIZER(&index);
    struct hmapx used = HMAPX_INITIALIZER(&used);
    for (size_t i = 0; i < topology->n_applications; i++) {
        index_accepts(topology->applications[i], &index);
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_links; j++) {
            check_acceptance(&index, application->links[j], &used, report);
        }
    }
    struct accept_node *a;
    HMAP_FOR_EACH_POP (a, node, &index) {
        if (!hmapx_contains(&used, a->accept)) {
            report_warning(report, a->accept->where, "no link uses this "
                           "<accept>; remove it, or the other application "
                           "has yet to link");
        }
        free(a);
    }
    hmap_destroy(&index);
    hmapx_destroy(&used);
}
