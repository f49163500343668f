/* Answers HTTP: a table of resources, each made by a callback.
 *
 * For looking only: GET and HEAD, no bodies.  There is no authentication, so
 * it listens on loopback unless told otherwise, and refuses requests whose
 * Host is a name other than localhost: a page that a browser has loaded from
 * elsewhere could otherwise read through DNS what is meant for this host
 * ("rebinding").  Connections, headers, and how long either may take are
 * bounded.
 *
 * Beside loop*.c, only http.c knows libevent. */

#ifndef SDFW_HTTP_H
#define SDFW_HTTP_H 1

#include <openvswitch/dynamic-string.h>

#include "loop.h"

struct http;

struct http_answer {
    int status;                 /* 200 unless get() changes it. */
    struct ds body;
};

struct http_resource {
    const char *path;           /* "/metrics" */
    const char *type;           /* Content-Type. */
    bool prepared;              /* Wants prepare() to be called before. */
    /* 'filter' is from the query ("?filter=TEXT"), or "". */
    void (*get)(const char *filter, struct http_answer *, void *aux);
};

/* Listens on 'target', "[ADDRESS:]PORT".  'resources' ends with a NULL path
 * and stays until http_destroy().  'prepare' starts to fetch what some of them
 * show, and returns true if http_continue() will be called when it is there;
 * if that takes long, they are answered with what is known. */
char *http_create(struct loop *, const char *target,
                  const struct http_resource resources[],
                  bool (*prepare)(void *aux), void *aux, struct http **)
    OVS_WARN_UNUSED_RESULT;
void http_destroy(struct http *);

/* Answers the requests that wait. */
void http_continue(struct http *);

#endif /* http.h */
