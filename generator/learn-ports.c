/* Which ports are a service's, and which were just handed out: see
 * learn-private.h.
 *
 * Passive FTP, RPC and the like have their clients connect to ports that are
 * different each time.  A link for each port that was seen would be wrong by
 * tomorrow, and a link for all high ports opens far too much.  So:
 *
 *   - a cluster of MIN_CLUSTER or more ports that lie close together becomes
 *     one range from the lowest to the highest, if each of their clients also
 *     uses a port outside of the cluster that stays (ftp's 21, the
 *     portmapper's 111): there the port was told to it;
 *   - of the rest, a port that looks handed out (from 32768 on, or in such a
 *     cluster) and was hardly used is set aside;
 *   - all others stay what they are. */

#include "learn-private.h"

#include <stdlib.h>

#include "direction.h"
#include "util.h"

#define MIN_CLUSTER 8           /* Ports. */
#define MAX_GAP 64              /* Between neighbors in a cluster. */
#define MAX_SPREAD 32           /* At least one of so many ports was seen. */
#define FIRST_UNPRIVILEGED 1024
#define STAYS 3                 /* Connections: then a port is no chance. */

static bool
has_client(const struct port_use *use, uint32_t client)
{
    for (size_t i = 0; i < use->n_clients; i++) {
        if (use->clients[i] == client) {
            return true;
        }
    }
    return false;
}

/* Does 'client' use a port outside of uses[begin..end-1] that stays? */
static bool
is_told(const struct port_use *uses, size_t n, size_t begin, size_t end,
        uint32_t client)
{
    for (size_t i = 0; i < n; i++) {
        if ((i < begin || i >= end) && !uses[i].suspicious
            && uses[i].port < FIRST_EPHEMERAL_PORT
            && has_client(&uses[i], client)) {
            return true;
        }
    }
    return false;
}

static bool
are_told(const struct port_use *uses, size_t n, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        for (size_t j = 0; j < uses[i].n_clients; j++) {
            if (!is_told(uses, n, begin, end, uses[i].clients[j])) {
                return false;
            }
        }
    }
    return true;
}

static size_t
cluster_end(const struct port_use *uses, size_t n, size_t begin)
{
    size_t end = begin + 1;
    while (end < n && uses[end].port - uses[end - 1].port <= MAX_GAP) {
        end++;
    }
    return end;
}

static void
judge_one(struct port_use *use, bool in_cluster)
{
    bool handed_out = in_cluster || use->port >= FIRST_EPHEMERAL_PORT;
    use->verdict = PORT_LINK;
    if (handed_out && use->n_connections < STAYS) {
        use->verdict = PORT_ASIDE;
        use->why = in_cluster
            ? "many ports close together, and not all clients also use one "
              "that stays: perhaps handed out, perhaps a scan"
            : "hardly used, and of the ports that systems hand out: another "
              "one may come next time";
    }
}

void
judge_ports(struct port_use *uses, size_t n)
{
    for (size_t begin = 0, end; begin < n; begin = end) {
        if (uses[begin].port < FIRST_UNPRIVILEGED) {
            end = begin + 1;
            judge_one(&uses[begin], false);
            continue;
        }
        end = cluster_end(uses, n, begin);
        size_t n_ports = end - begin;
        size_t span = uses[end - 1].port - uses[begin].port + 1;
        bool is_cluster = n_ports >= MIN_CLUSTER
                          && span <= n_ports * MAX_SPREAD;
        bool is_range = is_cluster && are_told(uses, n, begin, end);
        for (size_t i = begin; i < end; i++) {
            if (is_range) {
                uses[i].verdict = PORT_RANGE;
                uses[i].first = uses[begin].port;
                uses[i].last = uses[end - 1].port;
            } else {
                judge_one(&uses[i], is_cluster);
            }
        }
    }
}
