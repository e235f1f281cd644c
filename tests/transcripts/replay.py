#!/usr/bin/env python3
"""Replays transcripts of the tools: each command is run against a broker, its output and exit code are compared.

A transcript is text (see README.md):
    $ kafka-topics --bootstrap-server $B --list      a command; the tool's name is Kafka's
    < hello                                          a line of its standard input
    1| t1                                            a line of standard output, 2| of standard error
    exit 0
    unordered                                        the lines of standard output may stand in any order
    against kafka                                    only for a broker that --bootstrap names; "against klamm": only for ours
    # text                                           a remark
    @file NAME                                       writes a file into $W: the lines that follow, each with "| " before it
"""
import argparse
import contextlib
import dataclasses
import difflib
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))
import harness  # noqa: E402

# What stands for a text that differs from run to run.
PLACEHOLDERS = {
    "<ts>": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}",
    "<ms>": r"\d{13}",
    "<n>": r"\d+",
    "<id22>": r"[A-Za-z0-9_-]{22}",
    "<cluster-id>": r"\S+",
    "<any>": r".*",
}


@dataclasses.dataclass
class Entry:
    where: str
    command: str
    stdin: list = dataclasses.field(default_factory=list)
    out: list = dataclasses.field(default_factory=list)
    err: list = dataclasses.field(default_factory=list)
    exit: int = 0
    unordered: bool = False
    against: str = ""


@dataclasses.dataclass
class File:
    name: str
    lines: list = dataclasses.field(default_factory=list)


def parse(path):
    steps = []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        last = steps[-1] if steps else None
        if line.startswith("$ "):
            steps.append(Entry(f"{path.name}:{number}", line[2:]))
        elif line.startswith("@file "):
            steps.append(File(line[6:]))
        elif line.startswith("| "):
            last.lines.append(line[2:])
        elif line.startswith("< ") or line == "<":
            last.stdin.append(line[2:])
        elif line.startswith("1| ") or line == "1|":
            last.out.append(line[3:])
        elif line.startswith("2| ") or line == "2|":
            last.err.append(line[3:])
        elif line.startswith("exit "):
            last.exit = int(line[5:])
        elif line == "unordered":
            last.unordered = True
        elif line.startswith("against "):
            last.against = line[8:]
        elif line and not line.startswith("#"):
            raise ValueError(f"{path.name}:{number}: {line}")
    return steps


def pattern_of(line, variables):
    for name, value in variables.items():
        line = line.replace(name, value)
    pattern = re.escape(line)
    for placeholder, expression in PLACEHOLDERS.items():
        pattern = pattern.replace(re.escape(placeholder), expression)
    return pattern


def matches(expected, actual, variables):
    """Lines against lines; <usage> stands for one or more lines, <...> for any number."""
    if not expected:
        return not actual
    first = expected[0]
    if first in ("<usage>", "<...>"):
        least = 1 if first == "<usage>" else 0
        return any(matches(expected[1:], actual[i:], variables) for i in range(len(actual), least - 1, -1))
    return bool(actual) and re.fullmatch(pattern_of(first, variables), actual[0]) is not None and \
        matches(expected[1:], actual[1:], variables)


def lines_of(text):
    """A last line without an end counts as one with."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def without_warnings(text):
    """Warnings of the client depend on timing; the transcripts have none."""
    return [line for line in lines_of(text) if not re.match(r"\[[^]]*\] WARN ", line)]


class Replay:
    def __init__(self, broker, klamm, data, work):
        self.klamm, self.work = klamm, work
        dead = f"localhost:{harness.free_port()}"
        self.variables = {"$BROKER": broker, "$B": f"{broker}", "$W": str(self.work), "$DATA": str(data), "$DEAD": dead,
                          "$FILES": str(HERE / "files"), "$FAST": str(self.work / "fast.properties")}
        (self.work / "fast.properties").write_text(
            "default.api.timeout.ms=1000\nrequest.timeout.ms=900\nmax.block.ms=1000\ndelivery.timeout.ms=1000\nlinger.ms=0\n")

    def write(self, file):
        (self.work / file.name).write_text("\n".join(file.lines) + "\n")

    def run(self, entry):
        command = entry.command
        for name, value in self.variables.items():
            command = command.replace(name, value)
        words = shlex.split(command)
        tool = words[0].removeprefix("kafka-")
        return subprocess.run([self.klamm, tool, *words[1:]], input="".join(line + "\n" for line in entry.stdin), text=True,
                              capture_output=True, timeout=60, errors="replace", check=False)

    def check(self, entry):
        """An empty text when all is as it should be."""
        try:
            done = self.run(entry)
        except subprocess.TimeoutExpired:
            return "still running after 60 s"
        problems = []
        arranged = sorted if entry.unordered else list
        for name, expected, actual in (("standard output", arranged(entry.out), arranged(lines_of(done.stdout))),
                                       ("standard error", entry.err, without_warnings(done.stderr))):
            if not matches(expected, actual, self.variables):
                problems.append(f"{name}:\n" + "".join(f"      {line}\n" for line in self.compared(expected, actual)))
        if done.returncode != entry.exit:
            problems.append(f"exit {done.returncode}, not {entry.exit}\n")
        return "    ".join(problems)

    def compared(self, expected, actual):
        """The lines that differ, a line of agreement around them."""
        named = list(expected)  # an expected line that a line of the output matches is shown as that line
        for i, line in enumerate(expected):
            named[i] = next((a for a in actual if re.fullmatch(pattern_of(line, self.variables), a)), line)
        return list(difflib.unified_diff(named, actual, n=1, lineterm=""))[2:]

    def all(self, files, against):
        passed = failed = 0
        for step in (step for path in files for step in parse(path)):
            if isinstance(step, File):
                self.write(step)
            elif step.against in ("", against):
                problem = self.check(step)
                passed, failed = passed + (not problem), failed + bool(problem)
                if problem:
                    print(f"FAILED {step.where}: {step.command}\n    {problem}", flush=True)
        return passed, failed


def sections():
    """Those of order.txt, each for a broker of its own: console consumers leave groups behind, which tools for groups list."""
    return [[HERE / name for name in section.split()] for section in (HERE / "order.txt").read_text().split("\n\n")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="transcripts; all of this folder without it")
    parser.add_argument("--klamm", default=str(harness.KLAMM))
    parser.add_argument("--bootstrap", help="a running broker instead of a new one")
    parser.add_argument("--data", help="its log directory")
    options = parser.parse_args()
    passed = failed = 0
    for files in [options.files] if options.files else sections():
        with contextlib.ExitStack() as stack:
            work = stack.enter_context(tempfile.TemporaryDirectory(prefix="klamm-transcripts-"))
            if options.bootstrap:
                bootstrap, data = options.bootstrap, options.data or "/nowhere"
            else:
                broker = stack.enter_context(harness.Broker({"group.initial.rebalance.delay.ms": "0"}))
                bootstrap, data = broker.bootstrap, broker.directory / "data"
            replay = Replay(bootstrap, options.klamm, data, pathlib.Path(work))
            counts = replay.all([pathlib.Path(file) for file in files], "kafka" if options.bootstrap else "klamm")
            passed, failed = passed + counts[0], failed + counts[1]
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
