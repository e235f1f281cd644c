#!/usr/bin/env python3
"""Directories change hands between Apache Kafka and Klamm, both ways. Without arguments what ./check runs: one that Kafka 4.3.1 has written,
and some that the one has formatted and the other starts. See `matrix.py` for every version, direction and kind of stop."""
import sys

import story
from driver import Driver
from kafka import Kafka, Klamm
from node import Node

from harness import Checks

# Small enough that every story writes several.
SNAPSHOTS = {"metadata.log.max.record.bytes.between.snapshots": "4000"}


def formatted(checks, driver, kafka, former, first, second, kind):
    """A directory that is formatted and nothing else: the first owner begins in it and is killed, the second has what it wrote."""
    with Node("formatted", kind) as node:
        label = f"formatted by {former.version if former else 'the start of klamm'} ({kind}), {first.version}, {second.version}"
        told = story.Story(node, driver, checks, kafka, label)
        if former:
            node.format(former)
        told.start(first)
        told.ask("create")
        told.ask("more", "first", 20)
        told.seen = told.look()
        told.stop(False)
        told.start(second)
        told.compare(f"{second.version} after {first.version}", second)
        told.stop(True)


def main():
    checks = Checks("takeover")
    klamm, kafka = Klamm(), Kafka("4.3.1")
    with Driver() as driver:
        with Node("quick", settings=SNAPSHOTS) as node:
            story.play(node, driver, checks, kafka, klamm, clean=True, scale=0.1, churn=20, more=40)
        formatted(checks, driver, kafka, kafka, klamm, klamm, "standalone")
        formatted(checks, driver, kafka, klamm, klamm, kafka, "static")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
