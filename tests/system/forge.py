"""What a CI talks to when it comments on a merge request: the part of GitHub's
and of GitLab's API that lists, makes and changes comments, by HTTP on
loopback."""
import http.server
import json
import pathlib
import re
import threading
import urllib.parse

TOKEN = "glpat-Secret_token.1"
US = {"id": 42, "login": "github-actions[bot]"}
SOMEBODY = {"id": 7, "login": "somebody"}
LIST = re.compile(r"/github/repos/team/policy/issues/7/comments"
                  r"|/gitlab/projects/5/merge_requests/3/notes")
ONE = re.compile(r"(?:/github/repos/team/policy/issues/comments"
                 r"|/gitlab/projects/5/merge_requests/3/notes)/(\d+)")


def arguments_of_processes():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            pass


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_request(self):
        forge = self.server
        forge.requests.append((self.command, self.path))
        # Whoever asks is still there.
        forge.token_was_seen |= any(TOKEN.encode() in arguments
                                    for arguments in arguments_of_processes())
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        if TOKEN not in (self.headers.get("PRIVATE-TOKEN"), self.headers.get(
                "Authorization", "").removeprefix("Bearer ")):
            return self.answer(401, {"message": "Bad credentials"})
        if (self.command, url.path) == ("GET", "/gitlab/user"):
            return self.answer(200, US)
        text = json.loads(body)["body"] if body else None
        if text is not None and len(text) > 65536:
            return self.answer(422, {"message": "body is too long"})
        if LIST.fullmatch(url.path) and self.command == "GET":
            return self.answer(200, forge.page(urllib.parse.parse_qs(
                url.query)))
        if LIST.fullmatch(url.path) and self.command == "POST":
            return self.answer(201, forge.add(US, text))
        one = ONE.fullmatch(url.path)
        change = "PUT" if url.path.startswith("/gitlab/") else "PATCH"
        if one and self.command == change:
            comment = forge.comments[int(one[1]) - 1]
            comment["body"] = text
            return self.answer(200, comment)
        return self.answer(404, {"message": "Not Found"})

    do_GET = do_POST = do_PUT = do_PATCH = handle_request

    def log_message(self, *_):
        pass


class Forge(http.server.ThreadingHTTPServer):
    """'with Forge() as forge: ...', then forge.url and forge.comments."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.comments, self.requests = [], []
        self.token_was_seen = False
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def page(self, query):
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return self.comments[size * (page - 1):size * page]

    def add(self, who, text):
        self.comments.append({"id": len(self.comments) + 1, "body": text,
                              "user": who, "author": who})
        return self.comments[-1]

    def ours(self):
        return [c["body"] for c in self.comments if c["user"] == US]
