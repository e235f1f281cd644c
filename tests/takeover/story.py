"""One directory's life: the first owner writes it, the second takes it over and writes on, the first gets it back."""
import json
import re
import time

import files
import node  # knows where the next ones lie
from client import Client
import wire

INTERNAL = re.compile(r"^__(consumer_offsets|transaction_state|share_group_state)-")
OUT_OF_ORDER = 45


class Sequences:
    """An idempotent producer that speaks the protocol itself: what it sent last is known again, what comes next is taken, a gap is not."""

    TOPIC = "sequences"

    def __init__(self):
        self.producer, self.epoch, self.next, self.last = None, None, 0, None
        self.began = int(time.time() * 1000)  # a producer whose last record is a day old is forgotten

    def begin(self, client):
        answer = client.ask("InitProducerId", 4, {"TransactionalId": None, "TransactionTimeoutMs": 60000, "ProducerId": -1, "ProducerEpoch": -1})
        assert answer["ErrorCode"] == 0, answer
        self.producer, self.epoch = answer["ProducerId"], answer["ProducerEpoch"]

    def _send(self, client, sequence, values):
        records = wire.batch(values, self.began + sequence, (self.producer, self.epoch, sequence))
        deadline = time.monotonic() + 30
        while True:
            answer = client.ask("Produce", 11, {"Acks": -1, "TimeoutMs": 5000, "TopicData": [
                {"Name": self.TOPIC, "PartitionData": [{"Index": 0, "Records": records}]}]})
            result = answer["Responses"][0]["PartitionResponses"][0]
            if result["ErrorCode"] not in (3, 5, 6) or time.monotonic() > deadline:
                return result["ErrorCode"], result["BaseOffset"]
            time.sleep(0.05)

    def append(self, client):
        values = [b"%d-%d" % (self.next, n) for n in range(3)]
        error, offset = self._send(client, self.next, values)
        assert error == 0, f"sequence {self.next}: error {error}"
        self.last = (self.next, values, offset)
        self.next += len(values)
        return offset

    def after_handover(self, client, checks, what):
        sequence, values, offset = self.last
        checks.equal(f"{what}: the last batch sent again is answered with its offset", (0, offset), self._send(client, sequence, values))
        checks.equal(f"{what}: a gap in the sequences is refused", OUT_OF_ORDER, self._send(client, self.next + 100, [b"gap"])[0])
        checks.equal(f"{what}: the next sequence is taken", offset + len(values), self.append(client))


def shown(expected, actual):
    before, after = set(expected), set(actual)
    missing = [line for line in expected if line not in after][:6]
    added = [line for line in actual if line not in before][:6]
    return "\n     gone: " + "\n           ".join(missing or ["-"]) + "\n     new:  " + "\n           ".join(added or ["-"])


class Story:
    def __init__(self, node, driver, checks, kafka, label):
        self.node, self.driver, self.checks, self.kafka, self.label = node, driver, checks, kafka, label
        self.sequences = Sequences()
        self.seen = None   # (state lines, record lines) when the last owner had finished
        self.taken = None  # files when it had stopped
        self.groups = None
        self.totals = {"records": 0, "compared": 0, "files": 0, "dumped": 0, "differences": 0}
        self.kinds = {}

    def equal(self, what, expected, actual, detail=""):
        ok = expected == actual
        self.totals["differences"] += not ok
        if not ok and not detail:
            detail = f"\n     expected {str(expected)[:1500]}\n     actual   {str(actual)[:1500]}"
        self.checks.check(f"{self.label}: {what}", ok, detail)

    def none(self, what, found):
        self.totals["differences"] += len(found)
        self.checks.check(f"{self.label}: {what}", not found, "\n     " + "\n     ".join(map(str, found[:12])))

    def ask(self, command, *words):
        return self.driver.ask(command, self.node.bootstrap, *words)

    def client(self):
        return Client(self.node.bootstrap, patience=60)

    # What the broker shows.

    def look(self):
        state, records = self.node.root / "state", self.node.root / "records"
        self.ask("state", state)
        self.ask("read", records)
        lines = records.read_text(encoding="utf-8").splitlines()
        self.totals["records"] = max(self.totals["records"], sum(line.startswith("record\t") for line in lines))
        return state.read_text(encoding="utf-8").splitlines(), lines

    @staticmethod
    def partition_of(line):
        return line.split("\t", 2)[1]

    def compare(self, what, owner):
        """All that the last owner showed is shown by this one."""
        state, lines = self.look()
        old_state, old_lines = self.seen
        # Kafka compacts as soon as it has started, and moves its own topics on.
        loose = lambda partition: INTERNAL.match(partition) or (owner.version != "klamm" and partition.startswith("compacted-"))  # noqa: E731
        strict = lambda lines: [l for l in lines if not loose(self.partition_of(l))]  # noqa: E731
        # By time Kafka finds nothing in a log whose first segments lie below its start, until retention has removed them (a minute or
        # five); we find the first record that is left.
        by_time = re.compile(r"offset\ttrimmed-0 [34]\t")
        facts = lambda lines: sorted(l for l in lines if not by_time.match(l)  # noqa: E731
                                     and not (l.startswith("offset\t") and loose(l.split("\t")[1].split(" ")[0])))
        self.equal(f"{what}: topics, ids, configs, offsets, directories", facts(old_state), facts(state), shown(facts(old_state), facts(state)))
        self.equal(f"{what}: {len(old_lines)} records", strict(old_lines), strict(lines), shown(strict(old_lines), strict(lines))
                   if strict(old_lines) != strict(lines) else "")
        if owner.version != "klamm":
            self.equal(f"{what}: the last value of each compacted key", self.last_values(old_lines), self.last_values(lines))
        for partition in sorted({self.partition_of(l) for l in old_lines if INTERNAL.match(self.partition_of(l))}):
            before = [l for l in old_lines if self.partition_of(l) == partition]
            after = [l for l in lines if self.partition_of(l) == partition]
            self.equal(f"{what}: {partition}", before, after[:len(before)])
        self.totals["compared"] += len(old_lines)

    @staticmethod
    def last_values(lines):
        found = {}
        for line in lines:
            fields = line.split("\t")
            if fields[0] == "record" and fields[1] == "compacted-0":
                found[fields[6]] = fields[2:]
        return found

    # The owners' turns.

    def start(self, owner):
        self.node.start(owner)
        self.owner = owner

    def fill(self, scale, churn):
        self.ask("create")
        self.ask("fill", scale)
        with self.client() as client:
            self.sequences.begin(client)
            for _ in range(7):
                self.sequences.append(client)
        self.ask("hold", "first", 200)
        self.ask("change")
        self.ask("churn", "first", churn)
        self.kafkas_own("first")
        if self.owner.version != "klamm":
            self.wait_for_compaction()
        self.seen = self.look()

    def kafkas_own(self, seed):
        """Transactions, groups, quotas, credentials: Klamm keeps what Kafka wrote of them."""
        if self.owner.version == "klamm":
            return
        self.ask("internal")
        self.ask("transactions", seed)
        self.groups = self.ask("groups")

    def wait_for_compaction(self):
        checkpoints = [d / "cleaner-offset-checkpoint" for d in self.node.log_dirs]
        deadline = time.monotonic() + 60
        while not any(c.exists() and "compacted 0" in c.read_text() for c in checkpoints):
            if time.monotonic() > deadline:
                raise RuntimeError("Kafka did not compact")
            time.sleep(0.2)
        time.sleep(1)  # the names of what it replaced

    def stop(self, clean):
        code = self.node.stop(clean)
        if clean:
            self.equal(f"{self.owner.version} ends well on SIGTERM", True, code in (0, 143))
        self.none(f"{self.owner.version}'s log has nothing to say", self.node.findings())
        taken = files.Taken(self.node)
        for kind, count in taken.kinds().items():
            self.kinds[kind] = max(self.kinds.get(kind, 0), count)
        if self.owner.version == "klamm":
            count, found = files.dump_findings(self.kafka, self.node)
            self.totals["dumped"] += count
            self.none(f"Kafka's dump-log on {count} files that klamm left after {'a clean stop' if clean else 'kill -9'}", found)
        if self.taken is not None:
            count, differences = self.taken.compare(taken, self.clean_before)
            self.totals["files"] += count
            self.none(f"{count} files kept by {self.owner.version}", differences)
        self.new_snapshots = taken.snapshots() - (self.taken.snapshots() if self.taken else set())
        self.taken, self.clean_before = taken, clean

    def take_over(self, owner, seed, count, churn):
        what = f"{owner.version} after {self.owner.version}"
        self.start(owner)
        self.compare(what, owner)
        if owner.version != "klamm" and self.groups is not None:
            self.equal(f"{what}: groups, quotas, credentials", self.groups, self.ask("groups"))
        with self.client() as client:
            self.sequences.after_handover(client, self.checks, f"{self.label}: {what}")
        self.ask("held", seed, 100)
        self.ask("more", seed, count)
        if churn:
            self.ask("churn", seed, churn)
        self.kafkas_own(seed)
        self.seen = self.look()

    def finish(self):
        self.ask("release")
        self.none("the same producer id, epoch and sequences through all owners", files.sequences_broken(self.node.log_dirs, "held"))
        print("table " + json.dumps({"what": self.label, **self.totals}), flush=True)


def play(node, driver, checks, first, second, clean, scale=1.0, churn=30, more=400, release=None):
    """first → second → first, each hand-over after a clean stop or kill -9."""
    kafka = first if first.version != "klamm" else second
    story = Story(node, driver, checks, kafka, f"{first.version}→{second.version}→{first.version} {'clean' if clean else 'kill'}")
    if node.kind != "self":
        node.format(first, release)
    story.start(first)
    story.fill(scale, churn)
    story.stop(clean)
    story.none("a metadata snapshot by the first owner", [] if story.new_snapshots else ["there is none"])
    story.take_over(second, "second", more, churn)
    story.stop(clean)
    story.none("a metadata snapshot by the second owner", [] if story.new_snapshots else ["there is none"])
    story.take_over(first, "third", more, 0)
    story.stop(True)
    story.finish()
    return story
