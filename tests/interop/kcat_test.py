#!/usr/bin/env python3
"""kcat (librdkafka 2.0.2 of Debian): every codec in and out, keys, headers, offsets, metadata; through kill -9 and SIGTERM."""
import hashlib
import json
import random
import subprocess
import sys

from harness import Broker, Checks

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def kcat(broker, *args, stdin=b""):
    done = subprocess.run(["kcat", "-b", broker.bootstrap, *args], input=stdin, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kcat {' '.join(args)}: exit {done.returncode}: {done.stderr.decode()[-800:]}")
    return done.stdout


def lines(count, size, seed):
    chance = random.Random(seed)
    return b"".join(b"%08d %s\n" % (i, ("%x" % chance.getrandbits(4 * size)).encode()) for i in range(count))


def digest(data):
    return hashlib.md5(data).hexdigest()


def main():
    checks = Checks("kcat")
    with Broker() as broker:
        sent = {}
        for codec in CODECS:
            data = lines(20_000, 400, codec)
            sent[codec] = digest(data)
            checks.attempt(f"produce 20,000 records, {codec}",
                           lambda c=codec, d=data: kcat(broker, "-P", "-t", f"codec-{c}", "-z", c, stdin=d))

        def read_all(when):
            for codec in CODECS:
                got = kcat(broker, "-C", "-t", f"codec-{codec}", "-o", "beginning", "-e", "-q")
                checks.equal(f"md5 of what came out, {codec}, {when}", sent[codec], digest(got))

        read_all("at once")
        if not broker.external:
            broker.kill()
            broker.start()
            read_all("after kill -9")
            checks.equal("exit code on SIGTERM", 0, broker.stop())
            broker.start()
            read_all("after SIGTERM")

        kcat(broker, "-P", "-t", "keyed", "-K", ":", "-H", "trace=abc", "-H", "empty=", stdin=b"k1:v1\nk2:v2\nk3:\n")
        got = kcat(broker, "-C", "-t", "keyed", "-o", "beginning", "-e", "-q", "-f", "%k=%s|%h|%o\n").decode()
        checks.equal("keys, values, headers, offsets", "k1=v1|trace=abc,empty=|0\nk2=v2|trace=abc,empty=|1\nk3=|trace=abc,empty=|2\n", got)
        kcat(broker, "-P", "-t", "nulls", "-K", ":", "-Z", stdin=b"k1:\n:v2\n")
        got = kcat(broker, "-C", "-t", "nulls", "-o", "beginning", "-e", "-q", "-J").decode()
        rows = [json.loads(row) for row in got.splitlines()]
        checks.equal("null value", None, rows[0]["payload"])
        checks.equal("null key", None, rows[1].get("key"))
        got = kcat(broker, "-C", "-t", "codec-none", "-o", "19990", "-e", "-q", "-f", "%o ").decode()
        checks.equal("from an offset", " ".join(str(n) for n in range(19990, 20000)) + " ", got)
        got = kcat(broker, "-C", "-t", "codec-gzip", "-o", "-5", "-e", "-q", "-f", "%o ").decode()
        checks.equal("the last five", " ".join(str(n) for n in range(19995, 20000)) + " ", got)
        got = kcat(broker, "-Q", "-t", "codec-none:0:-1").decode()
        checks.equal("query the end", "codec-none [0] offset 20000\n", got)
        got = kcat(broker, "-Q", "-t", "codec-none:0:-2").decode()
        checks.equal("query the start", "codec-none [0] offset 0\n", got)
        listing = json.loads(kcat(broker, "-L", "-J").decode())
        names = {topic["topic"] for topic in listing["topics"]}
        checks.check("metadata lists every topic", {f"codec-{c}" for c in CODECS} | {"keyed", "nulls"} <= names, names)
        for acks in ("0", "1", "all"):
            checks.attempt(f"acks={acks}", lambda a=acks: kcat(broker, "-P", "-t", "acks", "-X", f"acks={a}", stdin=b"x\n"))
        checks.attempt("idempotent", lambda: kcat(broker, "-P", "-t", "idempotent", "-X", "enable.idempotence=true", stdin=lines(5000, 40, 7)))
        got = kcat(broker, "-C", "-t", "idempotent", "-o", "beginning", "-e", "-q")
        checks.equal("idempotent: exactly once, in order", digest(lines(5000, 40, 7)), digest(got))
        got = kcat(broker, "-C", "-t", "idempotent", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_uncommitted")
        checks.equal("read_uncommitted", 5000, got.count(b"\n"))
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
