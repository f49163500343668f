/* Records as syslog messages: RFC 5424 with structured data, or the form that
 * local sockets take.
 *
 * What goes in may be any bytes: what comes out is UTF-8 without control
 * characters, and no longer than the receiver takes.  If it must be cut, it
 * stays well-formed: the text ends in "...", and members that do not fit are
 * left out and counted in one called "omitted". */

#ifndef SDFW_SYSLOG_FORMAT_H
#define SDFW_SYSLOG_FORMAT_H 1

#include <openvswitch/dynamic-string.h>

struct json;

struct syslog_header {
    int severity;               /* RFC 5424, 6.2.1: 0 to 7. */
    const char *msgid;          /* "OPEN" */
    const char *hostname;
    int pid;
    long long int time_ms;      /* Since the epoch. */
    size_t max_bytes;           /* Of the message; at least 480. */
};

/* Appends the message of RFC 5424 with the members of 'record', nested ones
 * joined by '_', as structured data; 'record' may be NULL. */
void syslog_format_5424(struct ds *, const struct syslog_header *,
                        const struct json *record, const char *text);

/* Appends what syslog(3) writes to /dev/log. */
void syslog_format_local(struct ds *, const struct syslog_header *,
                         const char *text);

#endif /* syslog-format.h */
