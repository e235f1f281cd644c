#!/usr/bin/env python3
"""Real faults on a real broker: `faults_test.py [NAME ...]`; without a name the short table of ./check. See docs/reliability.md."""
import argparse
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load  # noqa: E402, F401  (finds the neighbours' modules)
import disk_errors  # noqa: E402
import kill  # noqa: E402
import power  # noqa: E402
from faulty import SCRATCH, Table  # noqa: E402
from mounts import CannotMount  # noqa: E402

# name: (short, long); each is called with a table and an empty directory.
FAULTS = {
    "kill": ([lambda t, d: kill.at_random(t, d, 10)], [lambda t, d: kill.at_random(t, d, 50)]),
    "calls": ([lambda t, d: kill.at_calls(t, d, 6)], [lambda t, d: kill.at_calls(t, d, 120)]),
    "errors": ([lambda t, d: disk_errors.failed_sync(t, d, 2), lambda t, d: disk_errors.last_directory(t, d, 2)],
               [lambda t, d: disk_errors.failed_sync(t, d, 20), lambda t, d: disk_errors.last_directory(t, d, 10),
                lambda t, d: disk_errors.at_calls(t, d, 140)]),
    "power": ([lambda t, d: power.under_load(t, d, 3), lambda t, d: power.first_second(t, d, 6), lambda t, d: power.after_answers(t, d, 6)],
              [lambda t, d: power.under_load(t, d, 50), lambda t, d: power.first_second(t, d, 100), lambda t, d: power.after_answers(t, d, 100)]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    parser.add_argument("--short", action="store_true", help="the named ones as ./check runs them")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(unknown)}")
    table = Table()
    for name in options.names or FAULTS:
        for story in FAULTS[name][1 if options.names and not options.short else 0]:
            home = pathlib.Path(tempfile.mkdtemp(prefix=f"klamm-faults-{name}-", dir=SCRATCH))
            started, before = time.monotonic(), table.failed
            try:
                story(table, home)
            except CannotMount as error:
                table.skip(name, error)
            except Exception as error:  # the other faults are tried all the same
                table.row(name, 0, 0, 0, [f"{type(error).__name__}: {error}"])
            print(f"     {time.monotonic() - started:.1f} s", flush=True)
            if table.failed == before:
                shutil.rmtree(home, ignore_errors=True)
            else:
                print(f"     kept: {home}", flush=True)
    return table.close()


if __name__ == "__main__":
    sys.exit(main())
