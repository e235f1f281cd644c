#!/usr/bin/env python3
"""The warm paths: instructions per produce and per fetch, counted by callgrind, so that a noisy machine gives the same figures.

What a request may take stands in LIMITS: measured, with a margin of 3 %. A change that makes a path shorter or, for a good reason,
longer measures again with --measure. An extra copy of what recv() and pread() bring, planted there, must be seen. (A system call more
is hardly an instruction more, an allocation a few: paths_test.py counts those.)
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import wire  # noqa: E402
from harness import KLAMM, Broker, Checks  # noqa: E402
from paths_test import TOPIC, Consumer, compiled, fetched, produced  # noqa: E402

WARM_UP, REQUESTS, PLANTED_REQUESTS = 600, 600, 200
LIMITS = {"produce 15 KB": 14_950, "fetch 15 KB": 10_940, "fetch 61 KB": 11_130}
MARGIN = 1.03


class SlowBroker(Broker):
    patience = 240  # under callgrind all takes fifty times as long, and more on a busy machine


class Counter:
    """A broker under callgrind, which counts between begin() and end()."""

    def __init__(self, directory, environment):
        self.directory = directory
        self.binary = directory / "klamm"
        # Debian's valgrind cannot read the debug information of today's compilers, and needs none to count.
        stripped = directory / "klamm-stripped"
        subprocess.run(["strip", "--strip-debug", "-o", str(stripped), str(KLAMM)], check=True)
        preload = "".join(f"export {name}='{value}'; " for name, value in environment.items())
        self.binary.write_text(f"#!/bin/sh\n{preload}exec valgrind --quiet --tool=callgrind --instr-atstart=no "
                               f"--callgrind-out-file={directory}/callgrind.out '{stripped}' \"$@\"\n")
        self.binary.chmod(0o755)
        self.dumps = 0

    def control(self, broker, *words):
        done = subprocess.run(["callgrind_control", *words, str(broker.process.pid)], capture_output=True, text=True, check=False)
        if done.returncode != 0 or "OK" not in done.stdout:
            raise RuntimeError(f"callgrind_control {' '.join(words)}: {done.stdout}{done.stderr}")

    def counted(self, broker, action):
        """Instructions of all threads of the broker while action ran."""
        self.control(broker, "--zero")
        action()
        self.control(broker, "--dump")
        self.dumps += 1
        text = (self.directory / f"callgrind.out.{self.dumps}").read_text(encoding="utf-8", errors="replace")
        return int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])


def measure(environment, requests):
    """Of each path: its name and its instructions a request."""
    with tempfile.TemporaryDirectory() as name:
        counter = Counter(pathlib.Path(name), environment)
        with SlowBroker({"klamm.io.uring": "off", "klamm.reactors": "1"}, binary=counter.binary) as broker:
            connection = wire.Connection(broker.bootstrap, timeout=240)
            connection.ask(wire.create_topic(TOPIC))
            wire.wait_for_topic(connection, TOPIC)
            small = wire.produce(TOPIC, wire.batch([b"v" * 1000] * 15, int(time.time() * 1000)))
            consumer = Consumer(15 * requests)

            def run(request, check, times):
                for _ in range(times):
                    check(connection.ask(request()))

            counter.control(broker, "--instr=on")
            for what, request, check in (("produce 15 KB", lambda: small, produced),
                                         ("fetch 15 KB", lambda: consumer.next_fetch(1), fetched),
                                         ("fetch 61 KB", lambda: consumer.next_fetch(4), fetched)):
                run(request, check, WARM_UP)
                yield what, counter.counted(broker, lambda r=request, c=check: run(r, c, requests)) / requests
            connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="prints what LIMITS should hold")
    options = parser.parse_args()
    if options.measure:
        print({what: round(instructions) for what, instructions in measure({}, REQUESTS)})
        return 0
    checks = Checks("warm path")
    for what, instructions in measure({}, REQUESTS):
        checks.check(f"{what}: {instructions:.0f} instructions a request, {LIMITS[what]} were measured",
                     0 < instructions <= LIMITS[what] * MARGIN)
    with tempfile.TemporaryDirectory() as name:
        planted = compiled(pathlib.Path(name), "planted")
        for plant in ("nothing", "copy"):
            for what, instructions in measure({"LD_PRELOAD": str(planted), "PLANT": plant}, PLANTED_REQUESTS):
                if plant == "copy" and what == "fetch 61 KB":
                    continue  # the kernel sends these from the file: no copy could be made of what never comes
                if plant == "nothing":
                    checks.check(f"{what}: what is preloaded is not seen by itself ({instructions:.0f})", instructions <= LIMITS[what] * MARGIN)
                    continue
                checks.check(f"{what}: a planted {plant} is seen ({instructions:.0f} instructions a request)",
                             instructions > LIMITS[what] * MARGIN)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
