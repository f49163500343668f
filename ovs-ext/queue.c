/* Records that wait: see queue.h. */

#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* What an item costs besides its bytes: many small ones must not take many
 * times 'max_bytes'. */
#define OVERHEAD sizeof(struct queue_item)
BUILD_ASSERT_DECL(offsetof(struct queue_item, data) % sizeof(long long) == 0);

void
queue_init(struct queue *queue, size_t max_bytes)
{
    ovs_list_init(&queue->items);
    queue->n = queue->n_bytes = 0;
    queue->max_bytes = max_bytes;
}

void
queue_destroy(struct queue *queue)
{
    while (queue->n) {
        queue_pop(queue);
    }
}

bool
queue_fits(const struct queue *queue, size_t n)
{
    size_t room = queue->max_bytes - queue->n_bytes;
    return room >= OVERHEAD && n <= room - OVERHEAD;
}

bool
queue_push(struct queue *queue, const void *data, size_t n)
{
    if (!queue_fits(queue, n)) {
        return false;
    }
    struct queue_item *item = xmalloc(sizeof *item + n);
    item->n = n;
    memcpy(item->data, data, n);
    ovs_list_push_back(&queue->items, &item->list_node);
    queue->n++;
    queue->n_bytes += n + OVERHEAD;
    return true;
}

const struct queue_item *
queue_front(const struct queue *queue)
{
    return queue->n ? CONTAINER_OF(ovs_list_front(&queue->items),
                                   struct queue_item, list_node) : NULL;
}

void
queue_pop(struct queue *queue)
{
    struct queue_item *item = CONTAINER_OF(ovs_list_pop_front(&queue->items),
                                           struct queue_item, list_node);
    queue->n--;
    queue->n_bytes -= item->n + OVERHEAD;
    free(item);
}
