/* What ports are usually for: see port-names.h. */

#include "port-names.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "util.h"

struct role_port_name *
port_names_read(size_t *n)
{
    static const struct {
        const char *name;
        uint8_t protocol;
    } protocols[] = {
        { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
        { "sctp", IPPROTO_SCTP },
    };
    struct role_port_name *names = NULL;
    size_t allocated = 0;
    *n = 0;
    struct servent *service;
    setservent(1);
    while ((service = getservent())) {
        for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
            if (strcmp(service->s_proto, protocols[i].name)) {
                continue;
            }
            if (*n >= allocated) {
                names = x2nrealloc(names, &allocated, sizeof *names);
            }
            names[(*n)++] = (struct role_port_name) {
                .protocol = protocols[i].protocol,
                .port = ntohs(service->s_port),
                .name = xstrdup(service->s_name),
            };
        }
    }
    endservent();
    return names;
}

void
port_names_free(struct role_port_name *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(CONST_CAST(char *, names[i].name));
    }
    free(names);
}
