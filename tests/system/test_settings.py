"""sdfwd's settings: by a file, by OVSDB, by flags, and while it runs."""
import json
import os
import pathlib
import re
import signal
import subprocess

from lab import LabError
from daemon import Sdfwd, in_step, until
from policy import LINKS, make_lab, manifest
from receiver import Rsyslogd
from test_deviations import segment


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("topology/m.xml", manifest())
    return the_lab


class Settings(Sdfwd):
    """with Settings(lab, "--bridge", "br0", file="interval = 7"): ...;
    nothing of it stays in OVSDB."""

    def __init__(self, lab, *arguments, file=None, ovsdb=None):
        super().__init__(lab)
        self.arguments = list(arguments)
        self.log_path = f"{lab.dir}/settings.log"
        self.config = f"{lab.dir}/sdfwd.conf"
        if file is not None:
            self.write(file)
            self.arguments += ["--config", self.config]
        self.set(**(ovsdb or {}))

    def start(self):
        pathlib.Path(self.log_path).write_text("")
        super().start()
        # The flows may be there already, from the one before.
        until(lambda: self.appctl("config"), "it answers")

    def __exit__(self, *_):
        try:
            super().__exit__()
        finally:
            self.clear()

    def write(self, text):
        pathlib.Path(self.config).write_text(text)

    def set(self, **settings):
        """In OVSDB; '_' is '-'."""
        for name, value in settings.items():
            self.lab.vsctl("--no-wait", "set", "open_vswitch", ".",
                           "other_config:sdfw-" + name.replace("_", "-")
                           + f'="{value}"')

    def clear(self):
        self.lab.vsctl("--no-wait", "clear", "open_vswitch", ".",
                       "other_config")

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def appctl(self, command, *arguments):
        return self.lab.run("ovs-appctl", "-t", "sdfwd", f"sdfw/{command}",
                            *arguments, check=False).stdout

    def config_table(self):
        """{setting: [(value, from)]}"""
        return table(self.appctl("config"))


def table(text):
    found = {}
    for line in text.splitlines()[1:]:
        match = re.fullmatch(r"(\S+) +(\S+) +(default|file|OVSDB|flag)", line)
        if match:
            found.setdefault(match[1], []).append((match[2], match[3]))
    return found


def timeout_of_flows(lab):
    """What --interval has made of the flows that learn."""
    try:
        flows = lab.our_flows()
    except LabError:            # The bridge is not there.
        return None
    return set(re.findall(r"learn\([^)]*idle_timeout=(\d+)",
                          "\n".join(flows)))


def deviate(lab, port):
    lab.hosts["web1"].inject(segment(lab.hosts["web1"], lab.hosts["db1"],
                                     port))


def lines(path, port):
    """What was written to a JSON file of a deviation."""
    if not os.path.exists(path):
        return []
    records = [json.loads(line) for line in open(path)]
    return [r for r in records if r.get("dst_port") == port]


def test_file(lab):
    """a file alone is enough; comments and blanks are as documented"""
    text = f"""# All of it
    bridge = {lab.bridge}   # by name
topology={lab.dir}/topology
interval = 9
"""
    with Settings(lab, file=text) as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        assert timeout_of_flows(lab) == {"9"}, timeout_of_flows(lab)
        shown = sdfwd.config_table()
        assert shown["bridge"] == [(lab.bridge, "file")], shown
        assert shown["interval"] == [("9", "file")], shown
        assert shown["tuples"][0][1] == "default", shown


def test_precedence(lab):
    """OVSDB is stronger than the file, and a flag than OVSDB"""
    with Settings(lab, "--bridge", lab.bridge, "--adopt", "11", lab.path,
                  file="interval = 7\ntuples = 70\nadopt = 7\nbridge = x\n",
                  ovsdb={"tuples": 80, "adopt": 8}) as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        shown = sdfwd.config_table()
        assert shown["bridge"] == [(lab.bridge, "flag")], shown
        assert shown["interval"] == [("7", "file")], shown
        assert shown["tuples"] == [("80", "OVSDB")], shown
        assert shown["adopt"] == [("11", "flag")], shown
        assert timeout_of_flows(lab) == {"7"}
        assert any("limit=80" in flow for flow in lab.our_flows())


def test_ovsdb_live(lab):
    """a change in OVSDB counts at once, and what is open stays open"""
    records = f"{lab.dir}/live.json"
    with Settings(lab, "--bridge", lab.bridge, "--json", records,
                  lab.path) as sdfwd:
        until(lambda: timeout_of_flows(lab) == {"30"}, "the default")
        lab.run("ovs-appctl", "revalidator/wait")
        deviate(lab, 2001)
        until(lambda: "tcp/2001" in sdfwd.appctl("deviations"), "it is open")
        sdfwd.set(interval=5, tuples=33)
        until(lambda: timeout_of_flows(lab) == {"5"}, "the new interval")
        until(lambda: any("limit=33" in flow for flow in lab.our_flows()),
              "the new limit")
        assert "tcp/2001" in sdfwd.appctl("deviations")
        assert [r["event"] for r in lines(records, 2001)] == ["open"]
        sdfwd.clear()
        until(lambda: timeout_of_flows(lab) == {"30"}, "the default again")
        assert sdfwd.config_table()["interval"] == [("30", "default")]


def test_ovsdb_wrong(lab):
    """a wrong value in OVSDB is told once, and the weaker one holds"""
    with Settings(lab, "--bridge", lab.bridge, lab.path, file="interval = 7",
                  ovsdb={"interval": "often", "nosuch": 1,
                         "json": f"{lab.dir}/evil.json"}) as sdfwd:
        until(lambda: timeout_of_flows(lab) == {"7"}, "the file's value")
        status = sdfwd.appctl("status")
        for text in ("other_config:sdfw-interval: interval wants a number "
                     "from 1 to 3600, not \"often\"",
                     "other_config:sdfw-nosuch: there is no setting",
                     "other_config:sdfw-json: json cannot be set in OVSDB"):
            assert text in status, status
            assert sdfwd.log().count(text) == 1, sdfwd.log()
        assert not os.path.exists(f"{lab.dir}/evil.json")
        # Something else changes: nothing is told again.
        sdfwd.set(adopt=12)
        until(lambda: sdfwd.config_table()["adopt"] == [("12", "OVSDB")],
              "the right one counts")
        assert sdfwd.log().count("sdfw-nosuch") == 1, sdfwd.log()
        sdfwd.clear()
        until(lambda: "SETTING IS WRONG" not in sdfwd.appctl("status"),
              "it is gone")


def test_sinks(lab):
    """sinks are opened and closed while it runs; the others stay"""
    first, second = f"{lab.dir}/1.json", f"{lab.dir}/2.json"
    receiver = Rsyslogd(lab.dir)
    lab.cleanup.append(receiver.stop)
    receiver.start()
    with Settings(lab, "--bridge", lab.bridge, lab.path,
                  file=f"json = {first}") as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        deviate(lab, 2002)
        until(lambda: lines(first, 2002), "the first has it")
        sdfwd.set(syslog=f"udp:127.0.0.1:{receiver.port}")
        until(lambda: "syslog udp" in sdfwd.appctl("status"), "it is open")
        deviate(lab, 2003)
        until(lambda: any("tcp/2003" in r["msg"]
                          for r in receiver.received()), "syslog has it")
        sdfwd.write(f"json = {first}\njson={second}")
        sdfwd.hang_up()
        until(lambda: f"json {second}" in sdfwd.appctl("status"),
              "the second is open")
        deviate(lab, 2004)
        for path in (first, second):
            until(lambda: lines(path, 2004), f"{path} has it")
        assert not lines(second, 2003)
        # It has counted on.
        found = re.search(rf"json {first}: (\d+) records",
                          sdfwd.appctl("status"))
        assert int(found[1]) >= 3, sdfwd.appctl("status")
        sdfwd.clear()
        sdfwd.write(f"json={second}")
        sdfwd.hang_up()
        until(lambda: f"{first}: closed" in sdfwd.log()
              and "syslog" not in sdfwd.appctl("status"), "they are closed")
        deviate(lab, 2005)
        until(lambda: lines(second, 2005), "the second has it")
        assert not lines(first, 2005)
        # One that cannot be opened is told, and tried again.
        absent = f"{lab.dir}/absent/3.json"
        sdfwd.write(f"json={second}\njson={absent}")
        sdfwd.hang_up()
        until(lambda: "NOT OPENED: " in sdfwd.appctl("status"), "it is told")
        assert absent in sdfwd.log()
        os.mkdir(f"{lab.dir}/absent")
        sdfwd.hang_up()
        until(lambda: f"json {absent}" in sdfwd.appctl("status"), "it is open")
        assert "NOT OPENED" not in sdfwd.appctl("status")
    # One that OVSDB should not name counts as absent.
    right = f"udp:127.0.0.1:{receiver.port}"
    for wrong in ("nowhere:1", f"{right},unix:", "tcp:127.0.0.1:0"):
        with Settings(lab, "--bridge", lab.bridge, lab.path,
                      file=f"syslog = {right}",
                      ovsdb={"syslog": wrong}) as sdfwd:
            until(lambda: in_step(lab, lab.path), "flows are there")
            assert sdfwd.config_table()["syslog"] == [(right, "file")]
            status = sdfwd.appctl("status")
            assert "SETTING IS WRONG, and not taken: OVSDB, other_config:" \
                "sdfw-syslog: " in status, status
            assert f"syslog {right}: " in status, status
            sdfwd.set(adopt=12)
            until(lambda: sdfwd.config_table()["adopt"] == [("12", "OVSDB")],
                  "another setting counts")
            assert sdfwd.log().count("sdfw-syslog: ") == 1, sdfwd.log()


def test_hang_up(lab):
    """SIGHUP reads the file again; one that is wrong keeps what it said"""
    with Settings(lab, "--bridge", lab.bridge, lab.path,
                  file="interval = 7\n") as sdfwd:
        until(lambda: timeout_of_flows(lab) == {"7"}, "the file's value")
        sdfwd.write("interval = 8\n")
        sdfwd.hang_up()
        until(lambda: timeout_of_flows(lab) == {"8"}, "the new value")
        sdfwd.write("tuples = 60\ninterval = 0\n")
        sdfwd.hang_up()
        where = f"{sdfwd.config}:2: interval wants"
        until(lambda: where in sdfwd.log(), "it is told")
        assert where in sdfwd.appctl("status")
        shown = sdfwd.config_table()
        assert shown["interval"] == [("8", "file")], shown
        assert shown["tuples"][0][1] == "default", shown
        assert timeout_of_flows(lab) == {"8"}
        # What would be an error at the start does not end it.
        sdfwd.write("bridge = ssl:127.0.0.1:1\ninterval = 5\n")
        sdfwd.set(bridge="tcp:nonsense")
        sdfwd.hang_up()
        for text in ("file of --config, bridge: ",
                     "other_config:sdfw-bridge: "):
            until(lambda: text in sdfwd.appctl("status"), text)
        assert timeout_of_flows(lab) == {"8"}
        sdfwd.clear()
        sdfwd.write("interval = 9\nuser = nobody\nca-cert = /nowhere\n")
        sdfwd.hang_up()
        until(lambda: timeout_of_flows(lab) == {"9"}, "the repaired one")
        status = sdfwd.appctl("status")
        assert "SETTING IS WRONG" not in status, status
        for name in ("user", "ca-cert"):
            assert f"setting {name} has changed; it takes effect at the " \
                "next start" in status, status
        sdfwd.write("interval = 9\n")
        sdfwd.hang_up()
        until(lambda: "next start" not in sdfwd.appctl("status"),
              "as at the start")


def test_waiting(lab):
    """without a bridge, it waits until OVSDB names one; others can be named
    while it runs"""
    lab.unpush()
    lab.vsctl("add-br", "br1", "--", "set", "bridge", "br1",
              "datapath_type=netdev")
    records = f"{lab.dir}/waiting.json"
    with Settings(lab, file=f"json = {records}\n") as sdfwd:
        until(lambda: "WAITING" in sdfwd.appctl("status"), "it waits")
        sdfwd.hang_up()
        sdfwd.appctl("reload")
        sdfwd.set(bridge=lab.bridge)
        until(lambda: sdfwd.config_table().get("bridge")
              == [(lab.bridge, "OVSDB")], "the bridge is named")
        assert "WAITING" in sdfwd.appctl("status")
        assert not lab.our_flows()
        sdfwd.set(topology=f"{lab.dir}/topology")
        until(lambda: in_step(lab, lab.path), "flows are there")
        deviate(lab, 2006)
        until(lambda: lines(records, 2006), "it is told")
        assert "WAITING" not in sdfwd.appctl("status")
        pid = sdfwd.process.pid
        # In another place of the list.
        sdfwd.set(bridge=f"br1, {lab.bridge}")

        def both_connected():
            status = sdfwd.appctl("status")
            return all(f"bridge {name}: connected" in status
                       for name in (lab.bridge, "br1"))
        until(both_connected, "both are connected")
        assert f"{lab.bridge}: no-link dropped" in sdfwd.appctl(
            "deviations", "tcp/2006")
        assert [r["event"] for r in lines(records, 2006)] == ["open"]
        until(lambda: lab.ofctl("dump-flows", "br1", "cookie=0x5dfd0000000000"
                                "00/0xffff000000000000").stdout.count("\n")
              > 10, "the other has flows")
        deviate(lab, 2007)
        until(lambda: lines(records, 2007), "it is told")
        sdfwd.set(table_base=60)
        # What was learned or admitted for a time in the others times out.
        until(lambda: "table=60," in "\n".join(lab.our_flows())
              and "table=100," not in "\n".join(lab.our_flows()),
              "the tables move")
        lab.run("ovs-appctl", "revalidator/wait")
        deviate(lab, 2008)
        until(lambda: lines(records, 2008), "it is told")
        sdfwd.clear()
        until(lambda: "WAITING" in sdfwd.appctl("status"), "it waits again")
        assert lab.our_flows()
        assert lines(records, 2008)[-1]["event"] == "close"
        assert sdfwd.process.poll() is None and sdfwd.process.pid == pid
    lab.unpush()
    lab.vsctl("del-br", "br1")


def test_start_order(lab):
    """sdfwd before ovsdb-server: the file counts, and OVSDB's values when it
    comes"""
    lab.vsctl("set", "open_vswitch", ".", "other_config:sdfw-interval=6")
    stop_ovs(lab)
    with Settings(lab, "--bridge", lab.bridge, lab.path,
                  file="interval = 7\n") as sdfwd:
        until(lambda: sdfwd.config_table().get("interval")
              == [("7", "file")], "it runs")
        start_ovs(lab)
        until(lambda: sdfwd.config_table()["interval"] == [("6", "OVSDB")],
              "OVSDB's value")
        until(lambda: timeout_of_flows(lab) == {"6"}, "in the flows", 20)


def stop_ovs(lab):
    """In an orderly way: the sockets are gone."""
    for process in (lab.vswitchd, lab.ovsdb):
        process.terminate()
        process.wait(10)
    assert not os.path.exists(f"{lab.dir}/db.sock")


def start_ovs(lab):
    for name in ("ovs-vswitchd", "ovsdb-server"):
        pathlib.Path(f"{lab.dir}/{name}.pid").unlink(missing_ok=True)
    lab.start_ovsdb()
    lab.start_vswitchd()


def test_check_config(lab):
    """--check-config shows what counts and what is wrong, and changes
    nothing"""
    program = Sdfwd(lab).program
    records = f"{lab.dir}/check.json"
    lab.unpush()
    config = lab.file("check.conf", "interval = 7\nadopt = 1\n"
                      f"json = {records}\n")
    lab.vsctl("set", "open_vswitch", ".", "other_config:sdfw-adopt=2")
    plain = lab.file("plain", "no program")

    def check(*arguments, prefix=()):
        return lab.run(*prefix, program, "--check-config", *arguments,
                       check=False)
    try:
        done = check("--config", config, "--bridge", lab.bridge, lab.path)
        assert done.returncode == 0 and not done.stderr, done.stderr
        shown = table(done.stdout)
        assert shown["interval"] == [("7", "file")], shown
        assert shown["adopt"] == [("2", "OVSDB")], shown
        assert shown["bridge"] == [(lab.bridge, "flag")], shown
        assert shown["syslog"] == [("-", "default")], shown
        # The columns stand below each other.
        starts = {re.match(r"\S+ +", line).end()
                  for line in done.stdout.splitlines()}
        assert len(starts) == 1, done.stdout
        assert not os.path.exists(records) and not lab.our_flows()
        assert not os.path.exists(f"{lab.dir}/sdfwd.pid")

        bad = lab.file("bad.conf", "interval = x\n\nnosuch = 1\n")
        done = check("--config", bad, lab.path)
        assert done.returncode == 1, done
        assert f"{bad}:1: interval" in done.stderr, done.stderr
        assert f"{bad}:3: there is no" in done.stderr, done.stderr
        assert "no bridge is set" in done.stderr, done.stderr
        wrong = lab.file("wrong.xml", "<manifest/>")
        done = check("--bridge", lab.bridge, wrong)
        assert done.returncode == 1 and f"{wrong}:1" in done.stderr, done
        done = check("--interval", "x")
        assert done.returncode == 64 and "interval wants" in done.stderr, done
        done = check("--ca-cert", "/nowhere", lab.path)
        assert done.returncode == 1 and "/nowhere" in done.stderr, done
        done = check("--user", "no-such-user", lab.path)
        assert done.returncode == 1 and "no-such-user" in done.stderr, done
        for name, value, why in (
                ("syslog", "nowhere:1", "is no unix:SOCKET"),
                ("syslog", "unix:", "is no unix:SOCKET"),
                ("syslog", "udp:host", "an address is wanted"),
                ("syslog", "tcp:127.0.0.1:0", "a port is a number"),
                ("syslog", "tls:127.0.0.1:x", "a port is a number"),
                ("bridge", "tcp:host:1", "an address is wanted"),
                ("bridge", "tcp:::1:1", "is [ADDRESS]:PORT"),
                ("bridge", "tcp:127.0.0.1:0", "a port is a number"),
                ("bridge", "unix:", "the name of a socket"),
                ("bridge", "ssl:127.0.0.1:1", "needs private-key"),
                ("json", f"{lab.dir}/none/d.json", "No such file"),
                ("json", lab.dir, "Is a directory"),
                ("pcap", f"{lab.dir}/none", "No such file"),
                ("pcap", plain, "Not a directory"),
                ("hook", "true", "the absolute path"),
                ("hook", plain, "Permission denied")):
            done = check(f"--{name}", value, "--bridge", lab.bridge, lab.path)
            assert done.returncode == 1, (name, value, done)
            told, = done.stderr.splitlines()
            assert why in told, told
        done = check("--verbose=foo", lab.path)
        assert done.returncode == 64 and '"foo"' in done.stderr, done
        for value, why in (("::1:80", "[ADDRESS]:PORT"),
                           ("0", "from 1 to 65535"),
                           ("localhost:80", "an address is wanted")):
            done = check("--http", value, lab.path)
            assert done.returncode == 64 and why in done.stderr, done
            assert len(done.stderr.splitlines()) == 2, done.stderr
        lab.vsctl("set", "open_vswitch", ".", "other_config:sdfw-adopt=x")
        done = check("--bridge", lab.bridge, lab.path)
        assert done.returncode == 1, done
        assert "other_config:sdfw-adopt" in done.stderr, done.stderr
        assert table(done.stdout)["adopt"] == [("300", "default")]

        # Without OVSDB, and without root.
        done = check("--db", f"unix:{lab.dir}/nosuch.sock", "--bridge",
                     lab.bridge, lab.path)
        assert done.returncode == 0, done
        assert "OVSDB did not tell its settings: unix:" in done.stderr, done
        os.chmod(lab.dir, 0o755)
        done = check("--bridge", lab.bridge, lab.path,
                     prefix=("setpriv", "--reuid=65534", "--regid=65534",
                             "--clear-groups"))
        assert done.returncode == 0, done
        assert "Permission denied" in done.stderr, done
    finally:
        os.chmod(lab.dir, 0o700)
        lab.vsctl("clear", "open_vswitch", ".", "other_config")
    done = lab.run(program, "--config", bad, lab.path, check=False)
    assert done.returncode == 64 and f"{bad}:3:" in done.stderr, done


def test_once(lab):
    """--once takes the file and OVSDB too"""
    program = Sdfwd(lab).program
    lab.unpush()
    config = lab.file("once.conf", "interval = 7\n")
    lab.vsctl("set", "open_vswitch", ".", f"other_config:sdfw-bridge="
              f"{lab.bridge}", f"other_config:sdfw-topology={lab.path}")
    try:
        done = lab.run(program, "--once", "--config", config)
        assert done.returncode == 0, done
        assert in_step(lab, lab.path) and timeout_of_flows(lab) == {"7"}
    finally:
        lab.vsctl("clear", "open_vswitch", ".", "other_config")
    done = lab.run(program, "--once", "--config", config, lab.path,
                   check=False)
    assert done.returncode == 64 and "--bridge" in done.stderr, done
