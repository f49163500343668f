/* The deviations that were closed last: see recent.h. */

#include "recent.h"

#include <stdlib.h>

#include <openvswitch/json.h>

#include "util.h"

static void
forget(struct recent_one *one)
{
    free(one->text);
    json_destroy(one->record);
}

void
recent_destroy(struct recent *recent)
{
    for (size_t i = 0; i < RECENT_MAX; i++) {
        forget(&recent->all[i]);
    }
}

void
recent_add(struct recent *recent, const char *text, const struct json *record)
{
    struct recent_one *one = &recent->all[recent->n++ % RECENT_MAX];
    forget(one);
    one->text = xstrdup(text);
    one->record = json_serialized_object_create(record);
}

const struct recent_one *
recent_get(const struct recent *recent, size_t i)
{
    return i < recent->n && i < RECENT_MAX
           ? &recent->all[(recent->n - 1 - i) % RECENT_MAX] : NULL;
}
