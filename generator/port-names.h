/* What ports are usually for, as this system knows it (services(5)). */

#ifndef SDFW_PORT_NAMES_H
#define SDFW_PORT_NAMES_H 1

#include "roles.h"

/* NULL if the system knows none.  The caller frees it by port_names_free(). */
struct role_port_name *port_names_read(size_t *n);
void port_names_free(struct role_port_name *, size_t n);

#endif /* port-names.h */
