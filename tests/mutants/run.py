#!/usr/bin/env python3
"""Breaks the library one line at a time and demands that a test notices.

    tests/mutants/run.py [--list] [--only NAME[,NAME...]] [--check] [--jobs N] [--build DIR]

mutants.txt beside this file lists the mutants: what is broken, where, and the tests (ctest's names)
that may notice, the likeliest first. Each is made in a copy of the tree under build/mutants, built,
and given to its tests until one fails: then it is killed. A mutant that no test kills is a bug of
the tests, and the exit status is 1. A text to be replaced must stand in its file exactly once, so
that a mutant that no longer fits the code is an error and not a silent pass; --check looks at
nothing else, takes no time and is a test itself (mutants.fit).

At first all tests named must pass on the unbroken tree."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TEST_SECONDS = "240"  # a mutant that hangs is killed as well
ENVIRONMENT = {"SKUA_SIM_SMALL": "300", "SKUA_SIM_LARGE": "2"}


class Mutant:
    def __init__(self, name, text):
        self.name, self.text = name, text
        self.file, self.tests = None, []
        self.old, self.new = "", ""


def fail(message):
    print(f"run.py: {message}", file=sys.stderr)
    sys.exit(2)


def parse(path):
    """mutants.txt: '== name: what is broken', 'file: ...', 'tests: ...', then lines '-' and '+'."""
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("== "):
            name, _, text = line[3:].partition(": ")
            mutants.append(Mutant(name, text))
        elif line.startswith("file: "):
            mutants[-1].file = line[6:]
        elif line.startswith("tests: "):
            mutants[-1].tests = line[7:].split()
        elif line.startswith("- "):
            mutants[-1].old += line[2:] + "\n"
        elif line.startswith("+ "):
            mutants[-1].new += line[2:] + "\n"
        elif line and not line.startswith("#"):
            fail(f"{path.name}:{number}: not understood: {line}")
    names = [m.name for m in mutants]
    for m in mutants:
        if not (m.file and m.tests and m.old) or names.count(m.name) != 1:
            fail(f"{path.name}: {m.name}: needs a name of its own, file, tests and a text to replace")
        m.old, m.new = m.old[:-1], m.new[:-1]
    return mutants


def apply(m, root):
    """The broken text of its file."""
    path = root / m.file
    if not path.is_file():
        fail(f"{m.name}: there is no {m.file}")
    text = path.read_text()
    if text.count(m.old) != 1:
        fail(f"{m.name}: the text to replace stands {text.count(m.old)} times in {m.file}")
    return text.replace(m.old, m.new)


def copy_tree(tree):
    """A copy of what git tracks, with today's changes, at the modification times of the originals."""
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True)
    for name in filter(None, files.stdout.decode().split("\0")):
        source, target = ROOT / name, tree / name
        if not source.is_file():
            continue
        same = target.is_file() and target.read_bytes() == source.read_bytes()
        if not same:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def configure(tree, build):
    command = ["cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
               "-DCMAKE_C_FLAGS=-O1 -g0", "-DSKUA_BUILD_EXAMPLES=OFF", "-DSKUA_BUILD_BENCH=OFF"]
    if shutil.which("ccache"):
        command.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def programs(build):
    """Each test's name with the build's target for its program."""
    out = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, check=True,
                         capture_output=True)
    found = {}
    for test in json.loads(out.stdout)["tests"]:
        command = pathlib.Path(test.get("command", [""])[0])
        if command.is_relative_to(build):
            found[test["name"]] = str(command.relative_to(build))
    return found


def make(build, targets, jobs):
    done = subprocess.run(["ninja", "-C", build, "-j", str(jobs), *targets], capture_output=True)
    return done.returncode == 0, done.stdout.decode(errors="replace")


def passes(build, test):
    pattern = "^" + test.replace(".", "\\.") + "$"
    done = subprocess.run(["ctest", "-R", pattern, "--timeout", TEST_SECONDS, "--no-tests=error"],
                          cwd=build, capture_output=True, env={**os.environ, **ENVIRONMENT})
    return done.returncode == 0


def hunt(m, tree, build, targets, jobs):
    """Which test kills the mutant; None where it survives."""
    path = tree / m.file
    whole = path.read_text()
    try:
        path.write_text(apply(m, tree))
        for test in m.tests:
            built, said = make(build, [targets[test]], jobs)
            if not built:
                fail(f"{m.name}: does not compile:\n{said}")
            if not passes(build, test):
                return test
        return None
    finally:
        path.write_text(whole)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="print the mutants")
    parser.add_argument("--check", action="store_true", help="only see that each fits the code")
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "mutants")
    options = parser.parse_args()
    mutants = parse(HERE / "mutants.txt")
    if options.only:
        wanted = options.only.split(",")
        unknown = set(wanted) - {m.name for m in mutants}
        if unknown:
            fail(f"unknown: {', '.join(sorted(unknown))}")
        mutants = [m for m in mutants if m.name in wanted]
    if options.list:
        for m in mutants:
            print(f"{m.name:28} {m.text}")
        return 0
    for m in mutants:
        apply(m, ROOT)
    if options.check:
        print(f"{len(mutants)} mutants fit the code")
        return 0

    tree, build = options.build.resolve() / "tree", options.build.resolve() / "build"
    copy_tree(tree)
    configure(tree, build)
    tests = list(dict.fromkeys(t for m in mutants for t in m.tests))
    targets = programs(build)
    if not targets.keys() >= set(tests):  # ctest names no program that has not been built
        make(build, ["all"], options.jobs)
        targets = programs(build)
    missing = [t for t in tests if t not in targets]
    if missing:
        fail(f"no such test: {', '.join(missing)}")
    built, said = make(build, sorted({targets[t] for t in tests}), options.jobs)
    if not built:
        fail(f"the unbroken tree does not build:\n{said}")
    bad = [t for t in tests if not passes(build, t)]
    if bad:
        fail(f"fails without any mutant: {', '.join(bad)}")

    survivors = []
    for m in mutants:
        begun = time.monotonic()
        killer = hunt(m, tree, build, targets, options.jobs)
        verdict = f"killed by {killer}" if killer else "SURVIVED"
        print(f"{m.name:28} {verdict:42} {time.monotonic() - begun:5.0f} s", flush=True)
        if not killer:
            survivors.append(m.name)
    print(f"{len(mutants) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
