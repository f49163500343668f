"""sdfwd as a user of its own, with the capabilities it needs and no more; and
its unit for systemd."""
import grp
import os
import pathlib
import re
import signal
import socket
import subprocess

from daemon import Sdfwd, in_step, until
from lab import run
from policy import make_lab, manifest
from test_settings import deviate, lines, start_ovs, stop_ovs

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "integration/systemd/sdfwd.service"
NOBODY = 65534
DAC_OVERRIDE = 1 << 1           # capabilities(7)
# As of "systemd-analyze security": 0 is best, 10 worst.
MAX_EXPOSURE = 2.0


class Wrapped(Sdfwd):
    """Started by another program."""

    def __init__(self, lab, prefix, *options):
        super().__init__(lab, lab.path, options=options)
        self.arguments = [*prefix[1:], self.program, *self.arguments]
        self.program = prefix[0]


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    return the_lab


def statuses(pid):
    """/proc/PID/status of all threads, as {name: value}."""
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        yield dict(line.split(":\t", 1) for line in
                   path.read_text().splitlines() if ":\t" in line)


def check_rights(pid, capabilities):
    n = 0
    for status in statuses(pid):
        n += 1
        assert status["Uid"].split() == [str(NOBODY)] * 4, status
        assert status["Gid"].split() == [str(NOBODY)] * 4, status
        assert "0" not in status["Groups"].split(), status
        assert int(status["CapEff"], 16) == capabilities, status
        assert int(status["CapPrm"], 16) == capabilities, status
        # What a program gets that it starts.
        assert int(status["CapAmb"], 16) == 0, status
        assert status["NoNewPrivs"] == "1", status
    assert n


def check_works(lab, sdfwd, records, port):
    """All that takes a file or a socket, also after a restart of OVS."""
    def works(number):
        until(lambda: in_step(lab, lab.path), "flows are there", 20)
        until(lambda: "connected" in status(lab), "it hears the bridge", 20)
        deviate(lab, number)
        until(lambda: lines(records, number), f"tcp/{number} is told")
    works(port)
    os.rename(records, f"{records}.old")
    sdfwd.process.send_signal(signal.SIGHUP)
    until(lambda: os.path.exists(records), "the file is opened again")
    works(port + 1)
    stop_ovs(lab)
    until(lambda: "NOT CONNECTED" in status(lab), "it is noticed")
    start_ovs(lab)
    until(lambda: "NOT CONNECTED" not in status(lab), "it is back", 20)
    works(port + 2)


def status(lab):
    return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                   check=False).stdout


def test_user(lab):
    """--user leaves root's sockets open to it, and all else to root"""
    records = f"{lab.dir}/user.json"
    with Sdfwd(lab, lab.path, options=["--user", "nobody", "--json",
                                       records]) as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        check_rights(sdfwd.process.pid, DAC_OVERRIDE)
        check_works(lab, sdfwd, records, 3001)
        check_rights(sdfwd.process.pid, DAC_OVERRIDE)
        assert os.stat(records).st_uid == NOBODY
        assert "with CAP_DAC_OVERRIDE" in sdfwd.log(), sdfwd.log()
    assert not list(pathlib.Path(lab.dir).glob("sdfwd.*.ctl"))
    assert not os.path.exists(f"{lab.dir}/sdfwd.pid")


def test_hook(lab):
    """a hook program has the user, and none of the capabilities"""
    written = f"{lab.dir}/hook/status"
    os.mkdir(f"{lab.dir}/hook")
    os.chown(f"{lab.dir}/hook", NOBODY, NOBODY)
    os.chmod(lab.dir, 0o711)    # The program itself cannot override it.
    hook = lab.file("run-hook", "#!/bin/sh\ncat /proc/self/status "
                    f">{written}.new && mv {written}.new {written}\n")
    os.chmod(hook, 0o755)
    try:
        with Sdfwd(lab, lab.path, options=["--user", "nobody", "--hook",
                                           hook]) as sdfwd:
            until(lambda: in_step(lab, lab.path), "flows are there")
            until(lambda: "bridge br0: connected" in status(lab), "it hears")
            check_rights(sdfwd.process.pid, DAC_OVERRIDE)
            deviate(lab, 3041)
            until(lambda: os.path.exists(written), "it has run")
    finally:
        os.chmod(lab.dir, 0o700)
    found = dict(line.split(":\t", 1) for line in
                 pathlib.Path(written).read_text().splitlines()
                 if ":\t" in line)
    assert found["Uid"].split() == [str(NOBODY)] * 4, found
    assert found["NoNewPrivs"] == "1", found
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[name], 16) == 0, (name, found)


def test_group(lab):
    """where a group may use the sockets, there is no capability at all"""
    stop_ovs(lab)
    os.chown(lab.dir, 0, NOBODY)
    os.chmod(lab.dir, 0o3770)
    before = os.umask(0o007)
    try:
        start_ovs(lab)
        until(lambda: os.path.exists(f"{lab.dir}/{lab.bridge}.mgmt"),
              "the bridge is there")
        records = f"{lab.dir}/group.json"
        group = grp.getgrgid(NOBODY).gr_name
        lab.file("m.xml", manifest())
        with Sdfwd(lab, lab.path, options=["--user", f"nobody:{group}",
                                           "--json", records]) as sdfwd:
            until(lambda: in_step(lab, lab.path), "flows are there", 20)
            check_rights(sdfwd.process.pid, 0)
            check_works(lab, sdfwd, records, 3011)
            assert "without capabilities" in sdfwd.log(), sdfwd.log()
        assert not os.path.exists(f"{lab.dir}/sdfwd.pid")
        # What it cannot do without any.
        stop_ovs(lab)
        os.umask(before)
        start_ovs(lab)
        tried = lab.run(
            *as_nobody(), Sdfwd(lab).program, "--check-config", "--bridge",
            lab.bridge, lab.path, check=False)
        assert "Permission denied" in tried.stderr, tried
    finally:
        os.umask(before)
        os.chown(lab.dir, 0, 0)
        os.chmod(lab.dir, 0o700)


def as_nobody(*more):
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", *more)


def test_as_of_unit(lab):
    """started as the unit does, it passes its capability on to nobody"""
    records = f"{lab.dir}/unit.json"
    capability = "-all,+dac_override"
    prefix = as_nobody(f"--inh-caps={capability}",
                       f"--ambient-caps={capability}",
                       f"--bounding-set={capability}", "--no-new-privs")
    with Wrapped(lab, prefix, "--json", records) as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        check_rights(sdfwd.process.pid, DAC_OVERRIDE)
        check_works(lab, sdfwd, records, 3021)


def test_wrong_user(lab):
    """a user that is not there, or not to be had, is an error"""
    program = Sdfwd(lab).program
    for user, prefix, text in (
            ("nosuch", (), 'no user "nosuch"'),
            ("nobody:nosuch", (), 'no group "nosuch"'),
            ("daemon", as_nobody(), "only root can become user daemon")):
        done = lab.run(*prefix, program, "--user", user, "--bridge",
                       lab.bridge, lab.path, check=False)
        assert done.returncode == 64 and text in done.stderr, done


def test_ended_early(lab):
    """it ends, and does so in good order, whenever it is told to"""
    for delay in range(0, 60, 3):
        sdfwd = Sdfwd(lab, lab.path)
        sdfwd.start()
        try:
            sdfwd.process.wait(delay / 1000)
        except subprocess.TimeoutExpired:
            pass
        sdfwd.process.send_signal(signal.SIGTERM)
        # The very start belongs to the loader.
        assert sdfwd.process.wait(15) in (0, -signal.SIGTERM), sdfwd.log()
        assert not os.path.exists(f"{lab.dir}/sdfwd.pid"), delay
        sdfwd.process = None


def test_notify(lab):
    """systemd is told when the first attempt has ended, and at the end"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"{lab.dir}/notify.sock")
        heard.settimeout(20)
        lab.unpush()
        lab.env["NOTIFY_SOCKET"] = f"{lab.dir}/notify.sock"
        try:
            with Sdfwd(lab, lab.path) as sdfwd:
                assert heard.recv(100) == b"READY=1"
                assert lab.our_flows()
                environment = pathlib.Path(
                    f"/proc/{sdfwd.process.pid}/environ")
                assert b"NOTIFY_SOCKET" in environment.read_bytes()
            assert heard.recv(100) == b"STOPPING=1"
            # Also if there is nothing to push to.
            with Sdfwd(lab) as sdfwd:
                assert heard.recv(100) == b"READY=1"
            assert heard.recv(100) == b"STOPPING=1"
        finally:
            del lab.env["NOTIFY_SOCKET"]


def unit_settings(unit):
    return [line.split("=", 1) for line in unit.read_text().splitlines()
            if "=" in line and not line.startswith("#")]


def allowed_calls(unit):
    """The system calls that a unit's filters leave."""
    groups, name = {}, None
    for line in run("systemd-analyze", "syscall-filter").stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            groups[name] = set()
        elif line.startswith("    ") and not line.strip().startswith("#"):
            groups[name].add(line.strip())

    def expand(word):
        if not word.startswith("@"):
            return {word}
        return set().union(*map(expand, groups[word]))
    calls = expand("@default")
    for key, value in unit_settings(unit):
        if key == "SystemCallFilter" and value.startswith("~"):
            calls -= set().union(*map(expand, value[1:].split()))
        elif key == "SystemCallFilter":
            calls |= set().union(*map(expand, value.split()))
    return calls


def test_system_calls(lab):
    """it makes no system call that the unit's filter forbids"""
    if "/sanitize/" in lab.sdfw:
        return                  # Sanitizers make calls of their own.
    trace = f"{lab.dir}/calls"
    records = f"{lab.dir}/calls.json"
    with Wrapped(lab, ["strace", "-f", "-qq", "-D", "-o", trace], "--json",
                 records, "--syslog", "tcp:127.0.0.1:1") as sdfwd:
        check_works(lab, sdfwd, records, 3031)
    made = set(re.findall(r"^\d+ +(\w+)\(", open(trace).read(), re.M))
    assert {"connect", "sendto", "fcntl"} <= made, made
    surplus = made - allowed_calls(UNIT)
    # The one that starts the program is systemd's.
    assert not surplus - {"execve"}, surplus


def test_unit(lab):
    """the unit is right, and exposes little; "make install" installs it"""
    build = pathlib.Path(lab.sdfw).parent.parent
    variables = [f"BUILD={build}"]
    if build.name == "sanitize":
        variables = [f"BUILD={build.parent}", "SANITIZE=1"]
    done = run("make", "-s", "-C", str(ROOT), "install",
               f"DESTDIR={lab.dir}/root", "PREFIX=/usr", *variables,
               timeout=600)
    root = pathlib.Path(f"{lab.dir}/root")
    unit = root / "usr/lib/systemd/system/sdfwd.service"
    text = unit.read_text()
    assert "ExecStart=/usr/sbin/sdfwd --config=/etc/sdfw/sdfwd.conf" in text
    for name in ("usr/sbin/sdfwd", "etc/sdfw/sdfwd.conf"):
        assert (root / name).exists(), name
    mine = root / "sdfwd.service"
    mine.write_text(text.replace("/usr/sbin/sdfwd", lab.sdfw + "d"))
    done = run("systemd-analyze", "verify", "--man=no", str(mine),
               check=False)
    assert done.returncode == 0 and not done.stderr, done
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
               str(mine))
    exposure = float(re.search(r"level for sdfwd.service: ([\d.]+)",
                               done.stdout)[1])
    print(f"     exposure {exposure}")
    assert exposure <= MAX_EXPOSURE, done.stdout
    run("systemd-sysusers", "--dry-run", f"--root={root}",
        str(root / "usr/lib/sysusers.d/sdfw.conf"))
    # What a site has written stays.
    config = root / "etc/sdfw/sdfwd.conf"
    config.write_text("bridge = br0\n")
    run("make", "-s", "-C", str(ROOT), "install", f"DESTDIR={root}",
        "PREFIX=/usr", *variables, timeout=600)
    assert config.read_text() == "bridge = br0\n"
