"""What a power cut as we make it is worth, without any broker: two things about ext4 on which the other stories rest.

1. Threads append to files of their own and sync them. A sync that returned before the cut began must hold. One that returns after may not:
   Linux answers success to a sync whose transaction the shutdown took away (the journal has neither a running nor a committing transaction any
   more, so there is nothing to wait for). History.power is there for that.
2. Bytes behind the end of a file, in the end's own block, can be on the disk: what is appended while the page is written goes along, without the
   size. A later cut that keeps the size of what was appended next, but not its bytes, brings the old ones back; a file that is told to end where
   it ends is clear of them. Recovery does so."""
import ctypes
import os
import random
import threading
import time

from mounts import Ext4

FILES = 4


class Appender(threading.Thread):
    """Remembers (when, size) of each sync that returned success."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.synced, self.stopping = path, [], threading.Event()

    def run(self):
        descriptor = None
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.fsync(descriptor)
            size = 0
            while not self.stopping.is_set():
                size += os.write(descriptor, b"x" * 300)
                os.fdatasync(descriptor)
                self.synced.append((time.monotonic(), size))
        except OSError:
            pass  # the power is off
        finally:
            if descriptor is not None:
                os.close(descriptor)


def one_round(disk, rng):
    """(lost of before the cut, lost of after it began, all after it began)"""
    appenders = [Appender(disk.path / f"file{i}") for i in range(FILES)]
    for appender in appenders:
        appender.start()
    time.sleep(rng.uniform(0.02, 0.15))
    begin = time.monotonic()
    disk.cut_power()
    for appender in appenders:
        appender.stopping.set()
    for appender in appenders:
        appender.join()
    disk.power_on()
    before = after = late = 0
    for appender in appenders:
        size = appender.path.stat().st_size if appender.path.exists() else 0
        for when, end in appender.synced:
            late += when > begin
            before += end > size and when <= begin
            after += end > size and when > begin
    return before, after, late


def old_bytes_are_back(disk, told_to_end_there):
    """Whether `x`, which one cut took, stands in place of `y` after the next."""
    libc, log, other = ctypes.CDLL(None), disk.path / "log", disk.path / "other"
    with open(log, "wb", buffering=0) as file:
        file.write(b"a" * 600)
        os.fsync(file.fileno())
        file.write(b"x" * 300)
        libc.sync_file_range(file.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), 7)  # the bytes, not the size
    disk.cut_power()
    disk.power_on()
    with open(log, "r+b", buffering=0) as file, open(other, "wb", buffering=0) as neighbour:
        file.read()
        if told_to_end_there:
            file.truncate(600)
        file.seek(600)
        file.write(b"y" * 300 + b"z" * 8000)
        os.posix_fallocate(file.fileno(), 0, 8900)
        file.truncate(8900)  # as where blocks were reserved ahead: the size goes to the journal, the bytes wait
        os.fsync(neighbour.fileno())
    disk.cut_power()
    disk.power_on()
    return b"x" in log.read_bytes()


def story(table, home, rounds, seed=1):
    rng, totals, wrong = random.Random(seed), [0, 0, 0], []
    with Ext4(home, 64) as disk:
        back = old_bytes_are_back(disk, False)  # how it is with this kernel; the next is what we rely on
        disk.make()
        if old_bytes_are_back(disk, True):
            wrong.append("bytes behind the end came back though the file was told to end before them")
        for _ in range(rounds):
            disk.make()
            totals = [a + b for a, b in zip(totals, one_round(disk, rng))]
    before, after, late = totals
    if before:
        wrong.append(f"{before} syncs that returned before the cut were lost")
    table.row("power cut of bare ext4, no broker", rounds, 0, 0, wrong, f"{after} of {late} syncs that were answered after it began; old bytes {'come' if back else 'do not come'} back")
