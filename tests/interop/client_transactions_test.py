#!/usr/bin/env python3
"""Our own transactional producer: a copy that is exactly once while the copier and the broker are killed with -9, in both versions of
transactions; who takes a transactional id over fences who had it. What was committed is read with our client and with
confluent-kafka. `--kafka`: the same against Apache Kafka 4.3.1. Run with a Python that has confluent-kafka."""
import collections
import json
import pathlib
import subprocess
import sys
import time

import confluent_kafka

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "takeover"))
from harness import KLAMM, Broker, Checks  # noqa: E402
from kafka import Kafka  # noqa: E402
from kafka import Klamm as KlammPrograms  # noqa: E402
from node import Node  # noqa: E402
from talking import Talking  # noqa: E402

COPY_LOOP = KLAMM.parent / "tests" / "interop" / "copy_loop" / "klamm_copy_loop"
PARTITIONS = 3
RECORDS = 4000
# What is set for a test only: sessions end soon, and transactions of the dead are found at once.
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200", "num.partitions": "2"}


class TheirBroker:
    """A node of tests/takeover with what a Broker can do."""

    def __init__(self, program, settings, feature=None):
        self.node, self.program = Node("transactions", directories=1, settings=settings), program
        properties = self.node.properties(program)
        options = ["--feature", feature] if feature else []
        done = subprocess.run(program.storage_format(properties, "TransactionsTransacti", *options), capture_output=True, text=True,
                              timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"format: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        self.bootstrap = self.node.bootstrap
        self.start()

    def start(self):
        self.node.start(self.program)

    def kill(self):
        self.node.stop(clean=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.stop()


class Driver(Talking):
    """A klamm_copy_loop: what it logs lies in a file."""

    def __init__(self, broker, source, target, name, *more):
        self.log = open(f"{broker_log_directory()}/{name}-{time.monotonic_ns()}.log", "w+", encoding="utf-8")
        super().__init__([str(COPY_LOOP), broker.bootstrap, source, target, "copiers", name, *more], patience=30, stdin=subprocess.PIPE,
                         stderr=self.log)

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.next()

    def said(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(encoding="utf-8")[-2000:]


def broker_log_directory():
    directory = KLAMM.parent.parent / "check" / "client-transactions"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def tool(broker, *arguments, text=None):
    done = subprocess.run([str(KLAMM), arguments[0], "--bootstrap-server", broker.bootstrap, *arguments[1:]], input=text,
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout


def read_by_us(broker, topic):
    out = tool(broker, "console-consumer", "--topic", topic, "--from-beginning", "--timeout-ms", "1000", "--command-property",
               "isolation.level=read_committed")
    return [line for line in out.splitlines() if line]


def read_by_librdkafka(broker, topic, partitions):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"reader-{time.monotonic_ns()}",
                                         "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING) for p in range(partitions)])
    values, ended, deadline = [], set(), time.monotonic() + 20
    while len(ended) < partitions and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.5):
            if message.error() is None:
                values.append(message.value().decode())
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return values


def copy_story(checks, broker, what):
    """The copier is killed inside of a transaction, the broker inside of a later one."""
    for topic in ("raw", "clean"):
        tool(broker, "topics", "--create", "--topic", topic, "--partitions", str(PARTITIONS))
    tool(broker, "console-producer", "--topic", "raw", text="".join(f"{i}\n" for i in range(RECORDS)))
    copier, opened, kills = Driver(broker, "raw", "clean", "copier"), 0, 0
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        line = copier.next(1)
        # Who was killed may have committed without saying so: the topic tells when all is there.
        if line is None and (copier.process.poll() is not None or
                             (kills == 2 and len(read_by_librdkafka(broker, "clean", PARTITIONS)) >= RECORDS)):
            break
        if line != "open":
            continue
        opened += 1
        if opened == 5:
            copier.kill()
            kills += 1
            copier = Driver(broker, "raw", "clean", "copier")
        elif opened == 12:
            broker.kill()
            kills += 1
            broker.start()
    checks.equal(f"{what}: copier and broker were killed inside of transactions", 2, kills)
    checks.check(f"{what}: the copier lives", copier.process.poll() is None, copier.said())
    copier.kill()
    expected = collections.Counter(str(i) for i in range(RECORDS))
    for reader, values in (("our client", read_by_us(broker, "clean")),
                           ("confluent-kafka", read_by_librdkafka(broker, "clean", PARTITIONS))):
        seen = collections.Counter(values)
        checks.equal(f"{what}: {reader} sees each of {RECORDS} records once", (0, 0), ((expected - seen).total(), (seen - expected).total()))


def hand_story(checks, broker, what):
    """Begin, send, commit, abort, drop; then somebody else takes the id."""
    tool(broker, "topics", "--create", "--topic", "slips", "--partitions", "1")
    first = Driver(broker, "-", "slips", "clerk")
    checks.equal(f"{what}: outside of a transaction nothing is taken",
                 "java.lang.IllegalStateException: Cannot add partition slips-0 to transaction before completing a call to initTransactions",
                 first.do("send early"))
    for command in ("begin", "send one", "commit", "begin", "send two", "abort", "begin", "send three", "drop", "begin", "send four", "commit"):
        checks.equal(f"{what}: {command}", "ok", first.do(command))
    checks.equal(f"{what}: between transactions nothing is taken",
                 "java.lang.IllegalStateException: Cannot add partition slips-0 to transaction while in state  READY", first.do("send late"))
    checks.equal(f"{what}: a transaction is left open", "ok", first.do("begin"))
    checks.equal(f"{what}: with a record", "ok", first.do("send five"))
    second = Driver(broker, "-", "slips", "clerk")
    checks.equal(f"{what}: the id is taken over", "ok", second.do("init"))
    checks.equal(f"{what}: the new one begins", "ok", second.do("begin"))
    checks.equal(f"{what}: and sends", "ok", second.do("send six"))
    refused = first.do("send seven")
    checks.check(f"{what}: what the old one sends is refused", refused is not None and "InvalidProducerEpochException" in refused, refused)
    refused = first.do("commit")
    checks.check(f"{what}: and so is its commit", refused not in (None, "ok"), refused)
    refused = first.do("abort")
    checks.check(f"{what}: its abort tells why", refused is not None and refused.startswith("org.apache.kafka.common.errors.ProducerFenced"), refused)
    checks.equal(f"{what}: the new one commits", "ok", second.do("commit"))
    for driver in (first, second):
        driver.process.stdin.close()
    checks.equal(f"{what}: the new one ends well", 0, second.process.wait(timeout=20))
    first.process.wait(timeout=20)
    checks.equal(f"{what}: committed slips alone are seen", ["one", "four", "six"], read_by_us(broker, "slips"))
    checks.equal(f"{what}: by confluent-kafka too", ["one", "four", "six"], read_by_librdkafka(broker, "slips", 1))
    described = json.dumps(tool(broker, "transactions", "describe", "--transactional-id", "clerk"))
    checks.check(f"{what}: the coordinator has it at its end", "CompleteCommit" in described, described)


def main():
    checks, start = Checks("client-transactions"), time.monotonic()
    if "--kafka" in sys.argv[1:]:
        for level in ("2", "1"):
            with TheirBroker(Kafka("4.3.1"), SETTINGS, f"transaction.version={level}") as broker:
                hand_story(checks, broker, f"Apache Kafka, version {level}")
                copy_story(checks, broker, f"Apache Kafka, version {level}")
    else:
        with Broker(SETTINGS) as broker:
            hand_story(checks, broker, "version 2")
            copy_story(checks, broker, "version 2")
        with TheirBroker(KlammPrograms(), SETTINGS, "transaction.version=0") as broker:
            hand_story(checks, broker, "version 0")
            copy_story(checks, broker, "version 0")
    print(f"{time.monotonic() - start:.1f} s")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
