"""Runs workloads: the servers of a part side by side, one at a time awake, round by round."""
import dataclasses
import itertools
import os
import time

import generator
import measures
import servers
import workloads


@dataclasses.dataclass(frozen=True)
class Lengths:
    rounds: int = 3  # that are valid, of each server
    seconds: int = 5  # of a round
    warm_up: int = 60  # of a JVM, once for each part
    tries: int = 9  # rounds at most


QUICK = Lengths(rounds=1, warm_up=20, tries=2)


def told(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Runner:
    def __init__(self, results, lengths):
        self.results, self.lengths = results, lengths
        self.began = time.monotonic()
        self.topics = itertools.count(1)
        self.run = f"{os.getpid()}"

    def say(self, text):
        print(f"{told(time.monotonic() - self.began):>6} {text}", flush=True)

    def done(self, workload):
        rounds = min(workload.rounds or self.lengths.rounds, self.lengths.rounds)
        return all(len(self.results.valid(workload, name)) >= rounds for name in workload.servers)

    def part(self, part, chosen):
        """Whatever of the part is not measured yet."""
        missing = [w for w in chosen if not self.done(w)]
        self.say(f"{part}: {len(missing)} of {len(chosen)} workloads to measure")
        if not missing:
            return
        started = {}
        try:
            for name in dict.fromkeys(name for w in missing for name in w.servers):
                self.start(started, name, missing[0])
            for workload in missing:
                self.workload(workload, {name: started[name] for name in workload.servers}, started.values())
        except (generator.NotThere, generator.Failed, RuntimeError) as reason:
            self.say(f"{part}: not measured, {reason}")
        finally:
            for server in started.values():
                server.let_go()
                server.remove()

    def start(self, started, name, workload):
        settings = dict(workload.settings) | (dict(workload.own_settings) if name == "klamm" else {})
        if workload.options and workload.options[0] not in generator.kinds():
            raise generator.NotThere(f"klamm bench has no {workload.options[0]} yet")
        for other in started.values():
            other.hold()
        server = started[name] = servers.KINDS[name](settings)
        server.start()
        if workload.measure == "load" and workload.options:
            self.warm_up(server, workload)

    def warm_up(self, server, workload):
        """A minute of the part's first workload for a JVM; kept as its cold first minute."""
        seconds = self.lengths.warm_up if name_is_java(server) else min(3, self.lengths.warm_up)
        self.say(f"  {server.name}: warming up, {seconds} s")
        small = dataclasses.replace(workload, partitions=min(workload.partitions, 16))
        if workload.fill:
            generator.bench(server, workload.fill, "warm-up", small.partitions, seconds, 0)
        report = generator.bench(server, small.options, "warm-up", small.partitions, seconds, 0)
        server.delete_topic("warm-up")
        if name_is_java(server) and not self.results.cold(workload, server.name):
            figure = measures.load_figure(workload, report)
            self.results.add(workload, server.name, cold=True, figure=figure, p50=report["latency_ms"]["p50"], p99=report["latency_ms"]["p99"],
                             seconds=report["seconds"])

    def workload(self, workload, taking_part, all_started):
        if self.done(workload):
            return
        self.say(f"{workload.part}: {workload.name}")
        kept = f"bench-{self.run}-{next(self.topics)}"
        try:
            for server in taking_part.values():
                self.prepare(workload, server, kept, all_started)
            for attempt in range(self.lengths.tries):
                if self.done(workload):
                    return
                for server in taking_part.values():
                    self.round(workload, server, kept, attempt, all_started)
            self.say(f"  not enough valid rounds in {self.lengths.tries}: others use this machine")
        except generator.Failed as failure:
            self.say(f"  failed: {failure}")
            self.results.add(workload, "", error=str(failure))

    def prepare(self, workload, server, topic, all_started):
        awake(server, all_started)
        if isinstance(server, servers.Floor):
            server.partitions = workload.partitions
            server.delete_topic(topic)
        if workload.measure == "load" and workload.keep_topic:
            # A broker may take long to make very many partitions; each is touched once.
            options = workload.fill or workload.options
            for patience in range(10, -1, -1):
                try:
                    generator.bench(server, options, topic, workload.partitions, max(2, workload.partitions / 5000), 0)
                    return
                except generator.Failed:
                    if patience == 0:
                        raise
                    time.sleep(3)

    def round(self, workload, server, kept, attempt, all_started):
        awake(server, all_started)
        topic = kept if workload.keep_topic else f"{kept}-{attempt}"
        os.sync()
        row = measures.measure(workload, server, topic, self.lengths.seconds)
        row["valid"] = generator.valid(row)
        row["rss"] = measures.machine.memory(server.pid)[0]
        self.results.add(workload, server.name, round=attempt, **row)
        p99 = f", p99 {row['p99']:.2f} ms" if row["p99"] is not None else ""
        discarded = "" if row["valid"] else f" (discarded: others took {100 * (row['others'] + row['stolen']):.0f} % of a core)"
        self.say(f"  {server.name}, round {attempt + 1}: {row['figure']:.4g} {workload.unit}{p99}{discarded}")
        if not workload.keep_topic and workload.measure == "load":
            server.delete_topic(topic)


def name_is_java(server):
    return isinstance(server, servers.Kafka)


def awake(server, all_started):
    """Only this one takes CPU."""
    for other in all_started:
        if other is not server:
            other.hold()
    server.let_go()
    time.sleep(0.5 if name_is_java(server) else 0.05)


def chosen(names):
    return [w for w in workloads.ALL if not names or w.part in names]
