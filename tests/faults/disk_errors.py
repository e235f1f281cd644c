"""Disks that answer with errors: EIO and ENOSPC at the N-th call, writes cut short, a failed fsync, a file system that is full."""
import collections
import random
import subprocess
import time

import wire
from client import Client, eventually
from faulty import FaultyBroker, strace
from history import compare, wait_until_ready
from kill import Survivor
from load import History, Load

STORAGE_ERROR = 56


def placed(client, topic):
    """{directory: [partitions of the topic in it]}"""
    found = collections.defaultdict(list)
    for directory, (_, logs) in client.log_dirs().items():
        found[directory] += sorted(int(name.rsplit("-", 1)[1]) for name in logs if name.rsplit("-", 1)[0] == topic)
    return found


def answer_of(bootstrap, topic, partition):
    """The error of a produce."""
    connection = wire.Connection(bootstrap)
    try:
        records = wire.batch([b"probe/1"], int(time.time() * 1000))
        return wire.produce_error(topic, connection.ask(wire.produce(topic, records, partition, -1)))[0]
    finally:
        connection.close()


class Traced:
    """strace on a running broker, for some of its files only. `report` is what it saw."""

    def __init__(self, broker, home, paths, *inject):
        self.report = home / "attached.txt"
        traced = ",".join(sorted({name for rule in inject for name in rule.split(":")[0].split(",")}))
        command = ["strace", "-f", "-y", "-p", str(broker.process.pid), "-o", str(self.report), "-e", f"trace={traced}"]
        for path in paths:
            command += ["-P", str(path)]
        for rule in inject:
            command += ["-e", f"inject={rule}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if "attached" not in line:
            raise RuntimeError(f"strace: {line}")

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()

    def calls(self):
        """A line for each call, in the order in which they ended; strace breaks those in two that others overtake."""
        begun, calls = {}, []
        for line in self.report.read_text().splitlines():
            thread, _, text = line.partition(" ")
            if text.endswith("<unfinished ...>"):
                begun[thread] = text.removesuffix("<unfinished ...>")
            elif "resumed>" in text:
                calls.append(begun.pop(thread, "") + text.split("resumed>", 1)[1])
            elif "(" in text:
                calls.append(text)
        return calls + list(begun.values())


def failed_sync(table, home, rounds, seed=1):
    """One fdatasync fails, in one directory: it is never tried again there, the directory is offline, the others serve."""
    rng = random.Random(seed)
    wrong, acked, lost, done, strayed = [], 0, 0, 0, 0
    for done in range(1, rounds + 1):
        here = home / f"r{done}"
        history, topics = History(), {"t": 6}
        with FaultyBroker(here, [here / "d1", here / "d2"]) as broker:
            broker.start()
            with Client(broker.bootstrap) as client:
                client.create("t", 6, {"flush.messages": 1})
                places = placed(client, "t")
            bad, good = places[str(here / "d2")], places[str(here / "d1")]
            error = rng.choice(("EIO", "ENOSPC"))
            call = rng.choice(("fdatasync", "pwritev"))
            files = [here / "d2" / f"t-{p}" / "00000000000000000000.log" for p in bad]
            with Load(history, broker.bootstrap, "t", 6, ("plain", "acks1"), seed=done) as load:
                if not load.progress(50):
                    wrong.append(f"round {done}: no progress")
                traced = Traced(broker, here, files, f"{call}:error={error}:when=1")
                failed = eventually(lambda: load.errors()[STORAGE_ERROR] > 0)
                before = history.count()
                going_on = load.progress(200)
            if _strayed(traced.calls(), files):
                strayed += 1
                traced.close()
                broker.kill()
                continue
            if not failed:
                wrong.append(f"round {done}: {call} {error}: nobody was told")
            if not going_on:
                wrong.append(f"round {done}: the other directory does not serve ({before} acked)")
            answers = {p: answer_of(broker.bootstrap, "t", p) for p in bad}
            if set(answers.values()) != {STORAGE_ERROR}:
                wrong.append(f"round {done}: partitions of the failed directory answer {answers}")
            with Client(broker.bootstrap) as client:
                for p in good:
                    history.sent["t", p].add(b"probe/1")
                    if (code := answer_of(broker.bootstrap, "t", p)) != 0:
                        wrong.append(f"round {done}: t-{p} in the good directory answers {code}")
                code = client.log_dirs()[str(here / "d2")][0]
                if code != STORAGE_ERROR:
                    wrong.append(f"round {done}: DescribeLogDirs says {code} of the failed directory")
            traced.close()
            after = _after_injection(traced.calls())
            if after:
                wrong.append(f"round {done}: {call} after the failure: {after[:3]}")
            if (code := broker.stop()) != 0:
                wrong.append(f"round {done}: SIGTERM with a failed directory: exit {code}")
            broker.start()
            wait_until_ready(broker.bootstrap, topics)
            verdict = compare(history, broker.bootstrap, topics)
            acked, lost = acked + verdict.acked, lost + verdict.lost
            wrong += [f"round {done} ({call} {error}): {text}" for text in verdict.wrong]
        if wrong:
            break
    if strayed > done // 4 + 1:
        wrong.append(f"{strayed} of {done} rounds hit a file that was not meant")
    table.row("a failed fdatasync or write is final", done, acked, lost, wrong)


def _strayed(calls, files):
    """Whether a call on another file was made to fail. strace counts each thread's calls on its own, and lets some of other files
    through once it has injected an error: then a second thread meets one in the good directory."""
    return any("(INJECTED)" in line and not any(f"<{file}>" in line for file in files) for line in calls)


def _after_injection(calls):
    """Calls on a file after the one that failed."""
    failed, after = set(), []
    for line in calls:
        path = line[line.index("<"):line.index(">") + 1]
        if "(INJECTED)" in line:
            failed.add(path)
        elif path in failed:
            after.append(line)
    return after if failed else ["nothing was injected"]


def last_directory(table, home, rounds, seed=1):
    """The only directory, or the one with the metadata, fails: a clean halt, exit code 1, all there after the next start."""
    wrong, acked, lost, done = [], 0, 0, 0
    for done in range(1, rounds + 1):
        here = home / f"r{done}"
        history, topics = History(), {"t": 2}
        metadata_only = done % 2 == 0
        with FaultyBroker(here, [here / "d1", here / "d2"] if metadata_only else None) as broker:
            broker.start()
            with Client(broker.bootstrap) as client:
                client.create("t", 2, {"flush.messages": 1})
            first = broker.log_dirs[0]
            folder = first / "__cluster_metadata-0"
            files = [folder / "00000000000000000000.log"] if metadata_only else [first / f"t-{p}/00000000000000000000.log" for p in (0, 1)]
            with Load(history, broker.bootstrap, "t", 2, ("plain", "idempotent"), seed=done) as load:
                load.progress(50)
                traced = Traced(broker, here, files, "fdatasync:error=EIO:when=1")
                if metadata_only:
                    try:
                        with Client(broker.bootstrap) as client:
                            client.create("more")
                            wrong.append(f"round {done}: a topic was created whose record was not synced")
                    except (RuntimeError, OSError):
                        pass
                try:
                    code = broker.ended(20)
                    if code != 1:
                        wrong.append(f"round {done}: exit {code}")
                except subprocess.TimeoutExpired:
                    wrong.append(f"round {done}: no halt")
                    broker.kill()
            traced.close()
            if not broker.said("FATAL"):
                wrong.append(f"round {done}: nothing fatal in the log")
            broker.start()
            wait_until_ready(broker.bootstrap, topics)
            verdict = compare(history, broker.bootstrap, topics)
            acked, lost = acked + verdict.acked, lost + verdict.lost
            wrong += [f"round {done}: {text}" for text in verdict.wrong]
        if wrong:
            break
    table.row("the last directory fails: clean halt", done, acked, lost, wrong)


ERRORS = {"pwritev": 200, "fdatasync": 60, "fsync": 40, "rename": 40, "unlink": 20, "ftruncate": 4, "openat": 150, "pread64": 40, "mkdir": 4,
          "getdents64": 12, "fstat,newfstatat": 60, "fallocate": 10, "sendfile": 20, "close": 100}


def at_calls(table, home, rounds, seed=1):
    """The N-th call of one kind by a thread fails, and so does each further one in half of the rounds: whatever becomes of the broker, it
    ends by itself if it ends, with exit code 0 or 1, and what it acknowledged is there at the next start."""
    story = Survivor(home, seed)
    names, ends = sorted(ERRORS), collections.Counter()
    with story.broker as broker:
        broker.start()
        story.create()
        broker.kill()
        for story.rounds in range(1, rounds + 1):
            call = names[story.rounds % len(names)]
            error = story.random.choice(("EIO", "ENOSPC") if call not in ("openat",) else ("EIO", "ENOSPC", "EMFILE"))
            when = f"{story.random.randint(1, ERRORS[call])}{story.random.choice(('', '+'))}"
            what = f"{call} {error} {when}"
            broker.log.write_text("")
            broker.spawn(*strace(home, f"{call}:error={error}:when={when}"))
            synced, cached = story.loads(size=story.random.choice((40, 4000)))
            code = "alive"
            with synced, cached:
                try:
                    code = broker.ended(story.random.uniform(1.5, 3))
                except subprocess.TimeoutExpired:
                    pass
            if code == "alive":
                try:
                    code = broker.stop(30) if story.rounds % 2 else broker.kill() or "killed"
                except subprocess.TimeoutExpired:
                    story.wrong.append(f"round {story.rounds} ({what}): SIGTERM does not end it")
                    broker.kill()
            ends[str(code)] += 1
            unloadable = code == 127 and broker.said("error while loading shared libraries")  # not ours to answer
            if code not in (0, 1, "killed") and not unloadable:
                story.wrong.append(f"round {story.rounds} ({what}): ended with {code}: {broker.tail(600)}")
            broker.start()
            if not story.check():
                story.wrong.append(f"after {what}")
                break
            broker.kill()
    print(f"     ended: {dict(ends)}", flush=True)
    story.report(table, "EIO, ENOSPC, EMFILE at system calls (strace)")
