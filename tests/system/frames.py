"""Ethernet frames by hand, for what no honest stack would send."""
import ipaddress
import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(src, dst, ethertype, payload, vlan=None, outer=None):
    tags = b""
    for tag, tpid in ((outer, 0x88a8), (vlan, 0x8100)):
        if tag is not None:
            tags += struct.pack("!HH", tpid, tag)
    frame = mac_bytes(dst) + mac_bytes(src) + tags \
        + struct.pack("!H", ethertype) + payload
    return frame.ljust(60, b"\0")


def arp(op, sha, spa, tha, tpa):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac_bytes(sha) \
        + socket.inet_aton(spa) + mac_bytes(tha) + socket.inet_aton(tpa)


def packed(address):
    return ipaddress.ip_address(address).packed


def ipv4(src, dst, protocol, payload, fragment=0, identification=1, ttl=64):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload),
                         identification, fragment, ttl, protocol, 0,
                         packed(src), packed(dst))
    return header[:10] + struct.pack("!H", checksum(header)) \
        + header[12:] + payload


def ipv6(src, dst, protocol, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) \
        + packed(src) + packed(dst) + payload


def ip(src, dst, protocol, payload):
    return (ipv6 if ":" in src else ipv4)(src, dst, protocol, payload)


def ethertype(address):
    return 0x86dd if ":" in address else 0x0800


def pseudo(src, dst, protocol, length):
    if ":" in src:
        return packed(src) + packed(dst) + struct.pack("!IxxxB", length,
                                                       protocol)
    return packed(src) + packed(dst) + struct.pack("!BBH", 0, protocol,
                                                   length)


def udp(src, dst, sport, dport, data):
    length = 8 + len(data)
    segment = struct.pack("!HHHH", sport, dport, length, 0) + data
    total = checksum(pseudo(src, dst, 17, length) + segment) or 0xffff
    return segment[:6] + struct.pack("!H", total) + data


def tcp(src, dst, sport, dport, flags, data=b"", seq=1000, ack=0):
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags,
                          8192, 0, 0) + data
    total = checksum(pseudo(src, dst, 6, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_init(sport, dport, data=b""):
    """An INIT chunk (RFC 9260, 3.3.2), with data as an unknown parameter."""
    parameter = struct.pack("!HH", 0xc0de, 4 + len(data)) + data
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + len(parameter), 1, 65536, 1,
                        1, 1) + parameter
    chunk += b"\0" * (-len(chunk) % 4)
    packet = struct.pack("!HHII", sport, dport, 0, 0) + chunk
    return packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]


def icmp(kind, code, rest):
    message = struct.pack("!BBH", kind, code, 0) + rest
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmp6(src, dst, kind, code, rest):
    message = struct.pack("!BBH", kind, code, 0) + rest
    total = checksum(pseudo(src, dst, 58, len(message)) + message)
    return message[:2] + struct.pack("!H", total) + message[4:]


def neighbor_advertisement(src, target, tll):
    rest = struct.pack("!I", 0x20000000) + packed(target)
    if tll:
        rest += b"\x02\x01" + mac_bytes(tll)
    return ipv6(src, "ff02::1", 58, icmp6(src, "ff02::1", 136, 0, rest))


def neighbor_solicitation(src, target, sll):
    group = ipaddress.ip_address(
        int(ipaddress.ip_address("ff02::1:ff00:0"))
        | int(ipaddress.ip_address(target)) & 0xffffff)
    rest = struct.pack("!I", 0) + packed(target)
    if sll:
        rest += b"\x01\x01" + mac_bytes(sll)
    return ipv6(src, str(group), 58, icmp6(src, str(group), 135, 0, rest))


def router_advertisement(src, marker=b""):
    rest = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    if marker:
        rest += b"\xfe\x01" + marker[:6].ljust(6, b"\0")
    return ipv6(src, "ff02::1", 58, icmp6(src, "ff02::1", 134, 0, rest))
