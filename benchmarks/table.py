"""Results as rows of a table."""
import dataclasses

CPU_UNITS = ("s/GB", "us")


@dataclasses.dataclass(frozen=True)
class Row:
    workload: object
    ours: object = None  # Spreads, or None where nothing was measured
    theirs: object = None
    against: object = None  # the rival's figure ÷ ours
    floor: object = None  # ours ÷ the floor's
    p99: object = None  # the rival's ÷ ours
    discarded: int = 0

    @property
    def measured(self):
        return self.ours is not None and (self.workload.rival is None or self.against is not None)


def row_of(workload, results):
    rival = workload.rival
    return Row(workload, results.spread(workload, "klamm", "figure"), results.spread(workload, rival, "figure") if rival else None,
               results.ratio(workload, rival, "klamm", "figure") if rival else None,
               results.ratio(workload, "klamm", "floor", "figure") if workload.floor else None,
               results.ratio(workload, rival, "klamm", "p99") if rival and "p99" not in workload.unit else None, results.discarded(workload))


def rows(workloads, results):
    """Where the rival is ahead, or nearest, stands first; what is not measured last."""
    found = [row_of(workload, results) for workload in workloads]
    return sorted(found, key=lambda row: (not row.measured, row.against.median if row.against else float("inf")))


def spread(value, goal=None, at_least=True):
    if value is None:
        return "–"
    text = f"{value.median:.3g} ({value.least:.3g}–{value.most:.3g})"
    if goal is None:
        return text
    met = value.median >= goal if at_least else value.median <= goal
    return f"{text}, {'meets' if met else '**misses**'} {'≥' if at_least else '≤'} {goal:g}"


UNITS = {"us": "µs CPU/request", "s/GB": "CPU-s/GB", "ms/1000": "ms/1,000 requests"}


def figure(value, unit):
    return "–" if value is None else f"{value.median:.3g} {UNITS.get(unit, unit)}"


def line(row):
    workload = row.workload
    if not row.measured:
        half = f" (Klamm alone: {figure(row.ours, workload.unit)})" if row.ours else ""
        return f"| {workload.name} | **not measured yet**{half} | – | – | – | – | {row.discarded} |"
    ours = figure(row.ours, workload.unit)
    if workload.most is not None:
        ours += f", {'meets' if row.ours.median <= workload.most else '**misses**'} ≤ {workload.most:g}"
    return (f"| {workload.name} | {ours} | {figure(row.theirs, workload.unit)} | {spread(row.against, workload.goal)} | "
            f"{spread(row.floor, workload.floor_goal, False)} | {spread(row.p99, workload.p99_goal)} | {row.discarded} |")


HEAD = ["| workload | Klamm | Kafka | Kafka ÷ Klamm | Klamm ÷ floor | Kafka ÷ Klamm, p99 | discarded |", "|---|---|---|---|---|---|---|"]


def table(workloads, results):
    return "\n".join(HEAD + [line(row) for row in rows(workloads, results)])
