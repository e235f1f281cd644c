"""The good client beside the hostile ones, in a process of its own: produces a record, fetches it, tells how long each took.

    neighbour.py HOST:PORT TOPIC

Writes a line for each round: when it ended (CLOCK_MONOTONIC), milliseconds of the produce, milliseconds of the fetch. Ends when its input does.
"""
import os
import pathlib
import select
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "figures"))
import wire  # noqa: E402

PAUSE_S = 0.004


def main():
    bootstrap, topic = sys.argv[1:]
    try:
        os.nice(-10)  # its own waits for a core are not the broker's
    except OSError:
        pass
    connection = wire.Connection(bootstrap, timeout=30)
    wire.wait_for_topic(connection, topic)
    request = wire.produce(topic, wire.batch([b"g" * 1000], int(time.time() * 1000)), acks=-1)
    out = sys.stdout
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        started = time.monotonic()
        error, offset = wire.produce_error(topic, connection.ask(request))
        produced = time.monotonic()
        answer = connection.ask(wire.fetch(topic, offset))
        fetched = time.monotonic()
        if error != 0 or b"g" * 1000 not in answer or struct.pack(">q", offset) not in answer:
            out.write(f"the neighbour got error {error} at offset {offset} and {len(answer)} bytes: {answer[:80].hex()}\n")
            break
        out.write(f"{fetched:.6f} {(produced - started) * 1000:.3f} {(fetched - produced) * 1000:.3f}\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
