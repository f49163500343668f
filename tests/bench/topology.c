/* Writes a manifest of the wanted size to standard output.
 *
 * usage: topology SERVICES REPLICAS LINKS [SEED]
 *
 * One application with SERVICES services of REPLICAS workloads each, one IPv4
 * address and one MAC a workload, and LINKS links with one TCP port each
 * between services drawn by the seed, so that the same arguments give the same bytes. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "splitmix.h"

static uint64_t state;

static uint64_t
draw(void)
{
    return splitmix64(&state);
}

static unsigned long int
number(const char *text, unsigned long int min, unsigned long int max)
{
    char *end;
    unsigned long int value = strtoul(text, &end, 10);
    if (!*text || *end || value < min || value > max) {
        fprintf(stderr, "topology: %s: expected a number from %lu to %lu\n",
                text, min, max);
        exit(64);
    }
    return value;
}

static void
write_workload(unsigned long int index)
{
    unsigned long int host = index + 1;
    printf("      <workload name=\"w%lu\" interface=\"p%lu\">"
           "<mac>02:00:%02lx:%02lx:%02lx:%02lx</mac>"
           "<address>10.%lu.%lu.%lu</address></workload>\n", index, index,
           index >> 24 & 255, index >> 16 & 255, index >> 8 & 255,
           index & 255, host >> 16 & 255, host >> 8 & 255, host & 255);
}

int
main(int argc, char *argv[])
{
    if (argc < 4 || argc > 5) {
        fputs("usage: topology SERVICES REPLICAS LINKS [SEED]\n", stderr);
        return 64;
    }
    unsigned long int services = number(argv[1], 1, 1000000);
    unsigned long int replicas = number(argv[2], 1, 1000000);
    unsigned long int links = number(argv[3], 0, 10000000);
    state = argc > 4 ? number(argv[4], 0, UINT64_MAX) : 1;

    puts("<manifest xmlns=\"urn:ovs-sdfw:manifest:1\" version=\"1\">\n"
         "  <application name=\"bench\">");
    for (unsigned long int i = 0; i < services; i++) {
        printf("    <service name=\"s%lu\">\n", i);
        for (unsigned long int j = 0; j < replicas; j++) {
            write_workload(i * replicas + j);
        }
        puts("    </service>");
    }
    for (unsigned long int i = 0; i < links; i++) {
        uint64_t from = draw() % services;
        uint64_t to = draw() % services;
        printf("    <link from=\"s%"PRIu64"\" to=\"s%"PRIu64"\">"
               "<tcp port=\"%"PRIu64"\"/></link>\n", from, to,
               1 + draw() % 65535);
    }
    puts("  </application>\n</manifest>");
    return ferror(stdout) ? 1 : 0;
}
