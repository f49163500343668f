/* Catalogues: see catalogue.h.
 *
 * Each file is read on top of those before it.  What refers to services by id
 * or class is resolved last, since a later file may add or drop some. */

#include "catalogue.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "bitmap.h"
#include "catalogue-private.h"
#include "check.h"
#include "util.h"

static const char *const verdict_names[VERIFY_N_VERDICTS] = {
    "known-good", "unknown", "unusual", "dangerous",
};

const char *
verify_verdict_to_string(enum verify_verdict verdict)
{
    return verdict_names[verdict];
}

bool
verify_verdict_from_string(const char *name, enum verify_verdict *verdict)
{
    for (int i = 0; i < VERIFY_N_VERDICTS; i++) {
        if (!strcmp(name, verdict_names[i])) {
            *verdict = i;
            return true;
        }
    }
    return false;
}

/* Memory. */

static void
service_set_destroy(struct service_set *set)
{
    free(set->text);
    bitmap_free(set->bits);
}

static void
well_known_destroy(struct well_known *service)
{
    free(service->id);
    free(service->title);
    free(service->class);
    svec_destroy(&service->names);
    service_set_destroy(&service->calls);
    free(service->openings);
    free(service);
}

static void
rule_destroy(struct rule *rule)
{
    free(rule->id);
    free(rule->title);
    free(rule->explanation);
    free(rule->instead);
    service_set_destroy(&rule->service);
    service_set_destroy(&rule->from_like);
    service_set_destroy(&rule->from_unlike);
    service_set_destroy(&rule->to_like);
    service_set_destroy(&rule->to_unlike);
    free(rule->openings);
    free(rule);
}

static void
accepted_risk_destroy(struct accepted_risk *accepted)
{
    svec_destroy(&accepted->rules);
    free(accepted->from);
    free(accepted->to);
    free(accepted->reason);
    free(accepted->ticket);
    free(accepted->openings);
    free(accepted);
}

void
catalogue_destroy(struct catalogue *catalogue)
{
    if (!catalogue) {
        return;
    }
    for (size_t i = 0; i < catalogue->n_services; i++) {
        well_known_destroy(catalogue->services[i]);
    }
    for (size_t i = 0; i < catalogue->n_rules; i++) {
        rule_destroy(catalogue->rules[i]);
    }
    for (size_t i = 0; i < catalogue->n_accepted; i++) {
        accepted_risk_destroy(catalogue->accepted[i]);
    }
    free(catalogue->services);
    free(catalogue->rules);
    free(catalogue->accepted);
    sset_destroy(&catalogue->files);
    free(catalogue);
}

/* Adding, replacing and dropping by id. */

static struct well_known **
find_service(const struct catalogue *catalogue, const char *id)
{
    for (size_t i = 0; i < catalogue->n_services; i++) {
        if (!strcmp(catalogue->services[i]->id, id)) {
            return &catalogue->services[i];
        }
    }
    return NULL;
}

static struct rule **
find_rule(const struct catalogue *catalogue, const char *id)
{
    for (size_t i = 0; i < catalogue->n_rules; i++) {
        if (!strcmp(catalogue->rules[i]->id, id)) {
            return &catalogue->rules[i];
        }
    }
    return NULL;
}

/* Room for one more pointer in '*array', which has 'n'. */
static void *
grow(void *array, size_t n)
{
    return xrealloc(array, (n + 1) * sizeof(void *));
}

void
catalogue_put_service(struct catalogue *catalogue, struct well_known *service)
{
    struct well_known **old = find_service(catalogue, service->id);
    if (old) {
        well_known_destroy(*old);
        *old = service;
        return;
    }
    catalogue->services = grow(catalogue->services, catalogue->n_services);
    catalogue->services[catalogue->n_services++] = service;
}

void
catalogue_put_rule(struct catalogue *catalogue, struct rule *rule)
{
    struct rule **old = find_rule(catalogue, rule->id);
    if (old) {
        rule_destroy(*old);
        *old = rule;
        return;
    }
    catalogue->rules = grow(catalogue->rules, catalogue->n_rules);
    catalogue->rules[catalogue->n_rules++] = rule;
}

void
catalogue_put_accepted(struct catalogue *catalogue,
                       struct accepted_risk *accepted)
{
    catalogue->accepted = grow(catalogue->accepted, catalogue->n_accepted);
    catalogue->accepted[catalogue->n_accepted++] = accepted;
}

bool
catalogue_drop(struct catalogue *catalogue, const char *id)
{
    struct well_known **service = find_service(catalogue, id);
    struct rule **rule = find_rule(catalogue, id);
    if (service) {
        well_known_destroy(*service);
        size_t i = service - catalogue->services;
        memmove(service, service + 1,
                (--catalogue->n_services - i) * sizeof *service);
    } else if (rule) {
        rule_destroy(*rule);
        size_t i = rule - catalogue->rules;
        memmove(rule, rule + 1, (--catalogue->n_rules - i) * sizeof *rule);
    }
    return service || rule;
}

/* What is nearest to 'id' among the ids, and classes of services; or NULL. */
const char *
catalogue_nearest(const struct catalogue *catalogue, const char *id,
                  bool services, bool rules)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    for (size_t i = 0; services && i < catalogue->n_services; i++) {
        svec_add(&names, catalogue->services[i]->id);
        if (catalogue->services[i]->class) {
            svec_add(&names, catalogue->services[i]->class);
        }
    }
    for (size_t i = 0; rules && i < catalogue->n_rules; i++) {
        svec_add(&names, catalogue->rules[i]->id);
    }
    const char *nearest = check_nearest(id, (const char **) names.names,
                                        names.n);
    /* As it stands in the catalogue, which outlives 'names'. */
    struct well_known **service = nearest ? find_service(catalogue, nearest)
                                          : NULL;
    struct rule **rule = nearest ? find_rule(catalogue, nearest) : NULL;
    const char *found = service ? (*service)->id : rule ? (*rule)->id : NULL;
    for (size_t i = 0; nearest && !found && i < catalogue->n_services; i++) {
        const char *class = catalogue->services[i]->class;
        found = class && !strcmp(class, nearest) ? class : NULL;
    }
    svec_destroy(&names);
    return found;
}

/* What the whole must be. */

static void
resolve_word(const struct catalogue *catalogue, struct service_set *set,
             const char *word, const char *owner, struct location where,
             struct report *report)
{
    bool found = false;
    for (size_t i = 0; i < catalogue->n_services; i++) {
        const struct well_known *s = catalogue->services[i];
        if (!strcmp(s->id, word) || (s->class && !strcmp(s->class, word))) {
            bitmap_set1(set->bits, i);
            found = true;
        }
    }
    const char *nearest = found ? NULL
                          : catalogue_nearest(catalogue, word, true, false);
    if (nearest) {
        report_error(report, where, "'%s' names '%s', which no service has as "
                     "its id or class; did you mean '%s'?", owner, word,
                     nearest);
    } else if (!found) {
        report_error(report, where, "'%s' names '%s', which no service has as "
                     "its id or class; declare it with <service>, or drop or "
                     "override '%s' too", owner, word, owner);
    }
}

/* 'owner' is the id of the rule or service that has 'set'. */
static void
resolve(const struct catalogue *catalogue, struct service_set *set,
        const char *owner, struct location where, struct report *report)
{
    if (!set->text) {
        return;
    }
    set->bits = bitmap_allocate(catalogue->n_services);
    struct svec words = SVEC_EMPTY_INITIALIZER;
    svec_parse_words(&words, set->text);
    const char *word;
    size_t i;
    SVEC_FOR_EACH (i, word, &words) {
        resolve_word(catalogue, set, word, owner, where, report);
    }
    svec_destroy(&words);
}

static void
resolve_all(const struct catalogue *catalogue, struct report *report)
{
    for (size_t i = 0; i < catalogue->n_services; i++) {
        struct well_known *s = catalogue->services[i];
        resolve(catalogue, &s->calls, s->id, s->where, report);
    }
    for (size_t i = 0; i < catalogue->n_rules; i++) {
        struct rule *r = catalogue->rules[i];
        struct service_set *sets[] = { &r->service, &r->from_like,
                                       &r->from_unlike, &r->to_like,
                                       &r->to_unlike };
        for (size_t j = 0; j < ARRAY_SIZE(sets); j++) {
            resolve(catalogue, sets[j], r->id, r->where, report);
        }
    }
}

static void
claim(struct shash *taken, const char *id, const char *what,
      struct location where, struct report *report)
{
    const char *other = shash_find_data(taken, id);
    if (!other) {
        shash_add(taken, id, what);
    } else if (strcmp(other, what)) {
        report_error(report, where, "'%s' is the id of a %s already, so it "
                     "cannot be that of a %s; choose another", id, other,
                     what);
    }
}

/* One id means one thing, wherever it stands. */
static void
check_ids(const struct catalogue *catalogue, struct report *report)
{
    struct shash taken = SHASH_INITIALIZER(&taken);
    shash_add(&taken, "unknown", "verdict");
    for (size_t i = 0; i < catalogue->n_services; i++) {
        const struct well_known *service = catalogue->services[i];
        claim(&taken, service->id, "service", service->where, report);
        if (service->class) {
            claim(&taken, service->class, "class", service->where, report);
        }
    }
    for (size_t i = 0; i < catalogue->n_rules; i++) {
        const struct rule *rule = catalogue->rules[i];
        claim(&taken, rule->id, "rule", rule->where, report);
    }
    shash_destroy(&taken);
}

static void
check_accepted(const struct catalogue *catalogue,
               const struct accepted_risk *accepted, time_t now,
               struct report *report)
{
    const char *id;
    size_t i;
    SVEC_FOR_EACH (i, id, &accepted->rules) {
        struct rule **rule = find_rule(catalogue, id);
        if (rule && (*rule)->verdict == VERIFY_KNOWN_GOOD) {
            report_error(report, accepted->where, "the rule '%s' says "
                         "known-good; there is nothing to accept", id);
        } else if (!rule && strcmp(id, "unknown")) {
            const char *nearest = catalogue_nearest(catalogue, id, false,
                                                    true);
            report_error(report, accepted->where, "no rule has the id '%s'"
                         "%s%s%s", id, nearest ? "; did you mean '"
                         : "; sdfw verify prints the ids of what it finds",
                         nearest ? nearest : "", nearest ? "'?" : "");
        }
    }
    if (accepted->not_after <= now) {
        report_warning(report, accepted->where, "this accepted risk (%s to "
                       "%s: %s) has ended and does not count; renew or remove "
                       "it", accepted->from, accepted->to, accepted->reason);
    }
}

struct catalogue *
catalogue_read(const char *const files[], size_t n, time_t now,
               struct report *report)
{
    struct catalogue *catalogue = xzalloc(sizeof *catalogue);
    sset_init(&catalogue->files);
    size_t n_errors = report->n_errors;
    catalogue_read_files(catalogue, files, n, report);
    if (report->n_errors == n_errors) {
        check_ids(catalogue, report);
        resolve_all(catalogue, report);
        for (size_t i = 0; i < catalogue->n_accepted; i++) {
            check_accepted(catalogue, catalogue->accepted[i], now, report);
        }
    }
    if (report->n_errors > n_errors) {
        catalogue_destroy(catalogue);
        catalogue = NULL;
    }
    return catalogue;
}
