"""A second codec, in Python, straight from schemas/: what it writes and reads was never touched by the C++ one.

Messages are dictionaries by schema name: {"Topics": [{"Name": "a", ...}]}. Fields that are missing take their default.
"""
import base64
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "schemagen"))
from language import read_schemas  # noqa: E402

NUMBERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "float64": ">d"}
ZERO_UUID = b"\0" * 16


def messages():
    """{"MetadataRequest": Message, ...}"""
    return {m.name: m for m in read_schemas(ROOT / "schemas") if m.kind in ("request", "response")}


def within(versions, version):
    return versions.low <= version <= versions.high


def unsigned(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def uuid_text(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Encoder:
    def __init__(self, message, version):
        self.message, self.version = message, version
        self.flexible = within(message.flexible, version)

    def encode(self, values):
        return self.struct(self.message.root, values)

    def default(self, field):
        if field.default == "null":
            return None
        if field.is_array:
            return []
        if field.is_struct:
            return {}
        if field.type in NUMBERS:
            text = field.default or "0"
            return float(text) if field.type == "float64" else int(text, 0)
        return {"bool": field.default == "true", "string": field.default or "", "bytes": b"", "records": None, "uuid": ZERO_UUID}[field.type]

    def struct(self, its, values):
        unknown = set(values) - {f.name for f in its.fields}
        assert not unknown, f"{its.name} has no {unknown}"
        out, tagged = b"", []
        for field in its.fields:
            if not within(field.versions, self.version):
                continue
            value = values.get(field.name, self.default(field))
            if field.tag is not None and within(field.tagged, self.version):
                if value != self.default(field):
                    tagged.append((field.tag, self.value(field, value)))
            else:
                out += self.value(field, value)
        if self.flexible:
            out += unsigned(len(tagged))
            for tag, body in sorted(tagged):
                out += unsigned(tag) + unsigned(len(body)) + body
        return out

    def length(self, count, short=False):
        if self.flexible:
            return unsigned(0 if count is None else count + 1)
        return struct.pack(">h" if short else ">i", -1 if count is None else count)

    def value(self, field, value):
        if field.is_array:
            if value is None:
                return self.length(None)
            return self.length(len(value)) + b"".join(self.one(field, item) for item in value)
        return self.one(field, value)

    def one(self, field, value):
        if field.is_struct:
            if within(field.nullable, self.version) and not field.is_array:
                return struct.pack(">b", -1 if value is None else 1) + (b"" if value is None else self.struct(field.struct, value))
            return self.struct(field.struct, value)
        if field.type in NUMBERS:
            return struct.pack(NUMBERS[field.type], value)
        if field.type == "bool":
            return b"\1" if value else b"\0"
        if field.type == "uuid":
            return value
        if value is None:
            return self.length(None, field.type == "string")
        raw = value.encode() if isinstance(value, str) else value
        return self.length(len(raw), field.type == "string") + raw


class Decoder:
    def __init__(self, message, version, raw):
        self.message, self.version, self.raw, self.at = message, version, raw, 0
        self.flexible = within(message.flexible, version)

    def decode(self):
        values = self.struct(self.message.root)
        if self.at != len(self.raw):
            raise ValueError(f"{len(self.raw) - self.at} bytes are left over")
        return values

    def take(self, count):
        if self.at + count > len(self.raw):
            raise ValueError("the message ends early")
        self.at += count
        return self.raw[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, short=False):
        count = self.unsigned() - 1 if self.flexible else self.number(">h" if short else ">i")
        return None if count < 0 else count

    def struct(self, its):
        values, tags = {}, {}
        for field in its.fields:
            if not within(field.versions, self.version):
                continue
            if field.tag is not None and within(field.tagged, self.version):
                tags[field.tag] = field
            else:
                values[field.name] = self.value(field)
        if self.flexible:
            for _ in range(self.unsigned()):
                tag, size = self.unsigned(), self.unsigned()
                end = self.at + size
                if tag in tags:
                    values[tags[tag].name] = self.value(tags[tag])
                    if self.at != end:
                        raise ValueError(f"tag {tag} is {size} bytes long but was read to {self.at - end}")
                self.at = end
        return values

    def value(self, field):
        if not field.is_array:
            return self.one(field)
        count = self.length()
        return None if count is None else [self.one(field) for _ in range(count)]

    def one(self, field):
        if field.is_struct:
            if within(field.nullable, self.version) and not field.is_array and self.number(">b") < 0:
                return None
            return self.struct(field.struct)
        if field.type in NUMBERS:
            return self.number(NUMBERS[field.type])
        if field.type == "bool":
            return self.take(1) != b"\0"
        if field.type == "uuid":
            return self.take(16)
        size = self.length(field.type == "string")
        if size is None:
            return None
        raw = self.take(size)
        return raw.decode("utf-8", "replace") if field.type == "string" else raw


class Api:
    """Frames of one API: request(values) -> bytes with size, response(bytes without size) -> values."""

    def __init__(self, all_messages, name, version):
        self.request_message, self.response_message = all_messages[name + "Request"], all_messages[name + "Response"]
        self.name, self.version, self.key = name, version, self.request_message.api_key

    def request(self, values, correlation=1, client_id="w"):
        flexible = within(self.request_message.flexible, self.version)
        header = struct.pack(">hhi", self.key, self.version, correlation)
        header += struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id.encode()
        header += b"\0" if flexible else b""
        body = Encoder(self.request_message, self.version).encode(values)
        return struct.pack(">i", len(header) + len(body)) + header + body

    def response(self, raw):
        # The answer to ApiVersions has a header of version 0 whatever its own version.
        tagged = within(self.response_message.flexible, self.version) and self.name != "ApiVersions"
        return Decoder(self.response_message, self.version, raw[5 if tagged else 4:]).decode()
