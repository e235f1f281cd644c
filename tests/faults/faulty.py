"""A broker to hurt, and the table of what was done to it."""
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import load  # noqa: F401  (finds the neighbours' modules)
from harness import KLAMM, free_port

SCRATCH = pathlib.Path(os.environ.get("KLAMM_FAULTS_DIR", tempfile.gettempdir()))
BINARY = KLAMM  # run() puts a copy here: a build beside the test must not take it away


class FaultyBroker:
    """One node on directories of the caller's choice. `start(*wrap)` runs it below another command (strace -D, env, prlimit)."""

    def __init__(self, home, log_dirs=None, settings=None):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.log_dirs = [pathlib.Path(d) for d in log_dirs or [self.home / "data"]]
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        values = {
            "node.id": "1",
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": ",".join(map(str, self.log_dirs)),
            "klamm.io.uring": "off",  # strace sees system calls only
            "auto.create.topics.enable": "false",
        }
        values.update(settings or {})
        self.properties = self.home / "server.properties"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        self.log = self.home / "server.log"
        self.process = None

    def spawn(self, *wrap, env=None):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*map(str, wrap), str(BINARY), "server-start", str(self.properties)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        return self

    def listening(self, patience=30):
        """True when it listens, False when it ended first."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return True
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the broker did not listen in {patience} s:\n{self.tail()}")

    def start(self, *wrap, env=None):
        self.spawn(*wrap, env=env)
        if not self.listening():
            raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.tail()}")
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self, patience=60):
        self.process.send_signal(signal.SIGTERM)
        return self.ended(patience)

    def ended(self, patience=60):
        """The exit code."""
        code = self.process.wait(timeout=patience)
        self.process = None
        return code

    def said(self, text):
        return text in self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, size=4000):
        return self.log.read_text(encoding="utf-8", errors="replace")[-size:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def strace(home, *inject):
    """The command that runs a broker with faults injected; the broker is the process that Popen started."""
    traced = ",".join(sorted({name for rule in inject for name in rule.split(":")[0].split(",")}))
    command = ["strace", "-D", "-f", "-qq", "-o", str(pathlib.Path(home) / "strace.txt"), "-e", f"trace={traced}"]
    for rule in inject:
        command += ["-e", f"inject={rule}"]
    return command


class Table:
    """Rows of fault, rounds, acknowledged records, lost; a row is a test."""

    def __init__(self):
        self.rows, self.failed, self.skipped = [], 0, 0

    def row(self, fault, rounds, acked, lost, wrong, allowed=""):
        """`allowed`: why what was lost may be."""
        bad = bool(wrong) or (lost > 0 and not allowed)
        self.failed += bad
        self.rows.append((fault, rounds, acked, f"{lost}{' (' + allowed + ')' if lost and allowed else ''}", "FAIL" if bad else "ok"))
        print(f"{'FAIL' if bad else 'ok  '} {fault}: {rounds} rounds, {acked} acked, {lost} lost", flush=True)
        for text in wrong:
            print(f"     {text}", flush=True)

    def skip(self, fault, why):
        self.skipped += 1
        print(f"skip {fault}: {why}", flush=True)

    def close(self):
        widths = [max(len(str(row[i])) for row in [("fault", "rounds", "acked", "lost", ""), *self.rows]) for i in range(5)]
        print()
        for row in [("fault", "rounds", "acked", "lost", ""), *self.rows]:
            print("  ".join(f"{cell!s:<{widths[i]}}" if i in (0, 4) else f"{cell!s:>{widths[i]}}" for i, cell in enumerate(row)).rstrip())
        print(f"{len(self.rows) - self.failed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.rows else 0
