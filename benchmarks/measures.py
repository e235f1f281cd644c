"""How a round of a workload is measured on one server. Each gives a row: `figure` in the workload's unit, p99 where there is one,
and what others took of the machine."""
import signal
import subprocess
import sys
import time

import generator
import machine
from servers import ROOT

sys.path.insert(0, str(ROOT / "tests" / "figures"))
import wire  # noqa: E402

CRASHED_BYTES = 10 * 10**9
BACKFILL_BYTES = 10 * 10**9


def row(figure, others, report=None, **more):
    latency = (report or {}).get("latency_ms", {})
    return {"figure": figure, "p50": latency.get("p50"), "p99": latency.get("p99"), "p99.9": latency.get("p99.9"),
            "others": others["others"], "stolen": others["stolen"], **more}


def load_figure(workload, report):
    if workload.unit == "s/GB":
        return report["broker_cpu"] / report["bytes"] * 1e9
    if workload.unit == "ms/1000":
        return report["seconds"] / report["requests"] * 1e6
    if workload.unit == "% of a core":
        return report["broker_cpu"] / report["seconds"] * 100
    if workload.unit == "ms p99":
        return report["latency_ms"]["p99"]
    return report["broker_cpu"] / report["requests"] * 1e6


def load(workload, server, topic, seconds):
    report = generator.bench(server, workload.options, topic, workload.partitions, seconds)
    return row(load_figure(workload, report), report, report, cpu=report["broker_cpu"], generator_cpu=report["generator_cpu"],
               requests=report["requests"], bytes=report["bytes"], seconds=report["seconds"])


# --- beside each other -------------------------------------------------------------------------------------------------

def spawned(server, options, topic, **how):
    line = generator.command(server, options, topic, **how)
    return line, subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(line, process):
    output, errors = process.communicate()
    return generator.report_of(line, output, errors, process.returncode)


def filled(server, topic, partitions, size, options=("produce", "--record-size", "1000", "--batch-size", "1000000", "--connections", "4")):
    """Produces until so many bytes are there."""
    written = 0
    while written < size:
        written += generator.bench(server, options, topic, partitions, 4, 0)["bytes"]


def backfill(workload, server, topic, seconds):
    """The p99 of a producer of 50 MB/s while what is not in memory is read."""
    filled_mark = server.directory / "filled"
    if not filled_mark.exists():
        filled(server, topic, 1, BACKFILL_BYTES)
        filled_mark.touch()
    machine.evict(server.directory)
    watch = generator.Watch(server)
    reader = spawned(server, ("fetch", "--fetch-size", str(1 << 20), "--connections", "2"), topic, duration=seconds + 1, warm_up=0)
    producer = spawned(server, ("produce", "--record-size", "1000", "--batch-size", "65536", "--connections", "8", "--rate", "763"), f"{topic}-beside",
                       duration=seconds)
    produced, read = ended(*producer), ended(*reader)
    return row(produced["latency_ms"]["p99"], watch.others(), produced, read_bytes=read["bytes"])


def connections(workload, server, topic, seconds):
    """Resident bytes that an idle connection adds, and the p99 of a hundred that are not idle beside them."""
    generator.bench(server, ("produce", "--record-size", "1000", "--batch-size", "1", "--connections", "100"), f"{topic}-active", 1, 2, 0)
    before = machine.memory(server.pid)[1]
    watch = generator.Watch(server)
    idle = spawned(server, workload.options, topic, duration=seconds + 10)
    time.sleep(6)
    each = (machine.memory(server.pid)[1] - before) * 2**20 / 9500
    active = generator.bench(server, ("produce", "--record-size", "1000", "--batch-size", "1", "--connections", "100"), f"{topic}-active", 1, seconds)
    ended(*idle)
    return row(each, watch.others(), active, cpu=active["broker_cpu"])


# --- from the start ----------------------------------------------------------------------------------------------------

def connected(server):
    while True:
        try:
            return wire.Connection(server.bootstrap)
        except OSError:
            time.sleep(0.0005)


def first_ack(server, topic, keep):
    """Seconds from the start of the process until a record is acknowledged on the topic, which is made when nothing is there."""
    record = wire.produce(topic, wire.batch([b"hello"], int(time.time() * 1000)))
    server.start(keep)
    connection = connected(server)
    if not keep:
        connection.ask(wire.create_topic(topic))
    while wire.produce_error(topic, connection.ask(record))[0] != 0:
        time.sleep(0.0005)
    took = time.monotonic() - server.began
    connection.close()
    return took


def first_offset(server):
    """Seconds from the start of the process until the coordinator answers what a group has committed."""
    server.start(True)
    connection = connected(server)
    while (error := wire.fetched_offsets_error(connection.ask(wire.fetch_offsets("a-group")))) != 0:
        if error not in (wire.LOADING, wire.NOT_AVAILABLE, wire.NOT_COORDINATOR):
            raise generator.Failed(f"OffsetFetch: error {error}")
        time.sleep(0.0005)
    took = time.monotonic() - server.began
    connection.close()
    return took


def start(server, action):
    """A row of one start; whoever measures has stopped the server."""
    began, children = time.monotonic(), generator.child_seconds()
    busy, stolen = machine.times()
    took = action()
    passed, cpu = time.monotonic() - began, machine.cpu_seconds(server.pid)
    busy_now, stolen_now = machine.times()
    ours = cpu + generator.child_seconds() - children
    return row(took, {"others": max(0.0, busy_now - busy - ours) / passed, "stolen": (stolen_now - stolen) / passed}, cpu=cpu)


def start_empty(_workload, server, topic, _seconds):
    server.remove()
    return start(server, lambda: first_ack(server, topic, keep=False))


def anew(server):
    server.remove()
    server.start()


def start_clean(workload, server, topic, _seconds):
    anew(server)
    generator.bench(server, ("produce", "--record-size", "100", "--batch-size", "1000"), topic, workload.partitions, 5, 0)
    server.stop()
    return start(server, lambda: first_ack(server, topic, keep=True))


def start_crash(workload, server, topic, _seconds):
    anew(server)
    filled(server, topic, workload.partitions, CRASHED_BYTES)
    server.stop(signal.SIGKILL)
    return start(server, lambda: first_ack(server, topic, keep=True))


def coordinator_load(workload, server, topic, _seconds):
    """Fills the offsets topic through commits: 50,000 of 100 partitions each, over a thousand groups."""
    anew(server)
    generator.bench(server, ("commits", "--groups", "1000", "--connections", "16", "--in-flight", "8", "--requests", "50000", "--duration", "3600"),
                    topic, workload.partitions, warm_up=0)
    server.stop()
    return start(server, lambda: first_offset(server))


# --- at rest -----------------------------------------------------------------------------------------------------------

def idle(_workload, server, _topic, seconds):
    time.sleep(10)  # what a start leaves to do
    watch, began = generator.Watch(server), time.monotonic()
    cpu, woken = machine.cpu_seconds(server.pid), machine.switches(server.pid)
    time.sleep(seconds * 2)
    took = time.monotonic() - began
    return row(machine.memory(server.pid)[0], watch.others(), cpu_per_second=(machine.cpu_seconds(server.pid) - cpu) / took,
               switches_per_second=(machine.switches(server.pid) - woken) / took)


def memory(_workload, server, topic, seconds, minutes=10):
    """What is resident after minutes of everything that needs no setting of its own. Others do not change it: all rounds count."""
    import workloads
    chosen = [w for w in workloads.ALL if w.measure == "load" and not w.settings and not w.own_settings and w.part not in ("tuned", "partitions")
              and w.options and w.options[0] in generator.kinds()]
    each = max(1, round(minutes * 60 / len(chosen))) if seconds >= 5 else 1
    for number, workload in enumerate(chosen):
        name = f"{topic}-{number}"
        if workload.fill:
            generator.bench(server, workload.fill, name, workload.partitions, 2, 0)
        generator.bench(server, workload.options, name, workload.partitions, each)
        server.delete_topic(name)
    everything, anonymous = machine.memory(server.pid)
    return row(everything, {"others": 0, "stolen": 0}, anonymous=anonymous)


def measure(workload, server, topic, seconds):
    return globals()[workload.measure](workload, server, topic, seconds)
