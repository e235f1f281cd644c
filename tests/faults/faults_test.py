#!/usr/bin/env python3
"""Real faults on a real broker. `faults_test.py --short`: the minute of ./check; `--full`: all of it, and what the same binary passed before is
not done again; `faults_test.py NAME ...`: the named ones. See docs/reliability.md."""
import argparse
import functools
import hashlib
import inspect
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import load  # noqa: E402  (finds the neighbours' modules)
import bare_ext4  # noqa: E402
import damage  # noqa: E402
import disk_errors  # noqa: E402
import faulty  # noqa: E402
import history  # noqa: E402
import kill  # noqa: E402
import mounts  # noqa: E402
import power  # noqa: E402
import resources  # noqa: E402
from faulty import SCRATCH, Table  # noqa: E402
from harness import KLAMM, ROOT  # noqa: E402
from mounts import CannotMount  # noqa: E402


def at(story, *calls):
    return functools.partial(story, calls=calls)


# name: (story, rounds in ./check (0: not there), rounds in the whole).
FAULTS = {
    "kill": (kill.at_random, 4, 50),
    "kill-write": (at(kill.at_calls, "pwritev"), 1, 50),
    "kill-sync": (at(kill.at_calls, "fdatasync", "fsync"), 2, 50),
    "kill-rename": (at(kill.at_calls, "rename"), 1, 50),
    "kill-open": (at(kill.at_calls, "openat", "close", "mkdir"), 1, 50),
    "kill-others": (at(kill.at_calls, "unlink", "ftruncate", "write", "pread64", "getdents64"), 1, 50),
    "bare": (bare_ext4.story, 3, 150),
    "power": (power.under_load, 3, 50),
    "power-bounds": (power.bounded_loss, 0, 20),
    "power-first-second": (power.first_second, 4, 100),
    "power-answers": (power.after_answers, 6, 100),
    "torn": (damage.torn_tails, 10, 200),
    "flips": (damage.flipped, 0, 6),
    "missing": (damage.missing, 0, 2),
    "failed-sync": (disk_errors.failed_sync, 2, 50),
    "last-directory": (disk_errors.last_directory, 2, 50),
    "errors": (disk_errors.at_calls, 0, 150),
    "errors-libfiu": (resources.random_errors, 0, 50),
    "short": (resources.short_calls, 1, 50),
    "full": (resources.full_disk, 2, 12),
    "descriptors": (resources.few_descriptors, 1, 10),
    "stopped": (resources.stopped, 3, 50),
    "clock": (resources.clock_jumps, 3, 50),
}


class Passed:
    """Rows of stories that this binary passed, by name: a run that was cut off goes on."""

    def __init__(self, binary):
        self.file = ROOT / "build" / "faults" / "passed.tsv"
        digest = hashlib.sha256(binary.read_bytes())
        for module in (faulty, load, history, mounts):
            digest.update(pathlib.Path(module.__file__).read_bytes())
        self.keys = {name: self.key(name, digest.copy()) for name in FAULTS}
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        found = {}
        for line in lines:
            key, name, *row = line.split("\t")
            found.setdefault((key, name), []).append(tuple(row))
        self.rows = {name: found[key, name] for name, key in self.keys.items() if (key, name) in found}

    @staticmethod
    def key(name, digest):
        story, _, rounds = FAULTS[name]
        digest.update(pathlib.Path(inspect.getfile(getattr(story, "func", story))).read_bytes() + str(rounds).encode())
        return digest.hexdigest()[:16]

    def keep(self, name, rows):
        self.rows[name] = rows
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "a", encoding="utf-8") as out:
            for row in rows:
                out.write("\t".join(map(str, (self.keys[name], name, *row))) + "\n")


def play(table, name, story, rounds):
    home = pathlib.Path(tempfile.mkdtemp(prefix=f"klamm-faults-{name}-", dir=SCRATCH))
    started, before = time.monotonic(), table.failed
    try:
        story(table, home, rounds)
    except CannotMount as error:
        table.skip(name, error)
    except Exception as error:  # the other faults are tried all the same
        table.row(name, 0, 0, 0, [f"{type(error).__name__}: {error}"])
    print(f"     {time.monotonic() - started:.1f} s", flush=True)
    if table.failed == before:
        shutil.rmtree(home, ignore_errors=True)
    else:
        print(f"     kept: {home}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    parser.add_argument("--short", action="store_true", help="the rounds of ./check")
    parser.add_argument("--full", action="store_true", help="all of them, but what passed before")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    if unknown := set(options.names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(unknown)}")
    mounts.keep_to_ourselves()
    with tempfile.TemporaryDirectory(prefix="klamm-faults-binary-", dir=SCRATCH) as directory:
        faulty.BINARY = shutil.copy2(KLAMM, directory)
        passed = Passed(pathlib.Path(faulty.BINARY)) if options.full else None
        table = Table()
        for name in options.names or FAULTS:
            story, few, many = FAULTS[name]
            if passed and name in passed.rows:
                table.rows += passed.rows[name]
                print(f"ok   {name}: passed before", flush=True)
                continue
            rounds = options.rounds or (few if options.short else many)
            if rounds == 0:
                continue
            at_first, failed, skipped = len(table.rows), table.failed, table.skipped
            play(table, name, story, rounds)
            if passed and (failed, skipped) == (table.failed, table.skipped):
                passed.keep(name, table.rows[at_first:])
        return table.close()


if __name__ == "__main__":
    sys.exit(main())
