/* What "sdfw verify" knows: well-known services, rules, and the risks that a
 * site accepts.
 *
 * A catalogue is XML (schemas/catalogue.xsd says what each thing means); the
 * built-in one is schemas/catalogue.xml, which the linker puts into the
 * program.  Those of the site add to it, and replace what has the same id. */

#ifndef SDFW_CATALOGUE_H
#define SDFW_CATALOGUE_H 1

#include "model.h"
#include "report.h"
#include "sset.h"
#include "svec.h"

/* From good to bad. */
enum verify_verdict {
    VERIFY_KNOWN_GOOD,
    VERIFY_UNKNOWN,             /* No rule matches; no rule says so. */
    VERIFY_UNUSUAL,
    VERIFY_DANGEROUS,
};
#define VERIFY_N_VERDICTS 4

/* "known-good" and so on. */
const char *verify_verdict_to_string(enum verify_verdict);
/* False if 'name' is none of them. */
bool verify_verdict_from_string(const char *name, enum verify_verdict *);

/* A set of well-known services. */
struct service_set {
    char *text;                 /* Ids and classes; NULL: not given. */
    unsigned long *bits;        /* By index of the service. */
};

struct well_known {
    char *id, *title;
    char *class;                /* May be NULL. */
    struct svec names;
    struct service_set calls;
    bool called_by_all, on_any_host;
    struct opening *openings;
    size_t n_openings;
    struct location where;
};

/* What an end may be: bits. */
enum {
    END_SERVICE = 1 << 0,
    END_NETWORK = 1 << 1,
    END_INSIDE = 1 << 2,
    END_OUTSIDE = 1 << 3,
    END_EVERYWHERE = 1 << 4,
};

/* How two services stand to each other: bits. */
enum {
    RELATION_SAME_SERVICE = 1 << 0,
    RELATION_SAME_APPLICATION = 1 << 1,
    RELATION_OTHER_APPLICATION = 1 << 2,
};

enum server_name { NAME_WHATEVER, NAME_SAME, NAME_OTHER };
enum call { CALL_WHATEVER, CALL_EXPECTED, CALL_UNEXPECTED };

struct rule {
    char *id, *title;
    char *explanation, *instead;    /* May be NULL. */
    enum verify_verdict verdict;
    int score;
    /* Conditions; 0 or NULL: whatever. */
    unsigned int from, to, relations;
    struct service_set service, from_like, from_unlike, to_like, to_unlike;
    enum server_name server_name;
    enum call call;
    unsigned int min_ports;
    unsigned int rare, common, among, replicas;
    struct opening *openings;
    size_t n_openings;
    struct location where;
};

struct accepted_risk {
    struct svec rules;          /* Ids. */
    char *from, *to;            /* Patterns. */
    char *reason;
    char *ticket;               /* May be NULL. */
    time_t not_after;
    struct opening *openings;   /* None: whatever is opened. */
    size_t n_openings;
    struct location where;
};

struct catalogue {
    struct well_known **services;
    size_t n_services;
    struct rule **rules;
    size_t n_rules;
    struct accepted_risk **accepted;
    size_t n_accepted;
    struct sset files;          /* What 'where' points to. */
};

/* Reads the built-in catalogue and then 'files'.  What is wrong goes to
 * 'report'; so do, as warnings, accepted risks that have ended at 'now'.
 * Returns NULL after an error.  The caller frees it with
 * catalogue_destroy(). */
struct catalogue *catalogue_read(const char *const files[], size_t n,
                                 time_t now, struct report *);
void catalogue_destroy(struct catalogue *);

#endif /* catalogue.h */
