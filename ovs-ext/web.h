/* Looking in by HTTP: /metrics, /healthz, /topology.json, /deviations.json
 * and the page (page/) that draws them.  docs/looking-in.md describes them.
 *
 * Every function takes a NULL 'web', which is what there is if nobody asked
 * for HTTP, and then does nothing. */

#ifndef SDFW_WEB_H
#define SDFW_WEB_H 1

#include "book.h"

struct bridge_state;
struct daemon;
struct json;
struct ofp_header;
struct push_result;
struct web;

char *web_create(struct daemon *, const char *target, struct web **)
    OVS_WARN_UNUSED_RESULT;
void web_destroy(struct web *);

/* What happens, to be shown. */
void web_note_deviation(struct web *, enum deviation_event,
                        const struct deviation *, const struct json *record,
                        const char *text);
void web_note_push(struct web *, struct bridge_state *,
                   const struct push_result *);
void web_note_flow_stats(struct web *, struct bridge_state *,
                         const struct ofp_header *);
/* The topology in force goes away. */
void web_forget_topology(struct web *);

#endif /* web.h */
