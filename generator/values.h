/* Text of a manifest to values: addresses, ports, times.
 *
 * The schema has seen the text already; what it cannot say (an octet above
 * 255, host bits in a prefix, a reversed range) is said here.  Each function
 * returns NULL or what is wrong and what would be right, which the caller
 * frees. */

#ifndef SDFW_VALUES_H
#define SDFW_VALUES_H 1

#include "model.h"

/* The address of a workload: unicast, not loopback. */
char *value_to_mac(const char *text, struct eth_addr *) OVS_WARN_UNUSED_RESULT;
char *value_to_address(const char *text, struct in6_addr *)
    OVS_WARN_UNUSED_RESULT;

/* Any address that is written right. */
bool value_parse_address(const char *text, struct in6_addr *);

char *value_to_prefix(const char *text, struct prefix *)
    OVS_WARN_UNUSED_RESULT;

/* Takes the first of the ports or ranges in '*list' ("80,443,8000-8100") and
 * moves '*list' on; after the last, '*list' is NULL. */
char *value_next_ports(const char **list, uint16_t *first, uint16_t *last)
    OVS_WARN_UNUSED_RESULT;

/* A number or name of an ICMP ('protocol' IPPROTO_ICMP) or ICMPv6 type. */
char *value_to_icmp_type(const char *text, uint16_t protocol, int16_t *)
    OVS_WARN_UNUSED_RESULT;

/* "tcp" and so on, or the number of another protocol. */
char *value_to_protocol(const char *text, uint16_t *) OVS_WARN_UNUSED_RESULT;

/* An xs:dateTime with a zone.  Before 1970 is the first second of 1970: the
 * model keeps 0 for "not given". */
char *value_to_time(const char *text, time_t *) OVS_WARN_UNUSED_RESULT;

/* A text that the schema knows to be a decimal number. */
unsigned int value_to_number(const char *text);

#endif /* values.h */
