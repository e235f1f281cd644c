"""A directory that Apache Kafka and Klamm take in turn: one set of properties, one port, now the one, now the other."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "interop"), str(TESTS / "server")]
from harness import free_port  # noqa: E402

# What both sides say at WARN or ERROR of a healthy node; anything else is a finding.
HARMLESS = re.compile(
    r"org\.apache\.kafka\.clients\.NetworkClient|"
    r"Auto topic creation failed for \S+ with error 'TOPIC_ALREADY_EXISTS'|"  # a producer quicker than the metadata
    r"Expected partition \S+ with topic id \S+ to exist, but it was missing\. Creating\.\.\.|"  # of every partition that is added
    r"\[QuorumController id=\d+\] Performing controller activation\.|"
    r"Error processing append operation on partition \S*sequences-0|"  # the gap that this test makes
    r"apiKey=CONTROLLER_REGISTRATION.*NotControllerException|"  # asked before it has become the controller
    # A broker on a busy machine, and a transaction's second batch that Kafka let pass before the first; the client sends both again.
    r"Exceptionally slow controller event|[Hh]eartbeat|Error processing append operation on partition \S*transactional-0 .*OutOfOrderSequenceException|"
    # Topics that the story deletes as soon as they are there: Kafka tells its controller of their directories a moment later.
    r"AssignReplicasToDirsRequest from broker \d+ references unknown topic ID|"
    r"No meta\.properties file under dir")


class Node:
    """`kind`: static (controller.quorum.voters), standalone (a dynamic quorum) or self (no process.roles: Klamm formats it; Kafka is
    given the same file with the roles added)."""

    def __init__(self, name, kind="static", directories=2, settings=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"klamm-takeover-{name}-"))
        self.name, self.kind = name, kind
        self.port, self.controller_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log_dirs = [self.root / f"data-{n}" for n in range(directories)]
        self.settings = settings or {}
        self.process = None
        self.owner = None
        self.starts = 0
        self.log = None

    def properties(self, owner):
        values = {
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": ",".join(map(str, self.log_dirs)),
            "offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "3",
            "share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.backoff.ms": "500",
            # The next owner waits so long for the one before it.
            "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "1000",
        }
        if self.kind != "self" or owner.version != "klamm":
            values |= {
                "process.roles": "broker,controller",
                "controller.listener.names": "CONTROLLER",
                "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            }
            if self.kind == "standalone":
                values["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{self.controller_port}"
                values["advertised.listeners"] += f",CONTROLLER://127.0.0.1:{self.controller_port}"
            else:
                values["controller.quorum.voters"] = f"1@127.0.0.1:{self.controller_port}"
        values |= self.settings
        path = self.root / f"{'klamm' if owner.version == 'klamm' else 'kafka'}.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        return path

    def format(self, owner, release=None):
        options = (["--standalone"] if self.kind == "standalone" else []) + (["--release-version", release] if release else [])
        command = owner.storage_format(self.properties(owner), "TakeoverTakeoverTakeov", *options)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{owner.version} format: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")

    def start(self, owner, patience=120):
        self.starts += 1
        self.owner = owner
        self.log = self.root / f"{self.starts}-{owner.version}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(owner.server(self.properties(owner)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.root)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{owner.version} ended with {self.process.returncode}:\n{self.text()[-4000:]}")
            if "Kafka Server started" in self.text():
                try:
                    with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                        return
                except OSError:
                    pass
            time.sleep(0.05)
        raise RuntimeError(f"{owner.version} did not start in {patience} s:\n{self.text()[-4000:]}")

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, clean=True):
        """Clean: SIGTERM, the exit code; else kill -9."""
        process, self.process = self.process, None
        if process is None:
            return 0
        if not clean:
            process.kill()
            process.wait()
            return -9
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def findings(self):
        """Lines of the last start's log that a healthy takeover does not have."""
        found = []
        lines = self.text().splitlines()
        for n, line in enumerate(lines):
            level = re.match(r"\[[^\]]*\] (WARN|ERROR|FATAL) ", line)
            if level and n + 1 < len(lines) and not lines[n + 1].startswith("["):
                line += " | " + lines[n + 1]
            if level and not HARMLESS.search(line):
                found.append(line)
        return found

    def remove(self):
        self.stop(clean=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and not os.environ.get("KEEP"):
            self.remove()
        else:
            self.stop(clean=False)
            print(f"left for inspection: {self.root}", flush=True)
            if self.log and self.log.exists():
                print(self.text()[-3000:], flush=True)
