/* The model: what the manifests say, as plain data.
 *
 * An application holds services, a service holds workloads, links say which
 * service may open connections to which.  Nothing here reads files, asks a
 * switch or knows OpenFlow: manifest.c fills a 'struct topology', check.c
 * judges it, compile.c turns it into flows.
 *
 * Everything belongs to the topology and is freed with it.  Objects are
 * allocated one by one, so that pointers between them stay valid while the
 * arrays of pointers grow.  The arrays are in the order of the files (sorted
 * by name) and of the elements in them. */

#ifndef SDFW_MODEL_H
#define SDFW_MODEL_H 1

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openvswitch/shash.h>
#include <openvswitch/types.h>

/* Where something stands in the manifests, for messages.  'file' is owned by
 * the topology. */
struct location {
    const char *file;
    int line;
};

/* What happens to traffic that no link allows. */
enum mode {
    MODE_INHERIT,               /* A service: as its application. */
    MODE_LEARN,                 /* Allow and record. */
    MODE_AUDIT,                 /* Allow and report. */
    MODE_ENFORCE,               /* Drop and report. */
};

/* An address prefix of either family.  IPv4 is kept as IPv4-mapped IPv6
 * (RFC 4291, 2.5.5.2), so 'len' is 96 or more for it.  Host bits are 0. */
struct prefix {
    struct in6_addr addr;
    uint8_t len;                /* 0 to 128. */
};

/* An L2 or tenant scope.  Addresses are unique within one. */
enum segment_kind {
    SEGMENT_DEFAULT,            /* Untagged traffic; always there. */
    SEGMENT_VLAN,               /* Tagged with 'vlan' outside. */
    SEGMENT_ISOLATED,           /* Named only: nothing of it leaves. */
};

struct segment {
    char *name;                 /* "default" for SEGMENT_DEFAULT. */
    enum segment_kind kind;
    uint16_t vlan;              /* 1 to 4094 for SEGMENT_VLAN, else 0. */
    uint16_t id;                /* Not 0; also names the conntrack zone. */
    struct location where;
};

/* A named set of prefixes outside the bridges.  An address is in it if the
 * longest of its 'prefixes' and 'exceptions' that holds the address is one of
 * the 'prefixes' (of two equal ones, the exception counts).  Addresses of
 * workloads are never in a network. */
struct network {
    char *name;
    struct segment *segment;    /* NULL: in every segment. */
    bool forensics;             /* Links with it stay in quarantine. */
    struct prefix *prefixes;
    size_t n_prefixes;
    struct prefix *exceptions;
    size_t n_exceptions;
    struct location where;
};

/* How the port of a workload is found in OVSDB's table Interface. */
enum binding_kind {
    BIND_INTERFACE,             /* By name. */
    BIND_IFACE_ID,              /* external_ids:iface-id == value. */
    BIND_EXTERNAL_ID,           /* external_ids:key == value. */
    BIND_BY_HAND,               /* At the interface with this name: see
                                 * overlay.h. */
};

struct workload {
    char *name;                 /* Unique in its service. */
    struct service *home;       /* The service that declares it. */
    struct service **services;  /* 'home' and each that lists it as member. */
    size_t n_services;
    enum binding_kind binding;
    char *key;                  /* BIND_EXTERNAL_ID only, otherwise NULL. */
    char *value;                /* Interface name, iface-id or value. */
    struct eth_addr *macs;
    size_t n_macs;
    struct in6_addr *addresses; /* IPv4 as IPv4-mapped. */
    size_t n_addresses;
    size_t index;               /* Among all workloads: see ports_create(). */
    struct location where;
};

struct service {
    char *name;                 /* Unique in its application. */
    char *path;                 /* "APPLICATION/SERVICE". */
    struct application *application;
    struct segment *segment;
    enum mode mode;             /* May be MODE_INHERIT: see service_mode(). */
    struct workload **workloads;
    size_t n_workloads;
    struct response **responses; /* Instead of its application's, if it has
                                  * some. */
    size_t n_responses;
    struct location where;
};

/* One end of a link: exactly one of the two is set.  In an accept, 'service'
 * and 'network' may both be NULL with 'application' set: every service of
 * that application. */
struct endpoint {
    struct service *service;
    struct network *network;
    struct application *application;
};

/* What a link opens: one protocol with one range of server ports or one kind
 * of ICMP message. */
#define PROTOCOL_ANY 256
struct opening {
    uint16_t protocol;          /* IP protocol number or PROTOCOL_ANY. */
    uint16_t first, last;       /* TCP, UDP, SCTP; 0 and 65535 if all. */
    int16_t icmp_type;          /* ICMP, ICMPv6; -1 for all. */
    int16_t icmp_code;          /* ICMP, ICMPv6; -1 for all. */
    struct location where;
};

/* "from may open connections to to".  Also used for what an application
 * accepts from others ('accept'). */
struct link {
    struct application *application;
    struct endpoint from, to;
    struct opening *openings;   /* At least one in a link; none in an accept
                                 * that does not narrow what is linked. */
    size_t n_openings;
    char *reason;               /* May be NULL. */
    char *ticket;               /* May be NULL. */
    time_t not_before;          /* Valid from this second on; 0: always. */
    time_t not_after;           /* Not valid from this second on; 0: never
                                 * ends. */
    struct location where;
};

/* What sdfwd does when a workload deviates: see respond.h. */
#define QUARANTINE_NONE -1
#define QUARANTINE_UNTIL_RELEASED 0
struct response {
    uint32_t reasons;           /* Which deviations count: a bit (1u << enum
                                 * reason, pipeline.h) for each. */
    unsigned int count;         /* So many of a workload ... */
    unsigned int within_s;      /* ... in so many seconds. */
    int quarantine_min;         /* For so long, or QUARANTINE_*. */
    unsigned int capture_min;   /* 0: not. */
    unsigned int max_share;     /* Percent of a service's workloads on a bridge
                                 * that may be in quarantine thereby. */
    struct location where;
};

struct application {
    char *name;
    char *version;              /* May be NULL. */
    enum mode mode;             /* Never MODE_INHERIT. */
    struct service **services;
    size_t n_services;
    struct link **links;
    size_t n_links;
    struct link **accepts;
    size_t n_accepts;
    struct response **responses;
    size_t n_responses;
    struct location where;
};

/* A statement about the policy that "sdfw test" checks.  An end is a workload
 * or service path ("shop/web/web-1", "shop/web"), the name of a network, or
 * an address outside. */
struct expect {
    char *from, *to;
    struct segment *segment;    /* For ends that are addresses; NULL if not
                                 * given. */
    struct opening opening;     /* One protocol; first == last. */
    bool allow;
    struct location where;
};

struct topology {
    struct segment **segments;  /* [0] is the default segment. */
    size_t n_segments;
    struct network **networks;
    size_t n_networks;
    struct application **applications;
    size_t n_applications;
    struct expect **expects;
    size_t n_expects;
    struct shash files;         /* Interned file names; data is a digest, or
                                 * NULL: see manifest.h. */
    struct shash service_index; /* By path; data is struct service. */
    struct shash network_index; /* By name. */
    struct shash segment_index; /* By name. */
    struct shash application_index; /* By name. */
};

/* Returns an empty topology with the default segment.  The caller frees it
 * with topology_destroy(), which accepts NULL. */
struct topology *topology_create(void);
void topology_destroy(struct topology *);

/* Each adds an object that has its name (copied) and 'where', enters it into
 * the index and returns it.  The name must be new in its scope. */
struct segment *topology_add_segment(struct topology *, const char *name,
                                     enum segment_kind, uint16_t vlan,
                                     struct location);
struct network *topology_add_network(struct topology *, const char *name,
                                     struct location);
struct application *topology_add_application(struct topology *,
                                             const char *name,
                                             struct location);
struct service *application_add_service(struct topology *,
                                        struct application *,
                                        const char *name, struct location);
struct workload *service_add_workload(struct service *, const char *name,
                                      struct location);
/* A workload like that, which is no part of 'service', and freed by
 * workload_destroy(). */
struct workload *workload_create(struct service *, const char *name,
                                 struct location where);
void workload_destroy(struct workload *);
bool workload_is_in(const struct workload *, const struct service *);
/* Makes 'workload', declared in another service, a member of 'service'. */
void service_add_member(struct service *, struct workload *);
/* A link of 'application', or, if 'accept', what it accepts. */
struct link *application_add_link(struct application *, bool accept,
                                  struct location);
/* Takes back the link (or accept) that was added last. */
void application_drop_last_link(struct application *, bool accept);
/* What is done in 'service', or if it is NULL, in all of 'application'. */
struct response *add_response(struct application *, struct service *,
                              struct location);
struct expect *topology_add_expect(struct topology *, struct location);

/* Gives every segment its 'id': VLANs map to themselves above a fixed base,
 * names by a hash, so that the same name gets the same id on every host.
 * Called once after all segments are known. */
void topology_number_segments(struct topology *);

/* Writes what is known of the segment with conntrack zone 'zone', in the
 * words of profiles: "default", "vlan:10", or "zone:9000" if only its
 * topology knows.  Zone 0 is that of bridges without a policy. */
#define SEGMENT_TEXT_LEN 16
void segment_text_of_zone(uint16_t zone, char text[SEGMENT_TEXT_LEN]);

/* Returns the one copy of 'file' that lives as long as 'topology'. */
const char *topology_intern_file(struct topology *, const char *file);

/* The mode that holds for 'service': its own or its application's. */
enum mode service_mode(const struct service *);
const char *mode_to_string(enum mode);
/* False if 'name' is none of learn, audit and enforce. */
bool mode_from_string(const char *name, enum mode *);

/* True if 'link' is within its validity window at 'now'. */
bool link_is_valid(const struct link *, time_t now);

/* The number of all workloads of 'topology'. */
size_t topology_n_workloads(const struct topology *);

/* True for the protocols whose openings have ports. */
bool opening_has_ports(const struct opening *);

bool prefix_holds(const struct prefix *, const struct in6_addr *);
/* True if 'address' is in 'network': see there. */
bool network_holds(const struct network *, const struct in6_addr *);

/* Text forms.  The caller frees what is returned. */
char *endpoint_to_string(const struct endpoint *);  /* "shop/web", "office" */
char *opening_to_string(const struct opening *);    /* "tcp/8000-8100" */
char *prefix_to_string(const struct prefix *);
char *address_to_string(const struct in6_addr *);
char *workload_path(const struct workload *);       /* "shop/web/web-1" */
char *binding_to_string(const struct workload *);   /* "interface=vnet3" */

#endif /* model.h */
