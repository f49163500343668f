"""The jobs of integration/ci/*.yml, as a runner would run them: a repository
of git is checked out, and the commands of a job are run in it."""
import os
import pathlib
import re
import subprocess

import yaml

from forge import TOKEN

CI = pathlib.Path(__file__).resolve().parents[2] / "integration/ci"
# All that a job may say: a script, and a word for it.
COMMAND = re.compile(r'"\$SDFW_CI/([a-z]+\.sh)"( [a-z]+)?')
OURS = "github.event.pull_request.head.repo.full_name == github.repository"


class Repository:
    """A clone with branch main, and what a CI's variables say."""

    def __init__(self, directory, sdfw, env, topology="policy"):
        self.dir, self.topology = pathlib.Path(directory), topology
        self.dir.mkdir()
        # Nothing of the CI in which this runs itself.
        own = {name: value for name, value in env.items()
               if not name.startswith(("CI", "GIT", "SDFW"))}
        self.env = dict(own, SDFW=sdfw, HOME=directory,
                        no_proxy="127.0.0.1",
                        GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="a",
                        GIT_AUTHOR_EMAIL="a@example.org",
                        GIT_COMMITTER_NAME="a",
                        GIT_COMMITTER_EMAIL="a@example.org")
        self.git("init", "-q", "-b", "main")
        self.git("commit", "-q", "--allow-empty", "-m", "begin")

    def git(self, *arguments):
        return subprocess.run(("git", *arguments), cwd=self.dir, check=True,
                              env=self.env, capture_output=True,
                              text=True).stdout.strip()

    def write(self, name, text):
        path = self.dir / self.topology / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, text, name="shop.xml"):
        self.write(name, text)
        self.git("add", "-A", ":!.sdfw-reports")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def report(self, name):
        return (self.dir / ".sdfw-reports" / name).read_text()

    def run(self, command, **env):
        """Runs one command as a runner does: the text is the shell's."""
        return subprocess.run(
            ["bash", "-e", "-c", command], cwd=self.dir, text=True,
            env=dict(self.env, **env), capture_output=True, timeout=60)


class Pipeline:
    """One of the two files.  'variables' are those of the project."""

    def __init__(self, name):
        self.file = yaml.safe_load((CI / name).read_text())
        self.variables = {"SDFW_BRIDGE_OPTIONS": "--bridge br0"}

    def commands(self):
        return {name: [step[0] for step in self.steps(name)]
                for name in self.jobs()}

    def run(self, repository, job, **env):
        """Runs the commands of a job until one fails; returns what came of
        each."""
        done = []
        for command, its_env in self.steps(job):
            name = COMMAND.fullmatch(command)
            assert name and os.access(CI / name[1], os.X_OK), command
            done.append(repository.run(command, **{
                **its_env, "SDFW_CI": str(CI),
                "SDFW_TOPOLOGY": repository.topology, **env}))
            if done[-1].returncode:
                break
        return done


class GitHub(Pipeline):
    def __init__(self, forge, fork=False):
        super().__init__("github.yml")
        self.expressions = {OURS + " && github.token || ''":
                            "" if fork else TOKEN}
        self.env = {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": forge.url + "/github",
            "GITHUB_REPOSITORY": "team/policy",
            "GITHUB_REF": "refs/pull/7/merge",
        }

    def jobs(self):
        return self.file["jobs"]

    def value(self, text):
        expression = re.fullmatch(r"\$\{\{ (.*) \}\}", str(text))
        if not expression:
            return str(text)
        if expression[1].startswith("vars."):
            return self.variables.get(expression[1].removeprefix("vars."), "")
        return self.expressions[expression[1]]

    def steps(self, job):
        for step in self.jobs()[job]["steps"]:
            if "run" in step:
                yield step["run"], self.env | {
                    name: self.value(text) for part in (
                        self.file, self.jobs()[job], step)
                    for name, text in part.get("env", {}).items()}

    def merge(self, repository):
        """Checks out what GitHub does: the merge of the branch."""
        branch = repository.git("rev-parse", "HEAD")
        repository.git("checkout", "-q", "--detach", "main")
        repository.git("merge", "-q", "--no-ff", "-m", "merge", branch)


class GitLab(Pipeline):
    def __init__(self, forge, fork=False):
        super().__init__("gitlab.yml")
        self.env = {
            "CI_API_V4_URL": forge.url + "/gitlab",
            "CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_PROJECT_ID": "5",
        }
        if not fork:
            self.env["SDFW_GITLAB_TOKEN"] = TOKEN

    def jobs(self):
        return {name: job for name, job in self.file.items()
                if "script" in job}

    def steps(self, job):
        env = {**self.env, **self.variables}
        for part in (self.file, self.jobs()[job]):
            for name, text in part.get("variables", {}).items():
                env[name] = self.env.get(text[1:], "") \
                    if text[:1] == "$" else text
        for command in self.jobs()[job]["script"]:
            yield command, env

    def merge(self, repository):
        """Checks out what GitLab does: the branch."""
        self.env["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = repository.git(
            "merge-base", "main", "HEAD")
