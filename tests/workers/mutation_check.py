#!/usr/bin/env python3
"""Leaves out the checks that keep workers apart, one at a time, and runs the tests that must notice: each mutant has to fail one.

mutation_check.py --build FOLDER [--only TEXT]... [--out FILE] [--jobs N] [--list]

FOLDER is a build of this tree with ninja; the targets that are needed are built in it first. Of a mutant only its own file is compiled,
and linked in a folder aside with the rest of that build: neither the tree nor the build changes. `--out` writes the table into
docs/reliability.md, or another file, between its two marks. Needs redis-server; a few mutants need a Kafka broker, too.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from mutants import TESTS, all_mutants
from mutation import Switchboard

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST_SECONDS = 400
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


class Build:
    """What a ninja build knows: how a file is compiled, and how a program is linked."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        commands = json.loads((self.folder / "compile_commands.json").read_text(encoding="utf-8"))
        self._compile = {entry["file"]: entry["command"] for entry in commands}
        self._links, self._archives = {}, {}

    def make(self, targets, jobs):
        subprocess.run(["ninja", "-C", str(self.folder), "-j", str(jobs), *targets], check=True, stdout=subprocess.DEVNULL)

    def compile_command(self, path):
        """The words that compile a file of the tree, and the object that they write."""
        words = shlex.split(self._compile[str(ROOT / path)])
        return words, words[words.index("-o") + 1]

    def link_command(self, target):
        if target not in self._links:
            said = subprocess.run(["ninja", "-C", str(self.folder), "-t", "commands", target], check=True, stdout=subprocess.PIPE, text=True)
            line = said.stdout.splitlines()[-1]
            self._links[target] = re.sub(r"^: && | && :$", "", line)
        return shlex.split(self._links[target])

    def archive_of(self, target, output):
        """The library among the parts of `target` that holds an object, None for an object of the program's own."""
        folder = output.split("/CMakeFiles/")[0]
        library = re.search(r"/CMakeFiles/(\w+)\.dir/", output)[1]
        archive = f"{folder}/lib{library}.a"
        return archive if archive in self.link_command(target) else None


class Workshop:
    """A folder aside, in which one mutant after the other is built."""

    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        self._made, self._program = None, None  # (text of the file, target) of the program that is there

    def program(self, mutant, text, target):
        """The program of `target` with `text` in place of the mutant's file."""
        key = (text, target)
        if key != self._made:
            self._made = None
            self._program = self.link(target, self.compile(mutant, text))
            self._made = key
        return self._program

    def compile(self, mutant, text):
        """Objects of the files that see the mutated text, by the object that they stand for."""
        overlay = self.folder / "overlay"
        shutil.rmtree(overlay, ignore_errors=True)
        own = mutant.find(ROOT)
        changed = overlay / own
        changed.parent.mkdir(parents=True)
        changed.write_text(text, encoding="utf-8")
        objects = {}
        for path in mutant.users or [own]:
            words, output = self.build.compile_command(path)
            source = changed if path == own else ROOT / path
            words[words.index(str(ROOT / path))] = str(source)
            fresh = self.folder / pathlib.Path(output).name
            words[words.index(output)] = str(fresh)
            words.insert(1, f"-I{overlay}")
            words = [word for word in words if word not in ("-O2", "-Werror")]  # seconds count more than speed
            subprocess.run([*words, "-O0", "-w"], cwd=self.build.folder, check=True)
            objects[output] = str(fresh)
        return objects

    def link(self, target, objects):
        """The program with these objects in place of its own."""
        words = self.build.link_command(target)
        for output, fresh in objects.items():
            archive = self.build.archive_of(target, output)
            if archive is None:
                words[words.index(output)] = fresh
                continue
            copy = self.folder / pathlib.Path(archive).name
            shutil.copy(self.build.folder / archive, copy)
            subprocess.run(["ar", "r", str(copy), fresh], check=True, stderr=subprocess.DEVNULL)
            words = [str(copy) if word == archive else word for word in words]
        program = self.folder / pathlib.Path(target).name
        words[words.index("-o") + 1] = str(program)
        subprocess.run(words, cwd=self.build.folder, check=True)
        return program


def failure(test, program, environment=None):
    """What the test said when it failed, None when it passed."""
    command = [word.replace("PROGRAM", str(program)).replace("ROOT", str(ROOT)) for word in test.command]
    try:
        run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TEST_SECONDS, check=False,
                             errors="replace", text=True, env={**os.environ, "MILLRACE_SOURCE_DIR": str(ROOT), **(environment or {})})
    except subprocess.TimeoutExpired:
        return "does not end"
    if run.returncode == 0:
        return None
    for pattern in test.says:
        found = re.search(pattern, run.stdout, re.MULTILINE)
        if found:
            return found[1]
    return f"exit code {run.returncode}"


def judge(workshop, mutant, text, environment):
    """The name of the test that fails, and what it says; None when every one passes."""
    for name in mutant.tests:
        test = TESTS[name]
        said = failure(test, workshop.program(mutant, text, test.target), environment)
        if said:
            return f"{name}: {said}"
    return None


def programs(mutants):
    """(mutant, text of its file, environment) of each, those of one program together: the mutants of a file where they can be in one."""
    by_file = {}
    for mutant in mutants:
        by_file.setdefault(mutant.find(ROOT), []).append(mutant)
    for path, group in by_file.items():
        if mutants_of_scripts(group) or path.endswith(".h"):
            yield from ((mutant, mutant.mutated(ROOT), mutant.environment) for mutant in group)
            continue
        board = Switchboard(ROOT, path, group)
        yield from ((mutant, board.text, {"MUTANT": str(number)}) for mutant, number in board.numbers.items())
        yield from ((mutant, mutant.mutated(ROOT), {}) for mutant in board.rest)


def mutants_of_scripts(group):
    return any(mutant.environment for mutant in group)


def table(results):
    lines = ["| where | check that is left out | noticed by |", "|---|---|---|"]
    for mutant, noticed in results:
        what = f"`{noticed}`" if noticed else "**nothing**"
        lines.append(f"| {mutant.where} | {mutant.what} | {what} |".replace("||", "&#124;&#124;"))
    caught = sum(1 for _, noticed in results if noticed)
    return f"{caught} of {len(results)} are noticed.\n\n" + "\n".join(lines) + "\n"


def write(path, text):
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(description="Leaves out checks, one at a time.")
    parser.add_argument("--build")
    parser.add_argument("--only", action="append", default=[], help="only mutants with this in place or name")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="say which there are, and that each still fits the sources")
    return parser.parse_args()


def main():
    options = arguments()
    chosen = [mutant for mutant in all_mutants(ROOT) if not options.only or any(text in f"{mutant.where}: {mutant.what}" for text in options.only)]
    for mutant in chosen:
        mutant.mutated(ROOT)
    if options.list or not options.build:
        print("\n".join(f"{mutant.where}: {mutant.what} ({', '.join(mutant.tests)})" for mutant in chosen))
        return 0
    build = Build(options.build)
    names = {name for mutant in chosen for name in mutant.tests}
    build.make(sorted({TESTS[name].target for name in names}), options.jobs)
    for name in sorted(names):
        said = failure(TESTS[name], build.folder / TESTS[name].target)
        if said:
            sys.exit(f"nothing is left out, and {name} fails: {said}")
    results, begin = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="millrace-mutants-") as folder:
        workshop = Workshop(build, folder)
        for mutant, text, environment in programs(chosen):
            said = "NOT NOTICED"
            try:
                noticed = judge(workshop, mutant, text, environment)
            except subprocess.CalledProcessError as error:
                noticed, said = None, f"DOES NOT BUILD: {error.cmd[0]} ... {error.cmd[-1]}"
            results.append((mutant, noticed))
            print(f"{mutant.where}: {mutant.what}: {noticed or said}", flush=True)
    missed = [f"{mutant.where}: {mutant.what}" for mutant, noticed in results if not noticed]
    print(f"{len(results) - len(missed)} of {len(results)} noticed, {time.monotonic() - begin:.0f} s; missed: {missed}")
    if options.out:
        write(options.out, table(results))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
