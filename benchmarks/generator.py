"""Calls of `klamm bench` against a server, with what the rest of the machine did meanwhile."""
import functools
import json
import resource
import subprocess
import time

import machine
from servers import KLAMM

OTHERS_MAX = 0.05  # of a core


class NotThere(Exception):
    """The generator or a server cannot do this (yet)."""


class Failed(Exception):
    """A call of the generator failed."""


@functools.cache
def kinds():
    """The workloads that `klamm bench` names in its own help."""
    text = subprocess.run([str(KLAMM), "bench", "--help"], capture_output=True, text=True, check=False).stdout
    return set(text.split("klamm bench ", 1)[-1].split(" ", 1)[0].split("|"))


def command(server, options, topic, partitions=1, duration=None, warm_up=1):
    if options[0] not in kinds():
        raise NotThere(f"klamm bench has no {options[0]} yet")
    line = [str(KLAMM), "bench", *options, "--bootstrap-server", server.bootstrap, "--topic", topic, "--partitions", str(partitions),
            "--server-pid", str(server.pid), "--json"]
    if duration is not None and "--duration" not in options:
        line += ["--duration", str(duration)]
    if "--warm-up" not in options:
        line += ["--warm-up", str(warm_up)]
    return line


def report_of(line, output, errors, code):
    if code != 0:
        raise Failed(f"{' '.join(line)}: {output}{errors}")
    return json.loads(output)


class Watch:
    """How much of a core was taken by others than the server and `ours`, from its making to `others()`."""

    def __init__(self, server):
        self.server, self.begun = server, time.monotonic()
        self.busy, self.stolen = machine.times()
        self.broker, self.children = machine.cpu_seconds(server.pid), child_seconds()

    def others(self):
        took = time.monotonic() - self.begun
        busy, stolen = machine.times()
        ours = machine.cpu_seconds(self.server.pid) - self.broker + child_seconds() - self.children
        return {"others": max(0.0, busy - self.busy - ours) / took, "stolen": (stolen - self.stolen) / took}


def child_seconds():
    """CPU of this process and of its children that ended: the generators."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))


def valid(report):
    return report["others"] <= OTHERS_MAX and report["stolen"] <= OTHERS_MAX


def bench(server, options, topic, partitions=1, duration=None, warm_up=1):
    """One call; its report, and what others took."""
    line = command(server, options, topic, partitions, duration, warm_up)
    watch = Watch(server)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return report_of(line, done.stdout, done.stderr, done.returncode) | watch.others()
