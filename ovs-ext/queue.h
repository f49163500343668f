/* Records that wait, in order, in a bounded number of bytes. */

#ifndef SDFW_QUEUE_H
#define SDFW_QUEUE_H 1

#include <stdbool.h>
#include <stddef.h>

#include <openvswitch/list.h>

struct queue_item {
    struct ovs_list list_node;
    size_t n;
    char data[];                /* 'n' bytes, aligned for a long long. */
};

struct queue {
    struct ovs_list items;      /* Of struct queue_item, oldest first. */
    size_t n;
    size_t n_bytes, max_bytes;
};

void queue_init(struct queue *, size_t max_bytes);
void queue_destroy(struct queue *);

/* Is there room for 'n' more bytes? */
bool queue_fits(const struct queue *, size_t n);

/* Appends a copy of 'n' bytes.  Returns false if they do not fit. */
bool queue_push(struct queue *, const void *data, size_t n);

/* The oldest, or NULL. */
const struct queue_item *queue_front(const struct queue *);
/* Removes it. */
void queue_pop(struct queue *);

#endif /* queue.h */
