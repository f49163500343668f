"""Somebody else changes our flows while sdfwd runs."""
import time

from daemon import Recording, has_flows, in_step, until
from policy import make_lab, manifest

TABLE_LINK = "table=112"


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    the_lab.hosts["app1"].ask("listen", 4, 8080)
    return the_lab


class Watched(Recording):
    def __enter__(self):
        super().__enter__()
        # What it reads back after its first push.
        time.sleep(1.2)
        assert not self.drifts(), self.drifts()
        return self

    def drifts(self):
        return self.records("drift")


def works(lab):
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    number = web.ask("connect", app.address(), 8080, 0.3)
    if number:
        web.ask("close", number)
    return bool(number)


HARMS = (
    ("missing", ("del-flows", "br0", TABLE_LINK)),
    ("missing", ("del-flows", "br0",
                 "cookie=0x5dfd000000000000/0xffff000000000000")),
    ("altered", ("mod-flows", "br0", "table=125,actions=drop")),
    ("added", ("add-flow", "br0", "cookie=0x5dfd000000000001,table=115,"
               "priority=999,actions=drop")),
    ("added", ("add-flow", "br0", "table=109,priority=60000,ip,"
               "actions=NORMAL")),
    ("missing", ("--strict", "del-flows", "br0",
                 "table=0,priority=65535,reg15=0")),
)


def test_repair(lab):
    """what somebody adds, alters or removes in our tables is undone within a
    second, and told once, with the flow"""
    with Watched(lab, "repair") as watched:
        for i, (what, harm) in enumerate(HARMS):
            lab.ofctl(*harm)
            took = until(lambda: len(watched.drifts()) > i, f"{harm} is told")
            assert took < 2, took
            record = watched.drifts()[i]
            print(f"     {took * 1000:.0f} ms: {what}")
            assert record[what] and record["verdict"] == "repaired", record
            assert record["flows"][0]["change"] == what, record
            until(lambda: in_step(lab, lab.path), "it is undone")
            until(lambda: "table=109, n_packets" not in lab.ofctl(
                "dump-flows", "br0", "table=109,ip").stdout
                or "priority=60000" not in lab.ofctl(
                    "dump-flows", "br0", "table=109").stdout, "its flow too")
            assert works(lab)
        time.sleep(1.2)
        assert len(watched.drifts()) == len(HARMS)
        assert "somebody changed our flows" in watched.sdfwd.log()


def test_own(lab):
    """what sdfwd does itself is no drift, nor are a push of the same, others'
    flows in table 0, and what expires"""
    with Watched(lab, "own", "--adopt", "2") as watched:
        lab.ofctl("add-flow", "br0", "table=0,priority=7,tcp,actions=NORMAL")
        lab.push(lab.path)
        lab.file("m.xml", manifest(mode="audit"))
        until(lambda: has_flows(lab, lab.path), "the edit is in force")
        host = lab.hosts["web2"]
        lab.unplug(host)
        until(lambda: has_flows(lab, lab.path), "a port is gone")
        lab.plug(host)
        until(lambda: has_flows(lab, lab.path), "it is back")
        lab.file("m.xml", manifest())
        until(lambda: has_flows(lab, lab.path), "the manifest is as it was")
        time.sleep(2.5)
        assert not watched.drifts(), watched.drifts()
        lab.ofctl("del-flows", "br0", "table=0,tcp")


def test_report(lab):
    """with --drift=report it is told once and left; a new manifest undoes
    it"""
    with Watched(lab, "report", "--drift", "report") as watched:
        lab.ofctl("del-flows", "br0", TABLE_LINK)
        until(watched.drifts, "it is told")
        assert watched.drifts()[0]["verdict"] == "left"
        time.sleep(1.2)
        assert not has_flows(lab, lab.path)
        host = lab.hosts["web2"]
        lab.vsctl("set", "interface", host.port, "external_ids:x=y")
        time.sleep(1.2)
        assert len(watched.drifts()) == 1
        lab.file("m.xml", manifest(mode="audit"))
        until(lambda: in_step(lab, lab.path), "it is undone")
        assert len(watched.drifts()) == 1
