/* How much is unseen: see completeness.h.
 *
 * The estimate is Good and Turing's: entries seen once, by connections (Good,
 * "The population frequencies of species and the estimation of population
 * parameters", Biometrika 40, 1953).
 *
 * The known bounds around it (McAllester and Schapire, COLT 2000; McAllester
 * and Ortiz, JMLR 4, 2003) are wider by some 1/sqrt(connections): to say
 * "99.5 %" they want more than three million connections.  This one wants
 * about two thousand, for it looks at when entries were new, too.
 *
 * Let U(t) be the probability of what is unseen after t connections.  It never
 * grows.  Whether connection t+1 is new is 1 with probability U(t), given all
 * before, so exp(-s new - (exp(-s) - 1) U(t)) has at most mean 1, and so has
 * the product of these over the last m connections (a supermartingale, as in
 * Freedman, "On tail probabilities for martingales", Annals of Probability 3,
 * 1975).  By Markov's inequality, with probability 1 - d, if K of the m were
 * new,
 *
 *     m U(now) <= sum of U(t) <= (s K + ln(1/d)) / (1 - exp(-s)).
 *
 * That is so for one s that is chosen beforehand.  For the best of J of them d
 * becomes d/J.  With K = 0 it is about ln(J/d)/m, where one who knew that
 * U does not change would say ln(1/d)/m ("rule of three").
 *
 * How many are looked at is chosen by numbers of connections only: the latest
 * periods that have half of all. */

#include "completeness.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "util.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)

const struct completeness_criteria completeness_default_criteria = {
    .confidence = 0.95, .max_unseen = 0.005, .min_observed_ms = 7 * DAY_MS,
    .min_stable_ms = 3 * DAY_MS,
};

/* For none, few, some and many that were new. */
static const double exponents[] = { 6, 1, 0.3, 0.1 };

void
completeness_init(struct completeness *c, int64_t period_ms)
{
    ovs_assert(period_ms > 0);
    *c = (struct completeness) { .period_ms = period_ms };
}

static struct completeness_period *
current_period(struct completeness *c, int64_t when_ms)
{
    int64_t start_ms = when_ms - when_ms % c->period_ms;
    if (!c->n_periods
        || c->periods[c->n_periods - 1].start_ms != start_ms) {
        if (c->n_periods == COMPLETENESS_PERIODS) {
            c->n_periods--;
            memmove(c->periods, c->periods + 1,
                    c->n_periods * sizeof *c->periods);
        }
        c->periods[c->n_periods++] = (struct completeness_period) {
            .start_ms = start_ms,
        };
    }
    return &c->periods[c->n_periods - 1];
}

void
completeness_add(struct completeness *c, int64_t when_ms, uint64_t n_before,
                 uint64_t n)
{
    if (!n) {
        return;
    }
    if (!c->n_connections) {
        c->first_ms = c->last_ms = when_ms;
    }
    c->last_ms = MAX(c->last_ms, when_ms);

    struct completeness_period *period = current_period(c, c->last_ms);
    c->n_connections += n;
    period->n_connections += n;
    if (!n_before) {
        c->n_entries++;
        period->n_new++;
        c->last_new_ms = c->last_ms;
    }
    c->n_once += n_before + n == 1;
    c->n_once -= n_before == 1;
    period->unseen = completeness_unseen(c);
}

double
completeness_unseen(const struct completeness *c)
{
    return c->n_connections ? (double) c->n_once / c->n_connections : 1;
}

double
completeness_bound(const struct completeness *c, double confidence)
{
    double surprise = log(ARRAY_SIZE(exponents) / (1 - confidence));
    double n = 0, n_new = 0, bound = 1;

    for (size_t i = c->n_periods; i-- > 0 && 2 * n < c->n_connections; ) {
        n += c->periods[i].n_connections;
        n_new += c->periods[i].n_new;
    }
    for (size_t i = 0; n && i < ARRAY_SIZE(exponents); i++) {
        double s = exponents[i];
        bound = MIN(bound, (s * n_new + surprise) / -expm1(-s) / n);
    }
    return bound;
}

struct completeness_judgement
completeness_judge(const struct completeness *c,
                   const struct completeness_criteria *criteria,
                   int64_t now_ms)
{
    struct completeness_judgement j = {
        .unseen = completeness_unseen(c),
        .bound = completeness_bound(c, criteria->confidence),
    };
    if (!c->n_connections) {
        j.state = COMPLETENESS_NOTHING;
        return j;
    }
    j.observed_ms = MAX(now_ms - c->first_ms, 0);
    j.stable_ms = MAX(now_ms - c->last_new_ms, 0);
    j.state = j.observed_ms < criteria->min_observed_ms ? COMPLETENESS_SHORT
              : j.stable_ms < criteria->min_stable_ms ? COMPLETENESS_GROWING
              : j.bound > criteria->max_unseen ? COMPLETENESS_UNCERTAIN
              : COMPLETENESS_READY;
    return j;
}

/* "3 days", "1 hour", "less than an hour": never more than it is. */
static void
put_duration(struct ds *s, int64_t ms)
{
    bool days = ms >= DAY_MS;
    int64_t n = days ? ms / DAY_MS : ms / HOUR_MS;
    if (!n) {
        ds_put_cstr(s, "less than an hour");
    } else {
        ds_put_format(s, "%"PRId64" %s%s", n, days ? "day" : "hour",
                      n > 1 ? "s" : "");
    }
}

/* Rounded down, so that nothing is called complete that is not. */
static double
percent_complete(double unseen)
{
    return floor((1 - unseen) * 1000 + 1e-9) / 10;
}

char *
completeness_text(const struct completeness_judgement *j,
                  const struct completeness_criteria *criteria)
{
    if (j->state == COMPLETENESS_NOTHING) {
        return xstrdup("nothing seen yet");
    }

    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "at least %.1f %% complete, stable for ",
                  percent_complete(j->bound));
    put_duration(&s, j->stable_ms);
    ds_put_cstr(&s, ": ");
    switch (j->state) {
    case COMPLETENESS_SHORT:
        ds_put_cstr(&s, "observed for ");
        put_duration(&s, j->observed_ms);
        ds_put_cstr(&s, ", wait until it is ");
        put_duration(&s, criteria->min_observed_ms);
        break;
    case COMPLETENESS_GROWING:
        ds_put_cstr(&s, "wait until nothing is new for ");
        put_duration(&s, criteria->min_stable_ms);
        break;
    case COMPLETENESS_UNCERTAIN:
        ds_put_format(&s, "too few connections to be sure of %.1f %%",
                      percent_complete(criteria->max_unseen));
        break;
    case COMPLETENESS_READY:
        ds_put_cstr(&s, "ready for audit");
        break;
    case COMPLETENESS_NOTHING:
        OVS_NOT_REACHED();
    }
    return ds_steal_cstr(&s);
}
