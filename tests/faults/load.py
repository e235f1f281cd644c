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

NOT_READY = (3, 5, 6)  # refused before anything was written
OUT_OF_ORDER, DUPLICATE, UNKNOWN_PRODUCER = 45, 46, 59
ACKED_ONCE = -1  # the offset of a batch that the broker knows but has forgotten where


class Batch:
    def __init__(self, partition, values, sequence):
        self.partition, self.values, self.sequence = partition, values, sequence


class History:
    """What all clients of a story know. Values are unique in it: `name/number`."""

    def __init__(self):
        self.acked = {}  # (topic, partition) -> {offset: value}
        self.known = collections.defaultdict(set)  # (topic, partition) -> values acknowledged without an offset
        self.sent = collections.defaultdict(set)  # (topic, partition) -> every value that ever left
        self.wrong = []  # what was wrong already while it ran
        self.producer_ids = set()
        self.lock = threading.Lock()

    def count(self):
        return sum(len(offsets) for offsets in self.acked.values())

    def acknowledge(self, topic, batch, base):
        with self.lock:
            if base == ACKED_ONCE:
                self.known[topic, batch.partition].update(batch.values)
                return
            offsets = self.acked.setdefault((topic, batch.partition), {})
            for offset, value in enumerate(batch.values, base):
                if offsets.setdefault(offset, value) != value:
                    self.wrong.append(f"{topic}-{batch.partition}: offset {offset} answered for {offsets[offset]!r} and for {value!r}")

    def forget(self, ends):
        """What was lost and may be: offsets from here on are given anew."""
        for key, end in ends.items():
            for offset in [o for o in self.acked.get(key, {}) if o >= end]:
                del self.acked[key][offset]

    def producer_id(self, given):
        with self.lock:
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


class Load:
    """Several clients at once on one topic: `with Load(...) as load:`; `load.progress(n)` waits until n more records are acknowledged."""

    def __init__(self, history, bootstrap, topic, partitions, kinds, seed=0, **options):
        self.history = history
        self.clients = [Producer(history, bootstrap, topic, partitions, name=f"{topic}.{kind}{i}.{seed}", idempotent=kind == "idempotent",
                                 acks=1 if kind == "acks1" else -1, seed=seed, **options) for i, kind in enumerate(kinds)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stop()
        for client in self.clients:
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
