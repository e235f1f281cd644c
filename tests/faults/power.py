"""The power goes: what was not synced is lost. ext4 on a loop device, shut down without a flush of its journal."""
import os
import random
import struct
import threading
import time

import wire
from client import Client
from faulty import FaultyBroker
from history import compare, wait_until_ready
from kill import Survivor
from load import History, Load
from mounts import Ext4


def under_load(table, home, rounds, seed=1):
    """One life after the other on the same disk; one topic with flush.messages=1, one without."""
    with Ext4(home) as disk:
        story = Survivor(home, seed, log_dirs=[disk.path / "d1", disk.path / "d2"])
        disk.history, lost = story.history, 0
        with story.broker as broker:
            broker.start()
            story.create()
            for story.rounds in range(1, rounds + 1):
                synced, cached = story.loads(size=story.random.choice((40, 400, 4000)))
                with synced, cached:
                    if not synced.progress(20):
                        story.wrong.append(f"round {story.rounds}: no progress: {synced.errors()}")
                    time.sleep(story.random.uniform(0, 1))
                    some_writeback(disk.path, story.random)
                    disk.cut_power()
                    broker.kill()
                disk.power_on()
                broker.start()
                if not story.check(may_lose_tail=("cached",)):
                    break
                lost += story.verdict.lost
                story.history.forget(story.verdict.ends)
            broker.kill()
    synced = sum(len(offsets) for (topic, _), offsets in story.history.acked.items() if topic == "synced")
    table.row("power cut under load, flush.messages=1", story.rounds, synced, 0, story.wrong)
    table.row("power cut under load, no flush", story.rounds, story.history.count() - synced + lost, lost, [], "unsynced tails")


def some_writeback(path, rng):
    """What a kernel may do at any time: some files reach the disk before others, in no order."""
    if rng.random() < 0.5:
        return
    files = sorted(p for p in path.rglob("*") if p.is_file())
    for file in rng.sample(files, min(len(files), rng.randrange(1, 8))):
        try:
            descriptor = os.open(file, os.O_RDONLY)
        except FileNotFoundError:
            continue
        os.fsync(descriptor)
        os.close(descriptor)


class TimedHistory(History):
    """Also when a record was acknowledged: of those that a power cut took."""

    def __init__(self):
        super().__init__()
        self.when = {}

    def acknowledge(self, topic, batch, base):
        super().acknowledge(topic, batch, base)
        if self.dark:
            return
        for offset in range(max(base, 0), base + len(batch.values) if base >= 0 else 0):
            self.when.setdefault((topic, batch.partition), {}).setdefault(offset, time.monotonic())

    def forget(self, ends):
        super().forget(ends)
        self.when.clear()


LATE = 1.5  # seconds a busy machine may take for what is due after 150 ms


def bounded_loss(table, home, rounds, seed=1):
    """flush.messages=10 loses at most nine records of a partition, flush.ms=100 what is younger than that."""
    topics = {"tenth": 2, "timed": 2}
    with Ext4(home) as disk:
        story = Survivor(home, seed, {"log.flush.scheduler.interval.ms": "50"}, topics, [disk.path / "d1", disk.path / "d2"])
        story.history = disk.history = TimedHistory()
        lost = 0
        with story.broker as broker:
            broker.start()
            with Client(broker.bootstrap) as client:
                client.create("tenth", 2, {"flush.messages": 10})
                client.create("timed", 2, {"flush.ms": 100})
            for story.rounds in range(1, rounds + 1):
                loads = [Load(story.history, broker.bootstrap, topic, 2, ("plain", "idempotent"), seed=story.rounds, records=3, pause=0.01)
                         for topic in topics]
                with loads[0], loads[1]:
                    loads[0].progress(100)
                    time.sleep(story.random.uniform(LATE, LATE + 1))
                    disk.cut_power()
                    dark = time.monotonic()
                    broker.kill()
                disk.power_on()
                broker.start()
                story.check(may_lose_tail=tuple(topics))
                for key, end in story.verdict.ends.items():
                    gone = [offset for offset in story.history.acked.get(key, {}) if offset >= end]
                    if key[0] == "tenth" and len(gone) > 9:
                        story.wrong.append(f"round {story.rounds}: {key} lost {len(gone)} records")
                    old = [offset for offset in gone if dark - story.history.when[key][offset] > LATE]
                    if key[0] == "timed" and old:
                        story.wrong.append(f"round {story.rounds}: {key} lost {len(old)} records that were older than {LATE} s")
                lost += story.verdict.lost
                if story.wrong:
                    break
                story.history.forget(story.verdict.ends)
            broker.kill()
    table.row("power cut, flush.messages=10 and flush.ms=100", story.rounds, story.history.count() + lost, lost, story.wrong,
              "at most 9 a partition, or young")


def first_second(table, home, rounds, seed=1):
    """A new broker on a new disk each time, cut somewhere in its first second."""
    rng = random.Random(seed)
    acked, wrong, done, created = 0, [], 0, 0
    with Ext4(home, 64) as disk:
        for done in range(1, rounds + 1):
            if done > 1:
                disk.make()
            history, known, dark = History(), [], threading.Event()
            disk.history = history
            with FaultyBroker(home / f"b{done}", [disk.path / "d1", disk.path / "d2"]) as broker:
                broker.spawn()
                client = threading.Thread(target=_greet, args=(broker.bootstrap, known, dark), daemon=True)
                client.start()
                load = Load(history, broker.bootstrap, "first", 2, ("idempotent", "plain"), seed=done)
                with load:
                    time.sleep(rng.uniform(0, 1) ** 2)
                    some_writeback(disk.path, rng)
                    dark.set()
                    disk.cut_power()
                    broker.kill()
                client.join(10)
                disk.power_on()
                broker.start()
                if known or history.acked:
                    created += 1
                    wait_until_ready(broker.bootstrap, {"first": 2})
                    verdict = compare(history, broker.bootstrap, {"first": 2})
                    acked += verdict.acked
                    wrong += [f"round {done}: {text}" for text in verdict.wrong]
                else:
                    with Client(broker.bootstrap) as again:
                        again.ask("Metadata", 12, {"Topics": None})
                broker.kill()
            if wrong:
                break
    table.row(f"power cut in the first second ({created} had a topic)", done, acked, 0, wrong)


def _greet(bootstrap, known, dark):
    while not dark.is_set():
        try:
            with Client(bootstrap, 0) as client:
                client.create("first", 2, {"flush.messages": 1})
                if not dark.is_set():
                    known.append("first")
                return
        except (OSError, RuntimeError):
            dark.wait(0.005)


def topic_ids(client):
    return {t["Name"]: (t["TopicId"], len(t["Partitions"])) for t in client.ask("Metadata", 12, {"Topics": None})["Topics"]}


def after_answers(table, home, rounds, seed=1):
    """The power goes the moment CreateTopics or InitProducerId has answered."""
    rng = random.Random(seed)
    expected, ids, wrong, done = {}, set(), [], 0
    with Ext4(home) as disk, FaultyBroker(home, [disk.path / "d1", disk.path / "d2"]) as broker:
        broker.start()
        for done in range(1, rounds + 1):
            connection = wire.Connection(broker.bootstrap)
            if done % 2:
                name, partitions = f"topic-{done}", rng.randrange(1, 5)
                error = wire.create_error(name, connection.ask(wire.create_topic(name, partitions)))
                disk.cut_power()
                if error:
                    wrong.append(f"round {done}: create answers {error}")
                expected[name] = partitions
            else:
                error, given, _ = _producer_id(connection)
                disk.cut_power()
                if error or given in ids:
                    wrong.append(f"round {done}: error {error}, producer id {given}, which was given before: {given in ids}")
                ids.add(given)
            broker.kill()
            connection.close()
            disk.power_on()
            broker.start()
            with Client(broker.bootstrap) as client:
                found = {name: partitions for name, (_, partitions) in topic_ids(client).items()}
                if found != expected:
                    wrong.append(f"round {done}: topics {found} instead of {expected}")
            if wrong:
                break
        broker.kill()
    table.row("power cut right after CreateTopics, InitProducerId", done, len(expected) + len(ids), 0, wrong)


def _producer_id(connection):
    body = b"\0" + struct.pack(">i", 60000) + struct.pack(">qh", -1, -1) + b"\0"
    deadline = time.monotonic() + 20
    while True:
        error, given, epoch = struct.unpack_from(">hqh", connection.ask(wire.frame(22, 4, 1, body, True)), 4 + 1 + 4)
        if error not in (14, 15, 7) or time.monotonic() > deadline:
            return error, given, epoch
        time.sleep(0.02)
