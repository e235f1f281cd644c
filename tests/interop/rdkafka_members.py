"""A group of librdkafka's consumers, for the tests that confluent-kafka runs."""
import time

import confluent_kafka


class Members:
    """Consumers of librdkafka, polled side by side; of the consumer protocol, unless told otherwise."""

    def __init__(self, broker, group, topic, **settings):
        self.broker, self.group, self.topic, self.settings, self.all, self.read = broker, group, topic, settings, [], set()

    def add(self, **more):
        member = confluent_kafka.Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "group.protocol": "consumer",
                                           "auto.offset.reset": "earliest", "enable.auto.commit": False, **self.settings, **more})
        member.subscribe([self.topic])
        self.all.append(member)
        return member

    def remove(self, member):
        self.all.remove(member)
        member.close()

    def poll_until(self, what, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for member in self.all:
                message = member.poll(0.02)
                while message is not None:
                    if not message.error():
                        self.read.add((message.topic(), message.partition(), message.offset()))
                    message = member.poll(0)
            if what():
                return True
        return False

    def shared(self, count):
        have = [{(each.topic, each.partition) for each in member.assignment()} for member in self.all]
        return all(have) and sum(map(len, have)) == count == len(set().union(*have))
