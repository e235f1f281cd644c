"""A log of many segments of 1 GiB after a clean stop, made without writing 1 GiB: one real segment, copied sparse."""
import re
import statistics
import struct
import time

from node import STAMP, Node
import wire

GIB = 1 << 30
STEP = 1_000_000  # offsets a segment


def batch_at(offset, value):
    """A batch whose base offset is `offset`; the checksum does not cover it."""
    record = bytearray(wire.batch([value], STAMP + offset))
    struct.pack_into(">q", record, 0, offset)
    return bytes(record)


def filler(offset, last, size):
    """A batch of `size` bytes for one record that covers the middle of a segment; its records are a hole in the file."""
    head = bytearray(wire.batch([b"hole"], STAMP + offset)[:61])
    struct.pack_into(">qi", head, 0, offset, size - 12)
    struct.pack_into(">i", head, 23, last - offset)
    return bytes(head)


def write_segment(directory, number, active):
    base = number * STEP
    name = f"{base:020d}"
    first, last = batch_at(base, b"first"), batch_at(base + STEP - 1, b"last")
    end = GIB if not active else 1 << 20
    with open(directory / f"{name}.log", "wb") as file:
        file.write(first)
        file.write(filler(base + 1, base + STEP - 2, end - len(first) - len(last)))
        file.seek(end - len(last))
        file.write(last)
    position = end - len(last)
    (directory / f"{name}.index").write_bytes(struct.pack(">ii", STEP - 1, position))
    (directory / f"{name}.timeindex").write_bytes(struct.pack(">qi", STAMP + base + STEP - 1, STEP - 1))


class LongLog:
    """A broker with one log of that many segments, stopped in order."""

    def __init__(self, count):
        self.node, self.end, self.served, self.opened = Node(), count * STEP, [], []
        self.node.start()
        connection = self.node.connect()
        connection.ask(wire.create_topic("long"))
        self.node.wait_led(connection, "long", 0)
        connection.close()
        self.node.stop()
        directory = self.node.data / "long-0"
        for pattern in ("*.log", "*.index", "*.timeindex", "*.snapshot", "leader-epoch-checkpoint"):
            for file in directory.glob(pattern):
                file.unlink()
        (directory / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
        for number in range(count):
            write_segment(directory, number, number + 1 == count)
        producers = struct.pack(">h", 1)  # version; the checksum of an empty list; no producers
        (directory / f"{self.end:020d}.snapshot").write_bytes(producers + bytes.fromhex("48674bc7") + b"\0\0\0\0")
        for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
            (self.node.data / name).write_text(f"0\n1\nlong 0 {self.end}\n")

    def restart(self):
        """Notes the seconds from the start of the process until the log takes a record."""
        begun = self.node.spawn()
        connection = self.node.connect()
        line = self.node.wait_log("Completed load of Log(")
        if f"logEndOffset={self.end})" not in line:
            raise RuntimeError(line)
        self.node.wait_led(connection, "long", 0)
        self.served.append(time.monotonic() - begun)
        self.opened.append(int(re.search(r" in (\d+)ms \(", line).group(1)))
        connection.close()
        self.node.stop()
        self.end += 1


def segments(checks, rounds=25):
    one, many = LongLog(1), LongLog(200)
    try:
        for _ in range(rounds):  # in turn: what else the machine does then falls on both
            one.restart()
            many.restart()
    finally:
        one.node.close()
        many.node.close()
    for name, log in (("one segment", one), ("200 segments", many)):
        print(f"     {name}: best {min(log.served) * 1000:.1f} ms from the start to the first record taken, median {statistics.median(log.served) * 1000:.1f} ms; "
              f"the open alone {min(log.opened)} ms", flush=True)
    checks.check(f"200 segments serve {min(many.served) * 1000:.1f} ms after the start, one {min(one.served) * 1000:.1f} ms (goal 1.2 times)",
                 min(many.served) <= 1.2 * min(one.served))
