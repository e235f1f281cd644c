"""What is measured: each workload is a way to call `klamm bench`, or names a measure of measures.py, and the goals (as ratios).

Workloads of a part run on the same processes, after one warm-up of a minute: they have the same settings.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    part: str
    options: tuple = ()  # of `klamm bench`
    unit: str = "us"  # of `figure`: "s/GB" and "us" are the broker's CPU per GB and per request, others are the measure's
    measure: str = "load"
    partitions: int = 1
    fill: tuple = ()  # of a produce run before, for what reads
    settings: tuple = ()  # of both brokers
    own_settings: tuple = ()  # of Klamm alone
    rival: str | None = "kafka"
    floor: bool = True
    rounds: int | None = None  # when other than usual
    keep_topic: bool = False  # across rounds: what is dear to make, or is read
    goal: float | None = None  # the rival's figure ÷ ours, at least
    floor_goal: float | None = None  # ours ÷ the floor's, at most
    p99_goal: float | None = None  # the rival's p99 ÷ ours, at least
    most: float | None = None  # our figure itself, at most

    @property
    def servers(self):
        return [name for name in ("klamm", self.rival, "floor" if self.floor else None) if name]


def produce(name, part, record, batch, *more, **rest):
    return Workload(name, part, ("produce", "--record-size", str(record), "--batch-size", str(batch), *map(str, more)), **rest)


FILL = ("produce", "--record-size", "1000", "--batch-size", "65536", "--connections", "4", "--warm-up", "0")


def fetch(size, consumers, goal):
    label = "1 MiB" if size == 1 << 20 else "64 KiB"
    return Workload(f"hot fetch, {label}, {consumers} consumer{'s' * (consumers > 1)}", "fetch",
                    ("fetch", "--fetch-size", str(size), "--connections", str(consumers)), unit="s/GB", fill=FILL + ("--duration", "2"),
                    keep_topic=True, goal=goal, floor_goal=1.2)


def compressed(codec, goal):
    return produce(f"produce, {codec} passed through, 64 KiB raw", "compressed", 1000, 65536, "--compression", codec, "--connections", 8,
                   unit="s/GB", goal=goal, floor_goal=1.2)


def strict(codec):
    return produce(f"produce, {codec} strictly validated, 64 KiB raw", "strict", 1000, 65536, "--compression", codec, "--connections", 8,
                   unit="s/GB", floor=False, own_settings=(("klamm.validate.records", "strict"),), goal=3)


def end_to_end(rate, label, connections, goal):
    return Workload(f"end to end, {label} records/s", "latency",
                    ("end-to-end", "--rate", str(rate), "--record-size", "1000", "--connections", str(connections)), goal=goal, p99_goal=8)


def many(count, label, **rest):
    return produce(f"{label} partition{'s' * (count > 1)} at 100 MB/s, 10 KB batches", "partitions", 1000, 10240, "--connections", 16, "--rate", 10000,
                   unit="s/GB", partitions=count, floor=False, keep_topic=True, **rest)


NO_DELAY = (("group.initial.rebalance.delay.ms", "0"),)
# One coordinator, which keeps all that was ever written.
ONE_COORDINATOR = (("offsets.topic.num.partitions", "1"), ("log.cleaner.enable", "false"))


def groups(name, *options, unit="us", **rest):
    return Workload(name, "groups", tuple(map(str, options)), unit=unit, floor=False, settings=NO_DELAY, **rest)


def transactions(name, producers, **rest):
    return Workload(name, "transactions", ("transactions", "--connections", str(producers)), floor=False, **rest)


def tuned(workload):
    return dataclasses.replace(workload, name=f"{workload.name}, against a tuned Kafka", part="tuned", rival="kafka-tuned", floor=False,
                               goal=None, floor_goal=None, p99_goal=None)


# As shipped: a broker that comes back after a kill is let in when its old session has ended.
STARTS = (("broker.session.timeout.ms", "9000"),)
SMALL = produce("produce, 100 B records in 16 KiB, 1 partition", "produce", 100, 16384, "--connections", 16, unit="s/GB", goal=9, floor_goal=1.3)
LARGE = produce("produce, 64 KiB batches", "produce", 1000, 65536, "--connections", 8, unit="s/GB", goal=6, floor_goal=1.2)
SINGLE = produce("single 1 KB records, 64 connections × 1", "single", 1000, 1, "--connections", 64, goal=4.5, floor_goal=1.4)
HOT = fetch(64 << 10, 4, 9)

ALL = [
    SMALL,
    produce("produce, 100 B records in 16 KiB, 16 partitions", "produce", 100, 16384, "--connections", 16, unit="s/GB", partitions=16,
            goal=9, floor_goal=1.3),
    LARGE,
    produce("produce, 1 MiB batches", "produce", 1000, 1_000_000, "--connections", 4, unit="s/GB", goal=6, floor_goal=1.2),
    produce("produce, 64 KiB at 800 requests/s", "fixed", 1000, 65536, "--connections", 8, "--rate", 800, goal=7, floor_goal=1.3, p99_goal=5),
    produce("single 1 KB records at 2,000/s", "fixed", 1000, 1, "--connections", 16, "--rate", 2000, goal=7, floor_goal=1.3),
    SINGLE,
    produce("single 1 KB records, 16 connections × 8", "single", 1000, 1, "--connections", 16, "--in-flight", 8, goal=8, floor_goal=1.4),
    compressed("lz4", 12), compressed("zstd", 30), compressed("snappy", 12), compressed("gzip", 12),
    strict("lz4"), strict("zstd"), strict("snappy"), strict("gzip"),
    *(fetch(size, consumers, goal) for size, goal in ((1 << 20, 4.5), (64 << 10, 9)) for consumers in (1, 4, 16)),
    produce("durable acks, 64 clients", "durable", 1000, 1, "--connections", 64, settings=(("log.flush.interval.messages", "1"),),
            unit="ms/1000", goal=10, floor_goal=1.3),
    end_to_end(1000, "1,000", 4, 10), end_to_end(10000, "10,000", 16, 2.5),
    many(1, "1"), many(10_000, "10,000", goal=8), many(50_000, "50,000", rival=None),
    Workload("10 GB read cold beside 50 MB/s produced", "backfill", measure="backfill", unit="ms p99", floor=False, keep_topic=True, goal=10,
             fill=FILL),
    Workload("9,500 idle connections", "connections", ("idle", "--connections", "9500"), measure="connections", unit="B/connection", floor=False,
             goal=10),
    Workload("connect storm", "connections", ("connect", "--connections", "32"), floor=False, goal=5),
    groups("1,000 groups of 2 members, heartbeat 3 s, commit 1 s", "groups", "--groups", 1000, "--members", 2, unit="% of a core", partitions=2,
           goal=5, most=10),
    groups("200 members of a group, heartbeat 3 s, commit 1 s", "groups", "--groups", 1, "--members", 200, partitions=200, goal=15),
    groups("1,000 classic and 1,000 KIP-848 groups of 2 members", "groups", "--groups", 1000, "--consumer-groups", 1000, partitions=2, goal=5,
           p99_goal=5),
    groups("rebalance of 100 members", "rebalance", "--members", 100, "--duration", 20, unit="ms p99", partitions=100, goal=5, most=50),
    groups("commits of offsets, 64 connections × 8", "commits", "--connections", 64, "--in-flight", 8, goal=15, most=16.7),
    Workload("offsets topic of 5 million records: start to first offset", "coordinator", measure="coordinator_load", unit="s", rounds=1,
             floor=False, partitions=100, settings=ONE_COORDINATOR, most=3),
    transactions("transactions, 16 producers, 1 partition: rate", 16, unit="ms/1000", goal=4, most=333),
    *(transactions(f"transactions, 4 producers, {count} partition{'s' * (count > 1)}", 4, partitions=count, goal=8, p99_goal=5)
      for count in (1, 10, 100)),
    Workload("start to first acknowledged record: empty", "start-empty", measure="start_empty", unit="s", floor=False,
             settings=STARTS, goal=140),
    Workload("start to first acknowledged record: 10,000 partitions, clean", "start-clean", measure="start_clean", unit="s", floor=False,
             partitions=10_000, settings=STARTS, goal=50),
    Workload("start to first acknowledged record: 10 GB in 16 partitions, killed", "start-crash", measure="start_crash", unit="s", floor=False,
             partitions=16, settings=STARTS, goal=5),
    Workload("idle: memory", "idle", measure="idle", unit="MiB", floor=False, goal=38, most=10),
    Workload("memory after ten minutes of all workloads", "memory", measure="memory", unit="MiB", rounds=1, floor=False, goal=19,
             most=64),
    *(tuned(each) for each in (SMALL, LARGE, SINGLE, HOT)),
]


def parts():
    return list(dict.fromkeys(workload.part for workload in ALL))
