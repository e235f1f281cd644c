#!/usr/bin/env python3
"""Makes the inputs that the fuzz targets begin with, out of what Apache Kafka wrote and the tests keep:

    tests/fuzz/seeds.py TARGET DIRECTORY

What a run finds beyond these is merged into tests/fuzz/corpus (tools/fuzz merge), as far as it is small."""
import hashlib
import pathlib
import re
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def kafka_batches():
    for line in (ROOT / "src/records/testdata/batches.txt").read_text().splitlines():
        fields = line.split()
        if len(fields) >= 2 and not line.startswith("#"):
            yield fields[0], bytes.fromhex(fields[-1])


def batches():
    """How (repair checksums, compress here), options, records."""
    number = 0
    for _, batch in kafka_batches():
        if len(batch) > 4096:
            continue
        for options in (0, 1, 0x401):
            number += 1
            yield struct.pack(">BH", 1, options | (number % 11) << 6) + batch
        yield struct.pack(">BH", 0, 1) + batch


def conformance_instances():
    """Of every message and version what ./check conformance had Kafka write; none before its first run."""
    for name in ("java-4.4.0.bin", "java-3.9.2.bin"):
        path = ROOT / "build/conformance" / name
        if not path.exists():
            continue
        data, at, seen = path.read_bytes(), 0, {}
        while at < len(data):
            size = struct.unpack_from(">H", data, at)[0]
            message = data[at + 2:at + 2 + size].decode()
            at += 2 + size
            version, _ = struct.unpack_from(">hb", data, at)
            at += 3
            parts = []
            for _ in range(3):
                size = struct.unpack_from(">I", data, at)[0]
                parts.append(data[at + 4:at + 4 + size])
                at += 4 + size
            seen.setdefault((message, version), []).append(parts[0])
        for (message, version), bodies in seen.items():
            # The smallest and one in the middle: short inputs, most fields.
            bodies.sort(key=len)
            for body in {bodies[0], bodies[len(bodies) // 2]}:
                if len(body) <= 2048:
                    yield message, version, body


def apis():
    """Name: key and first flexible version."""
    found = {}
    for path in (ROOT / "schemas/api").glob("*.schema"):
        text = path.read_text()
        key, name = re.search(r"^api\s+(\d+)\s+(\w+)", text, re.M).groups()
        flexible = re.search(r"^\s+flexible\s+(\d+)", text, re.M)
        found[name] = (int(key), int(flexible[1]) if flexible else 1 << 15)
    return found


def messages():
    known = apis()
    for message, version, body in conformance_instances():
        if message.endswith("Request") and message[:-7] in known:
            key, flexible = known[message[:-7]]
            tags = b"\0" if version >= flexible else b""
            yield struct.pack(">BhhihB", 0, key, version, 7, 1, ord("c")) + tags + body
        elif message.endswith("Response") and message[:-8] in known:
            key, flexible = known[message[:-8]]
            tags = b"\0" if version >= flexible and key != 18 else b""
            yield struct.pack(">Bhhi", 1, key, version, 7) + tags + body


TARGETS = {"batches": batches, "messages": messages}


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[target]():
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
