"""What sdfw writes for machines: JUnit and SARIF of check and test, Markdown
of diff.  Needs no bridge."""
import pathlib
import re

from desk import Desk, place
from policy import LINKS, manifest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPECTS = """
<expect from="shop/web" to="shop/app" protocol="tcp" port="9000"
  verdict="allow"/>
<expect from="outside" to="shop/db" protocol="tcp" port="5432"
  verdict="allow"/></manifest>"""
TESTED = manifest().replace("</manifest>", EXPECTS)


def lab(sdfw):
    return Desk(sdfw)


def test_check_finds_the_same(desk):
    """every bad manifest that we have: both formats have all that the text
    has, and the exit status of the text"""
    bad = ROOT / "tests/manifests/bad"
    for expected in sorted(bad.glob("*.expect")):
        path = expected.with_suffix(".xml")
        path = path if path.exists() else expected.with_suffix("")
        text = desk.run("check", str(path))
        lines = [line for line in text.stderr.decode().splitlines()
                 if re.search(r"(error|warning): ", line)]
        status, results = desk.sarif("check", str(path))
        assert status == text.returncode and len(results) == len(lines), path
        status, suites = desk.junit("check", str(path))
        assert status == text.returncode, path
        assert len([*suites.iter("failure"), *suites.iter("system-out")]) \
            == len(lines), path
        for result in results:
            file, line = place(result)
            file = file.removeprefix("file://")
            words = f"{result['level']}: {result['message']['text']}"
            assert {f"{file}:{line}: {words}", f"{file}: {words}"} \
                & set(lines), (result, lines)


def test_check_right(desk):
    """of a right topology, JUnit has a suite that passes for every file, and
    SARIF no result"""
    desk.write("right/a.xml", TESTED)
    desk.write("right/b/c.xml",
               '<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1"/>')
    status, suites = desk.junit("check", "right")
    assert status == 0 and suites.get("failures") == "0"
    assert [s.get("name") for s in suites] == ["right/a.xml", "right/b/c.xml"]
    assert desk.sarif("check", "./right") == (0, [])


def test_test(desk):
    """assertions are cases with line; what fails says what decided, on
    standard error too"""
    desk.write("t.xml", TESTED)
    line = 1 + TESTED[:TESTED.index('<expect from="outside"')].count("\n")
    status, suites = desk.junit("test", "t.xml")
    held, failed = suites.iter("testcase")
    assert status == 4 and not len(held)
    assert held.get("name") == "shop/web -> shop/app tcp/9000: allow"
    assert failed.get("line") == str(line)
    assert "nearest: link shop/app -> shop/db" in failed[0].text
    status, (result,) = desk.sarif("test", str(desk.dir / "t.xml"))
    assert status == 4 and place(result) == ("t.xml", line), result
    assert result["ruleId"] == "sdfw-expect"
    text = desk.run("test", "t.xml")
    beside = desk.run("test", "--format=sarif", "t.xml")
    assert beside.stderr == text.stdout and not text.stderr
    assert text.returncode == 4


def test_test_of_wrong_manifest(desk):
    """a topology that cannot be read, or is not there, is what test found"""
    desk.write("broken.xml", "<manifest>\n <oops")
    for path in ("broken.xml", "nosuch.xml", "."):
        for command in ("check", "test"):
            status, results = desk.sarif(command, path)
            assert status == 1 and results, path
            assert {r["ruleId"] for r in results} >= {"sdfw-error"}
            status, suites = desk.junit(command, path)
            assert status == 1 and int(suites.get("failures")) > 0
    assert place(desk.sarif("test", "broken.xml")[1][0])[1] == 2


def test_hostile_text(desk):
    """CDATA, control characters, other alphabets and bytes that are no UTF-8,
    in names of files and in manifests, break no document"""
    texts = ["]]>", "<![CDATA[ &amp; ]]>", "\x01\x1b[31m\x7f", "\ud800",
             "ünïcödé 防火墙 🔥", '"\'\\', "a\nb\tc",
             "\ufffe", "%SRCROOT% #?:"]
    names = [text.encode("utf-8", "surrogatepass").replace(b"/", b"")
             for text in texts] + [b"\xff\xfe", b"\xc0\xaf", b"\xf5\x80\x80",
                                   b"a:b", b"\xe2\x82"]
    for i, name in enumerate(names):
        path = bytes(desk.dir) + b"/hostile/" + name + b".xml"
        pathlib.Path(desk.dir / "hostile").mkdir(exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(b'<manifest xmlns="urn:ovs-sdfw:manifest:1" '
                         b'version="1">\n<application name="' + name.replace(
                             b"<", b"&lt;").replace(b'"', b"&quot;")
                         + b'"><service name="a"/>' + name
                         + b"</application></manifest>")
    for command in ("check", "test"):
        status, results = desk.sarif(command, "hostile")
        assert status == 1
        assert {place(r)[0].encode("utf-8", "surrogateescape")
                for r in results} >= {
                    b"hostile/" + name + b".xml" for name in names}
        status, suites = desk.junit(command, "hostile")
        assert status == 1 and len(suites) == len(names), len(suites)


def test_many(desk):
    """ten thousand findings are ten thousand results; beyond what GitHub
    takes, the last one says how many more there are"""
    for lines, results_expected in ((2000, 10000), (5100, 25000)):
        desk.write("many.xml", manifest(
            LINKS + '<lnik n="i"/>\n' * lines))
        n = desk.run("check", "many.xml").stderr.count(b"error: ")
        assert n == 5 * lines
        suites = desk.junit("check", "many.xml")[1]
        assert len(list(suites.iter("failure"))) == n
        results = desk.sarif("check", "many.xml")[1]
        assert len(results) == results_expected
    assert results[-1]["message"]["text"].startswith("501 more findings")


def test_diff_markdown(desk):
    """the difference in Markdown has the lines of the text, what becomes
    possible first"""
    desk.write("old.xml", manifest())
    desk.write("new.xml", manifest(LINKS.replace("5432", "5433"),
                                   modes={"db": "audit"}))
    text = desk.run("diff", "old.xml", "new.xml")
    done = desk.run("diff", "--format=markdown", "old.xml", "new.xml")
    assert done.returncode == text.returncode == 2
    assert done.stdout.decode() == (
        "**Becomes possible**\n\n| From | To | What |\n|---|---|---|\n"
        "| `shop/app` | `shop/db` | `tcp/5433` |\n\n"
        "**Stops**\n\n| From | To | What |\n|---|---|---|\n"
        "| `shop/app` | `shop/db` | `tcp/5432` |\n\n"
        "**Changed**\n\n| What | Was | Becomes |\n|---|---|---|\n"
        "| `service shop/db` | `mode enforce, segment default` "
        "| `mode audit, segment default` |\n"), done.stdout.decode()
    assert text.stdout.decode() == (
        "changed: service shop/db: mode enforce, segment default -> "
        "mode audit, segment default\n"
        "stops: shop/app -> shop/db tcp/5432\n"
        "becomes possible: shop/app -> shop/db tcp/5433\n")


def test_formats_of_commands(desk):
    """a format that a command does not have is an error that names those it
    has"""
    for command, formats in (("check", "text (default), junit or sarif"),
                             ("compile", "text (default) or json"),
                             ("diff", "text (default) or markdown")):
        for wrong in ("xml", "", "junit sarif"):
            done = desk.run(command, "--format", wrong, "a.xml", "b.xml")
            assert done.returncode == 64 and not done.stdout
            assert f'--format is {formats}, not "{wrong}"' in \
                done.stderr.decode()
    done = desk.run("push", "--format=json", "a.xml")
    assert done.returncode == 64
