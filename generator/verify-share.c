/* Prevalence: which share of the applications that are alike has a link.
 *
 * A sample says that an application has a link of some kind, or a service of
 * some kind.  Samples are sorted, and counted once an application, into
 * tallies, which are then looked up. */

#include "verify-private.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define NO_KIND UINT32_MAX      /* The tally is of services, not links. */

struct tally_key {
    uint32_t from, to;          /* Kinds. */
    uint16_t protocol, first, last;
    int16_t icmp_type, icmp_code;
    uint16_t anchored_at_to;
};

struct sample {
    struct tally_key key;       /* No padding: compared as bytes. */
    const struct application *application;
};

struct tally {
    struct tally_key key;
    size_t n;                   /* Applications. */
};

struct samples {
    struct sample *all;
    size_t n, allocated;
};

static struct tally_key
service_key(uint32_t kind)
{
    return (struct tally_key) { .from = kind, .to = NO_KIND };
}

/* The service whose kind makes applications alike: the client, or if that is
 * a network, the server. */
static const struct endpoint *
anchor_of(const struct link *link)
{
    return link->from.service ? &link->from : &link->to;
}

static struct tally_key
link_key(const struct verifier *v, const struct link *link,
         const struct opening *o)
{
    return (struct tally_key) {
        .from = verify_actor(v, &link->from)->kind,
        .to = verify_actor(v, &link->to)->kind,
        .protocol = o->protocol, .first = o->first, .last = o->last,
        .icmp_type = o->icmp_type, .icmp_code = o->icmp_code,
        .anchored_at_to = anchor_of(link) == &link->to,
    };
}

static void
add_sample(struct samples *samples, struct tally_key key,
           const struct application *application)
{
    if (samples->n >= samples->allocated) {
        samples->all = x2nrealloc(samples->all, &samples->allocated,
                                  sizeof *samples->all);
    }
    samples->all[samples->n++] = (struct sample) { key, application };
}

static void
take_samples(const struct verifier *v, const struct application *application,
             struct samples *samples)
{
    for (size_t i = 0; i < application->n_services; i++) {
        struct endpoint end = { .service = application->services[i] };
        add_sample(samples, service_key(verify_actor(v, &end)->kind),
                   application);
    }
    for (size_t i = 0; i < application->n_links; i++) {
        const struct link *link = application->links[i];
        if (verify_passes_over(v, link)) {
            continue;
        }
        for (size_t j = 0; j < link->n_openings; j++) {
            add_sample(samples, link_key(v, link, &link->openings[j]),
                       anchor_of(link)->service->application);
        }
    }
}

static int
compare_samples(const void *a_, const void *b_)
{
    const struct sample *a = a_;
    const struct sample *b = b_;
    int cmp = memcmp(&a->key, &b->key, sizeof a->key);
    return cmp ? cmp
           : a->application < b->application ? -1
           : a->application > b->application;
}

void
verify_count_shares(struct verifier *v)
{
    struct samples samples = { .n = 0 };
    for (size_t i = 0; i < v->topology->n_applications; i++) {
        take_samples(v, v->topology->applications[i], &samples);
    }
    if (samples.n) {
        qsort(samples.all, samples.n, sizeof *samples.all, compare_samples);
    }
    v->tallies = xcalloc(samples.n, sizeof *v->tallies);
    v->n_tallies = 0;
    for (size_t i = 0; i < samples.n; i++) {
        const struct sample *s = &samples.all[i];
        const struct sample *before = i ? s - 1 : NULL;
        bool new = !before || memcmp(&before->key, &s->key, sizeof s->key);
        if (new) {
            v->tallies[v->n_tallies++].key = s->key;
        }
        v->tallies[v->n_tallies - 1].n
            += new || before->application != s->application;
    }
    free(samples.all);
}

static int
compare_tallies(const void *a_, const void *b_)
{
    const struct tally *a = a_;
    const struct tally *b = b_;
    return memcmp(&a->key, &b->key, sizeof a->key);
}

static size_t
tally_of(const struct verifier *v, struct tally_key key)
{
    struct tally wanted = { .key = key };
    const struct tally *found = bsearch(&wanted, v->tallies, v->n_tallies,
                                        sizeof wanted, compare_tallies);
    return found->n;
}

struct share
verify_share(const struct verifier *v, const struct link *link,
             const struct opening *opening)
{
    return (struct share) {
        .n = tally_of(v, link_key(v, link, opening)),
        .of = tally_of(v, service_key(verify_actor(v, anchor_of(link))->kind)),
    };
}
