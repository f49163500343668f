"""Measures sdfwd: from add-port to flows.

usage: daemon.py BUILD [WORKLOADS]

Prints medians and percentiles in milliseconds; asserts nothing.
"""
import base64
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


def one_port(lab, sdfwd, host, sink):
    """Plugs a host in; milliseconds from the start of ovs-vsctl to its end,
    to the push's log line and, if 'sink' is not None, to the last packet that
    got there without policy, and from the first to the last of them."""
    number = sdfwd.log().count("flows added")
    if sink:
        marker = f"from {host.name}.".encode()
        counter = sink.ask("count", base64.b64encode(marker).decode())
        flood = host.ask("flood", base64.b64encode(f.ether(
            host.mac, sink.mac, 0x800, f.ipv4(
                host.address(), sink.address(), 17,
                f.udp(host.address(), sink.address(), 40000, 22,
                      marker)))).decode(), 1000)
        time.sleep(0.2)
    start = time.time()
    lab.plug(host)
    ovs = time.time()
    until(lambda: sdfwd.log().count("flows added") > number, "pushed")
    pushed = time.time()
    last = first = 0
    if sink:
        time.sleep(0.3)
        host.ask("end", flood)
        seen = sink.ask("end", counter)
        first, last = seen["first"] or start, seen["last"] or start
    time.sleep(1)
    return [(ovs - start) * 1000, (pushed - start) * 1000,
            (last - start) * 1000, (last - first) * 1000]


def add_ports(lab):
    """A bridge full of internal ports, then hosts, one by one."""
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
    sink = lab.host("sink", "02:00:ff:00:00:01", "10.99.0.1/8")
    hosts = [lab.host(f"p{i}", f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}",
                      f"10.0.{i + 1 >> 8}.{i + 1 & 255}/8", plug=False)
             for i in range(WORKLOADS - last, WORKLOADS)]
    with Sdfwd(lab, path) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "pushed", 120)
        time.sleep(2)
        quiet = [one_port(lab, sdfwd, host, None) for host in hosts[:10]]
        flooded = [one_port(lab, sdfwd, host, sink) for host in hosts[10:]]
    median = [statistics.median(times) for times in zip(*quiet)]
    print(f"{WORKLOADS} workloads: from the start of ovs-vsctl add-port to the "
          f"push's log line: median {median[1]:.0f} ms, most "
          f"{max(t[1] for t in quiet):.0f} ms; of this ovs-vsctl itself "
          f"{median[0]:.0f} ms; after it "
          f"{statistics.median(t[1] - t[0] for t in quiet):.0f} ms")
    median = [statistics.median(times) for times in zip(*flooded)]
    print(f"  the port sending 1,000 packets/s: log line {median[1]:.0f} ms, "
          f"of this ovs-vsctl {median[0]:.0f} ms; last packet that passed "
          f"without policy {median[2]:.0f} ms, {median[3]:.0f} ms after the "
          "first")


with make_lab(SDFW, push=False) as the_lab:
    add_ports(the_lab)
