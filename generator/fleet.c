/* The parent: starts children, waits and decides.  See fleet.h. */

#include "fleet.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timeval.h"
#include "util.h"

struct runner {
    struct fleet *fleet;
    struct topology *topology;
    const struct fleet_settings *settings;
    int signal_fd;
    sigset_t old_mask;
};

static void
tell_progress(const struct runner *r)
{
    if (r->settings->progress) {
        r->settings->progress(r->fleet, r->settings->aux);
    }
}

static bool
is_canary(const struct runner *r, const struct fleet_host *host)
{
    return host->host->canary && r->settings->canary_wait_s
           && !r->settings->push.read_only;
}

/* Starting. */

/* The child.  An interrupt from the terminal, and its end, go to it too, but
 * it finishes what it has begun. */
static void OVS_NO_RETURN
run_child(const struct runner *r, const struct fleet_host *host,
          int control_fd)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    close(r->signal_fd);
    for (size_t i = 0; i < r->fleet->n_hosts; i++) {
        if (r->fleet->hosts[i].control_fd >= 0) {
            close(r->fleet->hosts[i].control_fd); /* Not ours. */
        }
    }
    sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
    dup2(host->output_fd, STDOUT_FILENO);
    fleet_handle_host(r->topology, host->host, r->settings, host->outcomes,
                      control_fd);
    fflush(stdout);
    _exit(0);
}

/* Sets what became of those bridges of which nothing is known. */
static void
fail_host(struct fleet_host *host, enum fleet_state state, const char *error)
{
    for (size_t i = 0; i < host->host->n_bridges; i++) {
        struct fleet_outcome *outcome = &host->outcomes[i];
        if (outcome->state == FLEET_NOT_STARTED) {
            outcome->state = state;
            ovs_strlcpy(outcome->error, error, sizeof outcome->error);
        }
    }
    host->failed = true;
}

/* Each step of a child ends in time by itself, unless a name server keeps it
 * waiting.  A canary has nine: it connects so often. */
static long long int
deadline_of(const struct runner *r, const struct fleet_host *host)
{
    const struct fleet_settings *s = r->settings;
    return time_msec() + 5000
           + (is_canary(r, host) ? 9 * s->push.timeout_ms
                                   + 2000LL * s->canary_wait_s
              : s->push.timeout_ms);
}

static void
start_host(struct runner *r, struct fleet_host *host)
{
    int pair[2] = { -1, -1 };
    host->started = true;
    host->deadline_ms = deadline_of(r, host);
    host->output_fd = memfd_create("sdfw", MFD_CLOEXEC);
    if (host->output_fd >= 0
        && (!is_canary(r, host)
            || !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))) {
        fflush(NULL);           /* Or the child prints it once more. */
        host->pid = fork();
        if (!host->pid) {
            if (pair[0] >= 0) {
                close(pair[0]); /* The end of the parent is the end. */
            }
            run_child(r, host, pair[1]);
        }
    }
    if (host->pid <= 0) {
        char *error = xasprintf("cannot start a process for it: %s",
                                ovs_strerror(errno));
        host->pid = 0;
        fail_host(host, FLEET_FAILED, error);
        free(error);
        r->fleet->n_finished++;
        r->fleet->n_failed++;
    } else {
        r->fleet->n_running++;
    }
    if (pair[1] >= 0) {
        close(pair[1]);
    }
    host->control_fd = pair[0];
}

/* Waiting. */

static void
finish_host(struct runner *r, struct fleet_host *host, int status)
{
    host->pid = 0;
    if (!host->waits) {
        r->fleet->n_running--;
    }
    host->waits = false;
    if (host->control_fd >= 0) {
        close(host->control_fd);
        host->control_fd = -1;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fail_host(host, FLEET_UNSURE, host->deadline_ms <= time_msec()
                  ? "did not end in time; does a name server answer?"
                  : "the process for it died; push again");
    }
    for (size_t i = 0; i < host->host->n_bridges; i++) {
        host->failed |= host->outcomes[i].state != FLEET_DONE
                        && host->outcomes[i].state != FLEET_ROLLED_BACK;
    }
    r->fleet->n_finished++;
    r->fleet->n_failed += host->failed;
}

static void
reap(struct runner *r)
{
    for (size_t i = 0; i < r->fleet->n_hosts; i++) {
        struct fleet_host *host = &r->fleet->hosts[i];
        int status;
        if (host->pid && waitpid(host->pid, &status, WNOHANG) == host->pid) {
            finish_host(r, host, status);
        }
    }
}

/* Ends children whose time is over.  Returns how long the next one has, in
 * milliseconds, or -1. */
static int
end_late(const struct fleet *fleet)
{
    long long int next = LLONG_MAX;
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        if (host->pid && !host->waits) {
            next = MIN(next, host->deadline_ms);
            if (host->deadline_ms <= time_msec()) {
                kill(host->pid, SIGKILL);
            }
        }
    }
    return next == LLONG_MAX ? -1 : MAX(next - time_msec(), 100);
}

static void
take_signals(struct runner *r)
{
    struct signalfd_siginfo info;
    while (read(r->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            r->fleet->interrupted = true;
        }
    }
}

/* Blocks until a child ends or a canary has looked, or we are told to stop. */
static void
wait_for_event(struct runner *r)
{
    struct fleet *fleet = r->fleet;
    struct pollfd *fds = xcalloc(fleet->n_hosts + 1, sizeof *fds);
    fds[fleet->n_hosts] = (struct pollfd) { .fd = r->signal_fd,
                                            .events = POLLIN };
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        bool listens = fleet->hosts[i].pid && !fleet->hosts[i].waits;
        fds[i] = (struct pollfd) {
            .fd = listens ? fleet->hosts[i].control_fd : -1, .events = POLLIN,
        };
    }
    poll(fds, fleet->n_hosts + 1, end_late(fleet));
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        char byte;
        if (fds[i].fd >= 0 && fds[i].revents
            && read(fds[i].fd, &byte, 1) == 1) {
            fleet->hosts[i].waits = true;
            fleet->n_running--;
        } else if (fds[i].fd >= 0 && fds[i].revents) {
            close(fds[i].fd);   /* It ends without a look. */
            fleet->hosts[i].control_fd = -1;
        }
    }
    free(fds);
    take_signals(r);
    reap(r);
    tell_progress(r);
}

/* Starts the hosts of one kind, a few at once, and waits until each has ended
 * or waits for a decision. */
static void
run_hosts(struct runner *r, bool canaries)
{
    struct fleet *fleet = r->fleet;
    size_t next = 0;
    for (;;) {
        while (next < fleet->n_hosts && !fleet->interrupted
               && fleet->n_running < r->settings->parallel
               && fleet->n_failed <= r->settings->max_fail) {
            struct fleet_host *host = &fleet->hosts[next++];
            if (host->host->canary == canaries) {
                start_host(r, host);
                tell_progress(r);
            }
        }
        if (!fleet->n_running) {
            return;
        }
        wait_for_event(r);
    }
}

/* Deciding. */

static bool
any_has_risen(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->n_outcomes; i++) {
        if (fleet->outcomes[i].risen) {
            return true;
        }
    }
    return false;
}

/* Tells the canaries that wait what to do, and waits for their end. */
static void
decide(struct runner *r)
{
    struct fleet *fleet = r->fleet;
    fleet->rolled_back = any_has_risen(fleet);
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        struct fleet_host *host = &fleet->hosts[i];
        if (host->waits) {
            char byte = fleet->rolled_back ? FLEET_ROLL_BACK : FLEET_KEEP;
            ignore(write(host->control_fd, &byte, 1));
            host->waits = false;
            host->deadline_ms = deadline_of(r, host);
            fleet->n_running++;
        }
    }
    while (fleet->n_running) {
        wait_for_event(r);
    }
}

static void
watch_signals(struct runner *r)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, &r->old_mask);
    r->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    ovs_assert(r->signal_fd >= 0);
}

static struct fleet *
fleet_create(const struct inventory *inventory)
{
    struct fleet *fleet = xzalloc(sizeof *fleet);
    fleet->n_hosts = inventory->n_hosts;
    fleet->hosts = xcalloc(fleet->n_hosts, sizeof *fleet->hosts);
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        fleet->n_outcomes += inventory->hosts[i].n_bridges;
    }
    fleet->outcomes = mmap(NULL, fleet->n_outcomes * sizeof *fleet->outcomes,
                           PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fleet->outcomes == MAP_FAILED) {
        out_of_memory();
    }
    struct fleet_outcome *outcomes = fleet->outcomes;
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        fleet->hosts[i] = (struct fleet_host) {
            .host = &inventory->hosts[i],
            .outcomes = outcomes,
            .output_fd = -1,
            .control_fd = -1,
        };
        outcomes += inventory->hosts[i].n_bridges;
    }
    return fleet;
}

struct fleet *
fleet_run(struct topology *topology, const struct inventory *inventory,
          const struct fleet_settings *settings)
{
    struct runner r = {
        .fleet = fleet_create(inventory),
        .topology = topology,
        .settings = settings,
    };
    watch_signals(&r);
    run_hosts(&r, true);
    decide(&r);
    r.fleet->canary_failed = r.fleet->n_failed && !settings->push.read_only;
    if (!r.fleet->rolled_back && !r.fleet->canary_failed) {
        run_hosts(&r, false);
    }
    close(r.signal_fd);
    sigprocmask(SIG_SETMASK, &r.old_mask, NULL);
    return r.fleet;
}

void
fleet_destroy(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        if (fleet->hosts[i].output_fd >= 0) {
            close(fleet->hosts[i].output_fd);
        }
    }
    munmap(fleet->outcomes, fleet->n_outcomes * sizeof *fleet->outcomes);
    free(fleet->hosts);
    free(fleet);
}
