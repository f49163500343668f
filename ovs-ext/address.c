/* Addresses with ports: see address.h. */

#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "socket-util.h"
#include "util.h"

/* An IPv6 address without brackets has no port. */
static bool
is_bare_ipv6(const char *text)
{
    const char *colon = strchr(text, ':');
    return text[0] != '[' && colon && strchr(colon + 1, ':');
}

static const char *
find_port(const char *text)
{
    const char *end = strrchr(text, ']');
    const char *colon = strchr(end ? end : text, ':');
    return colon && !is_bare_ipv6(text) ? colon + 1 : NULL;
}

char *
address_parse(const char *text, uint16_t default_port,
              struct sockaddr_storage *ss)
{
    const char *port = find_port(text);
    int number = default_port;
    if (!port && !default_port && is_bare_ipv6(text)) {
        return xstrdup("an IPv6 address with a port is [ADDRESS]:PORT");
    } else if ((port && !str_to_int(port, 10, &number)) || number < 1
               || number > UINT16_MAX) {
        return xstrdup("a port is a number from 1 to 65535");
    } else if (!inet_parse_active(text, number, ss, false, NULL)) {
        return xstrdup("names of hosts are not looked up, an address is "
                       "wanted");
    }
    return NULL;
}

char *
address_parse_listener(const char *text, struct sockaddr_storage *ss)
{
    char *full = xasprintf("%s%s", strchr(text, ':') ? "" : "127.0.0.1:",
                           text);
    char *error = address_parse(full, 0, ss);
    free(full);
    return error;
}
