#!/usr/bin/env python3
"""Groups change hands with their members alive: Java consumers of both protocols, static and dynamic, and a group of both kinds, read while
Apache Kafka 4.3.1 and Klamm take one directory in turn. Epochs, members, what they have and their offsets stay as they were."""
import re
import subprocess
import sys
import threading

from kafka import Kafka, Klamm
from node import TESTS, Node

from harness import Checks
from java_test import jars

SETTINGS = {"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "300",
            "group.consumer.assignment.interval.ms": "100"}


def play(checks, owners, clean):
    label = "→".join(owner.version for owner in owners) + (" clean" if clean else " kill")
    directory = jars("4.4.0")
    subprocess.run(["javac", "-nowarn", "-cp", f"{directory}/libs/*", "-d", str(directory),
                    str(TESTS / "takeover/java/GroupsHandover.java")], check=True)
    with Node("groups", settings=SETTINGS) as node:
        node.format(owners[0])
        node.start(owners[0])
        story = subprocess.Popen(["java", "-Xmx256m", "-cp", f"{directory}:{directory}/libs/*", "GroupsHandover", node.bootstrap,
                                  ",".join(owner.version for owner in owners)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        limit = threading.Timer(300, story.kill)
        limit.start()
        counted, turn = None, 0
        for line in story.stdout:
            if line.strip() == "next":
                node.stop(clean)
                turn += 1
                node.start(owners[turn])
                story.stdin.write("done\n")
                story.stdin.flush()
                continue
            print(f"{label}: {line}", end="", flush=True)
            counted = re.match(r"(\d+) passed, (\d+) failed", line) or counted
        story.wait()
        limit.cancel()
        checks.passed += int(counted[1]) if counted else 0
        checks.failed += int(counted[2]) if counted else 1
        node.stop()


def main():
    checks = Checks("takeover/groups")
    klamm, kafka = Klamm(), Kafka("4.3.1")
    play(checks, [kafka, klamm, kafka], clean=True)
    play(checks, [klamm, kafka, klamm], clean=False)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
