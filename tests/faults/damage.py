"""Files that are not as the broker left them: torn tails, flipped bits, missing files."""
import os
import random
import shutil
import struct
import subprocess

import wire
from client import Client
from faulty import FaultyBroker
from history import Verdict, check_partition, read, wait_until_ready
from kill import Survivor
from load import History, Load


def batch_ends(raw):
    """[(byte after it, offset after it)] of each whole batch with a right checksum."""
    ends, position = [], 0
    while position + 61 <= len(raw):
        base, size = struct.unpack_from(">qi", raw, position)
        if size < 49 or position + 12 + size > len(raw):
            break
        if struct.unpack_from(">I", raw, position + 17)[0] != wire.crc32c(raw[position + 21:position + 12 + size]):
            break
        position += 12 + size
        ends.append((position, base + struct.unpack_from(">i", raw, position - size - 12 + 23)[0] + 1))
    return ends


def torn_tails(table, home, rounds, seed=1):
    """After kill -9 the last file ends somewhere else: cut, followed by garbage, or by zeros. The log ends after the last whole batch."""
    story = Survivor(home, seed, topics={"t": 1})
    lost = 0
    with story.broker as broker:
        broker.start()
        with Client(broker.bootstrap) as client:
            client.create("t", 1, {"segment.bytes": 1 << 20})
        for story.rounds in range(1, rounds + 1):
            load = Load(story.history, broker.bootstrap, "t", 1, ("idempotent", "plain"), seed=story.rounds, size=story.random.choice((40, 900)))
            with load:
                load.progress(60)
                broker.kill()
            last = max(p for d in broker.log_dirs for p in d.glob("t-0/*.log"))
            raw, kind = last.read_bytes(), story.random.choice(("cut", "garbage", "zeros", "half overwritten"))
            at = len(raw) - story.random.randrange(min(len(raw), 1 << 16)) if raw else 0
            raw = {"cut": raw[:at], "garbage": raw + story.random.randbytes(story.random.randrange(1, 5000)), "zeros": raw + bytes(4096),
                   "half overwritten": raw[:at] + bytes(len(raw) - at)}[kind]
            last.write_bytes(raw)
            ends = batch_ends(raw)
            expected = ends[-1][1] if ends else int(last.name[:20])
            broker.start()
            if not story.check(may_lose_tail=("t",)):
                break
            if (end := story.verdict.ends["t", 0]) != expected and story.verdict.ends["t", 0] > 0:
                story.wrong.append(f"round {story.rounds} ({kind}): the log ends at {end} instead of {expected}")
                break
            lost += story.verdict.lost
            story.history.forget(story.verdict.ends)
    table.row("torn tails", story.rounds, story.history.count() + lost, lost, story.wrong, "only what was torn off")


# kind: (glob below a log directory, what may follow from its loss).
KINDS = {
    "segment": "t-*/*.log", "offset index": "t-*/*.index", "time index": "t-*/*.timeindex", "producer snapshot": "t-*/*.snapshot",
    "leader epochs": "t-*/leader-epoch-checkpoint", "topic id": "t-*/partition.metadata", "recovery points": "recovery-point-offset-checkpoint",
    "log starts": "log-start-offset-checkpoint", "high watermarks": "replication-offset-checkpoint", "meta.properties": "meta.properties",
    "clean shutdown": ".kafka_cleanshutdown", "metadata log": "__cluster_metadata-0/*.log", "metadata index": "__cluster_metadata-0/*.index",
    "metadata snapshot": "__cluster_metadata-0/*.checkpoint", "quorum state": "__cluster_metadata-0/quorum-state",
    "metadata leader epochs": "__cluster_metadata-0/leader-epoch-checkpoint", "bootstrap": "bootstrap.checkpoint",
    "metadata time index": "__cluster_metadata-0/*.timeindex", "metadata producer snapshot": "__cluster_metadata-0/*.snapshot",
    "metadata topic id": "__cluster_metadata-0/partition.metadata",
}


# Without these a partition cannot be told from another's: it is not served, its files stay (as "-stray").
MAY_STOP_SERVING = ("segment", "metadata log", "topic id", "meta.properties")


class Original:
    """A directory of a broker that served, rolled, deleted records and was stopped; each round hurts a copy of it."""

    def __init__(self, home, clean, seed):
        self.home, self.history, self.topics = home, History(), {"t": 3}
        self.copy = home / "copy"
        self.broker = FaultyBroker(home / "b", [self.copy / "d1", self.copy / "d2"],
                                   {"metadata.log.max.record.bytes.between.snapshots": "500", "log.flush.offset.checkpoint.interval.ms": "500",
                                    "log.flush.start.offset.checkpoint.interval.ms": "500"})
        self.broker.start()
        with Client(self.broker.bootstrap) as client:
            client.create("t", 3, {"segment.bytes": 1 << 20})
        for part in range(2):
            with Load(self.history, self.broker.bootstrap, "t", 3, ("idempotent", "plain"), seed=f"{seed}-{part}", size=3000) as load:
                load.progress(1200)
            if part == 0:
                with Client(self.broker.bootstrap) as client:  # a log that does not start at 0
                    client.ask("DeleteRecords", 2, {"Topics": [{"Name": "t", "Partitions": [{"PartitionIndex": 2, "Offset": 40}]}],
                                                    "TimeoutMs": 10000})
                self.broker.stop()
                self.broker.start()
                wait_until_ready(self.broker.bootstrap, self.topics)
        self.history.deleted(("t", 2), 40)
        _ = self.broker.stop() if clean else self.broker.kill()
        self.kept = home / "kept"
        os.rename(self.copy, self.kept)

    def fresh(self):
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.kept, self.copy)

    def files(self, pattern):
        return sorted(p for d in ("d1", "d2") for p in (self.copy / d).glob(pattern))


def _flip(path, rng):
    raw = bytearray(path.read_bytes())
    bit = rng.randrange(len(raw) * 8)
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)
    return bit // 8


def _started(original, wrong, what):
    """Runs the broker on the hurt copy: True when it serves, False when it refused in words."""
    broker = original.broker
    broker.log.write_text("")
    broker.spawn()
    if broker.listening():
        try:
            wait_until_ready(broker.bootstrap, original.topics, 10)
            return True
        except (RuntimeError, OSError) as error:
            try:  # it listens before it has read everything
                broker.process.wait(2)
            except subprocess.TimeoutExpired:
                return str(error)
    code = broker.process.wait(20)
    if code != 1 or not broker.said("FATAL") and not broker.said("ERROR"):
        wrong.append(f"{what}: ended with {code}: {broker.tail(500)}")
    return False


def hurt(table, home, rounds, how, seed=1, kinds=None):
    """Every kind of file in turn, `how`: "flip" one bit, or "remove" it; after a clean stop and after kill -9."""
    rng, outcomes, done, acked, lost = random.Random(seed), {}, 0, 0, 0
    wrong = []
    for clean in (True, False):
        original = Original(home / ("clean" if clean else "killed"), clean, seed)
        for round_of_kind in range(rounds):
            for kind, pattern in (kinds or KINDS).items():
                original.fresh()
                files = [f for f in original.files(pattern) if how == "remove" or f.stat().st_size]
                if not files:
                    continue
                victim = rng.choice(files)
                at = _flip(victim, rng) if how == "flip" else victim.unlink()
                done += 1
                what = f"{how} {victim.relative_to(original.copy)}{f' at {at}' if how == 'flip' else ''}, after {'a clean stop' if clean else 'kill -9'}"
                served = _started(original, wrong, what)
                if served is True:
                    outcome, counted = _look(original, kind, victim, wrong, what)
                    acked, lost = acked + counted.acked, lost + counted.lost
                elif served:
                    outcome = "a partition is not served"
                    if kind not in MAY_STOP_SERVING:
                        wrong.append(f"{what}: {served}")
                else:
                    outcome = "refused at start"
                original.broker.kill()
                outcomes.setdefault(kind, {}).setdefault(outcome, 0)
                outcomes[kind][outcome] += 1
                if len(wrong) > 10:
                    break
    for kind, found in outcomes.items():
        print(f"     {how} {kind}: {', '.join(f'{what} {times}' for what, times in found.items())}", flush=True)
    table.row({"flip": "a flipped bit", "remove": "a missing file"}[how] + f" ({len(outcomes)} kinds of file)", done, acked, lost, wrong,
              "of the hurt segment, or below a start that grew")


def flipped(table, home, rounds):
    hurt(table, home, rounds, "flip")


def missing(table, home, rounds):
    hurt(table, home, rounds, "remove")


def _above(history, key, start):
    """What is known of one partition from an offset on."""
    part = History()
    part.sent, part.known = history.sent, history.known
    part.acked = {k: {o: v for o, v in offsets.items() if k != key or o >= start} for k, offsets in history.acked.items()}
    part.seen[key] = {o: v for o, v in history.seen.get(key, {}).items() if o >= start}
    return part


def _look(original, kind, victim, wrong, what):
    """What a consumer that checks checksums sees: right values at their offsets, or an error; only a hurt segment may miss any."""
    verdict, noticed = Verdict(), False
    with Client(original.broker.bootstrap) as client:
        for partition in range(3):
            hit = kind == "segment" and victim.parent.name == f"t-{partition}"
            try:
                found = read(client, "t", partition, checked=hit)
            except (RuntimeError, struct.error) as error:
                noticed = True
                if not hit:
                    verdict.add(f"t-{partition}: {error}")
                continue
            one, known_here = Verdict(), original.history
            if kind == "log starts" and found:  # plain numbers without a checksum: a larger one hides the beginning
                known_here = _above(original.history, ("t", partition), min(found))
            check_partition(one, known_here, ("t", partition), found, False)
            verdict.acked += one.acked
            verdict.lost += original.history.count() - known_here.count()
            verdict.lost += one.lost if hit else 0
            if not one.wrong:
                continue
            noticed |= hit
            if kind == "topic id" and not found and list(victim.parent.parent.glob(f"t-{partition}.*-stray/*.log")):
                noticed = True
                continue
            known = original.history.acked["t", partition]
            false = [o for o, value in found.items() if o in known and known[o] != value]
            if not hit or false:
                verdict.wrong += [*one.wrong, *(f"offset {o} holds another record" for o in false[:3])]
    wrong += [f"{what}: {text}" for text in verdict.wrong[:3]]
    return ("noticed" if noticed else "whole"), verdict
