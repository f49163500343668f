/* What push and plan do with --inventory: all bridges at once, and a table of
 * what became of them. */

#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "util.h"

struct context {
    const struct options *options;
    struct topology *topology;
    command_report *report;
};

static struct inventory *
read_inventory(const struct options *options)
{
    struct report report;
    report_init(&report);
    struct inventory *inventory = inventory_read(options->inventory, &report);
    report_print(&report, stderr);
    report_destroy(&report);
    return inventory;
}

static void
report_one(struct push_result *result, void *context_)
{
    const struct context *context = context_;
    context->report(context->options, context->topology, result);
}

/* One line, redrawn. */
static void
show_progress(const struct fleet *fleet, void *aux OVS_UNUSED)
{
    fprintf(stderr, "\r\033[K%zu of %zu hosts done, %zu failed; at",
            fleet->n_finished, fleet->n_hosts, fleet->n_failed);
    size_t n = 0;
    for (size_t i = 0; i < fleet->n_hosts && n < 3; i++) {
        if (fleet->hosts[i].pid) {
            fprintf(stderr, " %.16s", fleet->hosts[i].host->name);
            n++;
        }
    }
    size_t n_waiting = 0;
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        n_waiting += fleet->hosts[i].waits;
    }
    size_t more = fleet->n_running + n_waiting - n;
    if (more) {
        fprintf(stderr, " and %zu more", more);
    }
    fputs(fleet->interrupted ? " (stopping)" : "", stderr);
    fflush(stderr);
}

static void
copy_output(const struct fleet *fleet)
{
    char buffer[65536];
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        int fd = fleet->hosts[i].output_fd;
        ssize_t n;
        if (fd < 0 || lseek(fd, 0, SEEK_SET)) {
            continue;
        }
        while ((n = read(fd, buffer, sizeof buffer)) > 0) {
            fwrite(buffer, 1, n, stdout);
        }
    }
}

/* The table. */

static const char *
policy_of(const struct fleet_outcome *o)
{
    switch (o->state) {
    case FLEET_DONE:
    case FLEET_NOT_ROLLED_BACK:
        return "new";
    case FLEET_UNSURE:
        return "unknown";
    case FLEET_NOT_STARTED:
    case FLEET_FAILED:
    case FLEET_ROLLED_BACK:
        return "old";
    }
    OVS_NOT_REACHED();
}

static char *
changes_of(const struct fleet_outcome *o)
{
    return o->state == FLEET_ROLLED_BACK ? xstrdup("rolled back")
           : o->state != FLEET_DONE ? xstrdup("-")
           : !o->changed ? xstrdup("nothing")
           : xasprintf("+%zu ~%zu -%zu", o->counts.added, o->counts.changed,
                       o->counts.removed);
}

/* What is to be said of a bridge in one line. */
static char *
note_of(const struct fleet *fleet, const struct fleet_host *host,
        const struct fleet_outcome *o)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    if (o->state == FLEET_NOT_STARTED) {
        ds_put_cstr(&s, host->started ? "not reached, for another bridge of "
                                        "the host failed"
                        : fleet->interrupted ? "not started: interrupted"
                        : fleet->rolled_back ? "not started: deviations rose"
                        : fleet->canary_failed ? "not started: a canary failed"
                        : "not started: too many failed");
    } else if (o->state == FLEET_NOT_ROLLED_BACK) {
        ds_put_cstr(&s, "NOT ROLLED BACK: ");
    }
    for (const char *p = o->error[0] ? o->error : o->warning; *p; p++) {
        ds_put_char(&s, *p == '\n' ? ';' : *p);
    }
    if (o->looked && o->changed) {
        ds_put_format(&s, "%sdeviations: %.1f/s before, %.1f/s after%s",
                      s.length ? "; " : "", o->rate_before, o->rate_after,
                      o->risen ? ", RISEN" : "");
    }
    if (o->state == FLEET_DONE && !o->n_local) {
        ds_put_format(&s, "%snone of the workloads is here",
                      s.length ? "; " : "");
    }
    return ds_steal_cstr(&s);
}

static void
print_row(const char *host, const char *bridge, const char *policy,
          const char *changes, const char *time, const char *note,
          int host_width)
{
    char *row = xasprintf("%-*s  %-10s  %-7s  %-18s  %8s  %s", host_width,
                          host, bridge, policy, changes, time, note);
    size_t n = strlen(row);
    while (n && row[n - 1] == ' ') {
        n--;
    }
    printf("%.*s\n", (int) n, row);
    free(row);
}

static void
print_table(const struct fleet *fleet)
{
    int width = 4;
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        width = MAX(width, (int) strlen(fleet->hosts[i].host->name));
    }
    print_row("HOST", "BRIDGE", "POLICY", "FLOWS CHANGED", "TIME", "NOTE",
              width);
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        for (size_t j = 0; j < host->host->n_bridges; j++) {
            const struct fleet_outcome *o = &host->outcomes[j];
            char *changes = changes_of(o);
            char *note = note_of(fleet, host, o);
            char time[16] = "-";
            if (o->state != FLEET_NOT_STARTED) {
                snprintf(time, sizeof time, "%.2f s", o->elapsed_ms / 1000.0);
            }
            print_row(host->host->name, host->host->bridges[j].name,
                      policy_of(o), changes, time, note, width);
            free(changes);
            free(note);
        }
    }
}

/* What went wrong, for those who see no table. */
static void
print_errors(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        for (size_t j = 0; j < host->host->n_bridges; j++) {
            const struct fleet_outcome *o = &host->outcomes[j];
            if (o->state != FLEET_DONE || o->error[0]) {
                char *note = note_of(fleet, host, o);
                fprintf(stderr, "sdfw: %s/%s: %s%s\n", host->host->name,
                        host->host->bridges[j].name,
                        o->state == FLEET_ROLLED_BACK ? "rolled back; " : "",
                        note);
                free(note);
            }
        }
    }
}

struct sums {
    size_t new, old, unknown, not_rolled_back, refused;
};

static struct sums
sum_up(const struct fleet *fleet)
{
    struct sums sums = { .new = 0 };
    for (size_t i = 0; i < fleet->n_outcomes; i++) {
        const struct fleet_outcome *o = &fleet->outcomes[i];
        sums.not_rolled_back += o->state == FLEET_NOT_ROLLED_BACK;
        sums.refused += o->refused;
        sums.unknown += o->state == FLEET_UNSURE;
        sums.new += o->state == FLEET_DONE
                    || o->state == FLEET_NOT_ROLLED_BACK;
    }
    sums.old = fleet->n_outcomes - sums.new - sums.unknown;
    return sums;
}

static int
report_push(const struct options *options, const struct fleet *fleet)
{
    struct sums sums = sum_up(fleet);
    if (options->quiet) {
        print_errors(fleet);
    } else {
        print_table(fleet);
        printf("%zu of %zu bridges have this policy", sums.new,
               fleet->n_outcomes);
        if (sums.old) {
            printf(", %zu %s what %s had", sums.old,
                   sums.old == 1 ? "has" : "have",
                   sums.old == 1 ? "it" : "they");
        }
        if (sums.unknown) {
            printf(", of %zu it is not known", sums.unknown);
        }
        puts(sums.new < fleet->n_outcomes && !fleet->rolled_back
             ? "; push again to do the rest" : "");
    }
    return fleet->rolled_back && !sums.not_rolled_back ? EXIT_ROLLED_BACK
           : sums.new == fleet->n_outcomes && !fleet->rolled_back ? EXIT_OK
           : sums.new || sums.unknown ? EXIT_PARTIAL
           : sums.refused ? EXIT_REFUSED : EXIT_BRIDGE;
}

static int
report_plan(const struct fleet *fleet)
{
    copy_output(fleet);
    fflush(stdout);
    print_errors(fleet);
    int status = EXIT_OK;
    for (size_t i = 0; i < fleet->n_outcomes; i++) {
        const struct fleet_outcome *o = &fleet->outcomes[i];
        if (o->refused) {
            return EXIT_REFUSED;
        } else if (o->state != FLEET_DONE) {
            status = EXIT_BRIDGE;
        } else if (o->changed && status == EXIT_OK) {
            status = EXIT_CHANGES;
        }
    }
    return status;
}

static int
run_fleet(struct context *context, const struct inventory *inventory,
          const struct push_options *push)
{
    const struct options *options = context->options;
    bool shows = isatty(STDERR_FILENO) && !options->quiet;
    struct fleet_settings settings = {
        .push = *push,
        .parallel = options->parallel ? options->parallel : 16,
        .max_fail = options->max_fail < 0 ? SIZE_MAX : options->max_fail,
        .canary_wait_s = options->canary_wait_s < 0
                         ? 30 : options->canary_wait_s,
        .canary_rise = options->canary_rise < 0 ? 1 : options->canary_rise,
        .report = context->report ? report_one : NULL,
        .progress = shows ? show_progress : NULL,
        .aux = context,
    };
    struct fleet *fleet = fleet_run(context->topology, inventory, &settings);
    if (shows) {
        fputs("\r\033[K", stderr);
    }
    int status = push->read_only ? report_plan(fleet)
                                 : report_push(options, fleet);
    fleet_destroy(fleet);
    return status;
}

int
command_on_inventory(const struct options *options, struct push_options *push,
                     command_report *report)
{
    struct context context = { .options = options, .report = report };
    struct inventory *inventory = read_inventory(options);
    context.topology = command_read_topology(options, options->arguments,
                                             options->n_arguments);
    int status = EXIT_MANIFEST;
    if (inventory && context.topology) {
        push->timeout_ms = options->timeout_s * 1000;
        push->table_base = options->table_base;
        push->now = options->now;
        push->min_kept_percent = options->force ? 0
                                 : 100 - options->max_shrink;
        status = run_fleet(&context, inventory, push);
    }
    topology_destroy(context.topology);
    inventory_destroy(inventory);
    return status;
}
