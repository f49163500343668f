"""Statements whether workloads conform: true ones, and forged ones."""
import base64
import hashlib
import json
import subprocess

import frames as f
from daemon import Sdfwd, in_step, until
from policy import make_lab, manifest


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    the_lab.push(the_lab.path)
    the_lab.key, the_lab.public = make_key(the_lab, "host")
    return the_lab


def make_key(lab, name):
    key, public = f"{lab.dir}/{name}.pem", f"{lab.dir}/{name}-public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out",
                    key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public],
                   check=True)
    return key, public


def attest(lab, *options):
    return lab.command("attest", "--bridge", lab.bridge, *options, lab.path,
                       check=False)


def statements(lab, *options):
    """{workload: predicate}"""
    done = attest(lab, "--format", "json", *options)
    found = {}
    for line in done.stdout.splitlines():
        statement = json.loads(line)
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        found[statement["subject"][0]["name"]] = statement["predicate"]
    return found


def verdicts(lab):
    return {name.split("/")[-1]: p["verdict"]
            for name, p in statements(lab).items()}


ALL = {"web1", "web2", "app1", "db1"}


def test_conforms(lab):
    """a bridge as the manifests say conforms, and the statement says what
    that means: identity, manifests, policy"""
    done = attest(lab)
    assert done.returncode == 0, done
    assert "4 of 4 workloads here conform" in done.stdout
    found = statements(lab)
    web = found["shop/web/web1"]
    assert web["verdict"] == "conforms" and web["mode"] == "enforce"
    assert web["identity"]["macs"] == [lab.hosts["web1"].mac]
    assert web["identity"]["addresses"] == ["10.7.0.11", "fd07::11"]
    assert web["port"] == lab.ofport(lab.hosts["web1"])
    assert web["flows"]["expected"] > 100 and not web["flows"]["missing"]
    canonical = subprocess.run(["xmllint", "--noblanks", "--c14n", lab.path],
                               check=True, stdout=subprocess.PIPE).stdout
    assert web["manifests"] == [
        {"name": lab.path,
         "digest": {"sha256": hashlib.sha256(canonical).hexdigest()}}]


def test_digests(lab):
    """the digest of the policy is the same for the same policy, however the
    manifest is written, and another for another"""
    def digest(text):
        lab.file("m.xml", text)
        line = attest(lab, "--format", "json").stdout.splitlines()[0]
        return json.loads(line)["subject"][0]["digest"]["sha256"]
    first = digest(manifest())
    assert digest(manifest().replace("><", ">\n  <!-- x --><")) == first
    assert digest(manifest(mode="audit")) != first
    assert digest(manifest()) == first


def test_deviates(lab):
    """each way to tamper with a bridge is seen, by those whom it concerns"""
    harms = (
        (("del-flows", "br0", "table=112"), "missing", ALL),
        (("mod-flows", "br0", "table=125,actions=drop"), "altered", ALL),
        (("add-flow", "br0", "cookie=0x5dfd000000000001,table=115,"
          "priority=999,actions=drop"), "added", ALL),
        (("add-flow", "br0", "table=109,priority=60000,ip,actions=NORMAL"),
         "foreign", ALL),
        (("add-flow", "br0", "table=0,priority=65535,tcp,tcp_dst=22,"
          "actions=NORMAL"), "foreign", ALL),
        (("del-flows", "br0", "table=126,reg11=0x0a070015"), "missing",
         {"app1"}),
    )
    for harm, what, whom in harms:
        lab.ofctl(*harm)
        done = attest(lab)
        assert done.returncode == 4, (harm, done)
        found = statements(lab)
        for name, predicate in found.items():
            expected = name.split("/")[-1] in whom
            assert (predicate["verdict"] == "deviates") == expected, harm
            assert bool(predicate["flows"][what]) == expected, harm
            assert bool(predicate["flows"]["first"]) == expected, harm
        lab.ofctl("--strict", "del-flows", "br0",
                  "table=109,priority=60000,ip")
        lab.ofctl("--strict", "del-flows", "br0",
                  "table=0,priority=65535,tcp,tcp_dst=22")
        lab.push(lab.path)
        assert attest(lab).returncode == 0, harm
    # Flows of others that come after ours are no business of ours.
    lab.ofctl("add-flow", "br0", "table=0,priority=65534,tcp,actions=NORMAL")
    assert attest(lab).returncode == 0
    lab.ofctl("--strict", "del-flows", "br0", "table=0,priority=65534,tcp")


def test_moved(lab):
    """a workload at another port than the flows say deviates"""
    host = lab.hosts["web2"]
    lab.vsctl("del-port", "br0", host.port, "--", "add-port", "br0",
              "away", "--", "set", "interface", "away", "type=internal")
    lab.vsctl("add-port", "br0", host.port)
    assert verdicts(lab)["web2"] == "deviates"
    lab.vsctl("del-port", "br0", "away")
    lab.push(lab.path)
    assert verdicts(lab)["web2"] == "conforms"


def test_deviations_and_quarantine(lab):
    """who deviates does not conform while it is told; in quarantine it is as
    it should be"""
    web, db = lab.hosts["web1"], lab.hosts["db1"]
    with Sdfwd(lab, lab.path, options=["--interval", "2"]):
        until(lambda: "last push" in lab.run(
            "ovs-appctl", "-t", "sdfwd", "sdfw/status", check=False).stdout,
            "a push")
        src, dst = web.address(), db.address()
        web.inject(f.ether(web.mac, db.mac, 0x800, f.ip(
            src, dst, 6, f.tcp(src, dst, 40000, 22, 2))))
        until(lambda: verdicts(lab)["web1"] == "deviates", "it is seen")
        found = statements(lab)["shop/web/web1"]
        assert found["deviating_packets"] == {"no-link": 1}, found
        assert verdicts(lab)["web2"] == "conforms"
        lab.vsctl("set", "interface", web.port,
                  "external_ids:sdfw-quarantine=indefinite",
                  "external_ids:sdfw-quarantine-reason=odd")
        until(lambda: verdicts(lab)["web1"] == "quarantined", "it is held")
        assert statements(lab)["shop/web/web1"]["quarantine"] == "odd"
        lab.vsctl("remove", "interface", web.port, "external_ids",
                  "sdfw-quarantine", "--", "remove", "interface", web.port,
                  "external_ids", "sdfw-quarantine-reason")
        until(lambda: verdicts(lab)["web1"] == "conforms", "it is over", 15)


def test_signed(lab):
    """a signed statement verifies without the bridge, here and by openssl; an
    altered one, or with another key, does not"""
    done = attest(lab, "--key", lab.key)
    assert done.returncode == 0, done
    path = lab.file("statements.jsonl", done.stdout)
    def verify(public, path=path):
        return lab.command("attest", "--verify", "--public-key", public, path,
                           check=False)
    good = verify(lab.public)
    assert good.returncode == 0 and good.stdout.count("conforms") == 4, good
    assert "shop/web/web1" in good.stdout
    other = make_key(lab, "other")[1]
    assert verify(other).returncode == 4
    assert "is not signed by key" in verify(other).stderr

    envelopes = [json.loads(line) for line in done.stdout.splitlines()]
    payload = base64.b64decode(envelopes[0]["payload"])
    signed = lab.file("signed", "")
    with open(signed, "wb") as stream:
        kind = envelopes[0]["payloadType"].encode()
        stream.write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload),
                                             payload))
    with open(f"{lab.dir}/sig", "wb") as stream:
        stream.write(base64.b64decode(envelopes[0]["signatures"][0]["sig"]))
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey",
                    lab.public, "-rawin", "-in", signed, "-sigfile",
                    f"{lab.dir}/sig"], check=True, stdout=subprocess.DEVNULL)

    forged = payload.replace(b'"conforms"', b'"deviates"')
    assert forged != payload
    envelopes[0]["payload"] = base64.b64encode(forged).decode()
    bad = verify(lab.public, lab.file("forged.jsonl", "\n".join(
        json.dumps(e) for e in envelopes) + "\n"))
    assert bad.returncode == 4 and "forged.jsonl:1:" in bad.stderr, bad
    assert bad.stdout.count("conforms") == 3
    empty = verify(lab.public, lab.file("empty.jsonl", ""))
    assert empty.returncode == 4
    wrong = attest(lab, "--key", lab.public)
    assert wrong.returncode == 64 and "openssl genpkey" in wrong.stderr


def test_continuous(lab):
    """sdfwd makes signed statements by itself; drift that is only reported
    shows in them; a file that cannot be written is told"""
    path = f"{lab.dir}/log/attest.jsonl"
    def verified():
        return lab.command("attest", "--verify", "--public-key", lab.public,
                           path, check=False)
    def status():
        return lab.run("ovs-appctl", "-t", "sdfwd", "sdfw/status",
                       check=False).stdout
    lab.push(lab.path)
    with Sdfwd(lab, lab.path, options=["--attest", path, "--attest-key",
                                       lab.key, "--attest-interval", "1",
                                       "--drift", "report"]) as sdfwd:
        until(lambda: "NO STATEMENTS" in status(), "it is told")
        assert path in status() and "No such file" in status()
        lab.file("log/other", "")
        until(lambda: "4 of 4 workloads conform" in status(), "they are made")
        done = verified()
        assert done.returncode == 0 and done.stdout.count("conforms") >= 4
        lab.ofctl("del-flows", "br0", "table=112")
        until(lambda: "0 of 4 workloads conform" in status(), "they differ")
        assert "0 of 4 workloads conform" in sdfwd.log()
        done = verified()
        assert done.returncode == 0 and "flows missing" in done.stdout
    lab.push(lab.path)
