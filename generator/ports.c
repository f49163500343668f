/* Ports of workloads, and ranges of numbers as masks: see ports.h. */

#include "ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/shash.h>

#include "overlay.h"
#include "util.h"

struct ports *
ports_create(struct topology *topology)
{
    struct ports *ports = xzalloc(sizeof *ports);
    ports->topology = topology;
    ports->n_workloads = ports->n_declared = topology_n_workloads(topology);
    ports->of_workload = xcalloc(ports->n_workloads + 1,
                                 sizeof *ports->of_workload);
    ports->by_hand = xcalloc(ports->n_workloads + 1, sizeof *ports->by_hand);
    ports->workloads = xcalloc(ports->n_workloads + 1,
                               sizeof *ports->workloads);

    size_t index = 0;
    for (size_t i = 0; i < topology->n_applications; i++) {
        struct application *application = topology->applications[i];
        for (size_t j = 0; j < application->n_services; j++) {
            struct service *service = application->services[j];
            for (size_t k = 0; k < service->n_workloads; k++) {
                struct workload *workload = service->workloads[k];
                if (workload->home == service) {
                    workload->index = index;
                    ports->workloads[index++] = workload;
                }
            }
        }
    }
    ovs_assert(index == ports->n_workloads);
    return ports;
}

void
ports_destroy(struct ports *ports)
{
    if (ports) {
        overlay_unref(ports->overlay);
        free(ports->of_workload);
        free(ports->by_hand);
        free(ports->workloads);
        free(ports->access);
        free(ports);
    }
}

void
ports_number(struct ports *ports)
{
    for (size_t i = 0; i < ports->n_workloads && i + 1 < PORT_MAX; i++) {
        ports->of_workload[i] = i + 1;
    }
}

static char *
read_line(struct ports *ports, const struct shash *index, char *line,
          const char *file, int number)
{
    char *save = NULL;
    line[strcspn(line, "#\n")] = '\0';
    char *path = strtok_r(line, " \t", &save);
    if (!path) {
        return NULL;
    }
    char *port = strtok_r(NULL, " \t", &save);
    char *end = NULL;
    long value = port ? strtol(port, &end, 10) : 0;
    if (!port || *end || value < 1 || value >= PORT_MAX
        || strtok_r(NULL, " \t", &save)) {
        return xasprintf("%s:%d: expected \"APPLICATION/SERVICE/WORKLOAD "
                         "PORT\" with a port from 1 to %d",
                         file, number, PORT_MAX - 1);
    }
    struct workload *workload = shash_find_data(index, path);
    if (!workload) {
        return xasprintf("%s:%d: no workload '%s' in the topology",
                         file, number, path);
    }
    ports->of_workload[workload->index] = value;
    return NULL;
}

/* Two workloads cannot be at one port. */
static char *
check_unique(const struct ports *ports, const char *file)
{
    const struct workload **owner = xcalloc(PORT_MAX, sizeof *owner);
    char *error = NULL;
    for (size_t i = 0; i < ports->n_workloads && !error; i++) {
        uint16_t port = ports->of_workload[i];
        if (port && owner[port]) {
            error = xasprintf("%s: port %u is given to both %s/%s and %s/%s",
                              file, port, owner[port]->home->path,
                              owner[port]->name,
                              ports->workloads[i]->home->path,
                              ports->workloads[i]->name);
        }
        owner[port] = ports->workloads[i];
    }
    free(owner);
    return error;
}

char *
ports_read_file(struct ports *ports, const char *file)
{
    FILE *stream = fopen(file, "r");
    if (!stream) {
        return xasprintf("%s: %s", file, ovs_strerror(errno));
    }

    struct shash index = SHASH_INITIALIZER(&index);
    for (size_t i = 0; i < ports->n_workloads; i++) {
        char *path = workload_path(ports->workloads[i]);
        shash_add_nocopy(&index, path, ports->workloads[i]);
    }

    char *error = NULL;
    char *line = NULL;
    size_t allocated = 0;
    for (int number = 1; !error; number++) {
        if (getline(&line, &allocated, stream) < 0) {
            break;
        }
        error = read_line(ports, &index, line, file, number);
    }
    if (!error && ferror(stream)) {
        error = xasprintf("%s: read error", file);
    }
    if (!error) {
        error = check_unique(ports, file);
    }
    free(line);
    shash_destroy(&index);
    fclose(stream);
    return error;
}

void
ports_add_workload(struct ports *ports, struct workload *workload)
{
    size_t n = ++ports->n_workloads;
    ports->of_workload = xrealloc(ports->of_workload,
                                  (n + 1) * sizeof *ports->of_workload);
    ports->by_hand = xrealloc(ports->by_hand,
                              (n + 1) * sizeof *ports->by_hand);
    ports->workloads = xrealloc(ports->workloads,
                                (n + 1) * sizeof *ports->workloads);
    workload->index = n - 1;
    ports->of_workload[n - 1] = 0;
    ports->by_hand[n - 1] = false;
    ports->workloads[n - 1] = workload;
}

void
ports_add_access(struct ports *ports, uint16_t port, uint16_t vlan)
{
    if (ports->n_access >= ports->allocated_access) {
        ports->access = x2nrealloc(ports->access, &ports->allocated_access,
                                   sizeof *ports->access);
    }
    ports->access[ports->n_access++] = (struct access_port) {
        .port = port, .vlan = vlan,
    };
}

bool
ports_equal(const struct ports *a, const struct ports *b)
{
    if (a->n_workloads != b->n_workloads || a->n_access != b->n_access
        || !overlay_equal(a->overlay, b->overlay)) {
        return false;
    }
    for (size_t i = 0; i < a->n_workloads; i++) {
        if (a->of_workload[i] != b->of_workload[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_access; i++) {
        if (a->access[i].port != b->access[i].port
            || a->access[i].vlan != b->access[i].vlan) {
            return false;
        }
    }
    return true;
}

size_t
ports_n_local(const struct ports *ports)
{
    size_t n = 0;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        n += ports->of_workload[i] != 0;
    }
    return n;
}

size_t
port_range_to_masks(uint16_t first, uint16_t last, struct port_mask out[])
{
    size_t n = 0;
    uint32_t next = first;
    while (next <= last) {
        uint32_t size = next ? next & -next : UINT32_C(1) << 16;
        while (next + size - 1 > last) {
            size >>= 1;
        }
        out[n++] = (struct port_mask) {
            .value = next, .mask = ~(size - 1),
        };
        next += size;
    }
    return n;
}
