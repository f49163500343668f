/* What sdfwd is called with: see arguments.h. */

#include "arguments.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openvswitch/vlog.h>

#include "configure.h"
#include "daemon.h"
#include "util.h"

enum { EXIT_USAGE = 64 };

static void
print_usage(FILE *stream)
{
    fputs("Usage: sdfwd [OPTION]... [TOPOLOGY]...\n"
          "Keeps bridges of Open vSwitch in step with the manifests.\n\n"
          "A TOPOLOGY is a manifest file or a directory of manifests.\n\n"
          "Options:\n"
          "  --config=FILE          take settings from lines NAME = VALUE, "
          "where NAME is\n", stream);
    fprintf(stream, "                         one of those below, up to "
            "--%s\n", setting_name(N_SETTINGS - 1));
    settings_print_usage(stream);
    fputs("  --check-config         print all settings and where they come "
          "from, say\n"
          "                         what is wrong with them and the manifests, "
          "and exit\n"
          "  --once                 push once and exit; not beside an sdfwd "
          "that runs\n"
          "  --verbose=WHAT         what to log: see ovs-vswitchd(8)\n"
          "  --help, --version\n\n"
          "\"ovs-appctl -t sdfwd sdfw/status\" tells how it is, and "
          "\"list-commands\" what\nelse can be asked.\n\n"
          "Some settings can also be keys sdfw-NAME of other_config in the "
          "table\n"
          "Open_vSwitch, which are stronger than FILE and weaker than "
          "flags:\n", stream);
    settings_print_ovsdb(stream);
    fputs("\nSIGHUP reads FILE and the manifests again.  For manifests that "
          "is not needed:\n"
          "changes are noticed.\n"
          "Exit status: 0; 64 wrong usage or FILE; with --once and "
          "--check-config, 1 the\n"
          "topology (or, with the latter, a setting) is wrong, 3 a bridge "
          "failed.\n", stream);
}

static void OVS_NO_RETURN OVS_PRINTF_FORMAT(1, 2)
usage_error(const char *format, ...)
{
    va_list args;
    fputs("sdfwd: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry \"sdfwd --help\".\n", stderr);
    exit(EXIT_USAGE);
}

void
fail_on(char *error)
{
    if (error) {
        usage_error("%s", error);
    }
}

/* The flags of settings come first; their values are those of enum
 * setting. */
enum { OPT_CONFIG = N_SETTINGS, OPT_CHECK, OPT_ONCE, OPT_VERBOSE, OPT_HELP,
       OPT_VERSION };

static void
parse_flags(int argc, char *argv[], struct daemon *d)
{
    struct option options[N_SETTINGS + 7] = {
        [N_SETTINGS] = { "config", required_argument, NULL, OPT_CONFIG },
        { "check-config", no_argument, NULL, OPT_CHECK },
        { "once", no_argument, NULL, OPT_ONCE },
        { "verbose", required_argument, NULL, OPT_VERBOSE },
        { "help", no_argument, NULL, OPT_HELP },
        { "version", no_argument, NULL, OPT_VERSION },
    };
    for (int i = 0; i < N_SETTINGS; i++) {
        options[i] = (struct option) { setting_name(i), required_argument,
                                       NULL, i };
    }
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case OPT_CONFIG:
            svec_add(&d->config_files, optarg);
            break;
        case OPT_CHECK:
            d->check_config = true;
            break;
        case OPT_ONCE:
            d->once = true;
            break;
        case OPT_VERBOSE:
            fail_on(vlog_set_levels_from_string(optarg));
            break;
        case OPT_HELP:
            print_usage(stdout);
            exit(EXIT_SUCCESS);
        case OPT_VERSION:
            puts("sdfwd (ovs-sdfw) " SDFW_VERSION);
            exit(EXIT_SUCCESS);
        case '?':
            exit(EXIT_USAGE);
        default:
            fail_on(settings_add(&d->settings, c, FROM_FLAG, optarg));
        }
    }
    for (; optind < argc; optind++) {
        fail_on(settings_add(&d->settings, SETTING_TOPOLOGY, FROM_FLAG,
                             argv[optind]));
    }
}

/* What --config names.  A file that is wrong is an error at the start. */
static void
read_files(struct daemon *d)
{
    configure_from_files(d);
    const struct svec *wrong = &d->wrong[FROM_FILE];
    if (wrong->n && !d->check_config) {
        for (size_t i = 0; i < wrong->n; i++) {
            fprintf(stderr, "sdfwd: %s\n", wrong->names[i]);
        }
        exit(EXIT_USAGE);
    }
}

void
arguments_parse(int argc, char *argv[], struct daemon *d)
{
    parse_flags(argc, argv, d);
    read_files(d);
}

/* One that runs has modes and limits of its own, which a push of another would
 * replace behind its back. */
static void
check_alone(void)
{
    char *error = appctl_check_alone("sdfwd");
    if (error) {
        usage_error("%s and keeps the bridges; \"ovs-appctl -t sdfwd "
                    "sdfw/reload\" makes it read the manifests", error);
    }
}

void
arguments_check(const struct daemon *d)
{
    if (d->once && !settings_text(&d->settings, SETTING_TOPOLOGY)) {
        usage_error("sdfwd wants a TOPOLOGY");
    } else if (d->once && !settings_text(&d->settings, SETTING_BRIDGE)) {
        usage_error("sdfwd wants at least one --bridge");
    } else if (d->once) {
        check_alone();
    }
}
