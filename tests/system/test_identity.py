"""Who one claims to be: ARP, ND, DHCP, sources; and frames that try to get
around the policy."""
import struct

import frames as f
from policy import HOSTS, LINKS, make_lab, manifest

STRANGER = "02:00:00:00:ee:ee"


def lab(sdfw):
    return make_lab(sdfw)


def arrives(who, frame, *whom, marker):
    """Which of 'whom' get a frame with the marker?"""
    sniffers = [host.sniff() for host in whom]
    for sniffer in sniffers:
        sniffer.__enter__()
    who.inject(frame)
    for sniffer in sniffers:
        sniffer.__exit__()
    return [s.host.name for s in sniffers if s.saw(marker)]


def hosts(lab, *names):
    return [lab.hosts[name] for name in names]


def datagram(src, dst, port, marker, family, src_mac=None, dst_mac=None,
             src_address=None, dst_address=None, **options):
    s = src_address or src.address(family)
    d = dst_address or dst.address(family)
    return f.ether(src_mac or src.mac, dst_mac or dst.mac, f.ethertype(s),
                   f.ip(s, d, 17, f.udp(s, d, 40000, port, marker)),
                   **options)


def test_honest(lab):
    """an honest datagram arrives (or the tests below would show nothing)"""
    web, app = hosts(lab, "web1", "app1")
    for family in (4, 6):
        marker = b"honest-%d" % family
        assert arrives(web, datagram(web, app, 5300, marker, family), app,
                       marker=marker)


def test_arp_resolves(lab):
    """ARP and ND work between those who may talk"""
    web, app = hosts(lab, "web1", "app1")
    web.ip("neigh", "flush", "all")
    assert web.ping(app.address(4)) and web.ping(app.address(6))


def test_arp_spoof(lab):
    """ARP with another's IP or MAC is dropped"""
    web, app, db, out = hosts(lab, "web1", "app1", "db1", "out1")
    for sha, spa, src in ((web.mac, db.address(), web.mac),
                          (db.mac, web.address(), web.mac),
                          (web.mac, web.address(), db.mac),
                          (STRANGER, web.address(), web.mac),
                          (web.mac, "10.7.0.99", web.mac)):
        for op in (1, 2):
            packet = f.arp(op, sha, spa, app.mac, app.address())
            for dst in (f.BROADCAST, app.mac):
                assert not arrives(web, f.ether(src, dst, 0x0806, packet),
                                   app, out, marker=packet), (sha, spa, src)
    honest = f.arp(1, web.mac, web.address(), f.BROADCAST, app.address())
    assert arrives(web, f.ether(web.mac, f.BROADCAST, 0x0806, honest), app,
                   marker=honest) == ["app1"]


def test_arp_spoof_outside(lab):
    """a host outside cannot claim a workload's IP or MAC by ARP"""
    out, web, app = hosts(lab, "out1", "web1", "app1")
    for sha, spa, src in ((out.mac, app.address(), out.mac),
                          (app.mac, out.address(), out.mac),
                          (out.mac, out.address(), app.mac)):
        packet = f.arp(2, sha, spa, web.mac, web.address())
        assert not arrives(out, f.ether(src, web.mac, 0x0806, packet), web,
                           marker=packet)
    honest = f.arp(2, out.mac, out.address(), web.mac, web.address())
    assert arrives(out, f.ether(out.mac, web.mac, 0x0806, honest), web,
                   marker=honest)


def test_gratuitous_arp(lab):
    """gratuitous ARP reaches everyone, from workloads and from outside"""
    out, web, app = hosts(lab, "out1", "web1", "app1")
    for host, others in ((out, (web, app)), (web, (app, out))):
        packet = f.arp(1, host.mac, host.address(), f.BROADCAST,
                       host.address())
        frame = f.ether(host.mac, f.BROADCAST, 0x0806, packet)
        assert len(arrives(host, frame, *others, marker=packet)) == 2


def test_nd_spoof(lab):
    """neighbor advertisements and solicitations for another are dropped"""
    web, app, db, out = hosts(lab, "web1", "app1", "db1", "out1")
    for packet in (
            f.neighbor_advertisement(web.address(6), db.address(6), web.mac),
            f.neighbor_advertisement(web.address(6), web.address(6), db.mac),
            f.neighbor_advertisement(db.address(6), db.address(6), web.mac),
            f.neighbor_advertisement(web.address(6), "fe80::1", web.mac),
            f.neighbor_advertisement(web.address(6), db.address(6), None),
            f.neighbor_solicitation(db.address(6), app.address(6), None),
            f.neighbor_solicitation(web.address(6), app.address(6), db.mac),
            f.neighbor_solicitation(db.address(6), app.address(6), web.mac)):
        frame = f.ether(web.mac, "33:33:00:00:00:01", 0x86dd, packet)
        assert not arrives(web, frame, app, out, marker=packet)
    for packet in (
            f.neighbor_advertisement(out.address(6), app.address(6), out.mac),
            f.neighbor_advertisement(out.address(6), app.address(6), None),
            f.neighbor_solicitation(app.address(6), web.address(6), out.mac)):
        assert not arrives(out, f.ether(out.mac, web.mac, 0x86dd, packet),
                           web, marker=packet)
    for packet in (
            f.neighbor_advertisement(web.address(6), web.address(6), None),
            f.neighbor_solicitation(web.address(6), app.address(6), None)):
        frame = f.ether(web.mac, "33:33:00:00:00:01", 0x86dd, packet)
        assert len(arrives(web, frame, app, out, marker=packet)) == 2
    packet = f.neighbor_advertisement(web.address(6), web.address(6), web.mac)
    frame = f.ether(web.mac, "33:33:00:00:00:01", 0x86dd, packet)
    assert len(arrives(web, frame, app, out, marker=packet)) == 2


def test_source_spoof(lab):
    """a workload cannot send from another's MAC or IP"""
    web, web2, app, db = hosts(lab, "web1", "web2", "app1", "db1")
    for family in (4, 6):
        for number, change in enumerate((
                {"src_mac": web2.mac}, {"src_mac": STRANGER},
                {"src_address": web2.address(family)},
                {"src_address": "10.7.0.99" if family == 4 else "fd07::99"},
                {"src_mac": web2.mac, "src_address": web2.address(family)})):
            marker = b"spoof-%d-%d" % (family, number)
            frame = datagram(web, app, 5300, marker, family, **change)
            assert not arrives(web, frame, app, db, marker=marker), change


def test_source_spoof_outside(lab):
    """a host outside cannot send from a workload's MAC or IP"""
    out, web, app = hosts(lab, "out1", "web1", "app1")
    for family in (4, 6):
        for number, change in enumerate((
                {"src_mac": web.mac}, {"src_address": web.address(family)},
                {"src_mac": web.mac, "src_address": web.address(family)})):
            marker = b"outspoof-%d-%d" % (family, number)
            frame = datagram(out, app, 5300, marker, family, **change)
            assert not arrives(out, frame, app, marker=marker), change


def test_wrong_frame(lab):
    """unicast IP in a broadcast or multicast frame, or in another's, does
    not get around the policy"""
    web, app, db, out = hosts(lab, "web1", "app1", "db1", "out1")
    for family in (4, 6):
        for number, mac in enumerate((f.BROADCAST, "01:00:5e:00:00:fb",
                                      "33:33:00:00:00:fb", STRANGER)):
            for sender in (web, out):
                for victim in (db, app):
                    marker = b"frame-%d-%d-%s-%s" % (
                        family, number, sender.name.encode(),
                        victim.name.encode())
                    frame = datagram(sender, victim, 22, marker, family,
                                     dst_mac=mac)
                    assert not arrives(sender, frame, app, db, marker=marker)
        # An allowed destination IP in the frame of somebody else.
        marker = b"others-frame-%d" % family
        frame = datagram(web, app, 5300, marker, family, dst_mac=db.mac)
        assert not arrives(web, frame, db, app, marker=marker)
        # An address outside in a workload's frame.
        marker = b"outsides-ip-%d" % family
        frame = datagram(out, db, 5300, marker, family,
                         dst_address="192.0.2.1" if family == 4
                         else "2001:db8::1")
        assert not arrives(out, frame, db, marker=marker)


def test_unknown_unicast(lab):
    """what others flood does not reach a workload"""
    out, web, db = hosts(lab, "out1", "web1", "db1")
    frame = f.ether(out.mac, STRANGER, 0x0800,
                    f.ipv4(out.address(), "192.0.2.9", 17,
                           f.udp(out.address(), "192.0.2.9", 1, 2,
                                 b"flooded")))
    assert arrives(out, frame, web, db, lab.hosts["out2"],
                   marker=b"flooded") == ["out2"]


def test_vlan_tags(lab):
    """802.1Q and QinQ frames from a workload are dropped, and tagged ones
    from outside do not reach one"""
    web, app, out = hosts(lab, "web1", "app1", "out1")
    for family in (4, 6):
        for number, tags in enumerate(({"vlan": 0}, {"vlan": 5},
                                       {"vlan": 5, "outer": 7})):
            marker = b"tagged-%d-%d" % (family, number)
            frame = datagram(web, app, 5300, marker, family, **tags)
            assert not arrives(web, frame, app, out, marker=marker)
        marker = b"tagged-outside-%d" % family
        frame = datagram(out, app, 5300, marker, family, vlan=5)
        assert not arrives(out, frame, app, marker=marker)


def test_ethertypes(lab):
    """other ethertypes from a workload are dropped, and from outside to one"""
    web, app, out = hosts(lab, "web1", "app1", "out1")
    for ethertype in (0x88b5, 0x8847, 0x0600):
        for dst in (app.mac, f.BROADCAST):
            frame = f.ether(web.mac, dst, ethertype, b"other-ethertype")
            assert not arrives(web, frame, app, out,
                               marker=b"other-ethertype")
        frame = f.ether(out.mac, app.mac, ethertype, b"from-outside")
        assert not arrives(out, frame, app, marker=b"from-outside")


def test_extension_headers(lab):
    """IPv6 extension headers hide no port, and break no allowed one"""
    web, app = hosts(lab, "web1", "app1")
    for header in (0, 60):
        for port, expected in ((5300, True), (22, False)):
            marker = b"ext-%d-%d" % (header, port)
            s, d = web.address(6), app.address(6)
            payload = struct.pack("!BBBB", 17, 0, 1, 4) + b"\0" * 4 \
                + f.udp(s, d, 40000, port, marker)
            frame = f.ether(web.mac, app.mac, 0x86dd,
                            f.ipv6(s, d, header, payload))
            assert bool(arrives(web, frame, app, marker=marker)) == expected


def test_ipv6_fragment_tricks(lab):
    """an IPv6 later fragment alone, or a tiny first one, does not arrive"""
    web, app = hosts(lab, "web1", "app1")
    s, d = web.address(6), app.address(6)
    for offset in (0, 8, 800):
        marker = b"frag6-%d" % offset
        header = struct.pack("!BBHI", 17, 0, offset | 1, 99)
        frame = f.ether(web.mac, app.mac, 0x86dd,
                        f.ipv6(s, d, 44, header + marker))
        assert not arrives(web, frame, app, marker=marker)


def dhcp(src, dst, sport, dport, marker):
    return f.ip(src, dst, 17, f.udp(src, dst, sport, dport,
                                    b"\1\1\6\0" + marker))


def test_dhcp_client(lab):
    """a DHCP client asks by broadcast, and the answer from outside comes
    back by broadcast and unicast"""
    web, app, out = hosts(lab, "web1", "app1", "out1")
    frame = f.ether(web.mac, f.BROADCAST, 0x0800,
                    dhcp("0.0.0.0", "255.255.255.255", 68, 67, b"discover"))
    assert arrives(web, frame, out, app, marker=b"discover") == ["out1"]
    for mac, address in ((f.BROADCAST, "255.255.255.255"),
                         (web.mac, web.address()), (web.mac, "10.7.0.50")):
        frame = f.ether(out.mac, mac, 0x0800,
                        dhcp(out.address(), address, 67, 68, b"offer"))
        assert "web1" in arrives(out, frame, web, marker=b"offer"), address
    frame = f.ether(web.mac, "33:33:00:01:00:02", 0x86dd,
                    dhcp(link_local(web.mac), "ff02::1:2", 546, 547,
                         b"solicit6"))
    assert arrives(web, frame, out, app, marker=b"solicit6") == ["out1"]
    frame = f.ether(out.mac, web.mac, 0x86dd,
                    dhcp("fe80::c1", link_local(web.mac), 547, 546,
                         b"advert6"))
    assert arrives(out, frame, web, marker=b"advert6")


def link_local(mac):
    b = f.mac_bytes(mac)
    return "fe80::%02x%02x:%02xff:fe%02x:%02x%02x" % (b[0] ^ 2, *b[1:])


def test_dhcp_client_spoof(lab):
    """a DHCP request from another's MAC is dropped"""
    web, out = hosts(lab, "web1", "out1")
    frame = f.ether(STRANGER, f.BROADCAST, 0x0800,
                    dhcp("0.0.0.0", "255.255.255.255", 68, 67, b"starve"))
    assert not arrives(web, frame, out, marker=b"starve")


def rogue_frames(web):
    return (
        (f.ether(web.mac, f.BROADCAST, 0x0800,
                 dhcp(web.address(), "255.255.255.255", 67, 68, b"rogue4")),
         b"rogue4"),
        (f.ether(web.mac, "33:33:00:00:00:01", 0x86dd,
                 dhcp(web.address(6), "ff02::1", 547, 546, b"rogue6")),
         b"rogue6"),
        (f.ether(web.mac, "33:33:00:00:00:01", 0x86dd,
                 f.router_advertisement(link_local(web.mac), b"rogue-")),
         b"rogue-"))


def test_rogue(lab):
    """a workload can be neither DHCP server nor router"""
    web, app, out = hosts(lab, "web1", "app1", "out1")
    for frame, marker in rogue_frames(web):
        assert not arrives(web, frame, app, out, marker=marker), marker


def test_router_outside(lab):
    """a router advertisement from outside reaches the workloads"""
    web, out = hosts(lab, "web1", "out1")
    frame = f.ether(out.mac, "33:33:00:00:00:01", 0x86dd,
                    f.router_advertisement(link_local(out.mac), b"router"))
    assert arrives(out, frame, web, marker=b"router")


def test_roles(lab):
    """... unless a link says that its service is one"""
    web, app, out = hosts(lab, "web1", "app1", "out1")
    lab.push(manifest(LINKS + """
        <link from="app" to="web"><udp port="67,547"/></link>
        <link from="web" to="app"><icmp6 type="router-advertisement"/></link>
        """))
    for frame, marker in rogue_frames(web):
        assert "app1" in arrives(web, frame, app, marker=marker), marker
    frame = f.ether(app.mac, f.BROADCAST, 0x0800,
                    dhcp("0.0.0.0", "255.255.255.255", 68, 67, b"ask-web"))
    assert sorted(arrives(app, frame, web, lab.hosts["db1"],
                          marker=b"ask-web")) == ["web1"]
    lab.push(manifest())


def test_duplicate_address_detection(lab):
    """address probes of ARP and IPv6 pass, from the own MAC only"""
    web, app = hosts(lab, "web1", "app1")
    packet = f.arp(1, web.mac, "0.0.0.0", "00:00:00:00:00:00", web.address())
    frame = f.ether(web.mac, f.BROADCAST, 0x0806, packet)
    assert arrives(web, frame, app, marker=packet)
    frame = f.ether(STRANGER, f.BROADCAST, 0x0806, packet)
    assert not arrives(web, frame, app, marker=packet)
    packet = f.neighbor_solicitation("::", web.address(6), None)
    frame = f.ether(web.mac, "33:33:ff:00:00:11", 0x86dd, packet)
    assert arrives(web, frame, app, marker=packet)
