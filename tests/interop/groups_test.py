#!/usr/bin/python3
"""Consumer groups of the classic protocol: two kcat members that share partitions through kill -9, Debian's python3-kafka, the
Java consumer with every assignor and static members, old and new. Run with the system's Python."""
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

from harness import ROOT, Broker, Checks
from java_test import jars

TOPIC, GROUP, PARTITIONS = "shared", "kcat-group", 4
# What is set for a test only: a first rebalance need not wait for members that start late.
SETTINGS = {"group.initial.rebalance.delay.ms": "200"}


class Member:
    """A kcat that is a member; what it read lies in a file."""

    def __init__(self, broker, group, **properties):
        settings = {"auto.offset.reset": "earliest", "auto.commit.interval.ms": "100", "session.timeout.ms": "6000",
                    "heartbeat.interval.ms": "300", **properties}
        options = [part for key, value in settings.items() for part in ("-X", f"{key}={value}")]
        self.out = tempfile.NamedTemporaryFile(prefix="klamm-group-")
        self.errors = tempfile.NamedTemporaryFile(prefix="klamm-group-")
        self.process = subprocess.Popen(["kcat", "-b", broker.bootstrap, "-u", "-E", "-f", "%p %o %s\n", *options, "-G", group, TOPIC],
                                        stdout=self.out, stderr=self.errors, stdin=subprocess.DEVNULL)

    def records(self):
        with open(self.out.name, encoding="utf-8") as lines:
            return [tuple(line.split()) for line in lines if line.endswith("\n")]

    def partitions(self):
        return {partition for partition, _, _ in self.records()}

    def stop(self):
        """Leaves the group; what was read is committed."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def wait_for(what, seconds=40):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def produce(broker, first, last):
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    sent = [producer.send(TOPIC, b"%d" % i, partition=i % PARTITIONS) for i in range(first, last)]
    producer.flush()
    assert all(each.get(timeout=10).offset >= 0 for each in sent)
    producer.close()


def read_by(*members):
    return {value for member in members for _, _, value in member.records()}


def kcat_story(checks, broker):
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    first, second = Member(broker, GROUP), Member(broker, GROUP)
    sent = 0

    def more(count=400):
        nonlocal sent
        produce(broker, sent, sent + count)
        sent += count

    def all_came(*members):
        return read_by(*members) == {str(i) for i in range(sent)}

    try:
        more()
        checks.check("all records come", wait_for(lambda: all_came(first, second)), f"{len(read_by(first, second))} of {sent}")

        def both_have_some():
            before = len(first.records()), len(second.records())
            more(40)
            wait_for(lambda: all_came(first, second))
            return len(first.records()) > before[0] and len(second.records()) > before[1]

        checks.check("both members have partitions", wait_for(both_have_some))
        if not broker.external:
            broker.kill()
            broker.start()
        more()
        checks.check("after kill -9 both go on", wait_for(lambda: all_came(first, second)), f"{len(read_by(first, second))} of {sent}")
        wait_for(lambda: False, 0.5)  # the last commits
        if not broker.external:
            broker.kill()
            broker.start()
        first.stop()
        more(100)
        before = len(second.records())
        checks.check("when one leaves, the other has all", wait_for(lambda: all_came(first, second)))
        again = [value for _, _, value in second.records()[before:] if int(value) < sent - 100]
        checks.equal("nothing that was committed came again", [], again)
        second.stop()
    finally:
        for member in (first, second):
            member.process.kill()
            member.process.wait()
    admin.close()
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    committed = {partition: KafkaConsumerOffsets(broker).of(GROUP, partition) for partition in range(PARTITIONS)}
    checks.equal("all is committed", sent, sum(committed.values()))
    checks.check("the group is listed", (GROUP, "consumer") in admin.list_consumer_groups())
    described = admin.describe_consumer_groups([GROUP])[0]
    checks.equal("described: state and members", ("Empty", []), (described.state, list(described.members)))
    checks.equal("its offsets, by the admin", committed,
                 {partition.partition: offset.offset for partition, offset in admin.list_consumer_group_offsets(GROUP).items()})
    checks.equal("deleted", [(GROUP, 0)], [(name, error.errno) for name, error in admin.delete_consumer_groups([GROUP])])
    checks.equal("then it has no offsets", {}, admin.list_consumer_group_offsets(GROUP))
    admin.close()


class KafkaConsumerOffsets:
    def __init__(self, broker):
        self.bootstrap = broker.bootstrap

    def of(self, group, partition):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        offset = consumer.committed(TopicPartition(TOPIC, partition)) or 0
        consumer.close()
        return offset


class PollingMember(threading.Thread):
    """A consumer on a thread of its own, as its poll() waits for the other members."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.consumer = KafkaConsumer(TOPIC, bootstrap_servers=broker.bootstrap, group_id="python-group",
                                      auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=10_000,
                                      heartbeat_interval_ms=500)
        self.assigned, self.to_do, self.done, self.ends = set(), queue.Queue(), queue.Queue(), False
        self.start()

    def run(self):
        while not self.ends:
            self.consumer.poll(timeout_ms=100)
            self.assigned = set(self.consumer.assignment())
            while not self.to_do.empty():
                action = self.to_do.get()
                try:
                    self.done.put(action(self.consumer))
                except Exception as error:  # what the client throws is the finding
                    self.done.put(error)
        self.consumer.close()

    def ask(self, action):
        self.to_do.put(action)
        return self.done.get(timeout=60)

    def leave(self):
        self.ends = True
        self.join(timeout=30)


def python_story(checks, broker):
    first, second = PollingMember(broker), PollingMember(broker)

    def share():
        return len(first.assigned) == len(second.assigned) == PARTITIONS // 2 and not first.assigned & second.assigned

    checks.check("python: two members share", wait_for(share))
    partition = min(first.assigned or {TopicPartition(TOPIC, 0)})
    checks.equal("python: commit", None, first.ask(lambda consumer: consumer.commit({partition: OffsetAndMetadata(17, "note")})))
    checks.equal("python: it comes back", 17, second.ask(lambda consumer: consumer.committed(partition)))
    if not broker.external:
        broker.kill()
        broker.start()
    checks.check("python: after kill -9 they share", wait_for(share))
    checks.equal("python: and the offset is there", 17, second.ask(lambda consumer: consumer.committed(partition)))
    second.leave()
    checks.check("python: alone, one has all", wait_for(lambda: len(first.assigned) == PARTITIONS))
    first.leave()


def java_story(checks, broker, version):
    directory = jars(version)
    subprocess.run(["javac", "-nowarn", "-cp", f"{directory}/libs/*", "-d", str(directory),
                    str(ROOT / "tests/interop/java/GroupStory.java")], check=True)
    done = subprocess.run(["java", "-Xmx256m", "-cp", f"{directory}:{directory}/libs/*", "GroupStory", broker.bootstrap],
                          capture_output=True, text=True, timeout=240, check=False)
    print(done.stdout, done.stderr[-3000:], sep="", flush=True)
    counted = re.findall(r"(\d+) passed, (\d+) failed", done.stdout)
    checks.passed += int(counted[-1][0]) if counted else 0
    checks.failed += int(counted[-1][1]) if counted else 1


def main():
    checks = Checks("groups")
    with Broker(SETTINGS) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
        admin.close()
        stories = {"kcat": kcat_story, "python": python_story, "java": lambda *to: java_story(*to, "4.4.0")}
        for name in sys.argv[1:] or stories:
            stories[name](checks, broker)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
