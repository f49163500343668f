/* What the subcommands of sdfw share: options, topologies, exit statuses. */

#ifndef SDFW_COMMAND_H
#define SDFW_COMMAND_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "catalogue.h"
#include "model.h"
#include "report.h"

/* Exit statuses, as in sdfw(8). */
enum {
    EXIT_OK = 0,
    EXIT_MANIFEST = 1,          /* The topology, or a catalogue, is wrong. */
    EXIT_CHANGES = 2,           /* plan, diff: there are changes. */
    EXIT_BRIDGE = 3,            /* A bridge, OVSDB or the file of --ports
                                 * failed or refused. */
    EXIT_DENIED = 4,            /* trace: denied; test: not as expected;
                                 * attest: deviates; verify: as bad as
                                 * --fail-on says. */
    EXIT_REFUSED = 5,           /* --max-shrink does not allow it. */
    EXIT_PARTIAL = 6,           /* push: some bridges have the policy, others
                                 * have not. */
    EXIT_ROLLED_BACK = 7,       /* push: deviations rose on a canary. */
    EXIT_HISTORY = 8,           /* learn: the profile or a file of history
                                 * failed. */
    EXIT_USAGE = 64,            /* As in sysexits.h. */
};

/* The options that several subcommands know; each takes those it lists. */
struct options {
    const char *command;
    const char **bridges;       /* --bridge, repeatable. */
    size_t n_bridges;
    const char *db;             /* --db */
    const char *ports_file;     /* --ports */
    const char *format;         /* --format; NULL: text. */
    int timeout_s;              /* --timeout */
    int adopt_s;                /* --adopt */
    uint8_t table_base;         /* --table-base */
    int64_t now;                /* --at, seconds since the epoch. */
    bool quiet;                 /* --quiet */
    bool flows;                 /* --flows */
    int max_shrink;             /* --max-shrink, percent. */
    bool force;                 /* --force */
    const char *segment;        /* --segment */
    const char *inventory;      /* --inventory */
    int parallel;               /* --parallel; 0: not given. */
    int max_fail;               /* --max-fail; -1: not given, as the next. */
    int canary_wait_s;          /* --canary-wait */
    int canary_rise;            /* --canary-rise */
    const char *key;            /* --key */
    const char *public_key;     /* --public-key */
    bool verify;                /* --verify */
    const char *profile;        /* --profile */
    const char **topologies;    /* --topology, repeatable. */
    size_t n_topologies;
    const char *observer;       /* --observer */
    bool merge;                 /* --merge */
    bool status;                /* --status */
    const char *output;         /* --output */
    bool per_workload;          /* --per */
    const char **catalogues;    /* --catalogue, repeatable. */
    size_t n_catalogues;
    enum verify_verdict fail_on;    /* --fail-on */
    bool digests;               /* As the command's. */
    size_t n_tls_files;         /* --private-key and the like. */
    const char **arguments;
    size_t n_arguments;
};

struct command {
    const char *name;
    const char *arguments;      /* For usage: "TOPOLOGY...". */
    const char *summary;        /* One line. */
    const char *options;        /* Names of the options it takes, separated
                                 * by spaces. */
    const char *formats;        /* What --format takes besides text, in the
                                 * same way; NULL: no --format. */
    size_t min_arguments, max_arguments;
    const char *help;           /* Paragraphs below the options. */
    bool digests;               /* Wants those of manifests. */
    int (*run)(const struct options *);
};

extern const struct command check_command, compile_command, plan_command,
    push_command, show_command, diff_command, trace_command, test_command,
    explain_command, attest_command, clear_command, verify_command,
    learn_command;

/* Reads and checks the topology at 'paths'; prints what is wrong, and
 * warnings unless --quiet, to stderr.  Returns NULL if there is an error. */
struct topology *command_read_topology(const struct options *,
                                       const char *const paths[], size_t n);

/* The same, but leaves what was found in 'report', which the caller
 * initializes and destroys. */
struct topology *command_read_reported(const struct options *,
                                       const char *const paths[], size_t n,
                                       struct report *report);

struct verify_finding;

/* Prints a verdict in a line: "FILE:LINE: dangerous 80: ...". */
void command_print_finding(const struct verify_finding *, FILE *);

struct push_options;
struct push_result;

/* Prints what came of one bridge that could be reached; returns an exit
 * status. */
typedef int command_report(const struct options *, struct topology *,
                           struct push_result *);

/* Reads the topology and pushes it, or asks, by 'push' (of which 'options'
 * fill in the rest) to all bridges; reports each.  Returns the exit status. */
int command_on_bridges(const struct options *, struct push_options *push,
                       command_report *);

/* The same for the bridges of an inventory.  'report' may be NULL: then a
 * table tells what has become of each. */
int command_on_inventory(const struct options *, struct push_options *push,
                         command_report *report);

#endif /* command.h */
