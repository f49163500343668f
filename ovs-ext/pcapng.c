/* Packets as a pcapng file: see pcapng.h. */

#include "pcapng.h"

#include <string.h>

#include <openvswitch/ofpbuf.h>

#include "util.h"

/* Numbers are in the byte order of the host, which the byte-order magic
 * tells. */
enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINKTYPE_ETHERNET = 1,
};

/* Options, 3.5: a number means something else in each kind of block, but for
 * the first two. */
enum {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_SECTION_USER_APPLICATION = 4,
    OPTION_INTERFACE_NAME = 2,
};

static void
put16(struct ofpbuf *b, uint16_t number)
{
    ofpbuf_put(b, &number, sizeof number);
}

static void
put32(struct ofpbuf *b, uint32_t number)
{
    ofpbuf_put(b, &number, sizeof number);
}

/* Bytes, padded to 32 bits. */
static void
put_bytes(struct ofpbuf *b, const void *data, size_t n)
{
    ofpbuf_put(b, data, n);
    ofpbuf_put_zeros(b, PAD_SIZE(n, 4));
}

static void
put_option(struct ofpbuf *b, uint16_t code, const char *text)
{
    size_t n = MIN(strlen(text), UINT16_MAX);
    put16(b, code);
    put16(b, n);
    put_bytes(b, text, n);
}

/* Returns where the block begins. */
static size_t
begin_block(struct ofpbuf *b, uint32_t type)
{
    size_t start = b->size;
    put32(b, type);
    put32(b, 0);                /* Its length, see end_block(). */
    return start;
}

/* After at least one option. */
static void
end_block(struct ofpbuf *b, size_t start)
{
    put16(b, OPTION_END);
    put16(b, 0);
    uint32_t length = b->size - start + sizeof length;
    memcpy((char *) b->data + start + sizeof(uint32_t), &length,
           sizeof length);
    put32(b, length);
}

void
pcapng_put_section(struct ofpbuf *b, const char *application)
{
    size_t start = begin_block(b, BLOCK_SECTION);
    put32(b, BYTE_ORDER_MAGIC);
    put16(b, 1);                /* Version 1.0. */
    put16(b, 0);
    put32(b, UINT32_MAX);       /* The section's length is not told. */
    put32(b, UINT32_MAX);
    put_option(b, OPTION_SECTION_USER_APPLICATION, application);
    end_block(b, start);
}

void
pcapng_put_interface(struct ofpbuf *b, const char *name, uint32_t snap_len)
{
    size_t start = begin_block(b, BLOCK_INTERFACE);
    put16(b, LINKTYPE_ETHERNET);
    put16(b, 0);
    put32(b, snap_len);
    put_option(b, OPTION_INTERFACE_NAME, name);
    end_block(b, start);
}

void
pcapng_put_packet(struct ofpbuf *b, const struct pcapng_packet *packet)
{
    size_t start = begin_block(b, BLOCK_PACKET);
    put32(b, packet->interface);
    /* In microseconds, as the interface says nothing else. */
    put32(b, (uint64_t) packet->time_us >> 32);
    put32(b, packet->time_us);
    put32(b, packet->n);
    put32(b, packet->total);
    put_bytes(b, packet->data, packet->n);
    put_option(b, OPTION_COMMENT, packet->comment);
    end_block(b, start);
}
