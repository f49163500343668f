/* Another order of the same declarations: see shuffle.h. */

#include "shuffle.h"

#include <string.h>

#include "random.h"
#include "util.h"

#define SHUFFLE(ARRAY, N) shuffle(ARRAY, N, sizeof *(ARRAY))

/* Fisher and Yates's. */
static void
shuffle(void *array_, size_t n, size_t size)
{
    char *array = array_;
    for (size_t i = n; i > 1; i--) {
        size_t j = random_range(i);
        if (j != i - 1) {
            char last[64];
            ovs_assert(size <= sizeof last);
            memcpy(last, array + (i - 1) * size, size);
            memcpy(array + (i - 1) * size, array + j * size, size);
            memcpy(array + j * size, last, size);
        }
    }
}

static void
shuffle_service(struct service *service)
{
    SHUFFLE(service->workloads, service->n_workloads);
    for (size_t i = 0; i < service->n_workloads; i++) {
        struct workload *workload = service->workloads[i];
        SHUFFLE(workload->services, workload->n_services);
        SHUFFLE(workload->addresses, workload->n_addresses);
        SHUFFLE(workload->macs, workload->n_macs);
    }
}

static void
shuffle_application(struct application *application)
{
    SHUFFLE(application->services, application->n_services);
    SHUFFLE(application->links, application->n_links);
    SHUFFLE(application->accepts, application->n_accepts);
    for (size_t i = 0; i < application->n_services; i++) {
        shuffle_service(application->services[i]);
    }
    for (size_t i = 0; i < application->n_links; i++) {
        struct link *link = application->links[i];
        SHUFFLE(link->openings, link->n_openings);
    }
}

void
shuffle_topology(struct topology *topology)
{
    /* The first segment is the default one. */
    SHUFFLE(topology->segments + 1, topology->n_segments - 1);
    SHUFFLE(topology->networks, topology->n_networks);
    SHUFFLE(topology->applications, topology->n_applications);
    for (size_t i = 0; i < topology->n_networks; i++) {
        struct network *network = topology->networks[i];
        SHUFFLE(network->prefixes, network->n_prefixes);
        SHUFFLE(network->exceptions, network->n_exceptions);
    }
    for (size_t i = 0; i < topology->n_applications; i++) {
        shuffle_application(topology->applications[i]);
    }
}
