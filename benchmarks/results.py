"""What was measured, as JSON lines on disk, and the sums that are made of it."""
import dataclasses
import hashlib
import json
import statistics

import machine
import servers

RESULTS = servers.CACHE / "results.jsonl"
KLAMM = servers.ROOT / "build" / "release" / "klamm"


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values):
        values = [value for value in values if value is not None]
        return cls(statistics.median(values), min(values), max(values)) if values else None


class Results:
    """Rows of this binary; a run that was cut off goes on from them. Quick rows and others never mix."""

    def __init__(self, quick=False, path=RESULTS, binary=None):
        self.path, self.quick = path, quick
        self.binary = binary or hashlib.sha256(KLAMM.read_bytes()).hexdigest()[:16]
        self.rows = []
        if path.exists():
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            self.rows = [row for row in rows if row["binary"] == self.binary and row["quick"] == quick]

    def add(self, workload, server, **row):
        row = {"binary": self.binary, "quick": self.quick, "workload": workload.name, "server": server, **row}
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def note_machine(self):
        if not self.machine():
            row = {"binary": self.binary, "quick": self.quick, "machine": machine.described(servers.CACHE)}
            self.rows.append(row)
            with open(self.path, "a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")

    def machine(self):
        return next((row["machine"] for row in self.rows if "machine" in row), None)

    def valid(self, workload, server):
        return [row for row in self._of(workload, server) if row["valid"]]

    def cold(self, workload, server):
        return next((row for row in self.rows if row.get("cold") and row["workload"] == workload.name and row["server"] == server), None)

    def discarded(self, workload):
        return sum(not row["valid"] for row in self._of(workload))

    def errors(self, workload):
        return [row["error"] for row in self.rows if row.get("workload") == workload.name and "error" in row]

    def _of(self, workload, server=None):
        return [row for row in self.rows if row.get("workload") == workload.name and "valid" in row and server in (None, row["server"])]

    def spread(self, workload, server, key):
        return Spread.of([row.get(key) for row in self.valid(workload, server)])

    def ratio(self, workload, above, below, key):
        """Of corresponding valid rounds."""
        pairs = zip(self.valid(workload, above), self.valid(workload, below))
        return Spread.of([a[key] / b[key] for a, b in pairs if a.get(key) is not None and b.get(key)])
