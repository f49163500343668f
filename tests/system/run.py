"""Runs the system tests.

usage: run.py --sdfw PATH [--filter TEXT] [--jobs N] [--list]

Every test_*.py beside this file has tests: functions called test_*, whose
documentation says what a user can rely on.  A module with a function lab(sdfw)
makes one lab for all its tests.  One line a test is printed, and last
"N passed, N failed".  Modules run in processes of their own, N at a time (as
many as there are processors), and what one prints is kept together.
"""
import argparse
import concurrent.futures
import importlib
import inspect
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def tests_of(module):
    found = [f for name, f in vars(module).items()
             if name.startswith("test_") and inspect.isfunction(f)]
    return sorted(found, key=lambda f: f.__code__.co_firstlineno)


def title(module, test):
    text = " ".join((test.__doc__ or test.__name__).split())
    return f"{module.__name__.removeprefix('test_')}: {text}"


def run_one(test, the_lab):
    start = time.monotonic()
    try:
        test(the_lab)
        return None, time.monotonic() - start
    except Exception:
        return traceback.format_exc(), time.monotonic() - start


def run_module(module, sdfw, wanted, counts):
    tests = [t for t in tests_of(module)
             if wanted.lower() in title(module, t).lower()]
    if not tests:
        return
    try:
        the_lab = module.lab(sdfw)
    except Exception:
        traceback.print_exc()
        counts["failed"] += len(tests)
        return
    with the_lab:
        for test in tests:
            error, seconds = run_one(test, the_lab)
            counts["failed" if error else "passed"] += 1
            print(f"{'FAIL' if error else 'ok  '} {title(module, test)} "
                  f"({seconds:.1f} s)", flush=True)
            if error:
                print("     " + error.replace("\n", "\n     "), flush=True)


def run_apart(stem, options):
    """Runs a module in a process; returns what it printed."""
    return subprocess.run(
        [sys.executable, __file__, "--sdfw", options.sdfw, "--filter",
         options.filter, "--module", stem], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT).stdout


def run_all(stems, options, counts):
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed(
                pool.submit(run_apart, stem, options) for stem in stems):
            *lines, last = done.result().splitlines() or [""]
            sums = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
            print("\n".join(lines if sums else [*lines, last]), end="\n"
                  if lines or not sums else "", flush=True)
            counts["passed"] += int(sums[1]) if sums else 0
            counts["failed"] += int(sums[2]) if sums else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdfw", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--module", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    sdfw = str(pathlib.Path(options.sdfw).resolve())
    counts = {"passed": 0, "failed": 0}
    stems = [options.module] if options.module else sorted(
        path.stem for path in HERE.glob("test_*.py"))
    if options.list:
        for stem in stems:
            module = importlib.import_module(stem)
            for test in tests_of(module):
                print(title(module, test))
        return 0
    if options.module or options.jobs == 1:
        for stem in stems:
            run_module(importlib.import_module(stem), sdfw, options.filter,
                       counts)
    else:
        run_all(stems, options, counts)
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    # A module may have none of what is wanted.
    return 1 if counts["failed"] or not (counts["passed"] or options.module) \
        else 0


sys.exit(main())
