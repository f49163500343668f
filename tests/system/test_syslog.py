"""Deviations reach a real rsyslogd."""
import socket
import struct
import time

from daemon import Sdfwd, forget_deviations, in_step, until
from policy import make_lab, manifest
from receiver import Rsyslogd
from test_deviations import segment


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    the_lab.receiver = Rsyslogd(the_lab.dir)
    the_lab.cleanup.append(the_lab.receiver.stop)
    the_lab.receiver.start()
    return the_lab


def running(lab, target, *options):
    """sdfwd, as if nothing had deviated before."""
    forget_deviations(lab)
    return Sdfwd(lab, lab.path, options=["--syslog", target, "--alone", "9999",
                                         "--tuples", "9999", *options])


def deviate(lab, port, source="web1"):
    lab.hosts[source].inject(segment(lab.hosts[source], lab.hosts["db1"],
                                     port))


def lines(lab, port):
    return [r for r in lab.receiver.received() if f"tcp/{port};" in r["msg"]
            or r["msg"].endswith(f"tcp/{port}")]


def status(lab):
    return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                   check=False).stdout


def check_one(lab, port, structured=True):
    until(lambda: in_step(lab, lab.path), "flows are there")
    until(lambda: "last push" in status(lab), "sdfwd knows who is where")
    deviate(lab, port)
    until(lambda: lines(lab, port), f"tcp/{port} is received")
    line = lines(lab, port)[0]
    assert "shop/web/web1 (10.7.0.11) -> shop/db/db1 (10.7.0.31)" \
        in line["msg"], line
    assert line["app"] == "sdfwd" and line["severity"] == "4", line
    if structured:
        assert line["msgid"] == "OPEN", line
        for part in ('sdfw@32473', 'reason="no-link"', 'verdict="drop"',
                     'src_workload="web1"', 'dst_service="db"',
                     f'dst_port="{port}"', 'nearest_line="'):
            assert part in line["sd"], (part, line["sd"])


def test_udp(lab):
    """over UDP, with structured data"""
    with running(lab, f"udp:127.0.0.1:{lab.receiver.port}"):
        check_one(lab, 1001)


def test_local(lab):
    """over the local socket"""
    with running(lab, f"unix:{lab.receiver.socket}"):
        check_one(lab, 1002, structured=False)


def test_tcp(lab):
    """over TCP, with structured data"""
    with running(lab, f"tcp:127.0.0.1:{lab.receiver.port}"):
        check_one(lab, 1003)


def test_away(lab):
    """over TCP, what happens while the receiver is away arrives later"""
    with running(lab, f"tcp:127.0.0.1:{lab.receiver.port}"):
        check_one(lab, 1004)
        lab.receiver.stop()
        for port in range(1005, 1010):
            deviate(lab, port, "app1")
        lab.receiver.start()
        for port in range(1005, 1010):
            until(lambda: lines(lab, port), f"tcp/{port} is received", 15)


def test_incident(lab):
    """of many deviations of a source, syslog gets the first few and one
    incident"""
    with running(lab, f"udp:127.0.0.1:{lab.receiver.port}", "--alone", "5"):
        until(lambda: in_step(lab, lab.path), "flows are there")
        web, db = lab.hosts["web2"], lab.hosts["db1"]
        web.inject(*[segment(web, db, port) for port in range(2001, 2021)])

        def about(text):
            return [r for r in lab.receiver.received()
                    if "shop/web/web2" in r["msg"] and text in r["msg"]]
        until(lambda: about("incident"), "it is received")
        line, = about("incident")
        assert "scan" in line["msg"] and line["severity"] == "4", line
        assert 'kind="scan"' in line["sd"] and 'src_workload="web2"' \
            in line["sd"], line
        assert len(about("tcp/")) == 5, about("tcp/")
def test_no_port(lab):
    """what cannot be a receiver is an error at once"""
    for target in ("tls:logs.example:6514", "udp:logs.example", "tcp:",
                   "ssl:127.0.0.1:1", "127.0.0.1", "tcp:127.0.0.1:x",
                   "tls:[::1]:70000"):
        done = lab.run(running(lab, target).program, "--once", "--bridge",
                       lab.bridge, "--syslog", target, lab.path, check=False)
        assert done.returncode == 64, (target, done.stderr)
        assert f'"{target}" is no ' in done.stderr, done.stderr
    for target in ("udp:127.0.0.1", "tcp:[::1]", "tls:127.0.0.1"):
        lab.run(running(lab, target).program, "--once", "--bridge",
                lab.bridge, "--syslog", target, lab.path)


def away(lab, ports):
    """The receiver is away while deviations of 'ports' happen."""
    lab.receiver.stop()
    for port in ports:
        deviate(lab, port)
    until(lambda: f"{len(ports) + 1} records" in status(lab), "all is there")


def test_local_away(lab):
    """over the local socket, too, and nothing is dropped"""
    with running(lab, f"unix:{lab.receiver.socket}"):
        check_one(lab, 1020, structured=False)
        away(lab, range(1021, 1026))
        until(lambda: "5 waiting, 0 dropped" in status(lab), "they wait")
        assert "REACHES NOBODY: " in status(lab), status(lab)
        lab.receiver.start()
        for port in range(1021, 1026):
            until(lambda: lines(lab, port), f"tcp/{port} is received", 15)
        until(lambda: "0 waiting, 0 dropped" in status(lab), "none waits")
        assert "REACHES NOBODY" not in status(lab), status(lab)


def test_local_slow(lab):
    """a local receiver that is slow gets all, when it comes to it"""
    path = f"{lab.dir}/slow.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(path)
        with running(lab, f"unix:{path}"):
            until(lambda: "last push" in status(lab), "flows are there")
            # More than net.unix.max_dgram_qlen.
            ports = range(3000, 3700)
            for first in ports[::50]:
                lab.hosts["web1"].inject(*[
                    segment(lab.hosts["web1"], lab.hosts["db1"], port)
                    for port in range(first, first + 50)])
                time.sleep(0.06)
            until(lambda: "700 records" in status(lab), "all is there")
            waiting = int(status(lab).split(" waiting")[0].split()[-1])
            assert waiting > 0, status(lab)
            slow.settimeout(10)
            found = " ".join(slow.recv(8192).decode() for _ in ports)
            assert all(f" tcp/{port};" in found for port in ports)
            until(lambda: "0 waiting, 0 dropped" in status(lab), "none waits")


def test_udp_away(lab):
    """over UDP, what a host refuses is counted, and its receiver is told how
    many it missed"""
    with running(lab, f"udp:127.0.0.1:{lab.receiver.port}"):
        check_one(lab, 1030)
        away(lab, range(1031, 1036))
        until(lambda: "5 dropped" in status(lab), "they are counted")
        assert "REACHES NOBODY: Connection refused" in status(lab)
        lab.receiver.start()
        deviate(lab, 1036)
        until(lambda: lines(lab, 1036), "tcp/1036 is received")
        deviate(lab, 1037)
        until(lambda: lines(lab, 1037), "tcp/1037 is received")
        told = [r for r in lab.receiver.received()
                if r["msgid"] == "DROPPED"]
        assert len(told) == 1 and "5 records" in told[0]["msg"], told
        assert "5 dropped" in status(lab), status(lab)
        assert "REACHES NOBODY" not in status(lab), status(lab)


def test_cut(lab):
    """over TCP, what a connection that breaks has not brought over is sent
    again, though it had been written to the socket"""
    ports = range(1040, 1070)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(10)
        with running(lab, f"tcp:127.0.0.1:{listener.getsockname()[1]}"):
            until(lambda: "last push" in status(lab), "flows are there")
            first = listener.accept()[0]
            for port in ports:
                deviate(lab, port)
            until(lambda: "30 records" in status(lab), "all is there")
            text = first.recv(1 << 20, socket.MSG_PEEK)
            assert b'dst_port="1069"' not in text, "the window is too large"
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
            first.close()       # With RST.
            second = listener.accept()[0]
            second.settimeout(10)
            while not all(b'dst_port="%d"' % port in text for port in ports):
                more = second.recv(65536)
                assert more, "the connection has ended"
                text += more
            second.close()
