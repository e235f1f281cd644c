#!/usr/bin/env python3
"""The warm paths: system calls and global allocations per produce and per fetch, counted over 10,000 requests.

Allowed (docs/testing.md): 1 recv, 1 pwritev, 1 send per produce; 1 recv, 1 send, 1 sendfile per fetch; epoll_wait and the
residency probe apart; 2 % on top for index pages, preallocation, write-behind and rolls. Global allocations: none.
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

REQUESTS = 10_000
TOPIC = "paths"
APART = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "cachestat", "preadv2", "restart_syscall", "futex", "syscall_0x1c3"}


class Allocations:
    """The counter that malloc_count.so keeps."""

    def __init__(self, directory):
        self.path = directory / "count"
        self.path.write_bytes(b"\0" * 4096)
        library = directory / "malloc_count.so"
        source = pathlib.Path(__file__).with_name("malloc_count.c")
        subprocess.run(["clang-19", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
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


def main():
    checks = Checks("warm path")
    with tempfile.TemporaryDirectory() as directory:
        allocations = Allocations(pathlib.Path(directory))
        os.environ.update(allocations.environment)
        with Broker({"klamm.io.uring": "off", "klamm.reactors": "1"}) as broker:
            for name in allocations.environment:
                os.environ.pop(name)
            connection = wire.Connection(broker.bootstrap)
            connection.ask(wire.create_topic(TOPIC))
            wire.wait_for_topic(connection, TOPIC)
            small = wire.produce(TOPIC, wire.batch([b"v" * 1000] * 15, 1_700_000_000_000))
            # A consumer that reads on, a batch of 15 records at a time (16 KiB), and one that reads four (64 KiB).
            position = [1]

            def next_fetch(batches):
                request = wire.fetch(TOPIC, position[0], max_bytes=16384 * batches)
                position[0] += 15 * batches
                if position[0] > 15 * REQUESTS:
                    position[0] = 1
                return request

            def run(request, check):
                for _ in range(REQUESTS):
                    check(connection.ask(request() if callable(request) else request))

            def produced(answer):
                assert wire.produce_error(TOPIC, answer)[0] == 0, answer

            def fetched(answer):
                assert len(answer) > 15_000, len(answer)

            # 64 KiB leave by sendfile, and what stands behind the records in the response needs a send of its own.
            for what, request, check, allowed in (("produce 15 KB", small, produced, 3.06),
                                                  ("fetch 15 KB", lambda: next_fetch(1), fetched, 3.06),
                                                  ("fetch 61 KB", lambda: next_fetch(4), fetched, 4.08)):
                run(request, check)
                before = allocations.count()
                run(request, check)
                each = (allocations.count() - before) / REQUESTS
                checks.check(f"{what}: {each:.4f} global allocations a request", each < 0.02)
                calls = system_calls(broker.process.pid, lambda r=request, c=check: run(r, c))
                counted = {name: number for name, number in calls.items() if name not in APART}
                mean = sum(counted.values()) / REQUESTS
                detail = ", ".join(f"{name} {number / REQUESTS:.3f}" for name, number in sorted(calls.items(), key=lambda c: -c[1]))
                checks.check(f"{what}: {mean:.3f} system calls a request ({detail})", 0 < mean <= allowed)
            connection.close()
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
