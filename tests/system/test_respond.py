"""<response>: what is done when a workload deviates."""
import glob
import time

import frames as f
from daemon import Recording, forget_deviations, in_step, until
from policy import HOSTS, LINKS, SERVICES, make_lab, manifest

# In table LINK: tcp/8080.
LINK_8080 = "table=112,reg7=0x61f90/0xffffff"

HOSTS3 = dict(HOSTS, web3=("02:00:00:00:01:03", "10.7.0.13/24",
                           "fd07::13/64"))
SERVICES3 = dict(SERVICES, web=("web1", "web2", "web3"))


def policy(response, mode="enforce"):
    text = manifest(LINKS, mode=mode, hosts=HOSTS3, services=SERVICES3)
    return text.replace('<service name="web">',
                        f'<service name="web">{response}')


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False, hosts=HOSTS3)
    the_lab.path = the_lab.file("m.xml", manifest())
    for port in (22, 8080):
        the_lab.hosts["app1"].ask("listen", 4, port)
    return the_lab


class Watched(Recording):
    def __init__(self, lab, name, text, *options):
        lab.file("m.xml", text)
        forget_deviations(lab)
        super().__init__(lab, name, *options)

    def __exit__(self, *_):
        super().__exit__()
        for name in ("web1", "web2", "web3"):
            self.release(name)

    def release(self, name):
        self.lab.vsctl("remove", "interface", name, "external_ids",
                       "sdfw-quarantine", "--", "remove", "interface", name,
                       "external_ids", "sdfw-quarantine-reason")

    def responses(self):
        return self.records("response")

    def wait(self, n):
        until(lambda: len(self.responses()) >= n, f"{n} responses")
        return self.responses()[n - 1]

    def deviate(self, name, *ports):
        """A packet to each port of db1, which no link allows."""
        host, db = self.lab.hosts[name], self.lab.hosts["db1"]
        src, dst = host.address(), db.address()
        host.inject(*(f.ether(host.mac, db.mac, 0x800, f.ip(
            src, dst, 6, f.tcp(src, dst, 40000, port, 2))) for port in ports))


def held(lab, name):
    return lab.vsctl("--if-exists", "get", "interface", name,
                     "external_ids:sdfw-quarantine").stdout.strip()


def opens(lab, name, port=8080):
    host, app = lab.hosts[name], lab.hosts["app1"]
    number = host.ask("connect", app.address(), port, 0.3)
    if number:
        host.ask("close", number)
    return bool(number)


def test_quarantine(lab):
    """after so many deviations in so long a workload is in quarantine, and
    nobody else; OVSDB says until when and why; so do the records"""
    with Watched(lab, "quarantine", policy(
            '<response count="3" within="10" quarantine="30"/>')) as w:
        w.deviate("web1", 1001, 1002)
        w.deviate("web2", 1001, 1002)
        time.sleep(0.5)
        assert not w.responses() and opens(lab, "web1")
        w.deviate("web1", 1003)
        record = w.wait(1)
        assert record["action"] == "quarantine", record
        assert record["src"] == {"application": "shop", "service": "web",
                                 "workload": "web1"}
        assert record["reason"] == "no-link" and record["id"]
        until(lambda: "shop/web/web1 is in quarantine until" in w.status(),
              "it is in force")
        until(lambda: not opens(lab, "web1"), "it is cut off")
        assert opens(lab, "web2") and opens(lab, "web3")
        end = held(lab, "web1").strip('"')
        seconds = time.mktime(time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")) \
            - time.timezone - time.time()
        assert 1700 < seconds < 1810, end
        why = lab.vsctl("get", "interface", "web1",
                        "external_ids:sdfw-quarantine-reason").stdout
        assert "3 deviations in 10 s" in why and "m.xml:" in why
        assert "is in quarantine for 30 minutes" in w.sdfwd.log()
        # What it goes on trying changes nothing.
        w.deviate("web1", *range(2000, 2010))
        time.sleep(0.5)
        assert len(w.responses()) == 1
        w.release("web1")
        until(lambda: opens(lab, "web1"), "it is released")
        w.deviate("web1", 3001, 3002, 3003)
        w.wait(2)


def test_guard(lab):
    """never more than the share of a service's workloads; released ones make
    room"""
    with Watched(lab, "guard", policy(
            '<response count="1" quarantine="0" max-share="40"/>')) as w:
        for name in ("web1", "web2", "web3"):
            w.deviate(name, 1001)
        w.wait(3)
        actions = [r["action"] for r in w.responses()]
        assert actions.count("quarantine") == 1, w.responses()
        refused = [r for r in w.responses() if r["action"] == "report"]
        assert all("more than 40 %" in r["done"] for r in refused), refused
        until(lambda: [bool(held(lab, n)) for n in ("web1", "web2", "web3")]
              .count(True) == 1, "one is held")
        first = next(n for n in ("web1", "web2", "web3") if held(lab, n))
        assert held(lab, first) == "indefinite"
        w.release(first)
        until(lambda: opens(lab, first), "it is released")
        other = next(n for n in ("web1", "web2", "web3") if n != first)
        w.deviate(other, 2001)
        assert w.wait(4)["action"] == "quarantine"
        until(lambda: not opens(lab, other), "it is cut off")


def test_allowed(lab):
    """what the policy allows does not count, though flows that were changed
    by hand, or that a push is about to change, drop it; the record names the
    link"""
    with Watched(lab, "allowed", policy('<response count="1" quarantine="0"/>'),
                 "--drift", "report") as w:
        until(lambda: opens(lab, "web1"), "the policy is in force")
        lab.ofctl("del-flows", lab.bridge, LINK_8080)
        assert not opens(lab, "web1")
        until(lambda: w.records("open"), "it is told")
        record = w.records("open")[0]
        assert record["reason"] == "no-link" and "nearest" not in record
        link = record["allowed"]
        assert (link["from"], link["to"]) == ("shop/web", "shop/app"), link
        assert "; allowed by now: link shop/web -> shop/app" in w.sdfwd.log()
        w.deviate("web2", 1001)
        assert w.wait(1)["src"]["workload"] == "web2"
        assert not held(lab, "web1")


def test_reasons_and_time(lab):
    """only deviations of the reasons count, and only those of the last
    seconds"""
    with Watched(lab, "reasons", policy(
            '<response count="2" within="1" reasons="spoof" quarantine="1"/>'
            '<response count="2" within="1"/>')) as w:
        w.deviate("web1", 1001)
        time.sleep(1.3)
        w.deviate("web1", 1002)
        time.sleep(1.3)
        assert not w.responses()
        w.deviate("web1", 1003, 1004)
        record = w.wait(1)
        assert record["action"] == "report" and record["done"] == "reported"
        assert not held(lab, "web1")
        host, db = lab.hosts["web1"], lab.hosts["db1"]
        for last in (77, 78):
            src, dst = f"10.7.0.{last}", db.address()
            host.inject(f.ether(host.mac, db.mac, 0x800, f.ip(
                src, dst, 6, f.tcp(src, dst, 40000, 22, 2))))
        until(lambda: any(r["action"] == "quarantine"
                          for r in w.responses()), "spoofing is another thing")


def test_audit(lab):
    """in audit it is told, and done nothing; in learn not even that"""
    with Watched(lab, "audit", policy(
            '<response quarantine="5"/>', mode="audit")) as w:
        w.deviate("web1", 1001)
        record = w.wait(1)
        assert record["action"] == "report"
        assert "not in mode enforce" in record["done"]
        lab.file("m.xml", policy('<response quarantine="5"/>', mode="learn"))
        until(lambda: in_step(lab, lab.path), "it learns")
        w.deviate("web1", 1002)
        time.sleep(0.5)
        assert len(w.responses()) == 1 and not held(lab, "web1")


def test_application(lab):
    """what an application says counts for services that say nothing; a hook
    gets it"""
    hook = lab.file("hook", '#!/bin/sh\necho "$1 $2 $3" >>"%s/hooked"\n'
                    % lab.dir)
    lab.run("chmod", "755", hook)
    text = manifest(LINKS, hosts=HOSTS3, services=SERVICES3).replace(
        "</application>", '<response quarantine="5"/></application>')
    with Watched(lab, "application", text, "--hook", hook) as w:
        w.deviate("web2", 1001)
        assert w.wait(1)["action"] == "quarantine"
        def hooked():
            try:
                with open(f"{lab.dir}/hooked") as stream:
                    return stream.read()
            except FileNotFoundError:
                return ""
        until(lambda: "response no-link shop/web/web2" in hooked(),
              "the hook is run")


def captured(lab, directory):
    """[(port, comment, length, kept)] of all files, as tshark reads them"""
    found = []
    for path in sorted(glob.glob(f"{directory}/capture-*.pcapng")):
        out = lab.run("tshark", "-r", path, "-T", "fields", "-e",
                      "frame.interface_name", "-e", "frame.comment", "-e",
                      "frame.len", "-e", "frame.cap_len").stdout
        found += [line.split("\t") for line in out.splitlines()]
    return found


def test_capture(lab):
    """capture keeps all packets of the workload, whole, both directions, and
    nobody else's, for a time; also in audit"""
    directory = f"{lab.dir}/captures"
    lab.file("captures/.keep", "")
    with Watched(lab, "capture", policy(
            '<response capture="1"/>', mode="audit"), "--capture",
            directory) as w:
        host, app = lab.hosts["web1"], lab.hosts["app1"]
        assert opens(lab, "web1")
        assert not captured(lab, directory)
        w.deviate("web1", 1001)
        record = w.wait(1)
        assert "captured for 1 minutes" in record["done"], record
        until(lambda: "shop/web/web1 is captured until" in w.status(), "it is")
        until(lambda: in_step(lab, lab.path), "flows are there")
        number = host.ask("connect", app.address(), 8080)
        big = "x" * 1300
        assert host.ask("talk", number, big) == big
        host.ask("close", number)
        assert opens(lab, "web2")
        def complete():
            found = captured(lab, directory)
            return sum(int(n) > 1300 for _, _, n, _ in found) >= 2
        until(complete, "both directions are there")
        found = captured(lab, directory)
        assert {port for port, *_ in found} == {"br0/web1"}
        assert {comment for _, comment, *_ in found} \
            == {"from shop/web/web1", "to shop/web/web1"}
        assert all(n == kept for _, _, n, kept in found), found
        lab.vsctl("remove", "interface", "web1", "external_ids",
                  "sdfw-capture")
        until(lambda: "is captured" not in w.status(), "it is over")
        until(lambda: in_step(lab, lab.path), "flows are gone")
        before = len(captured(lab, directory))
        assert opens(lab, "web1")
        time.sleep(0.5)
        assert len(captured(lab, directory)) == before
    with Watched(lab, "nowhere", policy("")) as w:
        lab.vsctl("set", "interface", "web1",
                  "external_ids:sdfw-capture=indefinite")
        until(lambda: "NOT CAPTURED" in w.status(), "it is told")
        lab.vsctl("remove", "interface", "web1", "external_ids",
                  "sdfw-capture")
