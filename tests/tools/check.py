#!/usr/bin/python3
"""Builds everything twice (gcc, clang with sanitizers), runs every test, and ends with one line
"N passed, N failed". check.py STAGE… runs some stages and what they need; --list names them.

Two lanes run beside each other: the tests with sockets mostly wait while the compiler works. A
stage that could not run counts as a failure: nothing passes by being left out."""
import glob
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLAIN, SAN = "build/gcc", "build/clang-address-undefined"
OUT = os.path.join(ROOT, "build/check")
MAKE_PLAIN = ["CC=gcc", "SAN=", "O=" + PLAIN]
MAKE_SAN = ["CC=clang", "SAN=address,undefined", "O=" + SAN]
JOBS = str(max(2, os.cpu_count() or 2))
SAN_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=0:strict_string_checks=1:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
UNIT_LIMIT_S, REPLAY_LIMIT_S, STAGE_LIMIT_S = 300, 120, 2100
LOG_LINES = 400                 # of a failed stage's log that are shown
AGAIN_MAX = 10                  # failed tests that have a second try; more is no accident


class Result:
    """What became of a stage: counts, and the lines that explain a failure."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.lines = 0, 0, 0, []

    def fail(self, text):
        self.failed += 1
        self.lines.append(text)


def run(command, log, limit_s=STAGE_LIMIT_S, env=None):
    """Runs with output to the log file; the exit status, or None when it took too long."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})),
                                   start_new_session=True)
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            out.write(b"\nnot done after %d s: killed\n" % limit_s)
            return None


def tail(path, lines=LOG_LINES):
    with open(path, errors="replace") as f:
        return f.read().splitlines()[-lines:]


def log_path(name):
    return os.path.join(OUT, name + ".log")


# The stages.

def build(name, targets, variables):
    """One test: it builds without a warning."""
    result = Result()
    if run(["make", "-j", JOBS, *variables, *targets], log_path(name)) == 0:
        result.passed = 1
    else:
        result.fail("the build failed; all it said is in " + log_path(name))
        lines = tail(log_path(name), 1000000)
        sign = re.compile(r"error|undefined reference|\*\*\*")
        wrong = [i for i, x in enumerate(lines) if sign.search(x)]
        shown = sorted({j for i in wrong for j in range(max(i - 2, 0), i + 4)})
        result.lines += [lines[j] for j in shown if j < len(lines)][:LOG_LINES] or lines[-40:]
    return result


def tap(result, name, text, status):
    """Counts what a unit test printed as TAP; what was planned and is missing has failed."""
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)\s*$", text, re.M))
    bad = re.findall(r"^not ok \d+.*", text, re.M)
    good = len(re.findall(r"^ok \d+", text, re.M))
    missing = max(planned - good - len(bad), 0)
    result.passed += good
    result.failed += len(bad) + missing
    if not planned or (status != 0 and not bad and not missing):
        result.failed += 1
    if bad or missing or status != 0 or not planned:
        why = "took too long" if status is None else "ended with status %d" % status
        result.lines.append("== %s %s; %d tests did not run" % (name, why, missing))
        result.lines += text.splitlines()[-LOG_LINES:]


def unit(name, folder, env):
    result = Result()
    sources = glob.glob(os.path.join(ROOT, "tests/unit/**/*_test.c"), recursive=True)
    for source in sorted(sources):
        test = os.path.relpath(source, os.path.join(ROOT, "tests"))[:-2]
        log = log_path("%s-%s" % (name, test.replace("/", "-")))
        open(log, "w").close()
        status = run([os.path.join(ROOT, folder, "tests", test)], log, UNIT_LIMIT_S,
                     dict(env, CMOCKA_MESSAGE_OUTPUT="TAP"))
        with open(log, errors="replace") as f:
            tap(result, test, f.read(), status)
    if not sources:
        result.fail("there are no unit tests")
    return result


def replay(name):
    """One test per fuzz target: its corpus makes it do nothing bad."""
    result = Result()
    for source in sorted(glob.glob(os.path.join(ROOT, "tests/fuzz/*_fuzz.c"))):
        target = os.path.basename(source)[:-2]
        corpus = os.path.join(ROOT, "tests/fuzz/corpus", target[:-len("_fuzz")])
        log = log_path("%s-%s" % (name, target))
        open(log, "w").close()
        status = run([os.path.join(ROOT, SAN, "fuzz-replay", target), corpus], log,
                     REPLAY_LIMIT_S, SAN_ENV)
        if status == 0:
            result.passed += 1
        else:
            result.fail("== %s" % target)
            result.lines += tail(log)
    return result


def tidy(name):
    """One test per rule."""
    result = Result()
    run([sys.executable, "tests/tools/tidy.py"], log_path(name))
    lines = tail(log_path(name), 100000)
    counts = re.search(r"rules: (\d+) passed, (\d+) failed", "\n".join(lines))
    if not counts:
        result.fail("tidy.py did not end")
    else:
        result.passed, result.failed = int(counts.group(1)), int(counts.group(2))
    if result.failed:
        result.lines += lines[-LOG_LINES:]
    return result


def clang_tidy(name):
    """One test: no file has a finding."""
    result = Result()
    if run(["make", "-k", "-j", JOBS, *MAKE_PLAIN, "clang-tidy"], log_path(name)) == 0:
        result.passed = 1
    else:
        result.fail("clang-tidy has findings; what leads to each is in " + log_path(name))
        found = [x for x in tail(log_path(name), 1000000) if re.search(r": (error|warning): ", x)]
        result.lines += found[:LOG_LINES] or tail(log_path(name))
    return result


def python_folders():
    """Tempest is a suite of somebody else's and takes a quarter of an hour: `make tempest`."""
    found = {os.path.dirname(p) for p in glob.glob(os.path.join(ROOT, "tests/*/test_*.py"))}
    return sorted({os.path.relpath(p, ROOT) for p in found} - {"tests/tempest"})


def node_id(case):
    """What pytest wants to hear to run this test again: a path, and names within it."""
    parts, inner = case.get("classname").split("."), [case.get("name")]
    while len(parts) > 1 and not os.path.exists(os.path.join(ROOT, "tests", *parts) + ".py"):
        inner.insert(0, parts.pop())
    return "::".join([os.path.join("tests", *parts) + ".py", *inner])


def pytest_once(name, folder, env, what):
    """Counts by kind, or None when pytest did not end."""
    xml = os.path.join(OUT, name + ".xml")
    if os.path.exists(xml):
        os.unlink(xml)
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml", xml, "--durations", "10", *what]
    run(command, log_path(name), env=dict(env, NEEDLETAIL_BIN=os.path.join(ROOT, folder, "bin")))
    try:
        suite = ElementTree.parse(xml).getroot().find("testsuite")
    except (OSError, ElementTree.ParseError):
        return None
    count = {k: int(suite.attrib[k]) for k in ("tests", "failures", "errors", "skipped")}
    count["bad"] = count["failures"] + count["errors"]
    count["names"] = sorted({node_id(c) for c in suite.iter("testcase")
                             if c.find("failure") is not None or c.find("error") is not None})
    return count


def pytest(name, folder, env):
    """Every test; those that failed run once more by themselves. One that then passes is named (it
    depends on what else the machine does, which is worth mending), one that fails again fails."""
    result = Result()
    count = pytest_once(name, folder, env, python_folders())
    if count is None or count["tests"] == count["skipped"]:
        result.fail("pytest did not end, or ran nothing")
        result.lines += tail(log_path(name))
        return result
    result.skipped = count["skipped"]
    if 0 < count["bad"] <= AGAIN_MAX:
        first, again = count["names"], pytest_once(name, folder, env, count["names"])
        if again and again["tests"] >= len(first):
            count["bad"] = again["bad"]
            result.lines += ["passed when run again: " + n for n in first
                             if n not in again["names"]]
    result.failed = count["bad"]
    result.passed = max(count["tests"] - result.failed - result.skipped, 0)
    if result.failed:
        result.lines += tail(log_path(name), 4 * LOG_LINES)
    return result


def stages():
    """name -> (lane, what must have passed before, function). A lane runs from the top down."""
    both = ["all", "unit-programs"]
    return {
        "tidy": (1, [], lambda: tidy("tidy")),
        "build": (1, [], lambda: build("build", both + ["bench-programs"], MAKE_PLAIN)),
        "unit": (1, ["build"], lambda: unit("unit", PLAIN, {})),
        "pytest": (1, ["build"], lambda: pytest("pytest", PLAIN, {})),
        "build-san": (2, ["build"], lambda: build("build-san", both + ["fuzz-replay-programs"],
                                                  MAKE_SAN)),
        "unit-san": (2, ["build-san"], lambda: unit("unit-san", SAN, SAN_ENV)),
        "replay-san": (2, ["build-san"], lambda: replay("replay-san")),
        "clang-tidy": (2, [], lambda: clang_tidy("clang-tidy")),
        "pytest-san": (1, ["build-san"],
                       lambda: pytest("pytest-san", SAN, dict(SAN_ENV, NEEDLETAIL_SLOWNESS="3"))),
    }


class Check:
    def __init__(self, names):
        self.all = stages()
        self.names = names or list(self.all)
        for name in list(self.names):
            self._add_needs(name)
        self.done = {name: threading.Event() for name in self.all}
        self.results = {}
        self.print_lock = threading.Lock()

    def _add_needs(self, name):
        for need in self.all[name][1]:
            if need not in self.names:
                self.names.append(need)
            self._add_needs(need)

    def stage(self, name):
        _, needs, function = self.all[name]
        result, start = Result(), time.monotonic()
        for need in needs:
            self.done[need].wait()
        missing = [n for n in needs if self.results[n].failed]
        try:
            if missing:
                result.fail("%s could not run: %s failed" % (name, ", ".join(missing)))
            else:
                result = function()
        except Exception as e:      # a stage that breaks down is a failed stage, not the end
            result.fail("%s broke down: %r" % (name, e))
        self.results[name] = result
        self.done[name].set()
        with self.print_lock:
            for line in result.lines:
                print("  " + line)
            print("%-11s %5d passed, %d failed%s  %.0f s" % (
                name + ":", result.passed, result.failed,
                ", %d skipped" % result.skipped if result.skipped else "",
                time.monotonic() - start), flush=True)

    def lane(self, number):
        for name, (lane, _, _) in self.all.items():
            if lane == number and name in self.names:
                self.stage(name)

    def run(self):
        os.makedirs(OUT, exist_ok=True)
        for name in self.names:
            open(log_path(name), "w").close()
        lanes = [threading.Thread(target=self.lane, args=(n,)) for n in (1, 2)]
        for t in lanes:
            t.start()
        for t in lanes:
            t.join()
        passed = sum(r.passed for r in self.results.values())
        failed = sum(r.failed for r in self.results.values())
        failed += len([n for n in self.names if n not in self.results])
        print("%d passed, %d failed" % (passed, failed), flush=True)
        return 1 if failed or not passed else 0


def main():
    if "--list" in sys.argv:
        print("\n".join(stages()))
        return 0
    unknown = [n for n in sys.argv[1:] if n not in stages()]
    if unknown:
        print("check.py: no such stage: %s" % ", ".join(unknown), file=sys.stderr)
        return 2
    return Check(sys.argv[1:]).run()


if __name__ == "__main__":
    sys.exit(main())
