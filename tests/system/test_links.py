"""What links allow, and that they allow nothing else."""
import frames as f
from policy import make_lab


def lab(sdfw):
    the_lab = make_lab(sdfw)
    for host in the_lab.hosts.values():
        for family in (4, 6):
            for port in (22, 80, 5432, 8080, 8999, 9000, 9005, 9009, 9010):
                host.ask("listen", family, port)
            for port in (53, 5300):
                host.ask("listen", family, port, True)
    return the_lab


def opens(lab, who, whom, port, family):
    return lab.hosts[who].ask("tcp", lab.hosts[whom].address(family), port,
                              0.4)


def both(lab, who, whom, port, expected):
    for family in (4, 6):
        seen = opens(lab, who, whom, port, family)
        assert seen == expected, f"{who} {whom} {port} IPv{family}: {seen}"


def test_allowed_ports(lab):
    """a web replica reaches app on each port that the link names"""
    for port in (8080, 9000, 9005, 9009):
        both(lab, "web1", "app1", port, True)
    both(lab, "web2", "app1", 8080, True)
    both(lab, "app1", "db1", 5432, True)


def test_other_ports(lab):
    """a web replica reaches app on no other port, also at a range's borders"""
    for port in (22, 80, 8999, 9010):
        both(lab, "web1", "app1", port, False)


def test_no_transitivity(lab):
    """web does not reach db, nor web the other replica"""
    both(lab, "web1", "db1", 5432, False)
    both(lab, "web1", "web2", 80, False)


def test_direction(lab):
    """a link opens one direction only"""
    both(lab, "app1", "web1", 8080, False)
    both(lab, "db1", "app1", 5432, False)


def test_outside(lab):
    """the outside reaches web on 80, and nobody else"""
    both(lab, "out1", "web1", 80, True)
    both(lab, "out1", "web1", 22, False)
    both(lab, "out1", "app1", 8080, False)
    both(lab, "out2", "db1", 5432, False)
    both(lab, "web1", "out1", 80, False)


def test_udp(lab):
    """UDP works where a link says so, and only there"""
    for family in (4, 6):
        app = lab.hosts["app1"].address(family)
        assert lab.hosts["web1"].ask("udp", app, 5300)
        assert not lab.hosts["web1"].ask("udp", app, 53, 5, 0.3)
        assert not lab.hosts["db1"].ask("udp", app, 5300, 5, 0.3)


def test_ping(lab):
    """echo requests pass where a link says so, and only there"""
    for family in (4, 6):
        assert lab.hosts["out1"].ping(lab.hosts["web1"].address(family))
        assert lab.hosts["web1"].ping(lab.hosts["app1"].address(family))
        assert not lab.hosts["app1"].ping(lab.hosts["web1"].address(family))
        assert not lab.hosts["out1"].ping(lab.hosts["db1"].address(family))


def delivered(lab, who, whom, protocol, payload, marker, family=4):
    a, b = lab.hosts[who], lab.hosts[whom]
    packet = f.ip(a.address(family), b.address(family), protocol, payload)
    with b.sniff() as sniffer:
        a.inject(f.ether(a.mac, b.mac, f.ethertype(a.address(family)),
                         packet))
    return sniffer.saw(marker)


def test_sctp(lab):
    """SCTP works where a link says so, and only there"""
    for family in (4, 6):
        assert delivered(lab, "web1", "app1", 132,
                         f.sctp_init(40000, 3868, b"sctp-yes"), b"sctp-yes",
                         family)
        assert not delivered(lab, "web1", "app1", 132,
                             f.sctp_init(40001, 3869, b"sctp-no."),
                             b"sctp-no.", family)


def test_raw_protocol(lab):
    """another IP protocol passes by its number, and no other does"""
    for family in (4, 6):
        assert delivered(lab, "web1", "app1", 47, b"\0\0\x08\0gre-yes",
                         b"gre-yes", family)
        assert not delivered(lab, "db1", "app1", 47, b"\0\0\x08\0gre-no",
                             b"gre-no", family)
        assert not delivered(lab, "web1", "app1", 50, b"\0\0\0\1esp-no",
                             b"esp-no", family)


def test_icmp_types(lab):
    """other ICMP types than the link's are dropped"""
    assert not delivered(lab, "web1", "app1", 1,
                         f.icmp(13, 0, b"\0\1\0\1" + b"timestmp" * 2),
                         b"timestmp")
    assert not delivered(lab, "web1", "app1", 1,
                         f.icmp(0, 0, b"\0\1\0\1unasked-for"), b"unasked-for")


def test_icmp_errors(lab):
    """a port unreachable for an allowed flow comes back, an invented one
    does not"""
    for family in (4, 6):
        web, app = lab.hosts["web1"], lab.hosts["app1"]
        number = web.ask("open_udp", 40000 + family, family)
        with web.sniff() as sniffer:
            # Nothing listens on this one: the kernel answers by ICMP.
            app.exec("true")
            web.ask("send", number, "to-nobody", app.address(family), 5300)
        web.ask("close", number)
        assert not any(b"unreach" in x for x in sniffer.frames)
    closed = lab.host("app9", "02:00:00:00:02:09", "10.7.0.29/24",
                      "fd07::29/64")
    from policy import HOSTS, SERVICES, manifest
    hosts = dict(HOSTS, app9=(closed.mac, *closed.addresses))
    services = dict(SERVICES, app=("app1", "app9"))
    lab.push(manifest(services=services, hosts=hosts))
    for family, protocol, kind in ((4, 1, 3), (6, 58, 1)):
        web = lab.hosts["web1"]
        number = web.ask("open_udp", 41000 + family, family)
        with web.sniff() as sniffer:
            web.ask("send", number, "to-nobody", closed.address(family), 5300)
        web.ask("close", number)
        assert any(frame[23 if family == 4 else 20] == protocol
                   and b"to-nobody" in frame for frame in sniffer.frames), \
            f"no ICMP error for IPv{family}"
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    inner = f.ipv4(web.address(), db.address(), 17,
                   f.udp(web.address(), db.address(), 1, 2, b"invented"))
    assert not delivered(lab, "db1", "web1", 1,
                         f.icmp(3, 3, b"\0\0\0\0" + inner), b"invented")


def test_fragments(lab):
    """datagrams larger than a frame pass where a link says so"""
    for family in (4, 6):
        app = lab.hosts["app1"].address(family)
        assert lab.hosts["web1"].ask("udp", app, 5300, 4000, 1.5)
        assert not lab.hosts["web1"].ask("udp", app, 53, 4000, 0.4)


def test_fragment_tricks(lab):
    """later fragments without an allowed first one do not arrive"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    packet = f.ipv4(web.address(), app.address(), 17, b"late-fragment...",
                    fragment=100, identification=77)
    with app.sniff() as sniffer:
        web.inject(f.ether(web.mac, app.mac, 0x0800, packet))
    assert not sniffer.saw(b"late-fragment")
