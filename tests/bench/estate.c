/* Made-up services: see estate.h.
 *
 * Applications of two to seven services, each reached from earlier ones of its
 * application on a port of its own; a quarter of the applications are built
 * like the one before.  Some services use one of another application, an
 * outside network, or each other.  All workloads use DNS, NTP and logging, and
 * monitoring and a bastion come to them.  A link is used between all pairs of
 * replicas, nine of ten of which were seen, or by each client with a few
 * servers only. */

#include "estate.h"

#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "splitmix.h"
#include "util.h"

#define MAX_SERVICES 7

static const char *const outside[] = {
    "internet", "office", "payments", "mirror", "partner", "mail-provider",
};

static const uint16_t ports[] = {
    80, 443, 3306, 5432, 5672, 6379, 8080, 8443, 9092, 9200, 11211, 27017,
};

struct service {
    size_t first, n;            /* Workloads. */
    uint16_t port;
};

/* Of an application: from one of its services to another. */
struct plan {
    size_t n_services;
    uint16_t port[MAX_SERVICES];
    size_t main_client[MAX_SERVICES]; /* Of all but the first. */
    bool link[MAX_SERVICES][MAX_SERVICES];
    bool peers[MAX_SERVICES];   /* Replicas talk to each other. */
    int outside[MAX_SERVICES];  /* Index, or -1. */
};

struct builder {
    struct estate *estate;
    const struct estate_options *options;
    struct service *services;
    size_t n_services, allocated_services;
    size_t n_hosts;
    uint64_t state;
};

static size_t
below(struct builder *b, size_t n)
{
    return splitmix64(&b->state) % n;
}

static bool
chance(struct builder *b, double p)
{
    return splitmix_unit(&b->state) < p;
}

/* From 'min' to 'max', small numbers more often. */
static uint64_t
log_uniform(struct builder *b, double min, double max)
{
    return min * pow((max + 1) / min, splitmix_unit(&b->state));
}

static void
add_entry(struct builder *b, uint32_t client, uint32_t server,
          uint8_t protocol, uint16_t port, uint64_t n, bool answered)
{
    struct estate *e = b->estate;
    if (e->n_entries >= e->allocated_entries) {
        e->entries = x2nrealloc(e->entries, &e->allocated_entries,
                                sizeof *e->entries);
    }
    e->entries[e->n_entries++] = (struct role_entry) {
        client, server, protocol, port, n, answered ? 0 : n,
    };
}

static uint32_t
outside_end(const struct builder *b, size_t i)
{
    return b->options->n_workloads + i;
}

static bool
is_idle(const struct builder *b, size_t host)
{
    return host < b->options->n_workloads && b->estate->idle[host];
}

static void
use(struct builder *b, uint32_t client, uint32_t server, uint16_t port,
    uint64_t n)
{
    if (client != server && !is_idle(b, client) && !is_idle(b, server)) {
        add_entry(b, client, server, IPPROTO_TCP, port, n, true);
    }
}

/* Each client has up to three servers, and each server a client or more. */
static void
link_few(struct builder *b, const struct service *from,
         const struct service *to, uint16_t port, uint64_t usual)
{
    for (size_t i = 0; i < 3 * from->n + to->n; i++) {
        size_t client = i < 3 * from->n ? i / 3 : below(b, from->n);
        size_t server = i < 3 * from->n ? below(b, to->n) : i - 3 * from->n;
        use(b, from->first + client, to->first + server, port,
            1 + log_uniform(b, usual / 2.0, usual * 2));
    }
}

static void
link_services(struct builder *b, const struct service *from,
              const struct service *to, uint16_t port, double p_rare)
{
    bool rare = chance(b, p_rare);
    bool few = chance(b, 0.3);
    uint64_t usual = log_uniform(b, 3, 300);

    if (!from->n || !to->n) {
        return;
    }
    if (few && !rare) {
        link_few(b, from, to, port, usual);
        return;
    }
    for (size_t i = 0; i < from->n; i++) {
        uint32_t client = from->first + i;
        if (rare) {
            if (chance(b, 0.3)) {
                use(b, client, to->first + below(b, to->n), port,
                    1 + below(b, 2));
            }
        } else {
            for (size_t j = 0; j < to->n; j++) {
                if (chance(b, 0.9)) {
                    use(b, client, to->first + j, port,
                        1 + log_uniform(b, usual / 2.0, usual * 2));
                }
            }
        }
    }
}

static struct service
add_service(struct builder *b, size_t n, uint16_t port)
{
    struct service service = {
        b->n_hosts, MIN(n, b->options->n_workloads - b->n_hosts), port,
    };
    for (size_t i = 0; i < service.n; i++) {
        b->estate->truth[b->n_hosts] = b->n_services;
        b->estate->idle[b->n_hosts++] = chance(b, b->options->idle);
    }
    if (!service.n) {
        return service;         /* There were no workloads left for it. */
    }
    if (b->n_services >= b->allocated_services) {
        b->services = x2nrealloc(b->services, &b->allocated_services,
                                 sizeof *b->services);
    }
    b->services[b->n_services++] = service;
    return service;
}

static struct plan
draw_plan(struct builder *b)
{
    struct plan plan = { .n_services = 2 + below(b, MAX_SERVICES - 1) };
    size_t first_port = below(b, ARRAY_SIZE(ports));

    for (size_t i = 0; i < plan.n_services; i++) {
        plan.port[i] = ports[(first_port + 5 * i) % ARRAY_SIZE(ports)];
        plan.peers[i] = chance(b, 0.1);
        plan.outside[i] = chance(b, 0.2) ? below(b, ARRAY_SIZE(outside)) : -1;
        if (i) {
            plan.main_client[i] = below(b, i);
        }
        for (size_t j = 0; j < i; j++) {
            plan.link[j][i] = j != plan.main_client[i] && chance(b, 0.25);
        }
    }
    return plan;
}

static void
build_application(struct builder *b, const struct plan *plan)
{
    size_t n_others = b->n_services;
    double rare = b->options->rare;
    struct service services[MAX_SERVICES] = { { 0, 0, 0 } };

    for (size_t i = 0; i < plan->n_services; i++) {
        size_t n = log_uniform(b, 1, b->options->max_replicas);
        services[i] = add_service(b, n, plan->port[i]);
    }
    for (size_t i = 0; i < services[0].n; i++) {
        use(b, outside_end(b, 0), services[0].first + i, plan->port[0],
            log_uniform(b, 50, 5000));
    }
    for (size_t i = 0; i < plan->n_services; i++) {
        if (i) {
            link_services(b, &services[plan->main_client[i]], &services[i],
                          plan->port[i], 0);
        }
        for (size_t j = 0; j < plan->n_services; j++) {
            if (plan->link[i][j]) {
                link_services(b, &services[i], &services[j], plan->port[j],
                              rare);
            }
        }
        if (plan->peers[i]) {
            link_services(b, &services[i], &services[i], 7000, rare);
        }
        for (size_t j = 0; plan->outside[i] >= 0 && j < services[i].n; j++) {
            use(b, services[i].first + j, outside_end(b, plan->outside[i]),
                443, log_uniform(b, 3, 300));
        }
        if (chance(b, 0.1)) {
            const struct service *other = &b->services[below(b, n_others)];
            link_services(b, &services[i], other, other->port, rare);
        }
    }
}

/* The services that all use, or that use all. */
static void
build_shared(struct builder *b, const struct service *dns,
             const struct service *ntp, const struct service *logging,
             const struct service *monitoring, const struct service *bastion)
{
    for (size_t host = 0; host < b->n_hosts; host++) {
        if (is_idle(b, host)) {
            if (chance(b, 0.5)) {
                add_entry(b, host, dns->first, IPPROTO_UDP, 53, 1, true);
            }
            continue;
        }
        for (size_t i = 0; i < dns->n; i++) {
            if (host != dns->first + i && chance(b, 0.9)) {
                add_entry(b, host, dns->first + i, IPPROTO_UDP, 53,
                          log_uniform(b, 10, 500), true);
            }
        }
        if (host != ntp->first) {
            add_entry(b, host, ntp->first, IPPROTO_UDP, 123,
                      log_uniform(b, 5, 50), true);
        }
        use(b, host, logging->first + below(b, logging->n), 6514,
            log_uniform(b, 20, 200));
        use(b, monitoring->first, host, 9100, log_uniform(b, 50, 100));
        if (chance(b, 0.4)) {
            use(b, bastion->first, host, 22, log_uniform(b, 1, 5));
        }
    }
}

static void
build_services(struct builder *b)
{
    struct service dns = add_service(b, 2, 53);
    struct service ntp = add_service(b, 1, 123);
    struct service logging = add_service(b, 3, 6514);
    struct service monitoring = add_service(b, 1, 9090);
    struct service bastion = add_service(b, 1, 22);

    for (size_t i = 0; i < dns.n; i++) {
        use(b, dns.first + i, outside_end(b, 0), 853, 500);
    }
    use(b, outside_end(b, 1), bastion.first, 22, 50);
    use(b, outside_end(b, 1), monitoring.first, 9090, 100);
    for (size_t i = 0; i < logging.n; i++) {
        use(b, outside_end(b, 1), logging.first + i, 5601, 50);
    }
    for (size_t i = 0; i < ntp.n; i++) {
        add_entry(b, ntp.first, outside_end(b, 0), IPPROTO_UDP, 123, 200,
                  true);
    }

    struct plan plan = draw_plan(b);
    while (b->n_hosts < b->options->n_workloads) {
        build_application(b, &plan);
        if (!chance(b, 0.25)) {
            plan = draw_plan(b);
        }
    }
    build_shared(b, &dns, &ntp, &logging, &monitoring, &bastion);
}

/* One scan, sweep or mistake; returns how many connections that was. */
static uint64_t
add_noise(struct builder *b)
{
    size_t n = b->options->n_workloads;
    uint32_t client = below(b, n);
    uint32_t server = below(b, n);
    uint16_t port = ports[below(b, ARRAY_SIZE(ports))];
    uint64_t size = 1;

    switch (below(b, 40)) {
    case 0:
        size = 20 + below(b, 80);
        for (uint64_t i = 0; i < size; i++) {
            add_entry(b, client, server, IPPROTO_TCP, 1 + below(b, 10000), 1,
                      chance(b, 0.1));
        }
        break;
    case 1:
        size = 20 + below(b, 80);
        size = MIN(n - 1, size);
        for (uint64_t i = 1; i <= size; i++) {
            add_entry(b, client, (client + i) % n, IPPROTO_TCP, port, 1,
                      chance(b, 0.1));
        }
        break;
    default:
        if (chance(b, 0.3)) {
            port = 1 + below(b, 65535);
        }
        add_entry(b, client, server, IPPROTO_TCP, port, 1, chance(b, 0.5));
    }
    return size;
}

/* Gives hosts names in another order than that of services. */
static void
name_hosts(struct builder *b)
{
    size_t n = b->options->n_workloads;
    size_t *order = xmalloc(n * sizeof *order);
    for (size_t i = 0; i < n; i++) {
        size_t j = below(b, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < n; i++) {
        b->estate->hosts[i] = xasprintf("vnet%"PRIuSIZE, order[i]);
    }
    free(order);
}

struct estate *
estate_create(const struct estate_options *options)
{
    struct estate *e = xzalloc(sizeof *e);
    struct builder b = {
        .estate = e, .options = options, .state = options->seed,
    };
    size_t n = options->n_workloads;

    e->hosts = xmalloc(n * sizeof *e->hosts);
    e->truth = xmalloc(n * sizeof *e->truth);
    e->idle = xcalloc(n, sizeof *e->idle);
    build_services(&b);

    uint64_t total = 0, wanted, n_noise = 0;
    size_t n_real = e->n_entries;
    for (size_t i = 0; i < n_real; i++) {
        total += e->entries[i].n_connections;
    }
    wanted = total * options->noise / (1 - options->noise);
    while (n_noise < wanted) {
        n_noise += add_noise(&b);
    }
    e->noise = xcalloc(e->n_entries, sizeof *e->noise);
    for (size_t i = n_real; i < e->n_entries; i++) {
        e->noise[i] = true;
    }
    name_hosts(&b);
    e->n_services = b.n_services;
    e->observations = (struct role_observations) {
        (const char *const *) e->hosts, n, outside, ARRAY_SIZE(outside),
        e->entries, e->n_entries,
    };
    free(b.services);
    return e;
}

void
estate_destroy(struct estate *e)
{
    for (size_t i = 0; i < e->observations.n_hosts; i++) {
        free(e->hosts[i]);
    }
    free(e->hosts);
    free(e->truth);
    free(e->idle);
    free(e->noise);
    free(e->entries);
    free(e);
}

double
estate_score(const struct estate *e, const struct roles *roles)
{
    size_t n_hosts = e->observations.n_hosts, n = 0;
    uint32_t *truth = xmalloc(n_hosts * sizeof *truth);
    uint32_t *found = xmalloc(n_hosts * sizeof *found);
    for (size_t i = 0; i < n_hosts; i++) {
        if (!e->idle[i]) {
            truth[n] = e->truth[i];
            found[n++] = roles->of_host[i];
        }
    }
    double score = adjusted_rand_index(truth, found, n);
    free(truth);
    free(found);
    return score;
}
