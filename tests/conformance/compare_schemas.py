#!/usr/bin/env python3
"""Compares schemas/ with the JSON inside Kafka's jars, field by field and version by version; a difference fails.

    compare_schemas.py SCHEMAS JARS-4.4 JARS-3.9 [PLAN]

PLAN becomes a folder with one file per Kafka version: the messages (name, Java class, JSON inside the jars)
and versions whose bytes are to be compared with it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/schemagen"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from language import PRIMITIVES, read_schemas
from reference import parse_range, read_jars, within

# In 3.9 only, and not ours.
LEFT_OUT = {
    "ListClientMetricsResourcesRequest": "renamed: key 74 is ListConfigResources, version 0 is the same",
    "ListClientMetricsResourcesResponse": "renamed: key 74 is ListConfigResources, version 0 is the same",
    "ShareGroupPartitionMetadataKey": "early access of share groups, gone before they were stable",
    "ShareGroupPartitionMetadataValue": "early access of share groups, gone before they were stable",
}
KINDS = {"request": "request", "response": "response", "data": "data", "header": "header", "record": "metadata",
         "key": "coordinator-key", "value": "coordinator-value"}


class Comparison:
    def __init__(self, ours, new, old):
        self.ours = {message.name: message for message in ours}
        self.new, self.old = new, old
        self.differences = []
        self.fields = 0
        self.versions = 0
        self.plan = {"4.4": [], "3.9": []}

    def differ(self, what):
        self.differences.append(what)

    def run(self):
        for name, theirs in sorted(self.new.items()):
            if theirs.bounds:
                self.message(name, theirs, "4.4", list(theirs.versions))
        for name, theirs in sorted(self.old.items()):
            versions = self.versions_of_old(name, theirs)
            if versions:
                self.message(name, theirs, "3.9", versions)
        for name, ours in sorted(self.ours.items()):
            known = {v for plan in self.plan.values() for planned, _, versions in plan if planned == name for v in versions}
            invented = [v for v in range(ours.versions.low, ours.versions.high + 1) if v not in known]
            if invented:
                self.differ(f"{name}: versions {invented} are in no Kafka")
        self.listeners()

    def versions_of_old(self, name, theirs):
        """The versions that only 3.9 has."""
        if name in LEFT_OUT:
            return []
        newer = self.new.get(name)
        # 3.9 wrote the type of a coordinator key as its version.
        if newer and newer.type == "coordinator-key":
            return []
        request = self.old.get(name.replace("Response", "Request"), theirs)
        stable = [v for v in theirs.versions if not (request.unstable and v == theirs.versions[-1])]
        return [v for v in stable if not (newer and v in newer.versions)]

    def message(self, name, theirs, source, versions):
        ours = self.ours.get(name)
        if ours is None:
            return self.differ(f"{name} of {source} is missing")
        missing = [v for v in versions if v not in ours.versions]
        if missing:
            self.differ(f"{name}: versions {missing} of {source} are missing")
        if source == "4.4":
            self.heads(name, ours, theirs)
        for version in versions:
            if version in ours.versions:
                self.versions += 1
                if (version in ours.flexible) != within(version, theirs.flexible):
                    self.differ(f"{name} {version}: flexible differs")
                self.struct(f"{name} {version}", ours, ours.root.fields, theirs, theirs.json.get("fields", []), version)
        self.plan[source].append((name, theirs, versions))

    def heads(self, name, ours, theirs):
        if KINDS[ours.kind] != theirs.type:
            self.differ(f"{name}: is a {theirs.type}, not a {ours.kind}")
        key = ours.api_key if ours.api_key is not None else ours.record_id
        if key != theirs.json.get("apiKey"):
            self.differ(f"{name}: has key {theirs.json.get('apiKey')}, not {key}")
        if (ours.current.low, ours.current.high) != theirs.bounds:
            self.differ(f"{name}: current versions are {theirs.bounds}, not {ours.current}")
        if ours.kind == "request" and (ours.unstable is not None) != theirs.unstable:
            self.differ(f"{name}: unstable differs")

    def listeners(self):
        for name, ours in self.ours.items():
            if ours.kind != "request":
                continue
            new = self.new[name].json.get("listeners", [])
            old_name = "ListClientMetricsResourcesRequest" if name == "ListConfigResourcesRequest" else name
            old = self.old[old_name].json.get("listeners", []) if old_name in self.old else []
            if not self.new[name].bounds:
                new = [one for one in old if one != "zkBroker"]
            theirs = set(new) | ({"zkBroker"} & set(old))
            if set(ours.listeners) != theirs:
                self.differ(f"{name}: listeners are {sorted(theirs)}, not {sorted(ours.listeners)}")

    def struct(self, path, message, our_fields, theirs, their_fields, version):
        """Fields in order, as they are in one version; and what may be dropped when writing it."""
        present = [f for f in their_fields if within(version, parse_range(f.get("versions", f.get("taggedVersions"))))]
        our_present = [f for f in our_fields if version in f.versions]
        if [f["name"] for f in present] != [f.name for f in our_present]:
            self.differ(f"{path}: fields are {[f['name'] for f in present]}, not {[f.name for f in our_present]}")
            return
        for their, our in zip(present, our_present):
            self.fields += 1
            self.field(f"{path}.{our.name}", message, our, theirs, their, version)
        ours_by_name = {f.name: f for f in our_fields}
        for their in their_fields:
            our = ours_by_name.get(their["name"])
            if their in present or our is None:
                continue
            if our.ignorable != ignorable(their):
                self.differ(f"{path}.{our.name}: ignorable is {ignorable(their)}, not {our.ignorable}")

    def field(self, path, message, our, theirs, their, version):
        def same(what, ours, expected):
            if ours != expected:
                self.differ(f"{path}: {what} is {expected}, not {ours}")

        same("type", our.type_text, their["type"])
        same("nullable", version in our.nullable, within(version, parse_range(their.get("nullableVersions"))))
        tagged = within(version, parse_range(their.get("taggedVersions")))
        same("tag", our.tag if version in our.tagged else None, their["tag"] if tagged else None)
        same("default", default_of(our.type, our.is_array, our.default),
             default_of(our.type, our.is_array, their.get("default")))
        same("entity", our.entity, their.get("entityType"))
        same("key", our.key, bool(their.get("mapKey")))
        if self.ignorable_counts(message, our, theirs, their):
            same("ignorable", our.ignorable, ignorable(their))
        same("encoding", our.always_plain, their.get("flexibleVersions") == "none")
        if our.struct:
            self.struct(path, message, our.struct.fields, theirs, theirs.fields_of(their), version)

    def ignorable_counts(self, message, our, theirs, their):
        """Whether a field may be dropped says nothing where a side has it in all its versions: 3.9 had no version without
        a topic's name, 4.4 has none without a client id."""
        bounds = parse_range(their.get("versions", their.get("taggedVersions")))
        if theirs is not self.new.get(message.name):
            return any(not within(version, bounds) for version in theirs.versions)
        older = [version for version in range(message.versions.low, theirs.bounds[0])]
        return all(version in our.versions for version in older) or any(
            not within(version, bounds) for version in theirs.versions)


def ignorable(their):
    return str(their.get("ignorable", "")).lower() == "true"


def default_of(kind, is_array, text):
    """A default in one spelling; JSON's null (not the text) is no default, as Kafka's generator reads it."""
    if text is None or text == "":
        return None
    text = str(text)
    if kind in PRIMITIVES and not is_array and text != "null":
        if kind == "bool":
            return None if text.lower() == "false" else text.lower()
        value = int(text, 0)
        return value or None
    return text


def main(schemas, new_jars, old_jars, plan=None):
    comparison = Comparison(read_schemas(schemas), read_jars(new_jars), read_jars(old_jars))
    comparison.run()
    for difference in comparison.differences:
        print("DIFFERENT", difference)
    print(f"schemas: {len(comparison.ours)} messages, {comparison.versions} versions, {comparison.fields} fields compared, "
          f"{len(comparison.differences)} differences; left out of 3.9: {len(LEFT_OUT)} messages")
    if plan:
        Path(plan).mkdir(parents=True, exist_ok=True)
        for source, rows in comparison.plan.items():
            text = "".join(f"{name}\t{theirs.java_class}\t{theirs.path}\t{','.join(map(str, versions))}\n"
                           for name, theirs, versions in rows)
            (Path(plan) / source).write_text(text)
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
