/* Changes to a manifest that mostly leave it XML.
 *
 * Random bytes nearly always end in the parser.  To come to what is behind it,
 * three of four changes are to elements (that begin on a line of their own) or
 * to values. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* libFuzzer's. */
size_t LLVMFuzzerMutate(uint8_t *, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *, size_t size, size_t max_size,
                               unsigned int seed);

#define MAX_SPANS 512

/* A part of the text. */
struct span {
    size_t start, n;
};

struct spans {
    struct span all[MAX_SPANS];
    size_t n;
};

static const char *const values[] = {
    "", "0", "1", "255", "256", "4094", "65535", "0-65535", "65535,0-1",
    "shop", "web", "shop/web", "web/w1", "default", "internet", "any",
    "learn", "audit", "enforce", "allow", "deny", "icmp", "icmp6", "sctp",
    "echo-request", "0.0.0.0/0", "::/0", "::ffff:10.0.0.1", "10.0.0.1",
    "10.0.0.0/31", "fe80::1", "fd00::/8", "ff02::1/128", "fd00::1/127",
    "02:00:00:00:00:01", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:60-14:00", "-0001-02-29T24:00:00+14:00", "iface=1",
    "manifest.xml", "fuzz.xml", "../fuzz.xml", "&#10;", "&amp;",
};

static void
add_span(struct spans *spans, size_t start, size_t end)
{
    if (spans->n < MAX_SPANS) {
        spans->all[spans->n++] = (struct span) { start, end - start };
    }
}

static size_t
end_of_line(const uint8_t *data, size_t size, size_t i)
{
    const uint8_t *end = memchr(data + i, '\n', size - i);
    return end ? end - data + 1 : size;
}

/* The end of the element that begins at 'start' and ends at 'end' or on a
 * later line; 'end' if that is unknown. */
static size_t
end_of_element(const uint8_t *data, size_t size, size_t start, size_t end)
{
    const uint8_t *tag = memchr(data + start, '<', end - start);
    size_t left = tag ? data + end - tag - 1 : 0;
    size_t n = 0;
    while (n < left && tag[1 + n] >= 'a' && tag[1 + n] <= 'z') {
        n++;
    }
    if (!n || memmem(tag, left + 1, "/>", 2)) {
        return end;
    }
    char *close = xasprintf("</%.*s>", (int) n, (const char *) tag + 1);
    const uint8_t *found = memmem(tag, data + size - tag, close,
                                  strlen(close));
    free(close);
    return found ? end_of_line(data, size, found - data) : end;
}

/* Lines; with that on which an element begins, all of the element. */
static void
find_elements(struct spans *spans, const uint8_t *data, size_t size)
{
    for (size_t start = 0; start < size; ) {
        size_t end = end_of_line(data, size, start);
        add_span(spans, start, end_of_element(data, size, start, end));
        start = end;
    }
}

/* What stands in quotes, and between tags. */
static void
find_values(struct spans *spans, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char close = data[i] == '"' ? '"' : data[i] == '>' ? '<' : '\0';
        const uint8_t *end = close ? memchr(data + i + 1, close, size - i - 1)
                                   : NULL;
        if (end) {
            add_span(spans, i + 1, end - data);
            i = close == '"' ? end - data : i;
        }
    }
}

/* Puts 'text' where 'span' is, and returns the new size. */
static size_t
replace(uint8_t *data, size_t size, size_t max_size, struct span span,
        const void *text, size_t n)
{
    if (size - span.n + n > max_size) {
        return size;
    }
    memmove(data + span.start + n, data + span.start + span.n,
            size - span.start - span.n);
    memcpy(data + span.start, text, n);
    return size - span.n + n;
}

static size_t
mutate_elements(uint8_t *data, size_t size, size_t max_size,
                unsigned int *seed)
{
    struct spans found = { .n = 0 };
    find_elements(&found, data, size);
    if (!found.n) {
        return size;
    }
    struct span from = found.all[rand_r(seed) % found.n];
    struct span to = found.all[rand_r(seed) % found.n];
    uint8_t *copy = xmemdup(data + from.start, from.n);
    switch (rand_r(seed) % 3) {
    case 0:
        size = replace(data, size, max_size, from, "", 0);
        break;
    case 1:
        to.n = 0;
        /* Fall through. */
    default:
        size = replace(data, size, max_size, to, copy, from.n);
    }
    free(copy);
    return size;
}

static size_t
mutate_value(uint8_t *data, size_t size, size_t max_size, unsigned int *seed)
{
    struct spans found = { .n = 0 };
    find_values(&found, data, size);
    if (!found.n) {
        return size;
    }
    struct span to = found.all[rand_r(seed) % found.n];
    struct span from = found.all[rand_r(seed) % found.n];
    uint8_t text[256];
    size_t n;
    switch (rand_r(seed) % 3) {
    case 0:
        n = MIN(from.n, sizeof text);
        memcpy(text, data + from.start, n);
        break;
    case 1: {
        const char *value = values[rand_r(seed) % ARRAY_SIZE(values)];
        n = strlen(value);
        memcpy(text, value, n);
        break;
    }
    default:
        n = MIN(to.n, sizeof text);
        memcpy(text, data + to.start, n);
        n = LLVMFuzzerMutate(text, n, sizeof text);
    }
    return replace(data, size, max_size, to, text, n);
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                        unsigned int seed)
{
    size_t changed = 0;
    switch (rand_r(&seed) % 4) {
    case 0:
        break;
    case 1:
        changed = mutate_elements(data, size, max_size, &seed);
        break;
    default:
        changed = mutate_value(data, size, max_size, &seed);
    }
    return changed ? changed : LLVMFuzzerMutate(data, size, max_size);
}
