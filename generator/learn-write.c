/* Links that were learned to manifests: see learn.h.
 *
 * What was set aside stands in a comment of its application, so that whoever
 * reviews the manifest sees what it does not allow. */

#include "learn-private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>
#include <openvswitch/dynamic-string.h>

#include "evaluate.h"
#include "packets.h"
#include "util.h"

/* In a comment; sdfw learn prints all. */
#define MAX_ASIDES 50

/* What belongs to which part? */

static const struct service *
owner_of(const struct learned_link *link)
{
    return link->from.service ? link->from.service : link->to.service;
}

static bool
is_in_part(const struct learned_part *part, const struct service *service)
{
    return part->service ? part->service == service
           : !part->application || part->application == service->application;
}

static bool
is_accepted(const struct learned_link *link)
{
    const struct application *application = link->to.service->application;
    for (size_t i = 0; i < application->n_accepts; i++) {
        const struct link *accept = application->accepts[i];
        const struct endpoint *from = &accept->from;
        bool fits = (from->service == link->from.service
                     || (!from->service && from->application
                         == link->from.service->application))
                    && (accept->to.service == link->to.service
                        || (!accept->to.service && accept->to.application
                            == application));
        for (size_t j = 0; fits && j < accept->n_openings; j++) {
            if (opening_covers(&accept->openings[j], &link->opening)) {
                return true;
            }
        }
        if (fits && !accept->n_openings) {
            return true;
        }
    }
    return false;
}

static bool
needs_accept(const struct learned_link *link)
{
    return link->from.service && link->to.service
           && link->from.service->application != link->to.service->application
           && !is_accepted(link);
}

/* The link that is the first to name a network declares it. */
static bool
declares(const struct learned *learned, size_t i,
         const struct network *network)
{
    for (size_t j = 0; j < i; j++) {
        if (learned->links[j].from.network == network
            || learned->links[j].to.network == network) {
            return false;
        }
    }
    return true;
}

static bool
is_new(const struct learned *learned, const struct service *service)
{
    return !learned->has_topology || !service->where.file;
}

bool
learned_has(const struct learned *learned, const struct learned_part *part)
{
    for (size_t i = 0; i < learned->n_links; i++) {
        const struct learned_link *link = &learned->links[i];
        const struct service *to = link->to.service;
        if (is_in_part(part, owner_of(link))
            || (to && is_new(learned, to) && is_in_part(part, to))
            || (needs_accept(link) && is_in_part(part, to))) {
            return true;
        }
    }
    return false;
}

/* XML.  Errors of memory or of the stream are found in the end. */

static void
start(xmlTextWriter *writer, const char *name)
{
    xmlTextWriterStartElement(writer, (const xmlChar *) name);
}

static void
end(xmlTextWriter *writer)
{
    xmlTextWriterEndElement(writer);
}

static void OVS_PRINTF_FORMAT(3, 4)
put_attribute(xmlTextWriter *writer, const char *name, const char *format,
              ...)
{
    va_list args;
    va_start(args, format);
    char *value = xvasprintf(format, args);
    va_end(args);
    xmlTextWriterWriteAttribute(writer, (const xmlChar *) name,
                                (const xmlChar *) value);
    free(value);
}

static void
put_text_element(xmlTextWriter *writer, const char *name, char *text)
{
    xmlTextWriterWriteElement(writer, (const xmlChar *) name,
                              (const xmlChar *) text);
    free(text);
}

/* XML has no "--" in comments, nor "-" at their end. */
static void
put_comment(xmlTextWriter *writer, struct ds *text)
{
    struct ds clean = DS_EMPTY_INITIALIZER;
    for (const char *p = ds_cstr(text); *p; p++) {
        ds_put_char(&clean, *p);
        if (*p == '-' && (p[1] == '-' || !p[1])) {
            ds_put_char(&clean, ' ');
        }
    }
    xmlTextWriterWriteComment(writer, (const xmlChar *) ds_cstr(&clean));
    ds_destroy(&clean);
    ds_destroy(text);
}

static void
put_network(xmlTextWriter *writer, const struct network *network)
{
    start(writer, "network");
    put_attribute(writer, "name", "%s", network->name);
    for (size_t i = 0; i < network->n_prefixes; i++) {
        put_text_element(writer, "prefix",
                         prefix_to_string(&network->prefixes[i]));
    }
    for (size_t i = 0; i < network->n_exceptions; i++) {
        put_text_element(writer, "except",
                         prefix_to_string(&network->exceptions[i]));
    }
    end(writer);
}

static void
put_networks(xmlTextWriter *writer, const struct learned *learned,
             const struct learned_part *part)
{
    for (size_t i = 0; i < learned->n_links; i++) {
        const struct learned_link *link = &learned->links[i];
        const struct network *network = link->from.network
                                        ? link->from.network
                                        : link->to.network;
        if (network && !network->where.file
            && is_in_part(part, owner_of(link))
            && declares(learned, i, network)) {
            put_network(writer, network);
        }
    }
}

/* The first service of a segment that is written declares it. */
static const struct service *
declarer_of(const struct learned *learned, const struct segment *segment)
{
    const struct topology *topology = learned->topology;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            const struct learned_part its = {
                .application = application,
                .service = application->services[j],
            };
            if (its.service->segment == segment
                && learned_has(learned, &its)) {
                return its.service;
            }
        }
    }
    return NULL;
}

static void
put_segments(xmlTextWriter *writer, const struct learned *learned,
             const struct learned_part *part)
{
    const struct topology *topology = learned->topology;
    for (size_t i = 1; !learned->has_topology && i < topology->n_segments;
         i++) {
        const struct segment *segment = topology->segments[i];
        const struct service *service = declarer_of(learned, segment);
        if (service && is_in_part(part, service)) {
            start(writer, "segment");
            put_attribute(writer, "name", "%s", segment->name);
            if (segment->kind == SEGMENT_VLAN) {
                put_attribute(writer, "vlan", "%u", segment->vlan);
            }
            end(writer);
        }
    }
}

static void
put_workload(xmlTextWriter *writer, const struct workload *workload)
{
    start(writer, "workload");
    put_attribute(writer, "name", "%s", workload->name);
    if (workload->binding == BIND_INTERFACE) {
        put_attribute(writer, "interface", "%s", workload->value);
    } else {
        put_attribute(writer, "external-id", "%s=%s", workload->key,
                      workload->value);
    }
    for (size_t i = 0; i < workload->n_macs; i++) {
        put_text_element(writer, "mac", xasprintf(
                             ETH_ADDR_FMT, ETH_ADDR_ARGS(workload->macs[i])));
    }
    for (size_t i = 0; i < workload->n_addresses; i++) {
        put_text_element(writer, "address",
                         address_to_string(&workload->addresses[i]));
    }
    end(writer);
}

static void
put_service(xmlTextWriter *writer, const struct service *service)
{
    start(writer, "service");
    put_attribute(writer, "name", "%s", service->name);
    if (service->segment->kind != SEGMENT_DEFAULT) {
        put_attribute(writer, "segment", "%s", service->segment->name);
    }
    for (size_t i = 0; i < service->n_workloads; i++) {
        const struct workload *workload = service->workloads[i];
        if (workload->home == service) {
            put_workload(writer, workload);
        } else {
            start(writer, "member");
            put_attribute(writer, "workload", "%s/%s", workload->home->name,
                          workload->name);
            end(writer);
        }
    }
    end(writer);
}

/* Links. */

static void
put_opening(xmlTextWriter *writer, const struct opening *o)
{
    bool is_icmp = o->protocol == IPPROTO_ICMP;
    switch (o->protocol) {
    case IPPROTO_TCP: start(writer, "tcp"); break;
    case IPPROTO_UDP: start(writer, "udp"); break;
    case IPPROTO_SCTP: start(writer, "sctp"); break;
    case IPPROTO_ICMP: start(writer, "icmp"); break;
    case IPPROTO_ICMPV6: start(writer, "icmp6"); break;
    default:
        start(writer, "protocol");
        put_attribute(writer, "number", "%u", o->protocol);
    }
    if (opening_has_ports(o) && o->first == o->last) {
        put_attribute(writer, "port", "%u", o->first);
    } else if (opening_has_ports(o)) {
        put_attribute(writer, "port", "%u-%u", o->first, o->last);
    } else if (o->icmp_type == (is_icmp ? ICMP4_ECHO_REQUEST : 128)) {
        put_attribute(writer, "type", "echo-request");
    } else if (o->icmp_type >= 0) {
        put_attribute(writer, "type", "%d", o->icmp_type);
    }
    end(writer);
}

/* How 'application' calls an end. */
static void
put_end(xmlTextWriter *writer, const char *name, const struct endpoint *e,
        const struct application *application)
{
    put_attribute(writer, name, "%s",
                  e->network ? e->network->name
                  : e->service->application == application ? e->service->name
                  : e->service->path);
}

static void
put_link(xmlTextWriter *writer, const struct learned_link *link)
{
    start(writer, "link");
    put_end(writer, "from", &link->from, link->application);
    put_end(writer, "to", &link->to, link->application);
    put_attribute(writer, "reason", "%s", link->reason);
    put_opening(writer, &link->opening);
    end(writer);
}

static void
put_accept(xmlTextWriter *writer, const struct learned_link *link)
{
    const struct application *application = link->to.service->application;
    start(writer, "accept");
    put_end(writer, "from", &link->from, application);
    put_end(writer, "to", &link->to, application);
    put_opening(writer, &link->opening);
    end(writer);
}

static bool
is_aside_in_part(const struct learned_part *part, const struct aside *a)
{
    if (!part->service) {
        return a->application == part->application;
    }
    char *path = workload_path(part->service->workloads[0]);
    bool is_one = !strcmp(a->from, path) || !strcmp(a->to, path);
    free(path);
    return is_one;
}

static void
put_asides(xmlTextWriter *writer, const struct learned *learned,
           const struct learned_part *part)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t n = 0;
    for (size_t i = 0; i < learned->n_asides; i++) {
        const struct aside *a = &learned->asides[i];
        if (is_aside_in_part(part, a) && n++ < MAX_ASIDES) {
            ds_put_format(&s, "\n      %s to %s %s: %s", a->from, a->to,
                          a->what, a->why);
        }
    }
    if (n > MAX_ASIDES) {
        ds_put_format(&s, "\n      and %"PRIuSIZE" more", n - MAX_ASIDES);
    }
    if (n) {
        char *list = ds_steal_cstr(&s);
        ds_init(&s);
        ds_put_format(&s, " Seen, but not allowed here:%s\n    ", list);
        free(list);
        put_comment(writer, &s);
    }
}

/* Applications. */

static bool
has_application(const struct learned *learned,
                const struct learned_part *part,
                const struct application *application)
{
    const struct learned_part its = {
        .application = application, .service = part->service,
    };
    return (!part->application || part->application == application)
           && learned_has(learned, &its);
}

static void
put_application(xmlTextWriter *writer, const struct learned *learned,
                const struct learned_part *part,
                const struct application *application)
{
    const struct learned_part its = {
        .application = application, .service = part->service,
    };
    start(writer, "application");
    put_attribute(writer, "name", "%s", application->name);
    if (!learned->has_topology) {
        put_attribute(writer, "mode", "%s",
                      mode_to_string(application->mode));
    }
    put_asides(writer, learned, &its);
    for (size_t i = 0; i < application->n_services; i++) {
        const struct service *service = application->services[i];
        if (is_new(learned, service) && is_in_part(&its, service)) {
            put_service(writer, service);
        }
    }
    for (size_t i = 0; i < learned->n_links; i++) {
        if (is_in_part(&its, owner_of(&learned->links[i]))) {
            put_link(writer, &learned->links[i]);
        }
    }
    for (size_t i = 0; i < learned->n_links; i++) {
        const struct learned_link *link = &learned->links[i];
        if (needs_accept(link) && is_in_part(&its, link->to.service)) {
            put_accept(writer, link);
        }
    }
    end(writer);
}

char *
learned_write(const struct learned *learned, const struct learned_part *part,
              FILE *stream)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlTextWriter *writer = buffer ? xmlNewTextWriterMemory(buffer, 0) : NULL;
    if (!writer) {
        xmlBufferFree(buffer);
        return xstrdup("out of memory");
    }
    xmlTextWriterSetIndent(writer, 1);
    xmlTextWriterSetIndentString(writer, (const xmlChar *) "  ");
    xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL);
    xmlTextWriterWriteComment(writer, (const xmlChar *)
                              " Written by \"sdfw learn\" from what was "
                              "seen: read it before you push it. ");
    start(writer, "manifest");
    put_attribute(writer, "xmlns", "urn:ovs-sdfw:manifest:1");
    put_attribute(writer, "version", "1");
    put_segments(writer, learned, part);
    put_networks(writer, learned, part);
    const struct topology *topology = learned->topology;
    for (size_t i = 0; i < topology->n_applications; i++) {
        if (has_application(learned, part, topology->applications[i])) {
            put_application(writer, learned, part,
                            topology->applications[i]);
        }
    }
    end(writer);
    int result = xmlTextWriterEndDocument(writer);
    xmlFreeTextWriter(writer);
    char *error = result < 0 ? xstrdup("out of memory") : NULL;
    fputs((const char *) xmlBufferContent(buffer), stream);
    xmlBufferFree(buffer);
    return error;
}
