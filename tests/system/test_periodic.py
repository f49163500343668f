"""Pushes that nobody watches: sdfw-push, and push --max-shrink."""
import fcntl
import os
import pathlib
import re
import shutil
import time

from daemon import Sdfwd, has_flows, until
from lab import run
from periodic import ROOT, SCRIPT, Periodic, Repository
from policy import LINKS, SERVICES, make_lab, manifest
from test_privileges import allowed_calls

MORE = LINKS.replace('<tcp port="5432"/>', '<tcp port="22,5432"/>')
LESS = LINKS.replace('<link from="app" to="db"><tcp port="5432"/></link>', "")
HALF = dict(SERVICES, web=("web1",), db=())


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("topology/m.xml", manifest())
    for port in (22, 5432):
        the_lab.hosts["db1"].ask("listen", 4, port)
    the_lab.periodic = Periodic(the_lab, f"{the_lab.dir}/topology")
    return the_lab


def fresh(lab, *settings, topology=None):
    """As after the installation, with the topology pushed."""
    lab.file("topology/m.xml", manifest())
    shutil.rmtree(lab.periodic.state, ignore_errors=True)
    lab.periodic.topology = topology or f"{lab.dir}/topology"
    lab.periodic.set(*settings)
    lab.push(lab.path)
    lab.periodic.logged()
    return lab.periodic


def checkout(lab, name):
    """The same for a checkout."""
    directory = f"{lab.dir}/{name}"
    os.mkdir(directory)
    repository = Repository(directory)
    repository.commit({"m.xml": manifest()})
    repository.clone()
    return repository, fresh(lab, "branch = main",
                             topology=f"{repository.checkout}/policy")


def opens(lab, port):
    app, db = lab.hosts["app1"], lab.hosts["db1"]
    number = app.ask("connect", db.address(), port, 0.5)
    if number:
        app.ask("close", number)
    return bool(number)


def flows(lab):
    return sorted(re.sub(r"(duration|n_packets|n_bytes|idle_age)=[^,]*,? ?",
                         "", flow) for flow in lab.our_flows())


# --max-shrink.

def shrink(lab, text, *options, command="push"):
    return lab.command(command, "--quiet", "--bridge", lab.bridge, *options,
                       lab.file("shrunk.xml", text), check=False)


def test_refused(lab):
    """push --max-shrink refuses to lose more, says how much, and changes
    nothing; --force does it; without both, there is no limit"""
    half = manifest(LESS, services=HALF)
    lab.push(manifest())
    before = flows(lab)
    # Of eleven links and four workloads.
    for text, links, workloads in (
            (manifest(LESS), 1, 0), (half, 1, 2), (manifest(""), 11, 0),
            ('<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1"/>', 11, 4)):
        done = shrink(lab, text, "--max-shrink=9")
        assert done.returncode == 5 and flows(lab) == before, done
        assert f"br0: refused: of what is installed, {links} of 11 links and " \
            f"{workloads} of 4 workloads would go, more than 9 %" \
            in done.stderr and "--force" in done.stderr, done.stderr
        planned = shrink(lab, text, "--max-shrink=9", command="plan")
        assert planned.returncode == 5, planned
        assert planned.stderr == done.stderr and not planned.stdout, planned
    assert shrink(lab, half, "--max-shrink=49").returncode == 5
    assert shrink(lab, half, "--max-shrink=50").returncode == 0
    lab.push(manifest())
    assert shrink(lab, half, "--max-shrink=0", "--force").returncode == 0
    lab.push(manifest())
    assert shrink(lab, half).returncode == 0
    for wrong in ("101", "-1", "x", ""):
        done = shrink(lab, half, f"--max-shrink={wrong}")
        assert done.returncode == 64 and "--max-shrink" in done.stderr, done


def test_not_shrunk(lab):
    """... what counts is in the topology or not: neither a link's validity,
    nor where a workload is, nor what a first push finds"""
    lab.unpush()
    assert shrink(lab, manifest(), "--max-shrink=0").returncode == 0
    ends = LINKS.replace('<link ',
                         '<link not-after="2035-01-01T00:00:00Z" ')
    assert shrink(lab, manifest(ends), "--max-shrink=0",
                  "--at=2034-12-31T23:59:59Z").returncode == 0
    assert opens(lab, 5432)
    done = shrink(lab, manifest(ends), "--max-shrink=0",
                  "--at=2035-01-01T00:00:00Z")
    assert done.returncode == 0 and not opens(lab, 5432), done
    lab.push(manifest())
    for name in ("db1", "web1", "web2"):
        lab.unplug(lab.hosts[name])
    try:
        assert shrink(lab, manifest(), "--max-shrink=0").returncode == 0
    finally:
        for name in ("db1", "web1", "web2"):
            lab.plug(lab.hosts[name])
    # Renamed is gone: its connections would be cut.
    done = shrink(lab, manifest().replace('"shop"', '"store"'),
                  "--max-shrink=30")
    assert done.returncode == 5 and "4 of 4 workloads" in done.stderr, done


def test_refused_one(lab):
    """... each bridge for itself"""
    lab.push(manifest())
    lab.vsctl("add-br", "br9", "--", "set", "bridge", "br9",
              "datapath_type=netdev")
    try:
        done = lab.command(
            "push", "--bridge", "br0", "--bridge", "br9", "--bridge",
            "nosuch", "--max-shrink=30", lab.file("one.xml", manifest("")),
            check=False)
    finally:
        lab.vsctl("del-br", "br9")
    assert done.returncode == 5 and "br9: " in done.stdout, done
    assert "br0: refused" in done.stderr and "nosuch" in done.stderr, done


# The script.

def test_silent(lab):
    """a run that changes something is one line in syslog, one that changes
    nothing is none; neither is mailed"""
    periodic = fresh(lab)
    assert periodic.quiet() == []
    lab.file("topology/m.xml", manifest(MORE))
    logged = periodic.quiet()
    assert len(logged) == 1, logged
    assert logged[0].startswith("br0: 2 flows added, 0 changed, 0 removed, ")
    assert logged[0].endswith(": + link shop/app -> shop/db tcp/22"), logged
    assert opens(lab, 22) and periodic.quiet() == []
    lab.file("topology/m.xml", manifest())
    logged = periodic.quiet()
    assert len(logged) == 1 and "- link shop/app -> shop/db tcp/22" \
        in logged[0], logged
    assert not opens(lab, 22)
    lab.unpush()
    logged = periodic.quiet("--jitter=1")
    assert len(logged) == 1 and " more" in logged[0], logged
    assert len(logged[0]) < 1000 and has_flows(lab, lab.path)


def test_window(lab):
    """a link is entered and left in time, without an edit"""
    def at(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    periodic = fresh(lab)
    begins = int(time.time()) + 6
    text = manifest(LINKS + f'<link from="app" to="db" not-before="'
                    f'{at(begins)}" not-after="{at(begins + 6)}">'
                    '<tcp port="22"/></link>')
    lab.file("topology/m.xml", text)
    assert periodic.quiet() == [] and not opens(lab, 22)
    time.sleep(max(0, begins + 0.1 - time.time()))
    logged = periodic.quiet()
    assert len(logged) == 1 and "+ link shop/app -> shop/db tcp/22" \
        in logged[0], logged
    assert opens(lab, 22)
    stream = lab.hosts["app1"].ask("connect", lab.hosts["db1"].address(), 22)
    time.sleep(max(0, begins + 6.1 - time.time()))
    logged = periodic.quiet()
    assert len(logged) == 1 and "- link shop/app -> shop/db tcp/22" \
        in logged[0], logged
    assert not opens(lab, 22)
    assert lab.hosts["app1"].ask("talk", stream, "still there?", 0.5) \
        != "still there?"


def test_problem(lab):
    """an error is told once, again when it changes or after a day, and when
    it is over"""
    periodic = fresh(lab)
    lab.file("topology/m.xml", manifest().replace('to="app"', 'to="appp"'))
    told = periodic.fails()
    assert "m.xml:" in told and "appp" in told, told
    before = flows(lab)
    for _ in range(2):
        assert periodic.quiet(status=1) == []
    yesterday = time.time() - 25 * 3600
    os.utime(f"{periodic.state}/problem", (yesterday, yesterday))
    assert periodic.fails() == told
    assert periodic.quiet(status=1) == []
    lab.file("topology/m.xml", manifest().replace('to="db"', 'to="dbb"'))
    assert "dbb" in periodic.fails()
    assert flows(lab) == before
    lab.file("topology/m.xml", manifest())
    done = periodic.run()
    assert done.returncode == 0 and "works again; it was: " in done.stderr
    assert [line for line in periodic.logged() if "works again" in line]
    assert periodic.quiet() == []


def test_shrunk(lab):
    """a directory that has lost half is refused, an empty one too, until
    somebody says --force"""
    periodic = fresh(lab)
    before = flows(lab)
    lab.file("topology/m.xml", manifest(services=HALF, links=LESS))
    told = periodic.fails()
    assert "2 of 4 workloads would go, more than 30 %" in told, told
    assert flows(lab) == before
    os.unlink(f"{lab.dir}/topology/m.xml")
    assert "no manifest in this directory" in periodic.fails()
    assert flows(lab) == before
    lab.file("topology/m.xml", manifest(services=HALF, links=LESS))
    assert "refused" in periodic.fails()
    done = periodic.run("--force")
    assert done.returncode == 0 and "works again" in done.stderr, done
    assert has_flows(lab, lab.path) and flows(lab) != before
    periodic = fresh(lab, "max-shrink = 50")
    lab.file("topology/m.xml", manifest(services=HALF, links=LESS))
    assert len(periodic.quiet()) == 1 and has_flows(lab, lab.path)


def test_dead_bridge(lab):
    """a bridge that fails holds up no other"""
    periodic = fresh(lab)
    periodic.set(bridges=["nosuch", lab.bridge])
    lab.file("topology/m.xml", manifest(MORE))
    done = periodic.run()
    logged = periodic.logged()
    assert done.returncode == 1 and "nosuch: no bridge" in done.stderr, done
    assert len(logged) == 2 and "br0: 2 flows added" in logged[0], logged
    assert periodic.quiet(status=1) == []
    lab.file("topology/m.xml", manifest())
    assert len(periodic.quiet(status=1)) == 1


def test_inventory(lab):
    """an inventory takes the place of bridges; a dead host is told once, and
    does not hold the others up"""
    fresh(lab)
    lab.unpush()
    dead = f"unix:{lab.dir}/nobody"
    def inventory(*hosts):
        lab.file("inventory.xml", '<inventory '
                 'xmlns="urn:ovs-sdfw:inventory:1" version="1">'
                 + "".join(f'<host name="{name}" db="{db}"><bridge name="br0" '
                           f'openflow="{openflow}"/></host>'
                           for name, db, openflow in hosts) + "</inventory>")
    here = ("here", f"unix:{lab.dir}/db.sock", f"unix:{lab.dir}/br0.mgmt")
    inventory(here)
    topology = lab.file("fleet/m.xml", manifest())
    def configure(*more):
        lab.file("push.conf", "\n".join([
            f"inventory = {lab.dir}/inventory.xml", f"topology = {topology}",
            "canary-wait = 0", *more]))
    configure()
    line, = lab.periodic.quiet()
    assert "flows to add" in line and opens(lab, 5432), line
    assert not opens(lab, 22)
    assert lab.periodic.quiet() == []
    inventory(here, ("gone", dead, dead))
    lab.file("fleet/m.xml", manifest(mode="audit"))
    told = lab.periodic.fails()
    assert "gone" in told and opens(lab, 22), told
    assert lab.periodic.quiet(status=1) == []
    inventory(here)
    done = lab.periodic.run()
    assert done.returncode == 0 and "works again" in done.stderr, done
    lab.periodic.logged()
    configure("bridge = br0")
    assert "it can be one" in lab.periodic.fails()


def test_lock(lab):
    """a second run does not wait, and says nothing, unless somebody is
    there"""
    periodic = fresh(lab)
    periodic.quiet()
    lab.file("topology/m.xml", manifest(MORE))
    with open(f"{periodic.state}/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert periodic.quiet() == []
        done = periodic.run("--force")
        assert done.returncode == 75 and "another run" in done.stderr, done
        assert not opens(lab, 22)
    assert len(periodic.quiet()) == 1 and opens(lab, 22)


def test_settings(lab):
    """what is wrong in the settings is told with its line, and once"""
    periodic = fresh(lab)
    for text, expected in (
            ("bridge = br0\nbrigde = br1\n", ':2: there is no setting "brigde'),
            ("bridge = br0\nbr1\n", ":2: a line is NAME = VALUE"),
            ("topology = x\n", "names no bridge"),
            ("bridge = br0\ntimeout = soon\n", "timeout wants a number"),
            ("bridge = br0\nmax-shrink = 101\n", "--max-shrink wants")):
        lab.file("push.conf", text)
        assert expected in periodic.fails(), text
        assert periodic.quiet(status=1) == []
    os.unlink(periodic.config)
    assert "cannot be read" in periodic.fails()
    for option in ("--jitter=x", "--nosuch"):
        assert periodic.run(option).returncode == 64
    # All that the example names is a setting.
    text = (ROOT / "integration/push.conf").read_text()
    lab.file("push.conf", re.sub(r"^#(?=[a-z])", "", text, flags=re.M))
    told = periodic.fails()
    assert "no setting" not in told and "NAME" not in told, told


# A git checkout.

def test_checkout(lab):
    """a commit is fetched, checked out and pushed, and named in the line"""
    repository, periodic = checkout(lab, "follow")
    assert periodic.quiet() == []
    commit = repository.commit({"m.xml": manifest(MORE)})
    logged = periodic.quiet()
    assert len(logged) == 1, logged
    assert logged[0].startswith(f"commit {commit}: br0: 2 flows added, ")
    assert repository.head() == commit and opens(lab, 22)
    # Nothing for the bridge in it.
    commit = repository.commit({"README": "x"})
    assert periodic.quiet() == [] and repository.head() == commit


def test_unclean(lab):
    """a checkout that is not as committed, or on another branch, pushes
    nothing, and says so once"""
    repository, periodic = checkout(lab, "unclean")
    first = repository.head()
    repository.commit({"m.xml": manifest(MORE)})
    edited = pathlib.Path(repository.checkout, "policy/m.xml")
    edited.write_text(manifest(LESS))
    told = periodic.fails()
    assert "not as committed" in told and "policy/m.xml" in told, told
    assert periodic.quiet(status=1) == []
    assert has_flows(lab, lab.path) and repository.head() == first
    repository.git("-C", repository.checkout, "checkout", "-q", "policy")
    stray = edited.with_name("stray.xml")
    stray.write_text("<x/>")
    assert "stray.xml" in periodic.fails() and repository.head() == first
    stray.unlink()
    repository.git("-C", repository.checkout, "checkout", "-q", "-b", "mine")
    assert "is on branch mine, not main" in periodic.fails()
    repository.git("-C", repository.checkout, "checkout", "-q", "main")
    done = periodic.run()
    assert done.returncode == 0 and "works again" in done.stderr, done
    assert opens(lab, 22)


def test_rewritten(lab):
    """a branch that was rewritten pushes nothing"""
    repository, periodic = checkout(lab, "rewritten")
    first = repository.head()
    rewritten = repository.commit({"m.xml": manifest(MORE)}, "--amend")
    told = periodic.fails()
    assert f"({rewritten}) does not follow {first}" in told, told
    assert periodic.quiet(status=1) == []
    assert has_flows(lab, lab.path) and repository.head() == first


def test_bad_commit(lab):
    """a commit that is wrong, or has lost half, is not even checked out; the
    one before stays in force"""
    repository, periodic = checkout(lab, "bad")
    first = repository.head()
    bad = repository.commit({"m.xml": manifest().replace('"app"', '"ap', 1)})
    told = periodic.fails()
    assert f"commit {bad} is not taken: m.xml:" in told, told
    assert periodic.quiet(status=1) == [] and repository.head() == first
    half = repository.commit({"m.xml": manifest(services=HALF, links=LESS)})
    assert "2 of 4 workloads" in periodic.fails()
    assert periodic.quiet(status=1) == [] and repository.head() == first
    repository.commit({"m.xml": None, "README": "none"})
    assert "no manifest in this directory" in periodic.fails()
    assert has_flows(lab, lab.path)
    # What is in force is still held.
    lab.unpush()
    assert len(periodic.quiet(status=1)) == 1 and has_flows(lab, lab.path)
    half = repository.commit({"m.xml": manifest(services=HALF, links=LESS)})
    done = periodic.run("--force")
    assert done.returncode == 0 and repository.head() == half, done


def test_remote_away(lab):
    """while the remote is away, the commit that is here stays in force"""
    repository, periodic = checkout(lab, "away")
    os.rename(repository.bare, f"{repository.bare}.away")
    told = periodic.fails()
    assert f"cannot fetch main from origin, so commit {repository.head()} " \
        "stays in force" in told, told
    lab.unpush()
    assert len(periodic.quiet(status=1)) == 1 and has_flows(lab, lab.path)
    os.rename(f"{repository.bare}.away", repository.bare)
    assert "works again" in periodic.run().stderr


# Beside sdfwd.

def test_beside_sdfwd(lab):
    """a bridge that sdfwd keeps is left to it: a new commit is checked out
    for it, one that would be refused is not, modes set by hand stay"""
    repository, periodic = checkout(lab, "beside")
    policy = f"{repository.checkout}/policy"

    def mode(*words):
        lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/mode", "shop", *words)
    with Sdfwd(lab, policy):
        until(lambda: has_flows(lab, policy) and "br0: connected" in lab.run(
            "ovs-appctl", "-t", "sdfwd", "sdfw/status", check=False).stdout,
            "sdfwd keeps the bridge")
        assert periodic.quiet() == []
        commit = repository.commit({"m.xml": manifest(MORE)})
        assert periodic.quiet() == [f"commit {commit}: checked out for sdfwd, "
                                    "which keeps br0"]
        until(lambda: opens(lab, 22), "sdfwd has pushed it")
        repository.commit({"m.xml": manifest(services=HALF, links=LESS)})
        assert "refused" in periodic.fails()
        assert opens(lab, 22) and repository.head() == commit
        repository.commit({"m.xml": manifest(MORE)})
        assert "works again" in periodic.run().stderr
        mode("audit")
        until(lambda: opens(lab, 22) and not has_flows(lab, policy), "audit")
        audit = flows(lab)
        assert "sdfwd keeps it, and not as" in periodic.fails()
        assert periodic.quiet(status=1) == [] and flows(lab) == audit
        mode("manifest")
        until(lambda: has_flows(lab, policy), "as the manifest says")
        assert "works again" in periodic.run().stderr
    # It has ended: the bridge is the script's.
    lab.unpush()
    periodic.logged()
    assert len(periodic.quiet()) == 1 and has_flows(lab, policy)


def test_beside_reports(lab):
    """sdfw push of the same manifests beside sdfwd changes nothing, and lets
    deviations be told"""
    fresh(lab)
    with Sdfwd(lab, lab.path):
        until(lambda: "last push" in lab.run(
            "ovs-appctl", "-t", "sdfwd", "sdfw/status", check=False).stdout,
            "sdfwd has pushed")
        n = len(lab.our_flows())
        done = lab.command("push", "--bridge", "br0", lab.path)
        assert "nothing to change, nothing sent" in done.stdout, done
        assert len(lab.our_flows()) == n
        assert not opens(lab, 22)
        until(lambda: "tcp/22" in lab.run(
            "ovs-appctl", "-t", "sdfwd", "sdfw/deviations").stdout,
            "the deviation is told")


def test_as_of_unit(lab):
    """it works with no more capabilities and system calls than its unit
    gives"""
    repository, periodic = checkout(lab, "unit")
    repository.commit({"m.xml": manifest(MORE)})
    trace = f"{lab.dir}/calls"
    prefix = ["setpriv", "--bounding-set=-all,+dac_override",
              "--inh-caps=-all,+dac_override", "--no-new-privs"]
    sanitized = "/sanitize/" in lab.sdfw    # Makes calls of its own.
    if not sanitized:
        prefix += ["strace", "-f", "-qq", "-o", trace]
    done = periodic.run(prefix=prefix)
    assert done.returncode == 0 and not done.stderr, done
    assert len(periodic.logged()) == 1 and opens(lab, 22)
    if not sanitized:
        with open(trace) as stream:
            made = set(re.findall(r"^\d+ +(\w+)\(", stream.read(), re.M))
        assert {"connect", "flock", "rename"} <= made, made
        unit = SCRIPT.with_name("systemd") / "sdfw-push.service"
        assert not made - allowed_calls(unit) - {"execve"}, made


# What is installed.

def test_script(lab):
    """the script is clean, and its help names every option"""
    run("shellcheck", str(SCRIPT))
    text = run(str(SCRIPT), "--help").stdout
    source = SCRIPT.read_text()
    assert set(re.findall(r"^    (--[a-z]+)[=)]", source, re.M)) \
        == set(re.findall(r"^  (--[a-z]+)", text, re.M))


def install(lab):
    build = pathlib.Path(lab.sdfw).parent.parent
    variables = [f"BUILD={build}"]
    if build.name == "sanitize":
        variables = [f"BUILD={build.parent}", "SANITIZE=1"]
    run("make", "-s", "-C", str(ROOT), "install", f"DESTDIR={lab.dir}/root",
        "PREFIX=/usr", *variables, timeout=600)
    return pathlib.Path(f"{lab.dir}/root")


def test_installed(lab):
    """"make install" installs script, settings, units and cron's file; the
    units are right, and what a site chooses from is there"""
    root = install(lab)
    for path in ("prometheus/sdfw.rules.yml", "grafana/sdfw.json",
                 "rsyslog/sdfw.conf", "logrotate/sdfw", "push.conf"):
        assert (root / "usr/share/sdfw" / path).exists(), path
    for path in ("man/man8/sdfw-push.8", "sdfw/cron/sdfw-push"):
        assert "/usr/local" not in (root / "usr/share" / path).read_text()
    units = root / "usr/lib/systemd/system"
    service = (units / "sdfw-push.service").read_text()
    assert "ExecStart=/usr/sbin/sdfw-push\n" in service
    assert (root / "etc/sdfw/push.conf").exists()
    assert not list(root.rglob("*.wants")), "nothing is enabled"
    done = run(str(root / "usr/sbin/sdfw-push"), "--help")
    assert "default: /etc/sdfw/push.conf" in done.stdout, done
    mine = pathlib.Path(lab.file("units/sdfw-push.service", service.replace(
        "/usr/sbin/sdfw-push", f"{root}/usr/sbin/sdfw-push")))
    timer = mine.with_name("sdfw-push.timer")
    shutil.copy(units / "sdfw-push.timer", timer)
    done = run("systemd-analyze", "verify", "--man=no", str(mine), str(timer),
               check=False)
    assert done.returncode == 0 and not done.stderr, done
    calendar = re.search("OnCalendar=(.*)", timer.read_text())[1]
    assert run("systemd-analyze", "calendar", calendar).returncode == 0
    cron = root / "usr/share/sdfw/cron/sdfw-push"
    line = cron.read_text().splitlines()[-1]
    found = re.fullmatch(r"\*/5 \* \* \* \* root (/usr/sbin/sdfw-push .*)",
                         line)
    # cron gives no more than what its file says.
    done = run("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh",
               "-c", f"{root}{found[1]} --help")
    assert "Usage: sdfw-push" in done.stdout, done
