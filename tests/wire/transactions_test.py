#!/usr/bin/env python3
"""Transactions in every version of every API: what Apache Kafka 4.3.1 answered stands in transactions.tsv, line by line.

  transactions_test.py                            replays it against a broker of its own
  transactions_test.py --record HOST:PORT         writes transactions.tsv anew from a fresh Apache Kafka whose configuration has SETTINGS
"""
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop"), str(HERE.parent / "figures")]
from groups_test import Story  # noqa: E402, I001 (first: others put directories with a file of this name in front)
import cases  # noqa: E402
from harness import KLAMM, Broker  # noqa: E402

RECORDED = HERE / "transactions.tsv"
SETTINGS = {"transaction.state.log.num.partitions": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "1", "offset.metadata.max.bytes": "100",
            "group.initial.rebalance.delay.ms": "0"}
# Versions that 4.3.1 does not have, and those that are not stable.
NOT_PLAYED = {("TxnOffsetCommit", 6), ("InitProducerId", 6), ("WriteTxnMarkers", 0)}
TOPIC = "tt"
TRANSACTIONAL = 0x10


class Producer:
    def __init__(self, name, producer_id, epoch):
        self.name, self.id, self.epoch = name, producer_id, epoch


class Transactions(Story):
    def versions(self, name):
        its = self.messages[name + "Request"]
        return [v for v in range(its.versions.low, its.versions.high + 1) if (name, v) not in NOT_PLAYED]

    def ask(self, name, version, values, say=None):
        return super().ask(name, version, values, say, self.sort)

    @staticmethod
    def sort(answer):
        """What lies in a hash map in Kafka, in an order."""
        answer.get("TransactionStates", []).sort(key=lambda each: each["TransactionalId"])
        for marker in answer.get("Markers", []):
            marker["Topics"].sort(key=lambda each: each["Name"])
            for topic in marker["Topics"]:
                topic["Partitions"].sort(key=lambda each: each["PartitionIndex"])

    # --- calls ---------------------------------------------------------------------------------------------------------

    def init(self, version, name, say=None, timeout=60000, producer_id=-1, epoch=-1):
        more = {"ProducerId": producer_id, "ProducerEpoch": epoch} if version >= 3 else {}
        return self.ask("InitProducerId", version, {"TransactionalId": name, "TransactionTimeoutMs": timeout, **more}, say)

    def producer(self, name):
        """Whatever was before is ended first."""
        while True:
            answer = self.init(4, name)
            if answer["ErrorCode"] == 0:
                return Producer(name, answer["ProducerId"], answer["ProducerEpoch"])
            time.sleep(0.02)

    def settled(self, name):
        for _ in range(500):
            state = self.ask("DescribeTransactions", 0, {"TransactionalIds": [name]})["TransactionStates"][0]["TransactionState"]
            if not state.startswith("Prepare"):
                return
            time.sleep(0.01)

    def add(self, version, by, topics, say=None, producer_id=None, epoch=None, verify=False):
        its = {"TransactionalId": by.name, "ProducerId": by.id if producer_id is None else producer_id,
               "ProducerEpoch": by.epoch if epoch is None else epoch,
               "Topics": [{"Name": name, "Partitions": partitions} for name, partitions in topics]}
        if version >= 4:
            return self.ask("AddPartitionsToTxn", version, {"Transactions": [{**its, "VerifyOnly": verify}]}, say)
        return self.ask("AddPartitionsToTxn", version, {"V3AndBelow" + key: value for key, value in its.items()}, say)

    def add_offsets(self, version, by, say=None, group="tg", epoch=None):
        return self.ask("AddOffsetsToTxn", version, {"TransactionalId": by.name, "ProducerId": by.id,
                                                     "ProducerEpoch": by.epoch if epoch is None else epoch, "GroupId": group}, say)

    def end(self, version, by, commit, say=None, producer_id=None, epoch=None):
        answer = self.ask("EndTxn", version, {"TransactionalId": by.name, "ProducerId": by.id if producer_id is None else producer_id,
                                              "ProducerEpoch": by.epoch if epoch is None else epoch, "Committed": commit}, say)
        self.settled(by.name)
        return answer

    def produce(self, version, by, say=None, partition=0, sequence=0, epoch=None, attributes=TRANSACTIONAL, name=None, count=1):
        records = cases.batch(tuple(b"v" for _ in range(count)), attributes=attributes, pid=by.id, pepoch=by.epoch if epoch is None else epoch,
                              seq=sequence)
        topic = {"TopicId": self.topic_id(TOPIC)} if version >= 13 else {"Name": TOPIC}
        return self.ask("Produce", version, {"TransactionalId": by.name if name is None else name, "Acks": -1, "TimeoutMs": 10000, "TopicData": [
            {**topic, "PartitionData": [{"Index": partition, "Records": records}]}]}, say)

    def commit_offsets(self, version, by, say=None, group="tg", topic=TOPIC, partition=0, offset=3, metadata="m", epoch=None, **more):
        named = {"TopicId": self.topic_id(topic)} if version >= 6 else {"Name": topic}
        return self.ask("TxnOffsetCommit", version, {
            "TransactionalId": by.name, "GroupId": group, "ProducerId": by.id, "ProducerEpoch": by.epoch if epoch is None else epoch,
            "Topics": [{**named, "Partitions": [{"PartitionIndex": partition, "CommittedOffset": offset, "CommittedMetadata": metadata}]}],
            **more}, say)

    def offset_of(self, say, stable=True, group="tg"):
        self.ask("OffsetFetch", 7, {"GroupId": group, "Topics": [{"Name": TOPIC, "PartitionIndexes": [0]}], "RequireStable": stable}, say)

    def fetch(self, say, partition=0, isolation=1, version=12):
        self.ask("Fetch", version, {"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1 << 20, "IsolationLevel": isolation, "SessionEpoch": -1, "Topics": [
            {"Topic": TOPIC, "Partitions": [{"Partition": partition, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}]}, say)

    def last(self, say, partition=0, isolation=1):
        self.ask("ListOffsets", 7, {"ReplicaId": -1, "IsolationLevel": isolation, "Topics": [
            {"Name": TOPIC, "Partitions": [{"PartitionIndex": partition, "Timestamp": -1}]}]}, say)

    # --- chapters ------------------------------------------------------------------------------------------------------

    def prepare(self):
        self.ask("CreateTopics", 5, {"Topics": [{"Name": TOPIC, "NumPartitions": 3, "ReplicationFactor": 1}], "timeoutMs": 10000})
        for _ in range(500):
            found = [self.ask("FindCoordinator", 1, {"Key": "t", "KeyType": kind})["ErrorCode"] for kind in (0, 1)]
            if found == [0, 0] and self.init(4, "first")["ErrorCode"] == 0 and \
                    self.ask("OffsetFetch", 5, {"GroupId": "g", "Topics": []})["ErrorCode"] == 0:
                return
            time.sleep(0.05)

    def find(self):
        for version in self.versions("FindCoordinator"):
            for key, say in (("t", "a transactional id"), ("", "no name")):
                if version >= 1:
                    self.ask("FindCoordinator", version, {**({"Key": key} if version < 4 else {"CoordinatorKeys": [key]}), "KeyType": 1}, say)

    def inits(self):
        for version in self.versions("InitProducerId"):
            name = f"init-{version}"
            self.init(version, None, "no id")
            self.init(version, "", "an empty id")
            for timeout in (0, -1, 900000, 900001):
                self.init(version, name, f"timeout {timeout}", timeout=timeout)
            got = self.init(version, name, "again")
            if version < 3:
                continue
            its = got["ProducerId"]
            self.init(version, name, "its id without an epoch", producer_id=its)
            self.init(version, name, "an epoch without an id", epoch=1)
            self.init(version, name, "the next epoch", producer_id=its, epoch=got["ProducerEpoch"])
            self.init(version, name, "a retry of it", producer_id=its, epoch=got["ProducerEpoch"])
            self.init(version, name, "an old epoch", producer_id=its, epoch=0)
            self.init(version, name, "another producer's id", producer_id=its + 100000, epoch=0)
            self.init(version, None, "no transactional id and a producer id", producer_id=its, epoch=0)
            self.init(version, f"new-{version}", "a new id that says it has a producer id", producer_id=5, epoch=5)

    def adds(self):
        for version in self.versions("AddPartitionsToTxn"):
            by, nobody = self.producer(f"add-{version}"), Producer("nobody", 7, 0)
            self.add(version, nobody, [(TOPIC, [0])], "an unknown id")
            self.add(version, Producer("", 7, 0), [(TOPIC, [0])], "an empty id")
            self.add(version, by, [(TOPIC, [0])], "another producer's id", producer_id=by.id + 100000)
            self.add(version, by, [(TOPIC, [0])], "an epoch that is to come", epoch=by.epoch + 1)
            self.add(version, by, [(TOPIC, [0])], "an epoch that was", epoch=by.epoch - 1)
            self.add(version, by, [(TOPIC, [0, 9]), ("none", [0])], "partitions that are not there beside one that is")
            self.add(version, by, [("__transaction_state", [0])], "an internal topic")
            if version >= 4:
                self.add(version, by, [(TOPIC, [0])], "verified before it begins", verify=True)
            self.add(version, by, [(TOPIC, [0, 1])], "two partitions")
            self.add(version, by, [(TOPIC, [0])], "one of them again")
            if version >= 4:
                self.add(version, by, [(TOPIC, [0, 2])], "verified, and one that is not in it", verify=True)
                self.add(version, by, [(TOPIC, [0])], "verified for an epoch that was", epoch=by.epoch - 1, verify=True)
                self.add(version, nobody, [(TOPIC, [0])], "an unknown id verified", verify=True)
                self.ask("AddPartitionsToTxn", version, {"Transactions": []}, "nothing at all")
                two = [{"TransactionalId": who.name, "ProducerId": who.id, "ProducerEpoch": who.epoch, "VerifyOnly": True,
                        "Topics": [{"Name": TOPIC, "Partitions": [0]}]} for who in (by, nobody)]
                self.ask("AddPartitionsToTxn", version, {"Transactions": two}, "two transactions")
            self.add(version, by, [], "no partitions")

    def ends(self):
        for version in self.versions("EndTxn"):
            by = self.producer(f"end-{version}")
            self.end(version, Producer("nobody", 7, 0), True, "an unknown id")
            self.end(version, Producer("", 7, 0), True, "an empty id")
            self.end(version, by, True, "a commit of nothing")
            by = self.producer(by.name)
            self.end(version, by, False, "an abort of nothing")
            for commit, what in ((True, "commit"), (False, "abort")):
                by = self.producer(by.name)
                self.add(3, by, [(TOPIC, [2])])
                self.end(version, by, commit, f"{what} with another producer's id", producer_id=by.id + 100000)
                self.end(version, by, commit, f"{what} with an epoch that was", epoch=by.epoch - 1)
                self.end(version, by, commit, what)
                self.end(version, by, commit, f"{what} again")
                self.end(version, by, not commit, f"the other end after {what}")
                self.ask("DescribeTransactions", 0, {"TransactionalIds": [by.name]}, f"v{version} after {what}")

    def produces(self):
        for version in [v for v in self.versions("Produce") if v in (3, 8, 10, 11, 12, 13)]:
            by = self.producer(f"produce-{version}")
            self.produce(version, by, "a partition that was not added")
            self.produce(version, by, "an id that nobody has", name="nobody")
            by = self.producer(by.name)
            self.add(3, by, [(TOPIC, [0])])
            self.produce(version, by, "a partition that was added")
            self.produce(version, by, "the same batch again")
            self.produce(version, by, "the next batch", sequence=1)
            self.produce(version, by, "a batch behind a gap", sequence=9)
            self.produce(version, by, "an epoch that was", epoch=by.epoch - 1)
            self.produce(version, by, "not transactional, inside the transaction", sequence=2, attributes=0)
            self.fetch(f"v{version}, open")
            self.last(f"v{version}, open")
            self.last(f"v{version}, open, every record", isolation=0)
            self.end(3, by, True, f"v{version}")
            self.last(f"v{version}, committed")
            self.produce(version, by, "after the commit, not added", sequence=2)
            by = self.producer(by.name)
            self.add(3, by, [(TOPIC, [0])])
            self.produce(version, by)
            self.producer(by.name)
            self.settled(by.name)
            self.produce(version, by, "of a producer that was fenced", sequence=1)
            self.fetch(f"v{version}, aborted")
            self.fetch(f"v{version}, aborted, every record", isolation=0)

    def offsets(self):
        for version in self.versions("AddOffsetsToTxn"):
            by = self.producer(f"offsets-{version}")
            self.add_offsets(version, Producer("nobody", 7, 0), "an unknown id")
            self.add_offsets(version, by, "an epoch that was", epoch=by.epoch - 1)
            self.add_offsets(version, by, "a group's partition")
            self.add_offsets(version, by, "again")
            self.end(3, by, False)
        for version in self.versions("TxnOffsetCommit"):
            by, group = self.producer(f"commit-{version}"), f"tg-{version}"
            self.commit_offsets(version, by, "a partition that was not added", group=group)
            by = self.producer(by.name)
            self.add_offsets(3, by, group=group)
            self.commit_offsets(version, by, "no group", group="")
            self.commit_offsets(version, by, "a topic that is not there", group=group, topic="none")
            self.commit_offsets(version, by, "a partition that is not there", group=group, partition=77)
            self.commit_offsets(version, by, "too much text", group=group, metadata="x" * 101)
            self.commit_offsets(version, by, "an epoch that was", group=group, epoch=by.epoch - 1)
            if version >= 3:
                self.commit_offsets(version, by, "a generation of no group", group=group, GenerationIdOrMemberEpoch=5, MemberId="m")
            self.commit_offsets(version, by, "an offset", group=group)
            self.offset_of(f"v{version}, open", group=group)
            self.offset_of(f"v{version}, open, not stable", stable=False, group=group)
            self.end(3, by, True, f"offsets v{version}")
            self.offset_of(f"v{version}, committed", group=group)
            self.commit_offsets(version, by, "after the commit, not added", group=group, offset=5)
            by = self.producer(by.name)
            self.add_offsets(3, by, group=group)
            self.commit_offsets(version, by, group=group, offset=9)
            self.end(3, by, False, f"offsets v{version}, aborted")
            self.offset_of(f"v{version}, aborted", group=group)

    def markers(self):
        for version in self.versions("WriteTxnMarkers"):
            self.producer(f"marker-{version}")
            by = self.producer(f"marker-{version}")  # so that there is an epoch that was

            def write(say, topics, epoch=None, coordinator=0, commit=False, version=version, by=by, **more):
                self.ask("WriteTxnMarkers", version, {"Markers": [
                    {"ProducerId": by.id, "ProducerEpoch": by.epoch if epoch is None else epoch, "TransactionResult": commit,
                     "CoordinatorEpoch": coordinator, "Topics": [{"Name": name, "PartitionIndexes": numbers} for name, numbers in topics],
                     **more}]}, say)

            self.add(3, by, [(TOPIC, [1])])
            self.produce(11, by, partition=1)
            write("partitions that are not there", [(TOPIC, [9]), ("none", [0])])
            write("no epoch", [(TOPIC, [1])], epoch=-1)
            write("one that is open, one that never was, one that is not there", [(TOPIC, [1, 2, 9])], coordinator=5)
            write("an epoch that was", [(TOPIC, [1])], epoch=by.epoch - 1, coordinator=5)
            write("a coordinator that was", [(TOPIC, [1])], coordinator=4)
            write("the same again", [(TOPIC, [1])], coordinator=5, commit=True)
            write("a group's partition", [("__consumer_offsets", [0])])
            write("a group's partition, of an epoch that was", [("__consumer_offsets", [0])], epoch=by.epoch - 1)
            write("a group's partition, no epoch", [("__consumer_offsets", [0])], epoch=-1)
            self.last(f"v{version}, ended by hand", partition=1)
            self.ask("WriteTxnMarkers", version, {"Markers": []}, "nothing")
            if version >= 2:
                write("transaction version 2, the epoch it has", [(TOPIC, [1])], coordinator=5, TransactionVersion=2)
                write("transaction version 2, the next", [(TOPIC, [1])], coordinator=5, epoch=by.epoch + 1, TransactionVersion=2)

    def admin(self):
        by = self.producer("described")
        self.add(3, by, [(TOPIC, [1, 2])])
        self.produce(11, by, partition=1, count=3)
        describe = {"Topics": [{"Name": TOPIC, "PartitionIndexes": [9]}, {"Name": "none", "PartitionIndexes": [0]},
                               {"Name": "not/a/name", "PartitionIndexes": [0]}]}
        self.ask("DescribeProducers", 0, describe, "partitions that are not there")
        self.ask("DescribeTransactions", 0, {"TransactionalIds": ["described", "nobody", ""]}, "three ids")
        self.end(3, by, True)
        for version in self.versions("ListTransactions"):
            for say, filters in (("described", {"StateFilters": ["Ongoing"]}), ("unknown states", {"StateFilters": ["Odd", "Ongoing", "ongoing"]}),
                                 ("a producer", {"ProducerIdFilters": [by.id]}), ("nobody", {"ProducerIdFilters": [1 << 40]})):
                self.ask("ListTransactions", version, filters, say)
            if version >= 1:
                self.ask("ListTransactions", version, {"DurationFilter": 100000, "StateFilters": ["Ongoing"]}, "old ones")
            if version >= 2:
                for pattern in ("describe.", "descr", "(", ""):
                    self.ask("ListTransactions", version, {"TransactionalIdPattern": pattern, "ProducerIdFilters": [by.id]}, f"pattern '{pattern}'")

    def tell(self):
        self.prepare()
        for chapter in (self.find, self.inits, self.adds, self.ends, self.produces, self.offsets, self.markers, self.admin):
            chapter()
        return self.lines


# What we answer otherwise: the beginning of a line, and why.
DIFFERENCES = {
    "AddPartitionsToTxn v4\tnothing at all": "Kafka waits for the answer of no transaction, and never answers",
    "AddPartitionsToTxn v5\tnothing at all": "Kafka waits for the answer of no transaction, and never answers",
    "TxnOffsetCommit v3\ta generation of no group": "Kafka has a group in memory since an offset of it was refused",
    "TxnOffsetCommit v4\ta generation of no group": "Kafka has a group in memory since an offset of it was refused",
}


def show_the_tool(broker):
    """What `klamm transactions` prints of an open transaction and makes of it, in Kafka's form: (what, whether it is so)."""
    story = Transactions(broker.bootstrap)
    by = story.producer("shown")
    story.add(3, by, [(TOPIC, [2])])
    story.produce(11, by, partition=2, count=3)

    def run(*arguments):
        done = subprocess.run([str(KLAMM), "transactions", "--bootstrap-server", broker.bootstrap, *arguments], capture_output=True, text=True,
                              timeout=60, check=False)
        return done.stdout + done.stderr, done.returncode

    listed, code = run("list", "--transactional-id-pattern", "show.")
    yield "list", code == 0 and listed == ("TransactionalId\tCoordinator\tProducerId\tTransactionState\t\n"
                                           f"shown          \t1          \t{by.id:<10}\tOngoing         \t\n")
    described, code = run("describe", "--transactional-id", "shown")
    yield "describe", code == 0 and re.search(rf"^1 +\tshown +\t{by.id} +\t{by.epoch} +\tOngoing +\t60000 +\t\d{{13}} +\t\d+ +\t{TOPIC}-2 +\t$",
                                              described, re.M)
    producers, code = run("describe-producers", "--topic", TOPIC, "--partition", "2")
    open_one = re.search(rf"^{by.id} +\t{by.epoch} +\t-?\d+ +\t2 +\t\d{{13}}\t(\d+) +\t$", producers, re.M)
    yield "describe-producers", code == 0 and open_one
    hanging, code = run("find-hanging", "--topic", TOPIC, "--max-transaction-timeout", "0")
    yield "find-hanging: not what a coordinator knows", code == 0 and hanging.count("\n") == 1
    start = open_one.group(1) if open_one else "0"
    yield "abort", run("abort", "--topic", TOPIC, "--partition", "2", "--start-offset", start) == ("", 0)
    yield "aborted", not re.search(rf"^{by.id} .*\t{start} +\t$", run("describe-producers", "--topic", TOPIC, "--partition", "2")[0], re.M)
    yield "forceTerminateTransaction", run("forceTerminateTransaction", "--transactionalId", "shown") == ("", 0)
    story.settled("shown")
    yield "terminated", "Ongoing" not in run("list", "--transactional-id-pattern", "shown")[0]


def main():
    if sys.argv[1:2] == ["--record"]:
        RECORDED.write_text("".join(line + "\n" for line in Transactions(sys.argv[2]).tell()))
        return 0
    with Broker(SETTINGS) as broker:
        told = Transactions(broker.bootstrap).tell()
        shown = list(show_the_tool(broker))
    expected = RECORDED.read_text().splitlines()
    passed = failed = 0
    for what, ok in shown:
        passed, failed = passed + bool(ok), failed + (not ok)
        if not ok:
            print(f"FAIL klamm transactions: {what}")
    for number in range(max(len(told), len(expected))):
        ours = told[number] if number < len(told) else "nothing"
        theirs = expected[number] if number < len(expected) else "nothing"
        named = "\t".join(theirs.split("\t")[:2])
        if (ours == theirs) != (named in DIFFERENCES):
            passed += 1
            continue
        failed += 1
        print(f"FAIL {named}\n  Kafka {theirs.split(chr(9))[-1]}\n  ours  {ours.split(chr(9), 1)[-1]}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
