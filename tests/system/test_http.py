"""sdfwd answers HTTP: metrics, health, topology and deviations."""
import http.client
import json
import os
import pathlib
import re
import socket
import time
import urllib.error
import urllib.request

from daemon import Sdfwd, in_step, until
from policy import make_lab, manifest
from prometheus import Metrics
from receiver import free_port
from test_deviations import deviating_packets, segment


class Looked:
    """A lab with sdfwd, seen by HTTP."""

    def __init__(self, lab):
        self.lab, self.port = lab, free_port()
        self.path = lab.file("m.xml", manifest())
        self.sdfwd = Sdfwd(lab, self.path, options=[
            "--http", str(self.port), "--interval", "2", "--json",
            f'{lab.dir}/a "quoted\\name.json'])

    def start(self):
        self.sdfwd.start()
        until(lambda: in_step(self.lab, self.path), "flows are there")
        until(lambda: self.get("/healthz")[0] == 200, "it is well")

    def get(self, path, method="GET", data=None, **headers):
        """Status, headers, text."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, headers,
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()
        except OSError as error:
            return 0, {}, str(error)

    def json(self, path):
        status, _, text = self.get(path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def metrics(self):
        status, headers, text = self.get("/metrics")
        assert status == 200, (status, text)
        assert headers["Content-Type"].startswith(
            "text/plain; version=0.0.4"), headers["Content-Type"]
        return Metrics(text)

    def exchange(self, data):
        """What comes back for these bytes, until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as one:
            try:
                one.sendall(data)
                answer = b""
                while part := one.recv(65536):
                    answer += part
            except ConnectionError:
                pass
            return answer.decode()

    def closed(self, **wanted):
        found = self.json("/deviations.json")["closed"]
        return [r for r in found
                if all(r.get(k) == v for k, v in wanted.items())]


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    try:
        the_lab.http = Looked(the_lab)
        the_lab.cleanup.append(the_lab.http.sdfwd.stop)
        the_lab.http.start()
    except BaseException:
        the_lab.close()
        raise
    return the_lab


def listening(pid):
    """Addresses and ports on which a process listens by TCP."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(fd))
        inodes |= {match[1]} if match else set()
    found = []
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{name}").read_text() \
                .splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.append((address, int(port, 16)))
    return found


def test_off(lab):
    """without --http, sdfwd listens on no TCP port; with a port only, on
    loopback only"""
    one = lab.http.sdfwd
    assert listening(one.process.pid) == [("0100007F", lab.http.port)]
    arguments = one.arguments
    one.stop()
    one.arguments = [arguments[0], arguments[1], lab.http.path]
    with one:
        until(lambda: "flows" in lab.run("ovs-appctl", "-t", "sdfwd",
                                         "sdfw/status", check=False).stdout,
              "it runs")
        assert not listening(one.process.pid)
    one.arguments = arguments
    lab.http.start()


def test_addresses(lab):
    """another address than loopback is warned of once; nonsense and a port
    that is taken are refused"""
    one = lab.http.sdfwd
    one.stop()
    arguments, log = one.arguments, one.log()
    one.arguments = [f"0.0.0.0:{lab.http.port}"
                     if a == str(lab.http.port) else a for a in arguments]
    lab.http.start()
    told = one.log().removeprefix(log)
    assert told.count("no authentication") == 1, told
    assert listening(one.process.pid) == [("00000000", lab.http.port)]
    one.stop()
    one.arguments = [f"[::1]:{lab.http.port}" if a == str(lab.http.port)
                     else a for a in arguments]
    with one:
        def well():
            try:
                ask = http.client.HTTPConnection("::1", lab.http.port)
                ask.request("GET", "/healthz")
                return ask.getresponse().status == 200
            except OSError:
                return False
        until(well, "it is there by IPv6")
    one.arguments = arguments
    lab.http.start()
    for wrong, why in (("web", "[ADDRESS:]PORT"),
                       ("localhost:80", "[ADDRESS:]PORT"),
                       ("99999", "[ADDRESS:]PORT")):
        done = lab.run(one.program, "--bridge", "br0", "--http", wrong,
                       lab.http.path, check=False)
        assert done.returncode == 64, (wrong, done)
        assert why in done.stderr or "another sdfwd" in done.stderr, done
    other = f"{lab.dir}/other"
    os.makedirs(other, exist_ok=True)
    old, lab.env["OVS_RUNDIR"] = lab.env["OVS_RUNDIR"], other
    try:
        for wrong, why in ((str(lab.http.port), "in use"),
                           ("web", "[ADDRESS:]PORT")):
            done = lab.run(one.program, "--bridge", "br0", "--http", wrong,
                           lab.http.path, check=False)
            assert done.returncode == 64 and why in done.stderr, done
    finally:
        lab.env["OVS_RUNDIR"] = old


def test_metrics(lab):
    """metrics tell of links, deviations, bridges, pushes and sinks, by the
    rules of Prometheus"""
    web, app, db = (lab.hosts[n] for n in ("web1", "app1", "db1"))
    app.ask("listen", 4, 8080)
    before = lab.http.metrics()
    link = {"bridge": "br0", "from": "shop/web", "opens": "tcp/8080",
            "to": "shop/app"}
    connections = before.one("sdfw_link_connections_total", **link)
    for _ in range(3):
        number = web.ask("connect", app.address(), 8080)
        assert web.ask("talk", number, "hello") == "hello"
        web.ask("close", number)
    db.inject(*[segment(db, web, 25)] * 7)
    until(lambda: lab.http.metrics().one(
        "sdfw_link_connections_total", **link) == connections + 3,
        "connections are counted", 20)
    now = lab.http.metrics()
    assert now.one("sdfw_link_packets_total", **link) \
        >= before.one("sdfw_link_packets_total", **link) + 15
    assert now.one("sdfw_link_packets_total", **dict(
        link, opens="tcp/9000-9009")) == 0
    kind = {"application": "shop", "service": "db", "direction": "out",
            "reason": "no-link", "verdict": "drop"}
    assert now.one("sdfw_deviations_total", **kind) == 1
    until(lambda: lab.http.metrics().one("sdfw_deviation_packets_total",
                                         **kind) == 7, "packets are counted")
    now = lab.http.metrics()
    assert now.one("sdfw_deviation_bytes_total", **kind) \
        == 7 * len(segment(db, web, 25))
    assert now.one("sdfw_build_info") == 1
    assert now.one("sdfw_manifests_valid") == 1
    assert now.one("sdfw_bridge_connected", bridge="br0") == 1
    assert now.one("sdfw_bridge_workloads", bridge="br0") == 4
    assert now.one("sdfw_bridge_flows", bridge="br0") > 50
    assert now.one("sdfw_pushes_total", bridge="br0") >= 1
    assert now.one("sdfw_push_failures_total", bridge="br0") == 0
    assert 0 < now.one("sdfw_last_push_duration_seconds", bridge="br0") < 60
    load = now.one("sdfw_policy_load_timestamp_seconds")
    assert abs(load - time.time()) < 600, load
    assert now.one("sdfw_packet_ins_total") >= 1
    sink = {"sink": "json", "target": f'{lab.dir}/a "quoted\\name.json'}
    assert now.one("sdfw_sink_records_total", **sink) >= 1
    assert now.one("sdfw_sink_dropped_total", **sink) == 0
    assert now.one("sdfw_sink_waiting", **sink) == 0
    assert now.one("process_resident_memory_bytes") > 1 << 20
    assert now.one("process_cpu_seconds_total") > 0


def test_counts(lab):
    """counts of deviations never fall while they open and close, and in the
    end are those of DEVIATION, to the packet"""
    web, db, out = (lab.hosts[n] for n in ("web1", "db1", "out1"))
    last = lab.http.metrics()
    for i in range(24):
        web.inject(segment(web, db, 100 + i % 3))
        out.inject(*[segment(out, db, 200 + i)] * 2)
        now = lab.http.metrics()
        assert not now.fallen(last), now.fallen(last)
        last = now
        time.sleep(0.25)
    until(lambda: not lab.http.json("/deviations.json")["open"],
          "all are over", 30)

    def counted():
        now = lab.http.metrics()
        return now.one("sdfw_bridge_deviating_packets_total", bridge="br0")
    total = deviating_packets(lab)
    until(lambda: counted() == total, "DEVIATION is read", 20)
    now = lab.http.metrics()
    assert not now.fallen(last), now.fallen(last)
    # sdfwd was started again since the first of them.
    base = now.sum("sdfw_deviation_packets_total")
    for i in range(5):
        web.inject(*[segment(web, db, 300)] * 10)
    until(lambda: lab.http.closed(dst_port=300), "it is over", 20)
    until(lambda: counted() == total + 50, "DEVIATION is read", 20)
    now = lab.http.metrics()
    part = {dict(key)["part"]: value for key, value in
            now.all("sdfw_account_packets", bridge="br0").items()}
    assert part["deviating"] == part["offered"] + part["absorbed"] \
        + part["missing"] and part["missing"] == 0, part
    assert part["offered"] == part["received"] + part["unseen"] \
        + part["untold"], part
    assert now.sum("sdfw_deviation_packets_total") == base + 50
    assert now.one("sdfw_deviation_packets_total", direction="in",
                   service="db", reason="no-link") == 48
    assert now.one("sdfw_deviations_total", direction="in", service="db",
                   reason="no-link") == 24


def test_health(lab):
    """healthz is 200 if all is well, and else 503 with the reasons: a bridge
    that is gone, a manifest that is wrong"""
    good = lab.http.get("/healthz")
    assert good[0] == 200 and good[2] == "ok\n", good
    lab.file("m.xml", manifest().replace('to="app"', 'to="appp"'))
    until(lambda: lab.http.get("/healthz")[0] == 503, "it is told")
    status, _, text = lab.http.get("/healthz")
    assert re.search(r"^manifests are wrong: .*m\.xml:\d+: .*app", text), text
    now = lab.http.metrics()
    assert now.one("sdfw_manifests_valid") == 0
    assert lab.http.json("/topology.json")["manifests_valid"] is False
    lab.file("m.xml", manifest())
    until(lambda: lab.http.get("/healthz")[0] == 200, "it is well again")

    lab.vsctl("del-br", lab.bridge)
    until(lambda: "br0 is not connected" in lab.http.get("/healthz")[2],
          "it is told")
    assert lab.http.get("/healthz")[0] == 503
    assert lab.http.metrics().one("sdfw_bridge_connected", bridge="br0") == 0
    lab.vsctl("add-br", lab.bridge, "--", "set", "bridge", lab.bridge,
              "datapath_type=netdev")
    for host in lab.hosts.values():
        lab.vsctl("--may-exist", "add-port", lab.bridge, host.port)
    until(lambda: lab.http.get("/healthz")[0] == 200, "it is well again", 20)
    until(lambda: in_step(lab, lab.http.path), "flows are there")


def test_anew(lab):
    """when sdfwd begins anew, with other tables, it goes on answering"""
    before = lab.http.metrics()
    lab.vsctl("set", "open_vswitch", ".", "other_config:sdfw-table-base=90")
    try:
        until(lambda: "beginning anew" in lab.http.sdfwd.log(), "it begins")
        until(lambda: lab.http.get("/healthz")[0] == 200, "it is well")
        until(lambda: lab.http.metrics().all("sdfw_link_packets_total"),
              "links are counted", 20)
        lab.hosts["web1"].inject(segment(lab.hosts["web1"],
                                         lab.hosts["db1"], 3001))
        until(lambda: [r for r in lab.http.json("/deviations.json")["open"]
                       if r.get("dst_port") == 3001], "it tells")
        now = lab.http.metrics()
        assert now.sum("sdfw_deviations_total") \
            == before.sum("sdfw_deviations_total") + 1
    finally:
        lab.vsctl("remove", "open_vswitch", ".", "other_config",
                  "sdfw-table-base")
        lab.ofctl("del-flows", lab.bridge,
                  "cookie=0x5dfd000000000000/0xffff000000000000")
        lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/reload")
    until(lambda: in_step(lab, lab.http.path), "flows are as before")


def test_topology(lab):
    """topology.json has services with their workloads, networks, and links
    with file, line and counters"""
    lab.unplug(lab.hosts["web2"])

    def workloads():
        topology = lab.http.json("/topology.json")
        return {w["name"]: w for s in topology["applications"][0]["services"]
                for w in s["workloads"]}
    until(lambda: not workloads()["web2"]["bound"], "web2 is not bound")
    web = workloads()["web1"]
    assert web["bound"] and web["bridge"] == "br0"
    assert web["port"] == lab.ofport(lab.hosts["web1"])
    assert web["binding"] == "interface=web1"
    assert web["addresses"] == ["10.7.0.11", "fd07::11"]
    lab.plug(lab.hosts["web2"])
    until(lambda: workloads()["web2"]["bound"], "web2 is bound")

    topology = lab.http.json("/topology.json")
    shop, = topology["applications"]
    assert shop["name"] == "shop" and shop["mode"] == "enforce"
    assert [s["path"] for s in shop["services"]] == ["shop/web", "shop/app",
                                                     "shop/db"]
    assert topology["networks"][0]["prefixes"] == ["10.7.0.192/26",
                                                   "fd07::c0/122"]
    link, = [l for l in topology["links"] if l["from"] == "shop/app"]
    assert link["to"] == "shop/db" and link["file"] == lab.http.path
    line = pathlib.Path(lab.http.path).read_text().splitlines()[
        link["line"] - 1]
    assert '<link from="app" to="db">' in line, line
    assert link["openings"][0]["opens"] == "tcp/5432"
    until(lambda: "packets" in [
        l for l in lab.http.json("/topology.json")["links"]
        if l["from"] == "shop/app"][0], "counters are there")
    assert topology["bridges"][0]["connected"] is True
    assert topology["loaded"].endswith("Z")


def test_deviations(lab):
    """deviations.json has the records of open and of closed deviations, and
    filters"""
    web, db, out = (lab.hosts[n] for n in ("web1", "db1", "out1"))
    web.inject(segment(web, db, 4001))
    out.inject(segment(out, db, 4002))

    def of(port, which="open", query=""):
        found = lab.http.json("/deviations.json" + query)
        return [r for r in found[which] if r.get("dst_port") == port]
    until(lambda: of(4001) and of(4002), "both are open")
    record, = of(4001)
    assert record["src"]["workload"] == "web1"
    assert record["nearest"]["file"] == lab.http.path
    assert record["nearest"]["line"] > 1
    assert of(4002)[0]["src"]["network"] == "outside"
    query = "?filter=shop%2Fweb%2Fweb1+%2810.7"
    assert of(4001, query=query) and not of(4002, query=query)
    until(lambda: of(4001, "closed") and of(4002, "closed"), "both are over",
          20)
    assert of(4001, "closed")[0]["event"] == "close"
    assert of(4002, "closed", "?filter=tcp/4002")
    assert not of(4001, "closed", "?filter=tcp/4002")
    for query in ("?filter", "?filter=", "?x", "?x&filter=tcp/4001&y", "?",
                  "?filter=tcp%2f4001&filter=x", "?xfilter=nowhere", "?&&="):
        assert of(4001, "closed", query), query
    assert not of(4002, "closed", "?x&y=1&filter=tcp/4001")


def test_refusals(lab):
    """only GET and HEAD of what is there, asked of this host by its name or
    address"""
    for path in ("/", "/metrics", "/healthz", "/topology.json",
                 "/deviations.json", "/words.js", "/layout.js", "/story.js",
                 "/script.js", "/style.css"):
        status, headers, text = lab.http.get(path)
        assert status == 200 and text, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        status, headers, text = lab.http.get(path, "HEAD")
        assert status == 200 and not text, path
        assert int(headers["Content-Length"]) > 0, path
    for path in ("/nosuch", "/metrics/", "/../etc/passwd",
                 "/page/index.html"):
        assert lab.http.get(path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = lab.http.get(
            "/metrics", method, b"x" if method != "DELETE" else None)
        assert status == 405 and headers["Allow"] == "GET, HEAD", method
    assert lab.http.get("/deviations.json?filter=%zz&=&&")[0] == 200
    for host, status in (("evil.example", 421), ("localhost.evil", 421),
                         ("127.0.0.1.evil:80", 421), ("[::1", 421),
                         ("localhost", 200), ("LocalHost:1", 200),
                         ("[::1]:80", 200), ("192.0.2.1", 200)):
        assert lab.http.get("/metrics", Host=host)[0] == status, host
    assert " 421 " in lab.http.exchange(
        b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n"
        b"Connection: close\r\n\r\n")
    assert " 421 " in lab.http.exchange(
        b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")


def test_bounds(lab):
    """long headers, long bodies, silent and very many connections do no
    harm"""
    pid = lab.http.sdfwd.process.pid
    for data in (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100000
                 + b"\r\n\r\n",
                 b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                 b"100000000\r\n\r\n" + b"x" * 100000,
                 b"\0\1\2\r\n\r\n", b"GET\r\n\r\n"):
        answer = lab.http.exchange(data)
        assert " 200 " not in answer, (data[:40], answer)

    def descriptors():
        return len(os.listdir(f"/proc/{pid}/fd"))
    time.sleep(1)               # Those of before are given back.
    few = descriptors()
    many = [socket.create_connection(("127.0.0.1", lab.http.port), 20)
            for _ in range(75)]
    until(lambda: descriptors() >= few + 64, "they are taken")
    time.sleep(0.5)
    assert descriptors() <= few + 66, descriptors() - few
    # What is silent is closed, and makes room for others.
    many[0].settimeout(40)
    assert many[0].recv(1) == b""
    status, _, _ = lab.http.get("/healthz")
    assert status == 200, status
    for one in many:
        one.close()
    until(lambda: descriptors() <= few + 1, "connections are given back")
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    web.inject(segment(web, db, 5001))
    until(lambda: [r for r in lab.http.json("/deviations.json")["open"]
                   if r.get("dst_port") == 5001], "it still tells")
