#!/usr/bin/python3
"""Debian's python3-kafka 2.0.2 (old on purpose): producer, consumer by assign, admin. Run with the system's Python."""
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

from harness import Broker, Checks

TOPIC = "python-kafka"


def main():
    checks = Checks("python3-kafka 2.0.2")
    with Broker() as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        checks.attempt("create a topic", lambda: admin.create_topics([NewTopic(TOPIC, 2, 1, topic_configs={"retention.ms": "3600000"})]))
        checks.check("list topics", TOPIC in admin.list_topics())
        checks.equal("describe: partitions", [0, 1], sorted(p["partition"] for p in admin.describe_topics([TOPIC])[0]["partitions"]))
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
        values = {entry[0]: entry[1] for entry in described[0].resources[0][4]}
        checks.equal("describe configs", "3600000", values.get("retention.ms"))
        checks.attempt("alter configs", lambda: admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"retention.ms": "7200000"})]))
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
        checks.equal("altered", "7200000", {e[0]: e[1] for e in described[0].resources[0][4]}.get("retention.ms"))
        checks.attempt("create partitions", lambda: admin.create_partitions({TOPIC: NewPartitions(3)}))

        for codec in (None, "gzip", "lz4", "snappy"):
            try:
                producer = KafkaProducer(bootstrap_servers=broker.bootstrap, compression_type=codec, acks="all", linger_ms=5)
            except AssertionError as error:
                print(f"     this Python has no {codec}: {error}")
                continue
            sent = [producer.send(TOPIC, key=b"k%d" % i, value=b"%s %d" % (str(codec).encode(), i), partition=i % 2,
                                  headers=[("h", b"v")], timestamp_ms=1_600_000_000_000 + i) for i in range(500)]
            producer.flush()
            checks.check(f"produce, {codec}: offsets answered", all(f.get(timeout=10).offset >= 0 for f in sent))
            producer.close()

        consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
                                 consumer_timeout_ms=3000)
        partitions = [TopicPartition(TOPIC, p) for p in (0, 1)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        records = list(consumer)
        ends = consumer.end_offsets(partitions)
        checks.equal("consume by assign: all of them", sum(ends.values()), len(records))
        checks.check("headers and timestamps", all(r.headers == [("h", b"v")] and r.timestamp >= 1_600_000_000_000 for r in records))
        found = consumer.offsets_for_times({partitions[0]: 1_600_000_000_100})
        checks.equal("offset for a time", 50, found[partitions[0]].offset)
        consumer.close()
        checks.attempt("delete the topic", lambda: admin.delete_topics([TOPIC]))
        checks.check("it is gone", TOPIC not in admin.list_topics())
        admin.close()
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
