/* Asks a real bridge what it would do: see probe.h.
 *
 * The packet is written as a flow (ovs-fields(7)).  An end outside is any
 * address of the network, with a MAC that is nobody's, at the bridge's local
 * port. */

#include "probe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "packets.h"
#include "push.h"
#include "util.h"

#define TRACE_TIMEOUT_MS 30000
#define CLIENT_PORT 49152       /* The first dynamic port (RFC 6335). */

struct host {
    struct in6_addr address;
    struct eth_addr mac;
    char port[16];
};

static bool
is_ipv4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

/* The first workload of 'party' that is on the bridge, or its first. */
static const struct workload *
choose_workload(const struct party *party, const struct ports *ports)
{
    if (party->workload) {
        return party->workload;
    }
    const struct service *service = party->service;
    for (size_t i = 0; service && i < service->n_workloads; i++) {
        if (ports->of_workload[service->workloads[i]->index]) {
            return service->workloads[i];
        }
    }
    return service && service->n_workloads ? service->workloads[0] : NULL;
}

static char *
choose_address(const struct party *party, const struct workload *workload,
               bool ipv4, struct in6_addr *address)
{
    if (party->has_address) {
        *address = party->address;
        return is_ipv4(address) == ipv4 ? NULL
               : xstrdup("the two ends are not of the same address family");
    }
    for (size_t i = 0; workload && i < workload->n_addresses; i++) {
        if (is_ipv4(&workload->addresses[i]) == ipv4) {
            *address = workload->addresses[i];
            return NULL;
        }
    }
    for (size_t i = 0; party->network && i < party->network->n_prefixes;
         i++) {
        *address = party->network->prefixes[i].addr;
        if (is_ipv4(address) == ipv4) {
            address->s6_addr[15] |= 1;
            return NULL;
        }
    }
    return xasprintf("one end has no %s address", ipv4 ? "IPv4" : "IPv6");
}

static char *
choose_host(const struct party *party, const struct ports *ports, bool ipv4,
            struct host *host)
{
    const struct workload *workload = choose_workload(party, ports);
    uint16_t port = workload ? ports->of_workload[workload->index] : 0;
    if (workload && workload->n_macs) {
        host->mac = workload->macs[0];
    } else {
        host->mac = (struct eth_addr) ETH_ADDR_C(02,00,5d,fd,ff,fe);
    }
    if (port) {
        snprintf(host->port, sizeof host->port, "%u", port);
    } else {
        ovs_strlcpy(host->port, "LOCAL", sizeof host->port);
    }
    return choose_address(party, workload, ipv4, &host->address);
}

/* IPv4, unless an end has IPv6 only, or the protocol is ICMPv6. */
static bool
choose_ipv4(const struct party *from, const struct party *to,
            const struct opening *what)
{
    return what->protocol != IPPROTO_ICMPV6
           && !(from->has_address && !is_ipv4(&from->address))
           && !(to->has_address && !is_ipv4(&to->address));
}

static char *
format_packet(const struct host *from, const struct host *to, bool ipv4,
              const struct opening *what)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    char *src = address_to_string(&from->address);
    char *dst = address_to_string(&to->address);
    ds_put_format(&s, "in_port=%s,dl_src="ETH_ADDR_FMT",dl_dst="ETH_ADDR_FMT
                  ",dl_type=%s,nw_proto=%u,nw_ttl=64,%s=%s,%s=%s",
                  from->port, ETH_ADDR_ARGS(from->mac),
                  ETH_ADDR_ARGS(to->mac), ipv4 ? "0x0800" : "0x86dd",
                  what->protocol, ipv4 ? "nw_src" : "ipv6_src", src,
                  ipv4 ? "nw_dst" : "ipv6_dst", dst);
    free(src);
    free(dst);
    /* The trace takes conntrack's original tuple from the packet given, and
     * that conntrack says "new" from --ct-next. */
    bool icmp = what->protocol == IPPROTO_ICMP
                || what->protocol == IPPROTO_ICMPV6;
    ds_put_format(&s, ",ct_state=trk|new,ct_nw_proto=%u,ct_tp_src=%d,"
                  "ct_tp_dst=%d", what->protocol,
                  icmp ? what->icmp_type : CLIENT_PORT,
                  icmp ? MAX(what->icmp_code, 0) : what->first);
    switch (what->protocol) {
    case IPPROTO_TCP:
        ds_put_format(&s, ",tcp_src=%d,tcp_dst=%u,tcp_flags=syn",
                      CLIENT_PORT, what->first);
        break;
    case IPPROTO_UDP:
        ds_put_format(&s, ",udp_src=%d,udp_dst=%u", CLIENT_PORT,
                      what->first);
        break;
    case IPPROTO_SCTP:
        ds_put_format(&s, ",sctp_src=%d,sctp_dst=%u", CLIENT_PORT,
                      what->first);
        break;
    case IPPROTO_ICMP:
        ds_put_format(&s, ",icmp_type=%d,icmp_code=%d", what->icmp_type,
                      MAX(what->icmp_code, 0));
        break;
    case IPPROTO_ICMPV6:
        ds_put_format(&s, ",icmpv6_type=%d,icmpv6_code=%d", what->icmp_type,
                      MAX(what->icmp_code, 0));
        break;
    }
    return ds_steal_cstr(&s);
}

static char *
ask_vswitchd(const char *bridge, const char *packet, char **replyp)
{
    const char *argv[] = { bridge, packet, "--ct-next", "trk,new" };
    return control_ask("ovs-vswitchd", TRACE_TIMEOUT_MS, "ofproto/trace", argv,
                       ARRAY_SIZE(argv), replyp);
}

char *
probe_bridge(struct topology *topology, const struct options *options,
             const struct party *from, const struct party *to,
             const struct opening *what, struct probe *probe)
{
    if (strchr(options->bridges[0], ':')) {
        return xstrdup("trace can ask a bridge of this host only");
    }
    struct push_options push_options = {
        .db = options->db, .ports_file = options->ports_file,
        .timeout_ms = options->timeout_s * 1000,
        .table_base = options->table_base, .now = options->now,
        .read_only = true,
    };
    struct push_result *result = push_bridges(topology, options->bridges, 1,
                                              &push_options);
    bool ipv4 = choose_ipv4(from, to, what);
    struct host src, dst;
    char *error = result->error ? xstrdup(result->error) : NULL;
    if (!error) {
        error = choose_host(from, result->ports, ipv4, &src);
    }
    if (!error) {
        error = choose_host(to, result->ports, ipv4, &dst);
    }
    char *reply = NULL;
    if (!error) {
        char *packet = format_packet(&src, &dst, ipv4, what);
        error = ask_vswitchd(options->bridges[0], packet, &reply);
        free(packet);
    }
    if (!error) {
        /* After each ct() a new pass begins; the last one decides. */
        static const char tag[] = "Datapath actions: ";
        const char *last = NULL;
        for (const char *p = reply; (p = strstr(p, tag)) != NULL; ) {
            p += strlen(tag);
            last = p;
        }
        if (last) {
            probe->how = xmemdup0(last, strcspn(last, "\n"));
            probe->delivered = strcmp(probe->how, "drop");
        } else {
            error = xasprintf("ofproto/trace answered: %s", reply);
        }
    }
    free(reply);
    push_results_destroy(result, 1);
    return error;
}
