#!/usr/bin/env python3
"""Hostile clients against one broker, a good client beside them. The last lines are the table and the count.

    hostile_test.py [--full] [PART...]
"""
import argparse
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "figures"), str(HERE.parent / "wire")]
import attacks  # noqa: E402
import batches  # noqa: E402
import bombs  # noqa: E402
import fields  # noqa: E402
import wire  # noqa: E402
from stage import Stage, table  # noqa: E402


def parts(full):
    """(name, what it is, the attack, its terms)"""
    many = 10_000 if full else 3_000
    yield "fields", "one lie in a request, every API and version", fields.attack, {"share": 1.0 if full else 0.5}
    yield "frames", "sizes that lie, other protocols, frames cut short", attacks.frame_lies, {}
    yield "idle", f"{many} idle connections", attacks.idle, {"count": many}
    yield "slow-senders", f"{many} send a byte a second", attacks.slow_senders, {"count": many, "seconds": 4}
    yield "half-sent", f"{many} send 32 KiB of 100 MiB", attacks.half_sent, {"count": many, "announced": 100 << 20, "sent": 32 << 10}
    yield "slow-readers", f"{many} ask for 200 kB and take none", attacks.slow_readers, {"count": many, "frame": wire.fetch("large", 0, max_bytes=200_000), "seconds": 3}
    yield "slow-readers", "500 ask 60 times for 28 kB of metadata and take none", attacks.slow_readers, {
        "count": 500, "frame": attacks.METADATA_ALL, "seconds": 3, "pipelined": 60}
    yield "half-closed", "2000 half-closed, some waiting for ever", attacks.half_closed, {"count": 2000}
    yield "pipelines", "200 pipelines of 5000 requests", attacks.pipelines, {"count": 200, "requests": 5000 if full else 1000}
    yield "long-polls", f"{many} wait for ever for 2 GiB", attacks.long_polls, {"count": many, "frame": wire.fetch(
        "lies", 0, max_bytes=2**31 - 1, max_wait=2**31 - 1, min_bytes=2**31 - 1)}
    yield "look-ups", "20 look for a time in bombs that were stored unopened", bombs.look_ups, {
        "topic": "opened", "bombs": list(bombs.zstd_bombs()), "peers": 20, "seconds": 10 if full else 2}
    yield "churn", "connections that come and go", attacks.churn, {"seconds": 20 if full else 4}


def strict_parts(full):
    prepared = list(bombs.all_bombs())
    yield "batches", "one lie in a batch, every codec", batches.attack, {"topic": "lies", "share": 1.0 if full else 0.4}
    yield "bombs", "20 send batches that open to gigabytes", bombs.attack, {"topic": "large", "bombs": prepared, "peers": 20, "seconds": 20 if full else 3}
    if full:
        yield "bombs", "200 send batches that open to gigabytes", bombs.attack, {"topic": "large", "bombs": prepared, "peers": 200, "seconds": 20}


def run(settings, chosen, some_parts, rows):
    """True when the broker did what it should."""
    stage = Stage(settings, rows)
    before = len(rows)
    connection = wire.Connection(stage.bootstrap)
    for topic, partitions in (("lies", 1), ("large", 1), ("opened", 1), ("wide", 1000)):
        connection.ask(wire.create_topic(topic, partitions))
    wire.wait_for_topic(connection, "large")
    wire.wait_for_topic(connection, "opened")
    for _ in range(64):
        connection.ask(wire.produce("large", wire.batch([b"l" * 1000] * 500, int(time.time() * 1000))))
    connection.close()
    for name, what, attack, terms in some_parts:
        if chosen and name not in chosen:
            continue
        if not stage.play(what, attack, **terms):
            break
    return not stage.close(before)


def main():
    parser = argparse.ArgumentParser(description="hostile clients")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    rows = []
    # One broker for all: each attack comes to what the ones before left.
    good = run({}, options.parts, parts(options.full), rows)
    good &= run({"klamm.validate.records": "strict"}, options.parts, strict_parts(options.full), rows)
    print(table(rows))
    failed = sum(bool(row.failures) for row in rows)
    print(f"{len(rows) - failed} passed, {failed + (not good and not failed)} failed, 0 skipped")
    return 0 if good and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
