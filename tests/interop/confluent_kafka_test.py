#!/usr/bin/env python3
"""confluent-kafka of PyPI (today's librdkafka): producer, consumer by assign, admin, classic groups, transactions."""
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

import confluent_kafka_stories
from harness import Broker, Checks

TOPIC = "confluent.kafka"


def main():
    checks = Checks(f"confluent-kafka {confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})")
    with Broker({"group.initial.rebalance.delay.ms": "200"}) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        checks.attempt("create a topic", lambda: [f.result() for f in admin.create_topics([NewTopic(TOPIC, 3, 1)]).values()])
        checks.equal("describe the topic", 3, len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions))
        checks.attempt("describe the cluster", lambda: admin.describe_cluster().result())
        described = admin.describe_topics(confluent_kafka.TopicCollection([TOPIC]))
        checks.equal("DescribeTopics", 3, len(described[TOPIC].result().partitions))
        resource = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[
            ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET)])
        checks.attempt("incremental alter configs", lambda: [f.result() for f in admin.incremental_alter_configs([resource]).values()])
        got = list(admin.describe_configs([ConfigResource(ResourceType.TOPIC, TOPIC)]).values())[0].result()
        checks.equal("altered", "2000000", got["max.message.bytes"].value)
        checks.attempt("create partitions", lambda: [f.result() for f in admin.create_partitions([NewPartitions(TOPIC, 4)]).values()])

        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            delivered, failed = [], []
            producer = Producer({"bootstrap.servers": broker.bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
            for i in range(1000):
                producer.produce(TOPIC, key=f"k{i}", value=f"{codec} {i}", partition=i % 3, headers={"codec": codec},
                                 on_delivery=lambda error, m: (failed if error else delivered).append(m))
            producer.flush(20)
            checks.equal(f"idempotent produce, {codec}: delivered", (1000, 0), (len(delivered), len(failed)))

        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.auto.commit": False,
                             "auto.offset.reset": "earliest", "enable.partition.eof": True})
        consumer.assign([TopicPartition(TOPIC, p, confluent_kafka.OFFSET_BEGINNING) for p in range(3)])
        records, at_end, deadline = [], 0, time.monotonic() + 30
        while at_end < 3 and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                at_end += 1
            else:
                records.append(message)
        checks.equal("consume by assign: all of them", 5000, len(records))
        order = {}
        for record in records:
            order.setdefault(record.partition(), []).append(record.offset())
        checks.check("offsets without a gap", all(offsets == list(range(len(offsets))) for offsets in order.values()))
        checks.equal("watermarks", (0, len(order[0])), consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10))
        consumer.close()

        latest = admin.list_offsets({TopicPartition(TOPIC, 0): OffsetSpec.latest()})
        checks.equal("ListOffsets", len(order[0]), list(latest.values())[0].result().offset)
        checks.attempt("delete records", lambda: [f.result() for f in admin.delete_records([TopicPartition(TOPIC, 0, 100)]).values()])
        earliest = admin.list_offsets({TopicPartition(TOPIC, 0): OffsetSpec.earliest()})
        checks.equal("the log starts later", 100, list(earliest.values())[0].result().offset)
        checks.attempt("delete the topic", lambda: [f.result() for f in admin.delete_topics([TOPIC]).values()])
        confluent_kafka_stories.groups(checks, broker)
        confluent_kafka_stories.transactions(checks, broker)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
