"""The servers that are compared: Klamm, Apache Kafka as it is shipped, a tuned one, and the floor; each with its files."""
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "bench"
KLAMM = ROOT / "build" / "release" / "klamm"
# Of both brokers: topics of earlier rounds leave the disk soon, and a broker that was held while another one was measured is not
# taken for dead.
COMMON = {"log.segment.delete.delay.ms": "1000", "broker.session.timeout.ms": "600000"}
KAFKA_VERSION = "4.3.1"
sys.path.insert(0, str(ROOT / "tests" / "takeover"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`start()` begins with empty files unless told to keep them."""

    name = ""

    def __init__(self, settings=None):
        self.settings = {**COMMON, **(settings or {})}
        self.directory = CACHE / "data" / self.name
        self.port = free_port()
        self.process = None
        self.began = 0.0  # when the process was started, of the monotonic clock

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def properties(self):
        values = {"log.dirs": self.directory / "data", "listeners": f"PLAINTEXT://{self.bootstrap}",
                  "advertised.listeners": f"PLAINTEXT://{self.bootstrap}", **self.settings}
        path = self.directory / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
        return path

    def start(self, keep=False):
        """Seconds until somebody can connect."""
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare(keep)
        begun = self.began = time.monotonic()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended; its log is {self.directory}/log")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return time.monotonic() - begun
            except OSError:
                if time.monotonic() - begun > 120:
                    raise
                time.sleep(0.002)

    def prepare(self, keep):
        """Files that must be there before the process."""

    def command(self):
        raise NotImplementedError

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=120)
            self.process = None

    def hold(self):
        """Takes no CPU until `let_go()`."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def let_go(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def remove(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def delete_topic(self, topic):
        subprocess.run([str(KLAMM), "topics", "--bootstrap-server", self.bootstrap, "--delete", "--if-exists", "--topic", topic], check=True,
                       stdout=subprocess.DEVNULL)


class Klamm(Server):
    name = "klamm"

    def command(self):
        return [str(KLAMM), "server-start", str(self.properties())]


class Kafka(Server):
    """One node that is broker and controller, with the settings and JVM options of its own start script."""

    name = "kafka"
    JVM = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
           "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]
    SHIPPED = {"process.roles": "broker,controller", "node.id": "1", "num.network.threads": "3", "num.io.threads": "8",
               "socket.send.buffer.bytes": "102400", "socket.receive.buffer.bytes": "102400", "socket.request.max.bytes": "104857600",
               "num.partitions": "1", "num.recovery.threads.per.data.dir": "2", "offsets.topic.replication.factor": "1",
               "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "log.retention.hours": "168",
               "share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
               "log.segment.bytes": "1073741824", "log.retention.check.interval.ms": "300000", "controller.listener.names": "CONTROLLER"}

    def __init__(self, settings=None):
        import kafka  # of tests/takeover: puts the jars together
        controller = free_port()
        super().__init__({**self.SHIPPED, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                          "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", **(settings or {})})
        self.settings["listeners"] = f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}"
        self.kafka = kafka.Kafka(KAFKA_VERSION)

    def java(self, main, *arguments):
        return ["java", *self.JVM, f"-Dlog4j2.configurationFile={self.kafka.directory}/log4j2.yaml", "-cp", self.kafka.classpath, main,
                *map(str, arguments)]

    def prepare(self, keep):
        if not keep:
            subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", "b9VZ5n2aTXGZ6GhV9yCjCA", "-c", self.properties()), check=True,
                           stdout=subprocess.DEVNULL)

    def command(self):
        return self.java("kafka.Kafka", self.properties())


class TunedKafka(Kafka):
    """What its administrators would do on a machine of two cores: fewer threads, twice the heap."""

    name = "kafka-tuned"
    JVM = [option.replace("1G", "2G") for option in Kafka.JVM]

    def __init__(self, settings=None):
        super().__init__({"num.network.threads": "2", "num.io.threads": "2", "compression.type": "producer", **(settings or {})})


class Floor(Server):
    """Its topic, whatever its name, has as many partitions as it was started with. "Deleted", it begins anew."""

    name = "floor"
    partitions = 1

    def command(self):
        durable = ["durable"] if "log.flush.interval.messages" in self.settings else []
        return [str(ROOT / "build" / "release" / "benchmarks" / "floor_server"), str(self.port), str(self.directory), str(self.partitions), *durable]

    def delete_topic(self, topic):
        self.stop(signal.SIGKILL)
        self.start()


KINDS = {kind.name: kind for kind in (Klamm, Kafka, TunedKafka, Floor)}
