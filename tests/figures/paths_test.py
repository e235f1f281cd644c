#!/usr/bin/env python3
"""The warm paths: system calls and global allocations per produce and per fetch, counted over 10,000 requests.

Allowed (docs/testing.md): 1 recv, 1 pwritev, 1 send per produce; 1 recv, 1 send, 1 sendfile per fetch; epoll_wait and the
residency probe apart; 2 % on top for index pages, preallocation, write-behind and rolls. Global allocations: none.
An extra call or allocation that is planted into recv() must be seen.
"""
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import wire  # noqa: E402
from harness import Broker, Checks  # noqa: E402

REQUESTS, PLANTED_REQUESTS = 10_000, 1_000
CALLS, ALLOCATIONS = 3.06, 0.02  # a request, at most
TOPIC = "paths"
APART = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "cachestat", "preadv2", "restart_syscall", "futex", "syscall_0x1c3"}


class Allocations:
    """The counter that malloc_count.so keeps."""

    def __init__(self, library, directory):
        self.path = directory / "count"
        self.path.write_bytes(b"\0" * 4096)
        self.environment = {"LD_PRELOAD": str(library), "COUNT_FILE": str(self.path)}
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)

    def count(self):
        return struct.unpack_from("Q", self.map, 0)[0]


def system_calls(pid, action):
    """What the process called while action ran: {name: calls}."""
    with tempfile.NamedTemporaryFile("r") as out:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", "-o", out.name, "-p", str(pid)], stderr=subprocess.PIPE)
        tracer.stderr.readline()
        time.sleep(0.3)
        action()
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        return {name: int(calls) for name, calls in re.findall(r"^(\w+)\s+(\d+)\s*$", out.read(), re.M) if name != "total"}


def compiled(directory, name):
    library = directory / f"{name}.so"
    source = pathlib.Path(__file__).with_name(f"{name}.c")
    subprocess.run(["clang-19", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


class Consumer:
    """Reads on, some batches of 15 records (16 KiB) at a time, from the beginning again at the end."""

    def __init__(self, records):
        self.records, self.position = records, 1

    def next_fetch(self, batches):
        request = wire.fetch(TOPIC, self.position, max_bytes=16384 * batches)
        self.position += 15 * batches
        if self.position > self.records:
            self.position = 1
        return request


def produced(answer):
    assert wire.produce_error(TOPIC, answer)[0] == 0, answer


def fetched(answer):
    assert len(answer) > 15_000, len(answer)


def measure(environment, allocations, requests):
    """Of each path: its name, global allocations a request, system calls a request, which."""
    os.environ.update(environment)
    with Broker({"klamm.io.uring": "off", "klamm.reactors": "1"}) as broker:
        for name in environment:
            os.environ.pop(name)
        connection = wire.Connection(broker.bootstrap)
        connection.ask(wire.create_topic(TOPIC))
        wire.wait_for_topic(connection, TOPIC)
        small = wire.produce(TOPIC, wire.batch([b"v" * 1000] * 15, int(time.time() * 1000)))  # old ones would be deleted
        consumer = Consumer(15 * requests)

        def run(request, check):
            for _ in range(requests):
                check(connection.ask(request()))

        # Longer answers leave by sendfile, and what stands behind the records in the response needs a send of its own.
        for what, request, check in (("produce 15 KB", lambda: small, produced),
                                     ("fetch 15 KB", lambda: consumer.next_fetch(1), fetched),
                                     ("fetch 61 KB", lambda: consumer.next_fetch(4), fetched)):
            run(request, check)
            before = allocations.count()
            run(request, check)
            allocated = (allocations.count() - before) / requests
            calls = system_calls(broker.process.pid, lambda r=request, c=check: run(r, c))
            mean = sum(number for name, number in calls.items() if name not in APART) / requests
            detail = ", ".join(f"{name} {number / requests:.3f}" for name, number in sorted(calls.items(), key=lambda c: -c[1]))
            yield what, allocated, mean, detail
        connection.close()


def main():
    checks = Checks("warm path")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        allocations = Allocations(compiled(directory, "malloc_count"), directory)
        for what, allocated, mean, detail in measure(allocations.environment, allocations, REQUESTS):
            checks.check(f"{what}: {allocated:.4f} global allocations a request", allocated < ALLOCATIONS)
            checks.check(f"{what}: {mean:.3f} system calls a request ({detail})", 0 < mean <= CALLS)

        preload = f"{allocations.environment['LD_PRELOAD']}:{compiled(directory, 'planted')}"
        for plant in ("call", "allocation"):
            environment = allocations.environment | {"LD_PRELOAD": preload, "PLANT": plant}
            for what, allocated, mean, _ in measure(environment, allocations, PLANTED_REQUESTS):
                if plant == "call":
                    checks.check(f"{what}: a planted system call is seen ({mean:.3f} a request)", mean > CALLS)
                else:
                    checks.check(f"{what}: a planted allocation is seen ({allocated:.3f} a request)", allocated >= ALLOCATIONS)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
