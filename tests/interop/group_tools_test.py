#!/usr/bin/env python3
"""Kafka 4.3.1's consumer-groups, groups, transactions, console consumer and dump-log beside ours: each runs against Kafka 4.3.1 and
against Klamm, with the same groups and transactions on both, and all four print the same. Ids and times alone are not compared."""
import contextlib
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "takeover")]
from harness import CACHE, Checks, free_port  # noqa: E402
from kafka import FRUGAL, Kafka, Klamm  # noqa: E402
from node import Node  # noqa: E402

VERSION = "4.3.1"
CLASSES = {
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "dump-log": "org.apache.kafka.tools.DumpLogSegments",
}
LOG4J2 = """Configuration:
  Appenders: { Console: { name: STDERR, target: SYSTEM_ERR, follow: true, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } } }
  Loggers: { Root: { level: WARN, AppenderRef: [ { ref: STDERR } ] } }
"""
FILES = {
    "plan.csv": "cg,0,1\ncg,1,2\n",
    "plans.csv": "empty,cg,1,2\nsimple,cg,1,1\n",
    "bad.csv": "cg;0;1\n",
    "worse.csv": "cg,x,1\n",
    "fast.properties": "default.api.timeout.ms=1500\nrequest.timeout.ms=1000\n",
}

# "!" before a command: it changes something, and what the stage restores is restored before.
COMMANDS = """
consumer-groups --bootstrap-server $B --list
consumer-groups --bootstrap-server $B --list --state
consumer-groups --bootstrap-server $B --list --state Empty
consumer-groups --bootstrap-server $B --list --state stable,empty
consumer-groups --bootstrap-server $B --list --state Bogus
consumer-groups --bootstrap-server $B --list --type
consumer-groups --bootstrap-server $B --list --type consumer
consumer-groups --bootstrap-server $B --list --type classic --state
consumer-groups --bootstrap-server $B --list --type bogus
consumer-groups --bootstrap-server $B --describe --all-groups
consumer-groups --bootstrap-server $B --describe --all-groups --verbose
consumer-groups --bootstrap-server $B --describe --all-groups --members
consumer-groups --bootstrap-server $B --describe --all-groups --members --verbose
consumer-groups --bootstrap-server $B --describe --all-groups --state
consumer-groups --bootstrap-server $B --describe --all-groups --state --verbose
consumer-groups --bootstrap-server $B --describe --group with-instance --group simple --offsets
consumer-groups --bootstrap-server $B --describe --group missing
consumer-groups --bootstrap-server $B --describe --group missing --members
consumer-groups --bootstrap-server $B --describe --group missing --state
consumer-groups --bootstrap-server $B --describe --group "" --timeout 5000
consumer-groups --bootstrap-server $B --describe
consumer-groups --bootstrap-server $B --describe --group simple --members --state
consumer-groups --bootstrap-server $B --list --verbose --offsets
consumer-groups --bootstrap-server $B
consumer-groups --list
consumer-groups --bootstrap-server $B --bogus
consumer-groups --bootstrap-server $B --list --state a --state b
consumer-groups --bootstrap-server $B --list --timeout x
consumer-groups --bootstrap-server nonsense --list
consumer-groups --bootstrap-server $DEAD --command-config $W/fast.properties --list --timeout 1200
consumer-groups --bootstrap-server $DEAD --command-config $W/fast.properties --list --type --timeout 1200
consumer-groups --bootstrap-server $DEAD --command-config $W/fast.properties --describe --group x --timeout 1200
consumer-groups --bootstrap-server $B --list --command-config /no/such
consumer-groups --validate-regex a.*
consumer-groups --validate-regex a(
consumer-groups --validate-regex [z-a]
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-earliest
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-latest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-offset 1 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-offset -1 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --shift-by 1 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --shift-by -100 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group missing --topic cg --shift-by 1 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-current --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group missing --topic cg --to-current --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-datetime 2020-01-01T00:00:00.000 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-datetime 2035-01-01T00:00:00.000 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-datetime 2020-01-01T00:00:00Z --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-datetime bogus --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --by-duration P1D --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --by-duration PT0S --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --by-duration bogus --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --by-duration P106751991168D --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --topic a-topic-with-a-long-name-indeed --to-earliest --dry-run --export
consumer-groups --bootstrap-server $B --reset-offsets --group empty --group simple --topic cg --to-earliest --dry-run --export
consumer-groups --bootstrap-server $B --reset-offsets --group empty --from-file $W/plan.csv --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --group simple --from-file $W/plans.csv --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --from-file $W/bad.csv --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --from-file $W/worse.csv --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --from-file /no/such --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg:0 --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg:0,1 --to-offset 0 --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg:9 --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg:x --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg: --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic missing --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic missing:0 --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic "" --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic "a b" --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --all-topics --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group missing --all-topics --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --all-groups --topic cg --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group stable-classic --topic cg --to-earliest --execute
consumer-groups --bootstrap-server $B --reset-offsets --group empty --to-earliest --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --dry-run
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-earliest --to-latest
consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-earliest --dry-run --execute
consumer-groups --bootstrap-server $B --reset-offsets --topic cg --to-earliest
!consumer-groups --bootstrap-server $B --reset-offsets --group empty --topic cg --to-latest --execute
consumer-groups --bootstrap-server $B --describe --group empty
!consumer-groups --bootstrap-server $B --reset-offsets --group simple --all-topics --shift-by -1 --execute --export
consumer-groups --bootstrap-server $B --describe --group simple
!consumer-groups --bootstrap-server $B --reset-offsets --group made --topic cg --to-earliest --execute
consumer-groups --bootstrap-server $B --list --state --type
groups --bootstrap-server $B --list
!consumer-groups --bootstrap-server $B --delete-offsets --group empty --topic cg:0
consumer-groups --bootstrap-server $B --describe --group empty
!consumer-groups --bootstrap-server $B --delete-offsets --group empty --topic cg
!consumer-groups --bootstrap-server $B --delete-offsets --group simple --topic cg --topic missing
consumer-groups --bootstrap-server $B --delete-offsets --group stable-classic --topic cg
consumer-groups --bootstrap-server $B --delete-offsets --group stable-consumer --topic cg
consumer-groups --bootstrap-server $B --delete-offsets --group missing --topic cg
consumer-groups --bootstrap-server $B --delete-offsets --group empty --topic missing
consumer-groups --bootstrap-server $B --delete-offsets --group empty
consumer-groups --bootstrap-server $B --delete --group stable-classic
consumer-groups --bootstrap-server $B --delete --group missing
!consumer-groups --bootstrap-server $B --delete --group empty
!consumer-groups --bootstrap-server $B --delete --group empty --group missing --group simple --group with-instance
consumer-groups --bootstrap-server $B --delete
consumer-groups --bootstrap-server $B --delete --group empty --topic cg
!groups --bootstrap-server $B --list
groups --bootstrap-server $B --list --consumer
groups --bootstrap-server $B --list --share
groups --bootstrap-server $B --list --streams
groups --bootstrap-server $B --list --group-type classic
groups --bootstrap-server $B --list --group-type CONSUMER --protocol consumer
groups --bootstrap-server $B --list --group-type bogus
groups --bootstrap-server $B --list --protocol consumer
groups --bootstrap-server $B --list --consumer --share
groups --bootstrap-server $B
groups --list
groups --bootstrap-server $B --bogus
groups --bootstrap-server $B --list --command-config /no/such
groups --bootstrap-server $DEAD --command-config $W/fast.properties --list
groups --version
transactions --bootstrap-server $B list
transactions --bootstrap-server $B list --transactional-id-pattern tx-c.*
transactions --bootstrap-server $B list --transactional-id-pattern (
transactions --bootstrap-server $B describe --transactional-id tx-commit
transactions --bootstrap-server $B describe --transactional-id missing
transactions --bootstrap-server $B describe-producers --topic tx --partition 0
transactions --bootstrap-server $B find-hanging --broker-id 1
transactions --bootstrap-server $B find-hanging --topic tx
transactions --bootstrap-server $B find-hanging
transactions --bootstrap-server $B abort --topic tx --partition 0 --start-offset 77
transactions --bootstrap-server $B bogus
"""
FORMATTERS = (("OffsetsMessageFormatter", "__consumer_offsets"), ("GroupMetadataMessageFormatter", "__consumer_offsets"),
              ("TransactionLogMessageFormatter", "__transaction_state"))
DECODERS = (("__consumer_offsets", "--offsets-decoder"), ("__transaction_state", "--transaction-log-decoder"))

# Lists whose order Java chooses anew in each process.
SHUFFLED = re.compile(r"(Valid (?:states|types) are: |one of the following scenarios: \[|takes one of these options: |"
                      r"takes the following options: |only accepts one of )(.*)")
NORMALISED = (
    (re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]"), "[<ts>]"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(?<![\w-])[\w-]{22}(?![\w-])"), "<id22>"),
    (re.compile(r"clientId=adminclient-\d+"), "clientId=adminclient-1"),
    (re.compile(r"deadlineMs=\d+, tries=\d+, nextAllowedTryMs=\d+\) timed out at \d+ after \d+ attempt"), "<call>"),
    (re.compile(r"(\d{13}|None) +\t(\d+|None) +\t"), "<start>\t<duration>\t"),
    (re.compile(r"\b\d{13}\b"), "<ms>"),
)


def normalised(text, node):
    lines = []
    for line in text.replace(node.bootstrap, "$B").split("\n"):
        if re.match(r"\tat |\t\.\.\. \d+ more", line) or re.match(r"\[[^]]*\] WARN (?!New offset)", line):
            continue
        if re.match(r"Option \(|Option  |usage: ", line):
            lines.append("<usage>")
            break
        for pattern, replacement in NORMALISED:
            line = pattern.sub(replacement, line)
        if found := SHUFFLED.search(line):
            words = sorted(re.findall(r"[\w-]+", found[2]))
            line = line[:found.start()] + found[1] + " ".join(words)
        lines.append(line)
    # The partitions of one answer, which Java has in the order of a hash map.
    handler = [line for line in lines if "(org.apache.kafka.clients.admin.internals.ListOffsetsHandler)" in line]
    if handler and lines[:len(handler)] == handler:
        lines[:len(handler)] = sorted(handler)
    if any("kafka-transactions.sh: error" in line for line in text.split("\n")):
        return re.sub(r"\s+", " ", text[text.index("kafka-transactions.sh: error"):])
    return "\n".join(lines).strip("\n") if "<usage>" in lines else "\n".join(lines)


class KafkaTools:
    """One process of Java that runs one tool after another."""

    name = "Kafka's"

    def __init__(self, kafka, classes, work):
        (work / "log4j2.yaml").write_text(LOG4J2)
        self.command = ["java", *FRUGAL, f"-Dlog4j2.configurationFile={work}/log4j2.yaml", "-cp", f"{classes}:{kafka.classpath}"]
        self.process = subprocess.Popen([*self.command, "ToolRuns"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, tool, arguments):
        self.process.stdin.write(json.dumps([CLASSES[tool], *arguments]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["out"], answer["err"], answer["code"]

    def run_alone(self, tool, arguments):
        """In a process of its own: the console consumer counts on from run to run."""
        done = subprocess.run([*self.command, CLASSES[tool], *arguments], capture_output=True, text=True, timeout=120, check=False)
        return done.stdout, done.stderr, done.returncode

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class OurTools:
    name = "ours"

    def run(self, tool, arguments):
        done = subprocess.run([str(Klamm.binary), tool, *arguments], capture_output=True, text=True, timeout=120, check=False)
        return done.stdout, done.stderr, done.returncode

    run_alone = run

    def close(self):
        pass


class Stage:
    """Groups and their members, kept by a process of Java."""

    def __init__(self, kafka, classes, bootstrap, work):
        self.log = open(work / "stage.log", "a", encoding="utf-8")
        self.process = subprocess.Popen(["java", *FRUGAL, "-cp", f"{classes}:{kafka.classpath}", "GroupStage", bootstrap],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.expect_ok()

    def expect_ok(self):
        for line in self.process.stdout:
            if line == "ok\n":
                return
        raise RuntimeError(f"the stage ended: {pathlib.Path(self.log.name).read_text(encoding='utf-8')[-3000:]}")

    def restore(self):
        self.process.stdin.write("restore\n")
        self.process.stdin.flush()
        self.expect_ok()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.log.close()


def run_commands(node, tools, stage, work, dead):
    """By tools and command, what was printed. A command that is not preceded by "!" sees what the one before it left."""
    results = {}
    for each in tools:
        for number, line in enumerate(filter(None, COMMANDS.split("\n"))):
            if line.startswith("!"):
                stage.restore()
            words = shlex.split(line.lstrip("!").replace("$B", node.bootstrap).replace("$DEAD", dead).replace("$W", str(work)))
            out, err, code = each.run(words[0], words[1:])
            results[each.name, number, line] = {"standard output": normalised(out, node), "standard error": normalised(err, node),
                                                "exit": code}
        stage.restore()
    return results


def records(text):
    """The records that a formatter printed one behind the other, without those of console consumers' own groups."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        record, at = decoder.raw_decode(text, at)
        if not str(record["key"]["data"].get("group", record["key"]["data"].get("groupId", ""))).startswith("console-consumer-"):
            found.append(json.dumps(record))
    return sorted(found)


def read_formatted(node, tools):
    results = {}
    for each in reversed(tools):  # Kafka's leaves a group behind
        for formatter, topic in FORMATTERS:
            out, _, code = each.run_alone("console-consumer", ["--bootstrap-server", node.bootstrap, "--topic", topic, "--from-beginning",
                                                               "--timeout-ms", "4000", "--formatter",
                                                               f"org.apache.kafka.tools.consumer.{formatter}"])
            results[each.name, formatter] = (code, records(out))
    return results


def dump(node, tools):
    results = {}
    for each in tools:
        for topic, decoder in DECODERS:
            files = sorted(str(path) for directory in node.log_dirs for path in directory.glob(f"{topic}-*/*.log"))
            results[each.name, decoder] = each.run_alone("dump-log", ["--files", ",".join(files), decoder])
    return results


def play(owner, kafka, classes, work):
    with Node(f"group-tools-{owner.version}", directories=1) as node:
        node.format(owner)
        node.start(owner)
        stage = Stage(kafka, classes, node.bootstrap, work)
        tools = [KafkaTools(kafka, classes, work), OurTools()]
        with contextlib.ExitStack() as stack:
            for each in tools:
                stack.callback(each.close)
            commands = run_commands(node, tools, stage, work, f"localhost:{free_port()}")
            stage.close()
            formatted = read_formatted(node, tools)
            node.stop()
            dumped = dump(node, tools)
    return commands, formatted, dumped


def compare_commands(checks, golden, other):
    """All against what Kafka's tools print of Kafka."""
    for (name, number, line), expected in golden.items():
        if name != KafkaTools.name:
            continue
        for broker, results in (("Kafka", golden), ("Klamm", other)):
            for tools in (KafkaTools.name, OurTools.name):
                actual = results[tools, number, line]
                for what, text in expected.items():
                    if actual[what] != text:
                        checks.equal(f"{tools} tools at {broker}: {line}: {what}", text, actual[what])
                        break
                else:
                    checks.check(f"{tools} tools at {broker}: {line}", True)


def compare_pairs(checks, broker, what, results):
    """Of one broker's data: both tools print the same, and something."""
    for name, key in results:
        if name == KafkaTools.name:
            checks.check(f"{what} of {broker}: {key}: something is printed", len(str(results[name, key])) > 200)
            checks.equal(f"{what} of {broker}: {key}", results[name, key], results[OurTools.name, key])


def main():
    checks = Checks("group tools")
    kafka = Kafka(VERSION)
    classes = CACHE / "group-tools-classes"
    classes.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-cp", kafka.classpath, "-d", str(classes),
                    *(str(HERE / "java" / f"{name}.java") for name in ("ToolRuns", "GroupStage"))], check=True)
    with tempfile.TemporaryDirectory(prefix="klamm-group-tools-") as name:
        work = pathlib.Path(name)
        for file, content in FILES.items():
            (work / file).write_text(content)
        golden, *of_kafka = play(kafka, kafka, classes, work)
        other, *of_klamm = play(Klamm(), kafka, classes, work)
    compare_commands(checks, golden, other)
    for broker, (formatted, dumped) in (("Kafka", of_kafka), ("Klamm", of_klamm)):
        compare_pairs(checks, broker, "console consumer", formatted)
        compare_pairs(checks, broker, "dump-log", dumped)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
