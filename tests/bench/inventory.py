"""Measures a push to ten bridges over TLS: one after the other, and at once.

usage: inventory.py BUILD [WORKLOADS]

Prints medians of some runs in milliseconds, and ratios; asserts nothing, for
machines differ.  All hosts share this machine's cores, so what is gained is
what a push waits for; hosts of their own gain more.
"""
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from fleet import Fleet  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
WORKLOADS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
SDFW = str(BUILD / "bin/sdfw")
HOSTS, REPEAT = 10, 5


def add_ports(fleet):
    """Workload i is on host i modulo ten."""
    for number, lab in enumerate(fleet.labs):
        command = []
        for i in range(number, WORKLOADS, HOSTS):
            command += ["--", "add-port", "br0", f"p{i}", "--", "set",
                        "interface", f"p{i}", "type=patch",
                        f"options:peer=q{i}"]
        lab.vsctl(*command[1:])


def manifest(fleet):
    services = max(1, WORKLOADS // 10)
    return fleet.file("m.xml", subprocess.run(
        [str(BUILD / "tests/bench/topology"), str(services), "10",
         str(3 * services)], capture_output=True, text=True,
        check=True).stdout)


def timed(fleet, before, commands):
    times = []
    for _ in range(REPEAT):
        before()
        start = time.monotonic()
        for command in commands:
            done = fleet.command(*command)
            if done.returncode:
                raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
        times.append((time.monotonic() - start) * 1000)
    return statistics.median(times)


def measure(fleet, path, endpoints):
    """'endpoints' are those of OpenFlow and of OVSDB, by host."""
    inventory = fleet.inventory(*(
        fleet.host(i, openflow=openflow, db=db)
        for i, (openflow, db) in enumerate(endpoints, 1)))
    push = ["push", "--quiet", "--adopt=0", "--inventory", inventory]
    tls = ["--private-key", f"{fleet.dir}/push-privkey.pem",
           "--certificate", f"{fleet.dir}/push-cert.pem", "--ca-cert",
           f"{fleet.dir}/pki/switchca/cacert.pem"]
    ways = (("one command a host",
             [["push", "--quiet", "--adopt=0", "--bridge", openflow, "--db",
               db, *tls, path] for openflow, db in endpoints]),
            ("--parallel=1", [[*push, "--parallel=1", path]]),
            ("--parallel=16", [[*push, path]]))

    def clear():
        for lab in fleet.labs:
            lab.ofctl("del-flows", "br0")

    for what, before in (("onto nothing", clear),
                         ("nothing changed", lambda: None)):
        times = [timed(fleet, before, commands) for _, commands in ways]
        print(f"  {what:16}" + "; ".join(
            f"{name} {t:.0f} ms" for (name, _), t in zip(ways, times))
            + f"; at once in {times[2] / times[1]:.2f} of the time of one "
            f"after the other, {times[2] / times[0]:.2f} of one command a "
            "host", flush=True)


def main():
    with Fleet(SDFW, HOSTS) as fleet:
        add_ports(fleet)
        path = manifest(fleet)
        near = [(f"ssl:{lab.address}:6653", f"ssl:{lab.address}:6640")
                for lab in fleet.labs]
        far = [(fleet.slow(7000 + i, i, 0.01), fleet.slow(8000 + i, i, 0.01,
                                                          6640))
               for i in range(1, HOSTS + 1)]
        print(f"{WORKLOADS} workloads on {HOSTS} bridges, over TLS")
        measure(fleet, path, near)
        flows = [len(lab.our_flows()) for lab in fleet.labs]
        print(f"  flows of a bridge: {min(flows)} to {max(flows)}")
        print("... and with 10 ms of way between them")
        measure(fleet, path, far)


main()
