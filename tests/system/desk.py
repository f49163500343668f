"""A directory to run sdfw in, without a bridge, and the shape that its
documents have."""
import json
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import xml.etree.ElementTree as ElementTree

RULES = {"sdfw-warning": "warning", "sdfw-error": "error",
         "sdfw-expect": "error"}


class Desk:
    """A directory to run sdfw in."""

    def __init__(self, sdfw):
        self.sdfw, self.temporary = sdfw, tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.temporary.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return name

    def run(self, *arguments):
        return subprocess.run((self.sdfw, *arguments), cwd=self.dir,
                              capture_output=True, timeout=120)

    def junit(self, *arguments):
        """(exit status, suites), after a check of their shape."""
        done = self.run(arguments[0], "--format=junit", *arguments[1:])
        subprocess.run(["xmllint", "--noout", "-"], input=done.stdout,
                       check=True)
        return done.returncode, checked_junit(done.stdout)

    def sarif(self, *arguments):
        """(exit status, results), after a check of the document's shape."""
        done = self.run(arguments[0], "--format", "sarif", *arguments[1:])
        return done.returncode, checked_sarif(
            json.loads(done.stdout.decode("utf-8")), arguments[0])


def has(element, *names, optional=()):
    assert set(names) <= set(element.attrib) <= {*names, *optional}, \
        element.attrib


def checked_case(case, file):
    has(case, "classname", "name", "file", "time", optional=["line"])
    assert case.get("file") == case.get("classname") == file
    assert int(case.get("line", 1)) > 0 and case.get("name")
    assert [e.tag for e in case] in ([], ["failure"], ["system-out"])
    for failure in case.iter("failure"):
        has(failure, "message", "type")
        line = ":" + case.get("line") if case.get("line") else ""
        assert failure.text.startswith(f"{file}{line}: ")


def checked_junit(text):
    root = ElementTree.fromstring(text)
    counts = ("tests", "failures", "errors", "skipped", "time")
    assert root.tag == "testsuites"
    has(root, "name", *counts)
    for suite in root:
        assert suite.tag == "testsuite" and len(suite)
        has(suite, "name", *counts)
        for case in suite:
            assert case.tag == "testcase"
            checked_case(case, suite.get("name"))
        # GitLab keeps one of those with the same name.
        names = [case.get("name") for case in suite]
        assert len(set(names)) == len(names)
    names = [suite.get("name") for suite in root]
    assert len(set(names)) == len(names)
    for suite in (root, *root):
        assert int(suite.get("tests")) == len(list(suite.iter("testcase")))
        assert int(suite.get("failures")) == len(list(suite.iter("failure")))
    return root


def checked_result(result, rules):
    assert set(result) - {"rank"} == {"ruleId", "ruleIndex", "level",
                                      "message", "locations"}
    rule = rules[result["ruleIndex"]]
    assert rule["id"] == result["ruleId"]
    assert result["level"] == rule["defaultConfiguration"]["level"]
    # What is scored is an alert of security, in GitHub's scale.
    assert ("rank" in result) == ("properties" in rule)
    if "rank" in result:
        severity = rule["properties"]["security-severity"]
        assert float(severity) * 10 == result["rank"]
    assert result["message"]["text"]
    location, = result["locations"]
    physical = location["physicalLocation"]
    assert physical["region"]["startLine"] >= 1
    artifact = physical["artifactLocation"]
    assert re.fullmatch(r"(file://)?([A-Za-z0-9._~/-]|%[0-9A-F]{2})+",
                        artifact["uri"]), artifact
    absolute = artifact["uri"].startswith("file:///")
    assert absolute or artifact["uriBaseId"] == "%SRCROOT%"
    assert absolute or artifact["uri"][0] not in "/"


def checked_sarif(log, command):
    assert log["version"] == "2.1.0" and "sarif-2.1.0" in log["$schema"]
    assert set(log) == {"version", "$schema", "runs"}
    run, = log["runs"]
    assert set(run) == {"tool", "results", "automationDetails"}
    assert run["automationDetails"]["id"] == f"sdfw/{command}/"
    driver = run["tool"]["driver"]
    assert driver["name"] == "sdfw" and driver["version"]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"]
              for rule in driver["rules"]}
    assert len(levels) == len(driver["rules"])
    assert levels.items() >= RULES.items()
    assert command == "verify" or levels == RULES
    for rule in driver["rules"]:
        for text in ("shortDescription", "fullDescription", "help"):
            assert rule[text]["text"]
    for result in run["results"]:
        checked_result(result, driver["rules"])
    return run["results"]


def place(result):
    physical = result["locations"][0]["physicalLocation"]
    return urllib.parse.unquote_to_bytes(
        physical["artifactLocation"]["uri"]).decode("utf-8",
                                                    "surrogateescape"), \
        physical["region"]["startLine"]
