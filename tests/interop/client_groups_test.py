#!/usr/bin/python3
"""Our own client as a member of groups: two console consumers share a topic in each protocol, one is killed with -9, the other takes
over, and who comes later goes on where they committed. In the classic protocol beside python3-kafka too. Run with the system's
Python."""
import subprocess
import sys
import tempfile
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from groups_test import PollingMember, wait_for
from harness import KLAMM, Broker, Checks

PARTITIONS = 4
# What is set for a test only: sessions end soon, and nobody waits for members that start late.
SETTINGS = {"group.initial.rebalance.delay.ms": "200", "group.min.session.timeout.ms": "500",
            "group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
            "group.consumer.min.session.timeout.ms": "500", "group.consumer.session.timeout.ms": "1500",
            "group.consumer.assignment.interval.ms": "100"}
PROTOCOLS = {
    "classic": {"group.protocol": "classic", "session.timeout.ms": "1500", "heartbeat.interval.ms": "200"},
    "cooperative": {"group.protocol": "classic", "session.timeout.ms": "1500", "heartbeat.interval.ms": "200",
                    "partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"},
    "consumer": {"group.protocol": "consumer"},
}


class Member:
    """A klamm console-consumer; what it printed lies in a file."""

    def __init__(self, broker, topic, group, properties, beginning=True):
        given = {"auto.commit.interval.ms": "100", **properties}
        options = [part for key, value in given.items() for part in ("--consumer-property", f"{key}={value}")]
        self.out = tempfile.NamedTemporaryFile(prefix="klamm-member-")
        self.errors = tempfile.NamedTemporaryFile(prefix="klamm-member-")
        self.process = subprocess.Popen(
            [str(KLAMM), "console-consumer", "--bootstrap-server", broker.bootstrap, "--topic", topic, "--group", group,
             "--formatter-property", "print.partition=true", *options, *(["--from-beginning"] if beginning else [])],
            stdout=self.out, stderr=self.errors, stdin=subprocess.DEVNULL)

    def records(self):
        """(partition, value) of each whole line after what the tool says of deprecated options."""
        with open(self.out.name, encoding="utf-8") as lines:
            return [tuple(line.split()) for line in lines if line.startswith("Partition:") and line.endswith("\n")]

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def said(self):
        with open(self.errors.name, encoding="utf-8") as text:
            return text.read()[-1500:]


class Topic:
    def __init__(self, broker, name):
        self.broker, self.name, self.sent = broker, name, 0
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        admin.close()
        self.producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")

    def more(self, count):
        sent = [self.producer.send(self.name, b"%d" % i, partition=i % PARTITIONS) for i in range(self.sent, self.sent + count)]
        self.producer.flush()
        assert all(each.get(timeout=10).offset >= 0 for each in sent)
        self.sent += count

    def all_came(self, *members):
        return {value for member in members for _, value in member.records()} == {str(i) for i in range(self.sent)}

    def committed(self, group):
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, group_id=group, enable_auto_commit=False)
        offsets = [consumer.committed(TopicPartition(self.name, partition)) or 0 for partition in range(PARTITIONS)]
        consumer.close()
        return sum(offsets)


def takeover_story(checks, broker, name):
    properties, topic, group = PROTOCOLS[name], Topic(broker, f"shared-{name}"), f"group-{name}"
    first, second = (Member(broker, topic.name, group, properties) for _ in range(2))
    members = [first, second]
    try:
        topic.more(200)
        checks.check(f"{name}: all records come", wait_for(lambda: topic.all_came(*members), 10), first.said() + second.said())

        def both_read():
            before = [len(member.records()) for member in members]
            topic.more(40)
            wait_for(lambda: topic.all_came(*members), 5)
            return all(len(member.records()) > had for member, had in zip(members, before))

        checks.check(f"{name}: both have partitions", wait_for(both_read, 10))
        first.process.kill()
        first.process.wait()
        topic.more(200)
        checks.check(f"{name}: after kill -9 the other reads all", wait_for(lambda: topic.all_came(*members), 10), second.said())
        wait_for(lambda: False, 0.2)
        checks.equal(f"{name}: on SIGTERM it leaves", 0, second.stop())
        checks.equal(f"{name}: all is committed", topic.sent, topic.committed(group))
        third = Member(broker, topic.name, group, properties, beginning=False)
        members.append(third)
        topic.more(40)
        expected = {str(i) for i in range(topic.sent - 40, topic.sent)}
        wait_for(lambda: len(third.records()) >= 40, 10)
        checks.equal(f"{name}: who comes later goes on there", expected, {value for _, value in third.records()})
        third.stop()
    finally:
        for member in members:
            member.process.kill()
            member.process.wait()


def mixed_story(checks, broker):
    topic, group = Topic(broker, "shared"), "python-group"  # the names that PollingMember has
    theirs = PollingMember(broker)
    ours = Member(broker, topic.name, group, PROTOCOLS["classic"])
    try:
        checks.check("mixed: python3-kafka has half", wait_for(lambda: len(theirs.assigned) == PARTITIONS // 2, 15), ours.said())
        topic.more(40)
        its = {f"Partition:{each.partition}" for each in theirs.assigned}
        checks.check("mixed: ours has the rest", wait_for(lambda: len(ours.records()) >= 20, 10), ours.said())
        checks.equal("mixed: nothing is read twice", set(), its & {partition for partition, _ in ours.records()})
        theirs.leave()
        checks.check("mixed: alone, ours has all", wait_for(lambda: topic.all_came(ours), 10), ours.said())
        checks.equal("mixed: on SIGTERM it leaves", 0, ours.stop())
        checks.equal("mixed: what it read is committed", topic.sent, topic.committed(group))
    finally:
        theirs.ends = True
        ours.process.kill()
        ours.process.wait()


def main():
    checks, start = Checks("client-groups"), time.monotonic()
    with Broker(SETTINGS) as broker:
        for name in sys.argv[1:] or [*PROTOCOLS, "mixed"]:
            if name == "mixed":
                mixed_story(checks, broker)
            else:
                takeover_story(checks, broker, name)
    print(f"{time.monotonic() - start:.1f} s")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
