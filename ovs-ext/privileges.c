/* What sdfwd may do: see privileges.h. */

#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cap-ng.h>

#include <openvswitch/vlog.h>

#include "util.h"

VLOG_DEFINE_THIS_MODULE(privileges);

static char *
find_user(const char *spec, uid_t *uid, gid_t *gid)
{
    char *user = xstrdup(spec), *error = NULL;
    char *group = strchr(user, ':');
    if (group) {
        *group++ = '\0';
    }
    const struct passwd *pw = getpwnam(user);
    const struct group *gr = group ? getgrnam(group) : NULL;
    if (!pw) {
        error = xasprintf("there is no user \"%s\"", user);
    } else if (group && !gr) {
        error = xasprintf("there is no group \"%s\"", group);
    } else {
        *uid = pw->pw_uid;
        *gid = gr ? gr->gr_gid : pw->pw_gid;
    }
    free(user);
    return error;
}

char *
privileges_check_user(const char *user)
{
    uid_t uid;
    gid_t gid;
    return find_user(user, &uid, &gid);
}

/* With the effective capabilities, may all of 'files' be written to? */
static bool
may_write(const struct svec *files)
{
    for (size_t i = 0; i < files->n; i++) {
        if (faccessat(AT_FDCWD, files->names[i], W_OK, AT_EACCESS)) {
            VLOG_INFO("%s: %s", files->names[i], ovs_strerror(errno));
            return false;
        }
    }
    return true;
}

static int
set_override(capng_act_t action, capng_type_t type)
{
    return capng_update(action, type, CAP_DAC_OVERRIDE)
           || capng_apply(CAPNG_SELECT_CAPS);
}

/* As the user that it shall be, with CAP_DAC_OVERRIDE alone. */
static char *
drop_override(const char *user, const struct svec *files)
{
    int error = set_override(CAPNG_DROP, CAPNG_EFFECTIVE);
    bool need_it = !error && !may_write(files);
    error = error || (need_it
                      ? set_override(CAPNG_ADD, CAPNG_EFFECTIVE)
                      : set_override(CAPNG_DROP, CAPNG_PERMITTED));
    if (error) {
        return xstrdup("cannot set capabilities");
    }
    VLOG_INFO("runs as %s %s", user, need_it
              ? "with CAP_DAC_OVERRIDE, for the sockets of Open vSwitch"
              : "without capabilities");
    return NULL;
}

char *
privileges_drop(const char *user, const struct svec *files)
{
    uid_t uid;
    gid_t gid;
    char *error = find_user(user, &uid, &gid);
    if (error) {
        return error;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        return xasprintf("prctl: %s", ovs_strerror(errno));
    }
    if (geteuid()) {
        return geteuid() == uid && getegid() == gid
               ? NULL
               : xasprintf("only root can become user %s", user);
    }
    capng_clear(CAPNG_SELECT_ALL);
    int failed = capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
                              CAP_DAC_OVERRIDE)
                 || capng_change_id(uid, gid, CAPNG_DROP_SUPP_GRP
                                              | CAPNG_INIT_SUPP_GRP
                                              | CAPNG_CLEAR_BOUNDING);
    return failed ? xasprintf("cannot become user %s: %s", user,
                              ovs_strerror(errno))
           : drop_override(user, files);
}

void
privileges_keep_to_self(void)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}
