#!/usr/bin/env python3
"""Makes the inputs that the fuzz targets begin with, out of what Apache Kafka wrote and the tests keep:

    tests/fuzz/seeds.py TARGET DIRECTORY

What a run finds beyond these is merged into tests/fuzz/corpus (tools/fuzz merge), as far as it is small."""
import hashlib
import pathlib
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


TARGETS = {"batches": batches}


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[target]():
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
