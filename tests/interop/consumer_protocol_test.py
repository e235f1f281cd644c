#!/usr/bin/env python3
"""Consumer groups of the consumer protocol (KIP-848): the Java consumer 4.4.0, and confluent-kafka of PyPI (today's librdkafka)."""
import re
import subprocess
import sys
import threading

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

from harness import ROOT, Broker, Checks
from java_test import jars
from rdkafka_members import Members

# What is set for a test only: members learn of a rebalance with their next heartbeat, and need not wait long for it.
SETTINGS = {"group.initial.rebalance.delay.ms": "200",
            "group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
            "group.consumer.min.session.timeout.ms": "5000", "group.consumer.session.timeout.ms": "10000",
            "group.consumer.assignment.interval.ms": "100"}


def java_story(checks, broker, version="4.4.0"):
    directory = jars(version)
    subprocess.run(["javac", "-nowarn", "-cp", f"{directory}/libs/*", "-d", str(directory),
                    str(ROOT / "tests/interop/java/ConsumerProtocolStory.java")], check=True)
    story = subprocess.Popen(["java", "-Xmx256m", "-cp", f"{directory}:{directory}/libs/*", "ConsumerProtocolStory", broker.bootstrap],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    limit = threading.Timer(240, story.kill)
    limit.start()
    counted = None
    for line in story.stdout:
        if line.strip() == "restart":
            if not broker.external:
                broker.kill()
                broker.start()
            story.stdin.write("done\n")
            story.stdin.flush()
            continue
        print(line, end="", flush=True)
        counted = re.match(r"(\d+) passed, (\d+) failed", line) or counted
    story.wait()
    limit.cancel()
    checks.passed += int(counted[1]) if counted else 0
    checks.failed += int(counted[2]) if counted else 1


def librdkafka_story(checks, broker):
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([NewTopic("rd-a", 4, 1), NewTopic("rd-b", 2, 1)]).values():
        future.result()
    for i in range(400):
        producer.produce("rd-a", b"%d" % i, partition=i % 4)
    producer.flush(20)
    members = Members(broker, "librdkafka-group", "rd-a")
    first = members.add()
    checks.check("librdkafka: a member alone has all", members.poll_until(lambda: members.shared(4)))
    second = members.add()
    checks.check("librdkafka: two share", members.poll_until(lambda: members.shared(4)))
    checks.check("librdkafka: all records came", members.poll_until(lambda: len(members.read) == 400), len(members.read))
    for member in members.all:
        member.commit(offsets=[confluent_kafka.TopicPartition("rd-a", each.partition, 100) for each in member.assignment()], asynchronous=False)
    committed = [each.offset for each in first.committed([confluent_kafka.TopicPartition("rd-a", p) for p in range(4)])]
    checks.equal("librdkafka: commits come back", [100] * 4, committed)
    members.remove(second)
    checks.check("librdkafka: one leaves, the other has all", members.poll_until(lambda: members.shared(4)))
    members.remove(first)

    pattern = Members(broker, "librdkafka-pattern", "^rd-.*")
    only = pattern.add(**{"group.instance.id": "i"})
    checks.check("librdkafka: a regular expression", pattern.poll_until(lambda: pattern.shared(6)))
    pattern.remove(only)


def main():
    checks = Checks(f"consumer-protocol, librdkafka {confluent_kafka.libversion()[0]}")
    stories = {"java": java_story, "librdkafka": librdkafka_story}
    with Broker(SETTINGS) as broker:
        for name in sys.argv[1:] or stories:
            stories[name](checks, broker)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
