"""Every served API in every version with one lie at a time: each is answered in the form of its version, or the connection is closed."""
import re
import socket
import struct
import time

import codec
import lies
import wire
from codec import within

PATIENCE_S = 5
# Lies that Kafka answers with -1 too.
UNKNOWN_ERROR_IS_KAFKAS = re.compile(r"(Fetch|ListOffsets)Request\.(IsolationLevel|MaxBytes|Topics\.Partitions\.PartitionMaxBytes) |IncrementalAlterConfigsRequest\.Resources\.Configs\.ConfigOperation ")


class Liar:
    """One connection after the other to the same broker."""

    def __init__(self, bootstrap, row):
        self.host, port = bootstrap.rsplit(":", 1)
        self.port, self.row, self.socket = int(port), row, None

    def connect(self):
        self.socket = socket.create_connection((self.host, self.port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.row.connections += 1

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def exactly(self, count):
        out = b""
        while len(out) < count:
            part = self.socket.recv(count - len(out))
            if not part:
                return None
            out += part
        return out

    def receive(self):
        size = self.exactly(4)
        answer = self.exactly(struct.unpack(">i", size)[0]) if size else None
        if answer is not None:
            self.row.taken += len(answer) + 4
        return answer

    def ask(self, content, wait_s):
        """The answer's bytes, or None when the broker closed. Nothing for `wait_s`: we say that no more comes, and then it must end."""
        if self.socket is None:
            self.connect()
        self.row.tries += 1
        self.row.sent += len(content) + 4
        try:
            self.socket.sendall(lies.framed(content))
            self.socket.settimeout(wait_s)
            try:
                answer = self.receive()
            except TimeoutError:
                self.socket.settimeout(PATIENCE_S)
                self.socket.shutdown(socket.SHUT_WR)
                answer = self.receive()
                self.close()
        except (ConnectionError, BrokenPipeError):
            answer = None
        if answer is None:
            self.close()
        return answer


def served(bootstrap, messages):
    api = codec.Api(messages, "ApiVersions", 4)
    connection = wire.Connection(bootstrap)
    answer = api.response(connection.ask(api.request({"ClientSoftwareName": "w", "ClientSoftwareVersion": "1"})))
    connection.close()
    return {k["ApiKey"]: range(k["MinVersion"], k["MaxVersion"] + 1) for k in answer["ApiKeys"]}


def error_codes(values):
    if isinstance(values, dict):
        for name, value in values.items():
            if name == "ErrorCode":
                yield value
            else:
                yield from error_codes(value)
    elif isinstance(values, list):
        for value in values:
            yield from error_codes(value)


def known_values(topic_id):
    # What makes honest requests do something: a topic that is there, and waits that end.
    return {"TopicId": topic_id, "TimeoutMs": 1000, "Acks": 1, "MaxWaitMs": 0, "MaxBytes": 1 << 20, "PartitionMaxBytes": 1 << 16, "SessionEpoch": -1,
            "TransactionalId": b"t", "ReplicaId": -1, "ReplicationFactor": 1, "NumPartitions": 1, "ResponsePartitionLimit": 10, "ResourceType": 2,
            "ProducerId": -1, "ProducerEpoch": -1, "Isolationlevel": 0, "CurrentLeaderEpoch": -1, "ClientSoftwareName": b"liar", "ClientSoftwareVersion": b"1"}


def judge(row, message, response, version, what, answer):
    tagged = within(response.flexible, version) and response.name != "ApiVersionsResponse"
    try:
        values = codec.Decoder(response, version, answer[5 if tagged else 4:]).decode()
    except Exception as error:  # whatever the second codec says
        if response.name == "ApiVersionsResponse":
            return
        row.fail(f"{message.name} v{version}, {what}: the answer is not one of that version: {error}")
        return
    if -1 in error_codes(values) and not UNKNOWN_ERROR_IS_KAFKAS.match(what):
        row.fail(f"{message.name} v{version}, {what}: answered UNKNOWN_SERVER_ERROR")


def attack(stage, row, share=1.0, seed=1):
    """A share of all lies, each a frame of its own; all versions get some."""
    import random
    random = random.Random(seed)
    messages = codec.messages()
    by_key = {m.api_key: m for m in messages.values() if m.kind == "request"}
    connection = wire.Connection(stage.bootstrap)
    metadata = codec.Api(messages, "Metadata", 12)
    topic = metadata.response(connection.ask(metadata.request({"Topics": [{"Name": "lies"}], "AllowAutoTopicCreation": False})))["Topics"][0]
    connection.close()
    liar = Liar(stage.bootstrap, row)
    slow = []
    for key, versions in served(stage.bootstrap, messages).items():
        message, response = by_key[key], messages[by_key[key].name.removesuffix("Request") + "Response"]
        for version in versions:
            if not within(message.versions, version) or (key == 0 and version < 3):
                continue
            writer = lies.Writer(message, version, known_values(topic["TopicId"]))
            pieces = writer.pieces
            for piece in pieces:
                if piece.kind == "string" and piece.raw == b"good":
                    piece.raw = b"lies"
            right = 2 if writer.flexible else 1
            honest = b"".join(p.raw for p in pieces)
            contents = [(what, lies.header(key, version, 7, right) + body) for what, body in lies.bodies_with_lies(pieces, writer.flexible)]
            contents += lies.header_lies(key, version, right, honest)
            for what, content in contents:
                if what != "honest" and random.random() >= share:
                    continue
                started = time.monotonic()
                try:
                    answer = liar.ask(content, 0.2)
                except TimeoutError:
                    row.fail(f"{message.name} v{version}, {what}: neither answered nor closed in {PATIENCE_S} s")
                    liar.close()
                    continue
                took = time.monotonic() - started
                if took > 0.1:
                    slow.append((took, f"{message.name} v{version}, {what}"))
                if answer is None:
                    if what == "honest":
                        row.fail(f"{message.name} v{version}, honest: closed")
                elif "header" not in what and "client" not in what:
                    judge(row, message, response, version, what, answer)
    liar.close()
    slow.sort(reverse=True)
    if slow:
        print(f"     slowest of {len(slow)} above 100 ms: " + "; ".join(f"{took * 1000:.0f} ms {what}" for took, what in slow[:5]))
