"""Deviations reach a real rsyslogd."""
from daemon import Sdfwd, in_step, until
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


def running(lab, target):
    return Sdfwd(lab, lab.path, options=["--syslog", target])


def deviate(lab, port, source="web1"):
    lab.hosts[source].inject(segment(lab.hosts[source], lab.hosts["db1"],
                                     port))


def lines(lab, port):
    return [r for r in lab.receiver.received() if f"tcp/{port};" in r["msg"]
            or r["msg"].endswith(f"tcp/{port}")]


def check_one(lab, port, structured=True):
    until(lambda: in_step(lab, lab.path), "flows are there")
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
    with running(lab, f"udp:127.0.0.1:{lab.receiver.port}"):
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
