"""sdfw learn: what real traffic was becomes a manifest that allows it, and
nothing else."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from daemon import Sdfwd, in_step, until
from policy import HOSTS, make_lab, manifest

PORTS = ("web1", "web2", "app1", "db1")


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    for host in the_lab.hosts.values():
        for family in (4, 6):
            for port in (22, 80, 5432, 8080):
                host.ask("listen", family, port)
            host.ask("listen", family, 5300, True)
    try:
        capture_and_learn(the_lab)
    except BaseException:
        the_lab.close()
        raise
    return the_lab


@contextlib.contextmanager
def captures(lab, ports, program="tcpdump"):
    """Captures at each port while the block runs; yields the files."""
    files = {port: f"{lab.dir}/{port}-{program}.pcap" for port in ports}
    running = []
    try:
        for port, path in files.items():
            running.append(subprocess.Popen(
                ["ip", "netns", "exec", lab.ns, program, "-i", port, "-w",
                 path, *(["--immediate-mode", "-U", "-Z", "root"]
                         if program == "tcpdump" else [])],
                stderr=subprocess.PIPE, text=True))
        for process in running:
            for line in process.stderr:
                if re.search("listening on|File: ", line):
                    break
        yield files
        time.sleep(0.5)  # What was sent last is on its way.
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)


def traffic(lab, n=3, ping=True):
    """What the shop does, and all of it works."""
    for family in (4, 6):
        def address(name):
            return lab.hosts[name].address(family)
        for web in ("web1", "web2"):
            for _ in range(n):
                assert lab.hosts["out1"].ask("tcp", address(web), 80)
                assert lab.hosts[web].ask("tcp", address("app1"), 8080)
                assert lab.hosts[web].ask("udp", address("app1"), 5300)
            assert not ping or lab.hosts["out1"].ping(address(web))
        for _ in range(n):
            assert lab.hosts["app1"].ask("tcp", address("db1"), 5432)


def nothing_else(lab):
    for family in (4, 6):
        for who, whom, port in (("web1", "db1", 5432), ("web1", "app1", 22),
                                ("out1", "app1", 8080), ("out1", "web1", 22),
                                ("db1", "app1", 8080), ("web1", "web2", 80)):
            assert not lab.hosts[who].ask(
                "tcp", lab.hosts[whom].address(family), port, 0.3), \
                f"{who} reaches {whom} on {port}, IPv{family}"
        assert not lab.hosts["app1"].ping(lab.hosts["web1"].address(family))


def learn(lab, profile, *arguments, status=0):
    done = lab.command("learn", "--profile", f"{lab.dir}/{profile}",
                       *arguments, check=False)
    assert done.returncode == status, done
    return done


def services(lab, directory, mode):
    """A topology without links, in a directory of its own."""
    lab.file(f"{directory}/services.xml", manifest(links="", mode=mode))
    return f"{lab.dir}/{directory}"


def links(path):
    """{(from, to, what)} of a learned manifest."""
    text = pathlib.Path(path).read_text()
    return {(a, b, c) for a, b, c in re.findall(
        r'<link from="(.*?)" to="(.*?)".*?>\s*<(.*?)/>', text)}


SHOP = {("outside", "web", 'tcp port="80"'),
        ("outside", "web", 'icmp type="echo-request"'),
        ("outside", "web", 'icmp6 type="echo-request"'),
        ("web", "app", 'tcp port="8080"'),
        ("web", "app", 'udp port="5300"'),
        ("app", "db", 'tcp port="5432"')}


def capture_and_learn(lab):
    """What most tests start from: traffic without policy, captured at each
    port, in captured.profile and as links in captured/."""
    topology = services(lab, "captured", "enforce")
    with captures(lab, PORTS) as files:
        traffic(lab)
    for port, path in files.items():
        done = learn(lab, "captured.profile", "--observer", port, path)
        assert "pcap" in done.stderr and " 0 not understood" in done.stderr
    done = learn(lab, "captured.profile", "--topology", topology, "--output",
                 topology)
    assert "6 links" in done.stdout


def test_captures(lab):
    """captures of a network without policy become a manifest: what was seen
    passes in enforce, and nothing else"""
    topology = f"{lab.dir}/captured"
    path = f"{topology}/shop-learned.xml"
    assert links(path) == SHOP, pathlib.Path(path).read_text()
    assert not lab.command("check", topology).stderr
    lab.push(topology)
    traffic(lab, 1)
    nothing_else(lab)


def test_evidence(lab):
    """the reason of a link counts each connection once, whichever ports it
    was captured at, and says how many replicas took part"""
    text = pathlib.Path(f"{lab.dir}/captured/shop-learned.xml").read_text()
    reason = re.search(r'from="web" to="app" reason="(.*?)">\s*<tcp', text)[1]
    assert reason.startswith("12 connections "), reason
    assert reason.endswith(": 2 of 2 web to 1 of 1 app"), reason


def test_again(lab):
    """a capture that was read already, and links that are there already, add
    nothing; a file that is there is not overwritten"""
    profile, topology = "captured.profile", f"{lab.dir}/captured"
    before = pathlib.Path(f"{lab.dir}/{profile}").read_bytes()
    done = learn(lab, profile, f"{lab.dir}/web1-tcpdump.pcap")
    assert "read before" in done.stderr
    assert pathlib.Path(f"{lab.dir}/{profile}").read_bytes() == before
    done = learn(lab, profile, "--topology", topology, "--output", topology)
    assert "0 links" in done.stdout and "nothing to write" in done.stdout
    lab.file("services-only.xml", manifest(links=""))
    done = learn(lab, profile, "--topology", f"{lab.dir}/services-only.xml",
                 "--output", topology, status=8)
    assert "shop-learned.xml is there already" in done.stderr
    assert links(f"{topology}/shop-learned.xml") == SHOP


def test_part_is_there(lab):
    """what the topology's links cover is not learned again"""
    text = manifest(links='<link from="web" to="app"><tcp port="8000-8999"/>'
                    '<udp/></link>')
    path = lab.file("part.xml", text)
    done = learn(lab, "captured.profile", "--topology", path, "--output",
                 f"{lab.dir}/rest.xml")
    assert links(f"{lab.dir}/rest.xml") == {
        link for link in SHOP if link[0] != "web"}, done.stdout
    assert not lab.command("check", path, f"{lab.dir}/rest.xml").stderr


def test_per_workload(lab):
    """a manifest for each workload allows the same, but what one workload
    alone has seen only once"""
    topology = services(lab, "workloads", "enforce")
    done = learn(lab, "captured.profile", "--topology", topology, "--output",
                 topology, "--per", "workload")
    assert "shop/web/web2 icmp/8\n    seen only once" in done.stdout
    assert "to shop/web/web2 icmp/8: seen only once" in pathlib.Path(
        f"{topology}/shop-web.web2-learned.xml").read_text()
    assert sorted(os.listdir(topology)) == [
        "services.xml", "shop-app.app1-learned.xml",
        "shop-db.db1-learned.xml", "shop-web.web1-learned.xml",
        "shop-web.web2-learned.xml"]
    lab.command("check", topology)
    lab.push(topology)
    traffic(lab, 1, ping=False)
    nothing_else(lab)


def test_conntrack(lab):
    """what the bridge tracks in mode learn becomes a manifest"""
    topology = services(lab, "tracked", "learn")
    lab.run("ovs-appctl", "dpctl/flush-conntrack")
    lab.push(topology)
    traffic(lab)
    listing = lab.file("conntrack.txt", lab.run(
        "ovs-appctl", "dpctl/dump-conntrack").stdout)
    # As a cron job would: the same connections again, an hour later.
    learn(lab, "tracked.profile", listing)
    assert "read before" in learn(lab, "tracked.profile", listing).stderr
    os.utime(listing, (time.time() + 3600, time.time() + 3600))
    done = learn(lab, "tracked.profile", listing, "--topology", topology,
                 "--output", topology)
    assert "read before" not in done.stderr
    path = f"{topology}/shop-learned.xml"
    assert links(path) == SHOP, pathlib.Path(path).read_text()
    assert 'reason="12 connections from' in pathlib.Path(path).read_text()
    services(lab, "tracked", "enforce")
    lab.push(topology)
    traffic(lab, 1)
    nothing_else(lab)


def test_kernel_conntrack(lab):
    """what the kernels of the hosts track (conntrack -L) tells the same"""
    lab.unpush()
    track = ("add table inet t; add chain inet t c { type filter hook input "
             "priority 0; }; add rule inet t c ct state new counter")
    try:
        for name in PORTS:
            lab.hosts[name].exec("nft", track)
        traffic(lab)
        for name in PORTS:
            listing = "".join(lab.hosts[name].exec(
                "conntrack", "-L", "-f", family).stdout
                for family in ("ipv4", "ipv6"))
            path = lab.file(f"{name}.conntrack", listing)
            done = learn(lab, "kernel.profile", "--observer", name, path)
            assert " 0 not understood" in done.stderr, listing
    finally:
        for name in PORTS:
            lab.hosts[name].exec("nft", "delete table inet t", check=False)
    lab.file("services-only.xml", manifest(links=""))
    path = f"{lab.dir}/kernel.xml"
    learn(lab, "kernel.profile", "--topology",
          f"{lab.dir}/services-only.xml", "--output", path)
    assert links(path) == SHOP, pathlib.Path(path).read_text()
    assert 'reason="12 connections' in pathlib.Path(path).read_text()


def test_records(lab):
    """sdfwd's records of mode learn become a manifest"""
    topology = services(lab, "recorded", "learn")
    lab.unpush()
    lab.run("ovs-appctl", "dpctl/flush-conntrack")
    log = f"{lab.dir}/records.json"
    with Sdfwd(lab, "--json", log, topology):
        until(lambda: in_step(lab, topology), "the flows are there")
        traffic(lab)

        def told():
            with open(log) as stream:
                records = [json.loads(line) for line in stream]
            return {(r.get("dst", {}).get("workload"), r.get("dst_port"))
                    for r in records} >= {
                        ("app1", 8080), ("db1", 5432), ("web2", 80)}
        until(told, "the records are written")
    learn(lab, "recorded.profile", log, "--topology", topology, "--output",
          topology)
    path = f"{topology}/shop-learned.xml"
    assert links(path) == SHOP, pathlib.Path(path).read_text()
    services(lab, "recorded", "enforce")
    lab.push(topology)
    traffic(lab, 1)
    nothing_else(lab)


def test_without_topology(lab):
    """captures alone become services, workloads and links, bound to ports by
    the MAC that libvirt writes there"""
    for name, (mac, *_) in HOSTS.items():
        lab.vsctl("set", "interface", name,
                  f'external_ids:attached-mac="{mac}"')
    path = f"{lab.dir}/alone.xml"
    done = learn(lab, "captured.profile", "--output", path)
    assert not lab.command("check", path).stderr, done.stdout
    text = pathlib.Path(path).read_text()
    assert 'mode="audit"' in text
    lab.push(text.replace('mode="audit"', 'mode="enforce"'))
    traffic(lab, 1)
    nothing_else(lab)


def test_merge(lab):
    """profiles of several hosts make one, whose links are those of all"""
    for port in PORTS:
        learn(lab, f"{port}.profile", "--observer", port,
              f"{lab.dir}/{port}-tcpdump.pcap")
    others = [f"{lab.dir}/{port}.profile" for port in PORTS]
    for _ in range(2):
        learn(lab, "merged.profile", "--merge", *others)
    lab.file("services-only.xml", manifest(links=""))
    documents = [json.loads(learn(
        lab, profile, "--topology", f"{lab.dir}/services-only.xml",
        "--output", f"{lab.dir}/{profile}.xml", "--format=json").stdout)
        for profile in ("merged.profile", "captured.profile")]
    assert documents[0] == documents[1]
    assert len(documents[0]["links"]) == len(SHOP)


def test_pcapng(lab):
    """pcapng is read too; what was refused or never answered is set aside,
    in the list and in the manifest"""
    topology = services(lab, "refused", "enforce")
    lab.unpush()
    with captures(lab, ("web1",), "dumpcap") as files:
        web, app = lab.hosts["web1"], lab.hosts["app1"].address()
        assert web.ask("tcp", app, 8080) and web.ask("tcp", app, 8080)
        assert not web.ask("tcp", app, 23)
        assert not web.ask("tcp", "10.7.0.99", 80, 0.3)
    output = f"{lab.dir}/refused/shop.xml"
    done = learn(lab, "refused.profile", files["web1"], "--topology", topology,
                 "--output", output)
    assert links(output) == {("web", "app", 'tcp port="8080"')}
    assert "shop/web/web1 -> shop/app/app1 tcp/23\n    never answered" \
        in done.stdout
    assert "shop/web/web1 to shop/app/app1 tcp/23: never answered" \
        in pathlib.Path(output).read_text()


TWO = """<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <segment name="blue" vlan="10"/>
  <network name="office"><prefix>192.0.2.0/24</prefix></network>
  <application name="shop" segment="blue"><service name="web">
    <workload name="web-1" interface="a"><mac>02:00:00:00:00:11</mac>
      <address>10.0.0.11</address></workload></service>
    <link from="office" to="web"><tcp port="443"/></link></application>
  <application name="billing" segment="blue"><service name="api">
    <workload name="api-1" interface="b"><mac>02:00:00:00:00:21</mac>
      <address>10.0.0.21</address></workload></service>
    <link from="office" to="api"><tcp port="443"/></link></application>
</manifest>"""


def seen(**members):
    return json.dumps({"src": "10.0.0.11", "dst": "10.0.0.21",
                       "protocol": "tcp", "port": 8443, **members}) + "\n"


def test_two_applications(lab):
    """a link between two applications is learned as a link of the one and an
    <accept> of the other, and told in one file each"""
    topology = f"{lab.dir}/two"
    lab.file("two/services.xml", TWO)
    # By VLAN, by the segment's name, and as at a port, where frames have
    # no tag: all three are the same two workloads.
    history = lab.file("two.json", seen(vlan=10) + seen(segment="blue")
                       + seen() + seen(src="192.0.2.7", port=443, vlan=10))
    learn(lab, "two.profile", history, "--topology", topology, "--output",
          topology)
    assert sorted(os.listdir(topology)) == [
        "billing-learned.xml", "services.xml", "shop-learned.xml"]
    assert links(f"{topology}/shop-learned.xml") == {
        ("web", "billing/api", 'tcp port="8443"')}
    assert '<accept from="shop/web" to="api">' in pathlib.Path(
        f"{topology}/billing-learned.xml").read_text()
    assert not lab.command("check", topology).stderr
    lab.command("trace", topology, "shop/web", "billing/api", "tcp", "8443")
    done = learn(lab, "two.profile", "--topology", topology, "--output", "-")
    assert "0 links; 0 set aside; 4 covered" in done.stderr


def test_status(lab):
    """how much is known of each service is told, and is judged as of now"""
    path = lab.file("two.xml", TWO)
    day = 24 * 60 * 60
    start = 1767225600  # 2026-01-01

    def at(days):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ",
                             time.gmtime(start + days * day))
    history = lab.file("status.json", seen(
        vlan=10, connections=5000, first_seen=at(0), last_seen=at(20)))

    def state(service, *arguments):
        rows = json.loads(learn(
            lab, "status.profile", "--topology", path, "--status",
            "--format=json", "--at", at(20), *arguments).stdout)["services"]
        return {row["service"]: row["state"] for row in rows}[service]
    learn(lab, "status.profile", history)
    assert state("shop/web") == state("billing/api") == "ready"
    text = learn(lab, "status.profile", "--topology", path, "--status",
                 "--at", at(20)).stdout
    assert "shop/web: 5000 connections of 1 kind; " in text
    # What is set aside changes nothing; something new does.
    scan = lab.file("scan.json", seen(vlan=10, port=23, unanswered=1,
                                      first_seen=at(19.5)))
    assert state("shop/web", scan) == "ready"
    new = lab.file("new.json", seen(vlan=10, src="192.0.2.7", connections=9,
                                    first_seen=at(19), last_seen=at(20)))
    assert state("billing/api", new) == "growing"
    assert state("shop/web") == "ready"


def test_bad_input(lab):
    """what cannot be read is one clear error, and changes no profile"""
    profile = f"{lab.dir}/captured.profile"
    before = pathlib.Path(profile).read_bytes()
    letter = lab.file("letter.txt", "Dear all,\nwhere are the logs?\n")
    for path, text in ((letter, "letter.txt:1: no protocol in it"),
                       (f"{lab.dir}/none", "No such file or directory"),
                       (lab.dir, "is a directory")):
        done = learn(lab, "captured.profile", path, status=8)
        assert text in done.stderr and done.stderr.count("\n") == 1, done
    assert pathlib.Path(profile).read_bytes() == before
    done = lab.command("learn", "--profile", letter, "--output", "-",
                       check=False)
    assert done.returncode == 8 and "not a profile" in done.stderr
    damaged = f"{lab.dir}/damaged.profile"
    pathlib.Path(damaged).write_bytes(before[:len(before) // 2])
    done = learn(lab, "damaged.profile", "--output", "-", status=8)
    assert "damaged" in done.stderr
    done = learn(lab, "captured.profile", status=64)
    assert "wants something to read" in done.stderr


def test_verdicts(lab):
    """what was learned and is not known good is told, with the verdict and the
    line of the manifest"""
    topology = services(lab, "judged", "enforce")
    seen = lab.file("seen.jsonl", "".join(json.dumps({
        "src": src, "dst": dst, "protocol": "tcp", "port": port,
        "connections": 100, "first_seen": "2026-11-02T08:00:00Z",
        "last_seen": "2026-11-20T08:00:00Z"}) + "\n" for src, dst, port in (
            (lab.hosts["app1"].address(), lab.hosts["db1"].address(), 5432),
            (lab.hosts["web1"].address(), lab.hosts["app1"].address(), 23))))
    done = learn(lab, "judged.profile", "--topology", topology, "--output",
                 topology, seen)
    verdicts = [line for line in done.stdout.splitlines()
                if "shop-learned.xml:" in line]
    assert len(verdicts) == 1 and "dangerous" in verdicts[0] \
        and "tcp/23" in verdicts[0], done.stdout
