#!/usr/bin/env python3
"""Every version, direction and kind of stop: twelve directories, each written by one owner, taken over by the other and given back.
What passed with this binary is kept in build/interop/takeover/, so a run that was cut off goes on; a word picks the stories whose name has it."""
import argparse
import contextlib
import hashlib
import json
import sys
import time

import story
from driver import Driver
from kafka import CACHE, Kafka, Klamm
from node import Node

from harness import Checks

RESULTS = CACHE / "takeover"
# Small enough that every story writes several.
SNAPSHOTS = {"metadata.log.max.record.bytes.between.snapshots": "4000"}

# Who begins, with whom it changes, how both stop, how the quorum is kept, how many log.dirs.
STORIES = [
    ("4.3.1", "klamm", "clean", "static", 2),
    ("4.3.1", "klamm", "kill", "standalone", 3),
    ("klamm", "4.3.1", "clean", "self", 2),
    ("klamm", "4.3.1", "kill", "standalone", 1),
    ("4.4.0", "klamm", "clean", "standalone", 2),
    ("4.4.0", "klamm", "kill", "static", 3),
    ("klamm", "4.4.0", "clean", "standalone", 3),
    ("klamm", "4.4.0", "kill", "self", 2),
    ("3.9.2", "klamm", "clean", "static", 2),
    ("3.9.2", "klamm", "kill", "standalone", 2),
    ("klamm", "3.9.2", "clean", "standalone", 1),
    ("klamm", "3.9.2", "kill", "static", 3),
]


def name_of(first, second, stop, kind, directories):
    return f"{first}-{second}-{stop}-{kind}-{directories}"


def owner(version):
    return Klamm() if version == "klamm" else Kafka(version)


def binary():
    return hashlib.sha256(Klamm.binary.read_bytes()).hexdigest()[:16]


def run(driver, entry, scale):
    """The row of one directory; what was checked goes to a log."""
    first, second, stop, kind, directories = entry
    release = "3.9" if first == "klamm" and second == "3.9.2" else None
    checks, began, told = Checks("takeover"), time.monotonic(), None
    log = RESULTS / f"{name_of(*entry)}.log"
    with open(log, "w", encoding="utf-8") as out, contextlib.redirect_stdout(out):
        try:
            with Node(name_of(*entry), kind, directories, SNAPSHOTS) as node:
                told = story.play(node, driver, checks, owner(first), owner(second), stop == "clean", scale, more=int(4000 * scale),
                                  release=release)
        except Exception as error:  # whatever ends the story is the finding
            checks.check("the story comes to its end", False, f"{type(error).__name__}: {error}")
    row = {"name": name_of(*entry), "binary": binary(), "scale": scale, "passed": checks.passed, "failed": checks.failed,
           "seconds": round(time.monotonic() - began)}
    if told:
        row |= told.totals
        row["kinds"] = told.kinds
    if checks.failed:
        print(f"FAIL {row['name']}, see {log}")
        print("".join(f"    {line[:300]}\n" for line in log.read_text().splitlines() if line.startswith(("FAIL", "     "))))
    return row


def table(rows):
    keys = ["records", "compared", "files", "dumped", "differences", "passed", "failed", "seconds"]
    print(f"{'directory':<36}" + "".join(f"{key:>12}" for key in keys))
    for row in rows:
        print(f"{row['name']:<36}" + "".join(f"{row.get(key, '-'):>12}" for key in keys))
    print(f"{len(rows):>3} {'directories':<32}" + "".join(f"{sum(row.get(key, 0) for row in rows):>12}" for key in keys))
    kinds = {}
    for row in rows:
        for kind, count in row.get("kinds", {}).items():
            kinds[kind] = kinds.get(kind, 0) + count
    print("files of each kind: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 writes 120,000 records into a directory")
    parser.add_argument("--again", action="store_true", help="also what passed already")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = RESULTS / "results.jsonl"
    known = {}
    if kept.exists() and not options.again:
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            if row["binary"] == binary() and row["scale"] == options.scale and not row["failed"]:
                known[row["name"]] = row
    rows = []
    with Driver() as driver:
        for entry in STORIES:
            name = name_of(*entry)
            if options.words and not any(word in name for word in options.words):
                continue
            if name not in known:
                known[name] = run(driver, entry, options.scale)
                with open(kept, "a", encoding="utf-8") as out:
                    out.write(json.dumps(known[name]) + "\n")
            row = known[name]
            print(f"{'FAIL' if row['failed'] else 'ok  '} {name} {row['passed']} passed {row['failed']} failed {row['seconds']} s", flush=True)
            rows.append(row)
    table(rows)
    failed = sum(row["failed"] for row in rows)
    print(f"{sum(row['passed'] for row in rows)} passed, {failed} failed, 0 skipped")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
