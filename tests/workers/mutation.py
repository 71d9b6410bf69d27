"""A check that is left out, and a test that must notice."""

import re


class Test:
    """A program of the build with its arguments; `says` are patterns of what names the failure, in the order they are tried."""

    def __init__(self, target, arguments, says, before=()):
        self.target, self.says = target, says
        self.command = [*before, "PROGRAM", *arguments]


class Mutant:
    """`before` becomes `after` in the file `path`, or the one file of the folder `path` that has it, at its only place behind `within`. `users`: the sources to compile, for a header.
    `tests`: names of tests, of which one must fail; they are tried in this order."""

    def __init__(self, where, what, path, before, after, tests, within=None, users=None):
        self.where, self.what, self.path = where, what, path
        self.before, self.after, self.within = before, after, within
        self.tests, self.users = tests, users

    # What the program is told of the mutant when it starts, instead of being compiled anew.
    environment = {}

    def find(self, root):
        """The file, relative to `root`. Raises ValueError where not exactly one has the text."""
        if not self.path.endswith("/"):
            return self.path
        found = [path for path in sorted((root / self.path).glob("*.cc"))
                 if not path.name.endswith("_test.cc") and self.before in path.read_text(encoding="utf-8")]
        if len(found) != 1:
            raise ValueError(f"{self.where}: {self.what}: {self.before!r} is in {len(found)} files of {self.path}")
        return str(found[0].relative_to(root))

    def mutated(self, root):
        """The mutated text of the file."""
        return self.apply((root / self.find(root)).read_text(encoding="utf-8"))

    def apply(self, text):
        """The mutated text of the file. Raises ValueError where the sources have changed under the mutant."""
        start = text.index(self.within) if self.within else 0
        stop = len(text)
        if self.within:
            next_script = text.find("\nconst ", start)
            stop = next_script if next_script > 0 else stop
        count = text.count(self.before, start, stop)
        if count != 1:
            raise ValueError(f"{self.where}: {self.what}: {self.before!r} is {count} times in {self.path}")
        at = text.index(self.before, start, stop)
        return text[:at] + self.after + text[at + len(self.before):]


SWITCH = """#include <cstdlib>
namespace {
bool LeftOut(int number) {
  static const char* const chosen = std::getenv("MUTANT");
  return chosen != nullptr && std::atoi(chosen) == number;
}
}  // namespace
"""
PLAIN = re.compile(r"^(?!.*(ASSIGN_OR_RETURN|\bconst |\bauto |\bcase |\bstd::vector<))[^{}]*;\s*$", re.DOTALL)  # statements that declare nothing
CONDITION = re.compile(r"^(else )?if \((.*)\)( \{)?$", re.DOTALL)


def switched(before, after, number):
    """Text that does as `before`, or as `after` when the mutant of this number is chosen; None where that needs a compiler's eyes."""
    out = f"LeftOut({number})"
    if not after and before.rstrip().endswith(" ||"):
        return f"(!{out} && ({before.rstrip()[:-3]})) || "
    if not after and before.lstrip().startswith("|| "):
        return f" || (!{out} && ({before.lstrip()[3:]}))"
    if not after and before.lstrip().startswith("&& "):
        return f" && ({out} || ({before.lstrip()[3:]}))"
    if PLAIN.match(before) and (not after or PLAIN.match(after)):
        return f"if ({out}) {{ {after} }} else {{ {before} }}"
    condition, other = CONDITION.match(before), CONDITION.match(after)
    if condition and other:
        return f"{condition[1] or ''}if ({out} ? bool({other[2]}) : bool({condition[2]})){condition[3] or ''}"
    if after and not re.search(r"[;{}]|^if|^ASSIGN|^ |^&&|^\|\||\|\|$|&&$", before.strip()) and not re.search(r"[;{}]", after):
        return f"({out} ? ({after}) : ({before}))"
    return None


class Switchboard:
    """All mutants of one file that can be in one program, which takes the number of the one to be from MUTANT. `rest` are those that
    need a program of their own."""

    def __init__(self, root, path, mutants):
        self.path, self.numbers, self.rest = path, {}, []
        self.text = (root / path).read_text(encoding="utf-8")
        for number, mutant in enumerate(mutants, 1):
            text = switched(mutant.before, mutant.after, number)
            if text is None or self.text.count(mutant.before) != 1:
                self.rest.append(mutant)
                continue
            self.text = self.text.replace(mutant.before, text)
            self.numbers[mutant] = number
        self.text = SWITCH + self.text


class ScriptMutant(Mutant):
    """Of a script of the store, named as Make names it, or of what all of them begin with (""): one program has all of them, and takes
    the mutant from its environment. `apply` makes that program's source."""

    MAKE = "texts.push_back(std::string(kPrelude) + body);"
    LIVE = """
    std::string text = std::string(kPrelude) + body;
    const char* script = std::getenv("MUTANT_SCRIPT");
    const std::string before = script == nullptr ? "" : std::getenv("MUTANT_BEFORE");
    if (script != nullptr && (*script == 0 || name == script)) {
      const size_t at = *script == 0 ? text.find(before) : text.rfind(before);
      if (at != std::string::npos) text.replace(at, before.size(), std::getenv("MUTANT_AFTER"));
    }
    texts.push_back(std::move(text));"""

    def __init__(self, script, what, path, before, after, tests, within):
        where = f"script {script}" if script else "every script"
        super().__init__(where, what, path, before, after, tests, within)
        self.environment = {"MUTANT_SCRIPT": script, "MUTANT_BEFORE": before, "MUTANT_AFTER": after}

    def apply(self, text):
        super().apply(text)  # it fits
        if text.count(self.MAKE) != 1:
            raise ValueError(f"{self.MAKE} is not in {self.path}")
        return "#include <cstdlib>\n" + text.replace(self.MAKE, self.LIVE)
