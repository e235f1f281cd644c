"""Kafka's own descriptions of its messages: the JSON inside the published jars."""

import json
import zipfile
from pathlib import Path

OPEN_END = 32767

# Where the Java classes of a jar's messages are.
PACKAGES = {
    "kafka-clients": "org.apache.kafka.common.message",
    "kafka-metadata": "org.apache.kafka.common.metadata",
    "kafka-group-coordinator": "org.apache.kafka.coordinator.group.generated",
    "kafka-transaction-coordinator": "org.apache.kafka.coordinator.transaction.generated",
    "kafka-share-coordinator": "org.apache.kafka.coordinator.share.generated",
    "kafka-raft": "org.apache.kafka.raft.generated",
    "kafka-storage": "org.apache.kafka.server.log.remote.metadata.storage.generated",
}


def without_comments(text):
    out, i, quoted = [], 0, False
    while i < len(text):
        if quoted and text[i] == "\\":
            out.append(text[i:i + 2])
            i += 2
            continue
        if text[i] == '"':
            quoted = not quoted
        if not quoted and text.startswith("//", i):
            i = text.find("\n", i)
            continue
        out.append(text[i])
        i += 1
    return "".join(out)


def parse_range(text):
    """A range (low, high); nothing for none."""
    text = (text or "none").strip()
    if text in ("none", ""):
        return None
    if text.endswith("+"):
        return int(text[:-1]), OPEN_END
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def within(version, bounds):
    return bounds is not None and bounds[0] <= version <= bounds[1]


class Message:
    """One JSON file."""

    def __init__(self, jar, path, text):
        self.jar, self.path = jar, path
        self.json = json.loads(without_comments(text))
        self.name, self.type = self.json["name"], self.json["type"]
        self.bounds = parse_range(self.json.get("validVersions"))
        self.flexible = parse_range(self.json.get("flexibleVersions"))
        self.unstable = bool(self.json.get("latestVersionUnstable"))
        self.common = {struct["name"]: struct for struct in self.json.get("commonStructs", [])}

    @property
    def versions(self):
        return range(self.bounds[0], self.bounds[1] + 1) if self.bounds else range(0)

    @property
    def java_class(self):
        suffix = "Data" if self.type in ("request", "response", "header") else ""
        return f"{PACKAGES[self.jar]}.{self.name}{suffix}"

    def fields_of(self, field):
        """The fields of a struct or of an array of structs: its own, or those of a common struct."""
        kind = field["type"].removeprefix("[]")
        return field["fields"] if field.get("fields") else self.common[kind]["fields"]


def read_jars(folder):
    """Every message of the Kafka jars in a folder, by name."""
    messages = {}
    for path in sorted(Path(folder).glob("kafka-*.jar")):
        jar = path.name.rsplit("-", 1)[0]
        if jar not in PACKAGES:
            continue
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json") and ("message/" in name or "metadata/" in name):
                    message = Message(jar, name, archive.read(name).decode())
                    messages[message.name] = message
    return messages
