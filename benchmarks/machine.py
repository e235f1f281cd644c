"""What the machine and its processes did and are."""
import os
import pathlib
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


def times():
    """Seconds that all processors were busy for processes, and that were stolen."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _wait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / TICKS, steal / TICKS


def cpu_seconds(pid):
    """Of the process, threads that ended included: utime and stime of its stat, in ticks of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Resident MiB: all, and without pages of files."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if ":" in line)
    return tuple(int(status[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon"))


def switches(pid):
    """Voluntary context switches of all threads that are there: each is a thread that woke up and went to sleep again."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("voluntary")).split()[1])
    return total


def evict(directory):
    """Takes the files below out of the page cache."""
    os.sync()
    for path in pathlib.Path(directory).rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def first_line(path, key=None, fallback="unknown"):
    try:
        lines = pathlib.Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return fallback
    if key is None:
        return lines[0].strip()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), fallback)


def read_ahead_kib(directory):
    """Of the block device that holds the directory; of its disk when it is a partition. None when there is no such device."""
    number = os.stat(directory).st_dev
    device = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    for place in (device / "queue", device.resolve().parent / "queue"):
        if (place / "read_ahead_kb").exists():
            return int(first_line(place / "read_ahead_kb"))
    return None


def described(directory):
    """What a reader must know of the machine that measured."""
    system = os.uname()
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=False).stdout.strip()
    return {"processor": first_line("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_gib": round(int(first_line("/proc/meminfo", "MemTotal").split()[0]) / 2**20), "kernel": system.release,
            "file_system": kind, "read_ahead_kib": read_ahead_kib(directory),
            "congestion": first_line("/proc/sys/net/ipv4/tcp_congestion_control")}
