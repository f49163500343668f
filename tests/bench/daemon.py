"""Measures sdfwd: from add-port to flows, and from packet to record.

usage: daemon.py BUILD [WORKLOADS]

Prints medians and percentiles in milliseconds; asserts nothing.
"""
import base64
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import frames as f  # noqa: E402
from daemon import Sdfwd, until  # noqa: E402
from policy import make_lab, manifest  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
WORKLOADS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
SDFW = str(BUILD / "bin/sdfw")


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))]


def add_ports(lab):
    """A bridge full of internal ports, then some more, one by one."""
    path = f"{lab.dir}/big.xml"
    with open(path, "w") as stream:
        subprocess.run([str(BUILD / "tests/bench/topology"),
                        str(WORKLOADS // 10), "10",
                        str(WORKLOADS * 3 // 10)], stdout=stream, check=True)
    last = 20
    for first in range(0, WORKLOADS - last, 100):
        command = []
        for i in range(first, min(first + 100, WORKLOADS - last)):
            command += ["--", "add-port", "br0", f"p{i}", "--", "set",
                        "interface", f"p{i}", "type=internal"]
        lab.vsctl(*command)
    with Sdfwd(lab, path) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "pushed", 120)
        time.sleep(2)
        times, ovs = [], []
        for i in range(WORKLOADS - last, WORKLOADS):
            number = sdfwd.log().count("flows added")
            start = time.monotonic()
            lab.vsctl("add-port", "br0", f"p{i}", "--", "set", "interface",
                      f"p{i}", "type=internal")
            ovs.append((time.monotonic() - start) * 1000)
            until(lambda: sdfwd.log().count("flows added") > number, "pushed")
            times.append((time.monotonic() - start) * 1000)
            time.sleep(0.05)
    print(f"{WORKLOADS} workloads: from the start of ovs-vsctl add-port to the "
          f"push's log line: median {statistics.median(times):.0f} ms, most "
          f"{max(times):.0f} ms; of this ovs-vsctl itself "
          f"{statistics.median(ovs):.0f} ms")


def tell(lab, per_second, seconds):
    """New deviations at a steady rate: from the send to the line of JSON."""
    path = lab.file("m.xml", manifest())
    records = f"{lab.dir}/records-{per_second}.json"
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    with Sdfwd(lab, path, options=["--json", records,
                                   "--tuples", "60000"]) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "pushed")
        ports = range(1, per_second * seconds + 1)
        frames = [f.ether(web.mac, db.mac, 0x800, f.ipv4(
            web.address(), db.address(), 6,
            f.tcp(web.address(), db.address(), 40000, port, 2)))
            for port in ports]
        times = web.ask("inject_paced",
                        [base64.b64encode(x).decode() for x in frames],
                        per_second)
        sent = dict(zip(ports, times))
        rate = len(times) / (times[-1] - times[0])
        time.sleep(2)
        delays = []
        for line in open(records):
            record = json.loads(line)
            if record["event"] == "open" and record.get("dst_port") in sent:
                written = time.mktime(time.strptime(
                    record["time"][:19], "%Y-%m-%dT%H:%M:%S")) \
                    - time.timezone + float(record["time"][19:23])
                delays.append((written - sent[record["dst_port"]]) * 1000)
    print(f"{rate:.0f} new deviations/s for {seconds} s: {len(delays)} of "
          f"{len(sent)} told at once; from the send to the record: median "
          f"{statistics.median(delays):.1f} ms, p99 "
          f"{percentile(delays, 99):.1f} ms, most {max(delays):.1f} ms")


with make_lab(SDFW, push=False) as the_lab:
    tell(the_lab, 200, 5)
    tell(the_lab, 1000, 10)
    the_lab.unpush()
    add_ports(the_lab)
