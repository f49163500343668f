"""sdfwd over TLS: a bridge and OVSDB at "ssl:"."""
import shutil
import types

from daemon import Sdfwd, until
from lab import run
from pki import Authority
from policy import LINKS, make_lab, manifest
from test_deviations import segment

SSH = LINKS.replace('<tcp port="8080,9000-9009"/>',
                    '<tcp port="22,8080,9000-9009"/>')


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    try:
        the_lab.hosts["app1"].ask("listen", 4, 22)
        prepare(the_lab)
    except BaseException:
        the_lab.close()
        raise
    return the_lab


def prepare(lab):
    lab.path = lab.file("m.xml", manifest())
    lab.switches = Authority(f"{lab.dir}/switches")
    lab.controllers = Authority(f"{lab.dir}/controllers")
    there = lab.switches.sign("there")
    lab.here = lab.controllers.sign("here")
    # The switch listens in its namespace, so sdfwd must run in it too.
    lab.ip("link", "set", "lo", "up")
    lab.vsctl("set-ssl", there.key, there.certificate,
              lab.controllers.certificate, "--", "set-controller", lab.bridge,
              "ptcp:6653:127.0.0.1", "pssl:6654:127.0.0.1", "--", "set",
              "bridge", lab.bridge, "other_config:disable-in-band=true")
    use_in_ovsdb_server(lab, there)


def use_in_ovsdb_server(lab, there):
    """ovsdb-server takes its certificates from options only."""
    lab.ovsdb.terminate()
    lab.ovsdb.wait(10)
    lab.ovsdb = lab.daemon(
        "ovsdb-server", f"{lab.dir}/conf.db",
        f"--remote=punix:{lab.dir}/db.sock", "--remote=pssl:6641:127.0.0.1",
        f"--private-key={there.key}", f"--certificate={there.certificate}",
        f"--ca-cert={lab.controllers.certificate}")
    lab.vsctl("--retry", "--timeout=10", "show")


class Remote(Sdfwd):
    """In the namespace of the switch, which it speaks TLS with."""

    def __init__(self, lab, ours=None, ca=None, bridge="ssl:127.0.0.1:6654",
                 db="ssl:127.0.0.1:6641"):
        super().__init__(lab, lab.path, options=[
            "--db", db, "--private-key", (ours or lab.here).key,
            "--certificate", (ours or lab.here).certificate, "--ca-cert",
            (ca or lab.switches).certificate])
        self.arguments[1] = bridge
        self.arguments = ["netns", "exec", lab.ns, self.program,
                          *self.arguments]
        self.program = "ip"

    def once(self):
        return self.lab.run(self.program, *self.arguments, "--once",
                            check=False)

    def start(self):
        self.lab.file("sdfwd.log", "")
        super().start()


def in_step(lab, path):
    return lab.command("plan", "--quiet", "--bridge", lab.bridge, path,
                       check=False).returncode == 0


def works(lab, port):
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    number = web.ask("connect", app.address(), port)
    if number:
        web.ask("close", number)
    return bool(number)


def status(lab):
    return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                   check=False).stdout


def test_in_step(lab):
    """a bridge and its OVSDB over TLS: flows are there, a port that comes is
    noticed, an edit is in force, a deviation is told"""
    lab.unpush()
    with Remote(lab) as sdfwd:
        until(lambda: in_step(lab, lab.path), "flows are there")
        until(lambda: "connected (datapath" in sdfwd.log(), "it is told")
        host = lab.hosts["web2"]
        lab.unplug(host)
        until(lambda: in_step(lab, lab.path), "a port went")
        lab.plug(host)
        until(lambda: in_step(lab, lab.path), "and came back")
        lab.file("m.xml", manifest(SSH))
        until(lambda: works(lab, 22), "the edited manifest is in force")
        lab.file("m.xml", manifest())
        until(lambda: not works(lab, 22), "and so is the one before")
        web, db = lab.hosts["web1"], lab.hosts["db1"]
        web.inject(segment(web, db, 4321))
        until(lambda: "tcp/4321" in sdfwd.log(), "the deviation is told")
        assert "TLS: " not in status(lab), status(lab)


def test_once(lab):
    """--once over TLS: done, or one clear error"""
    lab.unpush()
    done = Remote(lab).once()
    assert done.returncode == 0 and in_step(lab, lab.path), done.stderr
    for options, what in (({"db": "unix:" + lab.dir + "/db.sock"}, "6654"),
                          ({"bridge": lab.bridge}, "6641")):
        done = Remote(lab, ca=lab.controllers, **options).once()
        assert done.returncode == 3, done.stderr
        assert f"ssl:127.0.0.1:{what}: " in done.stderr, done.stderr
        assert "TLS failed" in done.stderr, done.stderr


def fails(lab, why, **options):
    """sdfwd does not get through, says why, and counts it."""
    lab.unpush()
    with Remote(lab, **options) as sdfwd:
        until(lambda: why in sdfwd.log(), f"{why}: {sdfwd.log()}")
        until(lambda: f": {why}" in status(lab), "the status has it")
        first = status(lab)
        until(lambda: status(lab) not in ("", first), "it is tried again")
        assert not lab.our_flows()


def test_wrong_switch(lab):
    """a switch that another CA vouches for gets nothing"""
    fails(lab, "its certificate is not signed by a CA that we trust",
          ca=lab.controllers)


def test_wrong_us(lab):
    """a certificate of ours that the switch does not trust is told as that"""
    fails(lab, "our certificate is not signed by a CA that it trusts",
          ours=lab.switches.sign("stranger"))


def test_expired(lab):
    """... and so is one that has expired"""
    fails(lab, "it says that our certificate has expired",
          ours=lab.controllers.sign("old", days=-1))


def test_no_tls(lab):
    """a peer that speaks no TLS is told as that"""
    fails(lab, "it does not speak TLS", bridge="ssl:127.0.0.1:6653")


def test_renewed(lab):
    """renewed files are used without a restart, also for pushes"""
    ours = types.SimpleNamespace(key=f"{lab.dir}/our.key",
                                 certificate=f"{lab.dir}/our.pem")
    use(lab.controllers.sign("past", days=-1), ours)
    lab.unpush()
    with Remote(lab, ours=ours) as sdfwd:
        until(lambda: "has expired" in sdfwd.log(), "it has expired")
        use(lab.controllers.sign("present"), ours)
        until(lambda: in_step(lab, lab.path), "flows are there")
        until(lambda: "connected (datapath" in sdfwd.log(), "it hears it")


def use(pair, files):
    shutil.copy(pair.key, files.key)
    shutil.copy(pair.certificate, files.certificate)


def test_usage(lab):
    """what cannot work is an error at once"""
    program, here = Sdfwd(lab).program, lab.here
    key, certificate, ca = (f"--private-key={here.key}",
                            f"--certificate={here.certificate}",
                            f"--ca-cert={lab.switches.certificate}")
    other = f"--private-key={lab.controllers.sign('other').key}"
    run("openssl", "rsa", "-aes128", "-passout", "pass:secret", "-in",
        here.key, "-out", f"{lab.dir}/locked.key")
    for wrong, options in (
            ("ssl: needs private-key", [key, certificate]),
            ("needs its private key", [certificate, ca]),
            ("nosuch.pem: No such file", [key, certificate,
                                          "--ca-cert=nosuch.pem"]),
            ("not that of the certificate", [other, certificate, ca]),
            (f"cannot read certificates from {here.key}",
             [key, certificate, f"--ca-cert={here.key}"]),
            ("locked.key has no private key in PEM that needs no password", [
                f"--private-key={lab.dir}/locked.key", certificate, ca]),
            (f"{here.certificate} has no private key",
             [f"--private-key={here.certificate}", certificate, ca]),
            ("an address is wanted", [key, certificate, ca,
                                      "--db=ssl:db.example:6640"])):
        for once in ([], ["--once"]):
            done = lab.run(program, "--bridge=ssl:127.0.0.1:6654", *once,
                           *options, lab.path, check=False)
            assert done.returncode == 64 and wrong in done.stderr, \
                (wrong, options, done.returncode, done.stderr)
