/* Statements whether workloads conform: see attest-log.h. */

#include "attest-log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openvswitch/json.h>

#include "append.h"
#include "attest.h"
#include "dsse.h"
#include "util.h"

/* Takes 'line', and appends it with a newline. */
static int
append_line(int fd, char *line)
{
    char *text = xasprintf("%s\n", line);
    size_t done = 0;
    int error = append_whole(fd, text, strlen(text), &done);
    free(text);
    free(line);
    return error;
}

static char *
write_all(const char *file, const struct dsse_key *key,
          const struct attestation *all, size_t n)
{
    /* Anew each time, so that it may be rotated. */
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    int error = fd < 0 ? errno : 0;
    for (size_t i = 0; i < n && !error; i++) {
        char *text = json_to_string(all[i].statement, JSSF_SORT);
        char *line = key ? dsse_sign(key, ATTEST_PAYLOAD_TYPE, text) : NULL;
        error = append_line(fd, line ? line : xstrdup(text));
        free(text);
    }
    if (fd >= 0) {
        close(fd);
    }
    return error ? xasprintf("%s: %s", file, ovs_strerror(error)) : NULL;
}

char *
attest_log(const struct attest_settings *settings,
           const struct topology *topology, const struct push_result *result,
           struct attest_counts *counts)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct dsse_key *key = NULL;
    char *error = settings->key ? dsse_read_private_key(settings->key, &key)
                                : NULL;
    size_t n;
    struct attestation *all = attest(topology, result, host, time(NULL), &n);
    *counts = (struct attest_counts) { .n = n };
    for (size_t i = 0; i < n; i++) {
        counts->n_deviate += all[i].verdict == ATTEST_DEVIATES;
    }
    if (!error) {
        error = write_all(settings->file, key, all, n);
    }
    attest_destroy(all, n);
    dsse_key_destroy(key);
    return error;
}
