#!/usr/bin/env python3
"""Runs the numbers of numbers.tsv that run against Klamm: every one must pass, in three tries at most.

  run.py                       those whose verdict is 'runs'; what passed with this binary is kept and not run again
  run.py --on kafka            the same against Apache Kafka, with the same settings
  run.py --compare             both; the number has to pass on Klamm when it passes on Kafka
  run.py --waiting             those that wait for a capability: which of them could be switched on
  run.py --protocol consumer   consumers of groups use the protocol of KIP-848
  run.py --idempotent          all producers are idempotent
  run.py --write-table         puts what Apache Kafka answered so far into numbers.tsv, runs nothing
  run.py 0011 0073 ...         only these
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

import brokers
import suite
from harness import KLAMM

TRIES = 3
FIELDS = "number\tbroker\tstate\ttries\tseconds\twhat failed"


class Results:
    """What has been run, a line each, so that a run that was cut off goes on. Klamm's lines hold for one binary only."""

    def __init__(self, binary, protocol, idempotent, fresh):
        self.stamp = str(int(binary.stat().st_mtime))
        self.protocol, self.idempotent = protocol, idempotent
        self.path = suite.HOME.parent / "results.tsv"
        self.done = {}
        if fresh or not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(FIELDS + "\n", encoding="utf-8")
        for line in self.path.read_text(encoding="utf-8").splitlines()[1:]:
            key, broker, state, *_ = line.split("\t")
            self.done[key, broker] = state

    def name(self, broker, protocol=None):
        plain = f"klamm@{self.stamp}" if broker == "klamm" else broker
        if protocol is None and self.idempotent:
            plain += "/idempotent"
        protocol = protocol or self.protocol
        return plain if protocol == "classic" else f"{plain}/{protocol}"

    def get(self, row, broker, protocol=None):
        return self.done.get((row.key, self.name(broker, protocol)))

    def add(self, row, broker, outcome, tries):
        self.done[row.key, self.name(broker)] = outcome.state
        with open(self.path, "a", encoding="utf-8") as out:
            text = outcome.text.replace("\t", " ")
            out.write(f"{row.key}\t{self.name(broker)}\t{outcome.state}\t{tries}\t{outcome.seconds:.1f}\t{text}\n")


def run_on(kind, scenario, rows, results, binary, options):
    """Runs what has not been decided yet, all numbers of a scenario on one broker."""
    decided = {"passed"} if kind == "klamm" or options.again else {"passed", "failed", "skipped"}
    left = [row for row in rows if row.scenario == scenario and results.get(row, kind) not in decided]
    if not left:
        return
    logs = suite.HOME.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with brokers.Klamm(scenario, binary) if kind == "klamm" else brokers.Kafka(scenario) as broker:
        for row in left:
            variant = ("" if options.protocol == "classic" else "-" + options.protocol) + ("-idempotent" if options.idempotent else "")
            log = logs / f"{row.key}-{kind}{variant}.log"
            for attempt in range(1, options.tries + 1):
                outcome = suite.run_number(row, options.protocol, broker, log, options.minutes, options.idempotent)
                if outcome.state in ("passed", "skipped"):
                    break
            results.add(row, kind, outcome, attempt)
            print(f"{time.strftime('%H:%M:%S')} {results.name(kind)} {row.key} {row.name}: {outcome.state} "
                  f"after {outcome.seconds:.1f} s, try {attempt} {outcome.text}", flush=True)


def verdict_of(rows, results, kinds):
    """Counts what passed and what must not fail; prints the others."""
    passed = failed = 0
    for row in rows:
        states = {kind: results.get(row, kind) for kind in kinds}
        if states[kinds[-1]] == "passed":
            passed += 1
        elif states.get("kafka") == "passed" or len(kinds) == 1:
            failed += 1
            print(f"FAIL {row.key} {row.name}: {states}")
        else:
            print(f"fails on both: {row.key} {row.name}: {states}")
    return passed, failed


def write_table(results):
    rows = suite.table()
    for row in rows:
        for protocol in row.kafka:
            row.kafka[protocol] = results.get(row, "kafka", protocol) or row.kafka[protocol]
    suite.write_table(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=("klamm", "kafka"), default="klamm")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--waiting", action="store_true")
    parser.add_argument("--protocol", choices=("classic", "consumer"), default="classic")
    parser.add_argument("--idempotent", action="store_true")
    parser.add_argument("--write-table", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="forget what was run before")
    parser.add_argument("--again", action="store_true", help="run also what failed on Apache Kafka before")
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--minutes", type=float, default=10, help="the longest one try may take")
    parser.add_argument("numbers", nargs="*")
    options = parser.parse_args()

    every = suite.table()
    rows = [row for row in every
            if {row.number, row.name_in_table} & set(options.numbers) or not options.numbers and bool(row.needs) == options.waiting]
    suite.build()
    kinds = ["kafka", "klamm"] if options.compare else [options.on]
    with tempfile.TemporaryDirectory(prefix="klamm-librdkafka-binary-") as directory:
        binary = pathlib.Path(shutil.copy2(os.path.realpath(KLAMM), directory))
        results = Results(binary, options.protocol, options.idempotent, options.fresh)
        if options.write_table:
            write_table(results)
            return 0
        for kind in kinds:
            for scenario in brokers.SCENARIOS:
                run_on(kind, scenario, rows, results, binary, options)

    passed, failed = verdict_of(rows, results, kinds)
    print(f"{sum(bool(row.needs) for row in every)} rows wait for a capability, see tests/interop/librdkafka/numbers.tsv")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
