"""Requests with one lie in them: every API and version as its schema says, written piece by piece so that each piece can be replaced."""
import dataclasses
import pathlib
import struct
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "wire")]
import cases  # noqa: E402
import codec  # noqa: E402
from codec import NUMBERS, unsigned, within  # noqa: E402

OVERLONG = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
COMPACT_SIZES = [unsigned(0), unsigned(1), unsigned(2), unsigned(0x7FFF), unsigned(0x8000), unsigned(0x10001), unsigned(1_000_001), unsigned(0x7FFFFFFF),
                 unsigned(0x80000000), unsigned(0xFFFFFFFF), OVERLONG, b"\x80\x80\x80\x80\x10", b"\x80"]
INT32_SIZES = [struct.pack(">i", n) for n in (-2**31, -2, -1, 0, 1, 2, 0x7FFF, 1_000_001, 0x7FFFFFFF)]
INT16_SIZES = [struct.pack(">h", n) for n in (-2**15, -2, -1, 0, 1, 2, 0x7FFF)]
TAG_SECTIONS = [unsigned(1), unsigned(1) + unsigned(0) + unsigned(0), unsigned(1) + unsigned(9999) + unsigned(3) + b"abc",
                unsigned(2) + (unsigned(7) + unsigned(0)) * 2, unsigned(1) + unsigned(0xFFFFFFFF) + unsigned(0xFFFFFFFF),
                unsigned(10_001) + b"\x63\x00" * 10_001, unsigned(0xFFFFFFFF), OVERLONG]
STRINGS = [b"", b"..", b"../../etc/passwd", b"a/b", b"\0", b"\xff\xfe\xc0\x80", b"n" * 250, b"n" * 32767, b"__consumer_offsets", b"a b\n[fake] ERROR line",
           b"__cluster_metadata", b"good\0"]


@dataclasses.dataclass
class Piece:
    kind: str  # of NUMBERS, or: bool, uuid, size, short size, compact size, tags, string, bytes
    raw: bytes
    name: str


class Writer:
    """Writes a message as a list of pieces. Every array has one element, every string names something that exists."""

    def __init__(self, message, version, known):
        self.version, self.known = version, known
        self.flexible = within(message.flexible, version)
        self.pieces = []
        self.struct(message.root, message.name)

    def add(self, kind, raw, name):
        self.pieces.append(Piece(kind, raw, name))

    def struct(self, its, path):
        tagged = []
        for field in its.fields:
            if not within(field.versions, self.version):
                continue
            if field.tag is not None and within(field.tagged, self.version):
                tagged.append(field)
            else:
                self.value(field, f"{path}.{field.name}")
        if self.flexible:
            self.add("tags", unsigned(0), f"{path} tags")

    def size(self, count, short, name):
        if self.flexible:
            self.add("compact size", unsigned(count + 1), name)
        else:
            self.add("short size" if short else "size", struct.pack(">h" if short else ">i", count), name)

    def value(self, field, name):
        if field.is_array:
            self.size(1, False, f"{name} count")
        elif field.is_struct and within(field.nullable, self.version):
            self.add("int8", b"\1", f"{name} presence")
        if field.is_struct:
            return self.struct(field.struct, name)
        known = self.known.get(field.name)
        if field.type in NUMBERS:
            default = int(field.default or "0", 0) if field.type != "float64" and (field.default or "0") != "null" else 0
            return self.add(field.type, struct.pack(NUMBERS[field.type], default if known is None or field.is_array else known), name)
        if field.type == "bool":
            return self.add("bool", b"\0", name)
        if field.type == "uuid":
            return self.add("uuid", known or codec.ZERO_UUID, name)
        raw = known if isinstance(known, bytes) else b"good" if field.type == "string" else cases.batch()
        self.size(len(raw), field.type == "string", f"{name} size")
        self.add("string" if field.type == "string" else "bytes", raw, name)


def integers(kind):
    bits = int("".join(c for c in kind if c.isdigit()))
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-2**(bits - 1), 2**(bits - 1) - 1)
    values = {low, high, -1, 0, 1, 2, high - 1, low + 1} if low < 0 else {low, high, 1}
    return [struct.pack(NUMBERS[kind], n) for n in sorted(values)]


def lies_about(piece):
    if piece.kind == "float64":
        return [struct.pack(">d", n) for n in (float("nan"), float("inf"), float("-inf"), -1.0, 1e308)]
    if piece.kind in NUMBERS:
        return integers(piece.kind)
    return {"bool": [b"\2", b"\xff", b"\1"], "uuid": [b"\xff" * 16, b"\0" * 15 + b"\1"], "size": INT32_SIZES, "short size": INT16_SIZES,
            "compact size": COMPACT_SIZES, "tags": TAG_SECTIONS, "string": STRINGS, "bytes": [b"", b"\0" * 61, b"\xff" * 70]}[piece.kind]


def resized(pieces, index, raw, flexible):
    """The size before a string or bytes says the truth about the replaced content."""
    before = pieces[index - 1]
    if before.kind == "compact size":
        size = unsigned(len(raw) + 1)
    elif before.kind == "short size":
        size = struct.pack(">h", len(raw))
    else:
        size = struct.pack(">i", len(raw))
    return [p.raw for p in pieces[:index - 1]] + [size, raw] + [p.raw for p in pieces[index + 1:]]


def bodies_with_lies(pieces, flexible):
    """(what, body): the honest one, each piece replaced, things left over, cut at every byte."""
    honest = b"".join(p.raw for p in pieces)
    yield "honest", honest
    yield "trailing bytes", honest + b"\0\1\2\3\xff" * 7
    for index, piece in enumerate(pieces):
        for lie in lies_about(piece):
            if lie == piece.raw:
                continue
            if piece.kind in ("string", "bytes"):
                yield f"{piece.name} = {lie[:20]!r}", b"".join(resized(pieces, index, lie, flexible))
            else:
                yield f"{piece.name} = {lie.hex()[:24]}", b"".join(p.raw for p in pieces[:index]) + lie + b"".join(p.raw for p in pieces[index + 1:])
    for cut in range(len(honest)):
        yield f"cut at {cut}", honest[:cut]


def header(key, version, correlation, header_version, client=b"\0\5liars"):
    raw = struct.pack(">hhi", key, version, correlation)
    if header_version >= 1:
        raw += client
    if header_version >= 2:
        raw += b"\0"
    return raw


def framed(raw):
    return struct.pack(">i", len(raw)) + raw


def header_lies(key, version, right, body):
    """(what, frame content) with headers that are not what the version asks for."""
    for other in (0, 1, 2):
        if other != right:
            yield f"header v{other}", header(key, version, 1, other) + body
    for what, client in (("id size -2", b"\xff\xfe"), ("id size 32767", b"\x7f\xffx"), ("id null", b"\xff\xff"), ("id empty", b"\0\0"),
                         ("id of no text", b"\0\4\xff\xfe\xfd\xfc"), ("id with a line", b"\0\x0aa\n[x] ERROR")):
        yield f"client {what}", header(key, version, 1, right, client) + body
    if right == 2:
        for lie in TAG_SECTIONS:
            yield f"header tags {lie.hex()[:16]}", header(key, version, 1, 1) + lie + body
    whole = header(key, version, 1, right)
    for cut in range(len(whole)):
        yield f"header cut at {cut}", whole[:cut]
