#!/usr/bin/env python3
"""A broker and its disks: records survive kill -9 and SIGTERM, several directories (one added, one removed), retention, recovery in the
background, another cluster's directory, a second process on the same directory, a machine that knows no names."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from client import Client, eventually  # noqa: E402
from harness import KLAMM, Broker, Checks, free_port  # noqa: E402


def restarts(checks):
    with Broker() as broker:
        with Client(broker.bootstrap) as client:
            client.create("kept", 3)
            for i in range(300):
                client.produce("kept", [b"%d" % i], i % 3)
        for how in ("kill -9", "SIGTERM", "kill -9", "kill -9"):
            code = broker.kill() if how == "kill -9" else broker.stop()
            checks.check(f"{how}: the process ends", code in (None, 0), code)
            broker.start()
            with Client(broker.bootstrap) as client:
                found = [client.values("kept", p) for p in range(3)]
                checks.equal(f"after {how}: every record, in order", [[b"%d" % i for i in range(p, 300, 3)] for p in range(3)], found)
                client.create(f"topic-after-{how.replace(' ', '')}-{time.monotonic_ns()}")
        marker = broker.directory / "data" / ".kafka_cleanshutdown"
        broker.stop()
        checks.check("a clean stop leaves its mark", marker.exists())
        broker.start()
        checks.check("the mark is gone as soon as it was read", eventually(lambda: not marker.exists(), 5))


def directories(checks):
    with Broker() as broker:
        data = broker.directory
        first, second, third = (str(data / name) for name in ("data", "d2", "d3"))
        text = broker.properties.read_text()

        def use(*paths):
            broker.stop()
            broker.properties.write_text(text.replace(f"log.dirs={first}\n", f"log.dirs={','.join(paths)}\n"))
            broker.start()

        with Client(broker.bootstrap) as client:
            client.create("alone")
            client.produce("alone", [b"one"])
        use(first, second)
        with Client(broker.bootstrap) as client:
            client.create("spread", 8)
            for p in range(8):
                client.produce("spread", [b"p%d" % p], p)
            found = client.log_dirs()
            checks.equal("a directory was added: both are there", {first, second}, set(found))
            checks.check("new partitions go where there are fewest", len(found[second][1]) >= 4, found)
        use(first, second, third)
        with Client(broker.bootstrap) as client:
            client.create("third", 6)
            for p in range(6):
                client.produce("third", [b"t%d" % p], p)
            checks.check("a third one takes partitions", len(client.log_dirs()[third][1]) >= 4, client.log_dirs())
            checks.equal("all is read back", [[b"p%d" % p] for p in range(8)], [client.values("spread", p) for p in range(8)])
            in_third = {name for name in client.log_dirs()[third][1]}
        use(first, second)
        with Client(broker.bootstrap) as client:
            checks.equal("one was removed: the others serve", [b"one"], client.values("alone"))
            kept = [p for p in range(6) if f"third-{p}" not in in_third]
            checks.equal("what lay elsewhere is there", [[b"t%d" % p] for p in kept], [client.values("third", p) for p in kept])
        use(first, second, third)
        with Client(broker.bootstrap) as client:
            checks.equal("it comes back: so do its records", [[b"t%d" % p] for p in range(6)], [client.values("third", p) for p in range(6)])


def bytes_of_logs(folder):
    """What the log files of a partition hold, those that wait for their end too. One may go while they are counted."""
    total = 0
    for file in folder.glob("*.log*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            pass
    return total


def retention(checks):
    with Broker({"log.retention.check.interval.ms": "300", "log.segment.delete.delay.ms": "200", "log.initial.task.delay.ms": "100"}) as broker:
        with Client(broker.bootstrap) as client:
            client.create("by-size", 1, {"segment.bytes": 1 << 20, "retention.bytes": 2 << 20, "file.delete.delay.ms": 100})
            client.create("by-time", 1, {"segment.bytes": 1 << 20, "segment.ms": 500, "retention.ms": 1000, "file.delete.delay.ms": 100})
            value = b"x" * 100_000
            for _ in range(80):
                client.produce("by-size", [value])
            for _ in range(5):
                client.produce("by-time", [value])
            folder = broker.directory / "data" / "by-size-0"
            checks.check("by size: the log starts later", eventually(lambda: client.offset("by-size", -2) > 20))
            checks.check("by size: files are gone after the delay",
                         eventually(lambda: bytes_of_logs(folder) < 4 << 20), list(folder.iterdir()))
            checks.equal("by size: the end stays", 80, client.offset("by-size", -1))
            checks.check("by time: nothing old is left", eventually(lambda: client.offset("by-time", -2) == 5))
            checks.equal("by time: offsets go on", 5, client.produce("by-time", [b"new"]))
        broker.kill()
        broker.start()
        with Client(broker.bootstrap) as client:
            checks.check("after kill -9 the log does not start earlier", client.offset("by-size", -2) > 20)


def recovery(checks):
    with Broker({"num.recovery.threads.per.data.dir": "1"}) as broker:
        with Client(broker.bootstrap) as client:
            client.create("large")
            client.create("small")
            value = b"y" * 1_000_000
            for _ in range(400):
                client.produce("large", [value])
            client.produce("small", [b"here"])
        broker.kill()
        broker.start()
        with Client(broker.bootstrap) as client:
            checks.equal("a small partition is served while a large one recovers", [b"here"], client.values("small"))
            checks.equal("the large one follows, whole", 400, client.offset("large", -1))
            checks.equal("and goes on", 400, client.produce("large", [b"z"]))


def refusals(checks):
    with Broker() as broker:
        second = broker.directory / "second.properties"
        second.write_text(broker.properties.read_text().replace(str(broker.port), str(free_port())))
        done = subprocess.run([str(KLAMM), "server-start", str(second)], capture_output=True, text=True, timeout=20, check=False)
        checks.equal("a second process on the same directory: exit 1", 1, done.returncode)
        checks.check("it says so", "Failed to acquire lock on file .lock in" in done.stdout + done.stderr, done.stdout[-600:])
        taken = broker.directory / "taken.properties"
        taken.write_text(f"node.id=1\nlisteners=PLAINTEXT://127.0.0.1:{broker.port}\nlog.dirs={broker.directory}/other\n")
        done = subprocess.run([str(KLAMM), "server-start", str(taken)], capture_output=True, text=True, timeout=20, check=False)
        checks.equal("a port in use: exit 1", 1, done.returncode)
        checks.check("it says so", "Socket server failed to bind to 127.0.0.1:" in done.stdout + done.stderr, done.stdout[-600:])
        left = [p.name for p in (broker.directory / "other").glob("*")]
        checks.check("nothing was formatted", "meta.properties" not in left, left)
        broker.stop()
        other = broker.directory / "data2"
        shutil.copytree(broker.directory / "data", other)
        meta = other / "meta.properties"
        meta.write_text("".join("cluster.id=AAAAAAAAAAAAAAAAAAAAAA\n" if line.startswith("cluster.id") else line for line in meta.open()))
        both = broker.directory / "both.properties"
        both.write_text(broker.properties.read_text().replace("/data\n", f"/data,{other}\n"))
        done = subprocess.run([str(KLAMM), "server-start", str(both)], capture_output=True, text=True, timeout=20, check=False)
        checks.check("another cluster's directory is refused", done.returncode == 1 and "Invalid cluster.id in: " in done.stdout + done.stderr, done.stdout[-600:])
        broker.start()


def bare_machine(checks):
    """Where neither /etc/hosts nor a name server knows localhost, as in a fresh chroot, it is the loopback all the same."""
    with tempfile.TemporaryDirectory() as directory:
        binary = pathlib.Path(directory) / "klamm"
        binary.write_text("#!/bin/sh\nexec unshare " + ("-m" if os.geteuid() == 0 else "-rm") + " sh -c 'mount --bind /dev/null /etc/hosts && "
                          f"mount --bind /dev/null /etc/resolv.conf && exec {KLAMM} \"$@\"' sh \"$@\"\n")
        binary.chmod(0o755)
        with Broker(binary=binary, host="localhost") as broker:
            topics = subprocess.run([str(binary), "topics", "--bootstrap-server", broker.bootstrap, "--create", "--topic", "bare"],
                                    capture_output=True, text=True, check=False)
            checks.equal("localhost is the loopback where nothing says so", "Created topic bare.\n", topics.stdout or topics.stderr)


def main():
    checks = Checks("disks")
    for story in (restarts, directories, retention, recovery, refusals, bare_machine):
        try:
            story(checks)
        except Exception as error:  # a story that breaks off has failed; the others are told all the same
            checks.check(f"{story.__name__} is told to its end", False, f"{type(error).__name__}: {error}")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
