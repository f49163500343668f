"""What is said in OVSDB, on top of the manifests: bindings, modes,
quarantine, and which bridges are enabled."""
import ipaddress
import json
import pathlib
import re
import time

from daemon import Sdfwd, forget_deviations, in_step, until
from policy import LINKS, make_lab, manifest

EXAMINERS = """<network name="examiners" forensics="true">
  <prefix>10.7.0.202/32</prefix></network>"""
EXAMINE = '<link from="examiners" to="web"><tcp port="22"/></link>'
WEB3 = ("02:00:00:00:01:03", "10.7.0.13/24", "fd07::13/64")


def policy(**options):
    return manifest(LINKS + EXAMINE, extra=EXAMINERS, **options)


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", policy())
    for host in ("app1", "web2", "db1"):
        for port in (22, 80, 8080, 5432):
            the_lab.hosts[host].ask("listen", 4, port)
    the_lab.host("web3", *WEB3, plug=False)
    return the_lab


def daemon(lab, *options):
    return Sdfwd(lab, lab.path, options=options)


def status(lab):
    return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                   check=False).stdout


def start(lab):
    until(lambda: "last push" in status(lab), "a push")
    until(lambda: in_step(lab, lab.path), "flows are there")


def opens(client, server, port):
    number = client.ask("connect", server.address(), port, 0.3)
    if number:
        client.ask("close", number)
    return bool(number)


def say(lab, host, **keys):
    """Sets keys of an interface, and takes back those that are None."""
    for key, value in keys.items():
        name = "sdfw-" + key.replace("_", "-")
        if value is None:
            lab.vsctl("remove", "interface", host.port, "external_ids", name)
        else:
            lab.vsctl("set", "interface", host.port,
                      f"external_ids:{name}={json.dumps(value)}")


def knows(lab, address):
    """Is it a workload's, on the bridge?"""
    word = f"0x{int(ipaddress.ip_address(address)):x}"
    return any(word in flow
               for flow in lab.our_flows())


def bind(lab, host, path, mac="", address=""):
    """By the commands of our ovs-vsctl, as a platform would."""
    lab.run(str(pathlib.Path(lab.sdfw).with_name("ovs-vsctl")), "add-port",
            lab.bridge, host.port, "--", "sdfw-bind", host.port, path,
            *mac.split(), *address.split())


def bind_wrong(lab, host, path, **keys):
    """By keys alone, which nobody checks."""
    lab.vsctl("add-port", lab.bridge, host.port, "--", "set", "interface",
              host.port, f"external_ids:sdfw-workload={path}",
              *(f"external_ids:sdfw-{key}={json.dumps(value)}"
                for key, value in keys.items()))


def test_replica(lab):
    """an interface that is bound to a service is one more workload of it, at
    once, by a few flows; unbound, it is as any other port"""
    host, app = lab.hosts["web3"], lab.hosts["app1"]
    with daemon(lab) as sdfwd:
        start(lab)
        log = len(sdfwd.log())
        begin = time.monotonic()
        bind(lab, host, "shop/web", mac=WEB3[0],
             address="10.7.0.13 fd07::13")
        until(lambda: knows(lab, "10.7.0.13"),
              "its address is known")
        print(f"     {(time.monotonic() - begin) * 1000:.0f} ms from "
              "ovs-vsctl to its flows (polled)")
        until(lambda: in_step(lab, lab.path), "sdfw push finds the same")
        added, changed, removed = map(int, re.search(
            r"(\d+) flows added, (\d+) changed, (\d+) removed",
            sdfwd.log()[log:]).groups())
        # MAC, two addresses, its port and its own report flows.
        assert added <= 10 and changed + removed <= 4, sdfwd.log()[log:]
        assert opens(host, app, 8080) and not opens(host, app, 22)
        assert "1 interfaces are bound by hand" in status(lab)
        lab.unplug(host)
        until(lambda: not knows(lab, "10.7.0.13"), "it is forgotten")
        lab.plug(host)
        time.sleep(0.3)
        assert in_step(lab, lab.path) and not knows(lab, "10.7.0.13")
        lab.unplug(host)


def test_names(lab):
    """records name a replica by its interface, or as it was called; a
    deviation towards it too"""
    host, web = lab.hosts["web3"], lab.hosts["web1"]
    with daemon(lab, "--json", f"{lab.dir}/names.json"):
        start(lab)
        bind(lab, host, "shop/web/extra", mac=WEB3[0], address="10.7.0.13")
        until(lambda: "1 interfaces are bound" in status(lab), "it is bound")
        until(lambda: in_step(lab, lab.path), "flows are there")
        for src, dst in ((host, web), (web, host)):
            assert not opens(src, dst, 2222)
        def records():
            with open(f"{lab.dir}/names.json") as stream:
                return [r for r in map(json.loads, stream)
                        if r.get("dst_port") == 2222]
        until(lambda: len(records()) >= 2, "they are told")
        assert [r["src"]["workload"] for r in records()[:2]] \
            == ["extra", "web1"]
        assert records()[1]["dst"]["workload"] == "extra"
        lab.unplug(host)


def test_declared(lab):
    """a workload that the manifests declare can be put to another interface,
    with another address"""
    host, app = lab.hosts["web3"], lab.hosts["app1"]
    with daemon(lab):
        start(lab)
        bind(lab, host, "shop/web/web1", mac=WEB3[0], address="10.7.0.13")
        until(lambda: in_step(lab, lab.path)
              and knows(lab, "10.7.0.13"), "it is there")
        assert opens(host, app, 8080) and not opens(host, app, 22)
        # Its old port is no workload's, and its old address nobody's.
        assert not knows(lab, "10.7.0.11")
        assert not opens(lab.hosts["web1"], app, 8080)
        lab.unplug(host)
        until(lambda: in_step(lab, lab.path)
              and opens(lab.hosts["web1"], app, 8080), "it is back")


def test_mac_finds(lab):
    """bound to a service, an interface with the MAC of a workload that is
    declared is that workload"""
    host = lab.hosts["web1"]
    with daemon(lab):
        start(lab)
        before = len(lab.our_flows())
        lab.vsctl("set", "interface", host.port,
                  f'external_ids:attached-mac="{host.mac}"',
                  "external_ids:sdfw-workload=shop/web")
        until(lambda: "1 interfaces are bound" in status(lab), "it is bound")
        assert in_step(lab, lab.path) and len(lab.our_flows()) == before
        lab.vsctl("remove", "interface", host.port, "external_ids",
                  "attached-mac", "--", "remove", "interface", host.port,
                  "external_ids", "sdfw-workload")


def test_wrong(lab):
    """what makes no sense is left out, told once, and shown; the rest is in
    force, and "sdfw push" says the same"""
    host = lab.hosts["web3"]
    with daemon(lab) as sdfwd:
        start(lab)
        bind_wrong(lab, host, "shop/wbe", mac=WEB3[0], address="10.7.0.13")
        until(lambda: '"shop/wbe"' in status(lab), "it is told")
        assert "NOT TAKEN" in status(lab)
        say(lab, host, workload="shop/web", mac=lab.hosts["db1"].mac,
            address="10.7.0.31 10.7.0.13 10.7.0.300")
        until(lambda: "10.7.0.300" in status(lab), "an address is wrong")
        text = status(lab)
        assert f"MAC {lab.hosts['db1'].mac} is shop/db/db1's already" in text
        assert "10.7.0.31 is shop/db/db1's already" in text
        assert sdfwd.log().count("10.7.0.300") == 1
        assert knows(lab, "10.7.0.13")
        done = lab.command("push", "--bridge", lab.bridge, lab.path)
        assert "10.7.0.300" in done.stderr
        lab.vsctl("set", "bridge", lab.bridge, "other_config:sdfw-mode=lax")
        until(lambda: '"lax" is no mode' in status(lab), "no such mode")
        say(lab, lab.hosts["out1"], quarantine="indefinite")
        until(lambda: "no workload is there" in status(lab), "no workload")
        say(lab, lab.hosts["out1"], quarantine=None)
        lab.vsctl("remove", "bridge", lab.bridge, "other_config", "sdfw-mode")
        lab.unplug(host)
        until(lambda: "NOT TAKEN" not in status(lab), "all is right again")


def test_modes(lab):
    """a mode in OVSDB is stronger than the manifests', that of a part stronger
    than that of the whole, and both hold for a push too"""
    web, app, db = (lab.hosts[h] for h in ("web1", "app1", "db1"))
    def set_mode(name, mode):
        key = f'other_config:"sdfw-mode{name}"'
        lab.vsctl(*(("set", "bridge", lab.bridge, f"{key}={mode}") if mode
                    else ("remove", "bridge", lab.bridge, "other_config",
                          f'"sdfw-mode{name}"')))
    with daemon(lab):
        start(lab)
        assert not opens(web, app, 22)
        set_mode("", "audit")
        until(lambda: opens(web, app, 22), "all is in audit")
        assert "BY HAND: all is in mode audit" in status(lab)
        set_mode(":shop/db", "enforce")
        until(lambda: not opens(web, db, 22), "but db")
        assert opens(web, app, 22) and in_step(lab, lab.path)
        set_mode(":shop", "enforce")
        until(lambda: not opens(web, app, 22), "an application")
        for name in ("", ":shop/db", ":shop"):
            set_mode(name, None)
        until(lambda: "BY HAND" not in status(lab), "all is as it was")
        assert not opens(web, app, 22)


class Talk:
    """A connection that goes on."""

    def __init__(self, client, server, port):
        self.client = client
        self.number = client.ask("connect", server.address(), port, 1.0)
        assert self.number

    def works(self):
        try:
            return self.client.ask("talk", self.number, "x", 0.3) == "x"
        except Exception:
            return False

    def close(self):
        self.client.ask("close", self.number)


def test_quarantine(lab):
    """in quarantine a workload's connections are cut, nothing reaches it or
    comes from it but the examiners' links, whatever the mode; others go on"""
    web, web2, app = (lab.hosts[h] for h in ("web1", "web2", "app1"))
    customer, examiner = lab.hosts["out1"], lab.hosts["out2"]
    for host in (web,):
        for port in (22, 80):
            host.ask("listen", 4, port)
    for mode in ("enforce", "audit"):
        lab.file("m.xml", policy(mode=mode))
        forget_deviations(lab)
        records = f"{lab.dir}/{mode}.json"
        with daemon(lab, "--json", records) as sdfwd:
            start(lab)
            talk, other = Talk(web, app, 8080), Talk(web2, app, 8080)
            assert opens(customer, web, 80) and opens(examiner, web, 22)
            with open(records) as stream:
                before = len(stream.readlines())
            say(lab, web, quarantine_reason="looks odd",
                quarantine="indefinite")
            until(lambda: "shop/web/web1 is in quarantine" in status(lab),
                  "it is in quarantine")
            assert "until it is released: looks odd" in status(lab)
            assert in_step(lab, lab.path)
            assert not talk.works() and other.works()
            assert not opens(web, app, 8080) and not opens(customer, web, 80)
            assert not opens(web, customer, 80)
            assert opens(examiner, web, 22) and opens(web2, app, 8080)
            with open(records) as stream:
                told = [json.loads(line)
                        for line in stream.readlines()[before:]]
            told = [r for r in told if r["event"] == "open"]
            odd = [r for r in told if r["reason"] == "quarantine"]
            assert odd and all(r["verdict"] == "drop" for r in odd), told
            assert {r["reason"] for r in told} == {"quarantine"}, told
            assert {r["src"]["quarantine"] for r in odd
                    if r["src"].get("workload") == "web1"} == {"looks odd"}
            assert "shop/web/web1 is in quarantine: looks odd" in sdfwd.log()
            # Later packets of a link that stays are judged as the first.
            still = Talk(examiner, web, 22)
            assert still.works() and still.works()
            say(lab, web, quarantine=None)
            until(lambda: opens(web, app, 8080), "it is released")
            assert still.works() and opens(customer, web, 80)
            assert "no longer by hand: shop/web/web1 is in" in sdfwd.log()
            still.close()
            other.close()
            say(lab, web, quarantine_reason=None)
    lab.file("m.xml", policy())


def test_quarantine_ends(lab):
    """a quarantine ends at its time, without anybody; until then it outlives
    sdfwd, and is in force after a push without it"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
    say(lab, web, quarantine=end)
    lab.push(lab.path)
    assert not opens(web, app, 8080)
    with daemon(lab):
        start(lab)
        assert f"is in quarantine until {end}" in status(lab)
        assert not opens(web, app, 8080)
    with daemon(lab):
        start(lab)
        assert not opens(web, app, 8080)
        until(lambda: opens(web, app, 8080), "it is over", 10)
        assert time.time() >= time.mktime(
            time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert in_step(lab, lab.path)
        say(lab, web, quarantine="tomorrow")
        until(lambda: '"tomorrow" is no time' in status(lab), "it is told")
        assert not opens(web, app, 8080)
        say(lab, web, quarantine=None)
        until(lambda: opens(web, app, 8080), "it is released")


def test_mac_only(lab):
    """a replica of which no address is known may do nothing but get one: it
    is not free"""
    host, app = lab.hosts["web3"], lab.hosts["app1"]
    with daemon(lab):
        start(lab)
        bind(lab, host, "shop/web", mac=WEB3[0])
        until(lambda: "1 interfaces are bound" in status(lab), "it is bound")
        until(lambda: in_step(lab, lab.path), "flows are there")
        assert not opens(host, app, 8080) and not opens(host, app, 22)
        say(lab, host, address="10.7.0.13")
        until(lambda: opens(host, app, 8080), "it has one")
        lab.unplug(host)


def test_enable(lab):
    """a bridge that OVSDB enables is kept; disabled, it is as it was: no
    flow, no meter, no flood setting is left"""
    lab.unpush()
    lab.ofctl("del-meters", lab.bridge)
    def all_of_it():
        ports = lab.ofctl("show", lab.bridge).stdout
        return (lab.ofctl("dump-flows", "--no-stats", lab.bridge).stdout,
                lab.ofctl("dump-meters", lab.bridge).stdout.split("\n", 1)[1],
                re.findall(r"config:.*", ports))
    before = all_of_it()
    sdfwd = Sdfwd(lab, options=())
    sdfwd.arguments = []
    with sdfwd:
        until(lambda: "WAITING" in status(lab), "it waits")
        for _ in range(2):
            lab.vsctl("set", "bridge", lab.bridge,
                      f"other_config:sdfw-topology={lab.path}")
            start(lab)
            assert opens(lab.hosts["web1"], lab.hosts["app1"], 8080)
            assert not opens(lab.hosts["web1"], lab.hosts["app1"], 22)
            assert all_of_it() != before
            config = lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/config").stdout
            assert re.search(rf"bridge +{lab.bridge} \(OVSDB", config), config
            lab.vsctl("remove", "bridge", lab.bridge, "other_config",
                      "sdfw-topology")
            until(lambda: all_of_it() == before, "all is gone")
            assert opens(lab.hosts["web1"], lab.hosts["app1"], 22)
            assert "WAITING" in status(lab)
    lab.vsctl("set", "bridge", lab.bridge,
              f"other_config:sdfw-topology={lab.path}")
    with sdfwd:
        start(lab)
        assert "beginning anew" not in sdfwd.log()[-300:]
    lab.vsctl("remove", "bridge", lab.bridge, "other_config", "sdfw-topology")
