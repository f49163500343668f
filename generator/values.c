/* Text of a manifest to values: see values.h. */

#include "values.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "util.h"

unsigned int
value_to_number(const char *text)
{
    return strtoul(text, NULL, 10);
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

char *
value_to_mac(const char *text, struct eth_addr *mac)
{
    int any = 0;
    for (int i = 0; i < 6; i++) {
        mac->ea[i] = hex_digit(text[3 * i]) << 4 | hex_digit(text[3 * i + 1]);
        any |= mac->ea[i];
    }
    if (!any) {
        return xstrdup("MAC 00:00:00:00:00:00 is nobody's; write that of the "
                       "workload, such as 52:54:00:12:34:56");
    }
    if (mac->ea[0] & 1) {
        return xasprintf("MAC '%s' is a multicast address; that of a workload "
                         "has an even first octet", text);
    }
    return NULL;
}

bool
value_parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        memset(address, 0, sizeof *address);
        address->s6_addr[10] = address->s6_addr[11] = 0xff;
        memcpy(&address->s6_addr[12], &ipv4, sizeof ipv4);
        return true;
    }
    return inet_pton(AF_INET6, text, address) == 1;
}

/* IPv4-mapped addresses stand for IPv4 in the model, and nowhere else. */
static char *
refuse_mapped(const char *text, const struct in6_addr *address)
{
    if (!IN6_IS_ADDR_V4MAPPED(address) || !strchr(text, ':')) {
        return NULL;
    }
    char *ipv4 = address_to_string(address);
    char *error = xasprintf("'%s' is IPv4 written as IPv6; write %s", text,
                            ipv4);
    free(ipv4);
    return error;
}

static const char *
not_of_a_workload(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        const uint8_t *octets = &address->s6_addr[12];
        uint32_t ipv4 = (uint32_t) octets[0] << 24 | octets[1] << 16
                        | octets[2] << 8 | octets[3];
        return !ipv4 ? "the unspecified address"
               : ipv4 == UINT32_MAX ? "the broadcast address"
               : octets[0] == 127 ? "a loopback address"
               : octets[0] >> 4 == 14 ? "a multicast address" : NULL;
    }
    return IN6_IS_ADDR_UNSPECIFIED(address) ? "the unspecified address"
           : IN6_IS_ADDR_LOOPBACK(address) ? "a loopback address"
           : IN6_IS_ADDR_MULTICAST(address) ? "a multicast address" : NULL;
}

char *
value_to_address(const char *text, struct in6_addr *address)
{
    if (!value_parse_address(text, address)) {
        return xasprintf("'%s' is not an address; expected one such as "
                         "10.0.0.11 or fd00::11, without a prefix length",
                         text);
    }
    char *error = refuse_mapped(text, address);
    if (error) {
        return error;
    }
    const char *kind = not_of_a_workload(address);
    return kind ? xasprintf("'%s' is %s; a workload needs one of its own",
                            text, kind) : NULL;
}

/* Clears the bits of 'address' after the first 'len'. */
static void
mask_address(struct in6_addr *address, unsigned int len)
{
    for (unsigned int i = len; i < 128; i++) {
        address->s6_addr[i / 8] &= ~(0x80 >> i % 8);
    }
}

char *
value_to_prefix(const char *text, struct prefix *prefix)
{
    char address[INET6_ADDRSTRLEN + 1];
    size_t n = strcspn(text, "/");
    ovs_strlcpy(address, text, MIN(n + 1, sizeof address));
    if (!value_parse_address(address, &prefix->addr)) {
        return xasprintf("'%s' is not a prefix; expected one such as "
                         "10.0.0.0/8 or fd00::/8", text);
    }
    char *error = refuse_mapped(text, &prefix->addr);
    if (error) {
        return error;
    }
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&prefix->addr);
    unsigned int width = ipv4 ? 32 : 128;
    unsigned int len = text[n] ? value_to_number(text + n + 1) : width;
    if (len > width) {
        return xasprintf("prefix length %u of '%s' is too long; an %s prefix "
                         "has 0 to %u bits", len, text,
                         ipv4 ? "IPv4" : "IPv6", width);
    }
    struct in6_addr given = prefix->addr;
    prefix->len = ipv4 ? 96 + len : len;
    mask_address(&prefix->addr, prefix->len);
    if (memcmp(&given, &prefix->addr, sizeof given)) {
        char *meant = prefix_to_string(prefix);
        error = xasprintf("prefix '%s' has bits set after the first %u; did "
                          "you mean '%s', or the host '%s'?", text, len, meant,
                          address);
        free(meant);
    }
    return error;
}

char *
value_next_ports(const char **list, uint16_t *first, uint16_t *last)
{
    const char *item = *list + strspn(*list, " ");
    int n = strcspn(item, " ,");
    char *end;
    unsigned long from = strtoul(item, &end, 10);
    unsigned long to = *end == '-' ? strtoul(end + 1, NULL, 10) : from;
    const char *comma = strchr(item, ',');
    *list = comma ? comma + 1 : NULL;
    if (from > UINT16_MAX || to > UINT16_MAX) {
        return xasprintf("port %lu is too large; the last one is 65535",
                         from > UINT16_MAX ? from : to);
    }
    if (from > to) {
        return xasprintf("range '%.*s' is reversed; did you mean '%lu-%lu'?",
                         n, item, to, from);
    }
    *first = from;
    *last = to;
    return NULL;
}

/* Names as in ovs-fields(7) and ip6tables(8); numbers from IANA's registries
 * of ICMP and ICMPv6 parameters. */
struct icmp_name {
    const char *name;
    int16_t type;
};

static const struct icmp_name icmp_names[] = {
    { "echo-reply", 0 },
    { "destination-unreachable", 3 },
    { "source-quench", 4 },
    { "redirect", 5 },
    { "echo-request", 8 },
    { "router-advertisement", 9 },
    { "router-solicitation", 10 },
    { "time-exceeded", 11 },
    { "parameter-problem", 12 },
    { "timestamp-request", 13 },
    { "timestamp-reply", 14 },
    { "address-mask-request", 17 },
    { "address-mask-reply", 18 },
    { NULL, 0 },
};

static const struct icmp_name icmp6_names[] = {
    { "destination-unreachable", 1 },
    { "packet-too-big", 2 },
    { "time-exceeded", 3 },
    { "parameter-problem", 4 },
    { "echo-request", 128 },
    { "echo-reply", 129 },
    { "multicast-listener-query", 130 },
    { "multicast-listener-report", 131 },
    { "multicast-listener-done", 132 },
    { "router-solicitation", 133 },
    { "router-advertisement", 134 },
    { "neighbor-solicitation", 135 },
    { "neighbor-advertisement", 136 },
    { "redirect", 137 },
    { "multicast-listener-report-v2", 143 },
    { NULL, 0 },
};

char *
value_to_icmp_type(const char *text, uint16_t protocol, int16_t *type)
{
    const struct icmp_name *names = protocol == IPPROTO_ICMP ? icmp_names
                                                             : icmp6_names;
    const char *protocol_name = protocol == IPPROTO_ICMP ? "icmp" : "icmp6";
    if (text[0] >= '0' && text[0] <= '9') {
        unsigned int number = value_to_number(text);
        *type = number;
        return number <= 255 ? NULL
               : xasprintf("%s type %u is too large; the last one is 255",
                           protocol_name, number);
    }
    const char *known[ARRAY_SIZE(icmp6_names) + ARRAY_SIZE(icmp_names)];
    size_t n = 0;
    for (; names[n].name; n++) {
        if (!strcmp(names[n].name, text)) {
            *type = names[n].type;
            return NULL;
        }
        known[n] = names[n].name;
    }
    const char *nearest = check_nearest(text, known, n);
    return nearest
           ? xasprintf("unknown %s type '%s'; did you mean '%s'?",
                       protocol_name, text, nearest)
           : xasprintf("unknown %s type '%s'; expected a number from 0 to 255 "
                       "or a name such as echo-request", protocol_name, text);
}

char *
value_to_protocol(const char *text, uint16_t *protocol)
{
    static const struct {
        const char *name;
        uint16_t number;
    } names[] = {
        { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
        { "sctp", IPPROTO_SCTP }, { "icmp", IPPROTO_ICMP },
        { "icmp6", IPPROTO_ICMPV6 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(text, names[i].name)) {
            *protocol = names[i].number;
            return NULL;
        }
    }
    unsigned int number = value_to_number(text);
    if (number > 255) {
        return xasprintf("IP protocol %u is too large; the last one is 255",
                         number);
    }
    *protocol = number;
    return NULL;
}

char *
value_to_time(const char *text, time_t *time)
{
    struct tm tm = { .tm_isdst = 0 };
    char sign = '+';
    int n = 0, hours = 0, minutes = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6) {
        return xasprintf("'%s' is not a time of the years 0 to 9999; expected "
                         "one such as 2026-12-31T18:00:00Z", text);
    }
    n += strspn(text + n, ".0123456789");   /* Parts of a second. */
    if (text[n] != 'Z') {
        sscanf(text + n, "%c%2d:%2d", &sign, &hours, &minutes);
    }
    tm.tm_year -= 1900;
    tm.tm_mon--;
    int offset = (hours * 60 + minutes) * 60;
    time_t t = timegm(&tm) - (sign == '-' ? -offset : offset);
    *time = MAX(t, 1);
    return NULL;
}
