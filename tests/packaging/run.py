"""What becomes of a host when the Debian package comes, is upgraded and goes.

usage: run.py BUILD_DIR

Tries the package in BUILD_DIR/deb in a Debian with systemd.  The tests are one
story, so the first that fails ends it.  Needs root.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from guest import Guest, make_base, run, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOP = ROOT / "docs/examples/shop.xml"
OURS = "cookie=0x5dfd000000000000/0xffff000000000000"
FOREIGN = "cookie=0x77"
PLUGIN = "usr/libexec/sdfw/ovs-vsctl"
DISTRIBUTION = "/usr/libexec/sdfw/distribution/ovs-vsctl"
DIVERT = ("dpkg-divert", "--package", "ovs-sdfw", "--no-rename", "--divert",
          DISTRIBUTION)
DAC_OVERRIDE = 1 << 1           # capabilities(7)


# Packages.

def repacked(package, directory, change, version=None):
    """PACKAGE with files that change(root) changes, as another version."""
    with tempfile.TemporaryDirectory() as root:
        run("dpkg-deb", "-R", str(package), root)
        change(pathlib.Path(root))
        control = pathlib.Path(root, "DEBIAN/control")
        text = control.read_text()
        was = re.search(r"^Version: (.*)", text, re.M)[1]
        version = version or was
        control.write_text(text.replace(f"Version: {was}",
                                        f"Version: {version}", 1))
        new = directory / f"ovs-sdfw_{version}.deb"
        run("dpkg-deb", "--root-owner-group", "-Znone", "-b", root, str(new))
    return new


def with_newer_settings(root):
    with open(root / "etc/sdfw/sdfwd.conf", "a") as conf:
        conf.write("# A new setting of a new version.\n")


# The guest.

def install(guest, *packages, options=()):
    guest.run("apt-get", "install", "-y", "--no-install-recommends",
              *options, *packages)


def deliver(guest, package):
    guest.path(f"/root/{package.name}").write_bytes(package.read_bytes())
    return f"/root/{package.name}"


def files(guest):
    """All files, with owner and mode, but those in which package managers,
    systemd-sysusers and this test remember what they did."""
    found = guest.out("find", "/", "-xdev", "-printf", "%p %u %m\n")
    return {line for line in found.splitlines() if not re.match(
        r"/(root|var/(lib/(apt|dpkg)|cache|log/(apt|journal)))/"
        r"|/var/log/(dpkg|alternatives)\.log |/etc/(passwd|g?shadow|group)- ",
        line)}


def users(guest):
    return [line.split(":")[0] for name in ("passwd", "group")
            for line in guest.path(f"/etc/{name}").read_text().splitlines()]


def flows(guest, cookie):
    found = guest.out("ovs-ofctl", "--no-stats", "--no-names", "dump-flows",
                      "br0", cookie)
    return [line for line in found.splitlines() if "actions=" in line]


def unit(guest, name):
    return guest.out("systemctl", "show", "--value", "-p", name, "sdfwd")


def is_active(guest):
    return unit(guest, "ActiveState") == "active"


def diversions(guest):
    return guest.out("dpkg-divert", "--list", "/usr/bin/ovs-vsctl")


def is_distributions(guest):
    """That /usr/bin/ovs-vsctl is as if there were no package."""
    done = guest.run("dpkg", "--verify", "openvswitch-switch", check=False)
    return not diversions(guest) and "ovs-vsctl" not in done.stdout


@contextlib.contextmanager
def ovs_vsctl_works(guest, question="get bridge br0 datapath_type"):
    """Asks ovs-vsctl all the time, and each time it must answer the same."""
    guest.path("/root/calls").unlink(missing_ok=True)
    process = subprocess.Popen(guest.command("bash", "-c", f"""
        while [ ! -e /root/enough ]; do
            echo $(ovs-vsctl --timeout=9 {question} 2>&1) $?
        done >/root/calls; rm /root/enough"""))
    try:
        until(lambda: guest.path("/root/calls").exists(), "it is called")
        yield
    finally:
        guest.path("/root/enough").touch()
        process.wait(30)
    calls = guest.path("/root/calls").read_text().splitlines()
    assert len(calls) > 10 and len(set(calls)) == 1 and \
        calls[0].endswith(" 0"), (len(calls), set(calls))


# The story.

def test_lintian(it):
    """lintian finds nothing to say about the package"""
    done = run("lintian", "--allow-root", "--fail-on=warning", str(it.package),
               check=False)
    assert done.returncode == 0 and not done.stdout, done


def test_install(it):
    """a fresh installation starts sdfwd, which waits for settings"""
    it.files, it.users = files(it.guest), users(it.guest)
    with ovs_vsctl_works(it.guest):
        install(it.guest, deliver(it.guest, it.package))
    assert not it.guest.out("dpkg", "--verify", "ovs-sdfw")
    assert is_active(it.guest) and unit(it.guest, "NRestarts") == "0"
    assert unit(it.guest, "UnitFileState") == "enabled"
    timer = it.guest.out("systemctl", "show", "--value", "-p",
                         "UnitFileState,ActiveState", "sdfw-push.timer")
    assert sorted(timer.split()) == ["disabled", "inactive"], timer
    status = it.guest.out("ovs-appctl", "-t", "sdfwd", "sdfw/status")
    assert "WAITING" in status, status
    assert it.guest.out("sdfwd", "--check-config",
                        "--config=/etc/sdfw/sdfwd.conf")
    log = it.guest.out("journalctl", "-u", "sdfwd", "-p", "warning", "-q")
    assert not log, log


def test_owners(it):
    """files belong to whom they should, and sdfwd to user sdfw"""
    guest = it.guest
    owners = guest.out("stat", "-c", "%n %U:%G %a", "/etc/sdfw",
                       "/etc/sdfw/topology", "/etc/sdfw/sdfwd.conf",
                       "/var/log/sdfw", "/var/lib/sdfw").splitlines()
    assert owners == ["/etc/sdfw root:root 755",
                      "/etc/sdfw/topology root:root 755",
                      "/etc/sdfw/sdfwd.conf root:root 644",
                      "/var/log/sdfw sdfw:sdfw 755",
                      "/var/lib/sdfw sdfw:sdfw 755"], owners
    status = dict(line.split(":\t", 1) for line in guest.path(
        f"/proc/{unit(guest, 'MainPID')}/status").read_text().splitlines()
        if ":\t" in line)
    assert status["Uid"].split() == [guest.out("id", "-u", "sdfw")] * 4
    assert int(status["CapEff"], 16) == DAC_OVERRIDE, status
    assert int(status["CapBnd"], 16) == DAC_OVERRIDE, status
    assert guest.out("getent", "passwd", "sdfw").endswith("nologin")
    verified = guest.run("systemd-analyze", "verify", "--man=no",
                         "sdfwd.service")
    assert "sdfwd" not in verified.stdout + verified.stderr, verified


def test_enforce(it):
    """with a bridge and a topology in its settings, it keeps the bridge"""
    guest = it.guest
    guest.path("/etc/sdfw/topology/shop.xml").write_text(SHOP.read_text())
    conf = guest.path("/etc/sdfw/sdfwd.conf")
    it.conf = conf.read_text() + ("bridge = br0\n"
                                  "topology = /etc/sdfw/topology\n"
                                  "json = /var/log/sdfw/deviations.json\n")
    conf.write_text(it.conf)
    guest.run("systemctl", "reload", "sdfwd")
    until(lambda: flows(guest, OURS), "flows are on the bridge")
    until(lambda: guest.path("/var/log/sdfw/deviations.json").exists(),
          "its file is there")
    it.flows = flows(guest, OURS)


def test_plugin(it):
    """ovs-vsctl has our commands, and is else the distribution's"""
    guest = it.guest
    assert DISTRIBUTION in diversions(guest), diversions(guest)
    ours = guest.run(f"/{PLUGIN}", "--commands", check=False).stdout
    assert "sdfw-enable" in ours
    assert guest.run("ovs-vsctl", "--commands").stdout == ours
    asked = ["ovs-vsctl", "--", "sdfw-enable"]      # Arguments are missing.
    assert "sdfw-enable" in guest.run(*asked, check=False).stderr
    wrong = [guest.run(program, "no-such", check=False).stderr
             for program in ("ovs-vsctl", DISTRIBUTION)]
    assert wrong[0] == wrong[1] != "", wrong
    assert guest.path("/usr/bin/ovs-vsctl").read_bytes() == guest.path(
        "/usr/libexec/sdfw/ovs-vsctl-dispatch").read_bytes()


def test_upgrade(it):
    """an upgrade restarts sdfwd, and keeps settings, flows and ovs-vsctl"""
    guest, pid = it.guest, unit(it.guest, "MainPID")
    with ovs_vsctl_works(guest):
        install(guest, deliver(guest, it.newer),
                options=["-o", "Dpkg::Options::=--force-confold"])
    assert unit(guest, "MainPID") not in ("0", pid)
    assert is_active(guest)
    assert guest.path("/etc/sdfw/sdfwd.conf").read_text() == it.conf
    assert guest.path("/etc/sdfw/sdfwd.conf.dpkg-dist").exists()
    assert flows(guest, OURS) == it.flows
    test_plugin(it)


def test_upgrade_of_ovs(it):
    """an upgrade of Open vSwitch brings its ovs-vsctl, beside ours"""
    guest = it.guest
    before = os.stat(guest.path(DISTRIBUTION)).st_ino
    # The database is down for a moment.
    with ovs_vsctl_works(guest, "--version"):
        guest.run("apt-get", "install", "-y", "--reinstall",
                  "-o", "Dpkg::Options::=--force-confold",
                  "openvswitch-switch")
    assert os.stat(guest.path(DISTRIBUTION)).st_ino != before
    test_plugin(it)
    until(lambda: flows(guest, OURS) == it.flows, "flows are back")


def test_remove(it):
    """remove leaves what the administrator wrote, and the flows"""
    guest = it.guest
    guest.run("ovs-ofctl", "add-flow", "br0", f"{FOREIGN},actions=NORMAL")
    guest.run("systemctl", "start", "sdfw-push.timer")
    with ovs_vsctl_works(guest):
        guest.run("apt-get", "remove", "-y", "ovs-sdfw")
    assert is_distributions(guest), diversions(guest)
    assert unit(guest, "LoadState") in ("not-found", "masked")
    timer = guest.run("systemctl", "is-active", "sdfw-push.timer",
                      check=False).stdout
    assert timer == "inactive\n", timer
    assert guest.path("/etc/sdfw/sdfwd.conf").read_text() == it.conf
    assert guest.path("/etc/sdfw/topology/shop.xml").exists()
    assert not guest.path("/usr/libexec/sdfw").exists()
    assert flows(guest, OURS) == it.flows


def test_reinstall(it):
    """what was removed comes back as it was; policy-rc.d is heeded"""
    guest = it.guest
    policy = guest.path("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    # What an installation leaves that was cut off.
    guest.run(*DIVERT, "--add", "/usr/bin/ovs-vsctl")
    install(guest, f"/root/{it.newer.name}",
            options=["-o", "Dpkg::Options::=--force-confold"])
    assert unit(guest, "ActiveState") == "inactive"
    assert unit(guest, "UnitFileState") == "enabled"
    policy.unlink()
    guest.run("systemctl", "start", "sdfwd")
    assert guest.path("/etc/sdfw/sdfwd.conf").read_text() == it.conf
    assert flows(guest, OURS) == it.flows
    test_plugin(it)


def test_purge(it):
    """purge leaves the flows and the user, and nothing else"""
    guest = it.guest
    # What a removal leaves that was cut off.
    guest.run("ln", DISTRIBUTION, "/usr/bin/ovs-vsctl.sdfw-new")
    guest.run("mv", "-f", "/usr/bin/ovs-vsctl.sdfw-new", "/usr/bin/ovs-vsctl")
    with ovs_vsctl_works(guest):
        guest.run("apt-get", "purge", "-y", "ovs-sdfw")
        guest.run("apt-get", "autoremove", "--purge", "-y")
    assert is_distributions(guest), diversions(guest)
    changed = files(guest) ^ it.files
    assert not changed, changed
    assert sorted(users(guest)) == sorted([*it.users, "sdfw", "sdfw"])
    assert flows(guest, OURS) == it.flows


def test_take_off(it):
    """our flows are taken off as README.Debian says, and no others"""
    guest = it.guest
    install(guest, f"/root/{it.newer.name}")
    assert flows(guest, OURS) == it.flows
    text = (ROOT / "integration/debian/README.Debian").read_text()
    command = re.search("sdfw clear --bridge BRIDGE", text)[0]
    guest.run("systemctl", "stop", "sdfwd")
    guest.run(*command.replace("BRIDGE", "br0").split())
    assert not flows(guest, OURS)
    assert len(flows(guest, f"{FOREIGN}/-1")) == 1


class Story:
    """What the tests share."""

    def __init__(self, build, directory):
        package, = (build / "deb").glob("ovs-sdfw_*.deb")
        self.package = package
        self.directory = directory
        self.newer = repacked(self.package, directory, with_newer_settings,
                              self.version() + "+newer")

    def version(self):
        return run("dpkg-deb", "-f", str(self.package),
                   "Version").stdout.strip()

    def switch(self):
        """What a host has before."""
        ovs = ["ovs-vsctl", "--timeout=20"]
        self.guest.run(*ovs, "add-br", "br0", "--", "set", "bridge", "br0",
                       "datapath_type=netdev")
        for port in ("web1", "app1", "db1"):
            self.guest.run(*ovs, "add-port", "br0", port, "--", "set",
                           "interface", port, "type=internal")


def tell(story):
    tests = [f for name, f in globals().items() if name.startswith("test_")]
    for n, test in enumerate(tests):
        start = time.monotonic()
        try:
            test(story)
            word = "ok  "
        except Exception:
            word = "FAIL"
            traceback.print_exc()
        print(f"{word} packaging: {test.__doc__} "
              f"({time.monotonic() - start:.1f} s)", flush=True)
        if word == "FAIL":
            return n, len(tests) - n
    return len(tests), 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        story = Story(build, pathlib.Path(directory))
        base = make_base(build / "deb-check", story.package)
        with Guest(base) as story.guest:
            story.switch()
            passed, failed = tell(story)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
