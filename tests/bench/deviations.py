"""Measures how sdfwd tells of deviations: from packet to record and to
syslog, and what a flood costs.

usage: deviations.py BUILD

Prints medians and percentiles; asserts nothing.
"""
import base64
import json
import pathlib
import re
import socket
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import frames as f  # noqa: E402
from daemon import Sdfwd, until  # noqa: E402
from policy import HOSTS, SERVICES, make_lab, manifest  # noqa: E402
from test_deviations import deviating_packets  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
SDFW = str(BUILD / "bin/sdfw")
SOURCES = [f"web{i}" for i in range(1, 9)]


def make():
    hosts = dict(HOSTS)
    for i in range(3, 9):
        hosts[f"web{i}"] = (f"02:00:00:00:01:0{i}", f"10.7.0.{10 + i}/24",
                            f"fd07::1{i}/64")
    lab = make_lab(SDFW, push=False, hosts=hosts)
    lab.path = lab.file("m.xml", manifest(
        hosts=hosts, services=dict(SERVICES, web=SOURCES)))
    return lab


class Receiver(threading.Thread):
    """Takes syslog datagrams; when each port's record came."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.bind(("127.0.0.1", 0))
        self.lines = []
        self.start()

    def run(self):
        while True:
            data = self.socket.recv(65536)
            self.lines.append((time.time(), data))

    def times(self):
        found = {}
        for at, data in list(self.lines):
            key = re.search(rb' OPEN .*dst_port="(\d+)"'
                            rb'.*src_workload="(\w+)"', data)
            if key:
                found[key.group(2).decode(), int(key.group(1))] = at
        return found


def frame(source, target, port, protocol=6):
    s, d = source.address(), target.address()
    segment = f.tcp(s, d, 40000, port, 2) if protocol == 6 \
        else f.udp(s, d, 40000, port, b"x" * 64)
    return base64.b64encode(f.ether(source.mac, target.mac, 0x800, f.ipv4(
        s, d, protocol, segment))).decode()


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))]


def show(what, delays, of):
    print(f"  to the {what}: {len(delays)} of {of} at once; median "
          f"{statistics.median(delays):.1f} ms, p99 "
          f"{percentile(delays, 99):.1f} ms, p99.9 "
          f"{percentile(delays, 99.9):.1f} ms, most {max(delays):.1f} ms")


def send(lab, per_second, seconds):
    """From all sources at once; {(source, port): when it was sent}."""
    sent, db = {}, lab.hosts["db1"]

    def one(name):
        ports = range(10000, 10000 + per_second * seconds // len(SOURCES))
        times = lab.hosts[name].ask("inject_paced", [
            frame(lab.hosts[name], db, port) for port in ports],
            per_second / len(SOURCES))
        sent.update({(name, p): at for p, at in zip(ports, times)})
    threads = [threading.Thread(target=one, args=(n,)) for n in SOURCES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent


def tell(lab, per_second, seconds):
    records, receiver = f"{lab.dir}/records-{per_second}.json", Receiver()
    port = receiver.socket.getsockname()[1]
    with Sdfwd(lab, lab.path, options=[
            "--json", records, "--syslog", f"udp:127.0.0.1:{port}",
            "--tuples", "4096", "--alone", "99999"]) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "pushed")
        time.sleep(1)
        sdfwd_before, ovs_before = sdfwd.ticks(), vswitchd_ticks(lab)
        sent = send(lab, per_second, seconds)
        used = sdfwd.ticks() - sdfwd_before
        ovs_used = vswitchd_ticks(lab) - ovs_before
        time.sleep(2)
    rate = len(sent) / (max(sent.values()) - min(sent.values()))
    print(f"{rate:.0f} new deviations/s of {len(SOURCES)} workloads for "
          f"{seconds} s; CPU of sdfwd {used / seconds:.0f} %, of ovs-vswitchd "
          f"{ovs_used / seconds:.0f} %; from the send")
    delays = []
    for line in open(records):
        r = json.loads(line)
        key = r.get("src", {}).get("workload"), r.get("dst_port")
        if r["event"] == "open" and key in sent:
            written = time.mktime(time.strptime(
                r["time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone \
                + float(r["time"][19:23])
            delays.append((written - sent[key]) * 1000)
    show("record", delays, len(sent))
    arrived = receiver.times()
    show("syslog receiver", [(arrived[k] - sent[k]) * 1000
                             for k in sent if k in arrived], len(sent))


def vswitchd_ticks(lab):
    stat = pathlib.Path(f"/proc/{lab.vswitchd.pid}/stat").read_text()
    fields = stat.rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def flood(lab, tuples, what):
    """As fast as one source can for ten seconds."""
    source, db = lab.hosts["web1"], lab.hosts["db1"]
    with Sdfwd(lab, lab.path) as sdfwd:
        until(lambda: "flows added" in sdfwd.log()
              or "connected" in sdfwd.log(), "pushed")
        time.sleep(1)
        before, ticks = deviating_packets(lab), sdfwd.ticks()
        frames = [frame(source, db, 1 + n, 17) for n in range(tuples)]
        number = source.ask("flood", frames, 200000)
        time.sleep(10)
        source.ask("end", number)
        time.sleep(1.5)
        packets = deviating_packets(lab) - before
        print(f"flood of {what}: {packets / 10:.0f} deviating packets/s; "
              f"sdfwd: CPU {(sdfwd.ticks() - ticks) / 10:.1f} %, "
              f"{sdfwd.resident_bytes() >> 20} MiB")


with make() as the_lab:
    tell(the_lab, 200, 5)
    tell(the_lab, 1000, 10)
with make() as the_lab:
    flood(the_lab, 1, "one tuple")
with make() as the_lab:
    flood(the_lab, 60000, "60,000 tuples")
