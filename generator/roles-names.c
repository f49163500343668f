/* Names for roles: see roles-private.h.
 *
 * The first of these that there is: what the names of most of its hosts have
 * in common ("web-1", "web-2": "web"), what the port is for that most of its
 * hosts serve ("postgresql"), the port itself ("tcp-8080"), what it is a
 * client of ("postgresql-client"), "role".  A name that is taken gets a
 * number. */

#include "roles-private.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/dynamic-string.h>

#include "sset.h"
#include "util.h"

#define MAX_NAME 60             /* And "-NN" must fit, too. */

/* What hypervisors and tools call interfaces and machines of any role. */
static const char *const generic[] = {
    "br", "ct", "dummy", "en", "ens", "eth", "fwln", "guest", "host",
    "instance", "ip", "lxc", "machine", "net", "node", "p", "port", "qvo",
    "server", "tap", "veth", "vif", "vm", "vnet",
};

static bool
is_generic(const char *stem)
{
    for (size_t i = 0; i < ARRAY_SIZE(generic); i++) {
        if (!strcasecmp(stem, generic[i])) {
            return true;
        }
    }
    return false;
}

/* "shop-web-12" -> "shop-web", "web-7d9f8b6c4-x2x9z" -> "web": parts from the
 * first one that is a number or looks like a hash are dropped, and digits at
 * the end of the last one.  Returns NULL if nothing is left that tells
 * something; the caller frees the rest. */
static char *
stem_of(const char *name)
{
    size_t end = 0;
    for (size_t i = 0; name[i] && i < MAX_NAME; ) {
        size_t length = strcspn(name + i, "-_.:/");
        size_t n_letters = 0;
        while (n_letters < length
               && isalpha((unsigned char) name[i + n_letters])) {
            n_letters++;
        }
        size_t n_digits = strspn(name + i + n_letters, "0123456789");
        bool plain = n_letters && n_letters + n_digits == length;
        if (!plain || i + n_letters > MAX_NAME) {
            break;
        }
        end = i + n_letters;
        if (n_digits || !name[i + length]) {
            break;
        }
        i += length + 1;
    }

    char *stem = xmemdup0(name, end);
    for (char *p = stem; *p; p++) {
        if (*p == ':' || *p == '/') {
            *p = '-';
        }
    }
    if (end < 2 || is_generic(stem)) {
        free(stem);
        return NULL;
    }
    return stem;
}

static int
compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The stem that more than half of the hosts have, or NULL. */
static char *
common_stem(const struct role_observations *observations,
            const struct role *role)
{
    char **stems = xmalloc(role->n_hosts * sizeof *stems);
    size_t n = 0;
    for (size_t i = 0; i < role->n_hosts; i++) {
        char *stem = stem_of(observations->hosts[role->hosts[i]]);
        if (stem) {
            stems[n++] = stem;
        }
    }
    qsort(stems, n, sizeof *stems, compare_strings);

    /* If more than half have it, it is in the middle of all. */
    char *found = NULL;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !strcmp(stems[i], stems[end]); end++) {
            continue;
        }
        if (2 * (end - i) > role->n_hosts) {
            found = xstrdup(stems[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(stems[i]);
    }
    free(stems);
    return found;
}

static char *
port_name(const struct role_port_name *names, size_t n, uint8_t protocol,
          uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].protocol == protocol && names[i].port == port) {
            return xstrdup(names[i].name);
        }
    }
    switch (protocol) {
    case IPPROTO_TCP: return xasprintf("tcp-%"PRIu16, port);
    case IPPROTO_UDP: return xasprintf("udp-%"PRIu16, port);
    case IPPROTO_SCTP: return xasprintf("sctp-%"PRIu16, port);
    default: return xasprintf("protocol-%"PRIu8, protocol);
    }
}

/* One use of a port by a role. */
struct use {
    uint32_t role;
    uint32_t service;           /* Protocol and port. */
    uint32_t host;
    uint64_t n_connections;
};

static int
compare_uses(const void *a_, const void *b_)
{
    const struct use *a = a_, *b = b_;
#define COMPARE(MEMBER)                                                     \
    if (a->MEMBER != b->MEMBER) {                                           \
        return a->MEMBER < b->MEMBER ? -1 : 1;                              \
    }
    COMPARE(role);
    COMPARE(service);
    COMPARE(host);
#undef COMPARE
    return 0;
}

static bool
is_port(const struct role_entry *entry)
{
    return entry->protocol != IPPROTO_ICMP
           && entry->protocol != IPPROTO_ICMPV6;
}

/* For each role the service (protocol << 16 | port) that most of its hosts,
 * and of these the one that most connections, are asked for; or that they ask
 * for if 'clients'.  UINT32_MAX: none that half of them have. */
static uint32_t *
main_services(const struct role_observations *observations,
              const struct roles *roles, bool clients)
{
    struct use *uses = xmalloc(observations->n_entries * sizeof *uses);
    size_t n = 0;
    for (size_t i = 0; i < observations->n_entries; i++) {
        const struct role_entry *entry = &observations->entries[i];
        uint32_t host = clients ? entry->client : entry->server;
        if (host < observations->n_hosts && roles->of_host[host] != ROLE_NONE
            && is_port(entry)) {
            uses[n++] = (struct use) {
                .role = roles->of_host[host], .host = host,
                .service = entry->protocol << 16 | entry->port,
                .n_connections = entry->n_connections,
            };
        }
    }
    qsort(uses, n, sizeof *uses, compare_uses);

    uint32_t *best = xmalloc(roles->n_roles * sizeof *best);
    uint64_t *best_n = xcalloc(roles->n_roles, sizeof *best_n);
    memset(best, 0xff, roles->n_roles * sizeof *best);
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t n_hosts = 0, n_connections = 0;
        for (end = i; end < n && uses[end].role == uses[i].role
                      && uses[end].service == uses[i].service; end++) {
            n_hosts += end == i || uses[end].host != uses[end - 1].host;
            n_connections += uses[end].n_connections;
        }
        uint32_t role = uses[i].role;
        if (2 * n_hosts >= roles->roles[role].n_hosts
            && n_connections > best_n[role]) {
            best_n[role] = n_connections;
            best[role] = uses[i].service;
        }
    }
    free(best_n);
    free(uses);
    return best;
}

/* 'name' becomes valid in a manifest and unique; takes and returns it. */
static char *
make_unique(char *name, struct sset *taken)
{
    for (char *p = name; *p; p++) {
        bool valid = isalnum((unsigned char) *p)
                     || (p > name && strchr("._-", *p));
        *p = valid ? *p : 'x';
    }
    name[MIN(strlen(name), MAX_NAME)] = '\0';

    char *unique = xstrdup(name);
    for (int i = 2; sset_contains(taken, unique); i++) {
        free(unique);
        unique = xasprintf("%.*s-%d", MAX_NAME - 8, name, i);
    }
    free(name);
    sset_add(taken, unique);
    return unique;
}

void
name_roles(const struct role_observations *observations, struct roles *roles,
           const struct role_port_name *names, size_t n_names)
{
    uint32_t *served = main_services(observations, roles, false);
    uint32_t *asked = main_services(observations, roles, true);
    struct sset taken = SSET_INITIALIZER(&taken);

    for (size_t i = 0; i < roles->n_roles; i++) {
        struct role *role = &roles->roles[i];
        char *name = common_stem(observations, role);
        if (!name && served[i] != UINT32_MAX) {
            name = port_name(names, n_names, served[i] >> 16, served[i]);
        }
        if (!name && asked[i] != UINT32_MAX) {
            char *server = port_name(names, n_names, asked[i] >> 16, asked[i]);
            name = xasprintf("%s-client", server);
            free(server);
        }
        role->name = make_unique(name ? name : xstrdup("role"), &taken);
    }
    sset_destroy(&taken);
    free(asked);
    free(served);
}
