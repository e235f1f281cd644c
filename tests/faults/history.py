"""Reads everything back and compares it with what the clients know."""
import collections
import time

from load import batches_of
from client import Client


def read(client, topic, partition, start=None, checked=False):
    """{offset: value} of what the partition holds."""
    at = client.offset(topic, -2, partition) if start is None else start
    end = client.offset(topic, -1, partition)
    found = {}
    while at < end:
        raw, before = client.fetch(topic, at, partition, 4 << 20), at
        for base, values in batches_of(raw, checked):
            for offset, value in enumerate(values, base):
                if offset >= at:
                    found[offset] = value
            at = max(at, base + len(values))
        if at == before:
            raise RuntimeError(f"{topic}-{partition} ends at {at} instead of {end}")
    return found


class Verdict:
    def __init__(self):
        self.acked = self.lost = 0
        self.ends = {}
        self.wrong = []

    def add(self, text):
        if len(self.wrong) < 20:
            self.wrong.append(text if len(text) < 400 else f"{text[:200]} ... {text[-150:]}")


def compare(history, bootstrap, topics, may_lose_tail=(), since=None):
    """The verdict. `may_lose_tail`: topics of which what was acknowledged above a partition's end may be gone (nothing below it). `since`:
    the ends of an earlier verdict, below which is not looked again."""
    verdict = Verdict()
    for text in history.wrong:
        verdict.add(text)
    with Client(bootstrap) as client:
        for topic, partitions in topics.items():
            for partition in range(partitions):
                key, first = (topic, partition), (since or {}).get((topic, partition), 0)
                found = read(client, topic, partition, first - 1 if first else None)
                check_partition(verdict, history, key, found, topic in may_lose_tail, first)
    return verdict


def check_partition(verdict, history, key, found, may_lose_tail, since=0):
    name = f"{key[0]}-{key[1]}"
    offsets = sorted(found)
    end = offsets[-1] + 1 if offsets else 0
    if offsets and len(offsets) != end - offsets[0]:
        verdict.add(f"{name}: a gap between {offsets[0]} and {end}")
    if since and since - 1 not in found:
        verdict.add(f"{name}: offset {since - 1} is gone, which was there (end {end})")
    verdict.ends[key] = end
    acked = history.acked.get(key, {})
    verdict.acked += len(acked) + len(history.known[key])
    for offset, value in acked.items():
        if offset < since or found.get(offset) == value:
            continue
        verdict.lost += 1
        if may_lose_tail and offset >= end:
            continue
        verdict.add(f"{name}: {value!r} was acknowledged at {offset}, where {found.get(offset)!r} is (end {end})")
    for offset, value in history.seen.get(key, {}).items():
        if offset >= since and found.get(offset) != value and not (may_lose_tail and offset >= end):
            verdict.add(f"{name}: a consumer saw {value!r} at {offset}, where {found.get(offset)!r} is (end {end})")
    check_values(verdict, history, key, found)
    if since == 0:
        for value in history.known[key] - set(found.values()):
            verdict.lost += 1
            verdict.add(f"{name}: {value!r} was acknowledged and is nowhere")


def check_values(verdict, history, key, found):
    """Each once, sent to this partition, in the order in which its client sent it."""
    name, last = f"{key[0]}-{key[1]}", {}
    for value, times in collections.Counter(found.values()).items():
        if times > 1:
            verdict.add(f"{name}: {value!r} is there {times} times")
        if value not in history.sent[key]:
            verdict.add(f"{name}: {value!r} was never sent there")
    for offset in sorted(found):
        client, number = found[offset].rstrip(b".").rsplit(b"/", 1)
        if int(number) <= last.get(client, 0):
            verdict.add(f"{name}: {client!r} sent {number!r} before {last[client]}, which is at a lower offset than {offset}")
        last[client] = int(number)


def wait_until_ready(bootstrap, topics, patience=30):
    """Until every partition answers; also the time a restart took, in seconds."""
    started = time.monotonic()
    with Client(bootstrap, patience) as client:
        for topic, partitions in topics.items():
            for partition in range(partitions):
                client.offset(topic, -1, partition, patience)
    return time.monotonic() - started
