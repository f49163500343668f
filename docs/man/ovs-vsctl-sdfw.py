#!/usr/bin/env python3
"""Makes ovs-vsctl-sdfw(8) of what "ovs-vsctl --help" and "ovs-vsctl
--commands" print of our commands, and of the texts below.

usage: ovs-vsctl-sdfw.py OVS_VSCTL VERSION DATE
"""
import re
import subprocess
import sys

# After the line of --help: paragraphs, and an example.
TEXTS = {
    "sdfw-enable": (r"""
Each \fITOPOLOGY\fR is a manifest (see
.BR sdfw\-manifest (5))
or a directory of them; its absolute path is stored.  They are checked first,
alone and together with those of the other bridges of this host, and the first
error is told.
.PP
A bridge that is enabled already is an error; with \fB\-\-may\-exist\fR its
topologies are replaced.
""", "ovs-vsctl sdfw-enable br0 /etc/sdfw/topology"),
    "sdfw-disable": (r"""
All keys of ours in the bridge's \fBother_config\fR go, modes too, and after
the transaction all that was pushed, by whomever: flows, meters and flood
settings.  The bridge is as it was before.  What is said of interfaces stays.
.PP
A bridge that is not enabled is no error: whatever was pushed to it is removed.
With \fB\-\-if\-exists\fR neither is one that is not there.
""", "ovs-vsctl sdfw-disable br0"),
    "sdfw-set-mode": (r"""
\fBlearn\fR and \fBaudit\fR let everything pass, the latter reporting it;
\fBenforce\fR drops what no link allows.  The mode of a service is stronger
than that of its application, which is stronger than the bridge's; all are
stronger than the manifests.  \fBmanifest\fR takes back what was said so.
""", "ovs-vsctl sdfw-set-mode br0 audit"),
    "sdfw-bind": (r"""
A \fIWORKLOAD\fR of the manifests is put to this interface, with these MACs and
addresses instead of its own if there are any.  Without \fIWORKLOAD\fR, the
interface is the one of that service which has its MAC, otherwise a new replica
with the interface's name; one that the manifests do not have is a replica too.
If no MAC or address is given, those count that the platform has written; see
docs/by\-hand.md.
.PP
Refused is what could not be in force: an application or service that is not
there, a MAC or address, or a workload, that is at another interface already, a
VLAN tag that is not the service's.  An interface that is bound already, by
hand or by a manifest, is an error; with \fB\-\-may\-exist\fR the new binding
replaces the old one.  With \fB\-\-if\-exists\fR, an interface that is not
there is none.
.PP
The interface may be made in the same transaction.
""", "ovs-vsctl add-port br0 vnet7 -- "
     "sdfw-bind vnet7 shop/web 52:54:00:00:00:07 10.0.0.17"),
    "sdfw-unbind": (r"""
An interface in quarantine must be released first, for that would end.  With
\fB\-\-if\-exists\fR, an interface that is not there or not bound is no error.
""", "ovs-vsctl --if-exists sdfw-unbind vnet7"),
    "sdfw-quarantine": (r"""
All IP traffic of the workload is dropped, in both directions and in any mode,
and its connections are cut; only links with networks for forensics stay.
It ends after \fIMINUTES\fR (up to a year), or, if they are 0 or left out, by
\fBsdfw\-release\fR only; which of these is printed.  \fIREASON\fR is one
argument, so several words take quotes.  A lone argument is \fIMINUTES\fR if it
begins with a digit.  Given again, time and reason are replaced.
.PP
The interface must be a workload's.  Without
.BR sdfwd (8),
the quarantine begins with the next \fBsdfw push\fR, which is told.
""", 'ovs-vsctl sdfw-quarantine vnet7 90 "scans, see INC-4711"'),
    "sdfw-release": (r"""
With \fB\-\-if\-exists\fR, an interface that is not there or not in quarantine
is no error.
""", "ovs-vsctl sdfw-release vnet7"),
    "sdfw-show": (r"""
Of all bridges that are enabled, or of \fIBRIDGE\fR: applications, services
with their mode and what it comes from, and the workloads that are on the
bridge with interface, MACs, addresses, quarantine and, if the
.BR sdfwd (8)
of this host answers, open deviations.  What is bound but makes no sense is
\fBNOT TAKEN\fR.
""", "ovs-vsctl sdfw-show br0"),
    "sdfw-list-deviations": (r"""
Asks the
.BR sdfwd (8)
of this host.  It is a table, so \fB\-\-format\fR (\fBtable\fR, \fBcsv\fR,
\fBjson\fR and more) and the like count, as for \fBlist\fR.
""", "ovs-vsctl --format=table sdfw-list-deviations"),
}

HEAD = r""".\" Made of what ovs-vsctl says, by docs/man/ovs-vsctl-sdfw.py.
.TH OVS\-VSCTL\-SDFW 8 "{date}" "ovs-sdfw {version}" "ovs-sdfw Manual"
.SH NAME
ovs\-vsctl\-sdfw \- commands of ovs\-vsctl for the service\-defined firewall
.SH SYNOPSIS
.B ovs\-vsctl
.RI [ OPTION ]...
.B \-\-
.RI [ OPTION ]...
.B sdfw\-\fICOMMAND
.RI [ ARG ]...
.RB [ \-\-
.RI [ OPTION ]...
.I COMMAND
.RI [ ARG ]...]...
.SH DESCRIPTION
This
.B ovs\-vsctl
has all commands of
.BR ovs\-vsctl (8),
as they are, and those below.  They say on the host what manifests do not:
which bridge the firewall keeps, which interface is which workload, and, in an
emergency, modes and quarantine.
.PP
They write keys in OVSDB, in one transaction with all other commands on the
command line: all of it happens, or nothing.
.BR sdfwd (8)
sees them at once,
.B sdfw push
the next time; they outlive both.  All options of
.BR ovs\-vsctl (8)
count.  As for its own commands, \fB\-\-dry\-run\fR wants \fB\-\-no\-wait\fR
beside it: otherwise it waits for a change that does not come.
.PP
A command that is wrong changes nothing, and says what would be right.  Names
are checked in the manifests of all bridges that are enabled, and of the
settings of
.BR sdfwd (8).
Where these cannot be read, as with the OVSDB of another host, that is told on
standard error, and what was given is written as it is.
.SH COMMANDS
"""

TAIL = r""".SH EXIT STATUS
.TP
0
Done.
.TP
1
The command line is wrong, or the database or
.B sdfwd
cannot be reached; nothing was changed.  Of
.BR sdfw\-disable :
or the bridge is disabled, but flows could not be removed.
.SH FILES
.TP
.I RUNDIR/sdfwd.pid, RUNDIR/sdfwd.PID.ctl
How
.B sdfwd
is asked; RUNDIR is the environment variable OVS_RUNDIR or
\fI/var/run/openvswitch\fR.
.SH SEE ALSO
.BR ovs\-vsctl (8),
.BR sdfw (8),
.BR sdfwd (8),
.BR sdfw\-manifest (5),
.BR ovs\-vswitchd.conf.db (5)
"""


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def run(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def usages(text):
    """(usage, summary) of each command of ours in the text of --help."""
    found = []
    for line in text[text.index("Service-defined firewall"):] \
            .split("\n\n")[0].splitlines()[1:]:
        if line.startswith("  sdfw-"):
            usage, _, summary = line.strip().partition("  ")
            found.append([usage, summary.strip()])
        else:
            found[-1][1] += " " + line.strip()
    return found


def options(text):
    """{command: its options} of the text of --commands."""
    return {name: re.findall(r"\[(--[a-z-]+)\]", before)
            for before, name, _ in (line.split(",", 2)
                                    for line in text.splitlines())}


def main(vsctl, version, date):
    print(HEAD.format(date=date, version=version), end="")
    its_options = options(run(vsctl, "--commands"))
    for usage, summary in usages(run(vsctl, "--help")):
        name = usage.split()[0]
        text, example = TEXTS[name]
        before = "".join(f"[{o}] " for o in its_options[name])
        print(f".SS {escape(before + usage)}")
        print(escape(summary[0].upper() + summary[1:]) + ".")
        print(".PP" + text + f".PP\nExample:\n.PP\n.nf\n.RS\n"
              f"{escape(example)}\n.RE\n.fi")
    print(TAIL, end="")


main(*sys.argv[1:])
