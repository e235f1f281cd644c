"""Apache Kafka of a given version, put together from Maven Central under build/interop/kafka-broker-VERSION, with a log that can be read."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))
import fetched  # noqa: E402  (the path comes first)

CACHE = ROOT / "build" / "interop"

LOG4J2 = """Configuration:
  Appenders: { Console: { name: STDOUT, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } } }
  Loggers: { Root: { level: INFO, AppenderRef: [ { ref: STDOUT } ] } }
"""
LOG4J = """log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
"""
# Short-lived on a busy machine: no second compiler, no collector threads.
FRUGAL = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]


def dependency(group, artifact, version):
    return f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"


def pom(version):
    wanted = [("org.apache.kafka", "kafka_2.13", version), ("org.apache.kafka", "kafka-tools", version)]
    if version.startswith("3."):
        # Its log goes through log4j 1, and its poms leave out what its archive has.
        wanted += [("ch.qos.reload4j", "reload4j", "1.2.25"), ("org.slf4j", "slf4j-reload4j", "1.7.36"),
                   ("io.dropwizard.metrics", "metrics-core", "4.1.12.1"), ("org.xerial.snappy", "snappy-java", "1.1.10.5")]
    else:
        wanted += [("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"), ("org.apache.logging.log4j", "log4j-core", "2.24.3")]
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
            "<groupId>klamm</groupId><artifactId>takeover</artifactId><version>1</version><dependencies>\n"
            + "\n".join(dependency(*w) for w in wanted) + "\n</dependencies></project>\n")


class Kafka:
    """The jars of one version and how its programs are run."""

    def __init__(self, version):
        self.version = version
        self.directory = CACHE / f"kafka-broker-{version}"
        fetched.jars(self.directory, pom(version))
        (self.directory / "log4j2.yaml").write_text(LOG4J2)
        (self.directory / "log4j.properties").write_text(LOG4J)

    @property
    def classpath(self):
        return f"{self.directory}/libs/*"

    def java(self, main, *arguments):
        logging = [f"-Dlog4j2.configurationFile={self.directory}/log4j2.yaml", f"-Dlog4j.configuration=file:{self.directory}/log4j.properties"]
        return ["java", *FRUGAL, *logging, "-cp", self.classpath, main, *map(str, arguments)]

    def server(self, properties):
        return self.java("kafka.Kafka", properties)

    def storage_format(self, properties, cluster_id, *options):
        return self.java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", properties, *options)

    def dump_log(self, *options):
        return self.java("kafka.tools.DumpLogSegments" if self.version.startswith("3.") else "org.apache.kafka.tools.DumpLogSegments", *options)


class Klamm:
    """The same programs of ours."""

    version = "klamm"
    binary = pathlib.Path(os.environ.get("KLAMM_BINARY", ROOT / "build" / "release" / "klamm"))

    def server(self, properties):
        return [str(self.binary), "server-start", str(properties)]

    def storage_format(self, properties, cluster_id, *options):
        return [str(self.binary), "storage", "format", "-t", cluster_id, "-c", str(properties), *options]

    def dump_log(self, *options):
        return [str(self.binary), "dump-log", *options]
