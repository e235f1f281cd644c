"""kill -9: at random, at chosen system calls, and while a killed broker recovers."""
import random
import time

from client import Client
from faulty import FaultyBroker, strace
from history import compare, wait_until_ready
from load import History, Load

CLIENTS = ("idempotent", "plain", "idempotent", "acks1")


class Survivor:
    """One broker through many deaths; each is followed by a start without help and a look at every record."""

    def __init__(self, home, seed, settings=None, topics=None):
        self.random = random.Random(seed)
        self.seed, self.history, self.rounds = seed, History(), 0
        self.topics = topics or {"synced": 2, "cached": 4}
        self.broker = FaultyBroker(home, [home / "d1", home / "d2"], settings)
        self.wrong = []
        self.verdict = None

    def create(self):
        with Client(self.broker.bootstrap) as client:
            for topic, partitions in self.topics.items():
                configs = {"segment.bytes": 1 << 20}
                if topic == "synced":
                    configs["flush.messages"] = 1
                client.create(topic, partitions, configs)

    def loads(self, **options):
        return [Load(self.history, self.broker.bootstrap, topic, partitions, CLIENTS[:2] if topic == "synced" else CLIENTS,
                     seed=f"{self.seed}-{self.rounds}", **options) for topic, partitions in self.topics.items()]

    def check(self, may_lose_tail=False):
        wait_until_ready(self.broker.bootstrap, self.topics)
        self.verdict = compare(self.history, self.broker.bootstrap, self.topics, may_lose_tail)
        self.wrong += [f"round {self.rounds}: {text}" for text in self.verdict.wrong]
        return not self.wrong

    def report(self, table, fault, allowed=""):
        table.row(fault, self.rounds, self.verdict.acked if self.verdict else 0, self.verdict.lost if self.verdict else 0, self.wrong[:20], allowed)


def at_random(table, home, rounds, seed=1):
    story = Survivor(home, seed)
    with story.broker as broker:
        broker.start()
        story.create()
        for story.rounds in range(1, rounds + 1):
            first, second = story.loads()
            with first, second:
                if not first.progress(200):
                    story.wrong.append(f"round {story.rounds}: no progress: {first.errors()} {second.errors()}")
                time.sleep(story.random.uniform(0, 0.5))
                broker.kill()
                if story.random.random() < 0.5:  # the clients see it come back
                    broker.start()
                    first.progress(50)
                    broker.kill()
            broker.start()
            if not story.check():
                break
    story.report(table, "kill -9 at random")
