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


BASES = [0, 18, 36, 46]
SUFFIXES = [".log", ".index", ".timeindex", ".txnindex", ".snapshot"]


def sized(content):
    return struct.pack(">BH", len(content) >> 16, len(content) & 0xffff) + content


def log_files(directory):
    for path in sorted(directory.iterdir()):
        if path.name == "leader-epoch-checkpoint":
            yield path.name, bytes([31]) + sized(path.read_bytes())
        elif path.name == "partition.metadata":
            yield path.name, bytes([30]) + sized(path.read_bytes())
        elif path.suffix in SUFFIXES and int(path.stem) in BASES:
            kind = SUFFIXES.index(path.suffix) | BASES.index(int(path.stem)) << 5
            yield path.name, bytes([kind]) + sized(path.read_bytes())


def logs():
    """Flags (clean, repair checksums, small segments, ...), recovery point, log start, truncate, files."""
    for directory in sorted((ROOT / "src/storage/testdata").iterdir()):
        if not directory.is_dir():
            continue
        files = list(log_files(directory))
        last = [content for name, content in files if not name.startswith("0000000000000000000")]
        for flags in (2, 3, 2 | 4 | 8, 3 | 8, 2 | 16 | 32):
            for truncate in (0, 1):
                yield bytes([flags, 36, 0, truncate]) + b"".join(content for _, content in files)
                yield bytes([flags, 0, 0, truncate]) + b"".join(last)
                for _, content in files:
                    yield bytes([flags, 0, 0, truncate]) + content
    for number, (_, batch) in enumerate(kafka_batches()):
        if len(batch) <= 2048:
            yield bytes([2 | number & 1, 0, 0, 0, 0]) + sized(batch)


SMALL_FILES = ["replication-offset-checkpoint", "leader-epoch-checkpoint", "meta.properties", "partition.metadata", "quorum-state"]


def small_files():
    """Kind of file, content."""
    for path in sorted((ROOT / "src").glob("*/testdata/**/*")):
        if path.name in SMALL_FILES:
            yield bytes([SMALL_FILES.index(path.name)]) + path.read_bytes()
        elif path.suffix == ".snapshot":
            yield b"\x05" + path.read_bytes()
            yield b"\x0d" + path.read_bytes()
        elif path.suffix == ".txnindex":
            yield b"\x06" + path.read_bytes()
    yield b"\x00" + b"0\n2\norders 0 1042\norders 1 998\n"
    yield b"\x02" + b"#\nbroker.id=3\nversion=0\n"
    for name in ("orders-0", "orders-0.0123456789abcdef0123456789abcdef-delete", "orders-0.0123456789abcdef0123456789abcdef-future",
                 "00000000000000000129-0000000001.checkpoint", "00000000000000000042.log"):
        yield b"\x07" + name.encode()


def metadata():
    """Kind (1: framed records; 2: repair checksums), content."""
    for path in sorted((ROOT / "src/hosting/testdata").glob("**/*")):
        if path.suffix in (".checkpoint", ".log") and path.stat().st_size < 8192:
            yield b"\x02" + path.read_bytes()
    frames = []
    for message, version, body in conformance_instances():
        # Type numbers of metadata records stand in their schemas.
        if message in METADATA_TYPES and len(body) < 256:
            frame = bytes([1, METADATA_TYPES[message], version]) + body
            frames.append(struct.pack(">H", len(frame)) + frame)
            yield b"\x01" + frames[-1]
    for at in range(0, len(frames), 5):
        yield b"\x01" + b"".join(frames[at:at + 5])


def metadata_types():
    found = {}
    for path in (ROOT / "schemas/records/metadata").glob("*"):
        if declared := re.search(r"^record\s+metadata\s+(\d+)\s+(\w+)", path.read_text(), re.M):
            found[declared[2]] = int(declared[1])
    return found


METADATA_TYPES = metadata_types()


def configuration():
    keys = []
    for line in (ROOT / "src/config/testdata/kafka-4.3.1-keys.tsv").read_text().splitlines():
        fields = line.split("\t")
        keys += [f"{field}=1" for field in fields if re.fullmatch(r"[a-z][a-z.]+\.[a-z.]+", field)][:1]
    for at in range(0, len(keys), 6):
        yield "\n".join(keys[at:at + 6]).encode()
    yield b"process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n" \
          b"controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@localhost:9093\nlog.dirs=/a,/b\n"
    yield b"listeners=A://[::1]:9092,B://h:0\nlistener.security.protocol.map=A:PLAINTEXT,B:SSL\n" \
          b"inter.broker.listener.name=A\nadvertised.listeners=A://x:1,B://y:2\nmax.connections.per.ip.overrides=h:1,i:2\n"
    yield b"# a comment\n! another\nkey = a\\\n   b\\u0041\n\\ x:\\t\nzookeeper.connect=h:2181\nbroker.id=0\n"


def command_lines():
    """Kind, text; arguments a line each."""
    texts = [
        [b"--topic\norders\n--partitions=3\n--config\na=b\n--offset\n-7", b"--list\n--decoder\nx", b"--help", b"--version\n--\nrest"],
        [b"format\n-c\nf\n--cluster-id\nx\n-s", b"format\n-gsc\nf\n-t=x", b"info\n--conf=f", b"format\n--help", b"version-mapping\n-r\n4.3",
         b"format\n-c\nf\n-t\nx\n-I\n1@h:1:AAAAAAAAAAAAAAAAAAAAAQ\n--feature\na=1"],
        [b"parse.key=true\nkey.separator=:\n\nk:v\r\nl:w\nm", b"parse.headers=true\nheaders.separator=,\nnull.marker=N\n\na:b,c:d\tv\nN\tN"],
        [b'{"partitions":[{"topic":"orders","partition":0,"offset":5}],"version":1}', b'[1.5e3,-0,true,null,"\\u00e4\\n",{}]'],
        [b"SCRAM-SHA-256=[name=alice,password=x]", b'SCRAM-SHA-512=[name="a",salt="MWx2NHBkbnc0",saltedpassword="MWx2NHBkbnc0",iterations=4096]'],
        [b"orders", b'"a.*, b[cd]+"', b"(x|y){2}"],
        [b"localhost:9092,[::1]:9093", b"a sentence that is somewhat longer than one line of the help of a tool may be at most"],
        [b"3000@h:9093:AAAAAAAAAAAAAAAAAAAAAQ,1@[::1]:1:AAAAAAAAAAAAAAAAAAAAAg", b"metadata.version=30\nkraft.version=1"],
        [b"-2147483648", b"9223372036854775807", b"2020-02-29T12:34:56.789+0200", b"-P1DT2H3M4.5S", b'"a ""b""",3,-7', b"g,cg,0,99999999999"]]
    for kind, of_kind in enumerate(texts):
        for text in of_kind:
            yield bytes([kind]) + text


DUMPED = [".log", ".index", ".timeindex", ".snapshot", ".txnindex"]


def dumps():
    """How (0, or 2: repair checksums; options; file; log, index and the file), or 1, decoder, key, value."""
    for directory in sorted((ROOT / "src/storage/testdata").iterdir()):
        if not directory.is_dir():
            continue
        for path in sorted(directory.iterdir()):
            if path.suffix not in DUMPED or path.stat().st_size > 3000:
                continue
            beside = [path.with_suffix(suffix) for suffix in (".log", ".index")]
            files = b"".join(sized(each.read_bytes() if each.exists() else b"") for each in (*beside, path))
            for options in (1, 2, 8, 4, 1 | 1 << 7):
                yield struct.pack(">BHB", 2, options, DUMPED.index(path.suffix)) + files
    for path in sorted((ROOT / "src/hosting/testdata").glob("**/*.checkpoint")):
        if path.stat().st_size < 4000:
            yield struct.pack(">BHB", 2, 3 << 7, 6) + sized(b"") + sized(b"") + sized(path.read_bytes())
    for _, batch in kafka_batches():
        if len(batch) < 2000:
            yield struct.pack(">BHB", 0, 3, 0) + sized(batch) + sized(b"") + sized(batch)
    for message, version, body in conformance_instances():
        if not message.endswith(("Key", "Value", "Record")) or len(body) > 300:
            continue
        part = struct.pack(">h", version) + body
        if message in METADATA_TYPES:
            yield b"\x01\x03" + sized(b"") + bytes([1, METADATA_TYPES[message], version]) + body
            continue
        for topic in range(3):
            yield b"\x01" + bytes([topic | 8]) + sized(struct.pack(">h", 2) + b"\0\0") + part
            yield b"\x01" + bytes([topic | 8]) + sized(part)


TARGETS = {"command_lines": command_lines, "dumps": dumps, "configuration": configuration, "metadata": metadata, "small_files": small_files, "batches": batches, "logs": logs, "messages": messages}


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[target]():
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
