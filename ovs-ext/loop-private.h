/* What the files of the event loop share: loop.c and loop-connection.c, and
 * http.c, whose server runs in the same loop. */

#ifndef SDFW_LOOP_PRIVATE_H
#define SDFW_LOOP_PRIVATE_H 1

#include "loop.h"

struct event_base;
struct signal_event;

struct loop {
    struct event_base *base;
    struct signal_event *signals;

    /* TLS. */
    const struct tls_settings *ssl, *tls; /* For "ssl:" and "tls:". */
    unsigned long int n_tls_failures;
    char *tls_failure;          /* The last. */
};

/* Makes a connection of what a listener has accepted. */
struct connection *connection_create_accepted(
    struct loop *, int fd, const struct connection_callbacks *, void *aux);

#endif /* loop-private.h */
