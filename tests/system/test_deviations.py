"""sdfwd tells of what no link allows: who, to whom, how much, and why."""
import base64
import json
import re
import time

import frames as f
from daemon import Sdfwd, in_step, until
from policy import make_lab, manifest

STRANGER = "02:00:00:00:ee:ee"


class Watched:
    """A lab with sdfwd, and what sdfwd wrote."""

    def __init__(self, lab):
        self.lab = lab
        self.records_path = f"{lab.dir}/deviations.json"
        self.manifest_path = lab.file("m.xml", manifest())
        self.sdfwd = Sdfwd(lab, self.manifest_path,
                           options=["--json", self.records_path,
                                    "--interval", "2", "--tuples", "8000"])
        self.sdfwd.start()
        until(lambda: in_step(lab, self.manifest_path), "flows are there")
        until(lambda: "flows added" in self.sdfwd.log(), "it is told")

    def lines(self, member, **wanted):
        with open(self.records_path) as stream:
            found = [json.loads(line) for line in stream]
        return [r for r in found if member in r
                and all(r.get(key) == value for key, value in wanted.items())]

    def records(self, **wanted):
        return self.lines("id", **wanted)

    def incidents(self, **wanted):
        return self.lines("kind", **wanted)

    def wait(self, number=1, timeout=10, **wanted):
        until(lambda: len(self.records(**wanted)) >= number,
              f"{number} records {wanted}", timeout)
        return self.records(**wanted)


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    try:
        the_lab.watched = Watched(the_lab)
        the_lab.cleanup.append(the_lab.watched.sdfwd.stop)
    except BaseException:
        the_lab.close()
        raise
    return the_lab


def segment(src, dst, port, flags=2, family=4):
    s, d = src.address(family), dst.address(family)
    return f.ether(src.mac, dst.mac, f.ethertype(s),
                   f.ip(s, d, 6, f.tcp(s, d, 40000, port, flags)))


def deviating_packets(lab):
    """What the flows of DEVIATION have counted."""
    total = 0
    for flow in lab.our_flows():
        match = re.search(r"table=115,.*n_packets=(\d+)", flow)
        if match:
            total += int(match.group(1))
    return total


def balance(lab):
    """What sdfwd says of the packets: {word: number}."""
    def ask():
        return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status").stdout
    until(lambda: "deviating packets" in ask(), "it has read counters")
    status = ask()
    assert "MISSING" not in status, status
    match = re.search(
        r"deviating packets since \S+: (?P<deviating>\d+) = "
        r"(?P<offered>\d+) offered \+ (?P<absorbed>\d+) absorbed"
        r"(?: \+ (?P<answers>\d+) answers)?"
        r"(?: \+ -?\d+ not counted yet)?\s+"
        r"offered: (?P<received>\d+) received \+ (?P<unseen>\d+) told by "
        r"their flow's end \+ (?P<untold>-?\d+) not told yet; meters dropped "
        r"(?P<metered>\d+)", status)
    assert match, status
    return {word: int(n or 0) for word, n in match.groupdict().items()}


def learned(lab):
    return [f for f in lab.our_flows()
            if "cookie=0x5dfd09" in f.split("actions=")[0]]


def settle(lab, expected):
    """Waits until all that deviated is over and read; returns the balance."""
    until(lambda: not learned(lab), "learned flows have ended", 40)
    until(lambda: balance(lab)["deviating"] == expected
          and not lab.run("ovs-appctl", "-t", "sdfwd",
                          "sdfw/deviations").stdout,
          "counters are read", 20)
    time.sleep(2)
    now = balance(lab)
    assert now["deviating"] == expected == now["offered"] + now["absorbed"]
    assert now["offered"] == now["received"] + now["unseen"] + now["untold"]
    return now


def closed(lab, old):
    """How many packets the records after the first 'old' speak of."""
    return sum(r["packets"] for r in lab.watched.records()[old:]
               if r["event"] == "close")


def test_no_link(lab):
    """a connection that no link allows: both ends by name, the port, the
    nearest link with its line"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    for family in (4, 6):
        web.inject(segment(web, db, 22, family=family))
        record, = lab.watched.wait(event="open", dst_port=22,
                                   eth_type="0x0800" if family == 4
                                   else "0x86dd")
        assert record["src"] == {"application": "shop", "service": "web",
                                 "workload": "web1", "mac": web.mac,
                                 "mode": "enforce",
                                 "address": web.address(family)}
        assert record["dst"]["workload"] == "db1"
        assert record["interface"] == "web1", record
        assert record["mode"] == "enforce", record
        assert record["policy_since"] <= record["first_seen"], record
        assert record["reason"] == "no-link" and record["verdict"] == "drop"
        assert record["protocol"] == 6 and record["tcp_flags"] == "syn"
        assert record["in_port"] == lab.ofport(web)
        assert record["nearest"]["file"] == lab.watched.manifest_path
        assert record["nearest"]["line"] > 1
    line = [l for l in lab.watched.sdfwd.log().splitlines() if "tcp/22" in l]
    assert "shop/web/web1 (10.7.0.11) -> shop/db/db1 (10.7.0.31)" in line[0]


def test_allowed(lab):
    """what a link allows makes no record"""
    app, web = lab.hosts["app1"], lab.hosts["web1"]
    before = len(lab.watched.records())
    app.ask("listen", 4, 8080)
    assert web.ask("connect", app.address(), 8080)
    assert web.ping(app.address())
    assert len(lab.watched.records()) == before


def test_outside(lab):
    """a source outside is told with its network, or as unmanaged if it is in
    none"""
    web, out = lab.hosts["web1"], lab.hosts["out1"]
    out.inject(segment(out, web, 22))
    record, = lab.watched.wait(event="open", dst_port=22, reason="no-link",
                               interface="out1")
    assert record["src"]["network"] == "outside", record
    s, d = "10.7.0.77", web.address()
    out.inject(f.ether(out.mac, web.mac, 0x800,
                       f.ip(s, d, 6, f.tcp(s, d, 40000, 80, 2))))
    record, = lab.watched.wait(event="open", dst_port=80, reason="unmanaged")
    assert record["src"] == {"address": s, "mac": out.mac}, record


def test_spoof(lab):
    """a spoofed source is told with the port that it came from"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    s, d = "10.7.0.99", db.address()
    web.inject(f.ether(web.mac, db.mac, 0x800,
                       f.ip(s, d, 17, f.udp(s, d, 1, 5300, b"x"))))
    record, = lab.watched.wait(event="open", reason="spoof")
    assert record["src"]["address"] == s
    assert record["src"]["workload"] == "web1"
    frame = f.ether(web.mac, f.BROADCAST, 0x806,
                    f.arp(2, web.mac, db.address(), web.mac, web.address()))
    web.inject(frame)
    record, = lab.watched.wait(event="open", reason="spoof",
                               eth_type="0x0806")
    assert record["src"]["address"] == db.address()
    assert record["src"]["workload"] == "web1"


def test_kinds(lab):
    """each kind has its reason"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    s, d = web.address(), app.address()
    web.inject(
        f.ether(web.mac, f.BROADCAST, 0x800,
                f.ip(s, d, 17, f.udp(s, d, 1, 5300, b"x"))),
        f.ether(web.mac, app.mac, 0x88cc, b"\0" * 50),
        f.ether(web.mac, app.mac, 0x800, b"\0" * 50, vlan=7),
        f.ether(web.mac, f.BROADCAST, 0x800,
                f.ip(s, "255.255.255.255", 17,
                     f.udp(s, "255.255.255.255", 67, 68, b"offer"))),
        f.ether(web.mac, "33:33:00:00:00:01", 0x86dd,
                f.router_advertisement(web.address(6))))
    for reason in ("frame", "ethertype", "vlan", "rogue-dhcp", "rogue-ra"):
        lab.watched.wait(event="open", reason=reason)


def test_counts(lab):
    """the record of a deviation that is over has every packet, and none is
    told twice"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    for _ in range(5):
        web.inject(*[segment(web, db, 4444)] * 40)
    lab.watched.wait(event="open", dst_port=4444)
    record, = lab.watched.wait(event="close", dst_port=4444, timeout=15)
    assert record["packets"] == 200, record
    assert record["bytes"] == 200 * len(segment(web, db, 4444)), record
    assert len(lab.watched.records(event="open", dst_port=4444)) == 1


def test_updates(lab):
    """a deviation that goes on is told now and then, with its counts so far,
    and opened and closed once"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    for _ in range(28):
        web.inject(segment(web, db, 4445))
        time.sleep(0.25)
    record, = lab.watched.wait(event="close", dst_port=4445, timeout=15)
    assert record["packets"] == 28, record
    updates = lab.watched.records(event="update", dst_port=4445)
    assert 2 <= len(updates) <= 6, updates
    counts = [u["packets"] for u in updates]
    assert counts == sorted(set(counts)) and counts[-1] <= 28
    assert len(lab.watched.records(event="open", dst_port=4445)) == 1


def test_scan_is_counted(lab):
    """of a scan of 5,000 ports, with each packet twice, every packet is in a
    record, though a meter bounds what sdfwd sees"""
    web, db = lab.hosts["web2"], lab.hosts["db1"]
    time.sleep(6)               # What came before is over.
    settle(lab, balance(lab)["deviating"])
    before, known = deviating_packets(lab), balance(lab)["deviating"]
    old = len(lab.watched.records())
    for first in range(1, 5001, 100):
        for _ in range(2):
            web.inject(*[segment(web, db, port)
                         for port in range(first, first + 100)])
    time.sleep(1)
    counted = deviating_packets(lab) - before
    assert counted > 5000, counted
    now = settle(lab, known + counted)
    assert now["untold"] == 0, now
    assert now["unseen"] > 0, now
    assert closed(lab, old) == counted
    # For people, it is one incident.
    opened, = lab.watched.incidents(event="open", reason="no-link")
    over, = lab.watched.incidents(event="close", incident=opened["incident"])
    assert over["kind"] == "scan" and over["src"]["workload"] == "web2", over
    assert over["dst"]["workload"] == "db1" and over["hosts"] == 1, over
    assert over["packets"] == counted, over
    assert counted / 2 - 50 < over["ports"] == over["deviations"], over
    told = [line for line in lab.watched.sdfwd.log().splitlines()
            if "shop/web/web2 (10.7.0.12) -> shop/db/db1" in line]
    assert len([line for line in told if "incident" not in line]) == 5, told
    assert len(told) < 30, len(told)
    assert f", {over['ports']} ports; over, {over['deviations']} deviations, " \
        f"{counted} packets" in told[-1] + told[-2], told[-2:]


def test_udp_flood(lab):
    """of a flood of one UDP port every packet is counted, in one record"""
    web, db = lab.hosts["web2"], lab.hosts["db1"]
    known, old = balance(lab)["deviating"], len(lab.watched.records())
    before = deviating_packets(lab)
    frame = f.ether(web.mac, db.mac, 0x800, f.ip(
        web.address(), db.address(), 17,
        f.udp(web.address(), db.address(), 4000, 4001, b"x" * 64)))
    for _ in range(100):
        web.inject(*[frame] * 500)
        time.sleep(0.05)
    time.sleep(1)
    # What comes faster than the switch takes it, the kernel drops before.
    flood = deviating_packets(lab) - before
    assert flood > 10000, flood
    now = settle(lab, known + flood)
    assert now["untold"] == 0, now
    assert closed(lab, old) == flood
    assert len(lab.watched.records(event="open", dst_port=4001,
                                   protocol=17)) == 1


def test_folding(lab):
    """more deviations than are told one by one are folded by hosts, and no
    packet is told twice"""
    sdfwd = lab.watched.sdfwd
    sdfwd.stop()
    sdfwd.arguments += ["--tuples", "50"]
    sdfwd.start()
    until(lambda: "limit=50," in str(lab.our_flows()), "the limit is set")
    web, db = lab.hosts["web2"], lab.hosts["db1"]
    settle(lab, balance(lab)["deviating"])
    known, old = balance(lab)["deviating"], len(lab.watched.records())
    for first in range(1, 401, 20):
        web.inject(*[segment(web, db, port)
                     for port in range(first, first + 20)])
    now = settle(lab, known + 400)
    records = [r for r in lab.watched.records()[old:] if r["event"] == "close"]
    assert {r["level"] for r in records} == {"tuple", "pair"}
    assert len(records) < 200
    assert closed(lab, old) + now["untold"] == 400, (closed(lab, old), now)
    folded, = [r for r in records if r["level"] == "pair"]
    assert folded["src"]["workload"] == "web2", folded
    assert folded["dst"]["workload"] == "db1", folded
    over = lab.watched.incidents(event="close")[-1]
    assert over["kind"] == "flood" and over["folded_packets"] > 300, over
    assert over["packets"] + now["untold"] == 400, (over, now)


def test_noisy_and_quiet(lab):
    """beside a scan beyond all limits, each of a quiet host's deviations is
    told by itself, at once"""
    web, db, app = (lab.hosts[n] for n in ("web2", "db1", "app1"))
    for first in range(1, 5001, 500):
        web.inject(*[segment(web, db, port)
                     for port in range(first, first + 500)])
    for port in range(2222, 2242):
        app.inject(segment(app, db, port))
    until(lambda: len([r for r in lab.watched.records(event="open")
                       if r["src"].get("workload") == "app1"
                       and 2222 <= r.get("dst_port", 0) < 2242
                       and r["level"] == "tuple"]) == 20, "it is told", 1.5)


def test_top(lab):
    """sdfw/top shows who deviates most"""
    web, app, db = (lab.hosts[n] for n in ("web1", "app1", "db1"))
    web.inject(*[segment(web, db, 6001)] * 50)
    app.inject(*[segment(app, db, 6002)] * 5)
    lab.watched.wait(event="open", dst_port=6001)
    lab.watched.wait(event="open", dst_port=6002)

    def top(*arguments):
        return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/top",
                       *arguments).stdout.splitlines()
    until(lambda: any("shop/web/web1" in line and " 50" in line
                      for line in top()), "it is counted")
    lines = top()
    assert lines[0].split() == ["PACKETS", "DEVIATIONS", "SOURCE", "REASON"]
    web_line, app_line = ([i for i, line in enumerate(lines) if name in line]
                          for name in ("shop/web/web1", "shop/app/app1"))
    assert web_line < app_line, lines
    assert len(top("1")) == 2


MODES = {"web": "audit", "app": "learn", "db": "learn"}


def test_modes(lab):
    """audit lets pass and reports, learn lets pass and only records; a mode
    that is changed while traffic runs is in force at once"""
    web, app, db = (lab.hosts[n] for n in ("web1", "app1", "db1"))
    numbers = iter(range(7001, 7100))

    def try_once(source):
        port = next(numbers)
        with db.sniff() as seen:
            source.inject(segment(source, db, port))
            record = lab.watched.wait(event="open", dst_port=port)[0]
            time.sleep(0.1)
        passed = seen.saw(port.to_bytes(2, "big") + b"\0\0\x03\xe8")
        in_log = f"tcp/{port}" in lab.watched.sdfwd.log()
        return passed, in_log, record["mode"], record["verdict"]
    assert try_once(web) == (False, True, "enforce", "drop")
    lab.file("m.xml", manifest(modes=MODES))
    until(lambda: in_step(lab, lab.watched.manifest_path), "audit")
    assert try_once(web) == (True, True, "audit", "pass")
    assert try_once(app) == (True, False, "learn", "pass")
    lab.file("m.xml", manifest())
    until(lambda: in_step(lab, lab.watched.manifest_path), "enforce")
    assert try_once(web) == (False, True, "enforce", "drop")


def test_answers(lab):
    """where deviations pass, a connection is one deviation, in the direction
    in which it was opened; its answers are counted apart"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    app.ask("listen", 4, 7200)
    lab.file("m.xml", manifest(mode="audit"))
    until(lambda: in_step(lab, lab.watched.manifest_path), "audit")
    until(lambda: balance(lab)["deviating"] == 0, "it counts anew")
    number = web.ask("connect", app.address(), 7200)
    for _ in range(20):
        assert web.ask("talk", number, "x") == "x"
    web.ask("close", number)
    lab.watched.wait(event="close", dst_port=7200, timeout=30)
    of_it = [r for r in lab.watched.records()
             if 7200 in (r.get("dst_port"), r.get("src_port"))]
    assert {r["id"] for r in of_it} == {of_it[0]["id"]}, of_it
    assert of_it[0]["src"]["workload"] == "web1"
    until(lambda: balance(lab)["answers"] >= 20, "answers are counted")
    until(lambda: balance(lab)["deviating"] == sum(
        balance(lab)[n] for n in ("offered", "absorbed", "answers")), "sums")
    assert of_it[-1]["packets"] >= 20
    lab.file("m.xml", manifest())
    until(lambda: in_step(lab, lab.watched.manifest_path), "enforce")


def told_by_flows(lab):
    """How many packets the flows of TELL have counted."""
    return sum(int(re.search(r"n_packets=(\d+)", flow).group(1))
               for flow in lab.our_flows() if "actions=controller(" in flow)


def test_mode_changes_verdict(lab):
    """a deviation that goes on while its mode changes is two: what passed,
    and what is dropped, each with its own packets"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    lab.file("m.xml", manifest(mode="audit"))
    until(lambda: in_step(lab, lab.watched.manifest_path), "audit")
    # A reset, for it has no answer.
    frame = base64.b64encode(segment(web, db, 7201, flags=4)).decode()
    for mode, verdicts in (("enforce", ["pass", "drop"]),
                           ("audit", ["drop", "pass"])):
        settle(lab, balance(lab)["deviating"])
        before, old = told_by_flows(lab), len(lab.watched.records())

        def told(event):
            return [r for r in lab.watched.records()[old:]
                    if r.get("dst_port") == 7201 and r["event"] == event]
        number = web.ask("flood", frame, 500)
        try:
            until(lambda: told("update"), "it goes on")
            lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop", mode)
            until(lambda: any(r["verdict"] == verdicts[1]
                              for r in told("update")), "the other goes on")
        finally:
            sent = web.ask("end", number)["sent"]
        until(lambda: len(told("close")) == 2, "both are over", 20)
        opened, over = told("open"), told("close")
        assert [r["verdict"] for r in opened] == verdicts, opened
        assert [r["verdict"] for r in over] == verdicts, over
        assert [r["id"] for r in opened] == [r["id"] for r in over], over
        # Of a record's packets, all but the first are a flow's; what is in
        # no record (docs/deviations.md), TELL has counted.
        absorbed = sum(r["packets"] - 1 for r in over)
        settle(lab, balance(lab)["deviating"])
        assert absorbed + told_by_flows(lab) - before == sent, (over, sent)
        assert sum(r["packets"] for r in over) <= sent + 1, (over, sent)
        assert all(r["packets"] > 500 for r in over), over
    lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop", "manifest")
    lab.file("m.xml", manifest())
    until(lambda: in_step(lab, lab.watched.manifest_path), "enforce")


def test_two_vlans(lab):
    """a frame with two VLAN tags is told once and counted right, however
    many tags Open vSwitch looks at"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    s, d = web.address(), app.address()
    frame = f.ether(web.mac, app.mac, 0x800,
                    f.ip(s, d, 17, f.udp(s, d, 1, 5300, b"x")), vlan=7,
                    outer=8)
    for limit in (None, 1, 2):
        if limit:
            lab.vsctl("set", "open_vswitch", ".",
                      f"other_config:vlan-limit={limit}")
            until(lambda: in_step(lab, lab.watched.manifest_path), "in step")
        known, old = (settle(lab, balance(lab)["deviating"])["deviating"],
                      len(lab.watched.records()))
        for _ in range(4):
            web.inject(*[frame] * 5)
            time.sleep(0.1)
        lab.watched.wait(1 + len([r for r in lab.watched.records()[:old]
                                  if r["event"] == "close"
                                  and r["reason"] == "vlan"]), 15,
                         event="close", reason="vlan")
        records = lab.watched.records()[old:]
        opened, = [r for r in records if r["event"] == "open"]
        over, = [r for r in records if r["event"] == "close"]
        assert opened["reason"] == "vlan" and opened["vlan"] == 8, opened
        assert opened["id"] == over["id"] and over["packets"] == 20, records
        assert over["bytes"] == 20 * len(frame), over
        settle(lab, known + 20)
    lab.vsctl("remove", "open_vswitch", ".", "other_config", "vlan-limit")


def test_restart(lab):
    """sdfwd that starts while deviations are open takes them over: what it
    says of packets stays right"""
    web, app, db = (lab.hosts[n] for n in ("web1", "app1", "db1"))
    sdfwd = lab.watched.sdfwd
    settle(lab, balance(lab)["deviating"])
    floods = {host: host.ask("flood", base64.b64encode(
        segment(host, db, 7301)).decode(), 50) for host in (web, app)}
    try:
        lab.watched.wait(2, event="open", dst_port=7301)
        for end in (sdfwd.stop, sdfwd.kill):
            end()
            old = len(lab.watched.records())
            sdfwd.start()
            until(lambda: len([r for r in lab.watched.records()[old:]
                               if r["event"] == "update"]) >= 4,
                  "they are taken over")
            for _ in range(20):
                now = balance(lab)
                assert min(now.values()) >= 0, now
                status = lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status")
                assert not re.search(r" -\d", status.stdout), status.stdout
                time.sleep(0.1)
            web.inject(segment(web, db, 7302))
    finally:
        for host, number in floods.items():
            host.ask("end", number)
    until(lambda: not learned(lab), "learned flows have ended", 40)
    now = settle(lab, balance(lab)["deviating"])
    assert now["unseen"] == now["untold"] == 0, now
