#!/usr/bin/env python3
"""Transactions with the Java clients, old and new, and a copy loop that is exactly once while the broker is killed inside open
transactions. `--full`: 20 rounds of 100,000 records with at least five kills each."""
import argparse
import collections
import json
import random
import re
import subprocess
import sys
import time

from harness import KLAMM, ROOT, Broker, Checks
from java_test import jars
from talking import Talking

VERSIONS = (("4.4.0", ("TransactionStory", "TransactionAdminStory")), ("2.1.1", ("TransactionStory",)))
# What is set for a test only: a transaction that times out is found at once.
SETTINGS = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200", "num.partitions": "2",
            "group.initial.rebalance.delay.ms": "0"}
PARTITIONS = 3


def compiled(version, stories):
    directory = jars(version)
    sources = [str(ROOT / "tests/interop/java" / f"{story}.java") for story in stories]
    subprocess.run(["javac", "-nowarn", "-cp", f"{directory}/libs/*", "-d", str(directory), *sources], check=True)
    return f"{directory}:{directory}/libs/*"


def tell_stories(checks):
    for version, stories in VERSIONS:
        classes = compiled(version, stories)
        for story in stories:
            with Broker(SETTINGS) as broker:
                done = subprocess.run(["java", "-Xmx256m", "-cp", classes, story, broker.bootstrap, version],
                                      capture_output=True, text=True, timeout=180, check=False)
            print(done.stdout, done.stderr[-3000:], sep="", flush=True)
            counted = re.findall(r"(\d+) passed, (\d+) failed", done.stdout)
            checks.passed += int(counted[-1][0]) if counted else 0
            checks.failed += int(counted[-1][1]) if counted else 1


class Copier(Talking):
    """The copy loop in a process of its own."""

    def __init__(self, classes, broker, name):
        super().__init__(["java", "-Xmx256m", "-cp", classes, "CopyLoop", broker.bootstrap, "input", "output", str(PARTITIONS), name], patience=120,
                         stderr=subprocess.DEVNULL)


def tool(broker, *arguments, text=None):
    done = subprocess.run([str(KLAMM), arguments[0], "--bootstrap-server", broker.bootstrap, *arguments[1:]], input=text,
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout


def copied(broker, count):
    """The values in the copy, as whoever reads committed records sees them."""
    out = tool(broker, "console-consumer", "--topic", "output", "--from-beginning", "--timeout-ms", "2000",
               "--command-property", "isolation.level=read_committed")
    return collections.Counter(line for line in out.splitlines() if line)


def copy_through_kills(checks, classes, rng, count, kills):
    """One round: `kills` times the broker dies inside an open transaction, now and then the copier too."""
    with Broker(SETTINGS) as broker:
        for topic in ("input", "output"):
            tool(broker, "topics", "--create", "--topic", topic, "--partitions", str(PARTITIONS))
        tool(broker, "console-producer", "--topic", "input", text="".join(f"{i}\n" for i in range(count)))
        copier, killed, batches = Copier(classes, broker, "copy"), 0, 0
        until = rng.randrange(1, 4)
        while True:
            line = copier.next()
            if line is None or line == "done":
                break
            if line != "open":
                continue
            batches += 1
            if killed == kills or batches < until:
                continue
            batches, until, killed = 0, rng.randrange(1, max(2, count // 200 // (kills + 2))), killed + 1
            time.sleep(rng.random() * 0.01)
            broker.kill()
            if killed % 3 == 0:
                copier.kill()
            broker.start()
            if killed % 3 == 0:
                copier = Copier(classes, broker, "copy")
        checks.equal("the copy comes to its end", "done", line)
        checks.equal("the broker was killed inside open transactions", kills, killed)
        seen = copied(broker, count)
        lost = [i for i in range(count) if str(i) not in seen]
        doubled = [value for value, times in seen.items() if times > 1]
        checks.equal(f"nothing of {count} records is lost or doubled through {killed} kills", (0, 0, count),
                     (len(lost), len(doubled), sum(seen.values())))
        copier.kill()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--seed", type=int, default=None)
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(json.dumps({"seed": seed}), flush=True)
    checks = Checks("transactions")
    classes = compiled("4.4.0", ("CopyLoop",))
    if options.full:
        for round_number in range(20):
            copy_through_kills(checks, classes, random.Random(seed + round_number), 100_000, 5 + round_number % 4)
    else:
        tell_stories(checks)
        copy_through_kills(checks, classes, random.Random(seed), 4000, 3)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
