"""What "make install" brings, on a host that systemd has booted: see
fresh.py."""
import contextlib

from daemon import until
from fresh import FreshHost
from policy import LINKS, manifest

SETUP = """
vm() {  # NAME MAC ADDRESS
    ip netns add $1 && ip link add $1 up type veth peer name eth0 address $2 \\
        netns $1 && ip -n $1 addr add $3/24 dev eth0 &&
    ip -n $1 link set eth0 up && ethtool -K $1 tx off >/dev/null &&
    ovs-vsctl add-port br0 $1
}
make -s -C ovs-sdfw install >/dev/null && systemd-sysusers 2>/dev/null
systemctl daemon-reload && systemctl start openvswitch-switch &&
ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev &&
vm web1 02:00:00:00:01:01 10.7.0.11 && vm db1 02:00:00:00:03:01 10.7.0.31 &&
mkdir -p /etc/sdfw/topology
"""
MORE = LINKS.replace('<tcp port="5432"/>', '<tcp port="22,5432"/>')


def lab(_):
    return contextlib.nullcontext()


class Host(FreshHost):
    def __enter__(self):
        super().__enter__()
        self.do(SETUP, 120)
        return self

    def do(self, command, timeout=60):
        text, status = self.run(command, timeout=timeout)
        assert status == 0, (command, text, status)
        return text

    def write(self, path, text):
        self.do(f"cat >{path} <<'END'\n{text}\nEND\n")

    def does(self, command):
        return self.run(command)[1] == 0

    def told(self):
        """What sdfw-push has told, without times."""
        return [line for line in self.do(
            "journalctl -q -o cat -t sdfw-push").splitlines() if line]


def test_timer(_):
    """the timer pushes, from a checkout too, with what its unit allows; what
    it has to say is in the journal once"""
    with Host() as host:
        host.write("/etc/sdfw/push.conf", "bridge = br0\nbranch = main")
        host.do("""
            git init -q --bare -b main /srv/policy.git &&
            git clone -q /srv/policy.git work 2>&1 && cd work &&
            git config user.name Test &&
            git config user.email test@example.com && cd""")

        def commit(text):
            host.write("work/m.xml", text)
            host.do("""cd work && git add -A && git commit -q -m edit &&
                git push -q origin HEAD:main && cd""")
        commit(manifest())
        host.do("git clone -q /srv/policy.git /etc/sdfw/topology")
        assert not host.does("systemctl is-enabled sdfw-push.timer")
        host.do("mkdir /etc/systemd/system/sdfw-push.timer.d")
        host.write("/etc/systemd/system/sdfw-push.timer.d/often.conf",
                   "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\n"
                   "RandomizedDelaySec=0")
        host.do("systemctl daemon-reload && systemctl start sdfw-push.timer")
        in_step = "sdfw plan --bridge br0 /etc/sdfw/topology"
        until(lambda: host.does(in_step), "it has pushed", 30)
        until(host.told, "it has told so")
        assert len(host.told()) == 1 and "flows added" in host.told()[0]
        commit(manifest(MORE))
        until(lambda: len(host.told()) > 1, "the next commit", 30)
        until(lambda: host.does(in_step), "it is pushed")
        assert "+ link shop/app -> shop/db tcp/22" in host.told()[1]
        host.do("mv /srv/policy.git /srv/away.git")
        until(lambda: len(host.told()) > 2, "the remote is away", 30)
        assert "cannot fetch" in host.told()[2], host.told()
        assert host.does("sleep 2; systemctl is-failed sdfw-push.service")
        host.do("mv /srv/away.git /srv/policy.git")
        until(lambda: len(host.told()) > 3, "the remote is back", 30)
        assert "works again" in host.told()[3], host.told()
        assert len(host.told()) == 4, host.told()


def test_log_files(_):
    """sdfwd, rsyslog and logrotate from their services: deviations are in
    both files, also after these were rotated"""
    with Host() as host:
        host.write("/etc/sdfw/topology/m.xml", manifest())
        host.write("/etc/sdfw/sdfwd.conf",
                   "bridge = br0\ntopology = /etc/sdfw/topology\n"
                   "json = /var/log/sdfw/deviations.json\n"
                   "syslog = tcp:127.0.0.1:10514")
        # As Debian has it.
        host.do("chmod 755 /var/log")
        host.do("cd /usr/local/share/sdfw && "
                "cp rsyslog/sdfw.conf /etc/rsyslog.d/ && "
                "cp logrotate/sdfw /etc/logrotate.d/ && cd && "
                "systemctl start rsyslog sdfwd")
        files = ("/var/log/sdfw/deviations.json", "/var/log/sdfw.log")

        def has(path, port):
            return host.does(f"grep -Eq 'dst_port(\":|=\"){port}\\b' {path}")

        def deviate(port):
            host.run(f"timeout 0.2 bash -c '</dev/tcp/10.7.0.31/{port}'",
                     namespace="web1")
            for path in files:
                until(lambda: has(path, port), f"{port} is in {path}", 20)
        until(lambda: host.does("ovs-appctl -t sdfwd sdfw/status | "
                                "grep 'br0: connected'"), "sdfwd hears", 20)
        deviate(3306)
        host.do("logrotate -f /etc/logrotate.conf 2>&1")
        deviate(3307)
        for path in files:
            assert has(f"{path}.1", 3306) and not has(f"{path}.1", 3307), path
            assert not has(path, 3306), path
        owner = host.do(f"stat -c '%U %a' {files[0]}")
        assert owner == "sdfw 640\n", owner
        assert not host.does("grep -q tcp/3306 /var/log/auth.log")
