#!/usr/bin/env python3
"""Checks that the man pages say what the program and the schema do.

usage: check-man.py BIN_DIR MAN_DIR

Read are the finished pages, as a user gets them, not what they are made by.
One line a check is printed, and last "N passed, N failed".
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
XS = "{http://www.w3.org/2001/XMLSchema}"


def run(*command):
    return subprocess.run(command, text=True, capture_output=True)


def plain(roff):
    """What a reader sees of a piece of roff."""
    for old, new in ((r"\\f[BIRP]", ""), (r"\\&", ""), (r"\\-", "-"),
                     (r"\\e", r"\\")):
        roff = re.sub(old, new, roff)
    return roff


def parts(roff, macro):
    """{title: text} of what '.SH' or '.SS' begins."""
    pieces = re.split(rf"^\.{macro} (.*)\n", roff, flags=re.M)
    return {plain(title).strip('"'): text
            for title, text in zip(pieces[1::2], pieces[2::2])}


def tags(roff):
    """The heads of a list: the line after each '.TP'."""
    return [plain(tag) for tag in re.findall(r"^\.TP\n(.*)", roff, re.M)]


def same(what, expected, found):
    """What differs between two sets, in words, or None."""
    expected, found = set(expected), set(found)
    missing, surplus = expected - found, found - expected
    return "; ".join(
        f"{what} {text}: {', '.join(sorted(names))}"
        for text, names in (("lacks", missing), ("has in addition", surplus))
        if names) or None


class Help:
    """What "sdfw --help" and "sdfw COMMAND --help" print."""

    def __init__(self, sdfw):
        text = run(sdfw, "--help").stdout
        text = text[text.index("Commands:"):]
        self.text = {name: run(sdfw, name, "--help").stdout
                     for name in re.findall(r"^  (\w+) ", text, re.M)}

    def options(self, command):
        return set(re.findall(r"^  (--\S+)", self.text[command], re.M))

    def usage(self, command):
        return self.text[command].splitlines()[0].removeprefix("usage: ")


class Vsctl:
    """What "ovs-vsctl --commands" prints of our commands."""

    def __init__(self, vsctl):
        lines = [line.split(",", 2) for line in
                 run(vsctl, "--commands").stdout.splitlines()]
        self.options = {name: set(re.findall(r"\[(--[a-z-]+)\]", before))
                        for before, name, _ in lines
                        if name.startswith("sdfw-")}


def in_ovsdb(program):
    """Settings that may be in OVSDB, as sdfwd --help has them."""
    found = re.search(r"weaker than\s+flags:\n (.*)\n", program)
    return found[1].strip().split(", ")


def check_commands_of_sdfwd(_, page):
    """sdfwd(8) has every command of ovs-appctl, with its arguments"""
    status, appctl = ((ROOT / f"ovs-ext/{name}.c").read_text()
                      for name in ("status", "appctl"))
    known = [f"{name} {usage}".strip() for name, usage in re.findall(
        r'^    \{ "([a-z/]+)", "(.*)", \d+, \d+, \w+ \},', status, re.M)]
    built_in = re.search(r'commands are:\\n"\s*"(.*)"\)', appctl)
    known += [line.strip() for line in built_in[1].split("\\n") if line]
    text = page["RUNTIME MANAGEMENT COMMANDS"]
    return same("RUNTIME MANAGEMENT COMMANDS", known, (
        tag.removeprefix("ovs-appctl -t sdfwd ") for tag in tags(text)))


def check_settings_in_ovsdb(program, _):
    """settings.md and sdfwd.conf say right what can be set in OVSDB"""
    text = (ROOT / "docs/settings.md").read_text()
    listed = re.search(r"What can be\s+set there is (.*?)\. The", text, re.S)
    problem = same("docs/settings.md", in_ovsdb(program),
                   re.findall(r"`(.*?)`", listed[1]))
    conf = (ROOT / "integration/sdfwd.conf").read_text()
    found = [name for paragraph in conf.split("\n\n")[1:]
             if "Not in OVSDB" not in " ".join(paragraph.split("\n# "))
             for name in re.findall(r"^#([a-z-]+) = ", paragraph, re.M)]
    return problem or same("integration/sdfwd.conf", in_ovsdb(program), found)


def elements(schema):
    """{element: its attributes} of a schema."""
    types = {t.get("name"): t for t in schema.iter(f"{XS}complexType")}
    found = {}
    for element in schema.iter(f"{XS}element"):
        body = element.find(f"{XS}complexType")
        if body is None:
            body = types.get(element.get("type"))
        attributes = [] if body is None else body.findall(f"{XS}attribute")
        found.setdefault(element.get("name"), set()).update(
            a.get("name") for a in attributes)
    return found


def check_commands(program, page):
    """sdfw(8) has every command, with its arguments"""
    return same("COMMANDS", map(program.usage, program.text),
                parts(page["COMMANDS"], "SS"))


def check_options_of_commands(program, page):
    """sdfw(8) has, for each command, the options that it takes"""
    texts = parts(page["COMMANDS"], "SS")
    for command in program.text:
        text = texts.get(program.usage(command), "")
        listed = re.search(r"^Options:\n(.*)$", text, re.M)
        found = re.findall(r"--[a-z-]+", plain(listed[1]) if listed else "")
        expected = (o.partition("=")[0] for o in program.options(command))
        problem = same(command, expected, found)
        if problem:
            return problem
    return None


def check_options(program, page):
    """sdfw(8) explains every option, with what it takes, and no other"""
    expected = set().union(*map(program.options, program.text))
    return same("OPTIONS", expected, tags(page["OPTIONS"]))


def check_dead_options(program, _):
    """every option in the program is an option of a command"""
    source = (ROOT / "generator/sdfw.c").read_text()
    table = source[source.index("option_table[] = {"):]
    names = re.findall(r'^    \{ "([a-z-]+)",', table[:table.index("};")],
                       re.M)
    options = set().union(*map(program.options, program.text)) - {"--help"}
    return same("--help", ("--" + name for name in names),
                (o.partition("=")[0] for o in options))


def check_exit_statuses(_, page):
    """sdfw(8) has every exit status"""
    header = (ROOT / "generator/command.h").read_text()
    return same("EXIT STATUS", re.findall(r"^    EXIT_\w+ = (\d+)", header,
                                          re.M), tags(page["EXIT STATUS"]))


def vsctl_titles(page):
    """{command: the words of its title}"""
    titles = [title.split() for title in parts(page["COMMANDS"], "SS")]
    return {next(w for w in words if w.startswith("sdfw-")): words
            for words in titles}


def check_vsctl_commands(vsctl, page):
    """ovs-vsctl-sdfw(8) has every command of ours, and no other"""
    return same("COMMANDS", vsctl.options, vsctl_titles(page))


def check_vsctl_options(vsctl, page):
    """ovs-vsctl-sdfw(8) has the options of each command, and speaks of them"""
    texts = parts(page["COMMANDS"], "SS")
    for title, text in texts.items():
        name = re.search(r"sdfw-[a-z-]+", title)[0]
        found = re.findall(r"\[(--[a-z-]+)\]", title)
        spoken = re.findall(r"\\fB(\\-\\-(?:if|may)[a-z\\-]+)\\fR", text)
        problem = same(name, vsctl.options[name], found) \
            or same(f"the text of {name}", vsctl.options[name],
                    map(plain, spoken))
        if problem:
            return problem
    return None


def check_elements(schema, page):
    """the page has every element and attribute of the schema"""
    sections = {}
    for part in ("ELEMENTS", "OPENINGS"):
        sections.update(parts(page.get(part, ""), "SS"))
    found = {re.match("<(.*?)>", title)[1]: text
             for title, text in sections.items()}
    expected = elements(schema)
    problem = same("the page", expected, found)
    for name, attributes in sorted(expected.items()):
        problem = problem or same(f"<{name}>", attributes, (
            tag.split()[0] for tag in tags(found[name])))
    return problem


def check_types(schema, page):
    """the page has every type of the schema"""
    return same("VALUES", (t.get("name") for t in
                           schema.findall(f"{XS}simpleType")),
                tags(page["VALUES"]))


def check_documentation(schema, _):
    """every element, attribute and type has an example, and every attribute
    that may be left out says what holds without it"""
    for kind in ("element", "attribute", "simpleType"):
        for node in schema.iter(XS + kind):
            name, text = node.get("name"), " ".join(
                (node.findtext(f"{XS}annotation/{XS}documentation")
                 or "").split())
            example = text.partition("Example")[2]
            if not name:
                continue
            if not example or (kind == "attribute"
                               and f'{name}="' not in example):
                return f"{kind} {name} has no example: {text}"
            if kind == "attribute" and node.get("use") != "required" \
                    and not re.search("[Ww]ithout it|Default|if not", text):
                return f"attribute {name}: what holds without it? {text}"
    return None


def icmp_names(page):
    text = plain(page["VALUES"])
    text = text[text.index("icmpType"):].split(".TP")[0]
    for protocol in ("icmp", "icmp6"):
        names = re.search(rf"Of {protocol}: (.*?)\.", text)
        yield protocol, names[1].split(", ") if names else []


def check_icmp_names(_, page):
    """it has the names of ICMP types that the program knows"""
    source = (ROOT / "generator/values.c").read_text()
    for protocol, names in icmp_names(page):
        table = source[source.index(f"{protocol}_names[] = {{"):]
        known = re.findall(r'\{ "([a-z0-9-]+)", \d+ \}',
                           table[:table.index("};")])
        problem = same(protocol, known, names)
        if problem:
            return problem
    return None


def manifest(openings):
    return f"""<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <application name="shop"><service name="web">
    <workload name="web-1" interface="vnet3"><mac>52:54:00:12:34:56</mac>
      <address>10.0.0.11</address><address>fd00::11</address></workload>
  </service><link from="web" to="web">{openings}</link></application>
</manifest>"""


def rejected(sdfw, text, *commands):
    """What the commands say about the text of a manifest if they do not take
    it as it is, or None."""
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as stream:
        stream.write(text)
        stream.flush()
        for command in commands:
            done = run(sdfw, command, stream.name)
            if done.returncode or done.stderr:
                return done.stderr + done.stdout
    return None


def check_icmp_names_work(sdfw, page):
    """the names of ICMP types are right in a manifest"""
    return rejected(sdfw, manifest("".join(
        f'<{protocol} type="{name}"/>'
        for protocol, names in icmp_names(page) for name in names)), "check")


def check_example(sdfw, page):
    """the example is right, and its expectations hold"""
    lines = plain(page["EXAMPLE"]).splitlines()
    return rejected(sdfw, "\n".join(line for line in lines
                                    if not line.startswith(".")),
                    "check", "test")


def check_catalogue_example(sdfw, page):
    """the example is right"""
    lines = plain(page["EXAMPLE"]).splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as stream:
        stream.write("\n".join(line for line in lines
                               if not line.startswith(".")))
        stream.flush()
        done = run(sdfw, "verify", "--at=2027-01-01T00:00:00Z", "--catalogue",
                   stream.name, str(ROOT / "docs/examples/shop.xml"))
    return done.stderr or None


def main(programs, directory):
    sdfw = f"{programs}/sdfw"
    def page(name):
        return parts((pathlib.Path(directory) / name).read_text(), "SH")
    def schema(name):
        return ElementTree.parse(ROOT / "schemas" / name).getroot()
    sdfw_8, manifest_5 = page("sdfw.8"), page("sdfw-manifest.5")
    inventory_5, catalogue_5 = (page("sdfw-inventory.5"),
                                page("sdfw-catalogue.5"))
    sdfwd_8, vsctl_8 = page("sdfwd.8"), page("ovs-vsctl-sdfw.8")
    daemon = run(f"{programs}/sdfwd", "--help").stdout
    program, vsctl = Help(sdfw), Vsctl(f"{programs}/ovs-vsctl")
    failed = 0
    checks = [(check, program, sdfw_8) for check in (
                  check_commands, check_options_of_commands, check_options,
                  check_dead_options, check_exit_statuses)] \
        + [(check, vsctl, vsctl_8) for check in (
                  check_vsctl_commands, check_vsctl_options)] \
        + [(check, daemon, sdfwd_8) for check in (
                  check_commands_of_sdfwd, check_settings_in_ovsdb)] \
        + [(check, schema(name), its_page) for name, its_page in (
                  ("manifest.xsd", manifest_5), ("catalogue.xsd", catalogue_5),
                  ("inventory.xsd", inventory_5))
           for check in (check_documentation, check_elements, check_types)] \
        + [(check_icmp_names, None, manifest_5)] \
        + [(check, sdfw, manifest_5) for check in (
                  check_icmp_names_work, check_example)] \
        + [(check_catalogue_example, sdfw, catalogue_5)]
    for check, subject, its_page in checks:
        problem = check(subject, its_page)
        failed += problem is not None
        about = {id(manifest_5): "sdfw-manifest(5): ",
                 id(catalogue_5): "sdfw-catalogue(5): "}.get(id(its_page), "")
        print(f"{'FAIL' if problem else 'ok  '} man: {about}{check.__doc__}")
        if problem:
            print("     " + problem.strip().replace("\n", "\n     "))
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
