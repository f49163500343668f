"""Measures check, compile, diff and push beside ovs-ofctl replace-flows.

usage: bench.py BUILD [WORKLOADS...]

Prints medians of some runs in milliseconds, and ratios; asserts nothing, for
machines differ.  Everything of a line is measured in one run on a private
Open vSwitch.  sdfw's times include reading and checking the XML; those of
ovs-ofctl include reading the same flows as text.
"""
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from lab import Lab  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
SIZES = [int(n) for n in sys.argv[2:]] or [100, 1000, 10000, 100000]
SDFW = str(BUILD / "bin/sdfw")
PORTS = 60000


def timed(command, env, ok=(0,), repeat=3, before=None):
    times = []
    for _ in range(repeat):
        if before:
            before()
        start = time.monotonic()
        done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        times.append((time.monotonic() - start) * 1000)
        if done.returncode not in ok:
            raise SystemExit(f"{command}: {done.stderr}")
    return statistics.median(times)


def write(path, text):
    with open(path, "w") as stream:
        stream.write(text)
    return path


def generate(the_lab, name, services, replicas, links):
    path = f"{the_lab.dir}/{name}"
    with open(path, "w") as stream:
        subprocess.run([str(BUILD / "tests/bench/topology"), str(services),
                        str(replicas), str(links)], stdout=stream, check=True)
    return path


def one_size(n):
    services = max(1, n // 10)
    links = max(1, n * 3 // 10)
    with Lab(SDFW) as lab:
        full = generate(lab, "full.xml", services, 10, links)
        # One workload in a hundred is not there.
        lines = open(full).read().splitlines(keepends=True)
        part = write(f"{lab.dir}/part.xml", "".join(
            line for i, line in enumerate(lines)
            if not ("<workload" in line and i % 100 == 7)))
        names = [line.split('"')[1] for line in lines if "<workload" in line]
        ports = {}
        for i, name in enumerate(names[:PORTS]):
            ports[f"bench/s{i // 10}/{name}"] = i + 1
        files = {}
        for manifest in (full, part):
            there = set(line.split('"')[1] for line in open(manifest)
                        if "<workload" in line)
            files[manifest] = write(manifest + ".ports", "".join(
                f"{path} {port}\n" for path, port in ports.items()
                if path.rsplit("/", 1)[1] in there))
            with open(manifest + ".flows", "w") as stream:
                subprocess.run([SDFW, "compile", "--quiet", "--ports",
                                files[manifest], manifest], stdout=stream,
                               check=True)
        flows = sum("actions=" in line for line in open(full + ".flows"))
        repeat = 5 if n < 100000 else 3

        def sdfw(manifest):
            return [SDFW, "push", "--quiet", "--adopt=0", "--timeout=120",
                    "--bridge", "br0", "--ports", files[manifest], manifest]

        def ofctl(manifest):
            return ["ovs-ofctl", "-O", "OpenFlow14", "--bundle",
                    "replace-flows", "br0", manifest + ".flows"]

        def clear():
            lab.ofctl("del-flows", "br0")

        def state(command):
            return lambda: subprocess.run(command, env=lab.env, check=True,
                                          capture_output=True)

        check = timed([SDFW, "check", "--quiet", full], lab.env,
                      repeat=repeat)
        text = timed([SDFW, "compile", "--quiet", full], lab.env,
                     repeat=repeat)
        print(f"{n} workloads, {services} services, {links} links: "
              f"{flows} flows")
        print(f"  check {check:.0f} ms; compile and print {text:.0f} ms; "
              f"most memory of a child so far "
              f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}"
              " MB")
        print(f"  {'':24}{'sdfw push':>12}{'replace-flows':>16}"
              f"{'ratio':>8}")
        for what, first, then in (
                ("onto nothing", None, full),
                ("nothing changed", full, full),
                ("1 % of workloads new", part, full)):
            times = []
            for make in (sdfw, ofctl):
                before = state(make(first)) if first else clear
                if first == then:
                    before()
                    before = None
                times.append(timed(make(then), lab.env, repeat=repeat,
                                   before=before))
            print(f"  {what:24}{times[0]:9.0f} ms{times[1]:13.0f} ms"
                  f"{times[0] / times[1]:8.2f}", flush=True)


for size in SIZES:
    one_size(size)
