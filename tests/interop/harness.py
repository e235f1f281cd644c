"""A broker to test against: Klamm's binary in a directory of its own, or, with KLAMM_BOOTSTRAP=host:port, one that runs."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KLAMM = pathlib.Path(os.environ.get("KLAMM_BINARY") or ROOT / "build" / "release" / "klamm")
CACHE = ROOT / "build" / "interop"


def free_port():
    """Nobody listens there, and no connection that somebody opens takes it: the kernel gives those ports from 32768 on. So a broker
    that was killed gets it again."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


class Broker:
    """One node. `kill()` is kill -9, `stop()` SIGTERM; `start()` again opens the same directory on the same port."""

    patience = 30  # seconds until it listens

    def __init__(self, settings=None, keep=False, binary=KLAMM, host="127.0.0.1"):
        self.external = os.environ.get("KLAMM_BOOTSTRAP")
        self.directory = None
        if self.external:
            self.bootstrap = self.external
            return
        self.keep = keep
        self.binary = binary
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="klamm-interop-"))
        self.port = free_port()
        self.bootstrap = f"{host}:{self.port}"
        values = {
            "node.id": "1",
            "listeners": f"PLAINTEXT://{host}:{self.port}",
            "advertised.listeners": f"PLAINTEXT://{host}:{self.port}",
            "log.dirs": str(self.directory / "data"),
        }
        values.update(settings or {})
        self.properties = self.directory / "server.properties"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        self.log = self.directory / "server.log"
        self.process = None
        self.start()

    def start(self):
        if self.external:
            return
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([str(self.binary), "server-start", str(self.properties)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the broker did not listen in {self.patience} s:\n{self.log.read_text()[-4000:]}")

    def stop(self):
        if self.external or self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def kill(self):
        if self.external or self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.external:
            return
        code = self.stop()
        if kind is None and code != 0:
            raise RuntimeError(f"the broker ended with {code} on SIGTERM:\n{self.log.read_text()[-4000:]}")
        if kind is None and not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        elif kind is not None:
            print(f"broker's log: {self.log}\n{self.log.read_text()[-4000:]}")


class Checks:
    """Counts what was checked and prints each failure; `close()` prints the line that ./check reads."""

    def __init__(self, client):
        self.client, self.passed, self.failed = client, 0, 0

    def check(self, what, ok, detail=""):
        if ok:
            self.passed += 1
            print(f"ok   {self.client}: {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {self.client}: {what} {detail}", flush=True)

    def equal(self, what, expected, actual):
        self.check(what, expected == actual, f"\n     expected {expected!r}\n     actual   {actual!r}")

    def attempt(self, what, action):
        """Runs action(); an exception is a failure of `what`."""
        try:
            result = action()
        except Exception as error:  # whatever the client throws is the finding
            self.check(what, False, f"{type(error).__name__}: {error}")
            return None
        self.check(what, True)
        return result

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        return 1 if self.failed or not self.passed else 0
