"""The demonstration: a shop in three tiers, before and after the push.

usage: demo.py SDFW

Makes a private Open vSwitch, six workloads and a customer outside in network
namespaces, pushes docs/examples/shop.xml and tries real connections.  Then one
web server is taken over: sdfwd tells what it tries, and cuts it off.  The exit
status is 0 only if every connection went as the manifest says, and it was cut
off, alone, until it is released.
"""
import pathlib
import sys
import time

import frames
import lab
from daemon import Sdfwd, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOP = ROOT / "docs/examples/shop.xml"
WORKLOADS = [("web1", 0x0101, 11), ("web2", 0x0102, 12),
             ("app1", 0x0201, 21), ("app2", 0x0202, 22),
             ("db1", 0x0301, 31), ("db2", 0x0302, 32)]
PORTS = (22, 80, 443, 5432, 8080)

# Who, to whom, what, family, expected.
PROBES = [
    ("customer", "web1", 443, 4, True),
    ("customer", "web2", 80, 6, True),
    ("customer", "web1", "ping", 4, True),
    ("customer", "web1", 22, 4, False),
    ("customer", "app1", 8080, 4, False),
    ("customer", "db1", 5432, 6, False),
    ("web1", "app1", 8080, 4, True),
    ("web2", "app2", 8080, 6, True),
    ("web1", "app1", 22, 4, False),
    ("web1", "db1", 5432, 4, False),
    ("web1", "db2", 5432, 6, False),
    ("web1", "web2", 80, 4, False),
    ("app1", "db1", 5432, 4, True),
    ("app2", "db2", 5432, 6, True),
    ("app1", "web1", 80, 4, False),
    ("db1", "app1", 8080, 4, False),
    ("db2", "customer", 80, 4, False),
    ("app1", "db1", "ping", 4, False),
]


def mac(number):
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def build(the_lab):
    for name, number, last in WORKLOADS:
        the_lab.host(name, mac(number), f"10.77.0.{last}/24",
                     f"fd77::{last}/64")
    the_lab.host("customer", mac(0xff01), "10.77.0.200/24", "fd77::1c8/64")
    for host in the_lab.hosts.values():
        for port in PORTS:
            host.ask("listen", 4, port)
            host.ask("listen", 6, port)


def attempt(the_lab, who, whom, what, family):
    address = the_lab.hosts[whom].address(family)
    if what == "ping":
        return the_lab.hosts[who].ping(address)
    return the_lab.hosts[who].ask("tcp", address, what, 0.5)


def table(the_lab):
    print(f"  {'WHO':10}{'TO WHOM':10}{'WHAT':12}{'EXPECTED':10}"
          f"{'SEEN':10}")
    right = 0
    for who, whom, what, family, expected in PROBES:
        seen = attempt(the_lab, who, whom, what, family)
        right += seen == expected
        text = f"tcp/{what}" if isinstance(what, int) else what
        print(f"  {who:10}{whom:10}{text + ' v' + str(family):12}"
              f"{'open' if expected else 'closed':10}"
              f"{'open' if seen else 'closed':10}"
              f"{'ok' if seen == expected else 'WRONG'}")
    return right


def show(the_lab, *command, check=True):
    """Runs a command that a reader could type."""
    print("$", *(pathlib.Path(word).name if "/" in word else word
                 for word in command))
    done = the_lab.run(str(pathlib.Path(the_lab.sdfw).with_name(command[0])),
                       *command[1:], check=check)
    print(done.stdout, end="")
    return done


def scan(the_lab, who, whom):
    """What somebody tries who has taken over a workload."""
    source, target = the_lab.hosts[who], the_lab.hosts[whom]
    src, dst = source.address(), target.address()
    source.inject(*(frames.ether(source.mac, target.mac, 0x800, frames.ip(
        src, dst, 6, frames.tcp(src, dst, 40000, port, 2)))
        for port in range(1, 40)))


def conforms(the_lab, path):
    return the_lab.command("attest", "--bridge", "br0", path,
                           check=False).returncode == 0


def attack(the_lab):
    """web1 scans the database; returns whether only it was cut off."""
    path = the_lab.file("shop.xml", SHOP.read_text().replace(
        "</application>", '  <response count="10" within="10" '
        'quarantine="30"/>\n  </application>', 1))
    with Sdfwd(the_lab, path, options=["--interval", "1"]) as sdfwd:
        until(lambda: "flows added" in sdfwd.log(), "sdfwd is ready")
        print("Now web1 is taken over, and scans the database.  sdfwd says:")
        scan(the_lab, "web1", "db1")
        until(lambda: "is in quarantine until" in sdfwd.log(), "it acts")
        until(lambda: not attempt(the_lab, "web1", "app1", 8080, 4), "cut off")
        told = [line.split("|", 4)[4] for line in sdfwd.log().splitlines()
                if "|deviations|" in line]
        for line in (told[0], *(line for line in told if "scan" in line
                                or "response" in line)):
            print("  " + line)
        cut_off = not attempt(the_lab, "customer", "web1", 443, 4)
        serves = attempt(the_lab, "customer", "web2", 443, 4) \
            and attempt(the_lab, "web2", "app1", 8080, 4)
        print(f"\nThe customer {'no longer reaches' if cut_off else 'REACHES'}"
              f" web1; web2 {'goes on serving' if serves else 'IS CUT OFF'}.\n")
        show(the_lab, "sdfw", "attest", "--bridge", "br0", path, check=False)
        print()
        show(the_lab, "ovs-vsctl", "sdfw-release", "web1")
        until(lambda: attempt(the_lab, "web1", "app1", 8080, 4), "released")
        until(lambda: conforms(the_lab, path), "it is over", 20)
        show(the_lab, "sdfw", "attest", "--bridge", "br0", path)
        return cut_off and serves


def main():
    sdfw = str(pathlib.Path(sys.argv[1]).resolve())
    start = time.monotonic()
    with lab.Lab(sdfw) as the_lab:
        print("A switch, six workloads and a customer: ready in "
              f"{time.monotonic() - start:.1f} s.")
        build(the_lab)
        reached = sum(attempt(the_lab, *probe[:4]) for probe in PROBES)
        print(f"Without a policy, {reached} of {len(PROBES)} connections "
              "work.\n")
        print("$ sdfw push --bridge br0 shop.xml")
        print(the_lab.command("push", "--bridge", "br0", str(SHOP)).stdout)
        right = table(the_lab)
        print("\n$ sdfw show --bridge br0 shop.xml")
        print(the_lab.command("show", "--bridge", "br0", str(SHOP)).stdout)
        held = attack(the_lab)
        print(f"\n{right} of {len(PROBES)} as expected, the attacker "
              f"{'cut off' if held else 'NOT CUT OFF'}, and nobody else "
              f"({time.monotonic() - start:.0f} s)")
        return 0 if right == reached == len(PROBES) and held else 1


sys.exit(main())
