"""A host as a reader of the documentation has it: Debian as it is installed
here, booted by systemd, with Open vSwitch and a network of its own.

It is a set of namespaces: what it writes lies in memory, and its processes are
gone when it is left.  Nothing of the machine around it changes, but for what
"make" builds in this clone, which is there as /root/ovs-sdfw, and the module
openvswitch, which its ovs-ctl loads if the kernel has it.
"""
import atexit
import os
import pathlib
import secrets
import select
import shlex
import signal
import subprocess
import sys
import time

from lab import LabError, run

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The cgroup first, so that systemd finds nobody else's processes in its own.
ENTER = """
mount -t cgroup2 cgroup2 /mnt
mkdir /mnt/$0
echo $$ >/mnt/$0/cgroup.procs
umount /mnt
exec unshare --mount --propagation private --net --pid --uts --ipc --cgroup \
    --fork --kill-child bash -ec "$1" "$2"
"""

# A root of its own, above the one that is there, without its mounts.  Of what
# systemd starts at boot only the journal is left: devices, sysctls, file
# systems and the services of the machine are not ours.
BOOT = """
mount -t tmpfs tmpfs /mnt
cd /mnt
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
for directory in dev run tmp var/log; do
    mount -t tmpfs tmpfs $directory
done
mkdir dev/net dev/pts dev/shm
for device in null zero full random urandom tty net/tun; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t devpts devpts dev/pts
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
rm -rf root/* etc/openvswitch/* etc/sdfw etc/fstab \
    etc/systemd/system-generators/* usr/lib/systemd/system-generators/*
find etc/systemd/system usr/lib/systemd/system -path '*.wants/*' \
    ! -name 'systemd-journald.*' ! -name 'systemd-journald-dev-log.*' -delete
mkdir root/ovs-sdfw
mount --bind "$0" root/ovs-sdfw
echo host1 >etc/hostname
pivot_root . mnt
umount --lazy /mnt
exec env -i container=sdfw PATH="$PATH" /lib/systemd/systemd \
    --log-target=journal --unit=basic.target </dev/null
"""

LEAVE = """
mount -t cgroup2 cgroup2 /mnt
[ ! -d /mnt/$0 ] || find /mnt/$0 -depth -type d -exec rmdir {} +
"""


class FreshHost:
    def __init__(self):
        self.name = f"sdfw-{os.getpid()}-{secrets.token_hex(4)}"
        self.shell = None
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, _: sys.exit(128 + n))
        # Also if this process is killed.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--mount", "--propagation", "private", "bash", "-ec",
             ENTER, self.name, BOOT, str(ROOT)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        try:
            self.wait_until_booted()
            self.shell = subprocess.Popen(
                [*self.inside(), "env", "-i", "HOME=/root", "LANG=C.UTF-8",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                 "/sbin:/bin", "bash"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
            self.run("cd; ip link set lo up")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def inside(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return ["nsenter", "--all", "--target", children.split()[0]]

    def wait_until_booted(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise LabError("no fresh host: " + self.process.stderr.read())
            try:
                if run(*self.inside(), "systemctl", "is-system-running",
                       check=False).stdout.strip() in ("running", "degraded"):
                    return
            except IndexError:
                pass            # It has not begun.
            time.sleep(0.1)
        raise LabError("no fresh host: it did not boot within 60 s")

    def run(self, command, namespace=None, timeout=60):
        """Runs a line of shell as root, or there in a namespace; returns what
        it prints, and its exit status.  What it leaves running, goes on."""
        if namespace:
            command = (f"ip netns exec {namespace} "
                       f"bash -c {shlex.quote(command)}")
        end = f"end-{secrets.token_hex(8)}"
        self.shell.stdin.write(
            f"{{ {command}\n}} </dev/null 2>&1\n"
            f"echo {end} $?\n".encode())
        self.shell.stdin.flush()
        output, until = b"", time.monotonic() + timeout
        while f"{end} ".encode() not in output or output[-1:] != b"\n":
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.shell.stdout], [], [],
                                              left)[0]:
                raise LabError(f"not within {timeout} s: {command}\n"
                               + output.decode())
            part = os.read(self.shell.stdout.fileno(), 65536)
            if not part:
                raise LabError(f"the shell ended: {command}")
            output += part
        text, status = output.decode().rsplit(f"{end} ", 1)
        return text, int(status)

    def close(self):
        atexit.unregister(self.close)
        # With the parent of its first process, all of them end.
        self.process.kill()
        self.process.communicate()
        if self.shell:
            self.shell.kill()
            self.shell.communicate()
        until = time.monotonic() + 10
        while run("unshare", "--mount", "--propagation", "private", "bash",
                  "-ec", LEAVE, self.name, check=False).returncode:
            if time.monotonic() > until:
                raise LabError(f"cgroup {self.name} stays")
            time.sleep(0.05)
