"""The two brokers the suite runs against, one node each, with the same settings."""
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from harness import ROOT, Broker, free_port  # noqa: E402  (the path comes first)
from kafka_tools_test import VERSION, libraries  # noqa: E402

# What numbers call as KAFKA_PATH/bin/NAME.sh, with the class of Apache Kafka that stands behind it.
TOOLS = {"kafka-topics": "org.apache.kafka.tools.TopicCommand", "kafka-acls": "org.apache.kafka.tools.AclCommand"}

SETTINGS = {
    "num.partitions": "4",
    "group.min.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "log.retention.check.interval.ms": "5000",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.share.min.record.lock.duration.ms": "1000",
}


SCENARIOS = {
    "default": {},
    "noautocreate": {"auto.create.topics.enable": "false"},
    "authorizer": {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    },
}


class Klamm(Broker):
    """Our broker from a binary of its own, so that a build beside it does not touch it. `path` has the tools in bin/."""

    def __init__(self, scenario, binary):
        self.path = ROOT
        super().__init__(SETTINGS | SCENARIOS[scenario], binary=binary)


class Kafka:
    """Apache Kafka from Maven Central, formatted afresh, in combined mode."""

    def __init__(self, scenario):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-librdkafka-kafka-"))
        self.port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        values = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self.directory / "data"),
        }
        properties = self.directory / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in (values | SETTINGS | SCENARIOS[scenario]).items()))
        self.path = self.tools()
        java = ["java", "-Xmx768m", "-cp", f"{libraries()}/*"]
        self.log = self.directory / "server.log"
        with open(self.log, "a", encoding="utf-8") as log:
            subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(properties)],
                           stdout=log, stderr=log, check=True)
            self.process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka {VERSION} does not listen:\n{self.log.read_text()[-4000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.1)

    def tools(self):
        """A directory whose bin/ has Apache Kafka's own tools."""
        path = self.directory / "kafka"
        (path / "bin").mkdir(parents=True)
        for name, tool in TOOLS.items():
            script = path / "bin" / f"{name}.sh"
            script.write_text(f"#!/bin/sh\nexec java -Xmx128m -XX:TieredStopAtLevel=1 -cp '{libraries()}/*' {tool} \"$@\"\n", encoding="utf-8")
            script.chmod(0o755)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
