"""What a push does to what runs: nothing that both policies allow stops."""
import socket
import time

from lab import run
from policy import HOSTS, LINKS, SERVICES, make_lab, manifest

LESS = LINKS.replace('<tcp port="8080,9000-9009"/>',
                     '<tcp port="9000-9009"/>')


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    for name in ("app1", "web1", "db1"):
        for family in (4, 6):
            for port in (80, 5432, 8080, 9000):
                the_lab.hosts[name].ask("listen", family, port)
    return the_lab


def stream(lab, who, whom, port, family=4):
    number = lab.hosts[who].ask("connect", lab.hosts[whom].address(family),
                                port)
    assert number, f"{who} cannot reach {whom}:{port}"
    return number


def talks(lab, who, number, timeout=0.6):
    return lab.hosts[who].ask("talk", number, "still there?", timeout) \
        == "still there?"


def test_first_push_keeps(lab):
    """connections that run before the first push go on if the policy allows
    them, whichever side sends next, and stop if not"""
    lab.unpush()
    web, app, db = (lab.hosts[n] for n in ("web1", "app1", "db1"))
    kept, cut, served = [], [], []
    for family in (4, 6):
        kept.append(stream(lab, "web1", "app1", 8080, family))
        cut.append(stream(lab, "web1", "db1", 5432, family))
        listener = app.ask("accept_on", 9005, family)
        client = stream(lab, "web1", "app1", 9005, family)
        served.append((client, app.ask("accept", listener)))
        app.ask("close", listener)
    lab.push(manifest())
    for number in kept:
        assert talks(lab, "web1", number)
    for number in cut:
        assert not talks(lab, "web1", number)
    for client, server in served:
        for word in ("server", "speaks", "first"):
            app.ask("send", server, word)
            assert web.ask("receive", client, 1.5) == word
        web.ask("send", client, "answer")
        assert app.ask("receive", server, 1.5) == "answer"


def test_first_push_udp(lab):
    """UDP that runs before the first push goes on if the server sends next"""
    lab.unpush()
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    server = app.ask("open_udp", 5300, 4)
    client = web.ask("open_udp", 45300, 4)
    web.ask("send", client, "before", app.address(), 5300)
    assert app.ask("receive", server) == "before"
    lab.push(manifest())
    app.ask("send", server, "answer", web.address(), 45300)
    assert web.ask("receive", client) == "answer"
    app.ask("send", server, "wrong way", lab.hosts["db1"].address(), 45300)
    app.ask("close", server)
    web.ask("close", client)


def test_adopt_no_opening(lab):
    """... but no new connection gets in by that door"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    assert any("hard_timeout" in flow for flow in lab.our_flows())
    web.ask("listen", 4, 7777)
    assert app.ask("connect", web.address(), 7777, 0.5, 9005) is None


def test_no_change(lab):
    """a push that changes nothing sends nothing"""
    lab.push(manifest())
    before = lab.our_flows()
    time.sleep(1.1)
    done = lab.command("push", "--bridge", "br0",
                       lab.file("same.xml", manifest()))
    assert "nothing to change, nothing sent" in done.stdout, done.stdout
    ages = [float(flow.split("duration=")[1].split("s")[0])
            for flow in lab.our_flows()]
    assert len(ages) == len(before) and min(ages) > 1


def test_revoke(lab):
    """a link that is removed is cut at the next packet; others go on"""
    lab.push(manifest())
    numbers = {}
    for family in (4, 6):
        numbers[family] = (stream(lab, "web1", "app1", 8080, family),
                           stream(lab, "web1", "app1", 9000, family),
                           stream(lab, "app1", "db1", 5432, family))
    lab.push(manifest(LESS))
    for family in (4, 6):
        gone, stays, other = numbers[family]
        assert not talks(lab, "web1", gone)
        assert talks(lab, "web1", stays)
        assert talks(lab, "app1", other)


def test_return(lab):
    """... and a link that comes back works at once"""
    lab.push(manifest(LESS))
    lab.push(manifest())
    for family in (4, 6):
        assert talks(lab, "web1", stream(lab, "web1", "app1", 8080, family))


def test_moved_link(lab):
    """a link that is written otherwise keeps its connections, also where the
    server sends next"""
    lab.push(manifest())
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    listener = app.ask("accept_on", 9001)
    client = stream(lab, "web1", "app1", 9001)
    server = app.ask("accept", listener)
    lab.push(manifest(LINKS.replace("9000-9009", "9001")))
    app.ask("send", server, "server")
    assert web.ask("receive", client) == "server"
    web.ask("send", client, "client")
    assert app.ask("receive", server) == "client"
    app.ask("close", listener)
    lab.push(manifest())


def test_no_loss(lab):
    """pushes lose no packet of what both policies allow"""
    lab.push(manifest())
    number = stream(lab, "web1", "app1", 9000)
    for i in range(20):
        lab.push(manifest(LESS if i % 2 else LINKS))
        assert talks(lab, "web1", number, 0.15), f"late after push {i}"


def test_new_replica(lab):
    """a new replica is a handful of flows, and works"""
    lab.push(manifest())
    before = set(f.split(" n_packets")[0].split("table")[1]
                 for f in lab.our_flows())
    lab.host("web3", "02:00:00:00:01:03", "10.7.0.13/24", "fd07::13/64")
    hosts = dict(HOSTS, web3=("02:00:00:00:01:03", "10.7.0.13/24",
                              "fd07::13/64"))
    services = dict(SERVICES, web=("web1", "web2", "web3"))
    done = lab.command("push", "--bridge", "br0", lab.file(
        "more.xml", manifest(hosts=hosts, services=services)))
    added = int(done.stdout.split(" flows added")[0].split()[-1])
    assert added <= 8, done.stdout
    assert talks(lab, "web3", stream(lab, "web3", "app1", 8080))
    lab.push(manifest())


def test_refused(lab):
    """a bridge that refuses is as before, and the message says which flow"""
    lab.push(manifest())
    before = sorted(f.split("table=")[1].split(", n_packets")[0]
                    for f in lab.our_flows())
    compiled = lab.command("compile", lab.file("m.xml", manifest())).stdout
    table = compiled.split(": ADDRESS")[0].split("# table ")[-1]
    lab.vsctl("--", "--id=@f", "create", "Flow_Table", "flow_limit=1",
              "overflow_policy=refuse", "--", "set", "bridge", "br0",
              f"flow_tables:{table}=@f")
    hosts = dict(HOSTS, web4=("02:00:00:00:01:04", "10.7.0.14/24"))
    services = dict(SERVICES, web=("web1", "web2", "web4"))
    done = lab.push(manifest(hosts=hosts, services=services), check=False)
    lab.vsctl("clear", "bridge", "br0", "flow_tables")
    assert done.returncode == 3, done.stderr
    assert "is as it was" in done.stderr, done.stderr
    after = sorted(f.split("table=")[1].split(", n_packets")[0]
                   for f in lab.our_flows())
    assert before == after


def test_dead_bridge(lab):
    """a dead bridge does not hold up the others"""
    path = lab.file("m.xml", manifest())
    start = time.monotonic()
    done = lab.command("push", "--timeout=1", "--bridge", "nosuch",
                       "--bridge", "br0", path, check=False)
    assert done.returncode == 3 and "br0: " in done.stdout
    assert "nosuch: no bridge of this name" in done.stderr
    assert time.monotonic() - start < 5


def test_hanging_bridge(lab):
    """... nor does one that accepts the connection and says nothing"""
    path = lab.file("m.xml", manifest())
    lab.unpush()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"tcp:127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        done = lab.command("push", "--timeout=2", "--bridge", target,
                           "--bridge", "br0", path, check=False)
    assert done.returncode == 3 and "br0: " in done.stdout, done.stdout
    assert f"{target}: connecting: " in done.stderr, done.stderr
    assert 1.5 < time.monotonic() - start < 5


def test_remote(lab):
    """a push over TCP and over TLS, with the bridge's OVSDB over TCP"""
    path = lab.file("m.xml", manifest())
    pki = lab.dir + "/pki"
    lab.ip("link", "set", "lo", "up")
    lab.run("ovs-pki", "init", "-d", pki)
    for name, kind in (("here", "controller"), ("there", "switch")):
        run("sh", "-c", f"cd {pki} && ovs-pki -d {pki} req+sign {name} {kind}",
            env=lab.env)
    lab.vsctl("set-ssl", f"{pki}/there-privkey.pem", f"{pki}/there-cert.pem",
              f"{pki}/controllerca/cacert.pem", "--", "set-controller", "br0",
              "ptcp:6653:127.0.0.1", "pssl:6654:127.0.0.1", "--", "set",
              "bridge", "br0", "other_config:disable-in-band=true")
    lab.run("ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/add-remote",
            "ptcp:6640:127.0.0.1")
    ours = [f"--private-key={pki}/here-privkey.pem",
            f"--certificate={pki}/here-cert.pem",
            f"--ca-cert={pki}/switchca/cacert.pem"]
    try:
        for target, options in (("tcp:127.0.0.1:6653", []),
                                ("ssl:127.0.0.1:6654", ours)):
            lab.unpush()
            done = lab.exec(lab.sdfw, "push", "--timeout=10",
                            "--db=tcp:127.0.0.1:6640", "--bridge", target,
                            *options, path)
            assert " flows added" in done.stdout, done.stdout
        # Without a certificate of ours: one clear error.
        done = lab.exec(lab.sdfw, "push", "--timeout=10", "--bridge",
                        "ssl:127.0.0.1:6654", path, check=False)
        assert done.returncode == 64 and "--private-key" in done.stderr, \
            (done.returncode, done.stderr)
    finally:
        lab.vsctl("del-controller", "br0", "--", "del-ssl")
    assert talks(lab, "web1", stream(lab, "web1", "app1", 8080))


def test_protocols(lab):
    """a bridge that speaks OpenFlow 1.3 only is served, with a warning"""
    lab.vsctl("set", "bridge", "br0", "protocols=OpenFlow13")
    done = lab.command("push", "--bridge", "br0",
                       lab.file("less.xml", manifest(LESS)))
    again = lab.command("push", "--bridge", "br0",
                        lab.file("less.xml", manifest(LESS)))
    lab.vsctl("clear", "bridge", "br0", "protocols")
    assert "warning" in done.stderr
    assert "nothing to change" in again.stdout, again.stdout
    lab.push(manifest())


def test_plan_show_explain(lab):
    """plan, show, explain and trace tell what is on the bridge"""
    path = lab.file("m.xml", manifest())
    lab.push(manifest())
    less = lab.file("less.xml", manifest(LESS))
    assert lab.command("plan", "--bridge", "br0", path).returncode == 0
    plan = lab.command("plan", "--bridge", "br0", less, check=False)
    assert plan.returncode == 2
    assert "- link shop/web -> shop/app tcp/8080" in plan.stdout, plan.stdout
    talks(lab, "web1", stream(lab, "web1", "app1", 9000))
    show = lab.command("show", "--bridge", "br0", path).stdout
    assert "as the topology says" in show and "NEVER USED" in show
    line = [x for x in show.splitlines() if "tcp/9000" in x][0]
    assert "NEVER" not in line and "s ago" in line, line
    flow = [x for x in lab.our_flows() if "reg13=0x201" in x][0]
    told = lab.command("explain", path, flow).stdout
    assert "workload shop/" in told and "m.xml:" in told, told
    for words, status in (
            (("shop/web/web1", "shop/app", "tcp", "8080"), 0),
            (("shop/web/web1", "shop/db", "tcp", "5432"), 4),
            (("10.7.0.201", "shop/web", "tcp", "80"), 0),
            (("outside", "shop/db", "tcp", "5432"), 4),
            (("fd07::11", "fd07::21", "icmp6", "128"), 0)):
        done = lab.command("trace", "--bridge", "br0", path, *words,
                           check=False)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        assert "DISAGREE" not in done.stdout, done.stdout


def test_lock(lab):
    """two pushes at once: one waits for the other"""
    import subprocess
    paths = [lab.file(f"both{i}.xml", manifest(LESS if i else LINKS))
             for i in (0, 1)]
    running = [subprocess.Popen(
        [lab.sdfw, "push", "--bridge", "br0", paths[i % 2]], env=lab.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(8)]
    for process in running:
        out, error = process.communicate(timeout=30)
        assert process.returncode == 0, error
    lab.push(manifest())
    assert lab.command("plan", "--bridge", "br0", paths[0]).returncode == 0


def test_clear(lab):
    """clear leaves the bridge as it was before the first push, whatever the
    tables; flows of others stay"""
    def all_of_it():
        return (lab.ofctl("dump-flows", "--no-stats", lab.bridge).stdout,
                [line for line in lab.ofctl("show", lab.bridge).stdout
                 .splitlines() if "config:" in line])
    lab.command("clear", "--bridge", lab.bridge)
    lab.ofctl("add-flow", lab.bridge, "table=3,priority=5,tcp,actions=drop")
    before = all_of_it()
    for options in ((), ("--table-base", "20")):
        lab.push(manifest(), *options)
        assert all_of_it() != before
        done = lab.command("clear", "--bridge", lab.bridge)
        assert "flows removed" in done.stdout, done
        assert all_of_it() == before
    assert "0 flows removed" in lab.command("clear", "--bridge",
                                            lab.bridge).stdout
    assert lab.command("clear", "--bridge", "nobody",
                       check=False).returncode == 3
    assert lab.command("clear", check=False).returncode == 64
    lab.ofctl("del-flows", lab.bridge, "table=3")
