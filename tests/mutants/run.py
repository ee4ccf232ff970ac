#!/usr/bin/env python3
"""Breaks the library one line at a time and demands that a test notices.

    tests/mutants/run.py [--list] [--only NAME[,NAME...]] [--check] [--fresh] [--json FILE]
                         [--jobs N] [--build DIR]

mutants.txt beside this file lists the mutants: what is broken, where, and the tests (ctest's names)
that may notice, the likeliest first. Each is made in a copy of the tree under build/mutants, built
(only what the test at hand needs), and given to its tests until one fails: then it is killed. A
mutant that no test kills is a bug of the tests, and the exit status is 1. A text to be replaced
must stand in its file exactly once, so that a mutant that no longer fits the code is an error and
not a silent pass; --check looks at nothing else, takes no time and is a test itself (mutants.fit).

At first all tests named must pass on the unbroken tree. A kill is remembered in results.json in the
build's directory as long as neither the mutant nor the file that it breaks changes, so that a run
can be interrupted and taken up again; --fresh forgets. Survivors are tried again each time."""

import argparse
import hashlib
import json
import os
import pathlib
import re
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
    """Each test's name with the build's target for its program: ctest itself names no program that
    has not been built yet."""
    found = {}
    for listing in build.rglob("CTestTestfile.cmake"):
        for name, command in re.findall(r'^add_test\(\[=\[(.*?)\]=\] "(.*?)"', listing.read_text(), re.M):
            if pathlib.Path(command).is_relative_to(build):
                found[name] = str(pathlib.Path(command).relative_to(build))
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


class Results:
    """The kills so far: name, a digest of the mutant and its file, killer and seconds."""

    def __init__(self, path, fresh):
        self.path = path
        self.kills = json.loads(path.read_text()) if path.is_file() and not fresh else {}

    @staticmethod
    def digest(m):
        return hashlib.sha256("\0".join([m.old, m.new, apply(m, ROOT)]).encode()).hexdigest()

    def find(self, m):
        kill = self.kills.get(m.name)
        return kill if kill and kill["digest"] == self.digest(m) else None

    def add(self, m, killer, seconds):
        self.kills.pop(m.name, None)
        if killer:
            self.kills[m.name] = {"digest": self.digest(m), "killer": killer, "seconds": seconds}
        self.path.write_text(json.dumps(self.kills, indent=1))


def prepare(tree, build, tests, jobs):
    """The unbroken tree, built as far as `tests` need it; each must pass. Returns their programs."""
    copy_tree(tree)
    configure(tree, build)
    targets = programs(build)
    missing = [t for t in tests if t not in targets]
    if missing:
        fail(f"no such test: {', '.join(missing)}")
    print(f"building what {len(tests)} tests need", flush=True)
    built, said = make(build, sorted({targets[t] for t in tests}), jobs)
    if not built:
        fail(f"the unbroken tree does not build:\n{said}")
    print("running them on the unbroken tree", flush=True)
    bad = [t for t in tests if not passes(build, t)]
    if bad:
        fail(f"fails without any mutant: {', '.join(bad)}")
    return targets


def report(mutants, killers, path):
    """The table; as JSON too where that is asked for."""
    print("\nmutant                       killed by")
    for m in mutants:
        print(f"{m.name:28} {killers[m.name] or 'SURVIVED: ' + m.text}")
    if path:
        rows = [{"mutant": m.name, "file": m.file, "text": m.text, "killer": killers[m.name]}
                for m in mutants]
        path.write_text(json.dumps(rows, indent=1) + "\n")
    survivors = sum(not killers[m.name] for m in mutants)
    print(f"{len(mutants) - survivors} killed, {survivors} survived")
    return 1 if survivors else 0


def select(only):
    mutants = parse(HERE / "mutants.txt")
    if only:
        wanted = only.split(",")
        unknown = set(wanted) - {m.name for m in mutants}
        if unknown:
            fail(f"unknown: {', '.join(sorted(unknown))}")
        mutants = [m for m in mutants if m.name in wanted]
    return mutants


def run(mutants, options):
    build = options.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    results = Results(build / "results.json", options.fresh)
    killers = {m.name: kill["killer"] for m in mutants if (kill := results.find(m))}
    left = [m for m in mutants if m.name not in killers]
    if killers:
        print(f"{len(killers)} killed before", flush=True)
    if left:
        tests = list(dict.fromkeys(t for m in left for t in m.tests))
        targets = prepare(build / "tree", build / "build", tests, options.jobs)
    for number, m in enumerate(left, 1):
        begun = time.monotonic()
        killers[m.name] = hunt(m, build / "tree", build / "build", targets, options.jobs)
        seconds = round(time.monotonic() - begun)
        results.add(m, killers[m.name], seconds)
        verdict = f"killed by {killers[m.name]}" if killers[m.name] else "SURVIVED"
        print(f"{number:3}/{len(left)} {m.name:28} {verdict:58} {seconds:4} s", flush=True)
    return report(mutants, killers, options.json)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="print the mutants")
    parser.add_argument("--check", action="store_true", help="only see that each fits the code")
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--fresh", action="store_true", help="forget the kills of earlier runs")
    parser.add_argument("--json", type=pathlib.Path, help="write the table into this file, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="of the compiler")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "mutants")
    options = parser.parse_args()
    mutants = select(options.only)
    if options.list:
        for m in mutants:
            print(f"{m.name:28} {m.text}")
        return 0
    for m in mutants:
        apply(m, ROOT)
    if options.check:
        print(f"{len(mutants)} mutants fit the code")
        return 0
    return run(mutants, options)


if __name__ == "__main__":
    sys.exit(main())
