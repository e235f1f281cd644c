#!/usr/bin/env python3
"""Transactions change hands between Apache Kafka 4.3.1 and us, both ways, by kill -9: what is open is aborted for whoever takes its id next,
what was ended but perhaps not marked is completed, offsets count or do not, and whoever had an id is fenced."""
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# The stories of the wire first: other directories have files of the same names.
sys.path[:0] = [str(HERE.parent / "wire")]
from transactions_test import TOPIC, Transactions  # noqa: E402
sys.path[:0] = [str(HERE)]
from harness import Checks  # noqa: E402
from kafka import Kafka, Klamm  # noqa: E402
from node import Node  # noqa: E402

PARTITIONS = 3  # what was ended is in 0, what is open in 1, both in 2


class Story(Transactions):
    def begin(self, name, partitions):
        answer = self.init(4, name)
        by = type("Producer", (), {"name": name, "id": answer["ProducerId"], "epoch": answer["ProducerEpoch"]})
        self.add(3, by, [(TOPIC, partitions)])
        self.add_offsets(3, by, group=name)
        for partition in partitions:
            self.produce(11, by, partition=partition)
        self.commit_offsets(3, by, group=name, offset=7)
        return by

    def state(self, name):
        return self.ask("DescribeTransactions", 0, {"TransactionalIds": [name]})["TransactionStates"][0]["TransactionState"]

    def offset(self, name):
        return self.ask("OffsetFetch", 7, {"GroupId": name, "Topics": [{"Name": TOPIC, "PartitionIndexes": [0]}], "RequireStable": True})[
            "Topics"][0]["Partitions"][0]["CommittedOffset"]

    def end_of(self, partition, isolation):
        return self.ask("ListOffsets", 7, {"ReplicaId": -1, "IsolationLevel": isolation, "Topics": [
            {"Name": TOPIC, "Partitions": [{"PartitionIndex": partition, "Timestamp": -1}]}]})["Topics"][0]["Partitions"][0]["Offset"]

    def aborted_in(self, partition):
        answer = self.ask("Fetch", 12, {"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1 << 20, "IsolationLevel": 1, "SessionEpoch": -1, "Topics": [
            {"Topic": TOPIC, "Partitions": [{"Partition": partition, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}]})
        return [each["ProducerId"] for each in answer["Responses"][0]["Partitions"][0]["AbortedTransactions"] or []]


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if what():
                return True
        except (ConnectionError, OSError, KeyError, IndexError):
            pass
        time.sleep(0.1)
    return False


def hand_over(checks, first, second):
    way = f"{first.version} to {second.version}"
    with Node(f"transactions-{first.version}", directories=1) as node:
        node.format(first)
        node.start(first)
        story = Story(node.bootstrap)
        story.prepare()
        done = story.begin("done", [0])
        story.end(3, done, True)
        opened = story.begin("open", [1, 2])
        ended = story.begin("ended", [0, 2])
        answer = story.ask("EndTxn", 3, {"TransactionalId": ended.name, "ProducerId": ended.id, "ProducerEpoch": ended.epoch, "Committed": True})
        node.stop(clean=False)
        checks.equal(f"{way}: the end was acknowledged", 0, answer["ErrorCode"])

        node.start(second)
        story = Story(node.bootstrap)
        checks.check(f"{way}: what was ended is completed", wait_for(lambda: story.state("ended") == "CompleteCommit"), story.state("ended"))
        checks.equal(f"{way}: what was open is open", "Ongoing", story.state("open"))
        checks.check(f"{way}: and aborted for the next who takes its id", wait_for(lambda: story.init(4, "open")["ErrorCode"] == 0))
        checks.equal(f"{way}: what was done stays so", "CompleteCommit", story.state("done"))
        checks.check(f"{way}: nothing is held back", wait_for(lambda: all(story.end_of(p, 0) == story.end_of(p, 1) for p in range(PARTITIONS))))
        checks.equal(f"{way}: readers are told what was aborted", ([], [opened.id], [opened.id]),
                     tuple(story.aborted_in(p) for p in range(PARTITIONS)))
        checks.equal(f"{way}: offsets of what was committed", (7, 7, -1), tuple(story.offset(each) for each in ("done", "ended", "open")))
        code = story.produce(11, opened, partition=1, sequence=1)["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
        checks.check(f"{way}: the producer of what was aborted is fenced", code in (47, 90), code)
        again = story.begin("ended", [0])
        checks.check(f"{way}: an id goes on with a later epoch", again.id == ended.id and again.epoch > ended.epoch, (again.epoch, ended.epoch))
        story.end(3, again, True)
        checks.check(f"{way}: and commits", wait_for(lambda: story.state("ended") == "CompleteCommit" and story.end_of(0, 0) == story.end_of(0, 1)))


def main():
    checks = Checks("takeover of transactions")
    kafka, klamm = Kafka("4.3.1"), Klamm()
    for first, second in ((kafka, klamm), (klamm, kafka)):
        checks.attempt(f"{first.version} to {second.version}", lambda f=first, s=second: hand_over(checks, f, s))
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
