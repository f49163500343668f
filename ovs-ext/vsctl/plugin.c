/* ovs-vsctl with the commands of the service-defined firewall.
 *
 * All native commands are there as they are (native.c); ours are in the same
 * transactions.  docs/man/ovs-vsctl-sdfw.py makes the man page of this table
 * and of the text for --help. */

#include <limits.h>

#include "commands.h"
#include "common.h"
#include "db-ctl-base.h"
#include "native.h"

/* The words for arguments are those that ovs-vsctl's own completion knows. */
static const struct ctl_command_syntax commands[] = {
    { "sdfw-enable", 2, INT_MAX, "BRIDGE ARG...", common_prerequisites,
      enable_run, NULL, "--may-exist", RW },
    { "sdfw-disable", 1, 1, "BRIDGE", common_prerequisites,
      disable_run, disable_postprocess, "--if-exists", RW },
    { "sdfw-set-mode", 2, 3, "BRIDGE [ARG] ARG", common_prerequisites,
      set_mode_run, NULL, "", RW },
    { "sdfw-bind", 2, INT_MAX, "IFACE ARG [ARG]...", common_prerequisites,
      bind_run, NULL, "--if-exists,--may-exist", RW },
    { "sdfw-unbind", 1, 1, "IFACE", common_prerequisites,
      unbind_run, NULL, "--if-exists", RW },
    { "sdfw-quarantine", 1, 3, "IFACE [ARG] [ARG]", common_prerequisites,
      quarantine_run, NULL, "", RW },
    { "sdfw-release", 1, 1, "IFACE", common_prerequisites,
      release_run, NULL, "--if-exists", RW },
    { "sdfw-show", 0, 1, "[BRIDGE]", common_prerequisites,
      show_run, NULL, "", RO },
    { "sdfw-list-deviations", 0, 1, "[BRIDGE]", common_prerequisites,
      list_deviations_run, NULL, "", RO },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};

const char *
plugin_usage(void)
{
    return "\
Service-defined firewall commands (ovs-vsctl-sdfw(8) tells more):\n\
  sdfw-enable BRIDGE TOPOLOGY...  have sdfwd keep BRIDGE as TOPOLOGY says\n\
  sdfw-disable BRIDGE         remove the firewall from BRIDGE\n\
  sdfw-set-mode BRIDGE [APP[/SERVICE]] MODE  set mode to learn, audit,\n\
                              enforce, or manifest (what manifests say)\n\
  sdfw-bind IFACE APP/SERVICE[/WORKLOAD] [MAC|IP]...  IFACE is a workload\n\
  sdfw-unbind IFACE           take that back\n\
  sdfw-quarantine IFACE [MINUTES] [REASON]  cut the workload at IFACE off\n\
  sdfw-release IFACE          end its quarantine\n\
  sdfw-show [BRIDGE]          print services, workloads, modes, quarantine\n\
  sdfw-list-deviations [BRIDGE]  list deviations that sdfwd has open\n";
}

int
main(int argc, char *argv[])
{
    ctl_register_commands(commands);
    return native_main(argc, argv);
}
