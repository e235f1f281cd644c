"""Hostile connections: slow, greedy, many, half-closed, pipelined. Each is an attack(stage, row, ...) as Stage.play() takes it."""
import itertools
import socket
import struct
import time

import cases
import lies
import wire
from crowd import Crowd

API_VERSIONS = cases.sized(cases.header(18, 0))
METADATA_ALL = cases.sized(lies.header(3, 1, 1, 1) + struct.pack(">i", -1))
INT_MAX = 2**31 - 1


def served_again(stage, row):
    connection = wire.Connection(stage.bootstrap, timeout=5)
    try:
        connection.ask(API_VERSIONS)
    except Exception as error:  # whatever a client would see
        row.fail(f"ApiVersions afterwards: {error}")
    connection.close()


def frame_lies(stage, row):
    """Sizes that lie, bytes of other protocols, frames cut at every byte: closed, or waited for until we end."""
    good = wire.fetch("lies", 0)
    wrong = [struct.pack(">i", n) + b"x" * 64 for n in (INT_MAX, -1, -2**31, 0, 100 * 1024 * 1024 + 1, 1, 4, 7)]
    wrong += [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512, b"SSH-2.0-x\r\n", b"\0" * 4096, b"\xff" * 4096]
    cut = [good[:n] for n in range(len(good))] + [struct.pack(">i", 100 * 1024 * 1024) + b"x" * n for n in (0, 1, 64, 65536)]
    host, port = stage.bootstrap.rsplit(":", 1)
    for ends, frames in ((False, wrong * 5), (True, cut * 3)):
        for frame in frames:
            connection = socket.create_connection((host, int(port)), timeout=5)
            row.connections, row.tries, row.sent = row.connections + 1, row.tries + 1, row.sent + len(frame)
            try:
                connection.sendall(frame)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                if connection.recv(65536) != b"":
                    row.fail(f"{frame[:16].hex()}… of {len(frame)} bytes was answered")
            except (ConnectionResetError, BrokenPipeError):
                pass
            except TimeoutError:
                row.fail(f"{frame[:16].hex()}… of {len(frame)} bytes: not closed")
            connection.close()
    served_again(stage, row)


def slow_senders(stage, row, count, seconds):
    """A byte a second of a frame that would be whole in an hour."""
    def chunks():
        yield struct.pack(">i", 100_000)
        for _ in itertools.count():
            yield None
            yield b"x"
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count, chunks)
    crowd.run(seconds)
    crowd.go()


def half_sent(stage, row, count, announced, sent):
    """All announce much, send a part of it, and stay."""
    part = struct.pack(">i", announced) + b"\0\0\0\x09\0\0\0\1\xff\xff" + b"x" * sent
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count, lambda: iter([part]))
    crowd.run(3)
    crowd.go()


def slow_readers(stage, row, count, frame, seconds, pipelined=1):
    """Ask for much and never take it."""
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count, lambda: iter([frame * pipelined]), takes=False, small_window=True)
    crowd.run(seconds)
    crowd.go()


def idle(stage, row, count):
    """Open and say nothing, half of them after a first request."""
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count // 2, lambda: iter([]))
    crowd.join(count - count // 2, lambda: iter([API_VERSIONS]))
    crowd.run(2)
    served_again(stage, row)
    crowd.go()


def half_closed(stage, row, count):
    """Ask, close their half, and take the answer: it comes, then the end."""
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count, lambda: iter([API_VERSIONS, wire.fetch("lies", 0, max_wait=INT_MAX, min_bytes=INT_MAX), "half-close"]))
    if left := crowd.all_ended(10):
        row.fail(f"{left} half-closed connections are still open")
    if row.taken < count * 100:
        row.fail(f"only {row.taken} bytes were answered to {count} connections")
    crowd.go()


def pipelines(stage, row, count, requests, frame=API_VERSIONS):
    """Thousands of requests in one write; every one is answered, in order."""
    crowd = Crowd(stage.bootstrap, row)
    one = wire.Connection(stage.bootstrap)
    size = len(one.ask(frame)) + 4
    one.close()
    crowd.join(count, lambda: iter([frame * requests, "half-close"]))
    if left := crowd.all_ended(30):
        row.fail(f"{left} pipelines are not at their end")
    row.tries += count * (requests - 1)
    if row.taken != count * requests * size:
        row.fail(f"{row.taken} bytes answered instead of {count * requests * size}")
    crowd.go()


def long_polls(stage, row, count, frame):
    """Each waits for ever on what never comes."""
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(count, lambda: iter([frame]))
    crowd.run(3)
    crowd.go()


def churn(stage, row, seconds):
    """Connections that come and go as fast as one process can."""
    host, port = stage.bootstrap.rsplit(":", 1)
    reset = struct.pack("ii", 1, 0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = socket.socket()
        connection.bind((f"127.0.2.{1 + row.connections % 200}", 0))
        connection.connect((host, int(port)))
        if row.connections % 2:
            connection.sendall(API_VERSIONS)
            row.tries, row.sent = row.tries + 1, row.sent + len(API_VERSIONS)
        if row.connections % 3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        row.connections += 1
        connection.close()
