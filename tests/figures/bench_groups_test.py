#!/usr/bin/env python3
"""`klamm bench` for groups, commits and transactions counts what it does, and says so when something is wrong. No claim about time."""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))
from harness import KLAMM, Broker, Checks  # noqa: E402

SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4", "transaction.state.log.num.partitions": "4"}


def bench(broker, *options):
    line = [str(KLAMM), "bench", *map(str, options), "--bootstrap-server", broker.bootstrap, "--server-pid", str(broker.process.pid), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"failures": done.stderr}


def passed(checks, broker, what, *options):
    code, report = bench(broker, *options)
    checks.equal(f"{what}: exit code, failures", (0, {}), (code, report["failures"]))
    return report


def main():
    checks = Checks("klamm bench of groups and transactions")
    with Broker(SETTINGS) as broker:
        report = passed(checks, broker, "groups", "groups", "--groups", 3, "--consumer-groups", 3, "--members", 2, "--partitions", 4, "--topic", "four",
                        "--heartbeat", 0.5, "--commit", 0.25, "--duration", 2, "--warm-up", 0.5)
        # Twelve members, each with four heartbeats and eight commits in two seconds.
        checks.equal("groups: heartbeats and commits", 12 * (4 + 8), report.get("requests"))
        checks.equal("groups: commits", 12 * 8, report.get("records"))
        checks.check("groups: CPU of both sides is told", report.get("broker_cpu", 0) >= 0 and report.get("generator_cpu", 0) > 0)

        report = passed(checks, broker, "rebalance", "rebalance", "--members", 10, "--partitions", 4, "--topic", "four", "--duration", 1, "--warm-up", 0)
        checks.check("rebalance: rounds", report.get("requests", 0) >= 2, str(report))

        report = passed(checks, broker, "commits", "commits", "--connections", 4, "--in-flight", 8, "--groups", 9, "--requests", 500, "--warm-up", 0,
                        "--partitions", 4, "--topic", "four")
        checks.equal("commits: exactly as many as were asked for, four offsets each", (500, 2000), (report.get("requests"), report.get("records")))

        for partitions in (1, 10):
            report = passed(checks, broker, f"transactions of {partitions}", "transactions", "--connections", 4, "--partitions", partitions, "--topic",
                            f"of-{partitions}", "--duration", 1, "--warm-up", 0)
            checks.equal("transactions: a record each", report.get("requests", 0) * partitions, report.get("records"))
            checks.check("transactions: partitions grew by records and markers", report.get("grown", 0) == report.get("acknowledged") > 0, str(report))

        code, report = bench(broker, "groups", "--consumer-groups", 1, "--members", 3, "--partitions", 2, "--topic", "one-too-few", "--duration", 1)
        checks.equal("a run without failures has exit code 0 though a member has nothing", 0, code)
        code, _ = bench(broker, "groups", "--duration", 1)
        checks.check("groups of none are refused", code != 0)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
