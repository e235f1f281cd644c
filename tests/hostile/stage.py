"""A broker under attack with a good client beside it, and what is measured meanwhile: memory, latency beside, what it logs, what is left."""
import collections
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "figures"), str(HERE.parent / "wire")]
import wire  # noqa: E402
from harness import Broker  # noqa: E402

MIB = 1 << 20
POOL = 64 * MIB           # klamm.request.pool.bytes
GROWTH_MAX = POOL + 64 * MIB
KEPT_MAX = 64 * MIB       # what may be left of it once the attack is over
P99_MAX_MS = 50
ASKED_EVERY_MS = 8
SETTLE_S = 10
LINE_TIME = re.compile(r"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+\] (?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) (.*)")
# A line's kind is what stands in it besides names and numbers.
KIND = [(re.compile(r"\(\d+ more of this kind since the last line\)"), ""), (re.compile(r"[^ ]*\d[^ ]*"), "#"), (re.compile(r"principal.*"), "")]


def samples_of(ms):
    """What a client that asks every few milliseconds would have seen: one that waits for its answer does not ask meanwhile."""
    yield ms
    while (ms := ms - ASKED_EVERY_MS) > ASKED_EVERY_MS:
        yield ms


@dataclasses.dataclass
class Row:
    what: str
    tries: int = 0
    sent: int = 0
    taken: int = 0
    connections: int = 0
    base: int = 0
    peak: int = 0
    after: int = 0
    rounds: int = 0
    p99_ms: float = 0
    p99_by_time_ms: float = 0  # a round that stalled counts as all those that it kept from being asked
    worst_ms: float = 0
    lingers: bool = False  # what was begun takes longer than we wait for it
    seconds: float = 0
    failures: list = dataclasses.field(default_factory=list)

    def fail(self, why):
        if len(self.failures) < 20:
            self.failures.append(why)


class Neighbour:
    def __init__(self, bootstrap, topic):
        self.file = tempfile.NamedTemporaryFile("w+b", prefix="klamm-neighbour-")
        self.process = subprocess.Popen([sys.executable, str(HERE / "neighbour.py"), bootstrap, topic], stdin=subprocess.PIPE, stdout=self.file)
        self.read_to = 0

    def rounds(self):
        """[(when, produce ms, fetch ms)] since the last call."""
        with open(self.file.name, "rb") as file:
            file.seek(self.read_to)
            raw = file.read()
        raw = raw[:raw.rfind(b"\n") + 1]
        self.read_to += len(raw)
        out = []
        for line in raw.decode().splitlines():
            if line.startswith("the neighbour"):
                raise RuntimeError(line)
            out.append(tuple(float(word) for word in line.split()))
        return out

    def await_round(self, seconds):
        """True when a round that began after now ended in time."""
        started, deadline = time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            for when, produced, fetched in self.rounds():
                if when - (produced + fetched) / 1000 > started:
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.005)
        return False

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=40)
        self.file.close()


class Stage:
    def __init__(self, settings=None, rows=None):
        values = {"auto.create.topics.enable": "false", "log.segment.bytes": str(64 * MIB), "num.partitions": "1",
                  "log.retention.ms": "-1",  # the records say that they are years old
                  "socket.listen.backlog.size": "4096"}
        values.update(settings or {})
        self.broker = Broker(values)
        self.pid = self.broker.process.pid
        self.rows = [] if rows is None else rows
        self.log_at = 0
        connection = wire.Connection(self.broker.bootstrap)
        connection.ask(wire.create_topic("good"))
        wire.wait_for_topic(connection, "good")
        connection.close()
        self.neighbour = Neighbour(self.broker.bootstrap, "good")
        if not self.neighbour.await_round(10):
            raise RuntimeError("the good client does not get through even alone")

    @property
    def bootstrap(self):
        return self.broker.bootstrap

    def memory(self, what):
        return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M)[1]) * 1024

    def sockets(self):
        count = 0
        for entry in os.scandir(f"/proc/{self.pid}/fd"):
            try:
                count += os.readlink(entry.path).startswith("socket:")
            except OSError:
                pass
        return count

    def play(self, what, attack, **terms):
        """Runs attack(stage, row, **terms) and judges what it did to the broker."""
        row = Row(what, base=self.memory("VmRSS"))
        sockets, started = self.sockets(), time.monotonic()
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak is measured from here
        self.neighbour.rounds()
        try:
            attack(self, row, **terms)
        except Exception as error:  # whatever breaks the attacker must show
            row.fail(f"the attack broke: {type(error).__name__}: {error}")
        row.seconds = time.monotonic() - started
        alive = self.broker.process.poll() is None
        if not alive:
            row.fail(f"the broker ended with {self.broker.process.returncode}: {self.broker.log.read_text()[-2000:]}")
        else:
            self.judge(row, sockets)
        self.rows.append(row)
        print(f"{'ok  ' if not row.failures else 'FAIL'} {what}: {row.tries} tries, {row.seconds:.1f} s, peak +{(row.peak - row.base) / MIB:.0f} MiB, "
              f"p99 beside {row.p99_ms:.1f} ms" + "".join(f"\n     {failure}" for failure in row.failures), flush=True)
        return alive

    def judge(self, row, sockets):
        row.peak = self.memory("VmHWM")
        rounds = self.neighbour.rounds()
        times = sorted(ms for _, *both in rounds for ms in both)
        by_time = sorted(sample for ms in times for sample in samples_of(ms))
        row.rounds = len(rounds)
        if times:
            row.p99_ms, row.worst_ms = times[int(len(times) * 0.99)], times[-1]
            row.p99_by_time_ms = by_time[int(len(by_time) * 0.99)]
        if row.seconds > 1 and not times:
            row.fail("the good client got nothing through")
        if row.p99_ms > P99_MAX_MS:
            row.fail(f"p99 of the good client is {row.p99_ms:.1f} ms")
        if row.peak - row.base > GROWTH_MAX:
            row.fail(f"memory grew by {(row.peak - row.base) / MIB:.0f} MiB")
        if not self.neighbour.await_round(1):
            row.fail("the good client is not served within a second after it")
        self.settle(row, sockets)
        self.judge_log(row)

    def settle(self, row, sockets):
        deadline = time.monotonic() + SETTLE_S
        while True:
            row.after, left = self.memory("VmRSS"), self.sockets() - sockets
            if (left <= 0 or row.lingers) and row.after - row.base <= KEPT_MAX:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        if left > 0 and not row.lingers:
            row.fail(f"{left} connections are left")
        if row.after - row.base > KEPT_MAX and not row.lingers:
            row.fail(f"{(row.after - row.base) / MIB:.0f} MiB are kept")

    def judge_log(self, row):
        with open(self.broker.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_at)
            text = log.read()
            self.log_at = log.tell()
        seen = collections.Counter()
        for line in text.splitlines():
            if "Error when handling request" in line:
                row.fail(f"logged: {line[:300]}")
            if found := LINE_TIME.match(line):
                kind = found[2]
                if not re.search(r"onnection|rocessing request", kind):
                    continue
                for pattern, put in KIND:
                    kind = pattern.sub(put, kind)
                seen[found[1], kind.split(":")[0]] += 1
        for (when, kind), count in seen.items():
            if count > 2:  # a second of the clock may hold the ends of two of ours
                row.fail(f"{count} lines of one kind within a second ({when}): {kind[:120]}")

    def close(self, from_row=0):
        self.neighbour.stop()
        failed = any(row.failures for row in self.rows[from_row:])
        if self.broker.process.poll() is None and self.broker.stop() != 0:
            print("the broker did not stop cleanly")
            failed = True
        if not failed:
            import shutil
            shutil.rmtree(self.broker.directory, ignore_errors=True)
        return failed


def table(rows):
    lines = [f"{'attack':<58} {'tries':>8} {'sent MiB':>9} {'taken MiB':>9} {'conns':>6} {'peak MiB':>8} {'kept MiB':>8} {'rounds':>6} {'p99 ms':>7} {'by time':>7} {'max ms':>7}"]
    for r in rows:
        lines.append(f"{r.what:<58} {r.tries:>8} {r.sent / MIB:>9.1f} {r.taken / MIB:>9.1f} {r.connections:>6} {(r.peak - r.base) / MIB:>+8.1f} "
                     f"{(r.after - r.base) / MIB:>+8.1f} {r.rounds:>6} {r.p99_ms:>7.2f} {r.p99_by_time_ms:>7.1f} {r.worst_ms:>7.1f}")
    return "\n".join(lines)
