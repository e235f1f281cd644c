#!/usr/bin/env python3
"""Runs the workloads on Klamm, Apache Kafka and the floor in turn, round by round, and prints ratios with their spread.

A round is valid when neither the hypervisor nor other processes took more than 5 % of a core from it. Results are kept as JSON
lines in build/bench/results.jsonl; a run that was cut off goes on where it was, with the same binary.
"""
import argparse
import fcntl
import sys

import render
import results
import runner
import servers
import table
import workloads

QUICK_PART = "fixed"


def parsed():
    parser = argparse.ArgumentParser(prog="./bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help="parts to run; all without any")
    parser.add_argument("--quick", action="store_true", help=f"one part ({QUICK_PART}), 20 s of warm-up, one round: not for quoting")
    parser.add_argument("--list", action="store_true", help="the parts and their workloads")
    parser.add_argument("--render", action="store_true", help="writes docs/performance.md and its plots from what was measured")
    for name, what in (("rounds", "valid rounds of each server"), ("seconds", "of a round"), ("warm-up", "seconds, of a JVM"),
                       ("tries", "rounds at most")):
        parser.add_argument(f"--{name}", type=int, help=f"{what}: other than usual, to try the runner; not for quoting")
    options = parser.parse_args()
    if unknown := set(options.part) - set(workloads.parts()):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(workloads.parts())}")
    return options


def alone():
    """The lock that this run holds to its end: two at once would measure one another."""
    lock = open(servers.CACHE / ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("Another ./bench is running here.") from None
    return lock


def main():
    options = parsed()
    if options.list:
        for workload in workloads.ALL:
            print(f"{workload.part:<13} {workload.name}")
        return 0
    servers.CACHE.mkdir(parents=True, exist_ok=True)
    if options.render:
        render.render(results.Results())
        return 0
    lock = alone()  # noqa: F841  (held)
    lengths = runner.QUICK if options.quick else runner.Lengths()
    changed = {name: value for name in ("rounds", "seconds", "warm_up", "tries") if (value := getattr(options, name)) is not None}
    lengths = runner.dataclasses.replace(lengths, **changed)
    quick = options.quick or bool(changed)
    kept = results.Results(quick)
    kept.note_machine()
    names = options.part or ([QUICK_PART] if options.quick else [])
    running = runner.Runner(kept, lengths)
    for part in names or workloads.parts():
        running.part(part, runner.chosen([part]))
    print(("QUICK RUN, NOT FOR QUOTING\n" if quick else "") + table.table(runner.chosen(names), kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
