"""The power goes: what was not synced is lost. ext4 on a loop device, shut down without a flush of its journal."""
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
        lost = 0
        with story.broker as broker:
            broker.start()
            story.create()
            for story.rounds in range(1, rounds + 1):
                synced, cached = story.loads(size=story.random.choice((40, 400, 4000)))
                with synced, cached:
                    if not synced.progress(20):
                        story.wrong.append(f"round {story.rounds}: no progress: {synced.errors()}")
                    time.sleep(story.random.uniform(0, 1))
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


def first_second(table, home, rounds, seed=1):
    """A new broker on a new disk each time, cut somewhere in its first second."""
    rng = random.Random(seed)
    acked, wrong, done, created = 0, [], 0, 0
    with Ext4(home, 64) as disk:
        for done in range(1, rounds + 1):
            if done > 1:
                disk.make()
            history, known = History(), []
            with FaultyBroker(home / f"b{done}", [disk.path / "d1", disk.path / "d2"]) as broker:
                broker.spawn()
                client = threading.Thread(target=_greet, args=(broker.bootstrap, known), daemon=True)
                client.start()
                load = Load(history, broker.bootstrap, "first", 2, ("idempotent", "plain"), seed=done)
                with load:
                    time.sleep(rng.uniform(0, 1) ** 2)
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


def _greet(bootstrap, known):
    try:
        with Client(bootstrap, 5) as client:
            client.create("first", 2, {"flush.messages": 1})
            known.append("first")
    except (OSError, RuntimeError):
        pass


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
