"""What the documentation shows is what happens, and its links lead somewhere.

README, the tutorials and the page of operations are followed from top to
bottom, each on a fresh host.  An HTML comment before a block of theirs says
what is done with it, and is not seen by readers:

    <!-- run -->            Lines after a prompt are typed ("> " goes on with
                            them), and the others must be what comes out; a
                            block without prompts is a script.
                            "web-1# ls" is typed in the namespace web-1.
    <!-- file PATH -->      It is written to PATH.
    <!-- not run: WHY -->   It is only shown.
    <!-- setup              These lines, which nobody sees, are run; they are
    ...                     for what else stands in this place, such as
    -->                     libvirt.

White space does not count, so long lines may be wrapped.  "..." and "…"
stand for anything.  Times, dates and numbers that differ from run to run are
masked on both sides.  A command that prints nothing must succeed.
"""
import contextlib
import pathlib
import re
import shlex
import textwrap
import time
from typing import NamedTuple

import fresh

ROOT = fresh.ROOT
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]

MARK = re.compile(r"<!-- (run|file|not run:|setup)\s*(.*?)\s*-->", re.S)
PROMPT = re.compile(r"([\w.-]*)[#$] (.*)")
# What only looks, or tries to reach somebody, may be asked again, until it
# sees what it shall.
LOOKS = re.compile(r"(cat|tail|grep|journalctl|curl|ls|sdfw (plan|show|trace)"
                   r"|ip netns exec|bash -c|timeout|ping"
                   r"|ovs-appctl -t sdfwd"
                   r" sdfw/(status|deviations|top|config|mode$)"
                   r"|ovs-vsctl (get|list|show)|ovs-ofctl dump-flows"
                   r"|systemctl (is-active|show|status))( |$)")
PATIENCE_S = 10

MASKS = [(re.compile(pattern), mask) for pattern, mask in (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\b", "DATE"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\bdatapath [0-9a-f]{16}\b", "datapath ID"),
    (r"\b\d+(\.\d+)? (ms|s)\b", r"N \2"),
    (r"\btime \d+ms\b", "time N"),
    (r"\b(sdfwd)\[\d+\]", r"\1[PID]"),
    (r"\b\d+ (flows|packets|bytes)\b", r"N \1"),
    (r"\b(duration|idle_age|n_packets|n_bytes)=[\d.]+s?\b", r"\1=N"),
)]


def lab(_):
    return contextlib.nullcontext()


class Block(NamedTuple):
    line: int
    kind: str                   # As above, or "" without a mark.
    argument: str
    text: str


def blocks(path):
    """All blocks of a page, fenced or indented, and what is set up."""
    lines = path.read_text().split("\n")
    mark, i = None, 0
    while i < len(lines):
        start, line = i + 1, lines[i]
        i += 1
        if line.startswith("<!-- "):
            while "-->" not in lines[i - 1]:
                i += 1
            found = MARK.fullmatch("\n".join(lines[start - 1:i]).strip())
            mark = found and (found[1].rstrip(":"), found[2])
            if mark and mark[0] == "setup":
                yield Block(start, "setup", "", mark[1])
                mark = None
        elif line.startswith("```") or line.startswith("    ") \
                and not lines[start - 2].strip():
            fenced = line.startswith("```")
            while i < len(lines) and not (
                    lines[i].startswith("```") if fenced
                    else lines[i].strip() and not lines[i].startswith(" ")):
                i += 1
            text = "\n".join(lines[start:i] if fenced
                             else lines[start - 1:i])
            i += fenced
            yield Block(start, *(mark or ("", "")),
                        textwrap.dedent(text).strip("\n") + "\n")
            mark = None
        elif line.strip():
            mark = None


def commands(block):
    """(namespace, command, what it shall print) of a console; what has no
    prompt at its beginning is a script that prints nothing."""
    if not PROMPT.match(block.text):
        return [("", block.text, "")]
    found = []
    for line in block.text.splitlines():
        prompt = PROMPT.fullmatch(line)
        if prompt:
            found.append([prompt[1], prompt[2], ""])
        elif found and line.startswith("> "):
            found[-1][1] += "\n" + line[2:]
        else:
            found[-1][2] += line + "\n"
    return found


def masked(text):
    text = " ".join(text.split())
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def is_like(shown, text):
    wanted = re.sub(r"(\\\.){3}|…", ".*", re.escape(masked(shown)))
    # Where "..." stands for nothing, neither are the blanks around it there.
    wanted = re.sub(r"(\\ )?\.\*(\\ )?", ".*", wanted)
    return re.fullmatch(wanted, masked(text), re.S) is not None


def type_in(host, namespace, command, shown):
    """Returns what is wrong with what comes out, or None."""
    until = time.monotonic() + PATIENCE_S
    while True:
        text, status = host.run(command, namespace, timeout=300)
        if is_like(shown, text) and (shown.strip() or not status):
            return None
        if not LOOKS.match(command) or time.monotonic() > until:
            return f"{command}\nprints (exit status {status})\n" \
                + textwrap.indent(text, "    ") + "which is not\n" \
                + textwrap.indent(shown, "    ")
        time.sleep(0.1)


def follow(name):
    """Follows a page; an error for each thing that goes another way."""
    errors, done = [], 0
    path = ROOT / name
    with fresh.FreshHost() as host:
        for block in blocks(path):
            if block.kind == "file":
                target = shlex.quote(block.argument)
                text, status = host.run(
                    f"mkdir -p $(dirname {target}); printf %s "
                    f"{shlex.quote(block.text)} >{target}")
                assert not status, f"{name}:{block.line}: {text}"
            elif block.kind == "setup":
                text, status = host.run(block.text)
                assert not status, f"{name}:{block.line}: {text}"
            elif block.kind == "run":
                for namespace, command, shown in commands(block):
                    done += 1
                    error = type_in(host, namespace, command, shown)
                    if error:
                        errors.append(f"{name}:{block.line}: {error}")
    assert done, f"{name}: nothing was run"
    assert not errors, "\n".join(["", *errors])


def test_readme(_):
    """README: what it shows is what happens"""
    follow("README.md")


def test_libvirt(_):
    """the tutorial for libvirt: what it shows is what happens"""
    follow("docs/tutorial-libvirt.md")


def test_proxmox(_):
    """the tutorial for Proxmox: what it shows is what happens"""
    follow("docs/tutorial-proxmox.md")


def test_lxc(_):
    """the tutorial for LXC: what it shows is what happens"""
    follow("docs/tutorial-lxc.md")


def test_operations(_):
    """operations: what is shown is what happens"""
    follow("docs/operations.md")


def test_notices(_):
    """output that differs, and a command that fails, are noticed"""
    with fresh.FreshHost() as host:
        for command, shown, same in (
                ("echo a b; echo 3 ms", "a\nb 5 ms", True),
                ("seq 9", "1 2\n...\n9", True),
                ("true", "", True),
                ("echo a", "b", False),
                ("echo a", "", False),
                ("seq 9", "1\n...\n8", False),
                ("false", "", False)):
            error = type_in(host, "", command, shown)
            assert (error is None) == same, (command, shown, error)


def test_marks(_):
    """in pages that are followed, each block with a prompt says whether it is
    run"""
    for path in PAGES:
        found = list(blocks(path))
        if any(block.kind == "run" for block in found):
            for block in found:
                assert block.kind or not PROMPT.match(block.text), \
                    f"{path.name}:{block.line}: run, or not run?"


def without_code(path):
    return re.sub(r"```.*?```|^    .*?$|`[^`]*`", "", path.read_text(),
                  flags=re.S | re.M)


def links(path):
    """(file, anchor) of the links of a page to files here."""
    for target in re.findall(r"\]\(([^()\s]+)\)|\bsrc(?:set)?=\"([^\"]+)\"",
                             without_code(path)):
        target = target[0] or target[1]
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


def anchors(path):
    """Those of the headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", path.read_text(), re.M):
        text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield text.replace(" ", "-")


def test_links(_):
    """links lead to files and headings that are there"""
    dead = []
    for path in PAGES:
        for file, anchor in links(path):
            if not file.exists() or anchor and anchor not in anchors(file):
                dead.append(f"{path.name}: {file.name}#{anchor}")
    assert not dead, dead


def test_reachable(_):
    """every page can be reached from README"""
    reached, new = set(), {PAGES[0]}
    while new:
        reached |= new
        new = {file for path in new for file, _ in links(path)
               if file.suffix == ".md"} - reached
    assert reached >= set(PAGES), set(PAGES) - reached
