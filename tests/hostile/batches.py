"""Record batches with one lie each, in every codec, under right checksums: none may be stored that a careful reader refuses."""
import gzip
import pathlib
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "figures"), str(HERE.parent / "wire")]
import bombs  # noqa: E402
import cases  # noqa: E402
import wire  # noqa: E402
from wire import crc32c, varint  # noqa: E402

FIELDS = [("base offset", 0, "q"), ("length", 8, "i"), ("leader epoch", 12, "i"), ("magic", 16, "b"), ("crc", 17, "I"), ("attributes", 21, "h"),
          ("last offset delta", 23, "i"), ("base timestamp", 27, "q"), ("max timestamp", 35, "q"), ("producer id", 43, "q"),
          ("producer epoch", 51, "h"), ("base sequence", 53, "i"), ("count", 57, "i")]
VARINTS = [varint(n) for n in (-2**31, -2, -1, 0, 1, 2, 60, 127, 128, 65536, 10**6, 2**31 - 1)] + [b"\xff" * 5, b"\xff" * 10, b"\xff" * 11, b"\x80" * 4 + b"\0", b"\x80"]
PLAIN_BYTES = 100


def fixed(batch):
    """With the checksum that its content has."""
    return batch[:17] + struct.pack(">I", crc32c(batch[21:])) + batch[21:]


def record_pieces(delta):
    """Names and bytes of one record; the first is its length."""
    value = b"v" * PLAIN_BYTES
    return [("length", None), ("attributes", b"\0"), ("timestamp delta", varint(0)), ("offset delta", varint(delta)), ("key size", varint(3)), ("key", b"key"),
            ("value size", varint(len(value))), ("value", value), ("header count", varint(1)), ("header key size", varint(1)), ("header key", b"h"),
            ("header value size", varint(2)), ("header value", b"hv")]


def written(pieces, length=None):
    body = b"".join(raw for _, raw in pieces[1:])
    return (varint(len(body)) if length is None else length) + body


def plain_lies():
    """(what, plain bytes of two records)"""
    second = written(record_pieces(1))
    for at, (name, raw) in enumerate(record_pieces(0)):
        for lie in VARINTS if name != "attributes" else [b"\1", b"\xff"]:
            if lie == raw:
                continue
            pieces = record_pieces(0)
            if name == "length":
                yield f"record {name} {lie.hex()}", written(pieces, lie) + second
                continue
            pieces[at] = (name, lie)
            yield f"record {name} {lie.hex()}, length right", written(pieces) + second
            yield f"record {name} {lie.hex()}, length of the honest one", written(pieces, varint(len(written(record_pieces(0))) - 2)) + second
    honest = written(record_pieces(0)) + second
    for cut in range(len(honest)):
        yield f"records cut at {cut}", honest[:cut]
    yield "records and more", honest + b"\0"


def take_varint(data, at, most):
    value = 0
    for n in range(most):
        if at >= len(data):
            raise ValueError("ends in a varint")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            value &= (1 << (32 if most == 5 else 64)) - 1
            return (value >> 1) ^ -(value & 1), at
    raise ValueError("varint too long")


def careful(data, count):
    """Raises ValueError unless these are `count` records and nothing else."""
    at = 0
    for _ in range(count):
        size, at = take_varint(data, at, 5)
        end = at + size
        if size <= 0 or end > len(data):
            raise ValueError("record size")
        body = data[:end]
        at += 1
        _, at = take_varint(body, at, 10)
        _, at = take_varint(body, at, 5)
        for _ in range(2):
            size, at = take_varint(body, at, 5)
            at += max(size, 0)
        headers, at = take_varint(body, at, 5)
        if headers < 0:
            raise ValueError("header count")
        for _ in range(headers):
            size, at = take_varint(body, at, 5)
            if size < 0:
                raise ValueError("header key")
            at += size
            size, at = take_varint(body, at, 5)
            at += max(size, 0)
        if at != end:
            raise ValueError("record end")
    if at != len(data):
        raise ValueError("more than records")


def is_true(data, count):
    try:
        careful(data, count)
        return True
    except ValueError:
        return False


def lies():
    """(what, batch, may it be stored: None if we do not say)"""
    honest = written(record_pieces(0)) + written(record_pieces(1))
    whole = cases.batch((b"a", b"b"), payload=honest)
    packs = {0: lambda plain: plain, bombs.GZIP: lambda plain: gzip.compress(plain, 1, mtime=0), bombs.ZSTD: lambda plain: zstd_stored(plain),
             bombs.LZ4: lambda plain: lz4_stored(plain), bombs.SNAPPY: lambda plain: snappy_stored(plain)}
    for name, at, kind in FIELDS:
        size = struct.calcsize(kind)
        for lie in {b"\0" * size, b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\x80" + b"\0" * (size - 1), b"\0" * (size - 1) + b"\1", b"\0" * (size - 1) + b"\3"}:
            batch = whole[:at] + lie + whole[at + size:]
            yield f"{name} = {lie.hex()}", batch, None
            if name != "crc":
                yield f"{name} = {lie.hex()}, crc right", fixed(batch), None
    for cut in range(0, len(whole), 3):
        yield f"batch cut at {cut}", whole[:cut], False
    for codec, pack in packs.items():
        for what, plain in plain_lies():
            yield f"codec {codec}, {what}", cases.batch((b"a", b"b"), attributes=codec, payload=pack(plain)), is_true(plain, 2)
        payload = pack(honest)
        yield f"codec {codec}, honest", cases.batch((b"a", b"b"), attributes=codec, payload=payload), True
        if codec:
            for cut in range(len(payload) - (12 if codec == bombs.GZIP else 5)):
                yield f"codec {codec}, payload cut at {cut}", cases.batch((b"a", b"b"), attributes=codec, payload=payload[:cut]), False
            for at in range(min(len(payload), 40)):
                for flip in (0x01, 0x80, 0xFF):
                    bad = payload[:at] + bytes([payload[at] ^ flip]) + payload[at + 1:]
                    yield f"codec {codec}, byte {at} ^ {flip:#x}", cases.batch((b"a", b"b"), attributes=codec, payload=bad), None


def zstd_stored(plain):
    return b"\x28\xb5\x2f\xfd\0\x58" + ((len(plain) << 3) | 1).to_bytes(3, "little") + plain


def lz4_stored(plain):
    if not plain:
        return bombs.lz4(b"", 0)
    return bombs.lz4(b"", 0)[:-4] + struct.pack("<I", len(plain) | 1 << 31) + plain + b"\0\0\0\0"


def snappy_stored(plain):
    if not plain:
        return b"\0"
    return wire.unsigned(len(plain)) + bytes([61 << 2]) + struct.pack("<H", len(plain) - 1) + plain


def attack(stage, row, topic, share=1.0, seed=1):
    import random
    random = random.Random(seed)
    connection = wire.Connection(stage.bootstrap, timeout=5)
    row.connections += 1
    slowest = (0, "")
    for what, batch, may in lies():
        if "honest" not in what and random.random() >= share:
            continue
        frame = wire.produce(topic, batch)
        row.tries, row.sent = row.tries + 1, row.sent + len(frame)
        started = time.monotonic()
        try:
            answer = connection.ask(frame)
        except (ConnectionError, TimeoutError) as error:
            row.fail(f"{what}: {type(error).__name__}")
            connection = wire.Connection(stage.bootstrap, timeout=5)
            continue
        slowest = max(slowest, (time.monotonic() - started, what))
        row.taken += len(answer)
        error, _ = wire.produce_error(topic, answer)
        if error == -1:
            row.fail(f"{what}: answered UNKNOWN_SERVER_ERROR")
        if may is False and error == 0:
            row.fail(f"{what}: stored")
        if "honest" in what and "length of" not in what and error != 0:
            row.fail(f"{what}: refused with {error}")
    answer = connection.ask(wire.fetch(topic, 0, max_bytes=4 << 20))
    if len(answer) < 1000:
        row.fail(f"afterwards a fetch gives {len(answer)} bytes")
    connection.close()
    print(f"     slowest answer {slowest[0] * 1000:.0f} ms: {slowest[1]}")
