/* Control sockets: see control.h.
 *
 * The protocol is that of ovs-appctl(8), JSON-RPC.  libopenvswitch's own
 * client (unixctl_client_transact()) would wait for a hung daemon for ever. */

#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openvswitch/json.h>
#include <openvswitch/poll-loop.h>

#include "dirs.h"
#include "jsonrpc.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

/* The path of its socket, or NULL if it is not running. */
static char *
find_socket(const char *program)
{
    char *pidfile = xasprintf("%s/%s.pid", ovs_rundir(), program);
    FILE *stream = fopen(pidfile, "r");
    int pid = 0;
    bool found = stream && fscanf(stream, "%d", &pid) == 1;
    if (stream) {
        fclose(stream);
    }
    free(pidfile);
    return found ? xasprintf("%s/%s.%d.ctl", ovs_rundir(), program, pid)
           : NULL;
}

/* Returns an errno. */
static int
transact(struct jsonrpc *rpc, struct jsonrpc_msg *request,
         long long int deadline, struct jsonrpc_msg **reply)
{
    struct json *id = json_clone(request->id);
    int error = jsonrpc_send(rpc, request);
    while (!error) {
        jsonrpc_run(rpc);
        error = jsonrpc_recv(rpc, reply);
        if (!error && json_equal(id, (*reply)->id)) {
            break;
        } else if (!error) {
            jsonrpc_msg_destroy(*reply);
        } else if (error == EAGAIN && time_msec() < deadline) {
            error = 0;
            jsonrpc_wait(rpc);
            jsonrpc_recv_wait(rpc);
            poll_timer_wait_until(deadline);
            poll_block();
        }
    }
    json_destroy(id);
    return error == EAGAIN ? ETIMEDOUT : error;
}

/* Takes the text of a reply. */
static char *
take_reply(const struct jsonrpc_msg *msg, char **text)
{
    const struct json *json = msg->error ? msg->error : msg->result;
    char *string = json && json->type == JSON_STRING
                   ? xstrdup(json_string(json)) : xstrdup("no text");
    if (msg->error) {
        return string;
    }
    *text = string;
    return NULL;
}

static struct jsonrpc_msg *
make_request(const char *command, const char *const argv[], size_t argc)
{
    struct json *params = json_array_create_empty();
    for (size_t i = 0; i < argc; i++) {
        json_array_add(params, json_string_create(argv[i]));
    }
    return jsonrpc_create_request(command, params, NULL);
}

char *
control_ask(const char *program, int timeout_ms, const char *command,
            const char *const argv[], size_t argc, char **text)
{
    char *path = find_socket(program);
    if (!path) {
        return xasprintf("%s is not running here (no %s/%s.pid)", program,
                         ovs_rundir(), program);
    }
    char *target = xasprintf("unix:%s", path);
    struct stream *stream;
    int error = stream_open_block(stream_open(target, &stream, DSCP_DEFAULT),
                                  timeout_ms, &stream);
    char *message = NULL;
    if (!error) {
        struct jsonrpc *rpc = jsonrpc_open(stream);
        struct jsonrpc_msg *reply;
        error = transact(rpc, make_request(command, argv, argc),
                         time_msec() + timeout_ms, &reply);
        if (!error) {
            message = take_reply(reply, text);
            jsonrpc_msg_destroy(reply);
        }
        jsonrpc_close(rpc);
    }
    if (error) {
        message = xasprintf("%s does not answer at %s: %s", program, path,
                            ovs_retval_to_string(error));
    }
    free(target);
    free(path);
    return message;
}
