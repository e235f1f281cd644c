"""librdkafka's own test suite: fetched from npm, built by its own make, one process for each number."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from harness import CACHE  # noqa: E402  (the path comes first)

PACKAGE, VERSION = "@confluentinc/kafka-javascript", "1.10.1"  # carries librdkafka 2.15.1 with its tests
HOME = CACHE / "librdkafka" / VERSION
TABLE = FOLDER / "numbers.tsv"
KAFKA_VERSION = "4.3.0.0"


def build():
    """The runner, built once; a build that was cut off goes on where it stopped."""
    source = HOME / "package" / "deps" / "librdkafka"
    runner = source / "tests" / "test-runner"
    if (HOME / "built").exists():
        return runner
    HOME.mkdir(parents=True, exist_ok=True)
    if not source.is_dir():
        archive = subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=HOME, check=True, capture_output=True,
                                 text=True).stdout.split()[-1]
        subprocess.run(["tar", "xzf", archive], cwd=HOME, check=True)
        (HOME / archive).unlink()
    jobs = f"-j{os.cpu_count()}"
    # Debian's RapidJSON, which number 0053 needs, is none that clang 19 takes.
    environment = dict(os.environ, CC="clang-19", CXX=shutil.which("g++") or "clang++-19")
    with open(HOME / "build.log", "a", encoding="utf-8") as log:
        for command in (["./configure"], ["make", jobs, "libs"], ["make", jobs, "-C", "tests", "build"]):
            if subprocess.run(["nice", "-n", "5", *command], cwd=source, env=environment, stdout=log, stderr=log,
                              check=False).returncode != 0:
                raise RuntimeError(f"librdkafka: {' '.join(command)} failed, see {HOME / 'build.log'}")
    (HOME / "built").touch()
    return runner


class Row:
    """One number in one scenario: `needs` is empty when it runs, else the capability it waits for; `kafka` is what Apache Kafka
    answered, for each group protocol. 0081/CreateTopics is the one subtest of that name, on its own."""

    def __init__(self, fields):
        self.name_in_table, self.name, self.scenario, self.verdict, classic, consumer, self.note = fields
        self.number, _, self.subtest = self.name_in_table.partition("/")
        if self.verdict != "runs" and not self.verdict.startswith("waits for "):
            raise ValueError(f"{self.name_in_table}: neither 'runs' nor 'waits for': {self.verdict!r}")
        self.needs = self.verdict.removeprefix("waits for ") if self.verdict != "runs" else ""
        self.kafka = {"classic": classic, "consumer": consumer}
        self.key = "-".join([self.number, *filter(None, [self.subtest]), *([self.scenario] if self.scenario != "default" else [])])

    def fields(self):
        return [self.name_in_table, self.name, self.scenario, self.verdict, self.kafka["classic"], self.kafka["consumer"], self.note]


def table():
    return [Row(line.split("\t")) for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]


def write_table(rows):
    head = TABLE.read_text(encoding="utf-8").splitlines()[0]
    TABLE.write_text("".join(line + "\n" for line in [head, *("\t".join(row.fields()) for row in rows)]), encoding="utf-8")


class Outcome:
    """`state` is passed, failed, skipped (the runner ran nothing) or hung; `text` says why."""

    def __init__(self, state, seconds, text=""):
        self.state, self.seconds, self.text = state, seconds, text


def run_number(row, protocol, broker, log, minutes=10, idempotent=False):
    """One try of one number in a process and a directory of its own; its output goes to the file `log`. `idempotent`: all its
    producers are."""
    number = row.number
    runner = build()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-librdkafka-"))
    (directory / "test.conf").write_text(f"metadata.broker.list={broker.bootstrap}\ntest.timeout.multiplier=2\ntest.topic.random=true\n")
    inside = directory / "tests"  # some numbers look for files where the runner stands in its own tree
    inside.mkdir()
    (directory / "src").symlink_to(runner.parent.parent / "src")
    for part in ("interceptor_test", "plugin_test", "fixtures"):
        (inside / part).symlink_to(runner.parent / part)
    environment = dict(os.environ, TESTS=number, TEST_KAFKA_VERSION=KAFKA_VERSION, RDKAFKA_TEST_CONF=str(directory / "test.conf"),
                       TEST_REPORT=str(directory / "report.json"), KAFKA_PATH=str(broker.path), BROKERS=broker.bootstrap,
                       LD_LIBRARY_PATH=f"{runner.parent.parent / 'src'}:{runner.parent.parent / 'src-cpp'}")
    for name in ("TEST_DEBUG", "TEST_LEVEL", "SUBTESTS", "TESTS_SKIP", "TEST_SCENARIO", "CI", "TEST_CONSUMER_GROUP_PROTOCOL"):
        environment.pop(name, None)
    if row.subtest:
        environment["SUBTESTS"] = f"do_test_{row.subtest}:"
    if protocol != "classic":
        environment["TEST_CONSUMER_GROUP_PROTOCOL"] = protocol
    scenario = "default" if row.scenario == "authorizer" else row.scenario  # the runner knows no scenario of that name
    started = time.monotonic()
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen([str(runner), "-L", "-K", "-p1", *(["-P"] if idempotent else []), "-s", scenario], cwd=inside, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            code = process.wait(timeout=minutes * 60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
    seconds = time.monotonic() - started
    outcome = judge(number, code, seconds, directory / "report.json")
    if outcome.state == "passed" and row.subtest and f"[ do_test_{row.subtest}:" not in pathlib.Path(log).read_text("utf-8", "replace"):
        outcome.state = "skipped"  # the number passes too when none of its subtests has this name
    if outcome.state == "failed":
        outcome.text = outcome.text or reason_of(pathlib.Path(log))
    shutil.rmtree(directory, ignore_errors=True)
    return outcome


def judge(number, code, seconds, report):
    """The runner's own report decides; its exit code only when there is none."""
    if code is None:
        return Outcome("hung", seconds, f"ended after {seconds:.0f} s")
    try:
        tests = json.loads(report.read_text(encoding="utf-8"), strict=False)["tests"]
    except (OSError, ValueError, KeyError):
        return Outcome("failed", seconds, "" if code > 0 else f"ended by signal {-code}" if code else "no report")
    states = [test["state"] for name, test in tests.items() if name.startswith(number)]
    if code != 0 or any(state not in ("PASSED", "SKIPPED", "INIT") for state in states):
        return Outcome("failed", seconds)
    return Outcome("passed" if "PASSED" in states else "skipped", seconds)


def reason_of(log):
    """What the runner says failed: the lines between its banner and its backtrace, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8", errors="replace"))
    found = re.search(r"TEST FAILURE\n(?:#+[^\n]*\n)?(.*?)(?:\n#|\n\[|\Z)", plain, re.S)
    return " ".join(found.group(1).split())[:240] if found else "see its log"
