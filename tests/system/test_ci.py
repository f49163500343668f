"""The pipelines of integration/ci, run job by job: what arrives at the forge,
and on the bridge?"""
import contextlib
import itertools
import json
import xml.etree.ElementTree as ElementTree

from forge import SOMEBODY, Forge
from lab import run
from pipelines import CI, COMMAND, GitHub, GitLab, Repository
from policy import HOSTS, make_lab, manifest

EXPECT = """<expect from="shop/web" to="shop/app" protocol="tcp" port="9000"
  verdict="allow"/></manifest>"""
BEFORE = manifest().replace("</manifest>", EXPECT)
AFTER = BEFORE.replace('port="8080,9000-9009"', 'port="9000-9009,9999"')
EMPTY = '<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1"/>'
numbers = itertools.count(1)


def lab(sdfw):
    return make_lab(sdfw, push=False, hosts={
        name: HOSTS[name] for name in ("web1", "app1")})


def repository(lab, **options):
    return Repository(f"{lab.dir}/repository {next(numbers)}", lab.sdfw,
                      lab.env, **options)


@contextlib.contextmanager
def merge_request(lab, kind, before=BEFORE, after=AFTER, branch="change",
                  fork=False, **options):
    """A forge, its pipeline, and a repository with main and a branch."""
    with Forge() as forge:
        pipeline, here = kind(forge, fork), repository(lab, **options)
        if before:
            here.commit(before)
        here.git("checkout", "-q", "-b", branch)
        here.commit(after)
        pipeline.merge(here)
        yield forge, pipeline, here


def all_well(done):
    assert done and not any(d.returncode for d in done), [
        (d.returncode, d.stdout, d.stderr) for d in done]
    return "".join(d.stdout for d in done)


def prefix(pipeline):
    return "sdfw-" if isinstance(pipeline, GitLab) else ""


def test_files(_):
    """shellcheck has nothing against the scripts, and each job of the
    pipelines runs scripts that are there, with nothing put into the text"""
    scripts = sorted(map(str, CI.glob("*.sh")))
    assert len(scripts) == 5, scripts
    done = run("shellcheck", "-x", "-P", str(CI.parents[1]), *scripts,
               check=False)
    assert not done.returncode, done.stdout
    with Forge() as forge:
        jobs = [GitHub(forge).commands(), {
            name.removeprefix("sdfw-"): commands
            for name, commands in GitLab(forge).commands().items()}]
    assert jobs[0] == jobs[1], jobs
    assert list(jobs[0]) == ["judge", "diff", "plan", "push"]
    for command in itertools.chain.from_iterable(jobs[0].values()):
        assert COMMAND.fullmatch(command), command


def comment_comes_once(lab, kind):
    with merge_request(lab, kind) as (forge, pipeline, here):
        marker = "<!-- sdfw diff of policy -->\nmine"
        forge.add(SOMEBODY, marker)
        for i in range(120):
            forge.add(SOMEBODY, f"remark {i}")
        job = prefix(pipeline) + "diff"
        all_well(pipeline.run(here, job))
        assert len(forge.ours()) == 1, forge.requests
        comment = forge.ours()[0]
        possible, stops = comment.split("**Stops**")
        assert "| `shop/web` | `shop/app` | `tcp/9999` |" in possible
        assert "| `shop/web` | `shop/app` | `tcp/8080` |" in stops
        # Later runs change it, the last one since nothing is left.
        here.commit(AFTER.replace("9999", "9998"))
        pipeline.merge(here)
        all_well(pipeline.run(here, job, SDFW_BASE="main"))
        assert "tcp/9998" in forge.ours()[0], forge.ours()
        here.commit(BEFORE)
        all_well(pipeline.run(here, job, SDFW_BASE="main"))
        assert "Nothing changes." in forge.ours()[0], forge.ours()
        assert len(forge.ours()) == 1
        assert forge.comments[0]["body"] == marker
        assert not forge.token_was_seen


def test_comment_github(lab):
    """GitHub: the difference is one comment, found again behind a hundred
    others, changed in place, never somebody else's; no process has the token
    in its arguments"""
    comment_comes_once(lab, GitHub)


def test_comment_gitlab(lab):
    """... and so on GitLab"""
    comment_comes_once(lab, GitLab)


def test_no_change_no_comment(lab):
    """a merge request that changes no policy gets no comment"""
    for kind in (GitHub, GitLab):
        with merge_request(lab, kind, after=BEFORE.replace(
                "version", "\n version")) as (forge, pipeline, here):
            all_well(pipeline.run(here, prefix(pipeline) + "diff"))
            assert not forge.comments, forge.comments


def test_fork(lab):
    """without a token, as for a fork, the difference is in the log and in the
    summary of the job, and the job is well"""
    for kind in (GitHub, GitLab):
        with merge_request(lab, kind, fork=True) as (forge, pipeline, here):
            summary = here.dir.parent / f"{here.dir.name}.md"
            log = all_well(pipeline.run(here, prefix(pipeline) + "diff",
                                        GITHUB_STEP_SUMMARY=str(summary)))
            assert "tcp/9999" in log, log
            assert "tcp/9999" in summary.read_text()
            assert not forge.requests


def test_refused(lab):
    """a token that the forge refuses is told, and fails the job"""
    for kind in (GitHub, GitLab):
        for token, why in (("other", "Bad credentials"),
                           ('a"\nurl = "file:///etc/passwd', "characters")):
            with merge_request(lab, kind) as (forge, pipeline, here):
                done = pipeline.run(here, prefix(pipeline) + "diff",
                                    GITHUB_TOKEN=token,
                                    SDFW_GITLAB_TOKEN=token)
                assert done[-1].returncode == 1
                log = done[-1].stdout + done[-1].stderr
                assert why in log, log
                assert not forge.comments


def test_first_manifests(lab):
    """the first manifests of a repository are compared with none"""
    with merge_request(lab, GitLab, before=None) as (forge, pipeline, here):
        all_well(pipeline.run(here, "sdfw-diff"))
        assert "**Becomes possible**" in forge.ours()[0]
        assert "`workload shop/web/web1`" in forge.ours()[0]


def test_wrong_main(lab):
    """a merge request that puts right what is wrong on main gets through, and
    its comment says why there is no difference"""
    with merge_request(lab, GitHub, before="<manifest") as (
            forge, pipeline, here):
        log = all_well(pipeline.run(here, "diff"))
        assert "policy/shop.xml:1: error: " in log, log
        assert "before this change are wrong" in forge.ours()[0]


def test_long_comment(lab):
    """a difference that is too long for a comment is cut at a line, and says
    so"""
    ports = ",".join(str(port) for port in range(10000, 14000, 2))
    with merge_request(lab, GitHub, after=AFTER.replace(
            "9999", ports)) as (forge, pipeline, here):
        log = all_well(pipeline.run(here, "diff"))
        assert "tcp/13998" in log
        lines = forge.ours()[0].splitlines()
        assert "all of it" in lines[-1] and lines[-3].endswith("|"), lines[-3:]


def test_names(lab):
    """names of directories, files and branches are names: blanks, quotes,
    options, commands of a shell and of GitHub's log do nothing"""
    for topology in ("my policy/of 'us' & $(touch pwned)`touch pwned`",
                     "-- --help", ":(glob)*", ".", 'a"b\\c\tä'):
        for kind in (GitHub, GitLab):
            with merge_request(
                    lab, kind, topology=topology,
                    branch="$(touch${IFS}pwned);`touch${IFS}pwned`",
                    ) as (forge, pipeline, here):
                for name in ("-x.xml", "a;touch pwned;.xml",
                             "b\n::error::.xml",
                             "$(touch pwned) ä\udcff.xml"):
                    here.commit(EMPTY, name)
                pipeline.merge(here)
                for job in ("judge", "diff"):
                    all_well(pipeline.run(here, prefix(pipeline) + job,
                                          SDFW_BASE="main"))
                assert "tcp/9999" in forge.ours()[0]
                assert not list(here.dir.rglob("pwned"))


def test_log_commands(lab):
    """GitHub takes no command from a name of a file in the log"""
    with merge_request(lab, GitHub) as (forge, pipeline, here):
        here.commit("<wrong/>", "x\n::add-mask::a.xml")
        done = pipeline.run(here, "judge")[0]
        assert done.returncode == 1
        first, *inside, last = done.stdout.splitlines()
        assert "::add-mask::a.xml:1: error: " in "\n".join(inside)
        assert first.startswith("::stop-commands::")
        assert last == f"::{first.removeprefix('::stop-commands::')}::"


def test_links(lab):
    """a link in the repository leads no report to another place"""
    with merge_request(lab, GitLab) as (_, pipeline, here):
        victim = here.dir.parent / f"victim {here.dir.name}"
        victim.write_text("mine")
        reports = here.dir / ".sdfw-reports"
        reports.mkdir()
        for name in ("check.xml", "test.xml", "diff.md", "plan.txt"):
            (reports / name).symlink_to(victim)
        for job in ("judge", "diff", "plan"):
            all_well(pipeline.run(here, "sdfw-" + job))
        assert victim.read_text() == "mine"
        reports.rename(here.dir / "other")
        reports.symlink_to(here.dir.parent)
        done = pipeline.run(here, "sdfw-judge")[0]
        assert done.returncode == 1 and "is a link" in done.stderr


def test_judged(lab):
    """an error of a manifest, and an assertion that does not hold, fail the
    job, with the exit status of sdfw, and are in its report"""
    wrong = AFTER.replace('to="app"', 'to="ap"')
    broken = AFTER.replace("9000-9009,", "")
    for text, status, report in ((wrong, 1, "check"), (broken, 4, "test"),
                                 ("<manifest", 1, "check")):
        with merge_request(lab, GitLab, after=text) as (_, pipeline, here):
            assert pipeline.run(here, "sdfw-judge")[-1].returncode == status
            suites = ElementTree.fromstring(here.report(report + ".xml"))
            assert suites.get("failures") == "1", here.report(report + ".xml")
        with merge_request(lab, GitHub, after=text) as (_, pipeline, here):
            assert pipeline.run(here, "judge")[-1].returncode == status
            results = json.loads(here.report(report + ".sarif"))["runs"][0][
                "results"]
            assert len(results) == 1
        done = here.run(f'"{CI}/diff.sh"', SDFW_BASE="main")
        assert done.returncode == (1 if report == "check" else 0)


def test_verified(lab):
    """a dangerous link fails "judge.sh verify", and is in its report"""
    for port, status in ((8080, 0), (23, 4)):
        here = repository(lab)
        here.commit(manifest(
            f'<link from="web" to="app"><tcp port="{port}"/></link>'))
        done = here.run(f'"{CI}/judge.sh" verify')
        assert done.returncode == status, done
        assert ("<failure" in here.report("verify.xml")) == bool(status)


def test_settings(lab):
    """settings that are wrong are told, with what to set"""
    here = repository(lab)
    here.commit(BEFORE)
    for script, env, status, why in (
            ("diff.sh", {"SDFW_BASE": "nosuch"}, 1, "no commit 'nosuch'"),
            ("diff.sh", {"SDFW_BASE": "--exec=x"}, 1, "no commit"),
            ("diff.sh", {"SDFW_TOPOLOGY": "/etc"}, 64, "in the repository"),
            ("bridges.sh", {}, 64, "SDFW_BRIDGE_OPTIONS"),
            ("judge.sh", {}, 64, "usage"),
            ("comment.sh", {}, 1, "diff.sh makes it")):
        done = here.run(f'"{CI}/{script}"', **env)
        assert done.returncode == status and why in done.stderr, done.stderr


def test_inventory(lab):
    """a named inventory goes to sdfw as one argument, options as several"""
    here = repository(lab)
    tell = here.dir / "tell"
    tell.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    tell.chmod(0o755)
    done = here.run(f'"{CI}/bridges.sh" push', SDFW=str(tell),
                    SDFW_INVENTORY="our bridges.xml",
                    SDFW_PUSH_OPTIONS="--adopt 0\n --quiet *")
    assert done.stdout == ("[push][--inventory][our bridges.xml][--adopt][0]"
                           "[--quiet][*][--][policy]"), done.stdout


def test_plan_and_push(lab):
    """plan tells and changes nothing; the merge pushes, and the bridge is so,
    packets included"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    for port in (8080, 9999):
        app.ask("listen", 4, port)
    for kind in (GitHub, GitLab):
        lab.unpush()
        with merge_request(lab, kind) as (_, pipeline, here):
            log = all_well(pipeline.run(here, prefix(pipeline) + "plan"))
            assert "flows to add" in log and "shop/web -> shop/app" in log, log
            assert here.report("plan.txt") in log
            assert not lab.our_flows()
            assert web.ask("connect", app.address(), 8080)
            here.git("branch", "-f", "main", "HEAD")
            here.git("checkout", "-q", "main")
            log = all_well(pipeline.run(here, prefix(pipeline) + "push"))
            assert "br0: " in log and "2 workloads here" in log, log
            lab.run("ovs-appctl", "revalidator/wait")
            assert web.ask("connect", app.address(), 9999)
            assert web.ask("connect", app.address(), 8080) is None
            again = all_well(pipeline.run(here, prefix(pipeline) + "push"))
            assert "nothing to change, nothing sent" in again
            pipeline.variables["SDFW_BRIDGE_OPTIONS"] = "--bridge nosuch"
            for job in ("plan", "push"):
                done = pipeline.run(here, prefix(pipeline) + job)
                assert done[0].returncode == 3, done[0].stdout
