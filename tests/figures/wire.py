"""Just enough of the protocol to send prebuilt frames and check the answers: Produce v9, Fetch v12, CreateTopics v2, Metadata v1."""
import socket
import struct


def _table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def unsigned(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def batch(values, timestamp, producer=(-1, -1, -1)):
    """A v2 batch of records with these values and no keys."""
    records = b""
    for delta, value in enumerate(values):
        body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    tail = struct.pack(">hiqqqhii", 0, len(values) - 1, timestamp, timestamp, *producer, len(values)) + records
    head = struct.pack(">ibI", -1, 2, crc32c(tail))
    return struct.pack(">qi", 0, len(head) + len(tail)) + head + tail


def compact(text):
    return unsigned(len(text) + 1) + text.encode()


def frame(key, version, correlation, body, flexible):
    header = struct.pack(">hhih", key, version, correlation, 4) + b"test" + (b"\0" if flexible else b"")
    return struct.pack(">i", len(header) + len(body)) + header + body


def produce(topic, records, partition=0, acks=1, correlation=1):
    body = b"\0" + struct.pack(">hi", acks, 30000) + b"\x02" + compact(topic) + b"\x02" + struct.pack(">i", partition)
    body += unsigned(len(records) + 1) + records + b"\0\0\0"
    return frame(0, 9, correlation, body, True)


def fetch(topic, offset, partition=0, max_bytes=65536, max_wait=500, min_bytes=1, correlation=1):
    body = struct.pack(">iiiibii", -1, max_wait, min_bytes, max_bytes, 0, 0, -1) + b"\x02" + compact(topic) + b"\x02"
    body += struct.pack(">iiqiqi", partition, -1, offset, -1, -1, max_bytes) + b"\0\0" + b"\x01" + b"\x01" + b"\0"
    return frame(1, 12, correlation, body, True)


def create_topic(topic, partitions=1, correlation=1):
    name = topic.encode()
    body = struct.pack(">ih", 1, len(name)) + name + struct.pack(">ihii", partitions, 1, 0, 0) + struct.pack(">ib", 30000, 0)
    return frame(19, 2, correlation, body, False)


NONE, LOADING, NOT_AVAILABLE, NOT_COORDINATOR = 0, 14, 15, 16


def fetch_offsets(group, correlation=1):
    """All that a group has committed."""
    name = group.encode()
    return frame(9, 3, correlation, struct.pack(">h", len(name)) + name + struct.pack(">i", -1), False)


def fetched_offsets_error(answer):
    return struct.unpack(">h", answer[-2:])[0]


class Connection:
    def __init__(self, bootstrap, timeout=30):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()

    def receive(self):
        size = struct.unpack(">i", self._exactly(4))[0]
        return self._exactly(size)

    def _exactly(self, count):
        parts = []
        while count:
            part = self.socket.recv(count)
            if not part:
                raise ConnectionError("closed by the broker")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def ask(self, request):
        self.socket.sendall(request)
        return self.receive()


def produce_error(topic, answer):
    """(error code, base offset) of a Produce v9 answer for one partition."""
    at = 4 + 1 + 1 + len(compact(topic)) + 1 + 4
    return struct.unpack_from(">hq", answer, at)


def create_error(topic, answer):
    """The error code of a CreateTopics v2 answer for one topic."""
    return struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(topic))[0]


def wait_for_topic(connection, topic, partition=0):
    """Produces one record until it is taken, so that the topic is known to lead."""
    import time
    deadline = time.monotonic() + 10
    while True:
        error, _ = produce_error(topic, connection.ask(produce(topic, batch([b"x"], 1_700_000_000_000), partition)))
        if error == 0:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"produce answers error {error}")
        time.sleep(0.01)
