"""A small client on the second codec (tests/wire): what stories about a broker's disks need."""
import pathlib
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "interop"), str(TESTS / "figures"), str(TESTS / "wire")]
import codec  # noqa: E402
import wire  # noqa: E402

MESSAGES = codec.messages()


class Client:
    def __init__(self, bootstrap, patience=20):
        deadline = time.monotonic() + patience
        while True:
            try:
                self.connection = wire.Connection(bootstrap)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, name, version, values):
        api = codec.Api(MESSAGES, name, version)
        return api.response(self.connection.ask(api.request(values)))

    def create(self, topic, partitions=1, configs=None):
        entry = {"Name": topic, "NumPartitions": partitions, "ReplicationFactor": 1, "Assignments": [],
                 "Configs": [{"Name": k, "Value": str(v)} for k, v in (configs or {}).items()]}
        answer = self.ask("CreateTopics", 7, {"Topics": [entry], "timeoutMs": 10000, "validateOnly": False})["Topics"][0]
        if answer["ErrorCode"]:
            raise RuntimeError(f"create {topic}: {answer['ErrorCode']} {answer['ErrorMessage']}")

    def produce(self, topic, values, partition=0, patience=20):
        """The base offset; retries while the partition is not ready."""
        records = wire.batch(values, int(time.time() * 1000))
        deadline = time.monotonic() + patience
        while True:
            answer = self.ask("Produce", 11, {"Acks": -1, "TimeoutMs": 5000, "TopicData": [
                {"Name": topic, "PartitionData": [{"Index": partition, "Records": records}]}]})
            result = answer["Responses"][0]["PartitionResponses"][0]
            if result["ErrorCode"] == 0:
                return result["BaseOffset"]
            if result["ErrorCode"] not in (3, 5, 6, 56) or time.monotonic() > deadline:
                raise RuntimeError(f"produce to {topic}-{partition}: error {result['ErrorCode']} {result['ErrorMessage']}")
            time.sleep(0.02)

    def offset(self, topic, timestamp, partition=0, patience=20):
        """-1: the end, -2: the start."""
        deadline = time.monotonic() + patience
        while True:
            answer = self.ask("ListOffsets", 7, {"ReplicaId": -1, "Topics": [
                {"Name": topic, "Partitions": [{"PartitionIndex": partition, "Timestamp": timestamp}]}]})
            result = answer["Topics"][0]["Partitions"][0]
            if result["ErrorCode"] == 0:
                return result["Offset"]
            if result["ErrorCode"] not in (3, 5, 6, 56) or time.monotonic() > deadline:
                raise RuntimeError(f"offsets of {topic}-{partition}: error {result['ErrorCode']}")
            time.sleep(0.02)

    def fetch(self, topic, offset, partition=0, max_bytes=1 << 20):
        answer = self.ask("Fetch", 12, {"ReplicaId": -1, "MaxWaitMs": 500, "MinBytes": 1, "MaxBytes": max_bytes, "SessionEpoch": -1, "Topics": [
            {"Topic": topic, "Partitions": [{"Partition": partition, "FetchOffset": offset, "PartitionMaxBytes": max_bytes}]}]})
        result = answer["Responses"][0]["Partitions"][0]
        if result["ErrorCode"]:
            raise RuntimeError(f"fetch {topic}-{partition} at {offset}: error {result['ErrorCode']}")
        return result["Records"] or b""

    def values(self, topic, partition=0):
        """Every value of an uncompressed partition, in order."""
        import struct
        found, at = [], self.offset(topic, -2, partition)
        end = self.offset(topic, -1, partition)
        while at < end:
            raw = self.fetch(topic, at, partition)
            if not raw:
                raise RuntimeError(f"{topic}-{partition} ends at {at} instead of {end}")
            position = 0
            while position + 61 <= len(raw):
                base, size = struct.unpack_from(">qi", raw, position)
                if position + 12 + size > len(raw):
                    break
                count = struct.unpack_from(">i", raw, position + 57)[0]
                body = position + 61
                for index in range(count):
                    length, body = _varint(raw, body)
                    here = body + 1
                    _, here = _varint(raw, here)
                    _, here = _varint(raw, here)
                    key_size, here = _varint(raw, here)
                    here += max(key_size, 0)
                    value_size, here = _varint(raw, here)
                    if base + index >= at:
                        found.append(raw[here:here + value_size])
                    body += length
                at = max(at, base + count)
                position += 12 + size
        return found

    def log_dirs(self):
        """{directory: {"topic-partition": size}}, and the directories' errors."""
        answer = self.ask("DescribeLogDirs", 4, {"Topics": None})
        return {r["LogDir"]: (r["ErrorCode"], {f"{t['Name']}-{p['PartitionIndex']}": p["PartitionSize"] for t in r["Topics"] for p in t["Partitions"]})
                for r in answer["Results"]}


def _varint(raw, at):
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def eventually(condition, patience=20):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
