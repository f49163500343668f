/* What the keeper tells: into the log, and into the state that others look
 * at.  For keeper_callbacks, with struct daemon. */

#ifndef SDFW_KEEPER_NEWS_H
#define SDFW_KEEPER_NEWS_H 1

#include "daemon.h"

/* Statuses to exit with. */
enum { EXIT_MANIFEST = 1, EXIT_BRIDGE = 3 };

void keeper_loaded(const struct topology *, struct report *, void *d);
void keeper_verified(size_t bridge, const struct flow_set *drift,
                     const struct ports *, void *d);
void keeper_pushed(size_t bridge, const struct push_result *, void *d);
void keeper_attested(size_t bridge, const struct attest_counts *,
                     const char *error, void *d);

/* The workloads at ports are of a topology that goes away; the push that
 * follows finds those of the new one. */
void keeper_news_forget_ports(struct bridge_state *);

#endif /* keeper-news.h */
