#!/usr/bin/env python3
"""Apache Kafka 4.3.1's own tools, run by class name, against a broker; its dump-log on that broker's files."""
import pathlib
import re
import subprocess
import sys
import tempfile

import fetched
from harness import CACHE, Broker, Checks

VERSION = "4.3.1"
TOOLS = "org.apache.kafka.tools."
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>klamm</groupId><artifactId>tools</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def libraries():
    return fetched.jars(CACHE / f"kafka-{VERSION}", POM)


class Tools:
    def __init__(self, broker):
        self.broker, self.classpath = broker, f"{libraries()}/*"

    def run(self, tool, *args, stdin="", server=True, code=0):
        name = tool if tool.startswith("kafka.") else TOOLS + tool
        command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", self.classpath, name]
        if server:
            command += ["--bootstrap-server", self.broker.bootstrap]
        done = subprocess.run(command + list(args), input=stdin, capture_output=True, text=True, timeout=90, check=False)
        if done.returncode != code:
            raise RuntimeError(f"{tool} {' '.join(args)}: exit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout


def main():
    checks = Checks(f"Kafka {VERSION} tools")
    with Broker() as broker:
        tools = Tools(broker)
        topic = "kafka-tools"
        checks.equal("topics --create", f"Created topic {topic}.\n",
                     tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", "2", "--config", "segment.bytes=1048576"))
        described = tools.run("TopicCommand", "--describe", "--topic", topic)
        checks.check("topics --describe", "PartitionCount: 2\tReplicationFactor: 1" in described and "segment.bytes=1048576" in described
                     and described.count("Leader: 1\tReplicas: 1\tIsr: 1") == 2, described)
        tools.run("TopicCommand", "--alter", "--topic", topic, "--partitions", "3")
        checks.check("topics --alter", "PartitionCount: 3" in tools.run("TopicCommand", "--describe", "--topic", topic))
        checks.check("topics --list", topic in tools.run("TopicCommand", "--list").split())

        configs = "kafka.admin.ConfigCommand"
        checks.equal("configs --alter", f"Completed updating config for topic {topic}.\n",
                     tools.run(configs, "--alter", "--topic", topic, "--add-config", "retention.ms=3600000"))
        described = tools.run(configs, "--describe", "--topic", topic)
        checks.check("configs --describe", "retention.ms=3600000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=3600000" in described, described)
        checks.check("configs --describe --all of the broker", "log.segment.bytes=" in tools.run(configs, "--describe", "--broker", "1", "--all"))
        tools.run(configs, "--alter", "--broker", "1", "--add-config", "log.retention.ms=7200000")
        checks.check("configs of the broker", "log.retention.ms=7200000" in tools.run(configs, "--describe", "--broker", "1"))
        tools.run(configs, "--alter", "--broker", "1", "--delete-config", "log.retention.ms")

        lines = "".join(f"k{i}:v{i}\n" for i in range(100))
        tools.run("ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:", stdin=lines)
        ends = tools.run("GetOffsetShell", "--topic", topic)
        counts = [int(line.rsplit(":", 1)[1]) for line in ends.splitlines()]
        checks.equal("console producer, get-offsets", 100, sum(counts))
        partition = counts.index(max(counts))
        read = tools.run("consumer.ConsoleConsumer", "--topic", topic, "--partition", str(partition), "--offset", "earliest",
                         "--max-messages", str(counts[partition]), "--formatter-property", "print.key=true")
        checks.equal("console consumer --partition", counts[partition], len(re.findall(r"^k\d+\tv\d+$", read, re.M)))

        with tempfile.NamedTemporaryFile("w", suffix=".json") as request:
            request.write('{"partitions":[{"topic":"%s","partition":%d,"offset":1}],"version":1}' % (topic, partition))
            request.flush()
            deleted = tools.run("DeleteRecordsCommand", "--offset-json-file", request.name)
        checks.check("delete-records", "low_watermark: 1" in deleted, deleted)
        checks.check("log-dirs", f'"partition":"{topic}-0"' in tools.run("LogDirsCommand", "--describe", "--topic-list", topic))
        checks.check("broker-api-versions", "Produce(0): 0 to 13 [usable: 13]" in tools.run("BrokerApiVersionsCommand"))
        checks.check("cluster", "Cluster ID: " in tools.run("ClusterTool", "cluster-id", server=False, *("--bootstrap-server", broker.bootstrap)))

        tools.run("TopicCommand", "--create", "--topic", "perf", "--partitions", "1", "--config", "segment.bytes=1048576")
        perf = tools.run("ProducerPerformance", "--topic", "perf", "--num-records", "50000", "--record-size", "200", "--throughput", "-1",
                         "--command-property", "acks=all", "enable.idempotence=true", f"bootstrap.servers={broker.bootstrap}", server=False)
        checks.check("producer-perf-test, idempotent, acks=all", "50000 records sent" in perf, perf)
        checks.equal("its records", "perf:0:50000\n", tools.run("GetOffsetShell", "--topic", "perf"))

        if not broker.external:
            broker.stop()
            for number, path in enumerate(sorted((broker.directory / "data" / "perf-0").glob("*.log"))):
                dumped = tools.run("DumpLogSegments", "--files", str(path), "--deep-iteration", server=False)
                checks.check(f"dump-log of segment {number}", "isvalid: true" in dumped and "isvalid: false" not in dumped, dumped[-500:])
            indexes = [*(broker.directory / "data" / "perf-0").glob("*.index"), *(broker.directory / "data" / "perf-0").glob("*.timeindex")]
            sane = tools.run("DumpLogSegments", "--files", ",".join(map(str, indexes)), "--index-sanity-check", server=False)
            checks.equal("dump-log --index-sanity-check", len(indexes), sane.count("passed sanity check."))
            metadata = pathlib.Path(broker.directory / "data" / "__cluster_metadata-0" / "00000000000000000000.log")
            dumped = tools.run("DumpLogSegments", "--files", str(metadata), "--cluster-metadata-decoder", server=False)
            checks.check("dump-log of the metadata", '"type":"TOPIC_RECORD"' in dumped and "perf" in dumped and "isvalid: false" not in dumped)
            broker.start()
        tools.run("TopicCommand", "--delete", "--topic", topic)
        checks.check("topics --delete", topic not in tools.run("TopicCommand", "--list").split())
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
