/* What was said by hand: see overlay.h. */

#include "overlay.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openvswitch/dynamic-string.h>

#include "smap.h"
#include "timeval.h"
#include "util.h"

struct overlay *
overlay_create(const struct topology *topology)
{
    struct overlay *overlay = xzalloc(sizeof *overlay);
    ovs_refcount_init(&overlay->ref_cnt);
    overlay->topology = topology;
    shash_init(&overlay->bound);
    shash_init(&overlay->modes);
    svec_init(&overlay->problems);
    return overlay;
}

struct overlay *
overlay_ref(const struct overlay *overlay_)
{
    struct overlay *overlay = CONST_CAST(struct overlay *, overlay_);
    if (overlay) {
        ovs_refcount_ref(&overlay->ref_cnt);
    }
    return overlay;
}

void
overlay_unref(struct overlay *overlay)
{
    if (!overlay || ovs_refcount_unref(&overlay->ref_cnt) > 1) {
        return;
    }
    for (size_t i = 0; i < overlay->n_workloads; i++) {
        workload_destroy(overlay->workloads[i]);
    }
    for (size_t i = 0; i < overlay->n_quarantines; i++) {
        free(overlay->quarantines[i].reason);
    }
    free(overlay->workloads);
    free(overlay->quarantines);
    free(overlay->captures);
    shash_destroy(&overlay->bound);
    shash_destroy_free_data(&overlay->modes);
    svec_destroy(&overlay->problems);
    free(overlay);
}

void
overlay_add_problem(struct overlay *overlay, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    svec_add_nocopy(&overlay->problems, xvasprintf(format, args));
    va_end(args);
}

/* Modes. */

/* What 'key' ("sdfw-mode:NAME") is the mode of, or NULL. */
static const char *
mode_key_name(const char *key)
{
    size_t n = strlen(KEY_MODE":");
    return strncmp(key, KEY_MODE":", n) ? NULL : key + n;
}

static bool
is_known(const struct topology *topology, const char *name)
{
    return shash_find(&topology->service_index, name)
           || shash_find(&topology->application_index, name);
}

void
overlay_read_modes(struct overlay *overlay, const struct smap *other_config)
{
    const struct smap_node *node;
    SMAP_FOR_EACH (node, other_config) {
        const char *name = mode_key_name(node->key);
        enum mode mode;
        if (!name && strcmp(node->key, KEY_MODE)) {
            continue;
        }
        if (!mode_from_string(node->value, &mode)) {
            overlay_add_problem(overlay, "OVSDB, other_config:%s: \"%s\" is "
                                "no mode; those are learn, audit and enforce",
                                node->key, node->value);
        } else if (!name) {
            overlay->mode = mode;
        } else if (!is_known(overlay->topology, name)) {
            overlay_add_problem(overlay, "OVSDB, other_config:%s: the "
                                "manifests have no application or service "
                                "\"%s\"", node->key, name);
        } else {
            struct overlay_mode *entry = xmalloc(sizeof *entry);
            entry->mode = mode;
            shash_add(&overlay->modes, name, entry);
        }
    }
}

enum mode
overlay_service_mode(const struct overlay *overlay,
                     const struct service *service)
{
    const struct overlay_mode *entry = NULL;
    if (overlay) {
        entry = shash_find_data(&overlay->modes, service->path);
    }
    if (overlay && !entry) {
        entry = shash_find_data(&overlay->modes, service->application->name);
    }
    return entry ? entry->mode
           : overlay && overlay->mode ? overlay->mode : service_mode(service);
}

/* Workloads. */

const struct workload *
overlay_find_address(const struct overlay *overlay,
                     const struct segment *segment,
                     const struct in6_addr *address)
{
    for (size_t i = 0; overlay && i < overlay->n_workloads; i++) {
        const struct workload *w = overlay->workloads[i];
        for (size_t j = 0; w->home->segment == segment && j < w->n_addresses;
             j++) {
            if (!memcmp(&w->addresses[j], address, sizeof *address)) {
                return w;
            }
        }
    }
    return NULL;
}

/* Quarantine. */

time_t
overlay_parse_until(const char *text)
{
    struct tm tm = { .tm_isdst = 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return end && !*end ? timegm(&tm) : 0;
}

/* Reads when what 'key' of 'interface' says ends.  Returns false if it has. */
static bool
read_until(struct overlay *overlay, const char *interface, const char *key,
           const char *text, time_t now, time_t *until)
{
    *until = 0;
    if (!strcmp(text, INDEFINITE)) {
        return true;
    }
    *until = overlay_parse_until(text);
    if (!*until) {
        overlay_add_problem(overlay, "OVSDB, interface %s, external_ids:%s: "
                            "\"%s\" is no time such as 2026-12-31T18:00:00Z; "
                            "it lasts until it is released", interface, key,
                            text);
        return true;
    } else if (*until <= now) {
        return false;
    }
    if (!overlay->changes || *until < overlay->changes) {
        overlay->changes = *until;
    }
    return true;
}

void
overlay_quarantine(struct overlay *overlay, const char *interface,
                   const struct workload *workload, const char *until_text,
                   const char *reason, time_t now)
{
    time_t until;
    if (!read_until(overlay, interface, KEY_QUARANTINE, until_text, now,
                    &until)) {
        return;
    } else if (!workload) {
        overlay_add_problem(overlay, "interface %s is to be in quarantine, "
                            "but no workload is there: it is as free as any "
                            "port that is not managed", interface);
        return;
    }
    if (overlay->n_quarantines >= overlay->allocated_quarantines) {
        overlay->quarantines = x2nrealloc(overlay->quarantines,
                                          &overlay->allocated_quarantines,
                                          sizeof *overlay->quarantines);
    }
    overlay->quarantines[overlay->n_quarantines++] = (struct quarantine) {
        .workload = workload, .until = until,
        .reason = xstrdup(reason ? reason : ""),
    };
}

void
overlay_capture(struct overlay *overlay, const char *interface,
                const struct workload *workload, const char *until_text,
                time_t now)
{
    time_t until;
    if (!read_until(overlay, interface, KEY_CAPTURE, until_text, now,
                    &until)) {
        return;
    } else if (!workload) {
        overlay_add_problem(overlay, "packets of interface %s are to be "
                            "captured, but no workload is there", interface);
        return;
    }
    if (overlay->n_captures >= overlay->allocated_captures) {
        overlay->captures = x2nrealloc(overlay->captures,
                                       &overlay->allocated_captures,
                                       sizeof *overlay->captures);
    }
    overlay->captures[overlay->n_captures++] = (struct capture) {
        .workload = workload, .until = until,
    };
}

const struct quarantine *
overlay_find_quarantine(const struct overlay *overlay,
                        const struct workload *workload)
{
    for (size_t i = 0; overlay && i < overlay->n_quarantines; i++) {
        if (overlay->quarantines[i].workload == workload) {
            return &overlay->quarantines[i];
        }
    }
    return NULL;
}

/* In words. */

/* "shop/web/web-1 WHAT until ...". */
static char *
describe_until(const struct workload *workload, const char *what,
               time_t until, const char *reason)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%s/%s %s ", workload->home->path, workload->name,
                  what);
    if (until) {
        char *text = xastrftime_msec("until %Y-%m-%dT%H:%M:%SZ",
                                     until * 1000LL, true);
        ds_put_cstr(&s, text);
        free(text);
    } else {
        ds_put_cstr(&s, "until it is released");
    }
    if (reason[0]) {
        ds_put_format(&s, ": %s", reason);
    }
    return ds_steal_cstr(&s);
}

void
overlay_describe(const struct overlay *overlay, struct svec *lines)
{
    svec_init(lines);
    if (!overlay) {
        return;
    }
    if (overlay->mode) {
        svec_add_nocopy(lines, xasprintf("all is in mode %s",
                                         mode_to_string(overlay->mode)));
    }
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &overlay->modes) {
        const struct overlay_mode *entry = node->data;
        svec_add_nocopy(lines, xasprintf("%s is in mode %s", node->name,
                                         mode_to_string(entry->mode)));
    }
    for (size_t i = 0; i < overlay->n_quarantines; i++) {
        const struct quarantine *q = &overlay->quarantines[i];
        svec_add_nocopy(lines, describe_until(q->workload, "is in quarantine",
                                              q->until, q->reason));
    }
    for (size_t i = 0; i < overlay->n_captures; i++) {
        const struct capture *c = &overlay->captures[i];
        svec_add_nocopy(lines, describe_until(c->workload, "is captured",
                                              c->until, ""));
    }
    svec_sort(lines);
}

/* Comparing. */

static bool
workload_equal(const struct workload *a, const struct workload *b)
{
    return a->home == b->home && !strcmp(a->name, b->name)
           && a->n_macs == b->n_macs && a->n_addresses == b->n_addresses
           && !memcmp(a->macs, b->macs, a->n_macs * sizeof *a->macs)
           && !memcmp(a->addresses, b->addresses,
                      a->n_addresses * sizeof *a->addresses);
}

static bool
modes_equal(const struct overlay *a, const struct overlay *b)
{
    const struct shash_node *node;
    if (a->mode != b->mode
        || shash_count(&a->modes) != shash_count(&b->modes)) {
        return false;
    }
    SHASH_FOR_EACH (node, &a->modes) {
        const struct overlay_mode *x = node->data;
        const struct overlay_mode *y = shash_find_data(&b->modes, node->name);
        if (!y || x->mode != y->mode) {
            return false;
        }
    }
    return true;
}

bool
overlay_equal(const struct overlay *a, const struct overlay *b)
{
    if (!a || !b || a->topology != b->topology
        || a->n_workloads != b->n_workloads
        || a->n_quarantines != b->n_quarantines
        || a->n_captures != b->n_captures
        || !svec_equal(&a->problems, &b->problems)) {
        return a == b;
    }
    for (size_t i = 0; i < a->n_workloads; i++) {
        if (!workload_equal(a->workloads[i], b->workloads[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_quarantines; i++) {
        const struct quarantine *x = &a->quarantines[i];
        const struct quarantine *y = &b->quarantines[i];
        if (x->workload->index != y->workload->index || x->until != y->until
            || strcmp(x->reason, y->reason)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_captures; i++) {
        const struct capture *x = &a->captures[i], *y = &b->captures[i];
        if (x->workload->index != y->workload->index || x->until != y->until) {
            return false;
        }
    }
    return modes_equal(a, b);
}
