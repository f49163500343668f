/* Deviations to syslog: the local socket, UDP (RFC 5426) or TCP (RFC 6587,
 * octet counting).
 *
 * Over TCP, messages wait in a bounded queue while the receiver is away or
 * slow, and those that may not have arrived are sent again.  What does not fit
 * is dropped and counted, and the receiver is told how many it missed. */

#ifndef SDFW_SINK_SYSLOG_H
#define SDFW_SINK_SYSLOG_H 1

#include <stdint.h>

#include <openvswitch/compiler.h>

#include "loop.h"

struct json;
struct sink_syslog;

/* 'target' is unix:SOCKET (such as unix:/dev/log), udp:ADDRESS:PORT or
 * tcp:ADDRESS:PORT.  Returns an error that the caller must free. */
char *sink_syslog_open(struct loop *, const char *target,
                       struct sink_syslog **) OVS_WARN_UNUSED_RESULT;
void sink_syslog_close(struct sink_syslog *);

/* 'severity' is that of RFC 5424, 'msgid' a word, 'text' for people. */
void sink_syslog_put(struct sink_syslog *, int severity, const char *msgid,
                     const struct json *record, const char *text);

uint64_t sink_syslog_n_dropped(const struct sink_syslog *);

#endif /* sink-syslog.h */
