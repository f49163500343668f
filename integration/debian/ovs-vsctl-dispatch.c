/* The package's /usr/bin/ovs-vsctl: our commands go to our ovs-vsctl, and all
 * else to the distribution's.  docs/packaging.md says why.
 *
 * No shell script, because a shell opens its script once more by name: by then
 * it may be the distribution's program, if the package is being removed. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
is_for_ours(const char *argument)
{
    return !strncmp(argument, "sdfw-", 5) || !strcmp(argument, "--commands")
           || !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

int
main(int argc, char *argv[])
{
    const char *program = "/usr/libexec/sdfw/distribution/ovs-vsctl";

    for (int i = 1; i < argc; i++) {
        if (is_for_ours(argv[i])) {
            program = "/usr/libexec/sdfw/ovs-vsctl";
        }
    }
    execv(program, argv);
    fprintf(stderr, "ovs-vsctl: %s: %s\n", program, strerror(errno));
    return 1;
}
