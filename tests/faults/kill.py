"""kill -9: at random, at chosen system calls, and while a killed broker recovers."""
import collections
import random
import subprocess
import threading
import time

from client import Client
from faulty import FaultyBroker, strace
from history import compare, wait_until_ready
from load import History, Load

CLIENTS = ("idempotent", "plain", "idempotent", "acks1")


class Survivor:
    """One broker through many deaths; each is followed by a start without help and a look at every record."""

    def __init__(self, home, seed, settings=None, topics=None, log_dirs=None):
        self.random = random.Random(seed)
        self.seed, self.history, self.rounds = seed, History(), 0
        self.topics = topics or {"synced": 2, "cached": 4}
        self.broker = FaultyBroker(home, log_dirs or [home / "d1", home / "d2"], settings)
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

    def check(self, may_lose_tail=()):
        wait_until_ready(self.broker.bootstrap, self.topics)
        # What was found before is looked at again every tenth time, unless it may be gone.
        whole = may_lose_tail or self.rounds % 10 in (0, self.rounds) or self.verdict is None
        self.verdict = compare(self.history, self.broker.bootstrap, self.topics, may_lose_tail, None if whole else self.verdict.ends)
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


# What a broker asks of its disk, and how often a thread does so before and under load: the kill comes at the N-th call.
CALLS = {"pwritev": 300, "fdatasync": 40, "fsync": 40, "rename": 40, "unlink": 20, "ftruncate": 3, "write": 60, "mkdir": 4, "openat": 120,
         "pread64": 40, "getdents64": 12, "close": 120}


class Churn(threading.Thread):
    """Creates and deletes topics; what was acknowledged holds after every crash."""

    def __init__(self, bootstrap, present, absent, name):
        super().__init__(daemon=True)
        self.bootstrap, self.present, self.absent, self.prefix = bootstrap, present, absent, name
        self.stopping = threading.Event()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            try:
                with Client(self.bootstrap, 1) as client:
                    while not self.stopping.is_set():
                        number += 1
                        name = f"{self.prefix}-{number}"
                        client.create(name, 2)
                        self.present.add(name)
                        if number % 3 == 0:
                            victim = min(self.present)
                            self.present.discard(victim)  # unknown until it is answered
                            answer = client.ask("DeleteTopics", 6, {"Topics": [{"Name": victim, "TopicId": b"\0" * 16}], "TimeoutMs": 10000})
                            if answer["Responses"][0]["ErrorCode"] == 0:
                                self.absent.add(victim)
                        time.sleep(0.02)
            except (OSError, RuntimeError):
                time.sleep(0.02)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join(10)


def at_calls(table, home, rounds, seed=1, calls=None):
    """Each life ends at the N-th call of one kind by one of its threads: while it starts, recovers, serves, rolls, deletes."""
    story = Survivor(home, seed)
    present, absent, deaths = set(), set(), collections.Counter()
    names = sorted(calls or CALLS)
    with story.broker as broker:
        broker.start()
        story.create()
        broker.kill()
        for story.rounds in range(1, rounds + 1):
            call = names[story.rounds % len(names)]
            when = story.random.randint(1, CALLS[call])
            broker.spawn(*strace(home, f"{call}:signal=SIGKILL:when={when}"))
            synced, cached = story.loads(size=story.random.choice((40, 4000)))
            with synced, cached, Churn(broker.bootstrap, present, absent, f"churn-{story.rounds:05}"):
                try:
                    broker.ended(story.random.uniform(2, 4))
                    deaths[call] += 1
                except subprocess.TimeoutExpired:
                    broker.kill()
            broker.start()
            with Client(broker.bootstrap) as client:
                found = {t["Name"] for t in client.ask("Metadata", 12, {"Topics": None})["Topics"]}
            if missing := present - found:
                story.wrong.append(f"round {story.rounds} ({call} {when}): topics are gone: {sorted(missing)}")
            if back := absent & found:
                story.wrong.append(f"round {story.rounds} ({call} {when}): deleted topics are back: {sorted(back)}")
            if not story.check():
                story.wrong.append(f"at {call} number {when}")
                break
            broker.kill()
    story.report(table, f"kill -9 at {', '.join(names)} ({sum(deaths.values())} hit)")
