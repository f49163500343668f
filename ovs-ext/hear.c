/* What bridges tell of deviations: see hear.h. */

#include "hear.h"

#include <stdlib.h>

#include <openflow/openflow.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-port.h>
#include <openvswitch/ofpbuf.h>

#include "drift.h"
#include "flow.h"
#include "tell.h"
#include "timeval.h"
#include "util.h"

/* Counters of flows follow the packets within a second or so. */
#define READ_ACCOUNTS_MS 1500

void
hear_quiet(void *d_)
{
    struct daemon *d = d_;
    long long int now = time_wall_msec();
    long long int next = book_run(&d->book, now);
    if (next) {
        timer_set(d->book_timer, next - now);
    }
}

/* Counters. */

static void
send_to_bridge(struct ofpbuf *msg, void *b_)
{
    struct bridge_state *b = b_;
    openflow_send(b->openflow, msg);
}

static void
read_accounts(void *b_)
{
    struct bridge_state *b = b_;
    b->reading_soon = false;
    if (b->up) {
        accounting_read(&b->accounting, openflow_version(b->openflow),
                        b->daemon->table_base, send_to_bridge, b);
    }
}

/* Not from the last of several on, or they could put it off for ever. */
static void
read_accounts_soon(struct bridge_state *b)
{
    if (!b->reading_soon) {
        b->reading_soon = true;
        timer_set(b->read_accounts, READ_ACCOUNTS_MS);
    }
}

/* Polls. */

static void
poll_bridge(void *b_)
{
    struct bridge_state *b = b_;
    if (!b->up) {
        b->polling = false;     /* hear_anew() begins again. */
        return;
    }
    struct ofpbuf *msg = deviation_encode_poll(
        openflow_version(b->openflow));
    b->poll_xid = ((struct ofp_header *) msg->data)->xid;
    book_poll_begin(&b->daemon->book, b->index);
    openflow_send(b->openflow, msg);
}

static void
poll_later(struct bridge_state *b)
{
    if (!b->polling) {
        b->polling = true;
        timer_set(b->poll, 1000LL * b->daemon->reports.timeout_s);
    }
}

static void
take_absorbing(struct deviation_key *key,
               const struct deviation_counts *counts, void *b_)
{
    struct bridge_state *b = b_;
    key->bridge = b->index;
    b->accounting.n_unseen += book_absorbing(&b->daemon->book, key, counts,
                                             b->taking_over,
                                             time_wall_msec());
}

static void
take_poll(struct bridge_state *b, const struct ofp_header *oh)
{
    if (!deviation_decode_poll(oh, b->daemon->table_base, take_absorbing, b)) {
        b->poll_xid = 0;
        b->taking_over = false;
        b->polling = false;
        book_poll_end(&b->daemon->book, b->index);
        if (book_absorbs(&b->daemon->book, b->index)) {
            poll_later(b);
        }
        read_accounts_soon(b);
    }
}

/* Names of ports. */

static void
name_port(struct bridge_state *b, const struct ofputil_phy_port *port,
          bool deleted)
{
    uint16_t number = ofp_to_u16(port->port_no);
    if (number < PORT_MAX) {
        free(b->port_names[number]);
        b->port_names[number] = deleted ? NULL : xstrdup(port->name);
    }
}

static void
take_port_status(struct bridge_state *b, const struct ofp_header *oh)
{
    struct ofputil_port_status status;
    if (!ofputil_decode_port_status(oh, &status)) {
        name_port(b, &status.desc, status.reason == OFPPR_DELETE);
    }
}

static void
take_ports(struct bridge_state *b, const struct ofp_header *oh)
{
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_phy_port port;
    ofpraw_pull_assert(&msg);
    while (!ofputil_pull_phy_port(oh->version, &msg, &port)) {
        name_port(b, &port, false);
    }
}

/* Messages. */

static void
take_packet_in(struct bridge_state *b, const struct ofp_header *oh)
{
    struct deviation_key key;
    struct deviation_packet packet;
    struct deviation_frame frame;
    struct captured captured;
    if (captured_from_packet_in(oh, b->daemon->table_base, &captured)) {
        tell_captured(b, &captured);
    } else if (deviation_from_packet_in(oh, b->daemon->table_base, &key, &packet,
                                 &frame)) {
        key.bridge = b->index;
        b->accounting.n_received += book_packet_in(&b->daemon->book, &key,
                                                   &packet, time_wall_msec());
        tell_packet(b->daemon, &key, &frame);
        read_accounts_soon(b);
        poll_later(b);
    }
}

static void
take_flow_removed(struct bridge_state *b, const struct ofp_header *oh)
{
    struct deviation_key key;
    struct deviation_counts counts;
    if (deviation_from_flow_removed(oh, b->daemon->table_base, &key,
                                    &counts)) {
        key.bridge = b->index;
        b->accounting.n_absorbed += counts.n_packets;
        b->accounting.n_unseen += book_absorbed(&b->daemon->book, &key,
                                                &counts, time_wall_msec());
        read_accounts_soon(b);
        hear_quiet(b->daemon);
    }
}

void
hear(const struct ofp_header *oh, void *b_)
{
    struct bridge_state *b = b_;
    enum ofptype type;
    if (ofptype_decode(&type, oh)) {
        return;
    } else if (type == OFPTYPE_PACKET_IN) {
        take_packet_in(b, oh);
    } else if (type == OFPTYPE_FLOW_REMOVED) {
        take_flow_removed(b, oh);
    } else if (type == OFPTYPE_PORT_STATUS) {
        take_port_status(b, oh);
    } else if (type == OFPTYPE_PORT_DESC_STATS_REPLY) {
        take_ports(b, oh);
    } else if (type == OFPTYPE_FLOW_STATS_REPLY && oh->xid == b->poll_xid) {
        take_poll(b, oh);
    } else if (type == OFPTYPE_FLOW_MONITOR_STATS_REPLY
               || type == OFPTYPE_FLOW_MONITOR_RESUMED) {
        drift_hear(b, oh);
    } else if (type == OFPTYPE_FLOW_STATS_REPLY) {
        web_note_flow_stats(b->daemon->web, b, oh);
    } else {
        accounting_take(&b->accounting, oh, b->daemon->reports.meter,
                        time_wall_msec());
    }
}

void
hear_changed(struct bridge_state *b)
{
    if (b->up) {
        accounting_rebase(&b->accounting);
        read_accounts(b);
    }
}

void
hear_anew(struct bridge_state *b)
{
    openflow_send(b->openflow, ofputil_encode_port_desc_stats_request(
                      openflow_version(b->openflow), OFPP_ANY));
    hear_changed(b);
    b->polling = b->taking_over = true;
    poll_bridge(b);
}

void
hear_create(struct bridge_state *b)
{
    b->read_accounts = timer_create_in(b->daemon->loop, read_accounts, b);
    b->poll = timer_create_in(b->daemon->loop, poll_bridge, b);
    b->port_names = xcalloc(PORT_MAX, sizeof *b->port_names);
}

void
hear_destroy(struct bridge_state *b)
{
    timer_destroy(b->read_accounts);
    timer_destroy(b->poll);
    for (size_t i = 0; i < PORT_MAX; i++) {
        free(b->port_names[i]);
    }
    free(b->port_names);
}
