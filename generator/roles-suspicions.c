/* What should not become a rule unasked: see roles.h.
 *
 * An entry is suspicious in one of three ways.  An entry is "hardly used" if
 * it has at most FEW connections, or none of them was answered.
 *
 * - Port scan: a client has SCAN_PORTS or more hardly used entries with one
 *   server and protocol, each on another port.
 * - Sweep: a client has SWEEP_SERVERS or more hardly used entries on one
 *   protocol and port, with servers of SWEEP_ROLES or more roles (an outside
 *   one or one without a role counts as a role).  One replica that has
 *   just met all 50 replicas of another service is none.
 * - Alone: the client is one of MANY or more replicas, and no more than one of
 *   20 of them, or just one, talk to this protocol and port of the same role
 *   or outside; or the server is one of so many and it is so for it, and the
 *   client's other replicas do not do it either. */

#include "roles-private.h"

#include <stdio.h>
#include <stdlib.h>

#include "util.h"

#define FEW 2
#define SCAN_PORTS 10
#define SWEEP_SERVERS 10
#define SWEEP_ROLES 5
#define MANY 4

/* An entry, to be sorted together with others that have the same key. */
struct keyed {
    uint64_t key[2];
    uint32_t value;
    size_t entry;
};

static int
compare_keyed(const void *a_, const void *b_)
{
    const struct keyed *a = a_, *b = b_;
#define COMPARE(MEMBER)                                                     \
    if (a->MEMBER != b->MEMBER) {                                           \
        return a->MEMBER < b->MEMBER ? -1 : 1;                              \
    }
    COMPARE(key[0]);
    COMPARE(key[1]);
    COMPARE(value);
    COMPARE(entry);
#undef COMPARE
    return 0;
}

/* Sets 'n_values' of each to how many different values have its key; returns
 * by entry.  Entries that are not among 'keyed' have 0. */
static uint32_t *
count_values(struct keyed *keyed, size_t n, size_t n_entries)
{
    uint32_t *counts = xcalloc(n_entries, sizeof *counts);
    qsort(keyed, n, sizeof *keyed, compare_keyed);
    for (size_t i = 0, end; i < n; i = end) {
        uint32_t n_values = 0;
        for (end = i; end < n && keyed[end].key[0] == keyed[i].key[0]
                      && keyed[end].key[1] == keyed[i].key[1]; end++) {
            n_values += end == i || keyed[end].value != keyed[end - 1].value;
        }
        for (size_t j = i; j < end; j++) {
            counts[keyed[j].entry] = n_values;
        }
    }
    return counts;
}

static bool
hardly_used(const struct role_entry *entry)
{
    return entry->n_connections <= FEW
           || entry->n_unanswered >= entry->n_connections;
}

static uint64_t
service_of(const struct role_entry *entry)
{
    return (uint64_t) entry->protocol << 16 | entry->port;
}

/* The role of an end, or what is different from all roles. */
static uint64_t
party(const struct role_observations *observations, const struct roles *roles,
      uint32_t end)
{
    if (end < observations->n_hosts && roles->of_host[end] != ROLE_NONE) {
        return roles->of_host[end];
    }
    return roles->n_roles + end;
}

/* How many replicas that party has. */
static size_t
party_size(const struct roles *roles, uint64_t who)
{
    return who < roles->n_roles ? roles->roles[who].n_hosts : 1;
}

uint32_t *
find_port_scans(const struct role_observations *observations)
{
    struct keyed *keyed = xmalloc(observations->n_entries * sizeof *keyed);
    size_t n = 0;
    for (size_t i = 0; i < observations->n_entries; i++) {
        const struct role_entry *entry = &observations->entries[i];
        if (hardly_used(entry)) {
            keyed[n++] = (struct keyed) {
                .key = { (uint64_t) entry->client << 32 | entry->server,
                         entry->protocol },
                .value = entry->port, .entry = i,
            };
        }
    }
    uint32_t *n_ports = count_values(keyed, n, observations->n_entries);
    for (size_t i = 0; i < observations->n_entries; i++) {
        n_ports[i] = n_ports[i] >= SCAN_PORTS ? n_ports[i] : 0;
    }
    free(keyed);
    return n_ports;
}

/* Likewise of sweeps: how many servers were tried. */
static uint32_t *
find_sweeps(const struct role_observations *observations,
            const struct roles *roles)
{
    struct keyed *keyed = xmalloc(observations->n_entries * sizeof *keyed);
    size_t n = 0;
    for (size_t i = 0; i < observations->n_entries; i++) {
        const struct role_entry *entry = &observations->entries[i];
        if (hardly_used(entry)) {
            keyed[n++] = (struct keyed) {
                .key = { entry->client, service_of(entry) },
                .value = party(observations, roles, entry->server),
                .entry = i,
            };
        }
    }
    uint32_t *n_roles = count_values(keyed, n, observations->n_entries);
    for (size_t i = 0; i < n; i++) {
        keyed[i].value = observations->entries[keyed[i].entry].server;
    }
    uint32_t *n_servers = count_values(keyed, n, observations->n_entries);
    for (size_t i = 0; i < observations->n_entries; i++) {
        if (n_servers[i] < SWEEP_SERVERS || n_roles[i] < SWEEP_ROLES) {
            n_servers[i] = 0;
        }
    }
    free(n_roles);
    free(keyed);
    return n_servers;
}

/* For each entry, how many clients (or servers) of the same party do this with
 * the same other party. */
static uint32_t *
count_supporters(const struct role_observations *observations,
                 const struct roles *roles, bool servers)
{
    size_t n = observations->n_entries;
    struct keyed *keyed = xmalloc(n * sizeof *keyed);
    for (size_t i = 0; i < n; i++) {
        const struct role_entry *entry = &observations->entries[i];
        uint64_t from = party(observations, roles, entry->client);
        uint64_t to = party(observations, roles, entry->server);
        keyed[i] = (struct keyed) {
            .key = { from << 32 | to, service_of(entry) },
            .value = servers ? entry->server : entry->client, .entry = i,
        };
    }
    uint32_t *counts = count_values(keyed, n, n);
    free(keyed);
    return counts;
}

static bool
is_alone(size_t n, size_t of)
{
    return of >= MANY && n <= MAX(1, of / 20);
}

/* Puts why entry 'i' is alone, if it is, into 's'. */
static bool
check_alone(const struct role_observations *observations,
            const struct roles *roles, size_t i, uint32_t n_clients,
            uint32_t n_servers, struct suspicion *s)
{
    const struct role_entry *entry = &observations->entries[i];
    uint64_t from = party(observations, roles, entry->client);
    uint64_t to = party(observations, roles, entry->server);

    *s = (struct suspicion) { .entry = i, .reason = SUSPICION_ALONE };
    if (is_alone(n_clients, party_size(roles, from))) {
        s->n = n_clients;
        s->of = party_size(roles, from);
        return true;
    }
    if (is_alone(n_servers, party_size(roles, to)) && n_clients == 1) {
        s->n = n_servers;
        s->of = party_size(roles, to);
        return true;
    }
    return false;
}

struct suspicion *
roles_suspicions(const struct role_observations *observations,
                 const struct roles *roles, size_t *n)
{
    uint32_t *n_ports = find_port_scans(observations);
    uint32_t *n_swept = find_sweeps(observations, roles);
    uint32_t *n_clients = count_supporters(observations, roles, false);
    uint32_t *n_servers = count_supporters(observations, roles, true);
    struct suspicion *found = xmalloc(observations->n_entries * sizeof *found);

    *n = 0;
    for (size_t i = 0; i < observations->n_entries; i++) {
        if (n_ports[i] || n_swept[i]) {
            found[(*n)++] = (struct suspicion) {
                .entry = i, .n = n_ports[i] ? n_ports[i] : n_swept[i],
                .reason = n_ports[i] ? SUSPICION_PORT_SCAN : SUSPICION_SWEEP,
            };
        } else if (check_alone(observations, roles, i, n_clients[i],
                               n_servers[i], &found[*n])) {
            ++*n;
        }
    }
    free(n_servers);
    free(n_clients);
    free(n_swept);
    free(n_ports);
    return found;
}

static const char *
end_name(const struct role_observations *observations, uint32_t end)
{
    return end < observations->n_hosts ? observations->hosts[end]
           : observations->outside[end - observations->n_hosts];
}

char *
suspicion_text(const struct role_observations *observations,
               const struct roles *roles, const struct suspicion *s)
{
    const struct role_entry *entry = &observations->entries[s->entry];
    const char *client = end_name(observations, entry->client);
    const char *server = end_name(observations, entry->server);

    switch (s->reason) {
    case SUSPICION_PORT_SCAN:
        return xasprintf("port scan: %s tried %"PRIu32" ports of %s that it "
                         "hardly used", client, s->n, server);
    case SUSPICION_SWEEP:
        return xasprintf("sweep: %s tried this port of %"PRIu32" servers of "
                         "different roles, and hardly used it", client, s->n);
    case SUSPICION_ALONE:
        break;
    }

    uint64_t from = party(observations, roles, entry->client);
    bool of_client = from < roles->n_roles
                     && is_alone(s->n, roles->roles[from].n_hosts)
                     && s->of == roles->roles[from].n_hosts;
    uint64_t who = of_client ? from
                   : party(observations, roles, entry->server);
    return xasprintf("alone: %"PRIu32" of %"PRIu32" replicas of \"%s\" %s",
                     s->n, s->of, roles->roles[who].name,
                     of_client ? "does this" : "is asked this");
}
