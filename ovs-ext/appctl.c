/* Answers ovs-appctl(8): see appctl.h. */

#include "appctl.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openvswitch/json.h>
#include <openvswitch/list.h>
#include <openvswitch/vlog.h>

#include "dirs.h"
#include "json-stream.h"
#include "jsonrpc.h"
#include "socket-util.h"
#include "util.h"

#define MAX_ARGS 16

struct appctl {
    const char *program;
    const struct appctl_command *commands;
    void *aux;
    char *pid_file, *socket_file;
    int pid_fd;                 /* Holds the lock; -1: not ours. */
    struct listener *listener;
    struct ovs_list sessions;
};

struct session {
    struct ovs_list list_node;
    struct appctl *appctl;
    struct connection *connection;
    struct json_stream stream;
};

static void
session_destroy(struct session *session)
{
    ovs_list_remove(&session->list_node);
    json_stream_destroy(&session->stream);
    connection_close(session->connection);
    free(session);
}

/* Built in. */

static bool
list_commands(const struct appctl *appctl, struct ds *answer)
{
    ds_put_cstr(answer, "The available commands are:\n"
                "  list-commands\n  version\n  vlog/set WHAT...\n");
    for (const struct appctl_command *c = appctl->commands; c->name; c++) {
        ds_put_format(answer, "  %s%s%s\n", c->name, c->usage[0] ? " " : "",
                      c->usage);
    }
    return true;
}

static bool
set_levels(int argc, const char *argv[], struct ds *answer)
{
    for (int i = 0; i < argc; i++) {
        char *error = vlog_set_levels_from_string(argv[i]);
        if (error) {
            ds_put_cstr(answer, error);
            free(error);
            return false;
        }
    }
    return true;
}

static bool
run_command(const struct appctl *appctl, const char *name, int argc,
            const char *argv[], struct ds *answer)
{
    if (!strcmp(name, "list-commands") || !strcmp(name, "help")) {
        return list_commands(appctl, answer);
    } else if (!strcmp(name, "version")) {
        ds_put_format(answer, "%s (ovs-sdfw) %s\n", appctl->program,
                      SDFW_VERSION);
        return true;
    } else if (!strcmp(name, "vlog/set")) {
        return set_levels(argc, argv, answer);
    }
    for (const struct appctl_command *c = appctl->commands; c->name; c++) {
        if (strcmp(c->name, name)) {
            continue;
        } else if (argc < c->min_args || argc > c->max_args) {
            ds_put_format(answer, "usage: %s%s%s", name,
                          c->usage[0] ? " " : "", c->usage);
            return false;
        }
        return c->run(argc, argv, answer, appctl->aux);
    }
    ds_put_format(answer, "\"%s\" is not a command; \"list-commands\" shows "
                  "what there is", name);
    return false;
}

/* Protocol. */

static void
answer_request(struct session *session, const struct jsonrpc_msg *request)
{
    const char *argv[MAX_ARGS];
    int argc = 0;
    struct ds answer = DS_EMPTY_INITIALIZER;
    const struct json *params = request->params;
    bool ok = params->type == JSON_ARRAY && params->array.n <= MAX_ARGS;
    for (size_t i = 0; ok && i < params->array.n; i++) {
        ok = params->array.elems[i]->type == JSON_STRING;
        if (ok) {
            argv[argc++] = json_string(params->array.elems[i]);
        }
    }
    if (!ok) {
        ds_put_cstr(&answer, "arguments must be at most 16 strings");
    } else {
        ok = run_command(session->appctl, request->method, argc, argv,
                         &answer);
    }
    if (answer.length && ds_last(&answer) != '\n') {
        ds_put_char(&answer, '\n'); /* ovs-appctl goes on after it. */
    }
    struct json *text = json_string_create(ds_cstr(&answer));
    struct jsonrpc_msg *reply
        = ok ? jsonrpc_create_reply(text, request->id)
             : jsonrpc_create_error(text, request->id);
    char *reply_text = jsonrpc_msg_to_string(reply);
    connection_send(session->connection, reply_text, strlen(reply_text));
    free(reply_text);
    jsonrpc_msg_destroy(reply);
    ds_destroy(&answer);
}

static bool
handle_json(struct json *json, void *session_)
{
    struct session *session = session_;
    struct jsonrpc_msg *msg = NULL;
    char *error = NULL;
    if (json->type == JSON_STRING) {
        error = xstrdup(json_string(json));
        json_destroy(json);
    } else {
        error = jsonrpc_msg_from_json(json, &msg);
    }
    bool ok = !error && msg->type == JSONRPC_REQUEST;
    if (ok) {
        answer_request(session, msg);
    } else {
        session_destroy(session);
    }
    free(error);
    jsonrpc_msg_destroy(msg);
    return ok;
}

static size_t
received(const void *data, size_t n, void *session_)
{
    struct session *session = session_;
    json_stream_feed(&session->stream, data, n, handle_json, session);
    return n;
}

static void
lost(const char *error OVS_UNUSED, void *session_)
{
    session_destroy(session_);
}

static void
accepted(int fd, void *appctl_)
{
    static const struct connection_callbacks callbacks = {
        .received = received, .lost = lost,
    };
    struct appctl *appctl = appctl_;
    struct session *session = xzalloc(sizeof *session);
    session->appctl = appctl;
    session->connection = connection_adopt(fd, appctl->listener, &callbacks,
                                           session);
    ovs_list_push_back(&appctl->sessions, &session->list_node);
}

/* A killed process leaves its socket.  Only one has the lock, so what nobody
 * listens on nobody needs. */
static void
remove_if_stale(const char *file)
{
    struct stat st;
    int fd = lstat(file, &st) || !S_ISSOCK(st.st_mode) ? -1
             : make_unix_socket(SOCK_STREAM, true, NULL, file);
    if (fd >= 0) {
        close(fd);
    } else if (fd == -ECONNREFUSED) {
        unlink(file);
    }
}

static void
remove_stale_sockets(const struct appctl *appctl)
{
    char *pattern = xasprintf("%s/%s.[0-9]*.ctl", ovs_rundir(),
                              appctl->program);
    glob_t found;
    if (!glob(pattern, GLOB_NOSORT, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            remove_if_stale(found.gl_pathv[i]);
        }
        globfree(&found);
    }
    free(pattern);
}

char *
appctl_check_alone(const char *program)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *file = xasprintf("%s/%s.pid", ovs_rundir(), program);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool held = fd >= 0 && !fcntl(fd, F_GETLK, &lock)
                && lock.l_type != F_UNLCK;
    if (fd >= 0) {
        close(fd);
    }
    char *error = held ? xasprintf("another %s (process %ld) holds %s",
                                   program, (long int) lock.l_pid, file)
                  : NULL;
    free(file);
    return error;
}

/* The lock ends with the process, however that ends. */
static char *
write_pid_file(struct appctl *appctl)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(appctl->pid_file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock)) {
        close(fd);
        return xasprintf("another %s holds %s; end it first",
                         appctl->program, appctl->pid_file);
    }
    if (fd < 0 || ftruncate(fd, 0)
        || dprintf(fd, "%ld\n", (long int) getpid()) < 0) {
        return xasprintf("cannot write %s: %s", appctl->pid_file,
                         ovs_strerror(errno));
    }
    appctl->pid_fd = fd;
    return NULL;
}

char *
appctl_create(struct loop *loop, const char *program,
              const struct appctl_command commands[], void *aux,
              struct appctl **appctlp)
{
    struct appctl *appctl = xzalloc(sizeof *appctl);
    appctl->program = program;
    appctl->commands = commands;
    appctl->aux = aux;
    appctl->pid_fd = -1;
    ovs_list_init(&appctl->sessions);
    appctl->pid_file = xasprintf("%s/%s.pid", ovs_rundir(), program);
    appctl->socket_file = xasprintf("%s/%s.%ld.ctl", ovs_rundir(), program,
                                    (long int) getpid());
    char *error = write_pid_file(appctl);
    if (!error) {
        remove_stale_sockets(appctl);
        error = listener_create(loop, appctl->socket_file, accepted, appctl,
                                &appctl->listener);
    }
    if (error) {
        appctl_destroy(appctl);
        appctl = NULL;
    }
    *appctlp = appctl;
    return error;
}

void
appctl_destroy(struct appctl *appctl)
{
    if (!appctl) {
        return;
    }
    while (!ovs_list_is_empty(&appctl->sessions)) {
        session_destroy(CONTAINER_OF(ovs_list_front(&appctl->sessions),
                                     struct session, list_node));
    }
    if (appctl->listener) {
        listener_destroy(appctl->listener);
        unlink(appctl->socket_file);
    }
    if (appctl->pid_fd >= 0) {
        unlink(appctl->pid_file);
        close(appctl->pid_fd);
    }
    free(appctl->pid_file);
    free(appctl->socket_file);
    free(appctl);
}
