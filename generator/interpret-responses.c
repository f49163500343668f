/* Responses: <response> to model.  See interpret.h. */

#include "interpret-private.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline.h"
#include "util.h"
#include "values.h"
#include "xml.h"

static const char *const reason_names[] = { REASON_NAMES };

/* What counts if no reasons are given.  A workload may be the one that is
 * talked to by mistake ("invalid"), or be in quarantine already. */
#define DEFAULT_REASONS "no-link spoof vlan frame revoked rogue-dhcp rogue-ra"

/* The schema knows the names. */
static uint32_t
parse_reasons(const char *names)
{
    uint32_t reasons = 0;
    char *copy = xstrdup(names), *save = NULL;
    for (char *name = strtok_r(copy, " \t\r\n", &save); name;
         name = strtok_r(NULL, " \t\r\n", &save)) {
        for (size_t i = 1; i < ARRAY_SIZE(reason_names); i++) {
            if (!strcmp(name, reason_names[i])) {
                reasons |= 1u << i;
            }
        }
    }
    free(copy);
    return reasons;
}

static unsigned int
number_or(const xmlNode *node, const char *attribute, unsigned int fallback)
{
    const char *text = xml_attribute(node, attribute);
    return text ? value_to_number(text) : fallback;
}

void
interpret_response(struct interpreter *in, xmlNode *node,
                   struct application *application, struct service *service)
{
    const char *reasons = xml_attribute(node, "reasons");
    struct response *response = add_response(application, service,
                                             interpret_place(in, node));
    response->reasons = parse_reasons(reasons ? reasons : DEFAULT_REASONS);
    response->count = number_or(node, "count", 1);
    response->within_s = number_or(node, "within", 60);
    response->max_share = number_or(node, "max-share", 50);
    response->capture_min = number_or(node, "capture", 0);
    response->quarantine_min = xml_attribute(node, "quarantine")
                               ? number_or(node, "quarantine", 0)
                               : QUARANTINE_NONE;
}
