#!/usr/bin/env python3
"""Makes sdfw(8) of what "sdfw --help" and "sdfw COMMAND --help" print.

usage: sdfw.py SDFW VERSION DATE
"""
import re
import subprocess
import sys

EXAMPLES = {
    "check": "sdfw check /etc/sdfw/topology",
    "compile": "sdfw compile shop.xml | less",
    "plan": "sdfw plan \\-\\-bridge br0 /etc/sdfw/topology",
    "push": "sdfw push \\-\\-bridge br0 \\-\\-bridge br1 /etc/sdfw/topology",
    "show": "sdfw show \\-\\-bridge br0 shop.xml",
    "diff": "git worktree add old main && sdfw diff old/policy policy",
    "trace": "sdfw trace shop.xml shop/web shop/db tcp 5432",
    "test": "sdfw test policy",
    "clear": "systemctl stop sdfwd && sdfw clear \\-\\-bridge br0",
    "attest": "sdfw attest \\-\\-bridge br0 \\-\\-key host.pem "
              "/etc/sdfw/topology >>statements.jsonl",
    "learn": "conntrack \\-L | sdfw learn \\-\\-profile web.profile "
             "\\-\\-topology shop.xml \\-\\-output \\- \\-",
    "verify": "sdfw verify \\-\\-catalogue /etc/sdfw/catalogue.xml "
              "/etc/sdfw/topology",
    "explain": "ovs\\-ofctl dump\\-flows br0 | tail \\-n 1 | "
               "xargs \\-d '\\en' sdfw explain shop.xml",
}

HEAD = r""".\" Made of the help texts of sdfw by docs/man/sdfw.py.
.TH SDFW 8 "{date}" "ovs-sdfw {version}" "ovs-sdfw Manual"
.SH NAME
sdfw \- the service\-defined firewall for Open vSwitch
.SH SYNOPSIS
.B sdfw
.I COMMAND
.RI [ OPTION ]...
.IR TOPOLOGY ...
.br
.B sdfw
.RI [ COMMAND ]
.B \-\-help
.br
.B sdfw \-\-version
.SH DESCRIPTION
.B sdfw
reads manifests, which say which service may open connections to which, and
makes bridges of Open vSwitch enforce them.  A
.I TOPOLOGY
is a manifest (see
.BR sdfw\-manifest (5))
or a directory whose
.I *.xml
files are merged.
.PP
After a push, enforcement needs nothing but Open vSwitch.
.B sdfw
installs flows whose cookie begins with 0x5dfd, in table 0 one flow of priority
65535 and the others from table 100 on (see
.BR \-\-table\-base ),
and touches no others.  The flows of others in table 0 see what is not the
business of any manifest as if
.B sdfw
were not there.
.SH COMMANDS
"""

TAIL = r""".SH BRIDGES
.I BRIDGE
is one of:
.TP
.I NAME
A bridge of this host: \fBunix:\fIRUNDIR\fB/\fINAME\fB.mgmt\fR.
.TP
.BI unix: FILE
A bridge that listens at this socket.
.TP
.BI tcp: HOST\fR[\fP : PORT\fR]
A bridge that listens there (\fBovs\-vsctl set\-controller
\fIBRIDGE\fB ptcp:\fR), by default at port 6653, unencrypted.  An IPv6 address
is written in brackets.
.TP
.BI ssl: HOST\fR[\fP : PORT\fR]
The same over TLS (\fBpssl:\fR).  Needs
.BR \-\-private\-key ,
.B \-\-certificate
and
.BR \-\-ca\-cert .
.PP
The bridge must allow OpenFlow13 or OpenFlow14.  Which workload is at which
port is asked of OVSDB, so a bridge of another host needs
.B \-\-db
with that host's OVSDB
.RB ( unix: ,
.B tcp:
or
.BR ssl: ,
by default at port 6640), or
.BR \-\-ports .
Bridges of one command share these; for the bridges of several hosts there is
.BR \-\-inventory ,
see
.BR sdfw\-inventory (5).
.PP
A push holds a lock in OVSDB, so that a second one waits.  With
.B \-\-ports
it holds none.
.SH FILE OF PORTS
Each line has the path of a workload and its OpenFlow port, from 1 to 65279;
a workload that has none is not on the bridge.  \fB#\fR begins a comment.
.PP
.nf
.RS
shop/web/web\-1  3    # vnet3
shop/db/db\-1    4
.RE
.fi
.SH EXIT STATUS
.TP
0
Done; right; nothing to change.
.TP
1
A topology, a catalogue or an inventory is wrong.
.TP
2
.BR plan ", " diff :
there are changes.
.TP
3
A bridge, its OVSDB or the file of
.B \-\-ports
failed or refused; or a bridge and the manifests disagree
.RB ( trace ).
.TP
4
.BR trace :
denied.
.BR test :
an assertion does not hold.
.BR verify :
something is as bad as
.B \-\-fail\-on
says.
.BR explain :
not of this topology.
.TP
5
.BR push ", " plan :
more would go than
.B \-\-max\-shrink
allows; nothing was changed.
.TP
6
.B push
with
.BR \-\-inventory :
some bridges have the policy and others have not.
.TP
7
.B push
with
.BR \-\-inventory :
deviations rose on a canary, and all canaries have again what they had.  If one
could not be rolled back, it is 6.
.TP
8
.BR learn :
the profile, or a file that was to be read or written, failed.
.TP
64
The command line is wrong.
.SH ENVIRONMENT
.TP
OVS_RUNDIR
.IR RUNDIR ,
where Open vSwitch has its sockets, if not where libopenvswitch was built for
(mostly \fI/var/run/openvswitch\fR).
.SH FILES
.TP
.I RUNDIR/BRIDGE.mgmt
OpenFlow of a bridge of this host.
.TP
.I RUNDIR/db.sock
OVSDB of this host.
.TP
.I RUNDIR/ovs\-vswitchd.pid, RUNDIR/ovs\-vswitchd.PID.ctl
What
.B trace \-\-bridge
asks.
.TP
.I PREFIX/share/sdfw/manifest.xsd, PREFIX/share/sdfw/catalogue.xsd, \
PREFIX/share/sdfw/inventory.xsd
The schemas of manifests, catalogues and inventories, for editors; \fBsdfw\fR
has its own copies.
.TP
.I PREFIX/share/sdfw/catalogue.xml
The built\-in catalogue, to read; \fBsdfw\fR has its own copy.
.SH EXAMPLES
In CI, without a bridge:
.PP
.nf
.RS
sdfw check policy && sdfw test policy
.RE
.fi
.PP
Unattended, but not if a third of the policy were lost by it
.RB ( sdfw\-push (8)
does this time and again, from a git checkout too):
.PP
.nf
.RS
sdfw push \-\-quiet \-\-max\-shrink 30 \-\-bridge br0 /etc/sdfw/topology
.RE
.fi
.PP
A bridge of another host:
.PP
.nf
.RS
sdfw push \-\-bridge ssl:hv1 \-\-db ssl:hv1 \e
    \-\-private\-key key.pem \-\-certificate cert.pem \e
    \-\-ca\-cert ca.pem topology
.RE
.fi
.PP
All bridges of a site, canaries first:
.PP
.nf
.RS
sdfw push \-\-inventory site.xml topology
.RE
.fi
.PP
Is the bridge as the topology says?
.PP
.nf
.RS
sdfw plan \-\-bridge br0 topology >/dev/null || echo "no: $?"
.RE
.fi
.SH SEE ALSO
.BR sdfw\-manifest (5),
.BR sdfw\-catalogue (5),
.BR sdfw\-inventory (5),
.BR sdfwd (8),
.BR sdfw\-push (8),
.BR ovs\-vswitchd (8),
.BR ovs\-vsctl (8),
.BR ovs\-ofctl (8),
.BR ovs\-fields (7),
.BR ovs\-actions (7)
"""


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def run(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def sections(text):
    """Usage, summary, options as (option, text), and the paragraphs after."""
    lines = text.splitlines()
    options, rest = [], []
    for line in lines[lines.index("Options:") + 1:]:
        option = re.fullmatch(r"  (--\S+)\s+(.*)", line)
        if option:
            options.append(option.groups())
        else:
            rest.append(line)
    return lines[0].removeprefix("usage: "), lines[1], options, rest


def main(sdfw, version, date):
    names = re.findall(r"^  (\w+)  ", run(sdfw, "--help"), re.M)
    print(HEAD.format(date=date, version=version), end="")
    options = {}
    for name in names:
        usage, summary, its_options, rest = sections(run(sdfw, name, "--help"))
        for option, text in its_options:
            options.setdefault(option, {}).setdefault(text, []).append(name)
        print(f".SS {escape(usage)}")
        print(escape(summary[0].upper() + summary[1:]) + ".")
        for line in rest:
            print(escape(line) if line.strip() else ".PP")
        print(".PP\nOptions:")
        print(", ".join(f"\\fB{escape(o.split('=')[0])}\\fR"
                        for o, _ in its_options) + ".")
        print(f".PP\nExample:\n.PP\n.nf\n.RS\n{EXAMPLES[name]}\n.RE\n.fi")
    print(".SH OPTIONS")
    for option, texts in sorted(options.items()):
        name, _, value = option.partition("=")
        print(f".TP\n\\fB{escape(name)}\\fR"
              + (f"=\\fI{escape(value)}\\fR" if value else ""))
        if len(texts) == 1:
            text, = texts
            print(escape(text[0].upper() + text[1:]) + ".")
        else:
            print("\n.br\n".join(
                ", ".join(f"\\fB{name}\\fR" for name in names)
                + f": {escape(text)}." for text, names in texts.items()))
    print(TAIL, end="")


main(*sys.argv[1:])
