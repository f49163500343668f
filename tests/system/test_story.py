"""The whole story: a shop that nobody knows the links of is learned, verified,
audited, enforced, attacked from within, and is as it should be again."""
import glob
import json
import time

import frames as f
from daemon import Sdfwd, in_step, until
from policy import HOSTS, SERVICES, make_lab, manifest
from receiver import Rsyslogd
from test_attest import make_key

HOSTS3 = dict(HOSTS, web3=("02:00:00:00:01:03", "10.7.0.13/24",
                           "fd07::13/64"))
SERVICES3 = dict(SERVICES, web=("web1", "web2", "web3"))
WEBS = SERVICES3["web"]
N_TALKS = 3 * len(WEBS) + 1     # Who talks to whom, in trade().
RESPONSE = '<response count="10" within="10" quarantine="30" capture="5"/>'


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False, hosts=HOSTS3)
    for host, port in (*((web, 80) for web in WEBS), ("app1", 8080),
                       ("db1", 5432), ("db1", 22)):
        the_lab.hosts[host].ask("listen", 4, port)
    return the_lab


class Shop:
    """The manifests, sdfwd, and what is seen of them."""

    def __init__(self, lab):
        self.lab, self.topology = lab, f"{lab.dir}/topology"
        self.records = f"{lab.dir}/records.json"
        self.receiver = Rsyslogd(lab.dir)
        lab.cleanup.append(self.receiver.stop)
        self.receiver.start()
        for directory in ("evidence", "captures"):
            lab.file(f"{directory}/.keep", "")

    def declare(self, mode, response=""):
        """What the team knows from the start: who is there."""
        self.lab.file("topology/shop.xml", manifest(
            links="", mode=mode, hosts=HOSTS3, services=SERVICES3).replace(
                "</application>", f"{response}</application>"))

    def daemon(self):
        return Sdfwd(self.lab, self.topology, options=[
            "--json", self.records, "--interval", "2",
            "--syslog", f"unix:{self.receiver.socket}",
            "--pcap", f"{self.lab.dir}/evidence",
            "--capture", f"{self.lab.dir}/captures"])

    def in_mode(self, mode):
        until(lambda: in_step(self.lab, self.topology), mode)

    def told(self, **wanted):
        with open(self.records) as stream:
            return [r for r in map(json.loads, stream)
                    if all(r.get(k) == v for k, v in wanted.items())]

    def sdfw(self, *arguments, status=0):
        done = self.lab.command(*arguments, check=False)
        assert done.returncode == status, done
        return done.stdout


def connect(client, server, port):
    number = client.ask("connect", server.address(), port, 0.5)
    if not number:
        return False
    answered = client.ask("talk", number, "order", 0.5) == "order"
    client.ask("close", number)
    return answered


def trade(lab, without=()):
    """What the shop does all day; returns what did not work."""
    hosts, failed = lab.hosts, []
    for web in WEBS:
        pairs = [("out1", web, 80), ("out2", web, 80), (web, "app1", 8080)]
        failed += [pair for pair in pairs if web not in without
                   and not connect(hosts[pair[0]], hosts[pair[1]], pair[2])]
    if not connect(hosts["app1"], hosts["db1"], 5432):
        failed.append(("app1", "db1", 5432))
    return failed


def attack(lab):
    """web2 is taken over: it scans the database, and tries its ssh."""
    web, db = lab.hosts["web2"], lab.hosts["db1"]
    src, dst = web.address(), db.address()
    web.inject(*(f.ether(web.mac, db.mac, 0x800, f.ip(
        src, dst, 6, f.tcp(src, dst, 40000, port, 2)))
        for port in range(1, 60)))
    return connect(web, db, 22)


def test_story(lab):
    """learn, verify, audit without a false deviation, enforce; an attack from
    one replica is told, kept as evidence and cut off, and nothing else; after
    its release all conform"""
    shop = Shop(lab)
    shop.declare("learn")
    with shop.daemon() as sdfwd:
        # Learn: all works, and is recorded; people hear nothing.
        shop.in_mode("learn")
        for n in (1, 2):
            assert not trade(lab)
            # What was seen only once would be set aside.
            until(lambda: len(shop.told(event="close")) >= n * N_TALKS,
                  "it is recorded, and over", 20)
        assert not shop.receiver.received()
        profile = f"{lab.dir}/shop.profile"
        shop.sdfw("learn", "--profile", profile, "--topology", shop.topology,
                  "--output", shop.topology, shop.records)
        shop.sdfw("check", shop.topology)

        # Verify: nothing of it is dangerous.
        verdicts = shop.sdfw("verify", shop.topology)
        assert "0 dangerous" in verdicts, verdicts

        # Audit: the same trade is no deviation.
        shop.declare("audit")
        shop.in_mode("audit")
        before = len(shop.told())
        for _ in range(2):
            assert not trade(lab)
        time.sleep(1)
        assert shop.told()[before:] == []

        # Enforce.
        shop.declare("enforce", RESPONSE)
        shop.in_mode("enforce")
        assert not trade(lab)
        assert not connect(lab.hosts["web1"], lab.hosts["db1"], 22)
        for src, dst, port, status in (
                ("shop/web", "shop/app", 8080, 0),
                ("outside", "shop/web", 80, 0),
                ("shop/app", "shop/db", 5432, 0),
                ("shop/web", "shop/db", 22, 4),
                ("shop/web", "shop/db", 5432, 4)):
            shop.sdfw("trace", shop.topology, src, dst, "tcp", str(port),
                      status=status)
        key, public = make_key(lab, "host")
        statement = ("attest", "--bridge", lab.bridge, "--key", key,
                     shop.topology)
        until(lambda: lab.command(*statement, check=False).returncode == 0,
              "all conform", 20)

        # Attack.
        assert not attack(lab)
        until(lambda: shop.told(event="response", action="quarantine"),
              "it is answered")
        until(lambda: lab.vsctl("get", "interface", "web2", "external_ids:"
                                "sdfw-quarantine", check=False).stdout,
              "OVSDB says so")
        shop.in_mode("quarantine")
        assert not trade(lab, without=("web2",))
        for pair in (("out1", "web2", 80), ("web2", "app1", 8080)):
            assert not connect(lab.hosts[pair[0]], lab.hosts[pair[1]], pair[2])
        told = [m["msg"] for m in shop.receiver.received()]
        assert any("scan" in line and "shop/web/web2" in line
                   for line in told), told
        assert any("response: shop/web/web2 is in quarantine" in line
                   for line in told), told
        for pattern in ("evidence/sdfw-*.pcapng", "captures/capture-*.pcapng"):
            files = glob.glob(f"{lab.dir}/{pattern}")
            assert files and "web2" in lab.run(
                "tshark", "-r", files[0], "-T", "fields", "-e",
                "frame.comment").stdout
        verdicts = dict(line.split()[:2] for line in shop.sdfw(
            "attest", "--bridge", lab.bridge, shop.topology).splitlines()[1:]
            if line.strip())
        assert verdicts["shop/web/web2"] == "quarantined", verdicts

        # Release.
        lab.vsctl(*(word for key in ("sdfw-quarantine", "sdfw-capture",
                                     "sdfw-quarantine-reason")
                    for word in ("--", "remove", "interface", "web2",
                                 "external_ids", key)))
        until(lambda: connect(lab.hosts["web2"], lab.hosts["app1"], 8080),
              "it is released")
        assert not trade(lab)
        until(lambda: lab.command(*statement, check=False).returncode == 0,
              "all conform again", 30)
        signed = lab.file("signed.jsonl", lab.command(*statement).stdout)
        checked = shop.sdfw("attest", "--verify", "--public-key", public,
                            signed)
        assert checked.count(" conforms ") == 5, checked
        assert "Traceback" not in sdfwd.log()
