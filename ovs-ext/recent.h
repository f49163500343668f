/* The deviations that were closed last, as records: a ring of bounded size. */

#ifndef SDFW_RECENT_H
#define SDFW_RECENT_H 1

#include <stddef.h>

#include <openvswitch/compiler.h>

struct json;

#define RECENT_MAX 1000

struct recent_one {
    char *text;                 /* The line for people. */
    struct json *record;        /* Serialized: small, and quick to send. */
};

struct recent {
    struct recent_one all[RECENT_MAX];
    size_t n;                   /* So far. */
};

/* All zeros at first. */
void recent_destroy(struct recent *);

/* Adds copies. */
void recent_add(struct recent *, const char *text, const struct json *record);

/* The 'i'th from the newest (0), or NULL if there is none. */
const struct recent_one *recent_get(const struct recent *, size_t i);

#endif /* recent.h */
