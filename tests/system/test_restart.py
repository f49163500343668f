"""Restarts: what runs goes on, and nothing passes without the policy."""
import base64
import json
import pathlib
import subprocess
import time

import frames
from daemon import Sdfwd, in_step, until
from policy import make_lab, manifest

MARKER = b"nobody may see this"
HELD = "the next start of ovs-vswitchd waits"


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.hosts["app1"].ask("listen", 4, 8080)
    the_lab.file("m.xml", manifest())
    return the_lab


def path_of(lab):
    return f"{lab.dir}/m.xml"


def held(lab):
    """sdfwd that holds ovs-vswitchd."""
    return Sdfwd(lab, path_of(lab), options=["--restore-wait", "30"])


def status(lab):
    return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                   check=False).stdout


def wait_is_set(lab):
    return '"true"' in lab.vsctl("--if-exists", "get", "Open_vSwitch", ".",
                                 "other_config:flow-restore-wait").stdout


class Pings:
    """with Pings(host, address) as p: ..., then p.sent, p.received."""

    def __init__(self, host, address):
        self.command = ["ip", "netns", "exec", host.ns, "ping", "-n", "-D",
                        "-i", "0.01", "-W", "1", address]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, text=True,
                                        stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        self.process.send_signal(2)
        lines = self.process.communicate(timeout=10)[0].splitlines()
        times = [float(line[1:].split("]")[0]) for line in lines
                 if line.startswith("[")]
        # The last ones may still be under way.
        self.received = len(times)
        self.sent = max(int(line.split("icmp_seq=")[1].split()[0])
                        for line in lines if line.startswith("["))
        self.longest_ms = max(b - a for a, b in zip(times, times[1:])) * 1000


class Attack:
    """A flood from web1 to db1, which no link allows; then .seen: what db1
    got of it."""

    def __init__(self, lab):
        self.web, self.db = lab.hosts["web1"], lab.hosts["db1"]
        packet = frames.ipv4(self.web.address(), self.db.address(), 17,
                             frames.udp(self.web.address(), self.db.address(),
                                        40000, 22, MARKER))
        self.frame = frames.ether(self.web.mac, self.db.mac, 0x800, packet)

    def __enter__(self):
        self.counter = self.db.ask("count",
                                   base64.b64encode(MARKER).decode())
        self.flood = self.web.ask(
            "flood", base64.b64encode(self.frame).decode(), 2000)
        return self

    def __exit__(self, *_):
        self.sent = self.web.ask("end", self.flood)["sent"]
        self.seen = self.db.ask("end", self.counter)["seen"]


def kill_vswitchd(lab):
    lab.vswitchd.kill()
    lab.vswitchd.wait()
    pathlib.Path(f"{lab.dir}/ovs-vswitchd.pid").unlink(missing_ok=True)


def reaches(lab):
    return lab.hosts["web1"].ping(lab.hosts["app1"].address())


def test_sdfwd(lab):
    """restarts of sdfwd, planned and not, lose no packet of what is allowed"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    sdfwd = Sdfwd(lab, path_of(lab))
    sdfwd.start()
    until(lambda: in_step(lab, path_of(lab)), "flows are there")
    number = web.ask("connect", app.address(), 8080)
    chatter = web.ask("chatter", number)
    with Pings(web, app.address()) as four, \
            Pings(web, app.address(6)) as six:
        for i in range(6):
            before = sdfwd.log().count("connected")
            if i % 2:
                sdfwd.kill()
            else:
                sdfwd.stop()
            sdfwd.start()
            until(lambda: sdfwd.log().count("connected") > before,
                  "it is there again")
            time.sleep(0.3)
    talked = web.ask("end", chatter)
    sdfwd.stop()
    print(f"     6 restarts: {four.sent + six.sent} pings, longest pause of "
          f"TCP {talked['longest'] * 1000:.0f} ms in {talked['rounds']} "
          "rounds")
    assert four.received == four.sent and six.received == six.sent
    assert not talked["lost"] and talked["rounds"] > 100


def test_unheld(lab):
    """ovs-vswitchd that starts without the policy passes packets: the attack
    of the tests below would be seen"""
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        with Attack(lab) as before:
            time.sleep(0.5)
    kill_vswitchd(lab)
    with Attack(lab) as after:
        lab.start_vswitchd()
        until(lambda: reaches(lab), "NORMAL works")
        time.sleep(0.5)
    assert before.sent > 100 and not before.seen
    assert after.seen


def test_held(lab):
    """with --restore-wait, nothing passes between the start of ovs-vswitchd
    and the policy, and what is allowed works soon"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    with held(lab):
        until(lambda: HELD in status(lab), "it is armed")
        number = web.ask("connect", app.address(), 8080)
        for _ in range(3):
            with Attack(lab) as attack, Pings(web, app.address()) as pings:
                time.sleep(0.3)
                kill_vswitchd(lab)
                lab.start_vswitchd()
                until(lambda: reaches(lab), "what is allowed works")
                until(lambda: HELD in status(lab), "it is armed again")
                time.sleep(0.3)
            assert not attack.seen, f"{attack.seen} of {attack.sent} passed"
            print(f"     {pings.longest_ms:.0f} ms without an answer when "
                  "ovs-vswitchd was killed and started; 0 of "
                  f"{attack.sent} packets of the attack passed")
        assert wait_is_set(lab)
        assert web.ask("talk", number, "still there?", 5) == "still there?"
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
    assert not wait_is_set(lab), "sdfwd that ends lets go"


def test_held_late(lab):
    """... also if sdfwd was killed and comes after ovs-vswitchd"""
    sdfwd = held(lab)
    sdfwd.start()
    until(lambda: HELD in status(lab), "it is armed")
    with Attack(lab) as attack:
        sdfwd.kill()
        kill_vswitchd(lab)
        lab.start_vswitchd()
        time.sleep(1)
        assert not reaches(lab), "ovs-vswitchd waits"
        with sdfwd:
            until(lambda: reaches(lab), "what is allowed works")
            until(lambda: HELD in status(lab), "it is armed")
    assert not attack.seen, f"{attack.seen} of {attack.sent} passed"


def test_held_from_start(lab):
    """... and if sdfwd is there before ovs-vswitchd has ever been held"""
    kill_vswitchd(lab)
    assert not lab.run("ovs-vsctl", "--no-wait", "get", "Open_vSwitch", ".",
                       "other_config").stdout.count("flow-restore-wait")
    with held(lab) as sdfwd:
        until(lambda: lab.run("ovs-vsctl", "--no-wait", "get", "Open_vSwitch",
                              ".", "other_config").stdout.count("true"),
              "the key is set")
        with Attack(lab) as attack:
            lab.start_vswitchd()
            until(lambda: reaches(lab), "what is allowed works")
            until(lambda: HELD in status(lab), "it is armed")
        assert not attack.seen, f"{attack.seen} of {attack.sent} passed"
        # What others take out, as ovs-ctl does after a restart, comes back.
        lab.vsctl("remove", "Open_vSwitch", ".", "other_config",
                  "flow-restore-wait")
        until(lambda: wait_is_set(lab) and HELD in status(lab),
              "it is armed again")
        assert reaches(lab)
        assert sdfwd.process.poll() is None


def test_held_bridges(lab):
    """... with several bridges, of which one does not exist"""
    lab.vsctl("add-br", "br1", "--", "set", "bridge", "br1",
              "datapath_type=netdev")
    with Sdfwd(lab, path_of(lab), options=[
            "--restore-wait", "30", "--bridge", "br1", "--bridge", "br2"]):
        until(lambda: HELD in status(lab), "it is armed")
        with Attack(lab) as attack:
            kill_vswitchd(lab)
            lab.start_vswitchd()
            until(lambda: reaches(lab), "what is allowed works")
            flows = lab.ofctl("dump-flows", "br1", "table=0").stdout
            assert "0x5dfd" in flows, flows
            until(lambda: HELD in status(lab), "it is armed")
        assert not attack.seen, f"{attack.seen} of {attack.sent} passed"
    lab.vsctl("del-br", "br1")


def test_limit(lab):
    """without a policy that can be pushed, ovs-vswitchd is released after the
    time limit: a host is never without network for good"""
    wrong = lab.file("wrong.xml", "<manifest/>")
    lab.unpush()
    sdfwd = Sdfwd(lab, wrong, options=["--restore-wait", "1"])
    lab.vsctl("set", "Open_vSwitch", ".",
              "other_config:flow-restore-wait=true")
    kill_vswitchd(lab)
    with sdfwd:
        lab.start_vswitchd()
        until(lambda: reaches(lab), "it is released")
        assert "not on all bridges after 1 s" in sdfwd.log(), sdfwd.log()


def test_ovs_save(lab):
    """what ovs-ctl does at a restart restores our flows, without sdfwd"""
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        lab.hosts["web1"].ask("connect", lab.hosts["db1"].address(), 22, 0.2)
    count = len(lab.our_flows())
    saved = lab.exec("/usr/share/openvswitch/scripts/ovs-save", "save-flows",
                     lab.bridge).stdout
    script = lab.file("restore.sh", saved)
    lab.vsctl("set", "Open_vSwitch", ".",
              "other_config:flow-restore-wait=true")
    kill_vswitchd(lab)
    with Attack(lab) as attack:
        lab.start_vswitchd()
        until(lambda: not lab.ofctl("show", lab.bridge,
                                    check=False).returncode, "it is there")
        lab.exec("sh", script)
        assert len(lab.our_flows()) == count
        lab.vsctl("remove", "Open_vSwitch", ".", "other_config",
                  "flow-restore-wait")
        until(lambda: reaches(lab), "what is allowed works")
        time.sleep(0.5)
    assert attack.sent > 100 and not attack.seen
    lab.unpush()


def test_mode(lab):
    """a mode set by hand holds until it is taken back, whatever is read"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    records = f"{lab.dir}/modes.json"

    def mode(*arguments, check=True):
        return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", *arguments,
                       check=check)

    def told():
        return [json.loads(line) for line in open(records)]
    app.ask("listen", 4, 22)
    with Sdfwd(lab, path_of(lab), options=["--json", records]) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        allowed = web.ask("connect", app.address(), 8080)
        chatter = web.ask("chatter", allowed)
        with Pings(web, app.address()) as pings:
            assert not web.ask("connect", app.address(), 22)
            assert mode().stdout.startswith("shop "), mode().stdout
            mode("shop", "audit")
            until(lambda: web.ask("connect", app.address(), 22, 0.3),
                  "audit lets pass")
            until(lambda: any(r["verdict"] == "pass" for r in told()),
                  "and reports")
            stray = web.ask("connect", app.address(), 22)
            assert web.ask("talk", stray, "hello") == "hello"
            assert "shop is in audit" in status(lab)
            assert "shop/web" in mode("shop/web").stdout
            # Reading the manifests again changes nothing.
            before = sdfwd.log().count("read 1 applications")
            lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/reload")
            until(lambda: sdfwd.log().count("read 1 applications") > before,
                  "read again")
            assert web.ask("talk", stray, "hello") == "hello"
            assert "set by hand; manifest: enforce" in mode("shop").stdout
            mode("shop", "enforce")
            until(lambda: web.ask("talk", stray, "hello", 0.3) is None,
                  "what no link allows is cut")
            mode("shop", "audit")
            until(lambda: web.ask("connect", app.address(), 22, 0.3),
                  "audit lets pass")
            mode("shop", "manifest")
            until(lambda: not web.ask("connect", app.address(), 22, 0.3),
                  "the manifest's mode holds")
            until(lambda: in_step(lab, path_of(lab)), "flows are there")
            assert "BY HAND" not in status(lab)
        talked = web.ask("end", chatter)
        assert pings.received == pings.sent
        assert not talked["lost"] and talked["rounds"] > 100
        assert "set to audit by hand" in sdfwd.log()
        # A service.
        mode("shop/app", "audit")
        mode("shop/web", "audit")
        until(lambda: web.ask("connect", app.address(), 22, 0.3),
              "both ends let pass")
        mode("shop/app", "manifest")
        until(lambda: not web.ask("connect", app.address(), 22, 0.3),
              "one end enforces")
        for wrong, why in ((("nosuch", "audit"), 'service "nosuch"'),
                           (("shop", "loud"), '"loud" is no mode'),
                           (("nosuch",), 'service "nosuch"')):
            done = mode(*wrong, check=False)
            assert done.returncode and why in done.stderr, done.stderr
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "a restart forgets it")


def test_mode_stays(lab):
    """... also if sdfwd begins anew, with other bridges or tables"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    app.ask("listen", 4, 23)
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop", "audit")
        until(lambda: web.ask("connect", app.address(), 23, 0.3),
              "audit lets pass")
        lab.vsctl("set", "open_vswitch", ".",
                  "other_config:sdfw-table-base=60")
        try:
            until(lambda: "table=60," in "\n".join(lab.our_flows())
                  and "table=100," not in "\n".join(lab.our_flows()),
                  "the tables move")
            lab.run("ovs-appctl", "revalidator/wait")
            assert "shop is in audit" in status(lab), status(lab)
            assert web.ask("connect", app.address(), 23)
            lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop",
                    "manifest")
            until(lambda: not web.ask("connect", app.address(), 23, 0.3),
                  "the manifest's mode holds")
        finally:
            lab.vsctl("clear", "open_vswitch", ".", "other_config")
        until(lambda: in_step(lab, path_of(lab)), "the tables are back")
        assert "beginning anew" in sdfwd.log(), sdfwd.log()
