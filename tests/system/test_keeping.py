"""sdfwd keeps a bridge in step with the manifest."""
import os
import pathlib
import shutil
import socket
import time

from daemon import Sdfwd, has_flows, in_step, until
from policy import HOSTS, LINKS, SERVICES, make_lab, manifest

SSH = LINKS.replace('<tcp port="8080,9000-9009"/>',
                    '<tcp port="22,8080,9000-9009"/>')


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.file("m.xml", manifest())
    for port in (22, 8080):
        the_lab.hosts["app1"].ask("listen", 4, port)
    return the_lab


def path_of(lab):
    return f"{lab.dir}/m.xml"


def write(lab, text):
    """As an editor does: a new file, then renamed."""
    lab.file("m.xml.new", text)
    os.rename(f"{lab.dir}/m.xml.new", path_of(lab))


def works(lab, port):
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    number = web.ask("connect", app.address(), port)
    if number:
        web.ask("close", number)
    return bool(number)


def test_start(lab):
    """the bridge is as the manifest says soon after the start"""
    write(lab, manifest())
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        assert works(lab, 8080) and not works(lab, 22)


def test_edit(lab):
    """an edited manifest is in force at once; SIGHUP is not needed"""
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        write(lab, manifest(SSH))
        took = until(lambda: has_flows(lab, path_of(lab)), "flows are there")
        until(lambda: in_step(lab, path_of(lab)), "the cache too")
        print(f"     {took * 1000:.0f} ms from the edit to its flows (polled)")
        assert works(lab, 22)
        write(lab, manifest())
        until(lambda: not works(lab, 22), "it is gone again")


def test_broken(lab):
    """a broken manifest leaves the last good policy in force, and is told
    with file and line"""
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        # The flows may be there from before.
        until(lambda: "last push" in appctl(lab, "sdfw/status",
                                            check=False).stdout, "it is there")
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        before = lab.our_flows()
        write(lab, manifest().replace('to="app"', 'to="appp"'))
        until(lambda: "last good policy" in sdfwd.log(), "it is told")
        assert f"{path_of(lab)}:" in sdfwd.log() and "app" in sdfwd.log()
        assert len(lab.our_flows()) == len(before)
        assert works(lab, 8080)
        write(lab, manifest(SSH))
        until(lambda: works(lab, 22), "the repaired one is in force")


def test_warnings(lab):
    """what a manifest is warned of is logged once, until it changes"""
    unused = '<network name="nobody"><prefix>192.0.2.0/24</prefix></network>'
    write(lab, manifest(extra=unused))
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        begin = len(sdfwd.log())

        def read_again(text):
            times = sdfwd.log().count("read 1 applications")
            write(lab, text)
            until(lambda: sdfwd.log().count("read 1 applications") > times,
                  "it is read")
        until(lambda: "'nobody' is never" in sdfwd.log()[begin:], "a warning")
        read_again("\n" + manifest(SSH, extra=unused))
        read_again(manifest(extra=unused))
        assert sdfwd.log()[begin:].count("'nobody' is never") == 1
        read_again(manifest(extra=unused + unused.replace("nobody", "other")
                            .replace(".2.", ".3.")))
        until(lambda: "'other' is never" in sdfwd.log()[begin:], "a new one")
        assert sdfwd.log()[begin:].count("'nobody' is never") == 1
        read_again(manifest())
        read_again(manifest(extra=unused))
        until(lambda: sdfwd.log()[begin:].count("'nobody' is never") == 2,
              "it is back")


def test_away(lab):
    """a manifest, or its directory, that is away for a while is read when it
    is back, wherever on its path the gap was"""
    path = lab.file("a/b/c/m.xml", manifest())
    for given in (path, f"{lab.dir}/a/b/c"):
        with Sdfwd(lab, given) as sdfwd:
            until(lambda: in_step(lab, path), "flows are there")
            for gone in (path, f"{lab.dir}/a/b/c", f"{lab.dir}/a/b",
                         f"{lab.dir}/a"):
                for links, port in ((SSH, 22), (LINKS, None)):
                    errors = sdfwd.log().count("manifests have errors")
                    os.rename(gone, f"{lab.dir}/away")
                    until(lambda: sdfwd.log().count("manifests have errors")
                          > errors, f"{gone} is missed")
                    time.sleep(0.1)
                    os.rename(f"{lab.dir}/away", gone)
                    until(lambda: "MANIFESTS ARE WRONG" not in appctl(
                        lab, "sdfw/status").stdout, f"{gone} is back")
                    # It is watched as before.
                    time.sleep(0.1)
                    lab.file("a/b/c/m.xml", manifest(links))
                    until(lambda: in_step(lab, path), f"{gone} was edited")
                    assert works(lab, 22) == (port == 22)
            # All made anew, step by step.
            shutil.rmtree(f"{lab.dir}/a")
            for step in ("a", "a/b", "a/b/c"):
                time.sleep(0.1)
                os.mkdir(f"{lab.dir}/{step}")
            time.sleep(0.1)
            lab.file("a/b/c/m.xml", manifest(SSH))
            until(lambda: in_step(lab, path), "the new one is in force")
            lab.file("a/b/c/m.xml", manifest())
            until(lambda: in_step(lab, path), "as before")


def test_include(lab):
    """an included file is watched, whatever its name; also in a directory"""
    part = lab.file("whole/parts/shop.inc", manifest())
    path = lab.file("whole/m.xml", '<manifest version="1" '
                    'xmlns="urn:ovs-sdfw:manifest:1">'
                    '<include href="parts/shop.inc"/></manifest>')
    for given in (path, f"{lab.dir}/whole"):
        with Sdfwd(lab, given) as sdfwd:
            for links in (SSH, LINKS):
                until(lambda: in_step(lab, path), "flows are there")
                time.sleep(0.1)
                lab.file("whole/parts/shop.inc", manifest(links))
                until(lambda: works(lab, 22) == (links is SSH), "an edit")
            os.rename(part, f"{part}.old")
            until(lambda: "MANIFESTS ARE WRONG" in appctl(
                lab, "sdfw/status").stdout, "it is missed")
            os.rename(f"{part}.old", part)
            until(lambda: "MANIFESTS ARE WRONG" not in appctl(
                lab, "sdfw/status").stdout, "it is back")
            assert sdfwd.process.poll() is None


def test_absent_at_start(lab):
    """a manifest that is not there at the start is read when it comes"""
    path = f"{lab.dir}/later/topology/m.xml"
    lab.unpush()
    with Sdfwd(lab, f"{lab.dir}/later/topology") as sdfwd:
        until(lambda: f"|{lab.dir}/later/topology: cannot read: No such file"
              in sdfwd.log(), "it is told")
        lab.file("later/topology/m.xml", manifest())
        until(lambda: in_step(lab, path), "flows are there")


def replace_link(lab, name, target):
    """As "ln -sfn" and Kubernetes do."""
    os.symlink(target, f"{lab.dir}/{name}.new")
    os.rename(f"{lab.dir}/{name}.new", f"{lab.dir}/{name}")


def test_links(lab):
    """a symbolic link that is put elsewhere is noticed, wherever on the path
    it is and through whatever other links"""
    for name, links in (("1", LINKS), ("2", SSH)):
        lab.file(f"releases/{name}/topology/m.xml", manifest(links))
    os.symlink("releases/1", f"{lab.dir}/current")
    os.symlink(f"{lab.dir}/current", f"{lab.dir}/indirect")
    os.symlink("indirect/topology/m.xml", f"{lab.dir}/one.xml")
    for given in ("current/topology", "current/topology/m.xml",
                  "indirect/topology", "one.xml"):
        with Sdfwd(lab, f"{lab.dir}/{given}") as sdfwd:
            for target in ("2", "1", "2", "1"):
                replace_link(lab, "current", f"releases/{target}")
                until(lambda: in_step(lab, f"{lab.dir}/releases/{target}/"
                                      "topology/m.xml"),
                      f"{given}, release {target}")
            lab.file("releases/1/topology/m.xml", manifest(SSH))
            until(lambda: works(lab, 22), "a file behind it was edited")
            lab.file("releases/1/topology/m.xml", manifest())
            until(lambda: not works(lab, 22), "and again")
            times = sdfwd.log().count("read 1 applications")
            time.sleep(0.5)
            assert sdfwd.log().count("read 1 applications") == times


def test_config_map(lab):
    """a directory as Kubernetes mounts it: its files are links through
    "..data", which is replaced"""
    for name, links in (("1", LINKS), ("2", SSH), ("3", LINKS)):
        lab.file(f"map/..{name}/m.xml", manifest(links))
    os.symlink("..1", f"{lab.dir}/map/..data")
    os.symlink("..data/m.xml", f"{lab.dir}/map/m.xml")
    os.symlink(".", f"{lab.dir}/map/loop")
    with Sdfwd(lab, f"{lab.dir}/map"):
        for name in "1", "2", "3":
            replace_link(lab, "map/..data", f"..{name}")
            until(lambda: in_step(lab, f"{lab.dir}/map/..{name}/m.xml"),
                  f"version {name}")
            if name > "1":
                shutil.rmtree(f"{lab.dir}/map/..{int(name) - 1}")


def test_new_port(lab):
    """a port that appears is enforced, one that goes away is forgotten"""
    hosts = dict(HOSTS, web3=("02:00:00:00:01:03", "10.7.0.13/24",
                              "fd07::13/64"))
    services = dict(SERVICES, web=("web1", "web2", "web3"))
    write(lab, manifest(services=services, hosts=hosts))
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        host = lab.host("web3", *hosts["web3"], plug=False)
        start = time.monotonic()
        lab.plug(host)
        until(lambda: any("dl_dst" not in f and "0xa07000d" in f
                          for f in lab.our_flows()), "its address is known")
        print(f"     {(time.monotonic() - start) * 1000:.0f} ms from "
              "ovs-vsctl add-port to its flows (polled)")
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        assert host.ask("connect", lab.hosts["app1"].address(), 8080)
        assert not host.ask("connect", lab.hosts["app1"].address(), 22)
        lab.unplug(host)
        until(lambda: in_step(lab, path_of(lab)), "it is forgotten")
        port_flows = [f for f in lab.our_flows() if "table=118" in f]
        assert port_flows


def test_foreign_changes(lab):
    """what others do to our flows is put right by the next event, although
    a new port's flows are sent without reading back"""
    host = lab.hosts["web2"]
    with Sdfwd(lab, path_of(lab)):
        until(lambda: "last push" in appctl(lab, "sdfw/status",
                                            check=False).stdout, "a push")
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        for i, harm in enumerate((
                ("del-flows", lab.bridge, "cookie=0x5dfd000000000000/"
                 "0xffff000000000000"),
                ("del-flows", lab.bridge, "table=112"),
                ("mod-flows", lab.bridge, "table=125,actions=drop"),
                ("add-flow", lab.bridge, "cookie=0x5dfd000000000001,"
                 "table=115,priority=999,actions=drop"))):
            lab.ofctl(*harm)
            assert not in_step(lab, path_of(lab)), harm
            (lab.plug if i % 2 else lab.unplug)(host)
            until(lambda: in_step(lab, path_of(lab)), f"after {harm}")
            assert works(lab, 8080) and not works(lab, 22)
        lab.ofctl("del-flows", lab.bridge, "table=112")
        lab.vsctl("set", "interface", host.port, "external_ids:x=y")
        until(lambda: in_step(lab, path_of(lab)),
              "after a change that moves no workload")


def test_many_ports(lab):
    """many ports that come and go at once end up right"""
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        for _ in range(5):
            for name in ("web1", "web2", "app1", "db1"):
                lab.unplug(lab.hosts[name])
            for name in ("db1", "app1", "web1", "web2"):
                lab.plug(lab.hosts[name])
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        for name in ("web1", "web2", "app1", "db1"):
            port = lab.run("ovs-ofctl", "show", lab.bridge).stdout
            assert f"({name})" in port
            line = port.split(f"({name})")[1].split("config:")[1]
            assert "NO_FLOOD" in line.split("\n")[0], line
        until(lambda: works(lab, 8080), "connections work")
        assert not works(lab, 22)
        assert "WARN" not in sdfwd.log().split("datapath")[-1], sdfwd.log()


def test_bridge_later(lab):
    """sdfwd that is there before its bridge finds it when it comes"""
    lab.vsctl("del-br", lab.bridge)
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: "no bridge of this name" in sdfwd.log(), "it is told")
        lab.vsctl("add-br", lab.bridge, "--", "set", "bridge", lab.bridge,
                  "datapath_type=netdev")
        for host in lab.hosts.values():
            lab.vsctl("--may-exist", "add-port", lab.bridge, host.port)
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        until(lambda: works(lab, 8080), "connections work")
        assert not works(lab, 22)


def test_vswitchd_killed(lab):
    """ovs-vswitchd killed and started again: the flows are back"""
    write(lab, manifest())
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        lab.vswitchd.kill()
        lab.vswitchd.wait()
        pathlib.Path(f"{lab.dir}/ovs-vswitchd.pid").unlink(missing_ok=True)
        lab.start_vswitchd()
        start = time.monotonic()
        until(lambda: lab.ofctl("dump-flows", lab.bridge, "table=0",
                                check=False).stdout.count("0x5dfd"),
              "ENTRY is back")
        print(f"     {(time.monotonic() - start) * 1000:.0f} ms from the "
              "start of ovs-vswitchd to the policy")
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        until(lambda: works(lab, 8080), "connections work")
        assert not works(lab, 22)


def test_ovsdb_killed(lab):
    """ovsdb-server killed and started again: new ports are still noticed"""
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        lab.ovsdb.kill()
        lab.ovsdb.wait()
        until(lambda: "OVSDB: " in sdfwd.log(), "it is told")
        # Without its database, ovs-vswitchd forwards nothing on the userspace
        # datapath; that is not for us to change.
        pathlib.Path(f"{lab.dir}/ovsdb-server.pid").unlink(missing_ok=True)
        lab.start_ovsdb()
        host = lab.hosts["web2"]
        lab.unplug(host)
        until(lambda: in_step(lab, path_of(lab)), "a port went")
        lab.plug(host)
        until(lambda: in_step(lab, path_of(lab)), "and came back")
        until(lambda: works(lab, 8080), "connections work")
        assert not works(lab, 22)


def test_bridge_made_again(lab):
    """a bridge that is deleted and made again gets its flows"""
    with Sdfwd(lab, path_of(lab)):
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        lab.vsctl("del-br", lab.bridge)
        lab.vsctl("add-br", lab.bridge, "--", "set", "bridge", lab.bridge,
                  "datapath_type=netdev")
        for host in lab.hosts.values():
            lab.vsctl("--may-exist", "add-port", lab.bridge, host.port)
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        until(lambda: works(lab, 8080), "connections work")
        assert not works(lab, 22)


def test_killed(lab):
    """sdfwd killed: enforcement goes on, and the next start reconciles"""
    sdfwd = Sdfwd(lab, path_of(lab))
    sdfwd.start()
    until(lambda: in_step(lab, path_of(lab)), "flows are there")
    sdfwd.kill()
    assert works(lab, 8080) and not works(lab, 22)
    write(lab, manifest(SSH))
    assert not works(lab, 22)
    with sdfwd:
        until(lambda: works(lab, 22), "the new policy is in force")
    write(lab, manifest())


def sockets(lab):
    return sorted(p.name for p in pathlib.Path(lab.dir).glob("sdfwd.*.ctl"))


def test_stale_sockets(lab):
    """the next start removes the socket of an sdfwd that was killed, and no
    other that somebody listens on"""
    sdfwd = Sdfwd(lab, path_of(lab))
    sdfwd.start()
    until(lambda: sockets(lab), "it listens")
    killed, = sockets(lab)
    sdfwd.kill()
    assert sockets(lab) == [killed]
    used, plain, link = (f"sdfwd.{n}.ctl" for n in (1, 2, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{lab.dir}/{used}")
        listener.listen()
        lab.file(plain, "")
        os.symlink(killed, f"{lab.dir}/{link}")
        with sdfwd:
            own = f"sdfwd.{sdfwd.process.pid}.ctl"
            until(lambda: own in sockets(lab), "it listens")
            assert sockets(lab) == sorted([own, used, plain, link])
    assert sockets(lab) == [used, plain, link]
    for name in (used, plain, link):
        os.remove(f"{lab.dir}/{name}")


def test_idle(lab):
    """with nothing to do, it is not even woken"""
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        time.sleep(0.5)
        ticks, switches = sdfwd.ticks(), sdfwd.switches()
        time.sleep(4)
        # A tick is 10 ms; one may fall on the answer to an echo request.
        assert sdfwd.ticks() <= ticks + 1
        woken = sdfwd.switches() - switches
        # Echo requests of ovsdb-server and ovs-vswitchd, every 5 s at most.
        assert woken <= 8, woken


def test_once(lab):
    """--once does one reconciliation and tells by its exit status"""
    program = Sdfwd(lab, path_of(lab)).program
    lab.unpush()
    done = lab.run(program, "--once", "--bridge", lab.bridge, path_of(lab))
    assert done.returncode == 0 and in_step(lab, path_of(lab))
    wrong = lab.file("wrong.xml", "<manifest/>")
    done = lab.run(program, "--once", "--bridge", lab.bridge, wrong,
                   check=False)
    assert done.returncode == 1 and "wrong.xml:1" in done.stderr, done.stderr
    done = lab.run(program, "--once", "--bridge", "nosuch", path_of(lab),
                   check=False)
    assert done.returncode == 3 and "nosuch" in done.stderr, done.stderr
    done = lab.run(program, "--once", path_of(lab), check=False)
    assert done.returncode == 64 and "--bridge" in done.stderr
    # It would undo what the other one was told.
    with Sdfwd(lab, path_of(lab), options=["--tuples", "77"]) as sdfwd:
        until(lambda: "limit=77," in str(lab.our_flows()), "its settings")
        done = lab.run(program, "--once", "--bridge", lab.bridge,
                       path_of(lab), check=False)
        assert done.returncode == 64, done
        assert f"another sdfwd (process {sdfwd.process.pid})" in done.stderr
        assert "sdfw/reload" in done.stderr, done.stderr
        assert "limit=77," in str(lab.our_flows())


def appctl(lab, *arguments, check=True):
    return lab.run("ovs-appctl", "-t", "sdfwd", *arguments, check=check)


def test_appctl(lab):
    """ovs-appctl shows how it is, reloads, sets log levels and ends it"""
    write(lab, manifest())
    with Sdfwd(lab, path_of(lab)) as sdfwd:
        until(lambda: in_step(lab, path_of(lab)), "flows are there")
        until(lambda: "last push" in appctl(lab, "sdfw/status",
                                            check=False).stdout,
              "the push is shown")
        status = appctl(lab, "sdfw/status").stdout
        assert "policy: 1 applications, 4 workloads" in status, status
        assert "bridge br0: connected" in status, status
        assert "deviations: " in status, status
        assert "sdfw/deviations" in appctl(lab, "list-commands").stdout
        appctl(lab, "vlog/set", "dbg")
        wrong = appctl(lab, "sdfw/nosuch", check=False)
        assert wrong.returncode and "not a command" in wrong.stderr
        # What ovs-appctl adds is a line of its own.
        assert wrong.stderr.splitlines()[1].startswith("ovs-appctl: ")
        write(lab, "<manifest/>")
        until(lambda: "MANIFESTS ARE WRONG" in
              appctl(lab, "sdfw/status").stdout, "the error is shown")
        write(lab, manifest())
        until(lambda: "MANIFESTS ARE WRONG" not in
              appctl(lab, "sdfw/status").stdout, "it is gone")
        appctl(lab, "sdfw/reload")
        lab.hosts["web1"].ask("connect", lab.hosts["db1"].address(), 22)
        until(lambda: "tcp/22" in appctl(lab, "sdfw/deviations").stdout,
              "the deviation is shown")
        assert "web1" in appctl(lab, "sdfw/deviations", "--json",
                                "tcp/22").stdout
        assert not appctl(lab, "sdfw/deviations", "tcp/23").stdout
        second = lab.run(sdfwd.program, "--bridge", lab.bridge, path_of(lab),
                         check=False)
        assert second.returncode == 64 and "another sdfwd" in second.stderr
        appctl(lab, "exit")
        assert sdfwd.process.wait(5) == 0
        sdfwd.process = None
    assert not pathlib.Path(f"{lab.dir}/sdfwd.pid").exists()
