"""What a site's rsyslog, logrotate, Prometheus and Grafana get from sdfwd."""
import json
import os
import pathlib
import re
import subprocess
import urllib.request

from daemon import Sdfwd, in_step, until
from lab import run
from policy import make_lab, manifest
from prometheus import Metrics
from receiver import free_port
from test_deviations import segment
from test_settings import deviate

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INTEGRATION = ROOT / "integration"
RULES = INTEGRATION / "prometheus/sdfw.rules.yml"
DASHBOARD = INTEGRATION / "grafana/sdfw.json"
NOBODY = 65534


def lab(sdfw):
    the_lab = make_lab(sdfw, push=False)
    the_lab.path = the_lab.file("m.xml", manifest())
    return the_lab


def ready(lab):
    until(lambda: in_step(lab, lab.path), "flows are there")
    until(lambda: "br0: connected" in lab.run(
        "ovs-appctl", "-t", "sdfwd", "sdfw/status", check=False).stdout,
        "sdfwd hears")


# rsyslog.

class Snippet:
    """rsyslogd with our snippet, at another port and with another file."""

    def __init__(self, lab):
        self.port, self.log = free_port(), f"{lab.dir}/sdfw.log"
        text = (INTEGRATION / "rsyslog/sdfw.conf").read_text()
        assert text.count("10514") == 2
        self.conf = lab.file("rsyslog.conf", text.replace(
            "10514", str(self.port)).replace("/var/log/sdfw.log", self.log))
        self.pidfile = f"{lab.dir}/rsyslogd.pid"
        self.process = None
        lab.cleanup.append(self.stop)

    def start(self):
        self.process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", self.conf, "-i", self.pidfile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def lines(self):
        return pathlib.Path(self.log).read_text().splitlines() \
            if os.path.exists(self.log) else []


def test_rsyslog(lab):
    """deviations come to their file, with structured data, none left out"""
    snippet = Snippet(lab)
    # By itself, and after what Debian's rsyslog.conf begins with.
    debian = 'module(load="imuxsock")\nmodule(load="imklog")\n' \
        "$FileOwner root\n$FileGroup adm\n$Umask 0022\n" \
        f'include(file="{snippet.conf}")\n*.* -{lab.dir}/other.log\n'
    for conf in (snippet.conf, lab.file("debian.conf", debian)):
        done = run("rsyslogd", "-N1", "-f", conf, check=False)
        assert done.returncode == 0 and "error" not in done.stderr, done
    snippet.start()
    with Sdfwd(lab, lab.path, options=[
            "--syslog", f"tcp:127.0.0.1:{snippet.port}", "--alone", "9999",
            "--tuples", "9999"]):
        ready(lab)
        web, db = lab.hosts["web1"], lab.hosts["db1"]
        web.inject(*(segment(web, db, number)
                     for number in range(5000, 5200)))
        until(lambda: len([x for x in snippet.lines() if 'event="open"' in x])
              >= 200, "all are there", 30)
    line = [x for x in snippet.lines() if "tcp/5000" in x][0]
    assert re.match(r"\d{4}-\d\d-\d\dT[0-9:.]+\S+ warning br0: no-link "
                    r"dropped: shop/web/web1 \(10\.7\.0\.11\) -> ", line), line
    for part in ('[sdfw@32473 ', ' src_workload="web1"', ' dst_port="5000"',
                 ' nearest_line="'):
        assert part in line, (part, line)
    assert os.stat(snippet.log).st_mode & 0o777 == 0o640
    snippet.stop()


# logrotate.

def rotate(lab, conf, *options):
    # Its script asks ovs-appctl, in the lab's OVS_RUNDIR.
    return lab.run("logrotate", "-s", f"{lab.dir}/logrotate.state", *options,
                   conf)


def test_logrotate(lab):
    """a rotated file of records is followed by a new one; nothing is lost"""
    directory = f"{lab.dir}/log"
    os.mkdir(directory)
    os.chown(directory, NOBODY, NOBODY)
    os.chmod(lab.dir, 0o711)
    text = (INTEGRATION / "logrotate/sdfw").read_text()
    conf = lab.file("logrotate.conf", text.replace(
        "/var/log/sdfw", directory).replace("su sdfw sdfw",
                                            "su nobody nogroup").replace(
        "/var/run/openvswitch", lab.dir))
    tried = rotate(lab, conf, "-d")
    assert "error" not in tried.stderr and directory in tried.stderr, tried
    records = pathlib.Path(directory, "deviations.json")

    def has(path, number):
        return path.exists() and f'"dst_port":{number}' in path.read_text()
    with Sdfwd(lab, lab.path, options=["--user", "nobody", "--json",
                                       str(records)]):
        ready(lab)
        deviate(lab, 6001)
        until(lambda: has(records, 6001), "a record")
        rotate(lab, conf, "-f")
        rotated = pathlib.Path(directory, "deviations.json.1")
        assert has(rotated, 6001)
        until(records.exists, "sdfwd opens a new one")
        deviate(lab, 6002)
        until(lambda: has(records, 6002), "the next record")
        assert not has(records, 6001) and not has(rotated, 6002)
        assert records.stat().st_mode & 0o777 == 0o640
        assert records.stat().st_uid == rotated.stat().st_uid == NOBODY
    os.chmod(lab.dir, 0o700)


# Prometheus and Grafana.

def promtool(lab, *arguments, stdin=None):
    # "make deps" fetches it.
    for directory in pathlib.Path(lab.sdfw).parents:
        if (directory / "deps/promtool").exists():
            done = subprocess.run([directory / "deps/promtool", *arguments],
                                  input=stdin, capture_output=True, text=True)
            assert done.returncode == 0, done
            return done.stdout
    raise AssertionError("there is no promtool; run \"make deps\"")


def real_metrics(lab):
    """What sdfwd answers that has a deviation and a sink."""
    port = free_port()
    with Sdfwd(lab, lab.path, options=["--http", str(port), "--json",
                                       f"{lab.dir}/metrics.json"]):
        ready(lab)
        deviate(lab, 7001)

        def get():
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/metrics") as answer:
                return answer.read().decode()
        until(lambda: "sdfw_deviations_total{" in get()
              and "sdfw_link_bytes_total{" in get(), "all there is")
        before = Metrics(get()).one("sdfw_policy_load_timestamp_seconds")
        lab.file("m.xml", manifest() + "<!-- the same -->")

        def in_step_again():
            # As the alert SdfwBridgeNotInStep compares them.
            metrics = Metrics(get())
            loaded = metrics.one("sdfw_policy_load_timestamp_seconds")
            return before < loaded <= metrics.one(
                "sdfw_last_push_timestamp_seconds")
        until(in_step_again, "an edit that changes nothing is a push too")
        return get()


def dashboard_queries():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def rules_of(queries):
    """Recording rules of these, for promtool to parse.  YAML knows JSON."""
    rules = [{"record": f"query:{i}".replace(":", "_"), "expr": re.sub(
                  r"\$__rate_interval", "5m", expr)}
             for i, expr in enumerate(queries)]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})


def used(text):
    """{metric: the labels that selectors of it match}."""
    found = {}
    for name, labels in re.findall(
            r"\b((?:sdfw|process)_[a-z_]+)\b(?:\{([^}]*)\})?", text):
        found.setdefault(name, set()).update(
            re.findall(r"(\w+)=?[=!~]", labels))
    return found


def test_rules(lab):
    """the alerts are right, and fire when they shall and not otherwise"""
    done = promtool(lab, "check", "rules", str(RULES))
    alerts = re.findall(r"^      - alert: (\w+)", RULES.read_text(), re.M)
    assert f"{len(alerts)} rules found" in done and len(alerts) > 10, done
    tests = ROOT / "tests/prometheus/sdfw.rules.test.yml"
    promtool(lab, "test", "rules", str(tests))
    text = tests.read_text()
    for alert in alerts:
        # Each must fire in some test, and be silent in another.
        for pattern in (rf"alertname: {alert}}}",
                        rf"alertname: {alert}\n +exp_alerts:"):
            assert re.search(pattern, text), (alert, pattern)


def test_metrics(lab):
    """every metric and label in alerts and dashboard is one of sdfwd's"""
    text = real_metrics(lab)
    promtool(lab, "check", "metrics", stdin=text)
    metrics = Metrics(text)
    rules = "\n".join(re.findall(r"expr: (.*(?:\n {10}.*)*)",
                                 RULES.read_text()))
    queries = "\n".join(expr for _, expr in dashboard_queries())
    for what, found in (("alerts", used(rules)), ("dashboard", used(queries))):
        assert len(found) > 8, (what, found)
        for name, labels in found.items():
            samples = metrics.all(name)
            assert samples, f"{what}: sdfwd has no {name}"
            known = {label for sample in samples for label, _ in sample}
            # What Prometheus adds.
            unknown = labels - known - {"job", "instance"}
            assert not unknown, f"{what}: {name} has no {unknown}"
    parts = {dict(s)["part"] for s in metrics.all("sdfw_account_packets")}
    for part in re.findall(r'part=~?"([a-z|]+)"', rules + queries):
        assert set(part.split("|")) <= parts, part


def check_panel(panel, variables, taken):
    at = panel["gridPos"]
    cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
             for y in range(at["y"], at["y"] + at["h"])}
    assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
    taken |= cells
    assert panel["title"]
    if panel["type"] == "row":
        return
    assert panel["type"] in ("stat", "timeseries", "table"), panel["type"]
    assert panel["targets"] and panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        names = set(re.findall(r"\$(\w+)", target["expr"]))
        assert names <= variables | {"__rate_interval"}, names


def test_dashboard(lab):
    """Grafana's dashboard is well formed, and Prometheus understands it"""
    dashboard = json.loads(DASHBOARD.read_text())
    assert "id" not in dashboard and dashboard["uid"] and dashboard["title"]
    variables = {v["name"] for v in dashboard["templating"]["list"]}
    taken, panels = set(), dashboard["panels"]
    for panel in panels:
        check_panel(panel, variables, taken)
    assert len({p["id"] for p in panels}) == len(panels) > 15
    queries = [expr for _, expr in dashboard_queries()]
    done = promtool(lab, "check", "rules", lab.file("queries.yml",
                                                    rules_of(queries)))
    assert f"{len(queries)} rules found" in done, done
    # promtool does find what is wrong.
    wrong = lab.file("wrong.yml", rules_of(["sum(rate(x[5m])"]))
    try:
        promtool(lab, "check", "rules", wrong)
    except AssertionError:
        return
    raise AssertionError("promtool takes anything")
