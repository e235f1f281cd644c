"""Clients that produce as fast as one thread can, and remember what was acknowledged.

A plain client sends a value once: without an answer it may be in the log or not. An idempotent client sends a batch again, with the same
sequence, until it is acknowledged: it is in the log exactly once.
"""
import collections
import pathlib
import random
import struct
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "server"), str(TESTS / "interop"), str(TESTS / "figures"), str(TESTS / "wire")]
import wire  # noqa: E402
from client import Client, _varint  # noqa: E402

NOT_READY = (3, 5, 6)  # refused before anything was written
OUT_OF_ORDER, DUPLICATE, UNKNOWN_PRODUCER = 45, 46, 59
ACKED_ONCE = -1  # the offset of a batch that the broker knows but has forgotten where


def batches_of(raw, checked=False):
    """(base offset, [values]) of each whole batch; `checked`: a wrong checksum raises."""
    position = 0
    while position + 61 <= len(raw):
        base, size = struct.unpack_from(">qi", raw, position)
        if position + 12 + size > len(raw):
            return
        if checked and struct.unpack_from(">I", raw, position + 17)[0] != wire.crc32c(raw[position + 21:position + 12 + size]):
            raise RuntimeError(f"a wrong checksum in the batch at {base}")
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


class Batch:
    def __init__(self, partition, values, sequence):
        self.partition, self.values, self.sequence = partition, values, sequence


class History:
    """What all clients of a story know. Values are unique in it: `name/number`."""

    def __init__(self):
        self.acked = {}  # (topic, partition) -> {offset: value}
        self.known = collections.defaultdict(set)  # (topic, partition) -> values acknowledged without an offset
        self.seen = {}  # (topic, partition) -> {offset: value} that a consumer was given
        self.sent = collections.defaultdict(set)  # (topic, partition) -> every value that ever left
        self.wrong = []  # what was wrong already while it ran
        self.producer_ids = set()
        self.dark = False  # the power of the disk is off
        self.answered_in_the_dark = 0
        self.lock = threading.Lock()

    def count(self):
        return sum(len(offsets) for offsets in self.acked.values())

    def power(self, on):
        """Where the power goes, clients and broker go at the same instant. Here they live on for a moment, and Linux lets a sync return
        success whose transaction the cut took: what is answered from the first moment of the cut on was not answered."""
        with self.lock:
            self.dark = not on

    def acknowledge(self, topic, batch, base):
        with self.lock:
            if self.dark:
                self.answered_in_the_dark += len(batch.values)
                return
            if base == ACKED_ONCE:
                self.known[topic, batch.partition].update(batch.values)
                return
            offsets = self.acked.setdefault((topic, batch.partition), {})
            for offset, value in enumerate(batch.values, base):
                if offsets.setdefault(offset, value) != value:
                    self.wrong.append(f"{topic}-{batch.partition}: offset {offset} answered for {offsets[offset]!r} and for {value!r}")

    def see(self, key, found):
        with self.lock:
            if self.dark:
                return
            seen = self.seen.setdefault(key, {})
            for offset, value in found.items():
                if seen.setdefault(offset, value) != value:
                    self.wrong.append(f"{key}: a consumer saw {seen[offset]!r} at {offset}, and now {value!r}")

    def forget(self, ends):
        """What was lost and may be: offsets from here on are given anew."""
        for key, end in ends.items():
            self._drop(key, lambda offset, end=end: offset >= end)

    def deleted(self, key, below):
        self._drop(key, lambda offset: offset < below)

    def _drop(self, key, which):
        for offsets in (self.acked.get(key, {}), self.seen.get(key, {})):
            for offset in [o for o in offsets if which(o)]:
                del offsets[offset]

    def producer_id(self, given):
        with self.lock:
            if self.dark:
                return
            if given in self.producer_ids:
                self.wrong.append(f"producer id {given} was given twice")
            self.producer_ids.add(given)


class Producer(threading.Thread):
    """Produces to every partition of a topic until stop(). `window`: requests in flight. `pause`: seconds between two windows."""

    def __init__(self, history, bootstrap, topic, partitions, *, name, idempotent=False, acks=-1, window=5, records=4, size=40, pause=0.0,
                 seed=0):
        super().__init__(daemon=True, name=name)
        self.history, self.bootstrap, self.topic, self.partitions = history, bootstrap, topic, partitions
        self.idempotent, self.acks, self.window, self.records, self.size, self.pause = idempotent, acks, window, records, size, pause
        self.random = random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.connection = None
        self.producer = (-1, -1)
        self.sequences = collections.Counter()
        self.waiting = collections.deque()  # idempotent: batches that are not acknowledged, oldest first
        self.number = 0
        self.errors = collections.Counter()
        self.hang_ups = 0
        self.broken = None

    def stop(self):
        self.stopping.set()

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.turn()
                except (OSError, ConnectionError):
                    self.hang_up()
        except Exception as error:  # a client that dies silently would pass every check
            self.broken = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            if self.connection:
                self.connection.close()

    def hang_up(self):
        if self.connection:
            self.connection.close()
            self.hang_ups += 1
        self.connection = None
        time.sleep(0.01)

    def turn(self):
        if self.connection is None:
            self.connection = wire.Connection(self.bootstrap, timeout=20)
        if self.idempotent and self.producer[0] < 0 and not self.begin():
            time.sleep(0.02)
            return
        batches = self.next_batches()
        self.connection.socket.sendall(b"".join(self.frame(batch, i) for i, batch in enumerate(batches)))
        unready = False
        for batch in batches:
            error, base = wire.produce_error(self.topic, self.connection.receive())
            unready |= self.answered(batch, error, base)
        if unready or self.pause:
            time.sleep(max(self.pause, 0.02 if unready else 0))

    def begin(self):
        """A producer id of its own."""
        body = b"\0" + struct.pack(">i", 60000) + struct.pack(">qh", -1, -1) + b"\0"
        answer = self.connection.ask(wire.frame(22, 4, 1, body, True))
        error, given, epoch = struct.unpack_from(">hqh", answer, 4 + 1 + 4)
        if error:
            self.errors[error] += 1
            return False
        self.history.producer_id(given)
        self.producer = (given, epoch)
        self.sequences.clear()
        return True

    def next_batches(self):
        while len(self.waiting) < self.window:
            partition = self.random.randrange(self.partitions)
            values = []
            for _ in range(self.records):
                self.number += 1
                values.append(f"{self.name}/{self.number}".encode().ljust(self.size, b"."))
            self.history.sent[self.topic, partition].update(values)
            self.waiting.append(Batch(partition, values, self.sequences[partition]))
            self.sequences[partition] += len(values)
        batches = list(self.waiting)
        if not self.idempotent:
            self.waiting.clear()
        return batches

    def frame(self, batch, correlation):
        producer = (*self.producer, batch.sequence) if self.idempotent else (-1, -1, -1)
        return wire.produce(self.topic, wire.batch(batch.values, int(time.time() * 1000), producer), batch.partition, self.acks, correlation)

    def answered(self, batch, error, base):
        """True when the broker wants a moment."""
        if error == 0 or (error == DUPLICATE and self.idempotent):
            self.history.acknowledge(self.topic, batch, base if error == 0 and base >= 0 else ACKED_ONCE)
            if self.idempotent:
                self.waiting.remove(batch)
            return False
        self.errors[error] += 1
        return True


class Reader(threading.Thread):
    """A consumer at the end of the partitions: what it was given must stay where it was."""

    def __init__(self, history, bootstrap, topic, partitions):
        super().__init__(daemon=True, name=f"reader of {topic}")
        self.history, self.bootstrap, self.topic, self.partitions = history, bootstrap, topic, partitions
        self.stopping = threading.Event()
        self.broken = None

    def stop(self):
        self.stopping.set()

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    with Client(self.bootstrap, 1) as client:
                        self.follow(client)
                except (OSError, RuntimeError):  # gone, or not ready
                    time.sleep(0.02)
        except Exception as error:
            self.broken = f"{self.name}: {type(error).__name__}: {error}"

    def follow(self, client):
        at = {}
        while not self.stopping.is_set():
            for partition in range(self.partitions):
                end = client.offset(self.topic, -1, partition, 0)
                start = at.get(partition, end - 20)
                if start >= end:
                    continue
                if end - start > 400:  # only what is new can be taken back
                    start = end - 100
                found = {}
                for base, values in batches_of(client.fetch(self.topic, max(start, 0), partition, 1 << 16)):
                    found.update(enumerate(values, base))
                self.history.see((self.topic, partition), found)
                at[partition] = max(found, default=start - 1) + 1
            self.stopping.wait(0.02)


class Load:
    """Several clients at once on one topic, and a consumer: `with Load(...) as load:`; `load.progress(n)` waits until n more records are
    acknowledged."""

    def __init__(self, history, bootstrap, topic, partitions, kinds, seed=0, **options):
        self.history = history
        self.clients = [Producer(history, bootstrap, topic, partitions, name=f"{topic}.{kind}{i}.{seed}", idempotent=kind == "idempotent",
                                 acks=1 if kind == "acks1" else -1, seed=seed, **options) for i, kind in enumerate(kinds)]
        self.threads = [*self.clients, Reader(history, bootstrap, topic, partitions)]

    def __enter__(self):
        for client in self.threads:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.threads:
            client.stop()
        for client in self.threads:
            client.join(30)
            if client.is_alive():
                self.history.wrong.append(f"{client.name} hangs")
            if client.broken:
                self.history.wrong.append(client.broken)

    def progress(self, more=1, patience=30):
        target = self.history.count() + more
        deadline = time.monotonic() + patience
        while self.history.count() < target:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def errors(self):
        return sum((client.errors for client in self.clients), collections.Counter())
