/* Lines of "conntrack -L" and of "ovs-appctl dpctl/dump-conntrack":
 *
 *   tcp 6 431999 ESTABLISHED src=A dst=B sport=1 dport=2 src=B ... zone=5
 *   tcp,orig=(src=A,dst=B,sport=1,dport=2),reply=(src=B,...),zone=5,...
 *
 * Both are words, with the original direction first and then the reply's.
 * Where addresses are translated, the original direction has the address that
 * the client uses. */

#include "observe-private.h"

#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "packets.h"
#include "util.h"
#include "values.h"

/* What is gathered from a line. */
struct words {
    int protocol;               /* -1: not yet. */
    bool skip_number;           /* After "ipv4": the number of that. */
    char *src, *dst, *sport, *dport, *type, *code; /* Of the first "src=". */
    int n_sources;
    uint64_t n_packets, n_bytes;
    unsigned int zone;
    bool unanswered;
};

static void
take_bare(struct words *words, const char *word)
{
    if (!strcmp(word, "ipv4") || !strcmp(word, "ipv6")) {
        words->skip_number = true;
    } else if (!strcmp(word, "[UNREPLIED]") || !strcmp(word, "SYN_SENT")) {
        words->unanswered = true;
    } else if (words->protocol < 0 && !words->n_sources) {
        int number = observe_protocol(word, strlen(word));
        bool is_number = word[strspn(word, "0123456789")] == '\0';
        if (number >= 0) {
            words->protocol = number;
        } else if (is_number && words->skip_number) {
            words->skip_number = false;
        } else if (is_number && strlen(word) <= 3) {
            words->protocol = atoi(word) & 0xff;
        }
    }
}

static void
take_pair(struct words *words, const char *key, char *value)
{
    const struct {
        const char *key;
        char **value;
    } first_ones[] = {
        { "src", &words->src }, { "dst", &words->dst },
        { "sport", &words->sport }, { "dport", &words->dport },
        { "type", &words->type }, { "code", &words->code },
    };
    words->n_sources += !strcmp(key, "src");
    for (size_t i = 0; i < ARRAY_SIZE(first_ones); i++) {
        if (!strcmp(key, first_ones[i].key)) {
            if (words->n_sources == 1) {
                *first_ones[i].value = value;
            }
            return;
        }
    }
    if (!strcmp(key, "packets")) {
        words->n_packets += strtoull(value, NULL, 10);
    } else if (!strcmp(key, "bytes")) {
        words->n_bytes += strtoull(value, NULL, 10);
    } else if (!strcmp(key, "zone")) {
        words->zone = strtoul(value, NULL, 10);
    } else if (!strcmp(key, "state")) {
        take_bare(words, value);
    }
}

static bool
to_number(const char *text, unsigned long int max, unsigned long int *number)
{
    char *end;
    *number = text ? strtoul(text, &end, 10) : 0;
    return text && *text && !*end && *number <= max;
}

static char *
fill(const struct words *words, struct observation *o)
{
    unsigned long int a, b;
    if (words->protocol < 0) {
        return xstrdup("no protocol in it; expected a line of conntrack");
    } else if (!words->src || !words->dst
               || !value_parse_address(words->src, &o->src.address)
               || !value_parse_address(words->dst, &o->dst.address)) {
        return xasprintf("no src= and dst= with addresses in it");
    }
    o->protocol = words->protocol;
    struct opening what = { .protocol = o->protocol };
    if (o->protocol == IPPROTO_ICMP || o->protocol == IPPROTO_ICMPV6) {
        if (!to_number(words->type, 255, &a)
            || !to_number(words->code, 255, &b)) {
            return xstrdup("no type= and code= of ICMP in it");
        }
        o->dst_port = a;
        o->icmp_code = b;
    } else if (opening_has_ports(&what)) {
        if (!to_number(words->sport, UINT16_MAX, &a)
            || !to_number(words->dport, UINT16_MAX, &b)) {
            return xstrdup("no sport= and dport= with ports in it");
        }
        o->src_port = a;
        o->dst_port = b;
    }
    return NULL;
}

char *
observe_conntrack_line(struct input *input, char *line)
{
    struct words words = { .protocol = -1 };
    char *position = NULL;
    for (char *word = strtok_r(line, " \t\r,()", &position); word;
         word = strtok_r(NULL, " \t\r,()", &position)) {
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = '\0';
            take_pair(&words, word, equals + 1);
        } else {
            take_bare(&words, word);
        }
    }
    char segment[SEGMENT_TEXT_LEN];
    segment_text_of_zone(words.zone, segment);
    struct observation o = {
        .observer = input->observer,
        .segment = words.zone ? segment : input->segment,
        .opener_known = true, .cumulative = true, .n_connections = 1,
        .n_unanswered = words.unanswered, .n_packets = words.n_packets,
        .n_bytes = words.n_bytes, .first = input->time, .last = input->time,
    };
    char *error = fill(&words, &o);
    if (error) {
        return error;
    }
    /* The userspace datapath tracks SCTP without its ports. */
    if (o.protocol == IPPROTO_SCTP && !o.src_port && !o.dst_port) {
        input->result->n_other++;
    } else {
        observe_add(input, &o);
    }
    return NULL;
}
