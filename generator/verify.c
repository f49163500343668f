/* Is what a topology opens known good?  See verify.h; what the conditions of
 * a rule mean, schemas/catalogue.xsd says.
 *
 * Rules against something match if a part of what is opened is what they are
 * about, rules for something only if all of it is. */

#include "verify-private.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "bitmap.h"
#include "evaluate.h"
#include "util.h"

#define MAX_TITLES 3            /* Of well-known services in a reason. */

/* What is to be judged, and what is known about it. */
struct deed {
    const struct link *link;
    const struct opening *opening;
    const struct actor *from, *to;
    unsigned int relation;      /* RELATION_*, or 0. */
    unsigned int n_ports;       /* 0: of a protocol without ports. */
    unsigned long *within;      /* Services that have all of 'opening'. */
    unsigned long *touching;    /* Services that have a part of it. */
    struct share share;
};

static unsigned int
relation_of(const struct link *link)
{
    const struct service *from = link->from.service;
    const struct service *to = link->to.service;
    return !from || !to ? 0
           : from == to ? RELATION_SAME_SERVICE
           : from->application == to->application ? RELATION_SAME_APPLICATION
           : RELATION_OTHER_APPLICATION;
}

static unsigned int
count_ports(const struct opening *o)
{
    return o->protocol == PROTOCOL_ANY ? UINT16_MAX + 1
           : opening_has_ports(o) ? o->last - o->first + 1 : 0;
}

static void
look_at(const struct verifier *v, const struct link *link,
        const struct opening *opening, struct deed *deed)
{
    size_t n_bytes = bitmap_n_bytes(v->catalogue->n_services);
    deed->link = link;
    deed->opening = opening;
    deed->from = verify_actor(v, &link->from);
    deed->to = verify_actor(v, &link->to);
    deed->relation = relation_of(link);
    deed->n_ports = count_ports(opening);
    memset(deed->within, 0, n_bytes);
    memset(deed->touching, 0, n_bytes);
    verify_find_services(v, opening, deed->within, deed->touching);
    deed->share = verify_share(v, link, opening);
}

/* The conditions of a rule. */

static bool
opens_what(const struct rule *rule, const struct opening *opening)
{
    for (size_t i = 0; i < rule->n_openings; i++) {
        const struct opening *o = &rule->openings[i];
        if (rule->verdict == VERIFY_KNOWN_GOOD ? opening_covers(o, opening)
            : o->protocol == PROTOCOL_ANY ? opening->protocol == PROTOCOL_ANY
            : verify_overlaps(o, opening)) {
            return true;
        }
    }
    return !rule->n_openings;
}

static bool
is_of_service(const struct verifier *v, const struct rule *rule,
              const struct deed *deed)
{
    return !rule->service.bits
           || verify_intersects(v, rule->service.bits,
                                rule->verdict == VERIFY_KNOWN_GOOD
                                ? deed->within : deed->touching);
}

static bool
look_right(const struct verifier *v, const struct rule *rule,
           const struct deed *deed)
{
    const unsigned long *from = deed->from->looks, *to = deed->to->looks;
    return (!rule->from_like.bits
            || verify_intersects(v, rule->from_like.bits, from))
           && (!rule->to_like.bits
               || verify_intersects(v, rule->to_like.bits, to))
           && !verify_intersects(v, rule->from_unlike.bits, from)
           && !verify_intersects(v, rule->to_unlike.bits, to);
}

/* True if one of 'services' is what the server is called. */
static bool
is_called_so(const struct verifier *v, const struct deed *deed,
             const unsigned long *services)
{
    return deed->to->named && verify_intersects(v, services, deed->to->looks);
}

/* What runs on any host may run on this one, whatever its name. */
static bool
is_called_otherwise(const struct verifier *v, const struct deed *deed)
{
    size_t i, n = v->catalogue->n_services;
    if (!deed->to->named || is_called_so(v, deed, deed->touching)
        || bitmap_is_all_zeros(deed->touching, n)) {
        return false;
    }
    BITMAP_FOR_EACH_1 (i, n, deed->touching) {
        if (v->catalogue->services[i]->on_any_host) {
            return false;
        }
    }
    return true;
}

/* True if one of 'services' may be called by all. */
static bool
has_one_for_all(const struct verifier *v, const unsigned long *services)
{
    size_t i, n = v->catalogue->n_services;
    BITMAP_FOR_EACH_1 (i, n, services) {
        if (v->catalogue->services[i]->called_by_all) {
            return true;
        }
    }
    return false;
}

static enum call
judge_call(const struct verifier *v, const struct deed *deed)
{
    size_t i, n = v->catalogue->n_services;
    const unsigned long *looks = deed->from->looks;
    if (has_one_for_all(v, deed->within)) {
        return CALL_EXPECTED;
    }
    bool unexpected = !bitmap_is_all_zeros(looks, n)
                      && !has_one_for_all(v, deed->touching);
    BITMAP_FOR_EACH_1 (i, n, looks) {
        const unsigned long *calls = v->catalogue->services[i]->calls.bits;
        if (verify_intersects(v, calls, deed->within)) {
            return CALL_EXPECTED;
        }
        unexpected &= calls && !verify_intersects(v, calls, deed->touching);
    }
    return unexpected ? CALL_UNEXPECTED : CALL_WHATEVER;
}

static bool
is_shared_so(const struct rule *rule, const struct share *share)
{
    return (!rule->rare && !rule->common)
           || (share->of >= rule->among
               && (!rule->rare || share->n * 100 <= share->of * rule->rare)
               && (!rule->common
                   || share->n * 100 >= share->of * rule->common));
}

/* The end of the link that has only some of the replicas of a service. */
static const struct actor *
partial_end(const struct deed *deed)
{
    return deed->from->whole ? deed->from
           : deed->to->whole ? deed->to : NULL;
}

static bool
has_so_few_replicas(const struct rule *rule, const struct deed *deed)
{
    const struct actor *actor = rule->replicas ? partial_end(deed) : NULL;
    return !rule->replicas
           || (actor && actor->end.service->n_workloads * 100
                        <= actor->whole->n_workloads * rule->replicas);
}

static bool
matches(const struct verifier *v, const struct rule *rule,
        const struct deed *deed)
{
    return (!rule->from || rule->from & deed->from->kinds)
           && (!rule->to || rule->to & deed->to->kinds)
           && (!rule->relations || rule->relations & deed->relation)
           && (!rule->min_ports || deed->n_ports >= rule->min_ports)
           && opens_what(rule, deed->opening)
           && is_of_service(v, rule, deed)
           && look_right(v, rule, deed)
           && (rule->server_name == NAME_WHATEVER
               || (rule->server_name == NAME_SAME
                   ? is_called_so(v, deed, deed->within)
                   : is_called_otherwise(v, deed)))
           && (rule->call == CALL_WHATEVER
               || rule->call == judge_call(v, deed))
           && is_shared_so(rule, &deed->share)
           && has_so_few_replicas(rule, deed);
}

/* Accepted risks. */

static bool
accepts(const struct accepted_risk *accepted, const char *rule,
        const struct opening *opening, const char *from, const char *to)
{
    bool covered = !accepted->n_openings;
    for (size_t i = 0; !covered && i < accepted->n_openings; i++) {
        covered = opening_covers(&accepted->openings[i], opening);
    }
    return covered && svec_contains_unsorted(&accepted->rules, rule)
           && !fnmatch(accepted->from, from, 0)
           && !fnmatch(accepted->to, to, 0);
}

/* True if the site accepts what 'rule' has against 'deed'.  Notes in
 * 'finding' by what, or what would if it had not ended. */
static bool
is_accepted(const struct verifier *v, const struct deed *deed,
            const char *rule, struct verify_finding *finding)
{
    if (!v->catalogue->n_accepted) {
        return false;
    }
    char *from = endpoint_to_string(&deed->link->from);
    char *to = endpoint_to_string(&deed->link->to);
    const struct accepted_risk *found = NULL, *ended = NULL;
    for (size_t i = 0; !found && i < v->catalogue->n_accepted; i++) {
        const struct accepted_risk *a = v->catalogue->accepted[i];
        if (accepts(a, rule, deed->opening, from, to)) {
            *(a->not_after > v->now ? &found : &ended) = a;
        }
    }
    free(from);
    free(to);
    if (found) {
        finding->accepted = found;
    } else if (ended) {
        finding->ended = ended;
    }
    return found != NULL;
}

/* The verdict. */

/* True if 'a' decides rather than 'b'. */
static bool
outweighs(const struct rule *a, const struct rule *b)
{
    return a->verdict != b->verdict ? a->verdict > b->verdict
           : a->verdict == VERIFY_KNOWN_GOOD ? a->score < b->score
           : a->score > b->score;
}

static void
add_rule(struct verify_finding *f, const struct rule *rule)
{
    f->rules = xrealloc(f->rules, (f->n_rules + 1) * sizeof *f->rules);
    size_t i = f->n_rules++;
    for (; i && outweighs(rule, f->rules[i - 1]); i--) {
        f->rules[i] = f->rules[i - 1];
    }
    f->rules[i] = rule;
}

static void
find_rules(const struct verifier *v, const struct deed *deed,
           struct verify_finding *f)
{
    for (size_t i = 0; i < v->catalogue->n_rules; i++) {
        const struct rule *rule = v->catalogue->rules[i];
        if (!matches(v, rule, deed)) {
            continue;
        }
        if (rule->verdict == VERIFY_KNOWN_GOOD
            || !is_accepted(v, deed, rule->id, f)) {
            add_rule(f, rule);
        } else if (!f->waived || outweighs(rule, f->waived)) {
            f->waived = rule;
        }
    }
}

static void
weigh(const struct verifier *v, const struct deed *deed,
      struct verify_finding *f)
{
    const struct rule *decides = f->n_rules ? f->rules[0] : NULL;
    if (decides && decides->verdict > VERIFY_UNKNOWN) {
        while (f->rules[f->n_rules - 1]->verdict == VERIFY_KNOWN_GOOD) {
            f->n_rules--;       /* It does not count. */
        }
        f->verdict = decides->verdict;
        f->score = decides->score;
        f->accepted = NULL;     /* It was not enough. */
    } else if (f->accepted) {
        f->n_rules = 0;
        f->verdict = VERIFY_KNOWN_GOOD;
        f->score = VERIFY_SCORE_ACCEPTED;
    } else if (decides) {
        f->verdict = VERIFY_KNOWN_GOOD;
        f->score = decides->score;
    } else if (is_accepted(v, deed, "unknown", f)) {
        f->verdict = VERIFY_KNOWN_GOOD;
        f->score = VERIFY_SCORE_ACCEPTED;
    } else {
        f->verdict = VERIFY_UNKNOWN;
        f->score = VERIFY_SCORE_UNKNOWN;
    }
}

/* The reason. */

/* Appends the titles of the services in 'bits', if there are any; of those,
 * the ones in 'preferred', if there are any. */
static void
put_titles(const struct verifier *v, struct ds *s, const unsigned long *bits,
           const unsigned long *preferred, const char *before)
{
    size_t i, n = v->catalogue->n_services, shown = 0, more = 0;
    bool narrow = verify_intersects(v, bits, preferred);
    BITMAP_FOR_EACH_1 (i, n, bits) {
        if (narrow && !bitmap_is_set(preferred, i)) {
            continue;
        }
        if (shown < MAX_TITLES) {
            ds_put_format(s, "%s%s", shown++ ? ", " : before,
                          v->catalogue->services[i]->title);
        } else {
            more++;
        }
    }
    if (more) {
        ds_put_format(s, " and %"PRIuSIZE" more", more);
    }
}

/* Says what of 'deed' made 'rule' match. */
static void
put_facts(const struct verifier *v, const struct rule *rule,
          const struct deed *deed, struct ds *s)
{
    bool good = rule->verdict == VERIFY_KNOWN_GOOD;
    const char *dot = ": ";
    if (rule->service.bits) {
        put_titles(v, s, good ? deed->within : deed->touching,
                   rule->service.bits, dot);
    } else if (rule->server_name == NAME_OTHER) {
        put_titles(v, s, deed->touching, NULL, dot);
        put_titles(v, s, deed->to->looks, NULL, ", but the name is of ");
    } else {
        put_titles(v, s, deed->within, deed->to->looks, dot);
    }
    if (rule->min_ports) {
        ds_put_format(s, "; %u ports", deed->n_ports);
    }
    if (rule->rare || rule->common) {
        ds_put_format(s, "; %"PRIuSIZE" of %"PRIuSIZE" have it",
                      deed->share.n, deed->share.of);
    }
    if (rule->replicas) {
        const struct actor *actor = partial_end(deed);
        ds_put_format(s, "; %"PRIuSIZE" of %"PRIuSIZE" of %s",
                      actor->end.service->n_workloads,
                      actor->whole->n_workloads, actor->whole->path);
    }
}

static void
put_date(struct ds *s, time_t time)
{
    struct tm tm;
    char text[sizeof "0000-00-00T00:00:00Z" + 8];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
    ds_put_cstr(s, text);
}

static void
put_accepted(struct ds *s, const char *when,
             const struct accepted_risk *accepted)
{
    ds_put_format(s, "; %s until ", when);
    put_date(s, accepted->not_after);
    ds_put_format(s, ": %s", accepted->reason);
    if (accepted->ticket) {
        ds_put_format(s, " (%s)", accepted->ticket);
    }
    ds_put_format(s, ", %s:%d", accepted->where.file, accepted->where.line);
}

static char *
give_reason(const struct verifier *v, const struct deed *deed,
            const struct verify_finding *f)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const struct rule *rule = f->n_rules ? f->rules[0] : f->waived;
    if (rule) {
        ds_put_cstr(&s, rule->title);
        put_facts(v, rule, deed, &s);
    } else {
        ds_put_cstr(&s, "no rule says anything about it");
        put_titles(v, &s, deed->within, NULL, ": ");
    }
    if (f->accepted) {
        put_accepted(&s, "accepted", f->accepted);
    }
    if (f->ended) {
        put_accepted(&s, "was accepted", f->ended);
    }
    return ds_steal_cstr(&s);
}

static void
judge(const struct verifier *v, const struct deed *deed,
      struct verify_result *result)
{
    struct verify_finding *f = &result->findings[result->n++];
    *f = (struct verify_finding) { .link = deed->link,
                                   .opening = deed->opening };
    find_rules(v, deed, f);
    weigh(v, deed, f);
    f->reason = give_reason(v, deed, f);
    result->counts[f->verdict]++;
}

static size_t
count_openings(const struct topology *topology)
{
    size_t n = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *a = topology->applications[i];
        for (size_t j = 0; j < a->n_links; j++) {
            n += a->links[j]->n_openings;
        }
    }
    return n;
}

static void
judge_application(const struct verifier *v,
                  const struct application *application, struct deed *deed,
                  struct verify_result *result)
{
    for (size_t i = 0; i < application->n_links; i++) {
        const struct link *link = application->links[i];
        for (size_t j = 0; !verify_passes_over(v, link)
                           && j < link->n_openings; j++) {
            look_at(v, link, &link->openings[j], deed);
            judge(v, deed, result);
        }
    }
}

void
verify_topology(const struct topology *topology,
                const struct catalogue *catalogue, time_t now,
                struct verify_result *result)
{
    struct verifier v = { .topology = topology, .catalogue = catalogue,
                          .now = now };
    struct deed deed = {
        .within = bitmap_allocate(catalogue->n_services),
        .touching = bitmap_allocate(catalogue->n_services),
    };
    *result = (struct verify_result) {
        .findings = xcalloc(count_openings(topology),
                            sizeof *result->findings),
    };
    verify_meet_actors(&v);
    verify_count_shares(&v);
    for (size_t i = 0; i < topology->n_applications; i++) {
        judge_application(&v, topology->applications[i], &deed, result);
    }
    verify_leave_actors(&v);
    free(v.tallies);
    bitmap_free(deed.within);
    bitmap_free(deed.touching);
}

void
verify_result_destroy(struct verify_result *result)
{
    for (size_t i = 0; i < result->n; i++) {
        free(result->findings[i].rules);
        free(result->findings[i].reason);
    }
    free(result->findings);
}
