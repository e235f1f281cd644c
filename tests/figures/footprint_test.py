#!/usr/bin/env python3
"""Start and idle: process start to first acked record on an empty directory <= 30 ms (best of 9), idle <= 10 MiB RSS, no wake-ups."""
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import wire  # noqa: E402
from harness import KLAMM, Broker, Checks, free_port  # noqa: E402


def first_ack(directory):
    """Seconds from the start of the process to the first record acknowledged on a topic that it makes."""
    port = free_port()
    properties = directory / "server.properties"
    properties.write_text(f"node.id=1\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={directory}/data\n")
    create = wire.create_topic("first")
    record = wire.produce("first", wire.batch([b"hello"], 1_700_000_000_000))
    with open(directory / "log", "w", encoding="utf-8") as log:
        started = time.perf_counter()
        process = subprocess.Popen([str(KLAMM), "server-start", str(properties)], stdout=log, stderr=log)
    try:
        while True:
            try:
                connection = wire.Connection(f"127.0.0.1:{port}")
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > 10:
                    raise RuntimeError((directory / "log").read_text())
                time.sleep(0.0005)
        connection.ask(create)
        while wire.produce_error("first", connection.ask(record))[0] != 0:
            time.sleep(0.0005)
        elapsed = time.perf_counter() - started
        connection.close()
    finally:
        process.terminate()
        process.wait()
    return elapsed


def switches(pid):
    """Voluntary context switches of all threads: each is a thread that woke up and went to sleep again."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(next(line for line in status.read_text().splitlines() if line.startswith("voluntary")).split()[1])
    return total


def main():
    checks = Checks("footprint")
    times = []
    for _ in range(9):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-start-"))
        times.append(first_ack(directory))
        shutil.rmtree(directory)
    median = statistics.median(times)
    # The best run is held against the goal: syncs of the disk are in it, and they take what the neighbours of this machine leave.
    checks.check(f"start to first acked record: best {min(times) * 1000:.1f} ms, median {median * 1000:.1f}, worst {max(times) * 1000:.1f} of 9", min(times) <= 0.030)

    with Broker() as broker:
        time.sleep(7)  # the first checkpoints are due 5 s after the start
        pid = broker.process.pid
        resident = int(next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])
        checks.check(f"idle: {resident / 1024:.1f} MiB resident", resident <= 10 * 1024)
        before = switches(pid)
        time.sleep(5)
        woken = switches(pid) - before
        checks.check(f"idle: {woken} wake-ups in 5 s", woken <= 1)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
