/* Tells systemd how it is: see notify.h. */

#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_len;   /* 0: nobody wants to know. */

void
notify_init(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t n = name ? strlen(name) : 0;
    if (n && n <= sizeof address.sun_path) {
        memcpy(address.sun_path, name, n);
        address_len = offsetof(struct sockaddr_un, sun_path) + n;
        if (name[0] == '@') {
            address.sun_path[0] = '\0'; /* An abstract one, unix(7). */
        }
    }
    unsetenv("NOTIFY_SOCKET");
}

void
notify_tell(const char *state)
{
    int fd = address_len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        ignore(sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                      (struct sockaddr *) &address, address_len));
        close(fd);
    }
}
