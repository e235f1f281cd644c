#!/usr/bin/env python3
"""Runs the commands of docs/takeover.md as they stand there, in one shell: Kafka writes, Klamm takes over, Kafka gets it back."""
import os
import re
import subprocess
import sys
import time

from kafka import ROOT, Kafka, Klamm
from node import Node

from harness import Checks

PAGE = ROOT / "docs" / "takeover.md"
PLACES = ("/var/lib/kafka/", "/var/lib/kafka ", "/var/lib/kafka.before", "localhost:9092")


def blocks():
    """The commands of the page, a list of lines for each block."""
    return [block.strip().split("\n") for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.S | re.M)]


def script(path, text):
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)


def stop_own(node):
    """What the stop scripts do to every broker of the machine, for ours alone."""
    return f"""pids=$(pgrep -f '^[^ ]*(java|klamm).*{node.root}.*server.properties|klamm server-start .*{node.root}/server.properties')
[ -n "$pids" ] || {{ echo "No kafka server to stop"; exit 1; }}
kill -TERM $pids
for pid in $pids; do while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done; done"""


def programs(node, kafka):
    """A directory for PATH: Kafka's scripts, made of its jars, and ours."""
    programs_of = node.root / "bin"
    programs_of.mkdir()
    (kafka.directory / "silent.yaml").write_text("Configuration: { Loggers: { Root: { level: OFF } } }\n")
    java = " ".join(f"'{word}'" for word in kafka.java("MAIN"))
    for name, main in (("kafka-dump-log.sh", "org.apache.kafka.tools.DumpLogSegments"), ("kafka-get-offsets.sh", "org.apache.kafka.tools.GetOffsetShell")):
        # What they log would stand between the lines that are compared.
        script(programs_of / name, f'exec {java.replace("MAIN", main).replace("log4j2.yaml", "silent.yaml")} "$@"')
    script(programs_of / "kafka-server-start.sh", f"""shift
nohup {java.replace("MAIN", "kafka.Kafka")} '{node.root}'/"$1" >kafka.log 2>&1 </dev/null &""")
    script(programs_of / "kafka-server-stop.sh", stop_own(node))
    script(programs_of / "klamm", f"""if [ "$1" = server-stop ]; then
{stop_own(node)}
  exit 0
fi
if [ "$1" = server-start ]; then exec '{Klamm.binary}' "$1" "$2" '{node.root}'/"$3"; fi
exec '{Klamm.binary}' "$@\"""")
    return programs_of


def run(node, line):
    for place, ours in zip(PLACES, (f"{node.root}/kafka/", f"{node.root}/kafka ", f"{node.root}/kafka.before", node.bootstrap)):
        line = line.replace(place, ours)
    environment = os.environ | {"PATH": f"{node.root}/bin:{os.environ['PATH']}", "LOG_DIR": str(node.root / "logs")}
    return subprocess.run(["sh", "-c", line], cwd=node.root, env=environment, capture_output=True, text=True, timeout=120, check=False)


def patiently(node, line, seconds=60):
    """Runs a client's command until the broker that was just started answers."""
    deadline = time.monotonic() + seconds
    while True:
        done = run(node, line)
        if done.returncode == 0 and done.stdout or time.monotonic() > deadline:
            return done
        time.sleep(0.3)


def main():
    checks, kafka, klamm = Checks("takeover page"), Kafka("4.3.1"), Klamm()
    lines = [line for block in blocks() for line in block]
    with Node("page") as node:
        node.log_dirs = [node.root / "kafka" / f"data-{n}" for n in range(2)]
        (node.root / "kafka").mkdir()
        node.settings["broker.session.timeout.ms"], node.settings["broker.heartbeat.interval.ms"] = "1500", "500"
        (node.root / "server.properties").write_text(node.properties(kafka).read_text())
        (node.root / "fresh.properties").write_text(re.sub(r"(?m)^controller.quorum.voters=.*$", f"controller.quorum.bootstrap.servers=127.0.0.1:{node.controller_port}",
                                                           node.properties(kafka).read_text()).replace("/kafka/data-", "/fresh/data-"))
        programs(node, kafka)
        node.format(kafka)
        run(node, "kafka-server-start.sh -daemon server.properties")
        offsets = [line for line in lines if "get-offsets" in line]
        patiently(node, offsets[1])
        made = run(node, f"{Klamm.binary} topics --bootstrap-server {node.bootstrap} --create --topic orders --partitions 3")
        checks.check("Kafka has a topic", made.returncode == 0, made.stderr)
        run(node, f"seq 1000 | {Klamm.binary} console-producer --bootstrap-server {node.bootstrap} --topic orders")
        before = patiently(node, offsets[1]).stdout
        checks.check("records before", sum(int(line.rsplit(":", 1)[1]) for line in before.splitlines() if line.startswith("orders:")) == 1000, before)
        for line in lines:
            done = patiently(node, line) if "get-offsets" in line else run(node, line)
            checks.check(line, done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
            if "takeover --check" in line:
                checks.check("it says that it can be opened", done.stdout.endswith("It can be opened.\n"), done.stdout)
            if "get-offsets" in line:
                checks.equal(f"the same offsets: {line}", before, done.stdout)
            if "sanity" in line:
                checks.check("nothing is wrong with the indexes", not re.search("Mismatch|Exception|corrupt", done.stdout + done.stderr), done.stdout)
            if "--release-version" in line:
                there = run(node, f"{Klamm.binary} takeover --check {node.root}/fresh/data-0,{node.root}/fresh/data-1").stdout
                checks.check("formatted for 3.9", "metadata.version 3.9-IV0" in there, there)
        stopped = run(node, "kafka-server-stop.sh")
        checks.check("the last owner is stopped", stopped.returncode == 0, stopped.stderr)
        log = node.root / "kafka.log"
        checks.check("Kafka has nothing to say of corruption", not re.search("[Cc]orrupt", log.read_text()), "")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
