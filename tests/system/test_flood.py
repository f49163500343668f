"""A flood of deviations does not make sdfwd grow."""
import base64
import json
import os
import time

import frames as f
from daemon import Sdfwd, until
from policy import make_lab, manifest
from test_deviations import deviating_packets

PACKETS = int(os.environ.get("FLOOD_PACKETS", "1000000"))


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    return the_lab


def frames_of(lab):
    """4,000 tuples that no link allows, of them some from strangers."""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    for number in range(4000):
        source = web.address() if number % 4 else f"10.8.{number % 250}.7"
        yield base64.b64encode(f.ether(web.mac, db.mac, 0x800, f.ipv4(
            source, db.address(), 17, f.udp(
                source, db.address(), 4000, 10000 + number, b"x")))).decode()


def test_memory(lab):
    """memory stays flat over a million deviating packets of 4,000 tuples, and
    people are told of some incidents, not of every tuple"""
    records = f"{lab.dir}/records.json"
    with Sdfwd(lab, lab.path, options=["--interval", "2", "--json",
                                       records]) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "pushed")
        web = lab.hosts["web1"]
        flood = web.ask("flood", list(frames_of(lab)), 60000)
        until(lambda: deviating_packets(lab) > PACKETS / 5, "a fifth", 120)
        time.sleep(3)
        early = sdfwd.resident_bytes()
        until(lambda: deviating_packets(lab) > PACKETS, "all", 300)
        late = sdfwd.resident_bytes()
        web.ask("end", flood)
        grown = (late - early) / 1024
        print(f"     {PACKETS} packets: {late // 1024} KiB, {grown:.0f} more "
              "than after a fifth of them")
        assert grown < 4096, grown
        told = [line for line in sdfwd.log().splitlines()
                if "|deviations|" in line]
        assert 5 < len(told) < 2000, len(told)
        assert any("incident" in line and "flood" in line for line in told)
        with open(records) as stream:
            opened = [r for r in map(json.loads, stream)
                      if r["event"] == "open"]
        assert {r["reason"] for r in opened} == {"no-link", "spoof"}, opened
