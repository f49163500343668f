"""sdfwd beside a lab: started, killed, its log read."""
import json
import os
import pathlib
import subprocess
import time


def until(condition, what, timeout=10):
    """Waits until condition() holds; returns after how many seconds."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.003)
    return time.monotonic() - start


class Sdfwd:
    """with Sdfwd(lab, manifest_path) as sdfwd: ..."""

    def __init__(self, lab, *topologies, options=()):
        self.lab = lab
        self.program = str(pathlib.Path(lab.sdfw).with_name("sdfwd"))
        self.arguments = ["--bridge", lab.bridge, *options, *topologies]
        self.log_path = f"{lab.dir}/sdfwd.log"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.log_file = open(self.log_path, "a")
        self.process = subprocess.Popen(
            [self.program, *self.arguments], env=self.lab.env,
            stdout=self.log_file, stderr=self.log_file)
        # Also if a test fails before it stops it.
        self.lab.cleanup.append(lambda: self.process and self.kill())

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                status = self.process.wait(10)
            finally:
                self.process.kill()
                self.process = None
            assert status == 0, f"sdfwd ended with {status}: {self.log()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self):
        with open(self.log_path) as stream:
            return stream.read()

    def ticks(self):
        """User and system time so far, in clock ticks."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = fields.rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def resident_bytes(self):
        """Memory in use."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(fields.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def switches(self):
        """How often it has been woken."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total


def has_flows(lab, path):
    """Are the bridge's flows as the manifest at 'path' says?"""
    return lab.command("plan", "--quiet", "--bridge", lab.bridge, path,
                       check=False).returncode == 0


def in_step(lab, path):
    """The same, and what the bridge's datapath has cached too."""
    there = has_flows(lab, path)
    if there:
        lab.run("ovs-appctl", "revalidator/wait", check=False)
    return there


def forget_deviations(lab):
    """Ends the flows that absorb deviations; the next sdfwd would find
    them."""
    lab.ofctl("del-flows", lab.bridge,
              "cookie=0x5dfd090000000000/0xffffff0000000000")


class Recording:
    """sdfwd that keeps a lab's bridge as lab.path says, and its records:
    with Recording(lab, "name") as w: ..."""

    def __init__(self, lab, name, *options):
        self.lab, self.path = lab, f"{lab.dir}/{name}.json"
        self.sdfwd = Sdfwd(lab, lab.path,
                           options=["--json", self.path, *options])

    def __enter__(self):
        self.sdfwd.start()
        until(lambda: "last push" in self.status(), "a push")
        until(lambda: in_step(self.lab, self.lab.path), "flows are there")
        return self

    def __exit__(self, *_):
        self.sdfwd.stop()

    def status(self):
        return self.lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                            check=False).stdout

    def records(self, event):
        """Those of this event so far."""
        try:
            with open(self.path) as stream:
                return [r for r in map(json.loads, stream)
                        if r["event"] == event]
        except FileNotFoundError:
            return []
