"""A private Open vSwitch and hosts in network namespaces.

The switch has a namespace of its own too, so bridges and ports can have the
names of the manifest.  Labs can run side by side, and everything is gone when
a lab is left, also after a failure.  Only processes that the lab started are
ended, by pid.
"""
import atexit
import base64
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
counter = itertools.count(1)


class LabError(Exception):
    pass


def run(*command, check=True, env=None, timeout=60):
    done = subprocess.run(command, capture_output=True, text=True, env=env,
                          timeout=timeout)
    if check and done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


class Host:
    """A namespace with one interface, eth0, whose other end is a port."""

    def __init__(self, lab, name, mac, addresses, plug=True, tag=None):
        self.lab, self.name, self.mac = lab, name, mac
        self.addresses, self.port = addresses, name
        self.ns = lab.namespace()
        lab.ip("link", "add", self.port, "type", "veth", "peer", "name",
               "eth0", "netns", self.ns)
        self.ip("link", "set", "lo", "up")
        self.exec("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0",
                  "net.ipv6.conf.eth0.router_solicitations=0",
                  "net.ipv4.ping_group_range=0 0")
        self.ip("link", "set", "eth0", "address", mac)
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip("addr", "add", address, "dev", "eth0", *extra)
        lab.exec("ethtool", "-K", self.port, "tx", "off")
        self.exec("ethtool", "-K", "eth0", "tx", "off")
        self.ip("link", "set", "eth0", "up")
        lab.ip("link", "set", self.port, "up")
        self.agent = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, sys.executable,
             str(HERE / "agent.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lab.cleanup.append(self.stop_agent)
        if plug:
            lab.plug(self, tag)

    def stop_agent(self):
        self.agent.stdin.close()
        try:
            self.agent.wait(2)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()

    def exec(self, *command, check=True):
        return run("ip", "netns", "exec", self.ns, *command, check=check)

    def ip(self, *arguments):
        return run("ip", "-n", self.ns, *arguments)

    def address(self, family=4):
        for address in self.addresses:
            if (":" in address) == (family == 6):
                return address.split("/")[0]
        raise LabError(f"{self.name} has no IPv{family} address")

    def ask(self, *request):
        """Asks the agent, see agent.py."""
        self.agent.stdin.write(json.dumps(request) + "\n")
        self.agent.stdin.flush()
        answer = json.loads(self.agent.stdout.readline())
        if "error" in answer:
            raise LabError(f"{self.name}: {request[0]}: {answer['error']}")
        return answer["result"]

    def ping(self, address, timeout=1):
        return self.exec("ping", "-n", "-q", "-c", "1", "-W", str(timeout),
                         address, check=False).returncode == 0

    def inject(self, *frames):
        self.ask("inject", [base64.b64encode(f).decode() for f in frames])

    def sniff(self):
        return Sniffer(self)


class Sniffer:
    """What a host gets: 'with host.sniff() as s: ...', then s.saw(bytes)."""

    def __init__(self, host):
        self.host, self.frames = host, []

    def __enter__(self):
        self.number = self.host.ask("sniff_start")
        return self

    def __exit__(self, *_):
        self.frames = [base64.b64decode(f)
                       for f in self.host.ask("sniff_end", self.number)]

    def saw(self, marker):
        return any(marker in frame for frame in self.frames)


class Closing:
    """What has much to clean up: done when it is left, and at the latest when
    the program ends."""

    def __init__(self):
        self.cleanup = []
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self.cleanup:
            try:
                self.cleanup.pop()()
            except Exception as error:
                print(f"cleaning up: {error}", file=sys.stderr)
        atexit.unregister(self.close)


class Lab(Closing):
    def __init__(self, sdfw, bridge="br0", fail_mode="standalone"):
        super().__init__()
        self.sdfw, self.bridge, self.hosts = sdfw, bridge, {}
        self.dir = tempfile.mkdtemp(prefix="sdfw-lab-")
        self.cleanup.append(lambda: shutil.rmtree(self.dir, True))
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_DBDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.ns = self.namespace()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, _: sys.exit(128 + n))
        try:
            self.start_ovsdb()
            self.start_vswitchd()
            self.vsctl("add-br", bridge, "--", "set", "bridge", bridge,
                       "datapath_type=netdev", f"fail_mode={fail_mode}")
        except BaseException:
            self.close()
            raise

    def start_ovsdb(self):
        if not os.path.exists(f"{self.dir}/conf.db"):
            self.run("ovsdb-tool", "create", f"{self.dir}/conf.db", SCHEMA)
        self.ovsdb = self.daemon("ovsdb-server", f"{self.dir}/conf.db",
                                 f"--remote=punix:{self.dir}/db.sock")
        # The pid file is there before the socket.
        self.vsctl("--retry", "--timeout=10", "--no-wait", "init")

    def start_vswitchd(self):
        self.vswitchd = self.daemon("ovs-vswitchd",
                                    f"unix:{self.dir}/db.sock",
                                    "--disable-system")

    def daemon(self, name, *arguments):
        pidfile = f"{self.dir}/{name}.pid"
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, name, *arguments, f"--pidfile={pidfile}", "-vconsole:off",
             f"--log-file={self.dir}/{name}.log"], env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def stop():
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.cleanup.append(stop)
        until = time.monotonic() + 10
        while not os.path.exists(pidfile):
            if process.poll() is not None or time.monotonic() > until:
                raise LabError(f"{name} did not start; see its log:\n"
                               + open(f"{self.dir}/{name}.log").read()[-2000:])
            time.sleep(0.01)
        return process

    def namespace(self):
        name = f"sdfw-{os.getpid()}-{next(counter)}"
        run("ip", "netns", "add", name)
        self.cleanup.append(lambda: run("ip", "netns", "del", name,
                                        check=False))
        return name

    def exec(self, *command, check=True):
        return run("ip", "netns", "exec", self.ns, *command, check=check,
                   env=self.env)

    def ip(self, *arguments):
        return run("ip", "-n", self.ns, *arguments)

    def run(self, *command, check=True):
        return run(*command, check=check, env=self.env)

    def vsctl(self, *arguments, check=True):
        return self.run("ovs-vsctl", *arguments, check=check)

    def ofctl(self, *arguments, check=True):
        return self.run("ovs-ofctl", "-O", "OpenFlow14", *arguments,
                        check=check)

    def host(self, name, mac, *addresses, **options):
        self.hosts[name] = Host(self, name, mac, addresses, **options)
        return self.hosts[name]

    def plug(self, host, tag=None):
        """Makes a host's port a port of the bridge, called like the host."""
        command = ["add-port", self.bridge, host.port]
        if tag:
            command.append(f"tag={tag}")
        self.vsctl(*command)

    def unplug(self, host):
        self.vsctl("del-port", self.bridge, host.port)

    def ofport(self, host):
        return int(self.vsctl("get", "interface", host.port,
                              "ofport").stdout)

    def file(self, name, text):
        path = f"{self.dir}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as stream:
            stream.write(text)
        return path

    def command(self, *arguments, check=True):
        return self.run(self.sdfw, *arguments, check=check)

    def push(self, manifest, *options, check=True):
        """Pushes the text of a manifest, or a path."""
        path = manifest
        if manifest.lstrip().startswith("<"):
            path = self.file("manifest.xml", manifest)
        done = self.command("push", "--bridge", self.bridge, "--quiet",
                            *options, path, check=check)
        # The datapath's cached flows follow the tables within milliseconds.
        self.run("ovs-appctl", "revalidator/wait")
        return done

    def unpush(self):
        """Leaves the bridge without our flows."""
        self.ofctl("del-flows", self.bridge,
                   "cookie=0x5dfd000000000000/0xffff000000000000")
        for host in self.hosts.values():
            self.run("ovs-ofctl", "mod-port", self.bridge, host.port,
                     "flood", check=False)

    def our_flows(self):
        return [line.strip() for line in self.ofctl(
            "dump-flows", self.bridge,
            "cookie=0x5dfd000000000000/0xffff000000000000"
        ).stdout.splitlines() if "actions=" in line]
