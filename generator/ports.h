/* Which OpenFlow port each workload is at.
 *
 * Filled from OVSDB (ovsdb.c), from a file, or by numbering: the compiler
 * only sees the result. */

#ifndef SDFW_PORTS_H
#define SDFW_PORTS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openvswitch/compiler.h>

#include "model.h"

/* OpenFlow's reserved port numbers begin here (OFPP_MAX). */
#define PORT_MAX 0xff00

/* A port that is no workload's but carries one VLAN untagged (Port:tag). */
struct access_port {
    uint16_t port;
    uint16_t vlan;
};

struct ports {
    const struct topology *topology;
    struct overlay *overlay;    /* What was said by hand; NULL: nothing. */
    /* By workload->index: the port, or 0 if it is not on this bridge. */
    uint16_t *of_workload;
    bool *by_hand;              /* Likewise: the overlay says where it is. */
    struct workload **workloads; /* All, by index: those of the manifests,
                                  * then those of the overlay. */
    size_t n_workloads;
    size_t n_declared;          /* Of the manifests. */
    struct access_port *access; /* Unmanaged, sorted by port. */
    size_t n_access, allocated_access;
};

/* Numbers the workloads of 'topology' in the order of applications, services
 * and workloads (the files' order), and returns ports with none on the
 * bridge.  The caller frees it with ports_destroy(). */
struct ports *ports_create(struct topology *topology);
void ports_destroy(struct ports *);

/* Puts the workloads on ports 1, 2, ... in order; those that would need a
 * reserved number stay off the bridge. */
void ports_number(struct ports *);

/* Reads "WORKLOAD-PATH PORT" lines ('#' starts a comment) from 'file'.
 * Returns an error that the caller must free, or NULL. */
char *ports_read_file(struct ports *, const char *file)
    OVS_WARN_UNUSED_RESULT;

/* Adds a workload that the topology has not. */
void ports_add_workload(struct ports *, struct workload *);

void ports_add_access(struct ports *, uint16_t port, uint16_t vlan);

/* True if both, of one topology, have everything at the same place. */
bool ports_equal(const struct ports *, const struct ports *);
size_t ports_n_local(const struct ports *);

/* The smallest number of aligned blocks (masks of leading ones) that make up
 * 'first' to 'last'; none if 'first' is the larger.  'out' has room for 30,
 * the most that 16 bits need.  Returns how many.  (Masks with holes could do
 * with fewer for some ranges, with 16 for 1 to 65534.) */
struct port_mask {
    uint16_t value, mask;
};
size_t port_range_to_masks(uint16_t first, uint16_t last,
                           struct port_mask out[]);

#endif /* ports.h */
