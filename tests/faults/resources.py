"""What a machine runs out of or does to a process: a full file system, descriptors, SIGSTOP, clocks that jump."""
import collections
import errno
import os
import pathlib
import signal
import socket
import subprocess
import time

from client import Client, eventually
from disk_errors import STORAGE_ERROR, answer_of, placed
from faulty import FaultyBroker
from history import compare, wait_until_ready
from kill import CLIENTS, Survivor
from load import NOT_READY, History, Load
from mounts import Tmpfs

FIU_RUN, FIU = "/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def full_disk(table, home, rounds, seed=1):
    """A directory on a small tmpfs fills up: it goes offline, the other serves; with room again a restart brings all back. Every second
    round it is the only directory: the broker halts."""
    wrong, acked, done = [], 0, 0
    for done in range(1, rounds + 1):
        only = done % 2 == 0
        history, topics, here = History(), {"t": 4}, home / f"r{done}"
        with Tmpfs(here / "small", 24) as small:
            filler = small.path / "filler"
            with FaultyBroker(here, [small.path / "d"] if only else [here / "d1", small.path / "d"]) as broker:
                broker.start()
                with Client(broker.bootstrap) as client:
                    client.create("t", 4, {"segment.bytes": 1 << 20})
                    bad = placed(client, "t")[str(small.path / "d")]
                with Load(history, broker.bootstrap, "t", 4, CLIENTS, seed=f"{seed}-{done}", size=2000) as load:
                    load.progress(100)
                    filler.write_bytes(bytes(4 << 20))
                    if only:
                        try:
                            if (code := broker.ended(60)) != 1:
                                wrong.append(f"round {done}: exit {code}")
                        except subprocess.TimeoutExpired:
                            wrong.append(f"round {done}: no halt on a full disk")
                            broker.kill()
                    elif not eventually(lambda: load.errors()[STORAGE_ERROR] > 0, 60):
                        wrong.append(f"round {done}: the disk never was full")
                    elif not load.progress(100):
                        wrong.append(f"round {done}: the other directory does not serve")
                if not only:
                    answers = {p: answer_of(broker.bootstrap, "t", p) for p in bad}
                    if set(answers.values()) != {STORAGE_ERROR}:
                        wrong.append(f"round {done}: partitions of the full directory answer {answers}")
                    broker.stop()
                filler.unlink()
                subprocess.run(["mount", "-o", "remount,size=64m", str(small.path)], check=True)
                broker.start()
                wait_until_ready(broker.bootstrap, topics)
                with Load(history, broker.bootstrap, "t", 4, CLIENTS, seed=f"{seed}-{done}-again") as load:
                    if not load.progress(100):
                        wrong.append(f"round {done}: no progress with room again")
                verdict = compare(history, broker.bootstrap, topics)
                acked += verdict.acked
                wrong += [f"round {done}: {text}" for text in verdict.wrong]
                broker.kill()
        if wrong:
            break
    table.row("a full disk, and room again", done, acked, 0, wrong)


def few_descriptors(table, home, rounds, seed=1):
    """ulimit -n 80, with 60 partitions written and 200 connections asked for: who is connected goes on, no new one hangs the others, and
    when the crowd leaves new ones are served."""
    wrong, acked, done = [], 0, 0
    for done in range(1, rounds + 1):
        history, topics = History(), {"t": 60}
        with FaultyBroker(home / f"r{done}") as broker:
            broker.spawn("prlimit", "--nofile=80:80")
            broker.listening()
            with Client(broker.bootstrap) as client:
                client.create("t", 60, {"segment.bytes": 1 << 20})
            with Load(history, broker.bootstrap, "t", 60, CLIENTS, seed=f"{seed}-{done}", size=1000) as load:
                if not load.progress(500):
                    wrong.append(f"round {done}: no progress with few descriptors: {load.errors()}")
                crowd = []
                for _ in range(200):
                    one = socket.socket()
                    one.setblocking(False)
                    one.connect_ex(("127.0.0.1", broker.port))
                    crowd.append(one)
                time.sleep(0.5)
                used = _cpu_seconds(broker.process.pid)
                if not load.progress(1000):
                    wrong.append(f"round {done}: no progress beside a crowd: {load.errors()}")
                for one in crowd:
                    one.close()
                if not load.progress(500):
                    wrong.append(f"round {done}: no progress after the crowd: {load.errors()}")
            idle = _cpu_seconds(broker.process.pid)
            time.sleep(1)
            if (busy := _cpu_seconds(broker.process.pid) - idle) > 0.3:
                wrong.append(f"round {done}: {busy:.2f} s of CPU in an idle second ({idle - used:.2f} before)")
            verdict = compare(history, broker.bootstrap, topics)
            acked += verdict.acked
            wrong += [f"round {done}: {text}" for text in verdict.wrong]
            if (code := broker.stop()) != 0:
                wrong.append(f"round {done}: exit {code}")
        if wrong:
            break
    table.row("ulimit -n 80, 200 connections", done, acked, 0, wrong)


def _cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stopped(table, home, rounds, seed=1):
    """SIGSTOP for up to two seconds, then SIGCONT, under load."""
    story = Survivor(home, seed)
    with story.broker as broker:
        broker.start()
        story.create()
        synced, cached = story.loads(pause=0.005)
        with synced, cached:
            for story.rounds in range(1, rounds + 1):
                broker.process.send_signal(signal.SIGSTOP)
                time.sleep(story.random.choice((0.05, 0.5, 2)))
                broker.process.send_signal(signal.SIGCONT)
                if not synced.progress(50):
                    story.wrong.append(f"round {story.rounds}: no progress: {synced.errors()}")
                    break
        story.check()
        if errors := synced.errors() + cached.errors():
            story.wrong.append(f"a pause was answered with errors: {errors}")
    story.report(table, "SIGSTOP, SIGCONT")


def clock_jumps(table, home, rounds, seed=1):
    """The wall clock jumps by an hour or a day, forth and back; nothing expires that is not old, no timer hangs."""
    rc = home / "faketime"
    rc.write_text("+0")
    story = Survivor(home, seed, {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "100",
                                  # The clients' clock does not jump: by default what is an hour ahead is refused.
                                  "log.message.timestamp.after.max.ms": str(2**63 - 1)})
    wrapped = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(rc), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with story.broker as broker:
        broker.start(env=wrapped)
        story.create()
        for story.rounds in range(1, rounds + 1):
            synced, cached = story.loads(pause=0.005)
            with synced, cached:
                synced.progress(20)
                rc.write_text(story.random.choice(("+1h", "-1h", "+1d", "-1d", "+0")))
                if not synced.progress(50):
                    story.wrong.append(f"round {story.rounds}: no progress after a jump: {synced.errors()}")
            with Client(broker.bootstrap) as client:
                client.create(f"later-{story.rounds}")
            if story.rounds % 5 == 0:
                broker.kill()
                broker.start(env=wrapped)
            if not story.check():
                break
    story.report(table, "jumps of the wall clock")


def _with_libfiu(broker, points):
    """Starts the broker with libfiu's wrappers around the C library's calls. False when it ended by itself."""
    broker.spawn(env={"LD_PRELOAD": f"{FIU_RUN} {FIU}", "FIU_ENABLE": "\n".join(points)})
    if not broker.listening():
        return False
    if FIU in pathlib.Path(f"/proc/{broker.process.pid}/maps").read_text(encoding="utf-8"):
        return True
    try:
        broker.process.wait(1)  # it ended as soon as it listened: a process that is dead has no maps
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{FIU} is not loaded") from None
    return False


def short_calls(table, home, rounds, seed=1):
    """Writes and reads that do less than was asked: nobody notices."""
    story = Survivor(home, seed)
    with story.broker as broker:
        for story.rounds in range(1, rounds + 1):
            chance = story.random.choice((0.05, 0.3, 0.9))
            _with_libfiu(broker, [f"enable_random name=posix/io/rw/{call}/reduce,probability={chance}" for call in ("pwritev", "pread")])
            if story.rounds == 1:
                story.create()
            synced, cached = story.loads(size=story.random.choice((40, 4000)))
            with synced, cached:
                if not synced.progress(100):
                    story.wrong.append(f"round {story.rounds}: no progress: {synced.errors()}")
            if errors := +collections.Counter({code: n for code, n in (synced.errors() + cached.errors()).items() if code not in NOT_READY}):
                story.wrong.append(f"round {story.rounds}: errors {dict(errors)}")
            if not story.check():
                break
            if story.rounds % 2:
                broker.kill()
            elif (code := broker.stop()) != 0:
                story.wrong.append(f"round {story.rounds}: exit {code}")
    story.report(table, "writes and reads cut short")


POINTS = ("rw/pwritev", "sync/fdatasync", "sync/fsync", "dir/rename", "dir/unlink", "rw/ftruncate", "oc/open", "rw/pread")


def random_errors(table, home, rounds, seed=1):
    """Calls of one kind fail by chance, again and again: whatever becomes of the broker, it ends with 0 or 1 if it ends, and what it
    acknowledged is there at the next start."""
    story, ends = Survivor(home, seed), collections.Counter()
    with story.broker as broker:
        broker.start()
        story.create()
        broker.kill()
        for story.rounds in range(1, rounds + 1):
            point, error = POINTS[story.rounds % len(POINTS)], story.random.choice((errno.EIO, errno.ENOSPC))
            chance = story.random.choice((0.001, 0.01, 0.1))
            what = f"{point} {errno.errorcode[error]} {chance}"
            code = "alive"
            if _with_libfiu(broker, [f"enable_random name=posix/io/{point},probability={chance},failinfo={error}"]):
                synced, cached = story.loads(size=story.random.choice((40, 4000)))
                with synced, cached:
                    try:
                        code = broker.ended(story.random.uniform(0.5, 2))
                    except subprocess.TimeoutExpired:
                        pass
            else:
                code = broker.ended()
            if code == "alive":
                try:
                    code = broker.stop(30) if story.rounds % 2 else broker.kill() or "killed"
                except subprocess.TimeoutExpired:
                    story.wrong.append(f"round {story.rounds} ({what}): SIGTERM does not end it")
                    broker.kill()
            ends[str(code)] += 1
            if code not in (0, 1, "killed"):
                story.wrong.append(f"round {story.rounds} ({what}): ended with {code}: {broker.tail(600)}")
            broker.start()
            if not story.check():
                story.wrong.append(f"after {what}")
                break
            broker.kill()
    print(f"     ended: {dict(ends)}", flush=True)
    story.report(table, "EIO, ENOSPC at calls by chance (libfiu)")
