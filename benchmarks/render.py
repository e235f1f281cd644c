"""Writes docs/performance.md and its plots from what was measured. What was not is said to be so."""
import servers
import svg
import table
import workloads

PAGE = servers.ROOT / "docs" / "performance.md"
IMAGES = servers.ROOT / "docs" / "images"

BEGIN = """# Performance

Klamm, Apache Kafka {version} and the floor, measured side by side on one machine by `./bench` ([benchmarks.md](benchmarks.md)), and
written by `./bench --render`: what stands here was measured in rounds that nothing disturbed, and nothing is left out.

CPU is what the broker's process took. A ratio is the median over rounds of Kafka's figure ÷ ours, with the least and the most; above 1 we need
less. **Workloads where Kafka is ahead, or nearest, stand first.** The floor is a server that only receives, checks the CRC, writes and
acknowledges, or sends from the file: no broker can do with less. "Discarded" counts rounds in which others took more than 5 % of a core.
"""

CONDITIONS = """## Conditions

- Apache Kafka: one node, broker and controller, settings of its own `server.properties`, JVM options of its own start script (`-Xms1G -Xmx1G`, G1).
  Of both brokers `log.segment.delete.delay.ms` is 1000, so that topics of earlier rounds leave the disk, and `broker.session.timeout.ms`
  is ten minutes, because while one server is measured the others are held (SIGSTOP); where starts are measured it is as shipped.
- A JVM is warm: a minute of the part's first workload before its first round. What that minute looks like stands below.
- All write to the same file system, nothing syncs unless the workload says so, and `sync` runs before each round; each round of a produce
  workload has a new topic, each partition of which was written once before it counts.
- Validation: Kafka opens and checks compressed batches; Klamm stores them after a check of header and checksum ("passed through", its default)
  or checks each record ("strictly validated").
- Sockets: the settings of each broker's own defaults, loopback, one generator with one thread (`klamm bench`).
- A block device that reads ahead much makes Kafka's first write to a partition slow, because it maps new index files; therefore
  partitions are touched before.
"""


def machine_lines(machine):
    if machine is None:
        return "No machine has measured yet.\n"
    ahead = "unknown" if machine["read_ahead_kib"] is None else f"{machine['read_ahead_kib'] / 1024:g} MiB"
    return (f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, {machine['file_system']}; "
            f"read-ahead of the block device **{ahead}**; TCP congestion control {machine['congestion']}.\n")


def cold_lines(chosen, results):
    lines = ["## The cold first minute", "", "What a JVM does in its first minute after a start, at the same workload; then its median when warm.", "",
             "| workload | Kafka cold | p99 cold | Kafka warm | p99 warm |", "|---|---|---|---|---|"]
    for workload in chosen:
        if cold := results.cold(workload, "kafka"):
            warm, p99 = (results.spread(workload, "kafka", key) for key in ("figure", "p99"))
            lines.append(f"| {workload.name} | {cold['figure']:.3g} {table.UNITS.get(workload.unit, workload.unit)} | {cold['p99']:.3g} ms | "
                         f"{table.figure(warm, workload.unit)} | {'–' if p99 is None else f'{p99.median:.3g} ms'} |")
    if len(lines) == 6:
        lines.append("| – | **not measured yet** | – | – | – |")
    return lines


def plot(name, title, rows):
    """The name of the file, if there is anything to plot."""
    shown = [(row.workload.name, row.against.median, row.against.least, row.against.most, row.workload.goal) for row in rows if row.against]
    path = IMAGES / f"{name}.svg"
    if not shown:
        path.unlink(missing_ok=True)
        return []
    IMAGES.mkdir(exist_ok=True)
    path.write_text(svg.bars(title, shown), encoding="utf-8")
    return [f"![{title}](images/{path.name})", ""]


def page(results):
    shipped = [w for w in workloads.ALL if w.rival != "kafka-tuned"]
    tuned = [w for w in workloads.ALL if w.rival == "kafka-tuned"]
    rows = table.rows(shipped, results)
    missing = sum(not row.measured for row in rows)
    state = [f"**{missing} of {len(rows)} workloads are not measured yet.**", ""] if missing else []
    by_unit = [row for row in rows if row.workload.unit in table.CPU_UNITS]
    others = [row for row in rows if row.workload.unit not in table.CPU_UNITS]
    lines = [BEGIN.format(version=servers.KAFKA_VERSION), machine_lines(results.machine()), *state, "## Against Apache Kafka as shipped", "",
             *plot("performance-cpu", "Apache Kafka's CPU ÷ Klamm's (dashed: the goal)", by_unit),
             *plot("performance-others", "Apache Kafka's time or memory ÷ Klamm's (dashed: the goal)", others),
             *table.HEAD, *(table.line(row) for row in rows), "",
             "## Against a tuned Apache Kafka", "", "Two network and two I/O threads, `compression.type=producer`, a heap of 2 GiB.", "",
             *plot("performance-tuned", "A tuned Apache Kafka's CPU ÷ Klamm's", table.rows(tuned, results)),
             *table.HEAD, *(table.line(row) for row in table.rows(tuned, results)), "", *cold_lines(shipped, results), "", CONDITIONS]
    return "\n".join(lines).rstrip() + "\n"


def render(results):
    PAGE.write_text(page(results), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(servers.ROOT)}")
