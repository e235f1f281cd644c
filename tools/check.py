#!/usr/bin/env python3
"""Runs the tests, one line a part, and the count at the end. See ./check.

Parts that count or time what the machine does run alone, one after another; those that mostly wait run two at a time."""
import argparse
import concurrent.futures
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
LOGS = ROOT / "build" / "check"


class Part:
    """A command whose exit code decides. Its last 'N passed, N failed[, N skipped]' line counts; without one it is one test."""

    def __init__(self, name, command, what, minutes=5, quick=False, waits=False):
        self.name, self.command, self.what, self.minutes, self.quick = name, command, what, minutes, quick
        self.waits = waits  # it needs neither the whole machine nor any time of it measured: another may run beside it


def unit_parts():
    """One part per room that has tests."""
    rooms = re.findall(r"^add_layer\((\w+)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    for room in rooms:
        if any((ROOT / "src" / room).rglob("*_test.cpp")):
            yield Part(f"unit/{room}", [str(BUILD / f"klamm_{room}_tests")], f"unit tests of {room}", quick=True)


def script(path):
    return [str(ROOT / path)]


# What needs more than one room: quick ones, then those that wait (the longest first, so that the two lanes end together), then
# those that run alone.
DEFAULT_PARTS = [
    Part("unit/simulation", [str(BUILD / "klamm_simulation_tests")], "unit tests of the simulated runtime", quick=True),
    Part("structure", [sys.executable, "tests/structure/check_layers_test.py"], "layers, planted violations", quick=True),
    Part("structure/rooms", [sys.executable, "tests/structure/rooms_test.py"], "authorizers, linked libraries, files the pages name", quick=True),
    Part("fuzz", ["tools/fuzz", "replay"], "kept inputs and past findings of every fuzz target", quick=True),
    Part("client", [str(BUILD / "tests/client/klamm_client_stories")], "the client against a broker that misbehaves", quick=True),
    Part("faults/checker", [sys.executable, "tests/faults/history_test.py"], "the checker of the faults sees planted losses", quick=True),
    Part("report", [sys.executable, "tests/figures/report_test.py"], "which rounds of ./bench count, and what its page says", quick=True),

    Part("disks", [sys.executable, "tests/server/disks_test.py"], "restarts, directories, retention, recovery, refusals", waits=True),
    Part("interop/transactions", script("tests/interop/run") + ["transactions"],
         "transactions: Java 4.4.0 and 2.1.1, a copy through kill -9", 10, waits=True),
    Part("takeover", [sys.executable, "tests/takeover/takeover_test.py"],
         "directories change hands between Apache Kafka and us", 10, waits=True),
    Part("takeover/groups", [sys.executable, "tests/takeover/groups_test.py"], "groups change hands with their members alive", 10, waits=True),
    Part("conformance", script("tests/conformance/run"), "every message and version against the Java classes", 10, waits=True),
    Part("interop/kafka-tools", script("tests/interop/run") + ["kafka-tools"], "Apache Kafka 4.3.1's own tools", waits=True),
    Part("interop/groups", script("tests/interop/run") + ["groups"], "consumer groups: kcat, python3-kafka, Java", 10, waits=True),
    Part("transcripts", [sys.executable, "tests/transcripts/replay.py"], "what our tools print, command by command", waits=True),
    Part("interop/client-groups", script("tests/interop/run") + ["client-groups"],
         "our own consumers in groups of both protocols, one of them killed; with python3-kafka", waits=True),
    Part("interop/client-transactions", script("tests/interop/run") + ["client-transactions"],
         "our transactional producer: a copy through kill -9, fencing, both versions of transactions", waits=True),
    Part("interop/kcat", script("tests/interop/run") + ["kcat"], "kcat: every codec, through kill -9 and SIGTERM", waits=True),
    Part("interop/consumer-protocol", script("tests/interop/run") + ["consumer-protocol"],
         "the consumer protocol: Java 4.4.0 and librdkafka", 10, waits=True),
    Part("interop/java", script("tests/interop/run") + ["java"], "Java clients 4.4.0 and 2.1.1", waits=True),
    Part("takeover/transactions", [sys.executable, "tests/takeover/transactions_test.py"],
         "transactions change hands between Apache Kafka and us, open and ended ones", 10, waits=True),
    Part("interop/confluent-kafka", script("tests/interop/run") + ["confluent-kafka"], "confluent-kafka of PyPI", waits=True),
    Part("wire", [sys.executable, "tests/wire/replay_test.py"], "what Apache Kafka answers, row by row", waits=True),
    Part("interop/python-kafka", script("tests/interop/run") + ["python-kafka"], "Debian's python3-kafka", waits=True),
    Part("structure/names", [sys.executable, "tests/structure/names_test.py"], "no script uses a name that is not there", waits=True),
    Part("interop/kafkajs", script("tests/interop/run") + ["kafkajs"], "kafkajs of npm", waits=True),
    Part("wire/transactions", [sys.executable, "tests/wire/transactions_test.py"],
         "what Apache Kafka answers about transactions, every version", waits=True),
    Part("wire/groups", [sys.executable, "tests/wire/groups_test.py"], "what Apache Kafka answers about groups, every version", waits=True),

    Part("simulation", [str(BUILD / "tests/simulation/klamm_simulate"), "--seeds", "1-1000", "--log", "build/check/simulation-seeds.log"],
         "broker and clients in virtual time, a thousand stories"),
    Part("simulation/coordinators", [str(BUILD / "tests/simulation/klamm_simulate"), "--story", "coordinators", "--seeds", "1-700", "--log",
                                     "build/check/coordinators-seeds.log"],
         "groups and transactions in virtual time, seven hundred stories"),
    Part("simulation/torn-tails", [str(BUILD / "tests/simulation/klamm_simulate"), "--torn-tails"],
         "a log torn at every byte of its last 64 KiB"),
    Part("simulation/planted", script("tests/simulation/planted"), "each planted bug is found, and again by its seed", 30),
    Part("faults/short", [sys.executable, "tests/faults/faults_test.py", "--short"], "real faults, a minute of them", 10),
    Part("hostile/short", [sys.executable, "tests/hostile/hostile_test.py"], "hostile clients, a good one beside them", 10),
    Part("footprint", [sys.executable, "tests/figures/footprint_test.py"], "start, idle memory and wake-ups"),
    Part("paths", [sys.executable, "tests/figures/paths_test.py"], "system calls and allocations of a warm request"),
    Part("instructions", [sys.executable, "tests/figures/instructions_test.py"], "instructions of a warm request", 10),
    Part("figures/groups", [sys.executable, "tests/figures/group_memory_test.py"], "memory of groups and of members, idle and waiting"),
    Part("bench", [sys.executable, "tests/figures/bench_groups_test.py"], "klamm bench for groups, commits and transactions counts right"),
    Part("scale", [sys.executable, "tests/scale/scale_test.py", "small"], "1,000 partitions: restart, memory, descriptors"),
]

FULL_PARTS = [
    Part("simulation/more", [str(BUILD / "tests/simulation/klamm_simulate"), "--more", "20000"],
         "stories that were never told before; the log of all: build/simulation/seeds.log", 60),
    Part("simulation/more-coordinators", [str(BUILD / "tests/simulation/klamm_simulate"), "--story", "coordinators", "--more", "20000"],
         "the same for groups and transactions: build/simulation/coordinators-seeds.log", 60),
    Part("faults", [sys.executable, "tests/faults/faults_test.py", "--full"], "all real faults; what was passed is kept", 60),
    Part("hostile", [sys.executable, "tests/hostile/hostile_test.py", "--full"], "hostile clients: all lies, ten thousand connections", 30),
    Part("asan", ["tools/check_sanitized", "asan"], "unit tests, 100 stories, hostile clients, kcat with address and undefined-behaviour sanitizers", 60),
    Part("tsan", ["tools/check_sanitized", "tsan"], "the same with the thread sanitizer", 60),
    Part("fuzz/planted", ["tools/fuzz", "planted"], "three bugs planted in decoders are found, each within a minute", 60),
    Part("fuzz/more", ["tools/fuzz", "run", "--seconds", "180"], "three more minutes of each fuzz target; the sum of all: tools/fuzz totals", 60),
    Part("takeover/full", [sys.executable, "tests/takeover/matrix.py"], "twelve directories, every version, direction and kind of stop", 60),
    Part("takeover/docs", [sys.executable, "tests/takeover/docs_test.py"], "the commands of the takeover page, as they stand there", 20),
    Part("scale/full", [sys.executable, "tests/scale/scale_test.py", "full"], "10,000 and 50,000 partitions, 10 GB to recover, 200 segments", 60),
    Part("interop/group-tools", script("tests/interop/run") + ["group-tools"],
         "Apache Kafka 4.3.1's group tools and ours, at its broker and at ours: the same text", 20),
    Part("interop/client-transactions-kafka", script("tests/interop/run") + ["client-transactions-kafka"],
         "our transactional producer at Apache Kafka 4.3.1, both versions of transactions", 20),
    Part("bench/agreement", [sys.executable, "benchmarks/agreement.py"],
         "klamm bench and Kafka's producer-perf-test cost a Kafka the same; what they say they sent is there", 20),
    Part("interop/kcat-large", script("tests/interop/run") + ["kcat-large"], "1 GiB a codec through kcat, md5 in and out", 30),
    Part("interop/transactions-full", script("tests/interop/run") + ["transactions-full"], "a copy that is exactly once, 20 rounds of kills", 60),
    Part("interop/librdkafka", script("tests/interop/run") + ["librdkafka"], "librdkafka's own suite, against Apache Kafka too", 60),
    Part("interop/librdkafka-consumer", script("tests/interop/run") + ["librdkafka", "--protocol", "consumer"],
         "the same with the consumer protocol", 60),
    Part("interop/librdkafka-idempotent", script("tests/interop/run") + ["librdkafka", "--idempotent"],
         "the same with idempotent producers", 60),
]

COUNT = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
GTEST_PASSED = re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.M)
GTEST_FAILED = re.compile(r"^\[  FAILED  \] (\d+) tests?, listed below", re.M)
GTEST_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) tests?, listed below", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.M)
UNITTEST_BAD = re.compile(r"^FAILED \((.*)\)", re.M)


def number(pattern, text):
    found = pattern.findall(text)
    return int(found[-1]) if found else 0


def counts_of(output, exit_code):
    if counted := COUNT.findall(output):
        passed, failed, skipped = (int(n or 0) for n in counted[-1])
    elif GTEST_PASSED.search(output) or GTEST_FAILED.search(output):
        passed, failed, skipped = (number(p, output) for p in (GTEST_PASSED, GTEST_FAILED, GTEST_SKIPPED))
        passed -= skipped if skipped <= passed else 0
    elif UNITTEST.search(output):
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", " ".join(UNITTEST_BAD.findall(output))))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", output))
        passed, failed = number(UNITTEST, output) - bad - skipped, bad
    else:
        passed, failed, skipped = (1, 0, 0) if exit_code == 0 else (0, 0, 0)
    if exit_code != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


PRINTING = threading.Lock()


def run_part(part):
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (part.name.replace("/", "-") + ".log")
    started = time.monotonic()
    with open(log, "w", encoding="utf-8") as out:
        try:
            code = subprocess.run(part.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                  timeout=part.minutes * 60, check=False).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped after {part.minutes} minutes\n")
            code = 124
        except OSError as error:
            out.write(f"{error}\n")
            code = 127
        if code < 0:
            out.write(f"\nended by {signal.Signals(-code).name}\n")
    output = log.read_text(encoding="utf-8", errors="replace")
    passed, failed, skipped = counts_of(output, code)
    seconds = time.monotonic() - started
    with PRINTING:
        print(f"{'ok  ' if failed == 0 else 'FAIL'} {part.name:<28} {passed:>5} passed {failed:>3} failed {skipped:>3} skipped "
              f"{seconds:7.1f} s", flush=True)
        if failed:
            print("".join(f"    {line}\n" for line in output.splitlines()[-16:]), end="")
            print(f"    whole log: {log.relative_to(ROOT)}", flush=True)
    return passed, failed, skipped


def run_parts(parts):
    """The sums. First those of the quick check, then what waits, two at a time, then what needs the machine for itself."""
    waiting = [p for p in parts if p.waits]
    alone = [p for p in parts if not p.waits]
    results = [run_part(p) for p in alone if p.quick]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as lanes:
        results += lanes.map(run_part, waiting)
    results += [run_part(p) for p in alone if not p.quick]
    return [sum(column) for column in zip(*results)]


def build(targets):
    started = time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "build.log"
    with open(log, "w", encoding="utf-8") as out:
        code = subprocess.run([str(ROOT / "tools" / "build"), *targets], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
                              check=False).returncode
    print(f"{'ok  ' if code == 0 else 'FAIL'} build {time.monotonic() - started:60.1f} s", flush=True)
    if code:
        print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:]))
    return code == 0


def main():
    parser = argparse.ArgumentParser(description="Klamm's tests")
    parser.add_argument("--quick", action="store_true", help="unit tests and structure only")
    parser.add_argument("--full", action="store_true", help="the long parts too, or only those named")
    parser.add_argument("--list", action="store_true", help="names the parts and what they hold")
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_args()

    default = list(unit_parts()) + DEFAULT_PARTS
    parts = [p for p in default if p.quick] if options.quick else default + (FULL_PARTS if options.full else [])
    if options.parts:
        known = {p.name: p for p in default + FULL_PARTS}
        unknown = [name for name in options.parts if name not in known]
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}; --list names them")
        parts = [known[name] for name in options.parts]
    if options.list:
        for part in default + FULL_PARTS:
            print(f"{part.name:<28} {'' if part in default else '--full '}{part.what}")
        return 0

    install = subprocess.run([str(ROOT / "tools" / "install"), "build", "test"], cwd=ROOT, check=False)
    if install.returncode != 0:
        return 1
    if not build(["all"]):
        print("0 passed, 1 failed, 0 skipped")
        return 1
    totals = run_parts(parts)
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
