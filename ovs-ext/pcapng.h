/* Packets as a pcapng file, for Wireshark and others
 * (draft-ietf-opsawg-pcapng; sections are those of its version 02).
 *
 * libpcap writes the older format only, which has neither comments nor names
 * of interfaces.  Pure: appends blocks to a buffer. */

#ifndef SDFW_PCAPNG_H
#define SDFW_PCAPNG_H 1

#include <stddef.h>
#include <stdint.h>

struct ofpbuf;

/* 4.1: begins a file.  Interfaces that follow are numbered from 0. */
void pcapng_put_section(struct ofpbuf *, const char *application);

/* 4.2: an Ethernet interface.  'snap_len' is the most that is kept of a
 * packet. */
void pcapng_put_interface(struct ofpbuf *, const char *name,
                          uint32_t snap_len);

/* 4.3. */
struct pcapng_packet {
    uint32_t interface;
    long long int time_us;      /* Since the epoch. */
    const void *data;
    size_t n;                   /* Bytes at 'data'. */
    size_t total;               /* ... that the packet had. */
    const char *comment;
};
void pcapng_put_packet(struct ofpbuf *, const struct pcapng_packet *);

#endif /* pcapng.h */
