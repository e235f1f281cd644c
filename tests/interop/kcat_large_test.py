#!/usr/bin/env python3
"""kcat with 1 GiB of 1 KB records per codec: the md5 of what went in is the md5 of what comes out, at once, after kill -9
and after SIGTERM. The records lie in a file; nothing holds them in memory."""
import hashlib
import pathlib
import random
import subprocess
import sys
import tempfile

from harness import Broker, Checks

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RECORDS, RECORD_BYTES = 1 << 20, 1 << 10


def write_records(path):
    """Lines of RECORD_BYTES, the newline counted, half of their bits random. Returns the md5 of all."""
    digest = hashlib.md5()
    chance = random.Random(1)
    with path.open("wb") as out:
        for number in range(RECORDS):
            line = b"%08d " % number + b"%x" % chance.getrandbits(4 * (RECORD_BYTES - 10))
            line = line.ljust(RECORD_BYTES - 1, b".") + b"\n"
            digest.update(line)
            out.write(line)
    return digest.hexdigest()


def produce(broker, codec, path):
    with path.open("rb") as records:
        subprocess.run(["kcat", "-b", broker.bootstrap, "-P", "-t", f"large-{codec}", "-z", codec], stdin=records, check=True,
                       timeout=900)


def digest_of(broker, codec):
    digest = hashlib.md5()
    with subprocess.Popen(["kcat", "-b", broker.bootstrap, "-C", "-t", f"large-{codec}", "-o", "beginning", "-e", "-q"],
                          stdout=subprocess.PIPE) as reader:
        while chunk := reader.stdout.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def main():
    checks = Checks("kcat, 1 GiB a codec")
    with tempfile.TemporaryDirectory() as directory, Broker() as broker:
        path = pathlib.Path(directory) / "records"
        sent = write_records(path)
        for codec in CODECS:
            checks.attempt(f"produce {RECORDS} records of {RECORD_BYTES} bytes, {codec}", lambda c=codec: produce(broker, c, path))
        path.unlink()

        def read_all(when):
            for codec in CODECS:
                checks.equal(f"md5 of what came out, {codec}, {when}", sent, digest_of(broker, codec))

        read_all("at once")
        broker.kill()
        broker.start()
        read_all("after kill -9")
        checks.equal("exit code on SIGTERM", 0, broker.stop())
        broker.start()
        read_all("after SIGTERM")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
