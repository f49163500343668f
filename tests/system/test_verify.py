"""sdfw verify, on files.  Needs no bridge."""
import json
import pathlib
import re

from desk import Desk, place
from policy import LINKS, manifest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs/examples"
RISKY = LINKS + """
    <link from="outside" to="db"><tcp port="5432"/></link>
    <link from="web" to="web"><tcp port="22"/></link>
    <link from="db" to="web"><tcp port="8080"/></link>"""
NETWORK = """<network name="internet"><prefix>0.0.0.0/0</prefix>
    <except>10.0.0.0/8</except></network>"""
EGRESS = '<link from="app" to="internet"><tcp port="443"/></link>'


def lab(sdfw):
    return Desk(sdfw)


def catalogue(entries):
    return ('<catalogue xmlns="urn:ovs-sdfw:catalogue:1" version="1">'
            f"\n{entries}\n</catalogue>")


def findings(desk, *arguments, status):
    """What --format=json prints."""
    done = desk.run("verify", "--format=json", *arguments)
    assert done.returncode == status, (done.returncode, done.stderr)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def text(done):
    return done.stdout.decode()


def test_examples(desk):
    """all that the examples open is known good"""
    for name in ("shop.xml", "micro", "tenants"):
        done = desk.run("verify", str(EXAMPLES / name))
        assert done.returncode == 0 and not done.stderr, text(done)
        assert re.search(r"\n0 dangerous, 0 unusual, 0 unknown, \d+ known "
                         r"good\n$", text(done)), text(done)
        assert desk.run("verify", "--quiet", "--fail-on=unknown",
                        str(EXAMPLES / name)).stdout == b""


def test_text(desk):
    """the worst comes first, with place, score, reason and rule; each rule is
    explained once; the exit status says that something is dangerous"""
    desk.write("t.xml", manifest(RISKY))
    done = desk.run("verify", "t.xml")
    lines = text(done).splitlines()
    assert done.returncode == 4
    at = 1 + manifest(RISKY)[:manifest(RISKY).index(
        '<link from="web" to="web">')].count("\n")
    assert lines[0] == (
        f"t.xml:{at}: dangerous 75: shop/web -> shop/web tcp/22: replicas of "
        "one service may log in at each other: SSH [lateral-in-tier]"), lines
    assert lines.count("  Instead: Let a bastion or the automation log in at "
                       "each.") == 1
    scores = [int(re.match(r"t\.xml:\d+: \S+ (\d+): ", line)[1])
              for line in lines[:lines.index("")]]
    assert scores == sorted(scores, reverse=True) and len(scores) == 14
    assert lines[-1] == "1 dangerous, 3 unusual, 3 unknown, 7 known good"
    quiet = text(desk.run("verify", "--quiet", "t.xml")).splitlines()
    assert quiet == [line for line in lines[:-2]
                     if "known-good 5" not in line]


def test_fail_on(desk):
    """--fail-on says from which verdict on the exit status is 4"""
    links = {"known-good": '<link from="web" to="app"><tcp port="8080"/>'
                           '</link>',
             "unknown": '<link from="web" to="app"><tcp port="7777"/></link>',
             "unusual": '<link from="db" to="web"><tcp port="8080"/></link>',
             "dangerous": '<link from="web" to="app"><any/></link>'}
    order = list(links)
    for worst, link in links.items():
        desk.write("f.xml", manifest(link))
        for limit in order[1:]:
            fails = order.index(worst) >= order.index(limit)
            done = desk.run("verify", "--fail-on", limit, "f.xml")
            assert done.returncode == (4 if fails else 0), (worst, limit)
        assert desk.run("verify", "f.xml").returncode == \
            (4 if worst == "dangerous" else 0)
    for wrong in ("known-good", "bad", ""):
        done = desk.run("verify", "--fail-on", wrong, "f.xml")
        assert done.returncode == 64 and not done.stdout
        assert b"dangerous, unusual or unknown" in done.stderr


def test_json(desk):
    """--format=json has a line for each opening, with all rules"""
    desk.write("t.xml", manifest(RISKY))
    found = findings(desk, "t.xml", status=4)
    assert len(found) == 14
    assert {f["verdict"] for f in found} == {"dangerous", "unusual",
                                             "unknown", "known-good"}
    worst = found[0]
    assert worst["from"] == worst["to"] == "shop/web"
    assert worst["opens"] == "tcp/22" and worst["score"] == 75
    assert worst["rules"][0] == "lateral-in-tier" and not worst["accepted"]
    assert worst["file"] == "t.xml" and worst["line"] > 1
    assert worst["reason"] and worst["explanation"] and worst["instead"]


def test_documents(desk):
    """JUnit has a case for each opening, and a failure for what --fail-on
    says; SARIF has a result for what is not known good, by rule"""
    desk.write("t.xml", manifest(RISKY))
    found = findings(desk, "t.xml", status=4)
    for limit, n in (("dangerous", 1), ("unusual", 4), ("unknown", 7)):
        status, suites = desk.junit("verify", f"--fail-on={limit}", "t.xml")
        assert status == 4 and int(suites.get("failures")) == n
        assert len(list(suites.iter("testcase"))) == len(found)
        assert len(list(suites.iter("system-out"))) == 7 - n
    status, results = desk.sarif("verify", "t.xml")
    assert status == 4
    assert sorted((r["ruleId"], r["rank"], *place(r)) for r in results) == \
        sorted(((f["rules"] + ["unknown"])[0], f["score"], f["file"],
                f["line"]) for f in found if f["verdict"] != "known-good")
    beside = desk.run("verify", "--quiet", "--format=sarif", "t.xml")
    assert beside.stderr == desk.run("verify", "--quiet", "t.xml").stdout


def test_document_of_wrong_files(desk):
    """a wrong manifest, or a wrong catalogue, is what verify found"""
    desk.write("right.xml", manifest())
    desk.write("wrong.xml", "<manifest>\n <oops")
    desk.write("site.xml", catalogue('<rule id="x"/>'))
    for arguments, file in ((("wrong.xml",), "wrong.xml"),
                            (("--catalogue=site.xml", "right.xml"),
                             "site.xml"),
                            (("--catalogue=nosuch", "right.xml"), "nosuch")):
        done = desk.run("verify", *arguments)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.decode().startswith(file), done.stderr
        status, results = desk.sarif("verify", *arguments)
        assert status == 1 and {place(r)[0] for r in results} == {file}
        status, suites = desk.junit("verify", *arguments)
        assert status == 1 and int(suites.get("failures")) > 0


def test_catalogues_of_a_site(desk):
    """catalogues add to the built-in one, replace by id and drop, the later
    over the earlier"""
    desk.write("t.xml", manifest(EGRESS, extra=NETWORK))
    desk.write("one.xml", catalogue(
        '<rule id="egress-everywhere" verdict="dangerous" score="66" '
        'title="not with us" to="everywhere"/>'))
    desk.write("two.xml", catalogue('<drop id="egress-everywhere"/>'))

    def verdict(*catalogues, status):
        options = [f"--catalogue={name}" for name in catalogues]
        finding, = findings(desk, *options, "t.xml", status=status)
        return finding["verdict"], finding["score"]
    assert verdict(status=0) == ("unusual", 40)
    assert verdict("one.xml", status=4) == ("dangerous", 66)
    assert verdict("one.xml", "two.xml", status=0) == ("known-good", 15)
    done = desk.run("verify", "--catalogue=two.xml", "--catalogue=two.xml",
                    "t.xml")
    assert done.returncode == 1 and b"two.xml:2: error: there is no" in \
        done.stderr


def test_accepted_risk(desk):
    """an accepted risk counts until it ends, to the second; then it is told,
    with file and line"""
    desk.write("t.xml", manifest(
        '<link from="web" to="web"><tcp port="22"/></link>'))
    desk.write("site.xml", catalogue(
        '<accept-risk rule="lateral-in-tier" from="shop/web" to="shop/web" '
        'reason="until Ansible" ticket="R-7" '
        'not-after="2027-01-01T00:00:00Z"><tcp port="22"/></accept-risk>'))
    options = ("--catalogue", "site.xml", "t.xml")
    finding, = findings(desk, "--at=2026-12-31T23:59:59Z", *options, status=0)
    assert finding["accepted"] and finding["score"] == 19
    assert finding["reason"] == (
        "replicas of one service may log in at each other: SSH; accepted "
        "until 2027-01-01T00:00:00Z: until Ansible (R-7), site.xml:2")
    done = desk.run("verify", "--at=2027-01-01T00:00:00Z", *options)
    assert done.returncode == 4
    assert b"site.xml:2: warning: this accepted risk (shop/web to shop/web" \
        in done.stderr
    assert b"was accepted until 2027-01-01T00:00:00Z: until Ansible (R-7), " \
        b"site.xml:2" in done.stdout


def test_built_in_catalogue_is_one(desk):
    """the built-in catalogue is right by its own schema, and reading it once
    more changes nothing"""
    desk.write("t.xml", manifest(RISKY))
    assert findings(desk, "t.xml", status=4) == findings(
        desk, "--catalogue", str(ROOT / "schemas/catalogue.xml"), "t.xml",
        status=4)


def test_many_links(desk):
    """ten thousand links get ten thousand verdicts, well within a second of
    the machine"""
    ports = ",".join(str(port) for port in range(20000, 20500))
    links = "".join(
        f'<link from="{a}" to="{b}"><tcp port="{ports}"/>'
        f'<udp port="{ports}"/></link>'
        for a, b in (("web", "app"), ("web", "db"), ("app", "web"),
                     ("app", "db"), ("db", "app"), ("db", "web"),
                     ("web", "web"), ("app", "app"), ("db", "db"),
                     ("outside", "web")))
    desk.write("many.xml", manifest(links))
    assert len(findings(desk, "many.xml", status=0)) == 10000
