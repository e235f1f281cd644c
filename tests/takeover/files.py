"""What lies in the directories: taken at each stop, compared with what the next owner left."""
import hashlib
import re
import struct
import subprocess

SEGMENT_FILES = re.compile(r"\d{20}\.(log|index|timeindex|txnindex|snapshot)$")
# Deleted records take whole segments, compaction rewrites them, deleted topics go.
SHRINKS = re.compile(r"/(trimmed|compacted|doomed|reborn|churn-.*)-\d+(\..*-delete)?/|-delete/")
# Written without any order that the other side would have to keep.
REWRITTEN = re.compile(r"(-checkpoint|quorum-state|\.kafka_cleanshutdown|\.lock|\.tmp|\.properties|\.deleted)$")


def digest(path, size=None):
    algorithm = hashlib.sha256()
    left = path.stat().st_size if size is None else size
    with open(path, "rb") as file:
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            algorithm.update(part)
            left -= len(part)
    return algorithm.hexdigest()


class Taken:
    """All files at one moment, when nobody has them open."""

    def __init__(self, node):
        self.files = {}
        for number, directory in enumerate(node.log_dirs):
            for path in sorted(directory.rglob("*")):
                if path.is_file():
                    self.files[f"{number}/{path.relative_to(directory)}"] = (path, path.stat().st_size, self._content(path))

    @staticmethod
    def _content(path):
        if path.name == "leader-epoch-checkpoint":
            return path.read_text().split("\n")[2:]
        return digest(path)

    def kinds(self):
        found = {}
        for name in self.files:
            kind = name.rsplit("/", 1)[1]
            kind = re.sub(r"^\d{20}(-\d{10})?", "N", kind)
            found[kind] = found.get(kind, 0) + 1
        return found

    def snapshots(self):
        return {name for name in self.files if name.endswith(".checkpoint") and "__cluster_metadata-0" in name}

    def compare(self, later, clean):
        """(files compared, differences): what was there is there still, with what was appended behind it."""
        compared, differences = 0, []
        for name, (_, size, content) in self.files.items():
            if SHRINKS.search(name) or REWRITTEN.search(name) and not name.endswith("leader-epoch-checkpoint"):
                continue
            if name not in later.files:
                # A node drops snapshots of producers that belong to no segment, and its own older snapshots of the metadata.
                if not name.endswith((".snapshot", ".checkpoint")):
                    differences.append(f"{name} is gone")
                continue
            path, later_size, later_content = later.files[name]
            compared += 1
            if name.endswith("leader-epoch-checkpoint"):
                same = self._same_epochs([line for line in content if line], later_content)
            elif name.endswith(".log"):
                same = later_size >= size and digest(path, size) == content
            elif name.endswith(("index", ".snapshot")):
                same = self._same_index(name, size, content, path, later_size, clean)
            else:
                same = later_content == content
            if not same:
                differences.append(f"{name}: {size} bytes, then {later_size}, and not the same ones")
        return compared, differences

    @staticmethod
    def _same_epochs(before, after):
        """All entries are kept; the last one gives way to a later epoch when nothing was written in it."""
        if after[:len(before)] == before:
            return True
        count = len(before) - 1
        (old_epoch, old_start), (epoch, start) = before[count].split(), after[count].split()
        return after[:count] == before[:count] and int(epoch) > int(old_epoch) and start == old_start

    def _same_index(self, name, size, content, path, later_size, clean):
        """After a clean stop an index only grows; after a kill it is made anew where the log is read again, and so it is always for the
        log of the metadata, which Kafka opens as if it had been killed."""
        if not clean or "__cluster_metadata-0" in name:
            return True
        return later_size >= size and digest(path, size) == content


def batches(path):
    """(base offset, count, leader epoch, producer id, producer epoch, first sequence) of each batch."""
    with open(path, "rb") as file:
        raw = file.read()
    at, found = 0, []
    while at + 61 <= len(raw):
        base, size, epoch = struct.unpack_from(">qii", raw, at)
        if size <= 0:
            break
        producer, producer_epoch, sequence, count = struct.unpack_from(">qhii", raw, at + 43)
        found.append((base, count, epoch, producer, producer_epoch, sequence))
        at += 12 + size
    return found


def sequences_broken(directories, topic):
    """What is not in order in the batches of a topic that one producer wrote: other producers, epochs, gaps."""
    wrong = []
    for directory in directories:
        for partition in sorted(directory.glob(f"{topic}-*")):
            known, expected = None, 0
            for path in sorted(partition.glob("*.log")):
                for base, count, _, producer, epoch, sequence in batches(path):
                    known = known or (producer, epoch)
                    if (producer, epoch, sequence) != (*known, expected):
                        wrong.append(f"{partition.name}@{base}: {producer} {epoch} {sequence}, not {known} {expected}")
                    expected = sequence + count
    return wrong


# A line of dump-log that says something is wrong.
BAD = re.compile(r"isvalid: false|[Mm]ismatch|Exception|corrupt|[Ii]nvalid|[Ff]ailed|not pass|out of order|bad|Ignoring|Index offset:|Index timestamp:")
GAP = re.compile(r"  (-?\d+) is followed by (\d+)$")
# Compaction and retention of Kafka's own topics leave gaps.
HAS_GAPS = re.compile(r"/(compacted|__consumer_offsets|__transaction_state|__share_group_state)-\d+/")


class Findings:
    """What the lines of dump-log say of `paths`, in the order in which it prints them."""

    def __init__(self):
        self.found, self.sane, self.dumped, self._gaps_of = [], 0, 0, None

    def line(self, line):
        if line.startswith("Dumping "):
            self.dumped += 1
        elif line.startswith("Non-consecutive offsets in "):
            self._gaps_of = line[27:].rstrip()
        elif gap := GAP.match(line):
            # It begins to count at zero, in a later segment too.
            if gap.group(1) != "-1" and not HAS_GAPS.search(self._gaps_of):
                self.found.append(f"{self._gaps_of}: {line.strip()}")
        elif BAD.search(line) and "isvalid: true" not in line:
            self.found.append(line.strip()[:300])
        else:
            self.sane += line.endswith((" passed sanity check.\n", " is empty.\n"))


def dump_findings(kafka, node):
    """(files, what Kafka's dump-log finds wrong): every log deeply, every index and time index against its log and by the start's own check."""
    logs, indexes = [], []
    for directory in node.log_dirs:
        for path in sorted(directory.rglob("*")):
            if path.parent.name.endswith("-delete"):
                continue
            if path.suffix == ".log":
                logs.append(path)
            elif path.suffix in (".index", ".timeindex"):
                indexes.append(path)
    found = []
    for options, paths in ((["--deep-iteration"], logs), ([], indexes), (["--index-sanity-check"], indexes)):
        command = kafka.dump_log("--files", ",".join(map(str, paths)), *options)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        findings = Findings()
        for line in process.stdout:
            findings.line(line)
        found += findings.found
        if process.wait() != 0 or findings.dumped != len(paths):
            found.append(f"dump-log {options} ended with {process.returncode} after {findings.dumped} of {len(paths)} files")
        if "--index-sanity-check" in options and findings.sane != len(indexes):
            found.append(f"{len(indexes) - findings.sane} of {len(indexes)} indexes did not pass the sanity check")
    return len(logs) + 2 * len(indexes), found
