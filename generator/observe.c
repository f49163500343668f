/* Which kind of history a file is, and its lines: see observe.h. */

#include "observe-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/icmp6.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openvswitch/dynamic-string.h>

#include "packets.h"
#include "util.h"

void
observations_init(struct observations *observations)
{
    *observations = (struct observations) { .all = NULL };
    sset_init(&observations->strings);
}

void
observations_destroy(struct observations *observations)
{
    free(observations->all);
    sset_destroy(&observations->strings);
}

static const char *
intern(struct observations *observations, const char *text)
{
    if (!text) {
        return NULL;
    }
    /* Most are the same as the one before. */
    if (observations->n) {
        const struct observation *last
            = &observations->all[observations->n - 1];
        if (!strcmp(last->segment, text)) {
            return last->segment;
        } else if (!strcmp(last->observer, text)) {
            return last->observer;
        }
    }
    struct sset_node *node = sset_find(&observations->strings, text);
    return (node ? node : sset_add(&observations->strings, text))->name;
}

void
observations_add(struct observations *observations,
                 const struct observation *o)
{
    struct observation copy = *o;
    copy.observer = intern(observations, o->observer);
    copy.segment = intern(observations, o->segment);
    copy.src.name = intern(observations, o->src.name);
    copy.dst.name = intern(observations, o->dst.name);
    if (observations->n >= observations->allocated) {
        observations->all = x2nrealloc(observations->all,
                                       &observations->allocated,
                                       sizeof *observations->all);
    }
    observations->all[observations->n++] = copy;
}

void
observe_result_destroy(struct observe_result *result)
{
    free(result->digest);
    for (size_t i = 0; i < MAX_BAD_NAMED; i++) {
        free(result->bad[i]);
    }
}

void
observe_bad(struct input *input, uint64_t line, const char *format, ...)
{
    struct observe_result *result = input->result;
    if (result->n_bad < MAX_BAD_NAMED) {
        va_list args;
        va_start(args, format);
        char *text = xvasprintf(format, args);
        va_end(args);
        result->bad[result->n_bad] = xasprintf("%s:%"PRIu64": %s",
                                               input->name, line, text);
        free(text);
    }
    result->n_bad++;
}

static bool
is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address)
           || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

/* ICMP messages that ask for something.  Answers and errors belong to what
 * they answer, and sdfw sees to neighbor discovery by itself. */
static bool
asks(const struct observation *o)
{
    if (o->protocol == IPPROTO_ICMP) {
        return o->dst_port == ICMP4_ECHO_REQUEST
               || o->dst_port == ICMP4_TIMESTAMP
               || o->dst_port == ICMP4_INFOREQUEST;
    }
    return o->protocol != IPPROTO_ICMPV6
           || o->dst_port == ICMP6_ECHO_REQUEST;
}

void
observe_add(struct input *input, const struct observation *o)
{
    if (is_loopback(&o->src.address) || is_loopback(&o->dst.address)
        || !asks(o)) {
        input->result->n_other++;
    } else {
        observations_add(input->observations, o);
        input->result->n_read++;
    }
}

int
observe_protocol(const char *name, size_t len)
{
    static const struct {
        const char *name;
        int number;
    } protocols[] = {
        { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
        { "sctp", IPPROTO_SCTP }, { "icmp", IPPROTO_ICMP },
        { "icmp6", IPPROTO_ICMPV6 }, { "icmpv6", IPPROTO_ICMPV6 },
        { "gre", IPPROTO_GRE }, { "udplite", IPPROTO_UDPLITE },
        { "dccp", IPPROTO_DCCP }, { "igmp", IPPROTO_IGMP },
        { "esp", IPPROTO_ESP }, { "ah", IPPROTO_AH },
    };
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (strlen(protocols[i].name) == len
            && !memcmp(protocols[i].name, name, len)) {
            return protocols[i].number;
        }
    }
    return -1;
}

/* Files. */

/* Standard input and the like are copied, for a file is read twice. */
static char *
open_input(struct input *input, const char *path)
{
    bool is_stdin = !strcmp(path, "-");
    FILE *stream = is_stdin ? stdin : fopen(path, "r");
    struct stat status;
    if (!stream || fstat(fileno(stream), &status)) {
        return xasprintf("cannot read %s: %s", path, ovs_strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        fclose(stream);
        return xasprintf("%s is a directory; name the files in it", path);
    }
    if (S_ISREG(status.st_mode)) {
        input->time = status.st_mtime;
        rewind(stream);
        input->stream = stream;
        return NULL;
    }
    input->stream = tmpfile();
    char buffer[65536];
    size_t n;
    bool copied = input->stream != NULL;
    while (copied && (n = fread(buffer, 1, sizeof buffer, stream))) {
        copied = fwrite(buffer, 1, n, input->stream) == n;
    }
    char *error = copied && !ferror(stream) ? NULL
        : xasprintf("cannot copy %s to a temporary file: %s", input->name,
                    ovs_strerror(errno));
    if (!is_stdin) {
        fclose(stream);
    }
    return error;
}

static char *
compute_digest(struct input *input)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char buffer[65536], digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    size_t n;
    rewind(input->stream);
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    while (ok && (n = fread(buffer, 1, sizeof buffer, input->stream))) {
        ok = EVP_DigestUpdate(context, buffer, n);
    }
    ok = ok && EVP_DigestFinal_ex(context, digest, &len);
    EVP_MD_CTX_free(context);
    if (!ok || ferror(input->stream)) {
        return xasprintf("cannot read %s: %s", input->name,
                         ovs_strerror(errno));
    }
    struct ds s = DS_EMPTY_INITIALIZER;
    for (unsigned int i = 0; i < len; i++) {
        ds_put_format(&s, "%02x", digest[i]);
    }
    input->result->digest = ds_steal_cstr(&s);
    rewind(input->stream);
    return NULL;
}

/* The magic numbers of captures (pcap-savefile(5), pcapng) and of what they
 * are often packed with. */
static bool
starts_with(const unsigned char *bytes, uint32_t magic)
{
    uint32_t big = (uint32_t) bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8
                   | bytes[3];
    uint32_t little = (uint32_t) bytes[3] << 24 | bytes[2] << 16
                      | bytes[1] << 8 | bytes[0];
    return big == magic || little == magic;
}

static bool
is_capture(const unsigned char *bytes)
{
    return starts_with(bytes, 0xa1b2c3d4) || starts_with(bytes, 0xa1b23c4d)
           || starts_with(bytes, 0x0a0d0d0a);
}

static bool
is_packed(const unsigned char *bytes)
{
    return (bytes[0] == 0x1f && bytes[1] == 0x8b)
           || starts_with(bytes, 0xfd377a58) || starts_with(bytes, 0x28b52ffd)
           || !memcmp(bytes, "BZh", 3);
}

static bool
says_nothing(const char *line)
{
    line += strspn(line, " \t\r");
    return !*line || *line == '#' || !strncmp(line, "conntrack v", 11);
}

static void
read_lines(struct input *input)
{
    struct json_reader *json = NULL;
    uint64_t number = 0;
    char *text = NULL;
    size_t allocated = 0;
    ssize_t n;
    while ((n = getline(&text, &allocated, input->stream)) >= 0) {
        number++;
        if (n && text[n - 1] == '\n') {
            text[n - 1] = '\0';
        }
        if (says_nothing(text)) {
            continue;
        }
        bool is_json = text[strspn(text, " \t")] == '{';
        if (is_json && !json) {
            json = json_reader_create(input);
        }
        char *error = is_json ? json_reader_line(json, text)
                              : observe_conntrack_line(input, text);
        if (error) {
            observe_bad(input, number, "%s", error);
            free(error);
        }
    }
    input->result->format = json ? "JSON" : "conntrack";
    if (!json) {
        /* The same listing an hour later says that all goes on. */
        char *digest = xasprintf("%s %"PRId64, input->result->digest,
                                 input->time);
        free(input->result->digest);
        input->result->digest = digest;
    }
    json_reader_destroy(json);
    free(text);
}

static char *
read_content(struct input *input)
{
    unsigned char bytes[4] = { 0 };
    size_t n = fread(bytes, 1, sizeof bytes, input->stream);
    rewind(input->stream);
    if (!n) {
        return xasprintf("%s is empty", input->name);
    } else if (is_packed(bytes)) {
        return xasprintf("%s is compressed; unpack it first, as in \"zcat %s "
                         "| sdfw learn ... -\"", input->name, input->name);
    } else if (is_capture(bytes)) {
        input->result->format = "pcap";
        return observe_pcap(input);
    }
    read_lines(input);
    return NULL;
}

/* When nothing is understood, an empty profile would say that nobody talks to
 * anybody. */
static char *
check_result(const struct input *input)
{
    const struct observe_result *result = input->result;
    if (result->n_read || result->n_other) {
        return NULL;
    } else if (!result->n_bad) {
        return xasprintf("%s has no packet or line in it", input->name);
    }
    return xasprintf("%s: nothing in it is understood; it should be a capture "
                     "(pcap, pcapng), a listing of conntrack, or lines of "
                     "JSON; %s", input->name, result->bad[0]);
}

char *
observe_file(const char *path, const struct observe_defaults *defaults,
             struct observations *observations, struct observe_result *result)
{
    struct input input = {
        .name = strcmp(path, "-") ? path : "standard input",
        .observer = defaults->observer, .segment = defaults->segment,
        .time = defaults->time,
        .observations = observations, .result = result,
    };
    *result = (struct observe_result) { .format = "unknown" };
    char *error = open_input(&input, path);
    if (!error) {
        error = compute_digest(&input);
    }
    if (!error) {
        error = read_content(&input);
    }
    if (!error) {
        error = check_result(&input);
    }
    if (input.stream && input.stream != stdin) {
        fclose(input.stream);
    }
    return error;
}
