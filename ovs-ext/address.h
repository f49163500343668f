/* Addresses with ports, as settings name them. */

#ifndef SDFW_ADDRESS_H
#define SDFW_ADDRESS_H 1

#include <stdint.h>
#include <sys/socket.h>

#include <openvswitch/compiler.h>

/* Takes "ADDRESS:PORT", where an IPv6 address is in brackets.  If
 * 'default_port' is not 0, ":PORT" may be left out.  Returns what is wrong,
 * which the caller must free. */
char *address_parse(const char *, uint16_t default_port,
                    struct sockaddr_storage *) OVS_WARN_UNUSED_RESULT;

/* The same for "[ADDRESS:]PORT", of this host if there is no ADDRESS. */
char *address_parse_listener(const char *, struct sockaddr_storage *)
    OVS_WARN_UNUSED_RESULT;

#endif /* address.h */
