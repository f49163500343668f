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

/* Lengths of header fields (RFC 5424, 6). */
#define MAX_HOSTNAME 255
#define MAX_MSGID 32

/* Room for "omitted". */
#define OMITTED_BYTES 24

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define REPLACEMENT_CHARACTER "\xef\xbf\xbd"

/* How many bytes the UTF-8 sequence at 's' has (RFC 3629, 4); 0 if there is
 * none. */
static int
utf8_sequence(const char *s_)
{
    const unsigned char *s = (const unsigned char *) s_;
    int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
            : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what is above U+10FFFF. */
    bool wrong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
                 || (s[0] == 0xf0 && s[1] < 0x90)
                 || (s[0] == 0xf4 && s[1] > 0x8f);
    return wrong ? 0 : n;
}

/* Appends 'text' as UTF-8 without control characters, with a backslash before
 * each of 'escaped'. */
static void
put_clean(struct ds *s, const char *text, const char *escaped)
{
    while (*text) {
        int n = utf8_sequence(text);
        if (!n) {
            ds_put_cstr(s, REPLACEMENT_CHARACTER);
        } else if ((unsigned char) *text < ' ' || *text == 0x7f) {
            ds_put_char(s, '?');
        } else {
            if (strchr(escaped, *text)) {
                ds_put_char(s, '\\');
            }
            ds_put_buffer(s, text, n);
        }
        text += MAX(n, 1);
    }
}

/* Appends a field of the header: visible ASCII, or "-" if there is none. */
static void
put_field(struct ds *s, const char *text, size_t max)
{
    ds_put_char(s, ' ');
    for (size_t i = 0; i < max && text[i]; i++) {
        ds_put_char(s, text[i] > ' ' && text[i] < 0x7f ? text[i] : '?');
    }
    if (!text[0]) {
        ds_put_char(s, '-');
    }
}

/* Appends 'text', and cuts it if that makes 's' longer than 'max'. */
static void
put_text(struct ds *s, const char *text, size_t max)
{
    put_clean(s, text, "");
    if (s->length > max) {
        size_t n = max - 3;
        while (n && (s->string[n] & 0xc0) == 0x80) {
            n--;
        }
        ds_truncate(s, n);
        ds_put_cstr(s, "...");
    }
}

struct structured_data {
    struct ds *s;
    size_t max;                 /* Of its end. */
    int n_omitted;
};

static void
put_param(struct structured_data *sd, const char *prefix, const char *name,
          const char *value)
{
    size_t start = sd->s->length;
    ds_put_char(sd->s, ' ');
    ds_put_format(sd->s, "%s%s%s", prefix, prefix[0] ? "_" : "", name);
    if (sd->s->length > start + 1 + MAX_NAME) {
        ds_truncate(sd->s, start + 1 + MAX_NAME);
    }
    ds_put_cstr(sd->s, "=\"");
    put_clean(sd->s, value, "\"\\]");
    ds_put_char(sd->s, '"');
    if (sd->s->length > sd->max) {
        ds_truncate(sd->s, start);
        sd->n_omitted++;
    }
}

static void
put_object(struct structured_data *sd, const char *prefix,
           const struct json *object)
{
    const struct shash_node **nodes = shash_sort(json_object(object));
    size_t n = shash_count(json_object(object));
    for (size_t i = 0; i < n; i++) {
        const struct json *value = nodes[i]->data;
        if (value->type == JSON_OBJECT) {
            put_object(sd, nodes[i]->name, value);
        } else if (value->type == JSON_STRING) {
            put_param(sd, prefix, nodes[i]->name, json_string(value));
        } else {
            char *text = json_to_string(value, 0);
            put_param(sd, prefix, nodes[i]->name, text);
            free(text);
        }
    }
    free(nodes);
}

/* Leaves at least 'reserved' bytes of 'max' to the text. */
static void
put_structured_data(struct ds *s, const struct json *record, size_t max,
                    size_t reserved)
{
    struct structured_data sd = {
        .s = s, .max = max - reserved - OMITTED_BYTES,
    };
    ds_put_cstr(s, "["SD_ID);
    put_object(&sd, "", record);
    if (sd.n_omitted) {
        ds_put_format(s, " omitted=\"%d\"", sd.n_omitted);
    }
    ds_put_char(s, ']');
}

static bool
is_ascii(const char *text)
{
    while (*text && !(*text & 0x80)) {
        text++;
    }
    return !*text;
}

void
syslog_format_5424(struct ds *s, const struct syslog_header *h,
                   const struct json *record, const char *text)
{
    char *time = xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", h->time_ms, true);
    ds_put_format(s, "<%d>1 %s", FACILITY_AUTHPRIV * 8 + h->severity, time);
    put_field(s, h->hostname, MAX_HOSTNAME);
    ds_put_format(s, " sdfwd %d", h->pid);
    put_field(s, h->msgid, MAX_MSGID);
    free(time);
    ds_put_char(s, ' ');
    if (record) {
        put_structured_data(s, record, h->max_bytes,
                            MIN(strlen(text) + 4, h->max_bytes / 4));
    } else {
        ds_put_char(s, '-');
    }
    ds_put_char(s, ' ');
    if (!is_ascii(text)) {
        ds_put_cstr(s, BYTE_ORDER_MARK); /* 6.4. */
    }
    put_text(s, text, h->max_bytes);
}

void
syslog_format_local(struct ds *s, const struct syslog_header *h,
                    const char *text)
{
    char *time = xastrftime_msec("%b %e %H:%M:%S", h->time_ms, false);
    ds_put_format(s, "<%d>%s sdfwd[%d]: ",
                  FACILITY_AUTHPRIV * 8 + h->severity, time, h->pid);
    free(time);
    put_text(s, text, h->max_bytes);
}
