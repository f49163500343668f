/* Records as syslog messages: see syslog-format.h. */

#include "syslog-format.h"

#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/shash.h>

#include "util.h"

#define FACILITY_AUTHPRIV 10

/* The enterprise number for examples (RFC 5612): the project has none. */
#define SD_ID "sdfw@32473"

/* Names of parameters have at most so many characters (RFC 5424, 6.3.3). */
#define MAX_NAME 32

static void
put_param(struct ds *s, const char *prefix, const char *name,
          const char *value)
{
    ds_put_char(s, ' ');
    size_t start = s->length;
    ds_put_format(s, "%s%s%s", prefix, prefix[0] ? "_" : "", name);
    if (s->length - start > MAX_NAME) {
        ds_truncate(s, start + MAX_NAME);
    }
    ds_put_cstr(s, "=\"");
    for (; *value; value++) {
        if (strchr("\"\\]", *value)) {
            ds_put_char(s, '\\');
        }
        ds_put_char(s, *value);
    }
    ds_put_char(s, '"');
}

static void
put_object(struct ds *s, const char *prefix, const struct json *object)
{
    const struct shash_node **nodes = shash_sort(json_object(object));
    size_t n = shash_count(json_object(object));
    for (size_t i = 0; i < n; i++) {
        const struct json *value = nodes[i]->data;
        if (value->type == JSON_OBJECT) {
            put_object(s, nodes[i]->name, value);
        } else if (value->type == JSON_STRING) {
            put_param(s, prefix, nodes[i]->name, json_string(value));
        } else {
            char *text = json_to_string(value, 0);
            put_param(s, prefix, nodes[i]->name, text);
            free(text);
        }
    }
    free(nodes);
}

void
syslog_format_5424(struct ds *s, const struct syslog_header *h,
                   const struct json *record, const char *text)
{
    char *time = xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", h->time_ms, true);
    ds_put_format(s, "<%d>1 %s %s sdfwd %d %s ",
                  FACILITY_AUTHPRIV * 8 + h->severity, time, h->hostname,
                  h->pid, h->msgid);
    free(time);
    if (record) {
        ds_put_cstr(s, "["SD_ID);
        put_object(s, "", record);
        ds_put_char(s, ']');
    } else {
        ds_put_char(s, '-');
    }
    ds_put_format(s, " %s", text);
}

void
syslog_format_local(struct ds *s, const struct syslog_header *h,
                    const char *text)
{
    char *time = xastrftime_msec("%b %e %H:%M:%S", h->time_ms, false);
    ds_put_format(s, "<%d>%s sdfwd[%d]: %s",
                  FACILITY_AUTHPRIV * 8 + h->severity, time, h->pid, text);
    free(time);
}
