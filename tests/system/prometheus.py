"""Reads Prometheus' text format 0.0.4, and refuses what its rules refuse:
https://prometheus.io/docs/instrumenting/exposition_formats/ and .../practices/
naming/."""
import re

NAME = re.compile(r"[a-z][a-z0-9_]*")
SAMPLE = re.compile(r'([a-z][a-z0-9_]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
UNITS = ("_ms", "_milliseconds", "_us", "_minutes", "_kb", "_kilobytes",
         "_megabytes", "_percent")


class FormatError(Exception):
    pass


def labels_of(text, line):
    labels, rest = {}, text or ""
    while rest:
        match = LABEL.match(rest)
        if not match or match[1] in labels or match[1].startswith("__"):
            raise FormatError(f"labels: {line}")
        labels[match[1]] = re.sub(r'\\[\\"n]', lambda m: ESCAPES[m[0]],
                                  match[2])
        rest = rest[match.end():]
    return labels


def check_name(name, kind):
    if not NAME.fullmatch(name) or name.count("__"):
        raise FormatError(f"name {name}")
    if (kind == "counter") != name.endswith("_total"):
        raise FormatError(f"{name} is a {kind}")
    if any(name.removesuffix("_total").endswith(unit) for unit in UNITS):
        raise FormatError(f"{name}: not a base unit")


class Metrics:
    def __init__(self, text):
        self.samples = {}       # (name, sorted labels): value
        self.kinds = {}
        helped = current = None
        if not text.endswith("\n"):
            raise FormatError("no new-line at the end")
        for line in text.splitlines():
            if line.startswith("# HELP "):
                helped, words = line.split(" ", 3)[2:4]
                if not words.strip() or helped in self.kinds:
                    raise FormatError(line)
            elif line.startswith("# TYPE "):
                current, kind = line.split(" ")[2:]
                if current != helped or kind not in ("counter", "gauge"):
                    raise FormatError(line)
                check_name(current, kind)
                self.kinds[current] = kind
            else:
                self.add(line, current)

    def add(self, line, current):
        match = SAMPLE.fullmatch(line)
        if not match or match[1] != current:
            raise FormatError(f"not a sample of {current}: {line}")
        key = current, tuple(sorted(labels_of(match[2], line).items()))
        if key in self.samples:
            raise FormatError(f"twice: {line}")
        self.samples[key] = float(match[3])
        if self.kinds[current] == "counter" and self.samples[key] < 0:
            raise FormatError(line)

    def all(self, name, **labels):
        """{labels: value} of the samples that have these labels."""
        if name not in self.kinds:
            raise FormatError(f"there is no {name}")
        return {key[1]: value for key, value in self.samples.items()
                if key[0] == name and labels.items() <= dict(key[1]).items()}

    def sum(self, name, **labels):
        return sum(self.all(name, **labels).values())

    def one(self, name, **labels):
        found = self.all(name, **labels)
        if len(found) != 1:
            raise FormatError(f"{name} {labels}: {found}")
        return next(iter(found.values()))

    def fallen(self, before):
        """Counters that are less than, or gone since, 'before'."""
        return [key for key, value in before.samples.items()
                if before.kinds[key[0]] == "counter"
                and self.samples.get(key, -1) < value]
