"""Runs the system tests.

usage: run.py --sdfw PATH [--filter TEXT] [--list]

Every test_*.py beside this file has tests: functions called test_*, whose
documentation says what a user can rely on.  A module with a function lab(sdfw)
makes one lab for all its tests.  One line a test is printed, and last
"N passed, N failed".
"""
import argparse
import importlib
import inspect
import pathlib
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdfw", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    sdfw = str(pathlib.Path(options.sdfw).resolve())
    counts = {"passed": 0, "failed": 0}
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        if options.list:
            for test in tests_of(module):
                print(title(module, test))
        else:
            run_module(module, sdfw, options.filter, counts)
    if not options.list:
        print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not (counts["passed"] or options.list) \
        else 0


sys.exit(main())
