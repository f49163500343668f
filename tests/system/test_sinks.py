"""Sinks of deviations: JSON lines, pcapng files, and a program of the site."""
import base64
import errno
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import stat

import frames as f
from daemon import Sdfwd, in_step, until
from lab import run
from policy import make_lab, manifest
from test_deviations import segment

next_port = itertools.count(1000)
next_name = itertools.count(1)


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    # As a shell would not like it.
    the_lab.path = the_lab.file("$(touch pwned);m.xml", manifest())
    return the_lab


def running(lab, *options):
    # What is learned of one test must not be told in another.
    lab.unpush()
    return Sdfwd(lab, lab.path, options=["--tuples", "8000", *options])


def deviate(lab, number=1, host="web1", per_second=500):
    """Sends as many deviations; returns their ports."""
    until(lambda: in_step(lab, lab.path), "flows are there")
    ports = [next(next_port) for _ in range(number)]
    from_, to = lab.hosts[host], lab.hosts["db1"]
    # In parts, because a request is one line.
    for i in range(0, number, 500):
        lab.hosts[host].ask("inject_paced", [
            base64.b64encode(segment(from_, to, port)).decode()
            for port in ports[i:i + 500]], per_second)
    return ports


class Status:
    """The line of sdfw/status that begins with 'what'."""

    def __init__(self, lab, what):
        text = lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status").stdout
        self.line, = [l for l in text.splitlines() if l.startswith(what)]

    records = property(lambda self: self.number("records"))
    waiting = property(lambda self: self.number("waiting"))
    dropped = property(lambda self: self.number("dropped"))

    def number(self, what):
        return int(re.search(rf"(\d+) {what}\b", self.line).group(1))


def directory(lab, what):
    path = f"{lab.dir}/{what}-{next(next_name)}"
    os.mkdir(path)
    return path


def small_disk(lab, mib):
    path = directory(lab, "disk")
    run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path)
    lab.cleanup.append(lambda: run("umount", "-l", path, check=False))
    return path


def fill(path, leave=0):
    """Fills a file system, but for some bytes."""
    with open(f"{path}/filler", "wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        stream.truncate(stream.tell() - leave)


def free(path):
    os.remove(f"{path}/filler")


def records(*paths):
    """Of whole lines only: anything else is an error."""
    found = []
    for path in paths:
        text = pathlib.Path(path).read_text()
        assert not text or text.endswith("\n"), text[-100:]
        found += [json.loads(line) for line in text.splitlines()]
    return found


def opened(found):
    """Ports of single deviations, not of incidents."""
    return [r["dst_port"] for r in found
            if r["event"] == "open" and "dst_port" in r]


# JSON.

def test_json_rotation(lab):
    """json: files are rotated by rename and SIGHUP under traffic, and nothing
    is lost or written twice"""
    where = directory(lab, "json")
    path, old, sent = f"{where}/d.json", [], []
    with running(lab, "--json", path) as sdfwd:
        for i in range(6):
            sent += deviate(lab, 40)
            old.append(f"{path}.{i}")
            os.rename(path, old[-1])
            sent += deviate(lab, 40)
            sdfwd.process.send_signal(signal.SIGHUP)
            until(lambda: os.path.exists(path), "the file is there again")
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        sent += deviate(lab, 40)
        until(lambda: len(opened(records(*old, path))) >= len(sent),
              "all are told")
        assert opened(records(*old, path)) == sent
        assert all(opened(records(p)) for p in [*old, path])


def test_json_removed(lab):
    """json: a file that is removed is there again with the next record; one
    that is renamed gets records until SIGHUP"""
    where = directory(lab, "json")
    path = f"{where}/d.json"
    with running(lab, "--json", path):
        deviate(lab)
        until(lambda: records(path), "it is told")
        os.remove(path)
        port, = deviate(lab)
        until(lambda: os.path.exists(path), "the file is there again")
        until(lambda: opened(records(path)) == [port], "it is told")
        os.rename(path, f"{path}.1")
        last, = deviate(lab)
        until(lambda: opened(records(f"{path}.1")) == [port, last],
              "it is told")
        assert not os.path.exists(path)
        shutil.rmtree(where)
        port, = deviate(lab)
        until(lambda: Status(lab, "json").waiting, "it waits")
        os.mkdir(where)
        until(lambda: os.path.exists(path)
              and port in opened(records(path)), "it is told")


def test_json_twice(lab):
    """json: a file that is named in several ways gets each line once, also
    after it was rotated"""
    where = directory(lab, "json")
    path = f"{where}/d.json"
    os.symlink("d.json", f"{where}/link.json")
    with running(lab, "--json", path, "--json", f"{where}/./d.json",
                 "--json", f"{where}/link.json") as sdfwd:
        first, = deviate(lab)
        until(lambda: opened(records(path)), "it is told")
        os.rename(path, f"{path}.1")
        sdfwd.process.send_signal(signal.SIGHUP)
        until(lambda: os.path.exists(path), "the file is there again")
        second, = deviate(lab)
        until(lambda: opened(records(path)), "it is told")
        assert opened(records(path)) == [second]
        assert opened(records(f"{path}.1")) == [first]
        assert sdfwd.log().count(f"the same as {path}") == 1, sdfwd.log()


def test_json_full(lab):
    """json: while the disk is full, records wait and what does not fit is
    dropped; then it goes on with whole lines, and tells how many are
    missing"""
    disk = small_disk(lab, 16)
    path = f"{disk}/d.json"
    with running(lab, "--json", path, "--interval", "1"):
        deviate(lab)
        until(lambda: records(path), "the first is told")
        fill(disk, leave=20480)
        sent = deviate(lab, 100)
        until(lambda: Status(lab, "json").waiting, "records wait")
        assert "REACHES NOBODY: No space left" in Status(lab, "json").line
        before = opened(records(path))[1:]
        assert before and before == sent[:len(before)], before
        for host in ("web1", "web2", "app1"):
            deviate(lab, 1500, host, 800)
        until(lambda: Status(lab, "json").dropped, "some are dropped", 30)
        until(lambda: Status(lab, "deviations:").number("open") == 0,
              "all are over", 30)
        at_the_end = Status(lab, "json")
        free(disk)
        until(lambda: not Status(lab, "json").waiting, "none waits", 10)
        assert "REACHES NOBODY" not in Status(lab, "json").line
        last, = deviate(lab)
        until(lambda: last in opened(records(path)), "it goes on")
    found = records(path)
    missing = [r for r in found if r["event"] == "dropped"]
    assert sum(r["records"] for r in missing) == at_the_end.dropped
    told = found[:[r["event"] for r in found].index("open", found.index(
        missing[-1]))]
    assert len(told) - len(missing) == at_the_end.records \
        - at_the_end.dropped, (len(told), at_the_end.line)
    ports = opened(found)
    assert len(ports) == len(set(ports))
    assert ports[1:101] == sent


def test_json_torn(lab):
    """json: a line that was cut short when a host died does not spoil the
    next one"""
    path = lab.file(f"torn-{next(next_name)}.json", '{"event":"open","id":')
    with running(lab, "--json", path):
        port, = deviate(lab)
        until(lambda: path and str(port) in pathlib.Path(path).read_text(),
              "it is told")
        lines = pathlib.Path(path).read_text().splitlines()
        assert json.loads(lines[1])["dst_port"] == port, lines


def test_json_fifo(lab):
    """json: into a FIFO, records wait for the reader, and a slow one holds
    nothing up"""
    path = f"{lab.dir}/fifo-{next(next_name)}"
    os.mkfifo(path)
    text = b""

    def told():
        nonlocal text
        try:
            while part := os.read(reader, 4096):
                text += part
        except BlockingIOError:
            pass
        return opened([json.loads(l) for l in text.split(b"\n")[:-1]])

    with running(lab, "--json", path):
        sent = deviate(lab, 20)
        until(lambda: Status(lab, "json").waiting >= 20, "they wait")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            until(lambda: told() == sent, "they are read")
            sent += deviate(lab, 400)
            until(lambda: Status(lab, "json").waiting, "the pipe is full")
            until(lambda: told() == sent, "the rest is read")
            assert Status(lab, "json").dropped == 0
        finally:
            os.close(reader)


# pcap.

def tshark(path, *fields):
    """The fields of each packet of a file."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E",
               "occurrence=f"]
    for field in fields:
        command += ["-e", field]
    return [line.split("\t") for line in run(*command).stdout.splitlines()]


def pcap_files(path):
    return sorted(str(p) for p in pathlib.Path(path).glob("sdfw-*.pcapng"))


def pcap_ports(path):
    """Destination ports of all packets, in order."""
    return [int(port) for file in pcap_files(path)
            for port, in tshark(file, "tcp.dstport")]


def test_pcap(lab):
    """pcap: tshark shows packets with interface, length, time and what the
    deviation is"""
    where = directory(lab, "pcap")
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    with running(lab, "--pcap", where):
        port, = deviate(lab)
        s, d = web.address(), db.address()
        large = next(next_port)
        web.inject(f.ether(web.mac, db.mac, 0x800, f.ip(
            s, d, 17, f.udp(s, d, 7, large, b"x" * 1000))))
        until(lambda: pcap_files(where)
              and len(tshark(pcap_files(where)[0], "frame.number")) == 2,
              "two packets")
        app = lab.hosts["app1"]
        app.inject(segment(app, web, port, family=6))
        until(lambda: len(tshark(pcap_files(where)[0], "frame.number")) == 3,
              "three packets")
        assert Status(lab, "pcap").records == 3
    file, = pcap_files(where)
    assert "Number of packets:   3" in run("capinfos", "-c", "-M", file).stdout
    first, second, third = tshark(
        file, "frame.interface_name", "ip.src", "ip.dst", "tcp.dstport",
        "frame.len", "frame.cap_len", "frame.comment")
    length = len(segment(web, db, port))
    assert first[:6] == ["br0/web1", s, d, str(port), str(length),
                         str(length)], first
    assert first[6].startswith("deviation 1: br0: no-link dropped: "
                               f"shop/web/web1 ({s}) -> shop/db/db1 ({d}) "
                               f"tcp/{port}; nearest: "), first
    assert second[:6] == ["br0/web1", s, d, "", "1042", "256"], second
    assert f"udp/{large}" in second[6], second
    assert third[0] == "br0/app1" and third[4] == third[5], third
    (v6, when), = tshark(file, "ipv6.src", "frame.time_epoch")[2:]
    assert v6 == app.address(6)
    assert abs(float(when) - os.stat(file).st_mtime) < 60, when


def test_pcap_first_packets(lab):
    """pcap: of a deviation of many packets, the first few are kept"""
    where = directory(lab, "pcap")
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    with running(lab, "--pcap", where):
        deviate(lab)
        port = next(next_port)
        web.inject(*[segment(web, db, port)] * 200)
        last, = deviate(lab)
        until(lambda: last in pcap_ports(where), "all are there")
        assert 1 <= pcap_ports(where).count(port) <= 4, pcap_ports(where)


def test_pcap_budget(lab):
    """pcap: files stay within the budget, with those that were there before;
    the oldest go, and files of others are left alone"""
    where = directory(lab, "pcap")
    for i in range(5):
        with open(f"{where}/sdfw-2020010{i + 1}T000000.000Z.pcapng",
                  "wb") as stream:
            stream.write(b"x" * 300 * 1024)
    with open(f"{where}/mine.pcapng", "wb") as stream:
        stream.write(b"x" * 500 * 1024)

    def total():
        return sum(os.path.getsize(p) for p in pcap_files(where))
    with running(lab, "--pcap", where, "--pcap-size", "1"):
        sent = deviate(lab)
        until(lambda: total() <= 1 << 20, "old files were removed")
        until(lambda: len(pcap_files(where)) == 3, "there is a new one")
        assert [os.path.basename(p)[5:13] for p in pcap_files(where)][:2] \
            == ["20200104", "20200105"], pcap_files(where)
        for _ in range(6):
            sent += deviate(lab, 300)
            assert total() <= 1 << 20, pcap_files(where)
        until(lambda: Status(lab, "pcap").records == len(sent)
              and not Status(lab, "pcap").waiting, "all are written")
    new = [p for p in pcap_files(where) if "sdfw-2020" not in p]
    assert 3 <= len(new) <= 8, new
    for file in pcap_files(where):
        if "sdfw-2020" in file:
            os.remove(file)
    assert pcap_ports(where) == sent
    assert os.path.getsize(f"{where}/mine.pcapng") == 500 * 1024


def test_pcap_full(lab):
    """pcap: packets wait while the disk is full or the directory away, and are
    written later"""
    disk = small_disk(lab, 1)
    where = f"{disk}/pcap"
    os.mkdir(where)
    with running(lab, "--pcap", where) as sdfwd:
        fill(disk)
        sent = deviate(lab, 5)
        until(lambda: Status(lab, "pcap").waiting == 5, "packets wait")
        assert "REACHES NOBODY: No space left" in Status(lab, "pcap").line
        free(disk)
        until(lambda: not Status(lab, "pcap").waiting, "they are written")
        assert pcap_ports(where) == sent
        shutil.rmtree(where)
        sent = deviate(lab, 2)
        until(lambda: Status(lab, "pcap").waiting == 2, "packets wait")
        os.mkdir(where)
        until(lambda: not Status(lab, "pcap").waiting, "they are written")
        assert pcap_ports(where) == sent
        assert sdfwd.process.poll() is None


# Hook.

HOOK = r"""#!/bin/sh
for fd in /proc/$$/fd/*; do files="$files ${{fd##*/}}"; done
out={where}/$$
{{
    printf '%s\n' $# "$@"
    tr '\0' ' ' </proc/$$/environ; echo
    echo $files
    cut -d' ' -f5 /proc/$$/stat; echo $$
    pwd
    cat
}} >$out.new
mv $out.new $out.done
"""


def hook(lab, text):
    """A program, and the directory that it writes to."""
    where = directory(lab, "hook")
    path = f"{where}/hook"
    with open(path, "w") as stream:
        stream.write(text.format(where=where))
    os.chmod(path, 0o755)
    return path, where


def outputs(where):
    return [p.read_text().splitlines()
            for p in pathlib.Path(where).glob("*.done")]


def children(sdfwd):
    return pathlib.Path(f"/proc/{sdfwd.process.pid}/task/{sdfwd.process.pid}"
                        "/children").read_text().split()


def test_hook(lab):
    """hook: gets arguments and JSON, runs without a shell, with an empty
    environment, closed files and a process group of its own"""
    program, where = hook(lab, HOOK)
    path = f"{where}/d.json"
    with running(lab, "--hook", program, "--json", path) as sdfwd:
        port, = deviate(lab)
        until(lambda: outputs(where), "it has run")
        until(lambda: not children(sdfwd), "it is no zombie")
        assert Status(lab, "hook").number("failed") == 0
        record, = records(path)
    (count, *arguments, environment, files, group, pid, home,
     text), = outputs(where)
    assert count == "4"
    assert arguments == ["open", "no-link", "shop/web/web1", "shop/db/db1"]
    assert {v.split("=")[0] for v in environment.split()} == {"PATH", "LANG"}
    # Of dash itself are 3, the directory, and 10, the program's text.
    assert set(files.split()) <= {"0", "1", "2", "3", "10"}, files
    assert group == pid and home == "/"
    assert json.loads(text) == record and record["dst_port"] == port
    assert "/$(touch pwned);m.xml" in record["nearest"]["file"]
    for place in ("/", lab.dir, where, "."):
        assert not os.path.exists(f"{place}/pwned"), place


def test_hook_scan(lab):
    """hook: for a scan it runs a few times, the last for the incident"""
    program, where = hook(lab, HOOK)
    with running(lab, "--hook", program):
        deviate(lab, 300)
        until(lambda: [o for o in outputs(where)
                       if "incident" in json.loads(o[-1])], "it has run")
        assert Status(lab, "hook").records == len(outputs(where)) <= 10
    incident, = [o for o in outputs(where) if "incident" in json.loads(o[-1])]
    assert incident[1:5] == ["open", "no-link", "shop/web/web1",
                             "shop/db/db1"], incident


def test_hook_rate(lab):
    """hook: what comes too fast waits, what does not fit is counted as
    dropped"""
    program, where = hook(lab, HOOK)
    out, db = lab.hosts["out1"], lab.hosts["db1"]
    with running(lab, "--hook", program, "--hook-rate", "2"):
        until(lambda: in_step(lab, lab.path), "flows are there")
        # Of many sources, or they were one incident.
        for source in range(193, 253):
            s, d = f"10.7.0.{source}", db.address()
            out.inject(*[f.ether(out.mac, db.mac, 0x800, f.ip(
                s, d, 6, f.tcp(s, d, 7, next(next_port), 2)))
                for _ in range(5)])
        until(lambda: Status(lab, "hook").records == 300, "all are seen")
        until(lambda: len(outputs(where)) >= 2, "it has run twice")
        status = Status(lab, "hook")
        ran = status.records - status.waiting - status.dropped
        assert 2 <= ran <= 3 and len(outputs(where)) <= ran, status.line
        assert 50 < status.waiting < 200 and status.dropped, status.line


def test_hook_fails(lab):
    """hook: a program that fails is counted and told"""
    program, _ = hook(lab, "#!/bin/sh\nexit 3\n")
    with running(lab, "--hook", program) as sdfwd:
        deviate(lab, 3)
        until(lambda: Status(lab, "hook").number("failed") == 3, "counted")
        assert "exit status 3" in sdfwd.log()
        os.remove(program)
        deviate(lab)
        until(lambda: Status(lab, "hook").number("failed") == 4, "counted")
        assert f"cannot run {program}: No such file" in sdfwd.log()
        assert not children(sdfwd)


def gone(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return text.rsplit(")", 1)[1].split()[0] == "Z"


def test_hook_hangs(lab):
    """hook: one that hangs is killed with all that it started, and holds
    nothing up; at most four run at a time"""
    program, where = hook(lab, """#!/bin/sh
sleep 600 & echo $$ $! >{where}/$$.new
mv {where}/$$.new {where}/$$.done
sleep 600
""")
    path = f"{where}/d.json"
    with running(lab, "--hook", program, "--json", path) as sdfwd:
        deviate(lab, 3)
        deviate(lab, 3, "web2")
        until(lambda: len(outputs(where)) == 4, "four run")
        status = Status(lab, "hook")
        assert status.number("running") == 4 and status.waiting == 2
        pids = [p for lines in outputs(where) for p in lines[0].split()]
        assert len(pids) == 8 and not any(map(gone, pids)), pids
        port, = deviate(lab, 1, "app1")
        until(lambda: port in opened(records(path)), "others are told")
        until(lambda: Status(lab, "hook").number("of these") == 4,
              "they are killed", 30)
        until(lambda: all(map(gone, pids)), "all are gone")
        until(lambda: Status(lab, "hook").number("running") == 3,
              "those that waited run")
        until(lambda: len(outputs(where)) == 7, "they do")
        assert "killed after 10 seconds" in sdfwd.log()
    pids = [p for lines in outputs(where) for p in lines[0].split()]
    until(lambda: all(map(gone, pids)), "sdfwd leaves none behind")


# Settings.

def test_live(lab):
    """on SIGHUP, sinks that the file names no more are closed, with the
    programs that they run, and the others go on"""
    program, where = hook(lab, """#!/bin/sh
echo $$ >{where}/$$.new
mv {where}/$$.new {where}/$$.done
sleep 600
""")
    pcap = directory(lab, "pcap")
    conf = lab.file("live.conf", f"hook = {program}\npcap = {pcap}\n")
    with running(lab, "--config", conf) as sdfwd:
        sent = deviate(lab)
        until(lambda: outputs(where), "it runs")
        lab.file("live.conf", f"pcap = {pcap}\npcap-size = 8\n")
        sdfwd.process.send_signal(signal.SIGHUP)
        (pid,), = outputs(where)
        until(lambda: gone(pid), "it is killed")
        until(lambda: not children(sdfwd), "it is no zombie")
        sent += deviate(lab)
        until(lambda: pcap_ports(pcap) == sent, "packets are kept")
        status = lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status").stdout
        assert "\npcap " in status and "\nhook " not in status, status


def test_start(lab):
    """what cannot be meant seriously is one clear error"""
    program = str(pathlib.Path(lab.sdfw).with_name("sdfwd"))
    where = directory(lab, "start")
    plain = lab.file("plain", "#!/bin/sh\n")
    for option, target, message in (
            ("hook", plain, f"cannot run {plain}: Permission denied"),
            ("hook", f"{where}/none",
             f"cannot run {where}/none: No such file or directory"),
            ("hook", where, f"cannot run {where}: no file"),
            ("hook", "true", "hook wants the absolute path of a program, not "
             "\"true\""),
            ("hook-rate", "0", "hook-rate wants a number from 1 to 6000"),
            ("pcap", f"{where}/none", f"cannot write packets to {where}/none: "
             "No such file or directory"),
            ("pcap", plain, f"cannot write packets to {plain}: "
             "Not a directory"),
            ("json", f"{where}/none/d.json",
             f"cannot write {where}/none/d.json: No such file or directory"),
            ("json", where, f"cannot write {where}: Is a directory")):
        done = lab.run(program, "--bridge", "br0", f"--{option}", target,
                       lab.path, check=False)
        assert done.returncode == 64, (target, done)
        assert done.stderr.startswith(f"sdfwd: {message}"), done.stderr
