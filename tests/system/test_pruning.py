"""Two bridges with a cable between them: each has only the flows that its own
workloads need, and what a link allows, and nothing else, passes from end to
end."""
import frames as f
from daemon import Sdfwd, until
from lab import Lab
from policy import HOSTS, manifest

HERE, THERE = ("web1", "out1"), ("web2", "app1", "db1", "out2")
PORTS = (80, 5432, 8080)


class Pair:
    """'near' and 'far', and the hosts of both."""

    def __init__(self, sdfw):
        self.near = Lab(sdfw)
        try:
            self.far = Lab(sdfw)
        except BaseException:
            self.near.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.far.close()
        self.near.close()


def lab(sdfw):
    pair = Pair(sdfw)
    try:
        plug(pair)
    except BaseException:
        pair.__exit__()
        raise
    return pair


def plug(pair):
    near, far = pair.near, pair.far
    near.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable",
            "netns", far.ns)
    for side, names in ((near, HERE), (far, THERE)):
        side.exec("ethtool", "-K", "cable", "tx", "off")
        side.ip("link", "set", "cable", "up")
        side.vsctl("add-port", "br0", "cable")
        for name in names:
            mac, *addresses = HOSTS[name]
            side.host(name, mac, *addresses)
    pair.hosts = {**near.hosts, **far.hosts}
    for host in pair.hosts.values():
        for family in (4, 6):
            for port in (22, *PORTS):
                host.ask("listen", family, port)


def push(pair, text):
    for side in (pair.near, pair.far):
        side.push(text, "--adopt=0")


def end_of(name, family):
    """As sdfw trace wants it."""
    return f"shop/{name[:-1]}/{name}" if not name.startswith("out") \
        else HOSTS[name][1 if family == 4 else 2].split("/")[0]


def test_links_across(pair):
    """every TCP connection between the two bridges, and on one, opens if and
    only if the manifests say so"""
    push(pair, manifest())
    path = pair.near.file("m.xml", manifest())
    n_open = 0
    for who in HOSTS:
        for whom in HOSTS:
            if who == whom or (who.startswith("out")
                               and whom.startswith("out")):
                continue
            for family in (4, 6):
                for port in PORTS:
                    allowed = pair.near.command(
                        "trace", path, end_of(who, family),
                        end_of(whom, family), "tcp", str(port),
                        check=False).returncode == 0
                    seen = pair.hosts[who].ask(
                        "tcp", pair.hosts[whom].address(family), port,
                        1 if allowed else 0.1)
                    assert seen == allowed, (who, whom, family, port, seen)
                    n_open += seen
    assert n_open == 2 * (2 * 2 + 2 + 1), n_open


def test_what_is_left_out(pair):
    """a bridge has no flows for a link that has no end there, and show says
    so"""
    push(pair, manifest())
    path = pair.near.file("m.xml", manifest())
    shown = pair.near.command("show", "--bridge", "br0", path).stdout
    assert "shop/app -> shop/db" not in shown, shown
    assert "and 1 link without an end here" in shown, shown
    assert "as the topology says" in shown, shown
    shown = pair.far.command("show", "--bridge", "br0", path).stdout
    assert "shop/app -> shop/db" in shown and "without" not in shown, shown
    for name, known in (("web1", True), ("app1", True), ("db1", False)):
        parts = HOSTS[name][1].split("/")[0].split(".")
        number = "".join(f"{int(part):02x}" for part in parts).lstrip("0")
        assert known == any("table=126" in flow and f"reg11=0x{number}"
                            in flow for flow in pair.near.our_flows()), name


def test_spoofed(pair):
    """a workload cannot use the address of one whom its bridge does not
    know"""
    push(pair, manifest())
    web, app = pair.hosts["web1"], pair.hosts["app1"]

    def gre(source, text):
        return f.ether(web.mac, app.mac, 0x0800, f.ipv4(
            source, app.address(), 47, text))
    with app.sniff() as seen:
        web.inject(gre(web.address(), b"honest"),
                   gre(pair.hosts["db1"].address(), b"spoofed"))
    assert seen.saw(b"honest") and not seen.saw(b"spoofed")


def test_told(pair):
    """sdfwd agrees with a push, and names a workload that its bridge does not
    know, when somebody tries to reach it"""
    push(pair, manifest())
    path = pair.near.file("m.xml", manifest())
    with Sdfwd(pair.near, path) as sdfwd:
        until(lambda: "connected (datapath" in sdfwd.log(), "it hears")
        assert "nothing to change" in pair.near.command(
            "push", "--bridge", "br0", path).stdout
        assert not pair.hosts["web1"].ask(
            "tcp", pair.hosts["db1"].address(), 5432, 0.2)
        until(lambda: "no-link dropped: shop/web/web1 (10.7.0.11) -> "
              "shop/db/db1 (10.7.0.31) tcp/5432; nearest: " in sdfwd.log(),
              f"it is told: {sdfwd.log()}")


def test_moves(pair):
    """a workload that moves to the other bridge takes its part of the policy
    with it"""
    push(pair, manifest())
    before = len(pair.near.our_flows())
    host = pair.far.hosts["db1"]
    pair.far.unplug(host)
    pair.far.ip("link", "set", host.port, "netns", pair.near.ns)
    pair.near.ip("link", "set", host.port, "up")
    pair.near.plug(host)
    try:
        push(pair, manifest())
        assert len(pair.near.our_flows()) > before
        app = pair.hosts["app1"]
        assert app.ask("tcp", host.address(), 5432, 1)
        assert not app.ask("tcp", host.address(), 22, 0.2)
        assert not pair.hosts["web1"].ask("tcp", host.address(), 5432, 0.2)
    finally:
        pair.near.unplug(host)
        pair.near.ip("link", "set", host.port, "netns", pair.far.ns)
        pair.far.ip("link", "set", host.port, "up")
        pair.far.plug(host)
