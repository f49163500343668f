"""ovs-vsctl with the commands of ovs-vsctl-sdfw(8), on a real database."""
import concurrent.futures
import csv
import json
import os
import re
import shlex
import subprocess
import time

from daemon import Sdfwd, until
from lab import HERE, run
from policy import HOSTS, make_lab, manifest

COMPLETION = HERE.parent.parent / "integration/completion"
# Its own, so that an untidy test shows.
MAC = "52:54:00:00:00:07"
VNET = ["--", "set", "interface", "vnet7", "type=internal"]


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest(modes={"db": "audit"}))
    return the_lab


def program(lab):
    return os.path.join(os.path.dirname(lab.sdfw), "ovs-vsctl")


def vsctl(lab, *arguments, check=True):
    """Ours; one argument is a whole command line."""
    if len(arguments) == 1:
        arguments = shlex.split(arguments[0])
    return lab.run(program(lab), *arguments, check=check)


def refused(lab, command, *words):
    """'command' fails with one line that has all of 'words', and changes
    nothing."""
    before = said(lab)
    done = vsctl(lab, command, check=False)
    assert done.returncode == 1, (command, done)
    line, = done.stderr.splitlines()
    for word in words:
        assert word in line, (command, word, line)
    assert said(lab) == before, command


def said(lab):
    """All that commands can change."""
    return [lab.vsctl("--format=json", f"--columns={columns}", "list",
                      table).stdout
            for table, columns in (("bridge", "name,other_config"),
                                   ("port", "name,tag"),
                                   ("interface", "name,external_ids"))]


def ids(lab, interface):
    """What is said of it."""
    text = lab.vsctl("--format=json", "--columns=external_ids", "list",
                     "interface", interface).stdout
    return {key: value for key, value in json.loads(text)["data"][0][0][1]
            if key.startswith("sdfw-")}


def config(lab, bridge=None):
    text = lab.vsctl("--format=json", "--columns=other_config", "list",
                     "bridge", bridge or lab.bridge).stdout
    return dict(json.loads(text)["data"][0][0][1])


class Enabled:
    """with Enabled(lab): ..., and nothing of it is left."""

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        vsctl(self.lab, f"sdfw-enable br0 {self.lab.path}")

    def __exit__(self, *_):
        vsctl(self.lab, "sdfw-disable br0 -- --if-exists del-port vnet7")
        for host in HOSTS:
            vsctl(self.lab, f"--if-exists sdfw-release {host} -- "
                  f"--if-exists sdfw-unbind {host}")


def shown(lab, *arguments):
    return vsctl(lab, "sdfw-show", *arguments).stdout


# Native ones.

def test_commands(lab):
    """all commands and options of the distribution's ovs-vsctl are there, with
    the same arguments, and ours beside them"""
    for option in ("--commands", "--options"):
        native = lab.vsctl(option).stdout.splitlines()
        ours = vsctl(lab, option).stdout.splitlines()
        assert set(native) <= set(ours) and len(native) > 40
        added = [line for line in ours if line not in native]
        assert all(re.search(r",sdfw-[a-z-]+,", line) for line in added)
        assert len(added) == (9 if option == "--commands" else 0)


def test_help(lab):
    """--help is that of the distribution's, with a part for our commands"""
    # Open vSwitch's usage() leaks, which is not what SANITIZE=1 is to find.
    env = dict(lab.env, ASAN_OPTIONS="detect_leaks=0")
    native, ours = (run(name, "--help", env=env).stdout
                    for name in ("ovs-vsctl", program(lab)))
    begin = ours.index("Service-defined firewall")
    end = ours.index("Database commands:")
    assert ours[:begin] + ours[end:] == native
    for name in re.findall(r",(sdfw-[a-z-]+),",
                           vsctl(lab, "--commands").stdout):
        assert f"\n  {name} " in ours[begin:end], name


def test_native(lab):
    """native commands print and do the same"""
    for command in ("show", "list-br", "list-ports br0", "--version",
                    "--oneline list-ports br0 -- get bridge br0 name",
                    "--format=json list bridge", "get bridge br0 nonsense",
                    "list-ports br7", "iface-to-br web1", "no-command"):
        ours = vsctl(lab, command, check=False)
        native = lab.vsctl(*shlex.split(command), check=False)
        assert (ours.returncode, ours.stdout, ours.stderr) \
            == (native.returncode, native.stdout, native.stderr), command
    vsctl(lab, "add-port", "br0", "vnet7", *VNET)
    assert "vnet7" in lab.vsctl("list-ports", "br0").stdout
    vsctl(lab, "del-port vnet7")
    assert "vnet7" not in lab.vsctl("list-ports", "br0").stdout


# Enabling.

def test_enable(lab):
    """sdfw-enable writes absolute paths, once; --may-exist replaces them"""
    lab.file("other.d/n.xml", """
<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <application name="mail" mode="enforce"><service name="mx"/></application>
</manifest>""")
    relative = os.path.relpath(lab.path)
    vsctl(lab, "sdfw-enable", "br0", relative)
    assert config(lab) == {"sdfw-topology": lab.path}
    refused(lab, f"sdfw-enable br0 {lab.path}", "enabled already", lab.path,
            "--may-exist")
    vsctl(lab, f"--may-exist sdfw-enable br0 {lab.path} {lab.dir}/other.d")
    assert config(lab) == {"sdfw-topology": f"{lab.path} {lab.dir}/other.d"}
    assert "Application mail" in shown(lab)
    vsctl(lab, "sdfw-disable br0")
    assert not config(lab)


def test_enable_refused(lab):
    """a topology that is not there or has an error is told with file and line;
    so is one that contradicts that of another bridge"""
    bad = lab.file("bad.xml", manifest(links='<link from="web" to="wbe">'
                                       '<tcp port="1"/></link>'))
    twin = lab.file("twin.xml", manifest())
    refused(lab, f"sdfw-enable br1 {lab.path}", "no bridge named br1",
            "did you mean br0?")
    refused(lab, f"sdfw-enable br0 {lab.dir}/none.xml",
            f"{lab.dir}/none.xml: No such file")
    refused(lab, f"sdfw-enable br0 {bad}", f"{bad}:4: ", "wbe")
    refused(lab, f"sdfw-enable br0 {lab.path} '{lab.dir}/a b'", "a b", "blank")
    refused(lab, f"sdfw-enable br0", "at least 2 arguments")
    lab.vsctl("add-br", "br5", "--", "set", "bridge", "br5",
              "datapath_type=netdev", "--", "add-br", "fake", "br0", "7")
    try:
        with Enabled(lab):
            refused(lab, f"sdfw-enable br5 {twin}", "together with the other",
                    f"{twin}:2: ", "already declared")
            refused(lab, f"sdfw-enable fake {twin}", "fake is a fake bridge")
    finally:
        lab.vsctl("del-br", "br5", "--", "del-br", "fake")


def test_disable(lab):
    """sdfw-disable removes what sdfw push has installed, and all keys; the
    bridge is as before, also if it never was enabled; others' keys stay"""
    def state():
        return (lab.ofctl("dump-flows", "--no-stats", "br0").stdout,
                lab.ofctl("dump-meters", "br0").stdout.split("\n", 1)[1],
                re.findall("config:.*", lab.ofctl("show", "br0").stdout))
    lab.vsctl("set", "bridge", "br0", "other_config:disable-in-band=true")
    lab.unpush()
    before = state()
    for enabled in (True, False):
        if enabled:
            vsctl(lab, f"sdfw-enable br0 {lab.path} -- sdfw-set-mode br0 audit"
                  " -- sdfw-set-mode br0 shop/db learn")
            vsctl(lab, "--may-exist sdfw-bind web1 shop/web/web1")
        lab.push(lab.path)
        assert len(lab.our_flows()) > 50 and state() != before
        done = vsctl(lab, "sdfw-disable br0")
        assert re.fullmatch(r"br0: \d+ flows removed\n", done.stdout)
        assert not lab.our_flows() and state() == before
        assert config(lab) == {"disable-in-band": "true"}
        if enabled:
            assert ids(lab, "web1")["sdfw-workload"] == "shop/web/web1"
            vsctl(lab, "sdfw-unbind web1")
    assert vsctl(lab, "sdfw-disable br0").stdout == ""
    refused(lab, "sdfw-disable br7", "no bridge named br7")
    vsctl(lab, "--if-exists sdfw-disable br7")
    lab.vsctl("remove", "bridge", "br0", "other_config", "disable-in-band")


def test_disable_with_sdfwd(lab):
    """sdfwd brings a bridge that is enabled into force, and leaves it alone
    once it is disabled"""
    daemon = Sdfwd(lab)
    daemon.arguments = []
    with daemon:
        for _ in range(3):
            vsctl(lab, f"sdfw-enable br0 {lab.path}")
            until(lambda: len(lab.our_flows()) > 50, "flows are there")
            assert vsctl(lab, "sdfw-disable br0").stderr == ""
            until(lambda: not lab.our_flows(), "they are gone")
            time.sleep(1.5)
            assert not lab.our_flows()
        assert "drift" not in daemon.log(), daemon.log()


def test_disable_with_bridge(lab):
    """a bridge can be disabled and deleted at once"""
    vsctl(lab, "add-br br5 -- set bridge br5 datapath_type=netdev -- "
          f"sdfw-enable br5 {lab.path}")
    lab.command("push", "--quiet", "--bridge", "br5", lab.path)
    vsctl(lab, "sdfw-disable br5 -- del-br br5")
    assert lab.vsctl("br-exists", "br5", check=False).returncode == 2


# Binding.

def test_bind(lab):
    """an interface is bound in the transaction that makes it, and unbound"""
    with Enabled(lab):
        done = vsctl(lab, "add-port", "br0", "vnet7", *VNET, "--", "sdfw-bind",
                     "vnet7", "shop/web", MAC.upper(), "10.7.0.17",
                     "fd07:0::17")
        assert done.stdout + done.stderr == ""
        assert ids(lab, "vnet7") == {
            "sdfw-workload": "shop/web", "sdfw-mac": MAC,
            "sdfw-address": "10.7.0.17 fd07::17"}
        assert re.search(rf"Workload vnet7\n +Interface vnet7 \(by sdfw-bind\)"
                         rf"\n +mac: {MAC}\n +address: 10.7.0.17", shown(lab))
        again = f"sdfw-bind vnet7 shop/web {MAC} 10.7.0.17 fd07::17"
        refused(lab, again, "bound to shop/web already", MAC, "10.7.0.17")
        vsctl(lab, "--may-exist " + again)
        vsctl(lab, "--may-exist sdfw-bind vnet7 shop/app/extra")
        assert ids(lab, "vnet7") == {"sdfw-workload": "shop/app/extra"}
        assert "Workload extra" in shown(lab)
        vsctl(lab, "sdfw-unbind vnet7")
        assert ids(lab, "vnet7") == {}
        done = vsctl(lab, "sdfw-bind out1 shop/web")
        assert "out1 has no MAC yet" in done.stderr
        assert "NO MAC: it may send nothing" in shown(lab)
        refused(lab, "sdfw-unbind vnet7", "vnet7 is not bound")
        vsctl(lab, "--if-exists sdfw-unbind vnet7 -- "
              "--if-exists sdfw-unbind vnet9 -- "
              "--if-exists sdfw-bind vnet9 shop/web")


def test_bind_at_once(lab):
    """a bridge is made, enabled and filled in one transaction; if a command of
    it is wrong, nothing of it happens"""
    line = ("add-br br5 -- set bridge br5 datapath_type=netdev -- sdfw-enable "
            f"br5 {lab.path} -- add-port br5 vnet8 -- set interface vnet8 "
            "type=internal -- sdfw-bind vnet8 shop/%s -- "
            "sdfw-set-mode br5 shop learn -- sdfw-quarantine vnet8 0 new")
    refused(lab, line % "wbe", "shop/wbe", "did you mean shop/web?")
    assert lab.vsctl("br-exists", "br5", check=False).returncode == 2
    vsctl(lab, line % "web")
    lab.vsctl("set", "interface", "vnet8",
              "external_ids:sdfw-capture=indefinite")
    text = shown(lab, "br5")
    assert "CAPTURED until it is released" in text
    assert "QUARANTINE until it is released: new" in text
    assert "mode: learn (by sdfw-set-mode br5 shop)" in text
    vsctl(lab, "sdfw-disable br5 -- del-br br5")


def test_bind_refused(lab):
    """what could not be in force is refused, and says what would be right"""
    with Enabled(lab):
        vsctl(lab, "add-port", "br0", "vnet7", *VNET, "--", "sdfw-bind",
              "vnet7", "shop/web", MAC, "10.7.0.17")
        lab.vsctl("set", "port", "out2", "tag=20")
        for command, *words in (
                ("vnet8 shop/web", "no interface named vnet8",
                 "did you mean vnet7?"),
                ("out1 shpo/web", "no application shpo", "did you mean shop?"),
                ("out1 zzzzz/web", "no application zzzzz", "there is: shop"),
                ("out1 shop/wbe", "no service shop/wbe",
                 "did you mean shop/web?"),
                ("out1 shop", "APP/SERVICE[/WORKLOAD]"),
                ("out1 shop/web/a/b", "APP/SERVICE[/WORKLOAD]"),
                ("out1 'shop/web/a b'", "APP/SERVICE[/WORKLOAD]"),
                ("out1 shop/web 10.7.0.300", "10.7.0.300", "neither"),
                ("out1 shop/web 10.7.0.18/24", "without a prefix length"),
                ("out1 shop/web 127.0.0.1", "loopback"),
                ("out1 shop/web 52:54:00:00:00:0g", "neither a MAC"),
                ("out1 shop/web 03:00:00:00:00:01", "multicast"),
                # Of the manifest, and bound; before it in the alphabet too.
                ("out1 shop/web 52:54:00:00:00:08 10.7.0.31",
                 "10.7.0.31 is shop/db/db1's already"),
                ("out1 shop/web 02:00:00:00:03:01", "shop/db/db1's already"),
                ("out1 shop/app 52:54:00:00:00:08 10.7.0.17",
                 "10.7.0.17 is at interface vnet7 already"),
                (f"web2 shop/web/web2 {MAC}", "--may-exist"),
                (f"out1 shop/app {MAC}", MAC, "interface vnet7 already"),
                ("out1 shop/web/vnet7",
                 "shop/web/vnet7 is at interface vnet7 already"),
                ("vnet7 shop/app", "bound to shop/web already"),
                ("web1 shop/db", f"{lab.path}:4", "shop/web/web1 already",
                 "--may-exist"),
                ("out2 shop/web", "ovs-vsctl remove port out2 tag 20")):
            refused(lab, f"sdfw-bind {command}", *words)
        lab.vsctl("clear", "port", "out2", "tag")
        # What the manifest binds may be bound elsewhere, if that is said.
        vsctl(lab, "--may-exist sdfw-bind web1 shop/db/extra")
        assert ids(lab, "web1") == {"sdfw-workload": "shop/db/extra"}


def test_bind_vlan(lab):
    """a port needs the VLAN of the service's segment; what mends it is told,
    and works"""
    path = lab.file("vlan.xml", """
<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <segment name="blue" vlan="20"/>
  <application name="shop" mode="enforce"><service name="web" segment="blue"/>
  </application></manifest>""")
    vsctl(lab, f"sdfw-enable br0 {path}")
    done = vsctl(lab, f"sdfw-bind out1 shop/web {MAC}", check=False)
    mend = re.search(r'"ovs-vsctl (.*?)"', done.stderr)[1]
    assert mend == "set port out1 tag=20"
    vsctl(lab, f"{mend} -- sdfw-bind out1 shop/web {MAC}")
    assert ids(lab, "out1")["sdfw-workload"] == "shop/web"
    vsctl(lab, "clear port out1 tag -- sdfw-unbind out1 -- sdfw-disable br0")


def test_bind_together(lab):
    """of 20 binds at the same time, each to its own address, all are done; of
    20 to one address, one"""
    def bind(i, address):
        return vsctl(lab, f"add-port br0 p{i} -- set interface p{i} "
                     f"type=internal -- sdfw-bind p{i} shop/web "
                     f"52:54:00:00:01:{i:02x} {address}", check=False)
    with Enabled(lab), concurrent.futures.ThreadPoolExecutor(20) as pool:
        for same in (False, True):
            done = list(pool.map(lambda i: bind(
                i, "10.7.0.99" if same else f"10.7.0.{100 + i}"), range(20)))
            good = [i for i in range(20) if done[i].returncode == 0]
            assert len(good) == (1 if same else 20), done
            for i in range(20):
                assert i in good or "10.7.0.99 is" in done[i].stderr, done[i]
            assert shown(lab).count("(by sdfw-bind)") == len(good)
            assert "NOT TAKEN" not in shown(lab)
            vsctl(lab, " -- ".join(f"del-port p{i}" for i in good))


def test_unreadable(lab):
    """manifests that cannot be read here, or none at all, hinder nobody; that
    is told"""
    done = vsctl(lab, "sdfw-bind out1 any/thing")
    assert "any/thing is not checked: no bridge is enabled" in done.stderr
    vsctl(lab, "sdfw-unbind out1")
    lab.ip("link", "set", "lo", "up")
    remote = "ptcp:0:127.0.0.1"
    control = ["ovs-appctl", "-t", "ovsdb-server"]
    lab.run(*control, "ovsdb-server/add-remote", remote)
    with open(f"{lab.dir}/ovsdb-server.log") as stream:
        port = re.findall(r"listening on port (\d+)", stream.read())[-1]
    def from_afar(command):
        return lab.exec(program(lab), f"--db=tcp:127.0.0.1:{port}",
                        *shlex.split(command)).stderr
    try:
        assert "/none/m.xml: No such file or directory here" \
            in from_afar("sdfw-enable br0 /none/m.xml")
        assert config(lab) == {"sdfw-topology": "/none/m.xml"}
        for command in ("sdfw-bind out1 any/thing", "sdfw-quarantine out1",
                        "sdfw-set-mode br0 any audit"):
            assert re.search("not checked: .*/none/m.xml", from_afar(command))
        assert ids(lab, "out1")["sdfw-quarantine"] == "indefinite"
        from_afar("sdfw-release out1 -- sdfw-unbind out1")
        lab.push(lab.path)
        assert "another host's bridge" in from_afar("sdfw-disable br0")
        # There may be a bridge of that name here, which is not meant.
        assert not config(lab) and lab.our_flows()
    finally:
        lab.run(*control, "ovsdb-server/remove-remote", remote)
        vsctl(lab, "sdfw-disable br0")


# Modes.

def test_set_mode(lab):
    """sdfw-set-mode sets the mode of a bridge, an application or a service,
    and takes it back"""
    with Enabled(lab):
        vsctl(lab, "sdfw-set-mode br0 audit -- sdfw-set-mode br0 shop learn "
              "-- sdfw-set-mode br0 shop/web enforce")
        assert config(lab) == {
            "sdfw-topology": lab.path, "sdfw-mode": "audit",
            "sdfw-mode:shop": "learn", "sdfw-mode:shop/web": "enforce"}
        text = shown(lab)
        assert "mode: enforce (by sdfw-set-mode br0 shop/web)" in text
        assert text.count("mode: learn (by sdfw-set-mode br0 shop)") == 2
        vsctl(lab, "sdfw-set-mode br0 shop manifest -- "
              "sdfw-set-mode br0 shop/web manifest")
        assert shown(lab).count("mode: audit (by sdfw-set-mode br0)") == 3
        vsctl(lab, "sdfw-set-mode br0 manifest -- "
              "sdfw-set-mode br0 gone manifest")
        assert config(lab) == {"sdfw-topology": lab.path}
        text = shown(lab)
        assert text.count(f"mode: enforce ({lab.path}:4)") == 2
        assert f"mode: audit ({lab.path}:4)" in text
        for command, *words in (
                ("br0 adit", '"adit" is no mode', "did you mean audit?"),
                ("br0 shop", '"shop" is no mode', "learn", "manifest"),
                ("br0 shop/wbe audit", "no service shop/wbe", "shop/web?"),
                ("br0 shpo audit", "no application shpo", "shop?"),
                ("br0 shop/web/web1 audit", "APP[/SERVICE]"),
                ("br7 audit", "no bridge named br7", "br0?")):
            refused(lab, f"sdfw-set-mode {command}", *words)


# Quarantine.

def test_quarantine(lab):
    """sdfw-quarantine takes minutes, a reason, both or none, and says until
    when; sdfw-release ends it"""
    with Enabled(lab):
        done = vsctl(lab, "sdfw-quarantine web1 90 'scans, and more'")
        until_ = ids(lab, "web1")["sdfw-quarantine"]
        assert done.stdout == ("shop/web/web1 at web1 is in quarantine until "
                               f"{until_}\n")
        assert "sdfwd is not running" in done.stderr
        left = time.mktime(time.strptime(until_, "%Y-%m-%dT%H:%M:%SZ")) \
            - time.timezone - time.time()
        assert 5340 < left <= 5401, left
        assert ids(lab, "web1")["sdfw-quarantine-reason"] == "scans, and more"
        assert re.search(rf"QUARANTINE until {until_} \(1 h (29|30) min left\)"
                         ": scans, and more", shown(lab))
        refused(lab, "sdfw-unbind web1", "is not bound")
        for arguments, reason in (("web1", None), ("web1 0", None),
                                  ("web1 'some reason'", "some reason"),
                                  ("web1 0 '5 of them'", "5 of them")):
            done = vsctl(lab, f"sdfw-quarantine {arguments}")
            assert "indefinitely: until sdfw-release web1" in done.stdout
            assert ids(lab, "web1").get("sdfw-quarantine") == "indefinite"
            assert ids(lab, "web1").get("sdfw-quarantine-reason") == reason
        vsctl(lab, "sdfw-release web1")
        assert ids(lab, "web1") == {}
        refused(lab, "sdfw-release web1", "web1 is not in quarantine")
        vsctl(lab, "--if-exists sdfw-release web1 -- "
              "--if-exists sdfw-release vnet9")


def test_quarantine_refused(lab):
    """an interface that is no workload's, and what are no minutes"""
    with Enabled(lab):
        for command, *words in (
                ("out1", "no workload's", "sdfw-bind out1"),
                ("vnet7", "no interface named vnet7"),
                ("web1 5m", '"5m"', "write 0 before it"),
                ("web1 -5", '"-5"'), ("web1 1.5 x", '"1.5"'),
                ("web1 looks odd", '"looks"', "in quotes"),
                ("web1 527041", "527040"),
                ("web1 99999999999999999999", "527040"),
                ("web1 5 looks odd", "at most 3 arguments")):
            refused(lab, f"sdfw-quarantine {command}", *words)
        vsctl(lab, f"sdfw-bind out1 shop/web {MAC} -- sdfw-quarantine out1")
        refused(lab, "sdfw-unbind out1", "in quarantine",
                "sdfw-release out1")
        # One that is over hinders nobody.
        vsctl(lab, "set interface out1 "
              'external_ids:sdfw-quarantine=\\"2020-01-01T00:00:00Z\\" -- '
              "sdfw-unbind out1")
        vsctl(lab, "sdfw-release out1")


# Looking.

def test_show(lab):
    """sdfw-show without anything, and with what makes no sense"""
    assert "no bridge is enabled" in shown(lab)
    assert "sdfwd is not running here" in shown(lab)
    with Enabled(lab):
        lab.vsctl("set", "interface", "out1",
                  "external_ids:sdfw-workload=shop/wbe")
        lab.vsctl("set", "bridge", "br0", "other_config:sdfw-mode=lax")
        text = shown(lab, "br0")
        assert text.startswith(f"Bridge br0\n    topology: {lab.path}\n    "
                               "Application shop\n        Service web\n")
        assert re.search("NOT TAKEN: .*out1.*shop/wbe", text)
        assert re.search('NOT TAKEN: .*"lax" is no mode', text)
        lab.vsctl("remove", "bridge", "br0", "other_config", "sdfw-mode", "--",
                  "remove", "interface", "out1", "external_ids",
                  "sdfw-workload")
        assert "NOT TAKEN" not in shown(lab)
        lab.vsctl("del-port", "br0", "db1")
        assert "not on this bridge: 1 workload\n" in shown(lab)
        lab.plug(lab.hosts["db1"])
    refused(lab, "sdfw-show br7", "no bridge named br7")


def test_deviations(lab):
    """sdfw-list-deviations is a table of what sdfwd has open; sdfw-show counts
    them; without sdfwd there is one clear error"""
    refused(lab, "sdfw-list-deviations", "sdfwd is not running here")
    daemon = Sdfwd(lab)
    daemon.arguments = []
    with Enabled(lab), daemon:
        until(lambda: len(lab.our_flows()) > 50, "flows are there")
        for port in (22, 23):
            lab.hosts["web1"].ask("connect", "10.7.0.21", port, 0.2)
        def rows():
            answer = json.loads(vsctl(
                lab, "--format=json sdfw-list-deviations").stdout)
            return [dict(zip(answer["headings"], row))
                    for row in answer["data"]]
        until(lambda: len(rows()) == 2, "both are told")
        first = rows()[0]
        assert (first["source"], first["destination"], first["what"],
                first["bridge"], first["interface"], first["reason"],
                first["verdict"]) \
            == ("shop/web/web1", "shop/app/app1", "tcp/22", "br0", "web1",
                "no-link", "drop")
        assert first["packets"] >= 1 and lab.path in first["nearest"]
        lines = list(csv.reader(vsctl(
            lab, "--format=csv sdfw-list-deviations br0")
            .stdout.splitlines()))
        assert lines[0] == list(first) and len(lines) == 3
        assert "tcp/23" in vsctl(
            lab, "--format=table sdfw-list-deviations").stdout
        assert re.search(r"Workload web1\n(?:(?! +Workload).*\n)* +"
                         r"DEVIATIONS: 2 open, \d+ packets", shown(lab))
        assert "not known" not in shown(lab)
        vsctl(lab, "--oneline --no-headings sdfw-list-deviations br0")
        refused(lab, "sdfw-list-deviations br7", "no bridge named br7")


def test_settings_of_sdfwd(lab):
    """bridges and manifests of sdfwd's own settings count too"""
    with Sdfwd(lab, lab.path):
        until(lambda: len(lab.our_flows()) > 50, "flows are there")
        text = shown(lab)
        assert "Bridge br0\n    enabled by the settings of sdfwd" in text
        assert "Service web" in text
        refused(lab, "sdfw-bind out1 shop/wbe", "did you mean shop/web?")
        done = vsctl(lab, "sdfw-quarantine web1")
        assert done.stderr == ""
        vsctl(lab, "sdfw-release web1")
        lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop/web", "learn")
        assert "mode: learn (by ovs-appctl sdfw/mode" in shown(lab)
        done = vsctl(lab, "sdfw-disable br0")
        assert "sdfwd keeps this bridge by its own settings" in done.stderr
    vsctl(lab, "sdfw-disable br0")


# Options of ovs-vsctl.

def test_dry_run(lab):
    """--dry-run changes nothing, neither in OVSDB nor on the bridge"""
    with Enabled(lab):
        vsctl(lab, f"sdfw-bind out1 shop/web {MAC} -- sdfw-quarantine web1")
        lab.push(lab.path)
        before, flows = said(lab), len(lab.our_flows())
        for command in (f"--may-exist sdfw-enable br0 {lab.dir}/./m.xml",
                        "sdfw-disable br0", "sdfw-set-mode br0 audit",
                        "sdfw-bind out2 shop/web", "sdfw-unbind out1",
                        "sdfw-quarantine web2", "sdfw-release web1",
                        "--if-exists sdfw-unbind out1 -- sdfw-disable br0"):
            vsctl(lab, f"--no-wait --dry-run -- {command}")
            assert said(lab) == before, command
            assert len(lab.our_flows()) == flows, command


def test_oneline(lab):
    """with --oneline, a command is a line"""
    with Enabled(lab):
        done = vsctl(lab, "--oneline sdfw-quarantine web1 -- "
                     "sdfw-release web1 -- sdfw-show br0")
        first, second, third = done.stdout.splitlines()
        assert first.endswith("sdfw-release web1") and second == ""
        assert third.startswith("Bridge br0\\n    topology: ")


def test_no_vswitchd(lab):
    """while ovs-vswitchd is away, --no-wait is enough for all of them"""
    lab.vswitchd.terminate()
    lab.vswitchd.wait()
    try:
        vsctl(lab, f"--no-wait sdfw-enable br0 {lab.path} -- sdfw-bind out1 "
              f"shop/web {MAC} -- sdfw-quarantine out1 -- sdfw-release out1")
        vsctl(lab, "--no-wait sdfw-unbind out1")
        vsctl(lab, "--no-wait sdfw-disable br0")
        assert not config(lab)
    finally:
        lab.start_vswitchd()


# Completion.

# What bash does when tab is pressed, with bash-completion's own loader.
SCRIPT = """
. /usr/share/bash-completion/bash_completion
read -ra COMP_WORDS <<<"${1//=/ = }"
[[ $1 == *" " || $1 == *= ]] && COMP_WORDS+=("")
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_completion_loader "${COMP_WORDS[0]}"
[[ $(complete -p "${COMP_WORDS[0]}") =~ -F\\ ([^ ]*) ]]
compopt() { :; }    # there is no line that is edited
"${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" \
    "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completions(lab, line):
    """What bash would offer at the end of 'line'."""
    env = dict(lab.env, BASH_COMPLETION_USER_DIR=f"{lab.dir}/bash",
               PATH=f"{os.path.dirname(lab.sdfw)}:" + os.environ["PATH"])
    if not os.path.exists(f"{lab.dir}/bash"):
        os.mkdir(f"{lab.dir}/bash")
        os.symlink(COMPLETION, f"{lab.dir}/bash/completions")
    done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", line],
                          env=env, cwd=lab.dir, capture_output=True, text=True,
                          timeout=60)
    assert not done.stderr, (line, done.stderr)
    return set(done.stdout.split())


def test_completion_of_vsctl(lab):
    """arguments of our commands are completed, and native ones as by Open
    vSwitch's own completion"""
    with Enabled(lab):
        vsctl(lab, "--may-exist sdfw-bind web1 shop/web/web1 -- "
              "sdfw-quarantine web2")
        modes = {"learn", "audit", "enforce", "manifest"}
        for line, wanted in (
                ("sdfw-en", {"sdfw-enable"}),
                ("sdfw-enable ", {"br0"}),
                ("sdfw-enable br0 m", {"m.xml"}),
                ("sdfw-enable br0 m.xml m", {"m.xml"}),
                ("sdfw-show b", {"br0"}),
                ("sdfw-bind w", {"web1", "web2"}),
                ("sdfw-bind web1 shop/d", {"shop/db"}),
                ("add-port br0 x -- --may-exist sdfw-bind web1 ",
                 {"shop/web", "shop/app", "shop/db"}),
                ("sdfw-unbind ", {"web1"}), ("sdfw-release ", {"web2"}),
                ("sdfw-set-mode br0 shop ", modes),
                ("sdfw-set-mode br0 ",
                 modes | {"shop", "shop/web", "shop/app", "shop/db"}),
                ("sdfw-set-mode br0 audit ", set()),
                ("sdfw-quarantine db", {"db1"}),
                (f"--db=unix:{lab.dir}/db.sock sdfw-show ", {"br0"}),
                ("list-po", {"list-ports"}), ("list-ports ", {"br0"}),
                ("del-port br0 we", {"web1", "web2"}),
                ("--no-w", {"--no-wait"}),
                ("sdfw-unbind web1 -- del-po", {"del-port"})):
            found = completions(lab, f"ovs-vsctl {line}")
            assert found == wanted, (line, found)


def test_completion_of_sdfw(lab):
    """subcommands, options and what they take are completed"""
    os.makedirs(f"{lab.dir}/policy.d", exist_ok=True)
    for line, wanted in (
            ("sdfw pu", {"push"}), ("sdfw --v", {"--version"}),
            ("sdfw push --br", {"--bridge="}),
            ("sdfw push --bridge ", {"br0"}),
            ("sdfw push --bridge=", {"br0"}),
            ("sdfw push --bridge=b", {"br0"}),
            ("sdfw check m", {"m.xml"}),
            ("sdfw diff m.xml pol", {"policy.d"}),
            ("sdfwd --drift=", {"repair", "report"}),
            ("sdfwd --pcap-s", {"--pcap-size="}),
            ("sdfwd --pcap=pol", {"policy.d"}),
            ("sdfwd --vers", {"--version"}),
            ("sdfwd --bridge ", {"br0"}), ("sdfwd m", {"m.xml"})):
        found = completions(lab, line)
        assert found == wanted, (line, found)
    # Each subcommand has its own options, all of them.
    for name in ("check", "trace"):
        text = run(lab.sdfw, name, "--help").stdout
        assert completions(lab, f"sdfw {name} --") \
            == set(re.findall(r"^  (--[a-z-]+=?)", text, re.M)), name
