/* Runs a program for a limited time: see child.h. */

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util.h"

struct child {
    pid_t pid;                  /* Also its process group. */
    int pidfd;
    struct watch *watch;        /* Of 'pidfd': readable when it has ended. */
    struct timer *timer;
    bool late;
    void (*ended)(int code, int status, bool late, void *aux);
    void *aux;
};

/* Kills the group while the pid of its leader still is its own, so that no
 * other's is hit. */
static void
kill_group(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void
child_free(struct child *child)
{
    watch_destroy(child->watch);
    timer_destroy(child->timer);
    close(child->pidfd);
    free(child);
}

void
child_kill(struct child *child)
{
    kill_group(child->pid);
    child_free(child);
}

static void
has_ended(void *child_)
{
    struct child *child = child_;
    siginfo_t info = { .si_pid = 0 };
    if (waitid(P_PID, child->pid, &info, WEXITED | WNOHANG | WNOWAIT)
        || !info.si_pid) {
        return;
    }
    kill_group(child->pid);
    child->ended(info.si_code, info.si_status, child->late, child->aux);
    child_free(child);
}

static void
is_late(void *child_)
{
    struct child *child = child_;
    child->late = true;
    kill(-child->pid, SIGKILL); /* has_ended() follows. */
}

/* A file in memory, unlike a pipe, takes all at once, whether the program
 * reads it or not.  Returns a descriptor, or -1 with errno set. */
static int
make_input(const void *data, size_t n)
{
    int fd = memfd_create("record", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, data, n, 0) != n) {
        close(fd);
        errno = ENOSPC;
        return -1;
    }
    return fd;
}

/* Returns 0 or an errno. */
static int
spawn(const char *const argv[], int input, pid_t *pid)
{
    const char *lang = getenv("LANG");
    char *environment_lang = xasprintf("LANG=%s", lang ? lang : "C.UTF-8");
    char *environment[] = {
        (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                 "/sbin:/bin",
        environment_lang, NULL,
    };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP
                                          | POSIX_SPAWN_SETSIGMASK
                                          | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(pid, argv[0], &actions, &attributes,
                            (char *const *) argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment_lang);
    return error;
}

char *
child_start(struct loop *loop, const char *const argv[], const void *input,
            size_t n, long long int limit_ms,
            void (*ended)(int code, int status, bool late, void *aux),
            void *aux, struct child **childp)
{
    pid_t pid;
    int fd = make_input(input, n);
    int error = fd < 0 ? errno : spawn(argv, fd, &pid);
    if (fd >= 0) {
        close(fd);
    }
    int pidfd = error ? -1 : pidfd_open(pid, 0);
    if (!error && pidfd < 0) {
        error = errno;
        kill_group(pid);
    }
    if (error) {
        return xasprintf("cannot run %s: %s", argv[0], ovs_strerror(error));
    }
    struct child *child = xmalloc(sizeof *child);
    *child = (struct child) {
        .pid = pid, .pidfd = pidfd, .ended = ended, .aux = aux,
    };
    child->watch = watch_create(loop, pidfd, has_ended, child);
    child->timer = timer_create_in(loop, is_late, child);
    timer_set(child->timer, limit_ms);
    *childp = child;
    return NULL;
}
