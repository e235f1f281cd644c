#!/usr/bin/env python3
"""Writes the tables of docs/interop.md from numbers.tsv and from what the last runs of the suite left in results.tsv."""
import collections
import sys

import suite
from harness import ROOT

PAGE = ROOT / "docs" / "interop.md"
# How the suite is run, and the end of the name that run.py gives a broker in that run.
PASSES = {"classic groups": "", "consumer groups": "/consumer", "idempotent producers": "/idempotent"}
BEGIN, END = "<!-- report -->\n", "<!-- end of report -->"


def last_results():
    """{(key, broker): (state, tries, seconds)}; of Klamm's lines those of the last binary that ran the number."""
    found = {}
    for line in (suite.HOME.parent / "results.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        key, broker, state, tries, seconds, *_ = line.split("\t")
        name, _, variant = broker.partition("/")
        found[key, name.split("@")[0] + (f"/{variant}" if variant else "")] = (state, tries, float(seconds))
    return found


def cell(result):
    if result is None:
        return "not run"
    state, tries, seconds = result
    return f"{state}, {seconds:.0f} s" + (f", try {tries}" if tries != "1" else "")


def kafkas(row, variant, found):
    """What Apache Kafka did in the last runs, else what the table remembers of it."""
    if run := found.get((row.key, "kafka" + variant)):
        return cell(run)
    return row.kafka.get(variant.lstrip("/") or "classic") or "not run"


def running(rows, found):
    yield "| number | name | " + " | ".join(f"{name}: Apache Kafka | Klamm" for name in PASSES) + " | note |"
    yield "|---|---|" + "---|---|" * len(PASSES) + "---|"
    for row in rows:
        cells = [cell(found.get((row.key, "klamm" + variant))) if broker == "klamm" else kafkas(row, variant, found)
                 for variant in PASSES.values() for broker in ("kafka", "klamm")]
        yield f"| {row.name_in_table} | {row.name} | {' | '.join(cells)} | {row.note} |"


def sums(rows, found):
    for name, variant in PASSES.items():
        ours = sum(found.get((row.key, "klamm" + variant), ("",))[0] == "passed" for row in rows)
        states = [state for row in rows if (state := kafkas(row, variant, found)) != "not run"]
        theirs = sum(state.startswith("passed") for state in states)
        yield f"- {name}: {ours} of {len(rows)} pass on Klamm; of the {len(states)} that were run on Apache Kafka {theirs} pass there"


def waiting(rows):
    by_capability = collections.defaultdict(list)
    for row in rows:
        by_capability[row.needs].append(row)
    yield "| waits for | number | name | Apache Kafka: classic groups | consumer groups | note |"
    yield "|---|---|---|---|---|---|"
    for capability, group in by_capability.items():
        for row in group:
            where = f" ({row.scenario})" if row.scenario != "default" else ""
            yield (f"| {capability} | {row.name_in_table}{where} | {row.name} | {row.kafka['classic'] or 'not run'} | "
                   f"{row.kafka['consumer'] or 'not run'} | {row.note} |")


def main():
    rows, found = suite.table(), last_results()
    runs, waits = [row for row in rows if not row.needs], [row for row in rows if row.needs]
    text = "\n".join([f"{len(rows)} rows: {len(runs)} run, {len(waits)} wait.", "", *sums(runs, found), "",
                      *running(runs, found), "", *waiting(waits), ""])
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    PAGE.write_text(head + BEGIN + text + END + rest.split(END)[1], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
