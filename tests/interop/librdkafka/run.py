#!/usr/bin/env python3
"""Runs the numbers of numbers.tsv that run against Klamm: every one must pass, in three tries at most.

  run.py                     those whose verdict is 'runs'; what passed with this binary is kept and not run again
  run.py --on kafka          the same against Apache Kafka, with the same settings
  run.py --compare           both; the number has to pass on Klamm when it passes on Kafka
  run.py --waiting           those that wait for a capability: which of them could be switched on
  run.py 0011 0073 ...       only these
"""
import argparse
import sys
import time

import brokers
import suite

TRIES = 3
FIELDS = "number\tbroker\tstate\ttries\tseconds\twhat failed"


class Results:
    """What has been run, a line each, so that a run that was cut off goes on. Klamm's lines hold for one binary only."""

    def __init__(self, fresh):
        binary = suite.ROOT / "build" / "release" / "klamm"
        self.stamp = str(int(binary.stat().st_mtime))
        self.path = suite.HOME.parent / "results.tsv"
        self.done = {}
        if fresh or not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(FIELDS + "\n", encoding="utf-8")
        for line in self.path.read_text(encoding="utf-8").splitlines()[1:]:
            number, broker, state, *_ = line.split("\t")
            self.done[number, broker] = state

    def name(self, broker):
        return f"klamm@{self.stamp}" if broker == "klamm" else broker

    def get(self, number, broker):
        return self.done.get((number, self.name(broker)))

    def add(self, number, broker, outcome, tries):
        self.done[number, self.name(broker)] = outcome.state
        with open(self.path, "a", encoding="utf-8") as out:
            text = outcome.text.replace("\t", " ")
            out.write(f"{number}\t{self.name(broker)}\t{outcome.state}\t{tries}\t{outcome.seconds:.1f}\t{text}\n")


def run_on(kind, scenario, rows, results, options):
    """Runs what has not passed yet, all numbers of a scenario on one broker."""
    rows = [row for row in rows if row.scenario == scenario]
    left = [row for row in rows if results.get(row.number, kind) not in (("passed",) if kind == "klamm" else ("passed", "failed"))]
    if not left:
        return
    logs = suite.HOME.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with brokers.klamm(scenario) if kind == "klamm" else brokers.Kafka(scenario) as broker:
        for row in left:
            for attempt in range(1, options.tries + 1):
                outcome = suite.run_number(row, broker.bootstrap, logs / f"{row.number}-{kind}.log", options.minutes)
                if outcome.state in ("passed", "skipped"):
                    break
            results.add(row.number, kind, outcome, attempt)
            print(f"{time.strftime('%H:%M:%S')} {kind} {row.number} {row.name}: {outcome.state} after {outcome.seconds:.1f} s, "
                  f"try {attempt} {outcome.text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=("klamm", "kafka"), default="klamm")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--waiting", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="forget what was run before")
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--minutes", type=float, default=10, help="the longest one try may take")
    parser.add_argument("numbers", nargs="*")
    options = parser.parse_args()

    rows = [row for row in suite.table() if row.number in options.numbers or not options.numbers and bool(row.needs) == options.waiting]
    suite.build()
    results = Results(options.fresh)
    kinds = ["kafka", "klamm"] if options.compare else [options.on]
    for kind in kinds:
        for scenario in brokers.SCENARIOS:
            run_on(kind, scenario, rows, results, options)

    passed = failed = 0
    for row in rows:
        states = {kind: results.get(row.number, kind) for kind in kinds}
        ours = states[kinds[-1]]
        if ours == "passed":
            passed += 1
        elif states.get("kafka") == "passed" or not options.compare:
            failed += 1
            print(f"FAIL {row.number} {row.name}: {states}")
        else:
            print(f"fails on both: {row.number} {row.name}: {states}")
    waiting = sum(bool(row.needs) for row in suite.table())
    print(f"{waiting} numbers wait for a capability, see tests/interop/librdkafka/numbers.tsv")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
