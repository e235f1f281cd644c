"""A broker with very many partitions: how they are made, written and watched."""
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "figures"))
import wire  # noqa: E402
from harness import KLAMM, Checks, free_port  # noqa: E402,F401

STAMP = 1_700_000_000_000


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def create_topics(topics, timeout_ms=600_000):
    """CreateTopics v2 of [(name, partitions)]."""
    body = struct.pack(">i", len(topics))
    for name, partitions in topics:
        body += text(name) + struct.pack(">ihii", partitions, 1, 0, 0)
    return wire.frame(19, 2, 1, body + struct.pack(">ib", timeout_ms, 0), False)


def create_errors(answer):
    """{topic: error code} of a CreateTopics v2 answer."""
    count, at, errors = struct.unpack_from(">i", answer, 8)[0], 12, {}
    for _ in range(count):
        size = struct.unpack_from(">h", answer, at)[0]
        name = answer[at + 2:at + 2 + size].decode()
        at += 2 + size
        error, message = struct.unpack_from(">hh", answer, at)
        at += 4 + max(message, 0)
        errors[name] = error
    return errors


def delete_topics(names, timeout_ms=600_000):
    """DeleteTopics v1."""
    body = struct.pack(">i", len(names)) + b"".join(text(name) for name in names)
    return wire.frame(20, 1, 1, body + struct.pack(">i", timeout_ms), False)


def delete_errors(answer):
    count, at, errors = struct.unpack_from(">i", answer, 8)[0], 12, []
    for _ in range(count):
        size = struct.unpack_from(">h", answer, at)[0]
        errors.append(struct.unpack_from(">h", answer, at + 2 + size)[0])
        at += 4 + size
    return errors


def produce_many(topic, partitions, records, acks=1):
    """Produce v7: the same batch to many partitions of one topic."""
    body = struct.pack(">hhi", -1, acks, 30000) + struct.pack(">i", 1) + text(topic) + struct.pack(">i", len(partitions))
    for partition in partitions:
        body += struct.pack(">ii", partition, len(records)) + records
    return wire.frame(0, 7, 1, body, False)


def produce_errors(answer):
    """{partition: error code} of a Produce v7 answer for one topic."""
    at = 8
    size = struct.unpack_from(">h", answer, at)[0]
    at += 2 + size
    count = struct.unpack_from(">i", answer, at)[0]
    at += 4
    errors = {}
    for _ in range(count):
        index, error = struct.unpack_from(">ih", answer, at)
        errors[index] = error
        at += 4 + 2 + 8 + 8 + 8
    return errors


class Node:
    """One broker over a directory of its own."""

    def __init__(self, settings=None, parent=None, binary=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-scale-", dir=parent))
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        values = {"node.id": "1", "listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": str(self.data),
                  "log.initial.task.delay.ms": "3600000", "log.retention.check.interval.ms": "3600000"}
        values.update(settings or {})
        self.binary = binary or KLAMM
        self.properties = self.directory / "server.properties"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        self.log = self.directory / "server.log"
        self.process = None

    @property
    def data(self):
        return self.directory / "data"

    def spawn(self):
        """Starts the process and gives the moment when it began."""
        with open(self.log, "w", encoding="utf-8") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen([str(self.binary), "server-start", str(self.properties)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return begun

    def connect(self, patience=600):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            try:
                return wire.Connection(self.bootstrap, timeout=patience)
            except OSError:
                time.sleep(0.001)
        raise RuntimeError("the broker did not listen")

    def start(self):
        """Until it answers; gives the seconds since the start of the process."""
        begun = self.spawn()
        connection = self.connect()
        self.ask_versions(connection)
        took = time.monotonic() - begun
        connection.close()
        return took

    @staticmethod
    def ask_versions(connection):
        connection.ask(wire.frame(18, 0, 1, b"", False))

    def wait_log(self, needle, patience=600):
        """Until the broker's log has the text; gives the line."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            content = self.log.read_text(errors="replace")
            if needle in content:
                return next(line for line in content.splitlines() if needle in line)
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f"no {needle!r} in the log:\n{self.log.read_text()[-4000:]}")

    def stop(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=900)
        self.process = None
        if code:
            raise RuntimeError(f"the broker ended with {code} on SIGTERM:\n{self.log.read_text()[-4000:]}")
        return time.monotonic() - begun

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def resident(self):
        """Bytes of memory that the process takes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def log_descriptors(self):
        """Open files of partitions."""
        count = 0
        for entry in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                target = entry.readlink()
            except OSError:
                continue
            if self.data in target.parents and target.parent != self.data and "__cluster_metadata" not in str(target):
                count += 1
        return count

    def wait_led(self, connection, topic, partition, patience=600):
        """Until a record is taken by the partition."""
        record = wire.batch([b"x"], STAMP)
        deadline = time.monotonic() + patience
        while (error := produce_errors(connection.ask(produce_many(topic, [partition], record)))[partition]) != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"produce to {topic}-{partition} answers error {error}")
            time.sleep(0.001)

    def close(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def produce_once(connection, topic, partitions, per_request=500, value=b"v" * 100):
    """One record to each partition of the topic, which answer within the time that recovery takes."""
    record = wire.batch([value], STAMP)
    for begin in range(0, partitions, per_request):
        left = list(range(begin, min(begin + per_request, partitions)))
        deadline = time.monotonic() + 120
        while left:
            errors = produce_errors(connection.ask(produce_many(topic, left, record)))
            left = [partition for partition, error in errors.items() if error != 0]
            if left:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{topic}-{left[0]} answers {errors[left[0]]}")
                time.sleep(0.01)
