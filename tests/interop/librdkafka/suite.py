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
from harness import CACHE, ROOT  # noqa: E402  (the path comes first)

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
    environment = dict(os.environ, CC="clang-19", CXX="clang++-19")
    with open(HOME / "build.log", "a", encoding="utf-8") as log:
        for command in (["./configure"], ["make", jobs, "libs"], ["make", jobs, "-C", "tests", "build"]):
            if subprocess.run(["nice", "-n", "5", *command], cwd=source, env=environment, stdout=log, stderr=log,
                              check=False).returncode != 0:
                raise RuntimeError(f"librdkafka: {' '.join(command)} failed, see {HOME / 'build.log'}")
    (HOME / "built").touch()
    return runner


class Row:
    """One number: `needs` is empty when it runs, else the capability it waits for."""

    def __init__(self, number, name, verdict, note):
        self.number, self.name, self.note = number, name, note
        self.needs = verdict.removeprefix("waits for ") if verdict != "runs" else ""
        self.scenario = "noautocreate" if note == "scenario noautocreate" else "default"


def table():
    rows = []
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        number, name, verdict, note = line.split("\t")
        if verdict != "runs" and not verdict.startswith("waits for "):
            raise ValueError(f"{number}: neither 'runs' nor 'waits for': {verdict!r}")
        rows.append(Row(number, name, verdict, note))
    return rows


class Outcome:
    """`state` is passed, failed, skipped (the runner ran nothing) or hung; `text` says why."""

    def __init__(self, state, seconds, text=""):
        self.state, self.seconds, self.text = state, seconds, text


def run_number(row, bootstrap, log, minutes=10):
    """One try of one number in a process and a directory of its own; its output goes to the file `log`."""
    number = row.number
    runner = build()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-librdkafka-"))
    (directory / "test.conf").write_text(f"metadata.broker.list={bootstrap}\ntest.timeout.multiplier=2\ntest.topic.random=true\n")
    inside = directory / "tests"  # some numbers look for files where the runner stands in its own tree
    inside.mkdir()
    (directory / "src").symlink_to(runner.parent.parent / "src")
    for part in ("interceptor_test", "plugin_test", "fixtures"):
        (inside / part).symlink_to(runner.parent / part)
    environment = dict(os.environ, TESTS=number, TEST_KAFKA_VERSION=KAFKA_VERSION, RDKAFKA_TEST_CONF=str(directory / "test.conf"),
                       TEST_REPORT=str(directory / "report.json"), KAFKA_PATH=str(ROOT), BROKERS=bootstrap,
                       LD_LIBRARY_PATH=f"{runner.parent.parent / 'src'}:{runner.parent.parent / 'src-cpp'}")
    for name in ("TEST_DEBUG", "TEST_LEVEL", "SUBTESTS", "TESTS_SKIP", "TEST_SCENARIO", "CI"):
        environment.pop(name, None)
    started = time.monotonic()
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen([str(runner), "-L", "-K", "-p1", "-s", row.scenario], cwd=inside, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT)
        try:
            code = process.wait(timeout=minutes * 60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
    seconds = time.monotonic() - started
    outcome = judge(number, code, seconds, directory / "report.json")
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
