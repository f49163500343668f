"""A Debian of its own, with systemd as PID 1, in namespaces.

Its base is installed once from where the machine's apt has its packages, and
kept.  What a guest writes is in memory, and it has no network, so nothing of a
guest is left when it ends, also if this process is killed.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "system"))
from daemon import until        # noqa: E402

RELEASE = "bookworm"
INCLUDED = "openvswitch-switch,systemd-sysv"
ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
               "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]


class GuestError(Exception):
    pass


def run(*command, check=True, text=None, timeout=300):
    done = subprocess.run(command, input=text or "", capture_output=True,
                          text=True, timeout=timeout)
    if check and done.returncode:
        raise GuestError(f"{' '.join(command)}: exit status "
                         f"{done.returncode}\n{done.stdout}{done.stderr}")
    return done


def sources():
    """Debian's archives that the machine's apt uses, as of sources.list(5)."""
    found = run("apt-get", "indextargets", "--format",
                "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                "Created-By: Packages", "Origin: Debian").stdout
    if not found:
        raise GuestError("apt knows no archive of Debian: run apt-get update")
    return found


def make_base(directory, package):
    """Returns the directory with a base, in which all that PACKAGE depends on
    waits to be installed."""
    depends = run("dpkg-deb", "-f", package, "Depends").stdout
    key = hashlib.sha256("\n".join(
        [sources(), INCLUDED, depends]).encode()).hexdigest()[:12]
    base = directory / f"base-{key}"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not base.exists():
            for old in directory.glob("base-*"):
                shutil.rmtree(old)
            install_base(base, package)
    return base


def install_base(base, package):
    new = base.with_name("base-new")
    fetch = ("chroot $1 apt-get install -y --no-install-recommends "
             "--download-only /package.deb")
    reinstall = ("chroot $1 apt-get install -y --reinstall --download-only "
                 "openvswitch-switch")
    run("mmdebstrap", "--variant=minbase", f"--include={INCLUDED}",
        "--aptopt=Apt::Keep-Downloaded-Packages true",
        "--skip=cleanup/apt,cleanup/tmp,check/empty",
        f"--customize-hook=copy-in {package} /",
        f"--customize-hook=mv $1/{package.name} $1/package.deb",
        f"--customize-hook={fetch}", f"--customize-hook={reinstall}",
        "--customize-hook=rm $1/package.deb",
        RELEASE, str(new), "-", text=sources(), timeout=600)
    new.rename(base)


def cgroups():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(where)
    raise GuestError("no cgroup2 is mounted, which systemd needs")


class Guest:
    """with Guest(base) as guest: guest.run("systemctl", "status")"""

    def __init__(self, base):
        self.base = base

    def __enter__(self):
        self.cgroup = cgroups() / f"sdfw-deb-{os.getpid()}"
        self.cgroup.mkdir()
        # The first of its processes is one that can be told from outside.
        join = ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"',
                str(self.cgroup)]
        self.process = subprocess.Popen(
            [*join, "setpriv", "--pdeathsig=KILL", "unshare", "--fork",
             "--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup",
             "--kill-child=KILL", str(HERE / "boot"), str(self.base)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        try:
            until(self.booted, "the guest has booted", 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def booted(self):
        if self.process.poll() is not None:
            raise GuestError(self.process.stderr.read())
        pid = self.process.pid
        with contextlib.suppress(FileNotFoundError):
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
            self.init, = children.read_text().split() or [None]
        return self.init and self.run(
            "systemctl", "is-system-running",
            check=False).stdout.strip() == "running"

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        until(self.rmdir_cgroup, "the guest has ended")

    def rmdir_cgroup(self):
        """Those that systemd made in it, and it, when all have ended."""
        try:
            for path, _, _ in os.walk(self.cgroup, topdown=False):
                os.rmdir(path)
        except OSError:
            return False
        return True

    def command(self, *command):
        return ["nsenter", f"--target={self.init}", "--all", "--wdns=/",
                *ENVIRONMENT, *command]

    def run(self, *command, check=True):
        return run(*self.command(*command), check=check)

    def out(self, *command):
        return self.run(*command).stdout.strip()

    def path(self, name):
        """A file of the guest, as this process sees it."""
        return pathlib.Path(f"/proc/{self.init}/root") / name.lstrip("/")
