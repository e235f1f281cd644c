"""Payloads that are small on the wire and large when they are opened, in the codecs' own formats, written without their libraries."""
import itertools
import pathlib
import struct
import sys
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "figures"), str(HERE.parent / "wire")]
import cases  # noqa: E402
import wire  # noqa: E402
from crowd import Crowd  # noqa: E402
from wire import unsigned, varint  # noqa: E402

MIB = 1 << 20
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
BLOCK = 128 << 10


def one_record(value_bytes):
    """(what stands before the value, zeros that follow) of a record whose value is zeros; the last zero says: no headers."""
    head = b"\0\0\0" + varint(-1) + varint(value_bytes)
    return varint(len(head) + value_bytes + 1) + head, value_bytes + 1


def many_records(plain_bytes, in_order=False):
    """(plain, count): tiny records; out of order all say that they are the first."""
    tiny = varint(6) + b"\0\0\0" + varint(-1) + varint(-1) + b"\0"
    if not in_order:
        count = plain_bytes // len(tiny)
        return tiny * count, count
    plain, count = bytearray(), 0
    while len(plain) < plain_bytes:
        body = b"\0\0" + varint(count) + varint(-1) + varint(-1) + b"\0"
        plain += varint(len(body)) + body
        count += 1
    return bytes(plain), count


def zstd(head, zeros, window_log=27):
    """One raw block, then blocks of four bytes that each become 128 KiB."""
    out = bytearray(b"\x28\xb5\x2f\xfd\0" + bytes([(window_log - 10) << 3]))
    out += (len(head) << 3).to_bytes(3, "little") + head
    while zeros:
        size = min(zeros, BLOCK)
        zeros -= size
        out += ((size << 3) | 2 | (zeros == 0)).to_bytes(3, "little") + b"\0"
    return bytes(out)


def gzip(head, zeros):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = packer.compress(head)
    for at in range(0, zeros, MIB):
        out += packer.compress(b"\0" * min(MIB, zeros - at))
    return out + packer.flush()


def lz4_run(head, zeros):
    """One block: literals, then a match of distance one as long as it takes; the last five bytes are literals."""
    def length(n):
        return b"" if n < 15 else b"\xff" * ((n - 15) // 255) + bytes([(n - 15) % 255])
    literals, match, last = head + b"\0", zeros - 1 - 5 - 4, b"\0" * 5
    token = bytes([min(len(literals), 15) << 4 | min(match, 15)])
    return token + length(len(literals)) + literals + b"\1\0" + length(match) + bytes([5 << 4]) + last


def lz4(head, zeros):
    """Frame of independent blocks of 4 MiB."""
    descriptor = b"\x60\x70"
    out = bytearray(b"\x04\x22\x4d\x18" + descriptor + bytes([xxhash32(descriptor) >> 8 & 0xFF]))
    while zeros:
        size = min(zeros, 4 * MIB - len(head))
        block = lz4_run(head, size)
        out += struct.pack("<I", len(block)) + block
        head, zeros = b"", zeros - size
    return bytes(out) + b"\0\0\0\0"


def xxhash32(data):
    """Of fewer than 16 bytes."""
    mask, value = 0xFFFFFFFF, (374761393 + len(data)) & 0xFFFFFFFF
    for byte in data:
        value = (value + byte * 374761393) & mask
        value = ((value << 11 | value >> 21) & mask) * 2654435761 & mask
    value = (value ^ value >> 15) * 2246822519 & mask
    value = (value ^ value >> 13) * 3266489917 & mask
    return value ^ value >> 16


def snappy(head, zeros):
    """One raw block: a literal, then copies of 64 bytes in three."""
    out = bytearray(unsigned(len(head) + zeros))
    literal = head + b"\0"
    out += bytes([(len(literal) - 1) << 2]) + literal
    left = zeros - 1
    while left:
        size = min(left, 64)
        out += bytes([(size - 1) << 2 | 2]) + b"\1\0"
        left -= size
    return bytes(out)


def all_bombs():
    """(what, batch): what a megabyte can become, and what is just accepted."""
    for name, attributes, pack, sizes in (("zstd", ZSTD, zstd, (2048, 30)), ("gzip", GZIP, gzip, (200, 30)), ("lz4", LZ4, lz4, (240, 30)), ("snappy", SNAPPY, snappy, (20,))):
        for size in sizes:
            yield f"{name}, a record of {size} MiB", cases.batch(attributes=attributes, payload=pack(*one_record(size * MIB - 64)))
    for mib, order in ((100, False), (20, False), (3, True)):
        plain, count = many_records(mib * MIB, order)
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        yield f"gzip, {count} records{'' if order else ' that all say they are the first'}", cases.batch(
            attributes=GZIP, payload=packer.compress(plain) + packer.flush(), count=count, last=count - 1)
    head, _ = one_record(2**31 - 100)
    yield "zstd, a record that says 2 GiB and is not there", cases.batch(attributes=ZSTD, payload=zstd(head, 4096))


def zstd_bombs():
    for size in (2048, 120):
        yield f"zstd, a record of {size} MiB", cases.batch(attributes=ZSTD, payload=zstd(*one_record(size * MIB - 64)))


def attack(stage, row, topic, bombs, peers, seconds):
    """Each is sent alone, then many connections send one after the other and take the answers."""
    frames, row.lingers = [], True
    alone = wire.Connection(stage.bootstrap, timeout=60)
    for what, batch in bombs:
        frame = wire.produce(topic, batch)
        started = time.monotonic()
        error, _ = wire.produce_error(topic, alone.ask(frame))
        row.tries, row.sent = row.tries + 1, row.sent + len(frame)
        print(f"     {(time.monotonic() - started) * 1000:7.1f} ms, answer {error:>3}, {len(frame):>8} bytes: {what}")
        if error == -1:
            row.fail(f"{what}: answered UNKNOWN_SERVER_ERROR")
        frames.append(frame)
    alone.close()
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(peers, lambda: itertools.cycle(frames))
    crowd.run(seconds)
    crowd.go()


def look_ups(stage, row, topic, bombs, peers, seconds):
    """Stored unopened, they are opened by whoever looks for a time in them."""
    row.lingers = True
    alone = wire.Connection(stage.bootstrap, timeout=60)
    stored = 0
    at = cases.now() + 500
    for _, batch in bombs:
        # The header speaks of a later time than any record: only who reads all of them sees that.
        batch = batch[:35] + struct.pack(">q", at) + batch[43:]
        batch = batch[:17] + struct.pack(">I", wire.crc32c(batch[21:])) + batch[21:]
        error, _ = wire.produce_error(topic, alone.ask(wire.produce(topic, batch)))
        stored += error == 0
    if not stored:
        row.fail("no bomb was stored")
    alone.close()
    name = topic.encode()
    # ListOffsets v1.
    body = struct.pack(">iih", -1, 1, len(name)) + name + struct.pack(">iiq", 1, 0, at)
    frame = wire.frame(2, 1, 1, body, False)
    crowd = Crowd(stage.bootstrap, row)
    crowd.join(peers, lambda: itertools.repeat(frame, 50))
    crowd.run(seconds)
    crowd.go()
