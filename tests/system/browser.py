"""A real, headless Chromium beside a lab."""
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class Browser:
    """browser.ask("click", "#list button"): see browser_agent.py."""

    def __init__(self, lab):
        profile = tempfile.mkdtemp(prefix="chromium-", dir=lab.dir)
        self.log_path = f"{profile}.log"
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(HERE / "browser_agent.py"), profile],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(self.log_path, "w"), text=True)
        lab.cleanup.append(self.stop)
        self.answer()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(
                "the browser does not run (it needs Debian's chromium, "
                "chromium-driver and python3-selenium):\n"
                + pathlib.Path(self.log_path).read_text()[-2000:])
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def ask(self, *request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def script(self, text):
        return self.ask("script", text)

    def texts(self, selector):
        """The text of all elements that a selector finds."""
        return self.script(
            f"return [...document.querySelectorAll({json.dumps(selector)})]"
            ".map(e => e.textContent)")

    def count(self, selector):
        return self.script("return document.querySelectorAll("
                           f"{json.dumps(selector)}).length")
