"""Deviations reach a real rsyslogd over TLS, or it is told why not."""
from daemon import Sdfwd, forget_deviations, in_step, until
from pki import Authority
from policy import make_lab, manifest
from receiver import Rsyslogd, TlsRsyslogd
from test_syslog import check_one, deviate, lines, status

UNTRUSTED = "its certificate is not signed by a CA that we trust"


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    try:
        the_lab.path = the_lab.file("m.xml", manifest())
        the_lab.ca = Authority(f"{the_lab.dir}/ca")
        the_lab.other_ca = Authority(f"{the_lab.dir}/other-ca")
        the_lab.good = the_lab.ca.sign("logs", "IP:127.0.0.1")
        the_lab.receiver = TlsRsyslogd(the_lab.dir, the_lab.good)
        the_lab.cleanup.append(the_lab.receiver.stop)
        the_lab.receiver.start()
    except BaseException:
        the_lab.close()
        raise
    return the_lab


def running(lab, *options, ca=None, port=None):
    lab.file("sdfwd.log", "")
    forget_deviations(lab)
    return Sdfwd(lab, lab.path, options=[
        "--alone", "9999",
        "--syslog", f"tls:127.0.0.1:{port or lab.receiver.port}",
        "--syslog-ca", (ca or lab.ca).certificate, *options])


def check_arrives(lab, *ports):
    for port in ports:
        until(lambda: lines(lab, port), f"tcp/{port} is received", 30)
        assert len(lines(lab, port)) == 1


def check_waits(lab, sdfwd, why, port):
    """Nothing is sent, and it is told and counted why."""
    until(lambda: in_step(lab, lab.path), "flows are there")
    deviate(lab, port)
    until(lambda: "1 records, 1 waiting, 0 dropped" in status(lab),
          "it waits")
    until(lambda: f"REACHES NOBODY: {why}" in status(lab), why)
    until(lambda: why in sdfwd.log(), "it is in the log")
    first = status(lab)
    assert "TLS: " in first, first
    until(lambda: status(lab) not in ("", first), "it is tried again", 30)
    assert not lines(lab, port)


def test_arrives(lab):
    """over TLS, with structured data"""
    with running(lab):
        check_one(lab, 2001)
        assert "TLS: " not in status(lab), status(lab)


def test_name(lab):
    """the certificate may be for a name"""
    lab.receiver.restart(lab.ca.sign("named", "DNS:logs.example"))
    with running(lab, "--syslog-name", "logs.example"):
        check_one(lab, 2002)


def test_wrong_name(lab):
    """a certificate for somebody else's name or address: nothing is sent"""
    with running(lab) as sdfwd:
        check_waits(lab, sdfwd, "its certificate is for another name", 2003)
        lab.receiver.restart(lab.ca.sign("elsewhere", "IP:127.0.0.2"))
        deviate(lab, 2004)
        until(lambda: "2 records, 2 waiting" in status(lab), "both wait")
        assert not lines(lab, 2003)
        lab.receiver.restart(lab.good)
        check_arrives(lab, 2003, 2004)
    lab.receiver.restart(lab.good)


def test_wrong_ca(lab):
    """a certificate of another CA: nothing is sent, and it is told; with the
    right one, what has waited arrives"""
    lab.receiver.restart(lab.other_ca.sign("logs", "IP:127.0.0.1"))
    with running(lab) as sdfwd:
        check_waits(lab, sdfwd, UNTRUSTED, 2005)
        lab.receiver.restart(lab.good)
        check_arrives(lab, 2005)
        until(lambda: "REACHES NOBODY" not in status(lab), "it is shown")


def test_system_trust(lab):
    """without --syslog-ca, it is what this system trusts"""
    with Sdfwd(lab, lab.path, options=[
            "--syslog", f"tls:127.0.0.1:{lab.receiver.port}"]):
        until(lambda: UNTRUSTED in status(lab), "the test's CA is not")


def test_expired(lab):
    """a certificate that has expired is told as that"""
    lab.receiver.restart(lab.ca.sign("old", "IP:127.0.0.1", days=-1))
    with running(lab) as sdfwd:
        check_waits(lab, sdfwd, "its certificate, or its CA's, has expired",
                    2006)
    lab.receiver.restart(lab.good)


def test_client_certificate(lab):
    """a receiver that wants to know us gets our certificate; one that does
    not accept it loses nothing"""
    lab.receiver.restart(lab.good, lab.ca)
    ours = lab.ca.sign("us")
    with running(lab, "--syslog-private-key", ours.key,
                 "--syslog-certificate", ours.certificate):
        check_one(lab, 2007)
    theirs = lab.other_ca.sign("us")
    with running(lab, "--syslog-private-key", theirs.key,
                 "--syslog-certificate", theirs.certificate):
        until(lambda: in_step(lab, lab.path), "flows are there")
        deviate(lab, 2008)
        until(lambda: "REACHES NOBODY: " in status(lab), "it is refused")
        until(lambda: "1 records, 1 waiting" in status(lab), "it waits")
        until(lambda: "does it accept our certificate" in status(lab)
              or "our certificate is not" in status(lab), "it is told")
        lab.receiver.restart(lab.good, lab.other_ca)
        check_arrives(lab, 2008)
    lab.receiver.restart(lab.good)


def test_away(lab):
    """what happens while the receiver is away arrives later, once"""
    with running(lab):
        check_one(lab, 2010)
        lab.receiver.stop()
        for port in range(2011, 2016):
            deviate(lab, port)
        until(lambda: "6 records, 5 waiting, 0 dropped" in status(lab),
              "they wait")
        assert "REACHES NOBODY: " in status(lab), status(lab)
        lab.receiver.start()
        check_arrives(lab, *range(2011, 2016))
        until(lambda: "6 records, 0 waiting, 0 dropped" in status(lab),
              "nothing waits")


def test_no_tls(lab):
    """a receiver that speaks no TLS is given up and tried again"""
    plain = Rsyslogd(lab.dir)
    lab.cleanup.append(plain.stop)
    plain.start()
    with running(lab, port=plain.port):
        until(lambda: "REACHES NOBODY: it does not answer in the TLS "
              "handshake" in status(lab), "it is told", 30)
