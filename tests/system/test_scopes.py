"""Modes, applications, segments, and those who are not managed."""
import frames as f
from policy import HOSTS, LINKS, make_lab, manifest

TENANTS = {
    "red1": ("02:00:00:00:0a:01", "10.9.0.1/24", "fd09::1/64"),
    "red2": ("02:00:00:00:0a:02", "10.9.0.2/24", "fd09::2/64"),
    "blue1": ("02:00:00:00:0b:01", "10.9.0.1/24", "fd09::1/64"),
    "blue2": ("02:00:00:00:0b:02", "10.9.0.2/24", "fd09::2/64"),
}


def lab(sdfw):
    the_lab = make_lab(sdfw)
    for name in ("web1", "app1", "db1", "out1", "out2"):
        for family in (4, 6):
            for port in (80, 5432, 8080):
                the_lab.hosts[name].ask("listen", family, port)
    return the_lab


def opens(lab, who, whom, port, family=4):
    return lab.hosts[who].ask("tcp", lab.hosts[whom].address(family), port,
                              0.4)


def test_audit_passes(lab):
    """audit and learn pass what no link allows, in both directions"""
    for mode in ("audit", "learn"):
        lab.push(manifest(mode=mode))
        for family in (4, 6):
            assert opens(lab, "web1", "db1", 5432, family), mode
            assert opens(lab, "web1", "app1", 8080, family), mode
            assert opens(lab, "db1", "out1", 80, family), mode
    lab.push(manifest())
    assert not opens(lab, "web1", "db1", 5432)


def test_audit_spoof(lab):
    """audit passes a second address that the manifest does not know"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    frame = f.ether(web.mac, app.mac, 0x0800, f.ipv4(
        "10.7.0.77", app.address(), 17,
        f.udp("10.7.0.77", app.address(), 1, 2, b"second-address")))
    for mode, expected in (("audit", True), ("enforce", False)):
        lab.push(manifest(mode=mode))
        with app.sniff() as sniffer:
            web.inject(frame)
        assert sniffer.saw(b"second-address") == expected, mode


def test_at(lab):
    """links hold as of --at, on a bridge as without"""
    bounded = manifest(LINKS.replace(
        'to="db">', 'to="db" not-after="2099-01-01T00:00:00Z">'))
    after = "--at=2099-01-01T00:00:01Z"
    lab.push(bounded)
    assert opens(lab, "app1", "db1", 5432)
    path = lab.file("bounded.xml", bounded)
    plan = ("plan", "--bridge", lab.bridge, path)
    assert lab.command(*plan, check=False).returncode == 0
    assert lab.command(*plan, after, check=False).returncode == 2
    lab.push(bounded, after)
    assert not opens(lab, "app1", "db1", 5432)
    assert lab.command(*plan, after, check=False).returncode == 0
    trace = lab.command("trace", "--bridge", lab.bridge, after, path,
                        "shop/app", "shop/db", "tcp", "5432", check=False)
    assert trace.returncode == 4, trace.stdout
    lab.push(manifest())


def test_either_end(lab):
    """traffic is dropped if either end enforces"""
    lab.push(manifest(mode="audit", modes={"db": "enforce"}))
    assert not opens(lab, "web1", "db1", 5432)
    assert not opens(lab, "db1", "app1", 8080)
    assert opens(lab, "app1", "db1", 5432)
    assert opens(lab, "app1", "web1", 80)


def test_mode_change(lab):
    """going from audit to enforce cuts what no link allows, and nothing
    else"""
    lab.push(manifest(mode="audit"))
    bad = lab.hosts["web1"].ask("connect", lab.hosts["db1"].address(), 5432)
    good = lab.hosts["web1"].ask("connect", lab.hosts["app1"].address(), 8080)
    lab.push(manifest())
    assert lab.hosts["web1"].ask("talk", bad, "hi", 0.5) is None
    assert lab.hosts["web1"].ask("talk", good, "hi", 0.5) == "hi"


def test_unmanaged(lab):
    """unmanaged ports keep the behaviour that they had, broadcast too"""
    a, b = lab.hosts["out1"], lab.hosts["out2"]
    for family in (4, 6):
        assert opens(lab, "out1", "out2", 80, family)
    for ethertype, dst in ((0x88b5, f.BROADCAST), (0x88b5, b.mac),
                           (0x0800, f.BROADCAST)):
        with b.sniff() as sniffer:
            a.inject(f.ether(a.mac, dst, ethertype, b"unmanaged-frame"))
        assert sniffer.saw(b"unmanaged-frame")


def test_foreign_flows(lab):
    """flows of others stay and keep working"""
    lab.ofctl("add-flow", "br0",
              "priority=40000,ip,nw_proto=17,tp_dst=6666,cookie=0x77,"
              "actions=drop")
    lab.push(manifest(LINKS.replace("5432", "5433")))
    lab.push(manifest())
    assert "cookie=0x77" in lab.ofctl("dump-flows", "br0").stdout
    out = lab.hosts["out2"]
    out.ask("listen", 4, 6666, True)
    out.ask("listen", 4, 6667, True)
    assert lab.hosts["out1"].ask("udp", out.address(), 6667)
    assert not lab.hosts["out1"].ask("udp", out.address(), 6666, 5, 0.3)
    lab.ofctl("del-flows", "br0", "cookie=0x77/-1")


def two_applications(accept):
    web, db = HOSTS["web1"], HOSTS["db1"]
    from policy import workload
    return f"""<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
      <application name="shop"><service name="web">{workload("web1", web)}
        </service><link from="web" to="ledger/db"><tcp port="5432"/></link>
      </application>
      <application name="ledger"><service name="db">{workload("db1", db)}
        </service>{accept}</application></manifest>"""


def test_accept(lab):
    """a link between applications needs both sides"""
    refused = lab.push(two_applications(""), check=False)
    assert refused.returncode == 1 and "<accept" in refused.stderr
    lab.push(two_applications('<accept from="shop/web" to="db"/>'))
    assert opens(lab, "web1", "db1", 5432)
    lab.push(manifest())


def tenants(kind):
    from policy import workload
    text = '<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">'
    for number, name in enumerate(("red", "blue")):
        vlan = f' vlan="{10 + number}"' if kind == "vlan" else ""
        text += f'<segment name="{name}"{vlan}/>' \
            f'<application name="{name}" segment="{name}">' \
            f'<service name="one">{workload(name + "1", TENANTS[name + "1"])}' \
            f'</service><service name="two">' \
            f'{workload(name + "2", TENANTS[name + "2"])}</service>' \
            '<link from="one" to="two"><tcp port="80"/></link></application>'
    return text + "</manifest>"


def check_tenants(lab):
    for family in (4, 6):
        for name in ("red", "blue"):
            assert opens(lab, name + "1", name + "2", 80, family), name
            assert not opens(lab, name + "2", name + "1", 80, family), name


def test_isolated_segments(lab):
    """overlapping addresses in two isolated segments do not see each other"""
    for name, (mac, *addresses) in TENANTS.items():
        host = lab.host(name, mac, *addresses)
        for family in (4, 6):
            host.ask("listen", family, 80)
    lab.push(tenants("isolated"))
    check_tenants(lab)
    assert not leaks(lab, "blue2", "out1")


def leaks(lab, *names):
    """Which of these does what red1 sends reach?"""
    red, blue = lab.hosts["red1"], lab.hosts["blue2"]
    sniffers = [lab.hosts[name].sniff() for name in names]
    for sniffer in sniffers:
        sniffer.__enter__()
    red.inject(f.ether(red.mac, blue.mac, 0x0800, f.ipv4(
        red.address(), blue.address(), 6,
        f.tcp(red.address(), blue.address(), 40000, 80, 2))))
    red.inject(f.ether(red.mac, f.BROADCAST, 0x0806, f.arp(
        1, red.mac, red.address(), f.BROADCAST, blue.address())))
    for sniffer in sniffers:
        sniffer.__exit__()
    return [s.host.name for s in sniffers if s.saw(f.mac_bytes(red.mac))]


def test_vlan_segments(lab):
    """... nor in two VLANs"""
    refused = lab.push(tenants("vlan"), check=False)
    assert refused.returncode == 3 and "ovs-vsctl set port" in refused.stderr
    for name in TENANTS:
        lab.vsctl("set", "port", name, f"tag={10 + name.startswith('b')}")
    lab.push(tenants("vlan"))
    check_tenants(lab)
    # The ARP request leaves tagged, on the trunk.
    assert leaks(lab, "blue2", "out1") == ["out1"]


def test_vlan_outside(lab):
    """a VLAN segment reaches its network through a trunk, tagged"""
    text = tenants("vlan").replace(
        "</manifest>", "").replace(
        '<application name="red"',
        '<network name="far" segment="red"><prefix>10.9.0.128/25</prefix>'
        '</network><application name="red"', 1).replace(
        '<link from="one"', '<link from="far" to="two"><tcp port="80"/></link>'
        '<link from="two" to="far"><udp port="53"/></link><link from="one"',
        1) + "</manifest>"
    lab.push(text)
    out, red = lab.hosts["out1"], lab.hosts["red2"]
    packet = f.ipv4("10.9.0.200", red.address(), 6,
                    f.tcp("10.9.0.200", red.address(), 40000, 80, 2))
    for vlan, expected in ((10, True), (11, False), (None, False)):
        with red.sniff() as sniffer:
            out.inject(f.ether(out.mac, red.mac, 0x0800, packet, vlan=vlan))
        assert sniffer.saw(packet) == expected, vlan
    packet = f.ipv4(red.address(), "10.9.0.200", 17,
                    f.udp(red.address(), "10.9.0.200", 40000, 53, b"query"))
    with out.sniff() as sniffer:
        red.inject(f.ether(red.mac, out.mac, 0x0800, packet))
    assert any(b"query" in x for x in sniffer.frames)
