"""sdfw-push beside a lab, as cron runs it, with /dev/log of its own."""
import os
import pathlib
import subprocess

from receiver import Rsyslogd

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "integration/sdfw-push"
# A /dev in which only "log" is another.
WITH_DEV_LOG = """
mount -t tmpfs none "$1" &&
for name in null zero urandom; do
    : >"$1/$name" && mount --bind "/dev/$name" "$1/$name" || exit
done
ln -s /proc/self/fd "$1/fd" && ln -s "$2" "$1/log" &&
mount --rbind "$1" /dev && shift 2 && exec "$@"
"""


class Periodic:
    """The settings, the state, and what one run after the other says."""

    def __init__(self, lab, topology, *more):
        self.lab, self.topology = lab, topology
        self.config = f"{lab.dir}/push.conf"
        self.state = f"{lab.dir}/push-state"
        os.makedirs(f"{lab.dir}/dev", exist_ok=True)
        self.receiver = Rsyslogd(lab.dir)
        lab.cleanup.append(self.receiver.stop)
        self.receiver.start()
        self.n_read = 0
        self.set(*more)

    def set(self, *lines, bridges=None):
        self.lab.file("push.conf", "\n".join([
            "# A comment, and blanks.  ", "",
            *(f"bridge = {b}" for b in bridges or [self.lab.bridge]),
            f"topology = {self.topology}\t# here", "timeout=10", *lines]))

    def environment(self):
        path = f"{pathlib.Path(self.lab.sdfw).parent}:/usr/bin:/bin"
        return dict(self.lab.env, PATH=path, STATE_DIRECTORY=self.state)

    def run(self, *arguments, prefix=()):
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", WITH_DEV_LOG, "sh",
             f"{self.lab.dir}/dev", self.receiver.socket, *prefix, str(SCRIPT),
             f"--config={self.config}", *arguments],
            capture_output=True, text=True, timeout=60,
            env=self.environment())
        self.lab.run("ovs-appctl", "revalidator/wait", check=False)
        return done

    def quiet(self, *arguments, status=0):
        """A run that prints nothing; returns its lines in syslog."""
        done = self.run(*arguments)
        assert done.returncode == status and not done.stdout \
            and not done.stderr, done
        return self.logged()

    def fails(self, *arguments):
        """A run that tells of something; returns what, which is the same on
        standard error and in syslog."""
        done = self.run(*arguments)
        assert done.returncode == 1 and not done.stdout and done.stderr, done
        lines = [line.removeprefix("sdfw-push: ")
                 for line in done.stderr.splitlines()]
        logged = self.logged()
        assert [line for line in logged if line in lines] == lines, \
            (lines, logged)
        return done.stderr

    def logged(self):
        """What is new in syslog; a mark of ours tells when all is there."""
        mark = f"mark {os.urandom(8).hex()}"
        subprocess.run(["logger", "-u", self.receiver.socket, mark],
                       check=True)
        from daemon import until
        until(lambda: any(mark in r["msg"] for r in self.receiver.received()),
              "the mark is in syslog")
        new = self.receiver.received()[self.n_read:]
        self.n_read += len(new)
        new = [r for r in new if mark not in r["msg"]]
        assert all(r["app"] == "sdfw-push" for r in new), new
        return [r["msg"].strip() for r in new]


class Repository:
    """A bare repository, somebody's clone of it, and the checkout that is
    pushed."""

    def __init__(self, directory):
        self.bare, self.work, self.checkout = (
            f"{directory}/{name}" for name in ("bare.git", "work", "checkout"))
        self.git("init", "-q", "--bare", "-b", "main", self.bare)
        self.git("clone", "-q", self.bare, self.work)
        self.git("-C", self.work, "checkout", "-q", "-b", "main")

    def git(self, *arguments):
        return subprocess.run(
            ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com",
             *arguments], check=True, capture_output=True,
            text=True).stdout.strip()

    def commit(self, files, *options):
        """Commits {name: text}, None to remove, and pushes.  Returns the
        commit, in short."""
        for name, text in files.items():
            path = pathlib.Path(self.work, "policy", name)
            path.parent.mkdir(exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("-C", self.work, "add", "-A")
        self.git("-C", self.work, "commit", "-q", "-m", "edit", *options)
        self.git("-C", self.work, "push", "-q", "--force", "origin", "main")
        return self.head(self.work)

    def clone(self):
        self.git("clone", "-q", self.bare, self.checkout)

    def head(self, directory=None):
        return self.git("-C", directory or self.checkout, "rev-parse",
                        "--short", "HEAD")
