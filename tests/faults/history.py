"""Reads everything back and compares it with what the clients know."""
import collections
import struct
import time

import load  # noqa: F401  (finds the neighbours' modules)
from client import Client, _varint


def batches_of(raw):
    """(base offset, [values]) of each whole batch."""
    position = 0
    while position + 61 <= len(raw):
        base, size = struct.unpack_from(">qi", raw, position)
        if position + 12 + size > len(raw):
            return
        count = struct.unpack_from(">i", raw, position + 57)[0]
        body, values = position + 61, []
        for _ in range(count):
            length, body = _varint(raw, body)
            here = body + 1
            _, here = _varint(raw, here)
            _, here = _varint(raw, here)
            key, here = _varint(raw, here)
            here += max(key, 0)
            size_of_value, here = _varint(raw, here)
            values.append(raw[here:here + size_of_value])
            body += length
        yield base, values
        position += 12 + size


def read(client, topic, partition, start=None):
    """{offset: value} of what the partition holds."""
    at = client.offset(topic, -2, partition) if start is None else start
    end = client.offset(topic, -1, partition)
    found = {}
    while at < end:
        raw, before = client.fetch(topic, at, partition, 4 << 20), at
        for base, values in batches_of(raw):
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
            self.wrong.append(text)


def compare(history, bootstrap, topics, may_lose_tail=()):
    """The verdict. `may_lose_tail`: topics of which what was acknowledged above a partition's end may be gone (nothing below it)."""
    verdict = Verdict()
    for text in history.wrong:
        verdict.add(text)
    with Client(bootstrap) as client:
        for topic, partitions in topics.items():
            for partition in range(partitions):
                check_partition(verdict, history, (topic, partition), read(client, topic, partition), topic in may_lose_tail)
    return verdict


def check_partition(verdict, history, key, found, may_lose_tail):
    name = f"{key[0]}-{key[1]}"
    offsets = sorted(found)
    end = offsets[-1] + 1 if offsets else 0
    if offsets and len(offsets) != end - offsets[0]:
        verdict.add(f"{name}: a gap between {offsets[0]} and {end}")
    verdict.ends[key] = end
    acked = history.acked.get(key, {})
    verdict.acked += len(acked) + len(history.known[key])
    for offset, value in acked.items():
        if found.get(offset) == value:
            continue
        verdict.lost += 1
        if may_lose_tail and offset >= end:
            continue
        verdict.add(f"{name}: {value!r} was acknowledged at {offset}, where {found.get(offset)!r} is (end {end})")
    seen = collections.Counter(found.values())
    for value, times in seen.items():
        if times > 1:
            verdict.add(f"{name}: {value!r} is there {times} times")
        if value not in history.sent[key]:
            verdict.add(f"{name}: {value!r} was never sent there")
    for value in history.known[key] - set(seen):
        verdict.lost += 1
        verdict.add(f"{name}: {value!r} was acknowledged and is nowhere")
    last = {}
    for offset in offsets:
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
