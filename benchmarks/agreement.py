#!/usr/bin/env python3
"""The generator against another one: `klamm bench` and Apache Kafka's own producer-perf-test send the same records in batches of the same
size at the same rate to an Apache Kafka. The broker must not notice the difference (CPU per GB), and what each says it sent must be
what is there: records by the end offset, bytes by what the log holds."""
import json
import re
import statistics
import subprocess
import sys

import generator
import machine
import servers

sys.path.insert(0, str(servers.ROOT / "tests" / "interop"))
from harness import Checks  # noqa: E402  (the path comes first)

RECORD = 1000
BATCH = 16384
RECORDS_PER_SECOND = 24_000
SECONDS = 20
ROUNDS = 3
MOST_APART = 0.15
GB = 1e9


def tool(server, *arguments):
    return subprocess.run([str(servers.KLAMM), *arguments, "--bootstrap-server", server.bootstrap], check=True, capture_output=True, text=True).stdout


def make(server, topic):
    tool(server, "topics", "--create", "--topic", topic, "--partitions", "1")


def held(server, topic):
    """Records and bytes of the topic's one partition."""
    records = int(tool(server, "get-offsets", "--topic", topic).strip().rsplit(":", 1)[1])
    described = json.loads(tool(server, "log-dirs", "--describe", "--topic-list", topic).strip().splitlines()[-1])
    sizes = [partition["size"] for broker in described["brokers"] for directory in broker["logDirs"] for partition in directory["partitions"]]
    return records, sum(sizes)


def by_bench(server, topic, per_batch):
    """(records, bytes of batches) as `klamm bench` tells them."""
    report = generator.bench(server, ("produce", "--record-size", str(RECORD), "--batch-size", str(BATCH), "--connections", "1", "--in-flight", "5",
                                      "--rate", str(RECORDS_PER_SECOND / per_batch)), topic, duration=SECONDS, warm_up=0)
    return report["records"], report["bytes"]


def by_perf_test(server, topic):
    """(records, bytes of values) as producer-perf-test tells them."""
    count = RECORDS_PER_SECOND * SECONDS
    # Batches are sent when they are full: nothing lingers that long.
    properties = {"bootstrap.servers": server.bootstrap, "acks": "1", "enable.idempotence": "false", "batch.size": BATCH, "linger.ms": 1000,
                  "max.in.flight.requests.per.connection": 5, "compression.type": "none"}
    line = server.kafka.java("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", count, "--record-size", RECORD,
                             "--throughput", RECORDS_PER_SECOND, "--command-property", *(f"{key}={value}" for key, value in properties.items()))
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise generator.Failed(f"producer-perf-test: {done.stdout}{done.stderr}")
    sent = int(re.findall(r"^(\d+) records sent", done.stdout, re.M)[-1])
    return sent, sent * RECORD


def per_batch(server):
    """Records of one batch of `klamm bench`."""
    report = generator.bench(server, ("produce", "--record-size", str(RECORD), "--batch-size", str(BATCH), "--connections", "1", "--rate", "10"), "one",
                             duration=1, warm_up=0)
    return report["records"] // report["requests"]


def measured(server, topic, send):
    """CPU-s of the broker per GB of values, what was said to be sent, what is there."""
    make(server, topic)
    before = machine.cpu_seconds(server.pid)
    sent = send(server, topic)
    took = machine.cpu_seconds(server.pid) - before
    return took / (sent[0] * RECORD) * GB, sent, held(server, topic)


def main():
    checks = Checks("the generator")
    server = servers.Kafka()
    server.start()
    try:
        count = per_batch(server)
        ways = {"klamm bench": lambda server, topic: by_bench(server, topic, count), "producer-perf-test": by_perf_test}
        figures = {name: [] for name in ways}
        for number in range(ROUNDS + 1):  # the first warms the broker up
            for name, send in ways.items():
                figure, sent, there = measured(server, f"{name.replace(' ', '-')}-{number}", send)
                print(f"     {name}, round {number}: {figure:.2f} CPU-s/GB; {sent[0]} records sent, {there[0]} there; {there[1]} bytes there", flush=True)
                checks.equal(f"{name}, round {number}: records sent, end offset", sent[0], there[0])
                if name == "klamm bench":
                    checks.equal(f"{name}, round {number}: bytes of batches sent, bytes of the log", sent[1], there[1])
                else:
                    # Its batches come to a size that it does not tell: their headers, and each record's few bytes, are beside the values.
                    over = there[1] / sent[1] - 1
                    checks.check(f"{name}, round {number}: {sent[1]} bytes of values are {over:.1%} less than the log", 0 < over < 0.02)
                if number > 0:
                    figures[name].append(figure)
    finally:
        server.remove()
    medians = {name: statistics.median(values) for name, values in figures.items()}
    ours, theirs = medians["klamm bench"], medians["producer-perf-test"]
    checks.check(f"the broker's CPU per GB: {ours:.2f} s by klamm bench, {theirs:.2f} s by producer-perf-test (at most {MOST_APART:.0%} apart)",
                 abs(ours - theirs) <= MOST_APART * theirs)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
