"""One push to ten hosts over TLS, some of which are dead, slow or canaries."""
import os
import pty
import re
import signal
import subprocess
import time

from daemon import Sdfwd, until
from fleet import Fleet
from lab import run

N = 10
HOLE = "192.0.2.250"
MAC = "02:00:00:00:{:02x}:{:02x}"


def workloads(service, kind):
    """One on each host; w1a is on hv1."""
    letter = "ab"[kind]
    return f'<service name="{service}">' + "".join(
        f'<workload name="{service}-{i}" interface="w{i}{letter}">'
        f"<mac>{MAC.format(i, kind)}</mac>"
        f"<address>10.9.{kind}.{i}</address></workload>"
        for i in range(1, N + 1)) + "</service>"


def manifest(ports="8080", ping=True, mode="enforce"):
    return f"""<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <application name="shop" mode="{mode}">
    {workloads("web", 0)}{workloads("app", 1)}
    <link from="web" to="app"><tcp port="{ports}"/>
      {'<icmp type="echo-request"/>' if ping else ""}</link>
  </application></manifest>"""


def lab(sdfw):
    fleet = Fleet(sdfw, N)
    try:
        for i, host in enumerate(fleet.labs, 1):
            for kind, letter in enumerate("ab"):
                host.host(f"w{i}{letter}", MAC.format(i, kind),
                          f"10.9.{kind}.{i}/16")
        # A bridge gives the handshakes of TLS and OpenFlow one second.
        fleet.slow(7001, 9, 0.12)
        # Nobody takes what is sent to this MAC.
        run("ip", "-n", fleet.ns, "route", "add", HOLE, "dev", "hv1")
        run("ip", "-n", fleet.ns, "neigh", "add", HOLE, "dev", "hv1",
            "lladdr", "02:00:00:00:fe:fe")
        fleet.manifest = fleet.file("m.xml", manifest())
        fleet.other = fleet.file("other.xml", manifest("9090"))
        fleet.no_ping = fleet.file("no-ping.xml", manifest("9090", False))
    except BaseException:
        fleet.close()
        raise
    return fleet


def push(fleet, inventory, *options, what=None, status=0):
    done = fleet.command("push", "--inventory", inventory, *options,
                         what or fleet.manifest)
    assert done.returncode == status, \
        f"{done.returncode}: {done.stdout}{done.stderr}"
    return rows(done.stdout), done


def rows(table):
    """{host: (policy, changed, note)} of the table."""
    found = {}
    for line in table.splitlines():
        m = re.match(r"(hv\d+) +br0 +(\w+) +(.+?) +([\d.]+ s|-)( .*|)$", line)
        if m:
            found[m[1]] = (m[2], m[3], m[5].strip())
    return found


def unpush(fleet):
    for host in fleet.labs:
        host.unpush()


def dumps(fleet):
    """What the flows are, without counters and ages."""
    return [sorted(re.sub(r"(duration|n_packets|n_bytes|idle_age|hard_age)"
                          r"=[^ ,]*,? ?", "", flow)
                   for flow in host.our_flows()) for host in fleet.labs]


def test_all(fleet):
    """one push reaches ten hosts over TLS; each host's own push, plan and
    sdfwd agree with it"""
    unpush(fleet)
    inventory = fleet.inventory()
    found, done = push(fleet, inventory)
    assert len(found) == N and "10 of 10 bridges have this policy" \
        in done.stdout, done.stdout
    for policy, changed, note in found.values():
        assert policy == "new" and re.fullmatch(r"\+\d\d+ ~0 -0", changed) \
            and not note, done.stdout
    host = fleet.labs[2]
    assert "nothing to change" in host.command(
        "push", "--bridge", "br0", fleet.manifest).stdout
    host.run(Sdfwd(host).program, "--bridge", "br0", "--once",
             fleet.manifest)
    planned = fleet.command("plan", "--inventory", inventory, fleet.manifest)
    assert planned.returncode == 0 and planned.stdout.count(
        "0 flows to add, 0 to change, 0 to remove") == N, planned.stdout


def test_plan(fleet):
    """plan tells what would change on each bridge, and changes nothing"""
    push(fleet, fleet.inventory())
    before = dumps(fleet)
    done = fleet.command("plan", "--inventory", fleet.inventory(),
                         fleet.other)
    assert done.returncode == 2, done.stdout + done.stderr
    for i in range(1, N + 1):
        assert f"hv{i}/br0: 2 flows to add" in done.stdout, done.stdout
    assert "link shop/web -> shop/app tcp/9090" in done.stdout, done.stdout
    assert dumps(fleet) == before


def test_second(fleet):
    """a second push sends nothing"""
    push(fleet, fleet.inventory())
    before = dumps(fleet)
    found, done = push(fleet, fleet.inventory())
    assert all(row == ("new", "nothing", "") for row in found.values()), \
        done.stdout
    assert dumps(fleet) == before


def test_dead_and_slow(fleet):
    """dead hosts keep what they have, slow ones get there, the others do not
    wait for either; the next push does what is missing"""
    unpush(fleet)
    hosts = [fleet.host(i) for i in range(1, N + 1)]
    hosts[1] = fleet.host(2, openflow="ssl:127.0.0.1:1")     # Refused.
    hosts[3] = fleet.host(4, openflow=f"ssl:{HOLE}:6653")
    hosts[8] = fleet.host(9, openflow="ssl:127.0.0.1:7001")  # Slow.
    stopped = fleet.labs[6].vswitchd
    stopped.send_signal(signal.SIGSTOP)
    try:
        found, done = push(fleet, fleet.inventory(*hosts), "--timeout=8",
                           status=6)
    finally:
        stopped.send_signal(signal.SIGCONT)
    dead = {"hv2": "refused", "hv4": "timed out", "hv7": "timed out"}
    for host, (policy, _, note) in found.items():
        assert policy == ("old" if host in dead else "new"), done.stdout
        assert (dead.get(host, "") in note) and (not note
                                                 or host in dead), note
    assert "7 of 10 bridges have this policy, 3 have what they had; push " \
        "again" in done.stdout, done.stdout
    assert [bool(flows) for flows in dumps(fleet)] == [
        i not in (2, 4, 7) for i in range(1, N + 1)]
    found, done = push(fleet, fleet.inventory())
    assert {host for host, row in found.items() if row[1] != "nothing"} \
        == set(dead), done.stdout


def test_two_bridges(fleet):
    """a host may have several bridges, of which one fails alone"""
    unpush(fleet)
    host = fleet.labs[1]
    host.vsctl("add-br", "br1", "--", "set", "bridge", "br1",
               "datapath_type=netdev", "--", "set-controller", "br1",
               "pssl:6654")
    try:
        two = fleet.host(2).replace("</host>", '<bridge name="br1" openflow='
                                    f'"ssl:{host.address}:6654"/></host>')
        _, done = push(fleet, fleet.inventory(two))
        assert "2 of 2 bridges have this policy" in done.stdout, done.stdout
        assert re.search(r"hv2 +br1 +new .* none of the workloads is here",
                         done.stdout), done.stdout
        host.unpush()
        _, done = push(fleet, fleet.inventory(two.replace(":6654", ":6655")),
                       status=6)
        assert re.search(r"hv2 +br0 +new", done.stdout) and re.search(
            r"hv2 +br1 +old .*refused", done.stdout), done.stdout
    finally:
        host.vsctl("del-br", "br1")


def test_max_fail(fleet):
    """after more than --max-fail failures no host is started"""
    unpush(fleet)
    hosts = [fleet.host(i) for i in range(1, N + 1)]
    hosts[0] = fleet.host(1, openflow="ssl:127.0.0.1:1")
    hosts[2] = fleet.host(3, db="ssl:127.0.0.1:1")
    found, done = push(fleet, fleet.inventory(*hosts), "--parallel=1",
                       "--max-fail=0", status=3)
    assert all(row[0] == "old" for row in found.values()), done.stdout
    assert found["hv2"][2] == "not started: too many failed", done.stdout
    assert not any(dumps(fleet)), "nothing was sent"
    found, done = push(fleet, fleet.inventory(*hosts), "--parallel=1",
                       "--max-fail=1", status=6)
    assert [found[f"hv{i}"][0] for i in range(1, 5)] == \
        ["old", "new", "old", "old"], done.stdout
    assert "not started" in found["hv4"][2], done.stdout


def test_shrink(fleet):
    """--max-shrink counts for each bridge, and --force overrides it"""
    push(fleet, fleet.inventory())
    before = dumps(fleet)
    found, done = push(fleet, fleet.inventory(), "--max-shrink=10",
                       what=fleet.other, status=5)
    assert dumps(fleet) == before
    assert all(row[0] == "old" and "1 of 2 links" in row[2]
               for row in found.values()), done.stdout
    planned = fleet.command("plan", "--inventory", fleet.inventory(),
                            "--max-shrink=10", fleet.other)
    assert planned.returncode == 5 and not planned.stdout, planned
    push(fleet, fleet.inventory(), "--max-shrink=10", "--force",
         what=fleet.other)


def test_late(fleet):
    """a host whose process does not end in time is given up"""
    unpush(fleet)
    hosts = [fleet.host(9, openflow="ssl:127.0.0.1:7001"), fleet.host(2)]
    process = fleet.start("push", "--inventory", fleet.inventory(*hosts),
                          "--parallel=1", "--timeout=1", fleet.manifest)
    until(lambda: children(process.pid), "the first host is begun")
    os.kill(children(process.pid)[0], signal.SIGSTOP)
    stdout, stderr = process.communicate(timeout=60)
    found = rows(stdout)
    assert process.returncode == 6, stdout + stderr
    assert found["hv9"][0] == "unknown" and found["hv9"][2].startswith(
        "did not end in time") and found["hv2"][0] == "new", stdout


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as stream:
        return [int(child) for child in stream.read().split()]


def test_quiet(fleet):
    """--quiet says nothing but what failed"""
    hosts = [fleet.host(1), fleet.host(2, openflow="ssl:127.0.0.1:1")]
    push(fleet, fleet.inventory())
    _, done = push(fleet, fleet.inventory(), "--quiet")
    assert not done.stdout + done.stderr, done
    _, done = push(fleet, fleet.inventory(*hosts), "--quiet", status=6)
    assert not done.stdout and re.fullmatch(
        r"sdfw: hv2/br0: .*refused\n", done.stderr), done


class Ping:
    """w1a pings w1b ten times a second, on the canary."""

    def __init__(self, fleet):
        self.host = fleet.labs[0].hosts["w1a"]

    def __enter__(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.host.ns, "ping", "-n", "-q", "-i",
             "0.1", "10.9.1.1"], stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def canaries(fleet):
    return fleet.inventory(*(fleet.host(i, "canary" if i in (1, 5) else None)
                             for i in range(1, N + 1)))


def test_canary_rises(fleet):
    """if deviations rise on a canary, all canaries get back exactly the flows
    that they had, and the others are not touched"""
    push(fleet, fleet.inventory(), "--adopt=0")
    before = dumps(fleet)
    with Ping(fleet):
        found, done = push(fleet, canaries(fleet), "--canary-wait=3",
                           what=fleet.no_ping, status=7)
        assert dumps(fleet) == before
        fleet.labs[0].run("ovs-appctl", "revalidator/wait")
        assert fleet.labs[0].hosts["w1a"].ping("10.9.1.1"), "as before"
    for host, (policy, changed, note) in found.items():
        canary = host in ("hv1", "hv5")
        assert policy == "old" and changed == (
            "rolled back" if canary else "-"), done.stdout
        assert canary or note == "not started: deviations rose", done.stdout
    assert "RISEN" in found["hv1"][2] and "RISEN" not in found["hv5"][2]


def test_canary_first_push(fleet):
    """a first push is rolled back to no flows at all, also those that expire,
    and the flood setting of ports to what it was"""
    unpush(fleet)
    host = fleet.labs[0]
    with Ping(fleet):
        push(fleet, canaries(fleet), "--canary-wait=3", what=fleet.no_ping,
             status=7)
    assert not any(dumps(fleet))
    assert "NO_FLOOD" not in host.ofctl("show", "br0").stdout


def test_canary_threshold(fleet):
    """--canary-rise is how much more is not too much"""
    push(fleet, fleet.inventory(), "--adopt=0")
    with Ping(fleet):
        found, done = push(fleet, canaries(fleet), "--canary-wait=2",
                           "--canary-rise=100", what=fleet.no_ping)
    assert all(row[0] == "new" for row in found.values()), done.stdout
    assert "/s after" in found["hv1"][2], done.stdout


def test_canary_fine(fleet):
    """if all is well on the canaries the others follow, without a wait where
    nothing changes"""
    push(fleet, fleet.inventory())
    found, done = push(fleet, canaries(fleet), "--canary-wait=1",
                       what=fleet.other)
    assert all(row[0] == "new" for row in found.values()), done.stdout
    start = time.monotonic()
    push(fleet, canaries(fleet), "--canary-wait=30", what=fleet.other)
    assert time.monotonic() - start < 30


def test_canary_dead(fleet):
    """if a canary cannot be reached, the others are not touched"""
    push(fleet, fleet.inventory())
    before = dumps(fleet)
    hosts = [fleet.host(i) for i in range(1, N)] + [
        fleet.host(N, "canary", openflow="ssl:127.0.0.1:1")]
    found, done = push(fleet, fleet.inventory(*hosts), "--canary-wait=1",
                       what=fleet.other, status=3)
    assert dumps(fleet) == before
    assert found["hv1"][2] == "not started: a canary failed", done.stdout


def test_interrupt(fleet):
    """an interrupt starts no more hosts; the one that runs finishes, and the
    table is printed"""
    unpush(fleet)
    hosts = [fleet.host(9, openflow="ssl:127.0.0.1:7001"), fleet.host(2),
             fleet.host(3)]
    process = fleet.start("push", "--inventory", fleet.inventory(*hosts),
                          "--parallel=1", fleet.manifest,
                          start_new_session=True)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)   # As a terminal does.
    stdout, stderr = process.communicate(timeout=60)
    found = rows(stdout)
    assert process.returncode == 6, stdout + stderr
    assert found["hv9"][0] == "new" and found["hv2"] == (
        "old", "-", "not started: interrupted"), stdout
    assert [bool(flows) for flows in dumps(fleet)] == [
        i == 9 for i in range(1, N + 1)]


def test_terminal(fleet):
    """progress is one line on a terminal; without one, no escape code is
    printed"""
    inventory = fleet.inventory()
    _, done = push(fleet, inventory)
    assert "\033" not in done.stdout + done.stderr
    ours, theirs = pty.openpty()
    try:
        process = fleet.start("push", "--inventory", inventory,
                              fleet.manifest, stderr=theirs)
        stdout = process.communicate(timeout=60)[0]
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "\033" not in stdout and "\n" not in shown, shown
    assert "\r\033[K10 of 10 hosts done, 0 failed" in shown \
        and shown.endswith("\r\033[K"), shown


def test_own_files(fleet):
    """a host may have files of its own; files that do not fit are an error
    before anything is asked"""
    other = fleet.host(3, private_key="switch-privkey.pem",
                       certificate="switch-cert.pem")
    found, done = push(fleet, fleet.inventory(fleet.host(2), other),
                       status=6)
    assert found["hv2"][0] == "new" and found["hv3"][0] == "old" \
        and "TLS failed" in found["hv3"][2], done.stdout
    wrong = fleet.host(3, private_key="switch-privkey.pem")
    _, done = push(fleet, fleet.inventory(fleet.host(2), wrong), status=1)
    assert re.search(r"inventory.xml:3: error: host 'hv3': the key in .* is "
                     "not that of the certificate", done.stderr), done.stderr


def test_wrong_inventories(fleet):
    """what is wrong in an inventory is told with file, line and what to do,
    and nothing is sent"""
    unpush(fleet)
    good = fleet.host(2)
    for line, message, *hosts in (
            (3, "host 'hv2' is already at line 2; remove or change", good,
             good),
            (3, "a bridge at ssl:192.0.2.6:6653 is already at line 2", good,
             good.replace('name="hv2"', 'name="x"')),
            (2, "did you mean 'openflow'?",
             good.replace("openflow=", "openflw=")),
            (2, "'host' needs the attribute 'db': unix:FILE, tcp:HOST",
             good.replace(" db=", " group=").replace(
                 'group="ssl:192.0.2.6"', 'group="canary"')),
            (2, "group=\"canarry\" on 'host' is not right; expected canary",
             fleet.host(2, "canarry")),
            (2, "openflow=\"6653\" on 'bridge' is not right; expected "
             "unix:FILE", fleet.host(2, openflow="6653")),
            (2, "unknown element 'hosts' in 'inventory'; did you mean "
             "'host'?", good.replace("<host", "<hosts").replace(
                 "</host>", "</hosts>")),
            (2, "'host' is empty; it needs 'bridge'",
             re.sub("<bridge.*?/>", "", good)),
            (2, "cannot read a private key from "
             f"{fleet.dir}/nosuch.pem: No such file",
             fleet.host(2, private_key="nosuch.pem"))):
        path = fleet.inventory(*hosts, name="wrong.xml")
        for command in ("push", "plan"):
            done = fleet.command(command, "--inventory", path,
                                 fleet.manifest)
            assert done.returncode == 1 and not done.stdout, done
            assert f"{path}:{line}: error: " in done.stderr \
                and message in done.stderr, (message, done.stderr)
    for text, message in (
            ("hv1\n", "this is not XML; an inventory begins with"),
            (manifest(), "the root is 'manifest'; an inventory begins"),
            (None, "cannot read: No such file")):
        path = f"{fleet.dir}/nosuch.xml"
        if text:
            path = fleet.file("wrong.xml", text)
        done = fleet.command("push", "--inventory", path, fleet.manifest)
        assert done.returncode == 1 and message in done.stderr, done
    assert not any(dumps(fleet))


def test_wrong_options(fleet):
    """options that contradict each other are refused"""
    inventory = fleet.inventory()
    for options in (["--inventory", inventory, "--bridge", "br0"],
                    ["--inventory", inventory, "--db", "unix:x"],
                    ["--bridge", "br0", "--parallel", "2"],
                    ["--inventory", inventory, "--parallel", "0"], []):
        done = fleet.command("push", *options, fleet.manifest)
        assert done.returncode == 64 and done.stderr, (options, done)
