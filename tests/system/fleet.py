"""Many hosts, each with an Open vSwitch of its own, and a namespace from which
they are managed over TLS, with certificates made by ovs-pki(8)."""
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

from lab import HERE, Closing, Lab, run

NAMESPACE = "urn:ovs-sdfw:inventory:1"
LISTEN = ["--private-key={0}/switch-privkey.pem",
          "--certificate={0}/switch-cert.pem",
          "--ca-cert={0}/pki/controllerca/cacert.pem"]
counter = itertools.count(1)


def make_pki(directory):
    """As a site would: two CAs, and a pair for each side."""
    for arguments in (["init"], ["-u", "req+sign", "switch", "switch"],
                      ["-u", "req+sign", "push", "controller"]):
        done = subprocess.run(
            ["ovs-pki", f"--dir={directory}/pki", f"--log={directory}/log",
             *arguments], cwd=directory, capture_output=True, text=True)
        assert not done.returncode, done.stderr


class Fleet(Closing):
    """'labs' are the hosts; hv1 is at 192.0.2.2, hv2 at 192.0.2.6, ..."""

    def __init__(self, sdfw, n):
        super().__init__()
        self.sdfw, self.labs = sdfw, []
        self.dir = tempfile.mkdtemp(prefix="sdfw-fleet-")
        self.cleanup.append(lambda: shutil.rmtree(self.dir, True))
        try:
            make_pki(self.dir)
            self.ns = f"sdfw-{os.getpid()}-f{next(counter)}"
            run("ip", "netns", "add", self.ns)
            self.cleanup.append(lambda: run("ip", "netns", "del", self.ns,
                                            check=False))
            run("ip", "-n", self.ns, "link", "set", "lo", "up")
            for i in range(n):
                self.add_host(i)
        except BaseException:
            self.close()
            raise

    def add_host(self, i):
        lab = Lab(self.sdfw)
        self.labs.append(lab)
        self.cleanup.append(lab.close)
        near, far = 4 * i + 1, 4 * i + 2
        lab.ip("link", "add", "mgmt", "type", "veth", "peer", "name",
               f"hv{i + 1}", "netns", self.ns)
        for ns, name, last in ((lab.ns, "mgmt", far),
                               (self.ns, f"hv{i + 1}", near)):
            run("ip", "-n", ns, "addr", "add", f"192.0.2.{last}/30", "dev",
                name)
            run("ip", "-n", ns, "link", "set", name, "up")
        lab.address = f"192.0.2.{far}"
        base = self.dir
        lab.vsctl("set-ssl", f"{base}/switch-privkey.pem",
                  f"{base}/switch-cert.pem",
                  f"{base}/pki/controllerca/cacert.pem", "--",
                  "set-controller", lab.bridge, "pssl:6653", "--", "set",
                  "bridge", lab.bridge, "other_config:disable-in-band=true")
        # ovsdb-server takes its certificates from options only.
        lab.ovsdb.terminate()
        lab.ovsdb.wait(10)
        lab.ovsdb = lab.daemon(
            "ovsdb-server", f"{lab.dir}/conf.db",
            f"--remote=punix:{lab.dir}/db.sock", "--remote=pssl:6640",
            *(option.format(base) for option in LISTEN))
        lab.vsctl("--retry", "--timeout=10", "show")

    def host(self, number, group=None, db=None, openflow=None, **attributes):
        """A <host>: the lab 'number', from 1 on, unless told otherwise."""
        address = self.labs[number - 1].address
        extra = "".join(f' {key.replace("_", "-")}="{value}"'
                        for key, value in attributes.items())
        return (f'<host name="hv{number}" db="{db or f"ssl:{address}"}"'
                + (f' group="{group}"' if group else "") + extra + ">"
                f'<bridge name="br0" openflow="'
                f'{openflow or f"ssl:{address}:6653"}"/></host>\n')

    def inventory(self, *hosts, name="inventory.xml"):
        """Writes one of the <host>s, or of all labs, and returns its path."""
        hosts = hosts or [self.host(i + 1) for i in range(len(self.labs))]
        return self.file(name, f'<inventory xmlns="{NAMESPACE}" version="1" '
                         'private-key="push-privkey.pem" '
                         'certificate="push-cert.pem" '
                         'ca-cert="pki/switchca/cacert.pem">\n'
                         + "".join(hosts) + "</inventory>\n")

    def file(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w") as stream:
            stream.write(text)
        return path

    def start(self, *arguments, **options):
        """sdfw where the hosts are managed from."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.ns, self.sdfw, *arguments],
            text=True, **{"stdout": subprocess.PIPE,
                          "stderr": subprocess.PIPE, **options})

    def command(self, *arguments):
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode,
                                           stdout, stderr)

    def slow(self, port, number, delay, to_port=6653):
        """A slow way to the OpenFlow of a lab: 127.0.0.1:PORT.  Returns the
        endpoint."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, sys.executable,
             str(HERE / "slow.py"), str(port), self.labs[number - 1].address,
             str(to_port), str(delay)])

        def stop():
            process.kill()
            process.wait()
        self.cleanup.append(stop)
        return f"ssl:127.0.0.1:{port}"
