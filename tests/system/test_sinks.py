"""JSON lines of deviations, whatever becomes of the file."""
import base64
import errno
import itertools
import json
import os
import pathlib
import re
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
        assert "CANNOT WRITE: No space left" in Status(lab, "json").line
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
        assert "CANNOT WRITE" not in Status(lab, "json").line
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


# Start.

def test_start(lab):
    """what cannot be meant seriously is one clear error"""
    program = str(pathlib.Path(lab.sdfw).with_name("sdfwd"))
    where = directory(lab, "start")
    plain = lab.file("plain", "#!/bin/sh\n")
    for option, target, message in (
            ("json", f"{where}/none/d.json",
             f"cannot write {where}/none/d.json: No such file or directory"),
            ("json", where, f"cannot write {where}: Is a directory")):
        done = lab.run(program, "--bridge", "br0", f"--{option}", target,
                       lab.path, check=False)
        assert done.returncode == 64, (target, done)
        assert done.stderr.startswith(f"sdfwd: {message}"), done.stderr
