"""Reads the schema language (docs/schemas.md) into a model and checks it.

A schema file describes one API (request and response), one record, or the key and value of one coordinator record.
Every complaint names the file and the line.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

OPEN_END = 32767  # "3+": the end is whatever the message's own highest version is

PRIMITIVES = {
    "bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16,
}
VARIABLE = ("string", "bytes", "records")
ENTITIES = {
    "topicName": "string", "groupId": "string", "transactionalId": "string", "brokerId": "int32", "producerId": "int64",
}
LISTENERS = ("zkBroker", "broker", "controller")
LOGS = ("metadata", "offsets", "transactions", "share", "remote-log")


class SchemaError(Exception):
    pass


@dataclass(frozen=True)
class Versions:
    """A closed range of versions; empty when low > high."""
    low: int
    high: int

    def __and__(self, other):
        return Versions(max(self.low, other.low), min(self.high, other.high))

    def __contains__(self, version):
        return self.low <= version <= self.high

    def __bool__(self):
        return self.low <= self.high

    def covers(self, other):
        return not other or (self.low <= other.low and other.high <= self.high)

    def __str__(self):
        if not self:
            return "none"
        if self.high == OPEN_END:
            return f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


ALL = Versions(0, OPEN_END)
NONE = Versions(0, -1)


@dataclass
class Field:
    name: str
    type: str                    # without the [] of an array
    is_array: bool
    versions: Versions           # as written; ALL when nothing is written
    nullable: Versions = NONE
    tag: int | None = None
    tagged: Versions = NONE
    default: str | None = None   # the text after "default"; "null" for null
    ignorable: bool = False
    key: bool = False
    entity: str | None = None
    always_plain: bool = False   # "flexible none": the old encoding in every version
    struct: "Struct | None" = None

    @property
    def is_struct(self):
        return self.type[0].isupper()

    @property
    def type_text(self):
        return ("[]" if self.is_array else "") + self.type


@dataclass
class Struct:
    name: str
    versions: Versions           # versions in which it can be met
    fields: list = field(default_factory=list)


@dataclass
class Message:
    name: str                    # ProduceRequest, TopicRecord, OffsetCommitKey
    kind: str                    # request, response, key, value, record, data, header
    file: str
    comment: list
    versions: Versions
    current: Versions            # those of Kafka 4.4; the others are of 3.9
    flexible: Versions
    unstable: int | None = None
    api_key: int | None = None
    log: str | None = None
    record_id: int | None = None
    listeners: tuple = ()
    errors: list = field(default_factory=list)
    views: bool = False          # has a twin that owns nothing (ProduceRequestView)
    root: Struct = None
    structs: list = field(default_factory=list)  # every struct, those that are used before their users


def parse_versions(text):
    if text == "none":
        return NONE
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not match:
        return None
    low = int(match[1])
    if match[2] is None:
        return Versions(low, low)
    return Versions(low, OPEN_END if match[2] == "+" else int(match[3]))


@dataclass
class Line:
    number: int
    indent: int
    words: list


class Parser:
    def __init__(self, path, shown):
        self.file = shown
        self.comment = []
        self.lines = []
        for number, raw in enumerate(Path(path).read_text().splitlines(), 1):
            text, _, remark = raw.partition("#")
            if not text.strip():
                if remark and not self.lines:
                    self.comment.append(remark.strip())
                continue
            indent = len(text) - len(text.lstrip(" "))
            if "\t" in text or indent % 2:
                raise self.wrong(number, "indent by two blanks a level")
            self.lines.append(Line(number, indent // 2, text.split()))
        self.at = 0

    def wrong(self, number, what):
        return SchemaError(f"{self.file}:{number}: {what}")

    def peek(self):
        return self.lines[self.at] if self.at < len(self.lines) else None

    def next(self):
        self.at += 1
        return self.lines[self.at - 1]

    def messages(self):
        if not self.lines:
            raise self.wrong(1, "the file is empty")
        head = self.next()
        word = head.words[0]
        if head.indent or word not in ("api", "record", "data", "header"):
            raise self.wrong(head.number, "a file begins with api, record, data or header")
        common = self.properties()
        if word == "api":
            if len(head.words) != 3:
                raise self.wrong(head.number, "api KEY Name")
            return self.api(int(head.words[1]), head.words[2], common)
        if word == "record":
            if len(head.words) != 4 or head.words[1] not in LOGS:
                raise self.wrong(head.number, "record LOG ID Name, LOG one of " + " ".join(LOGS))
            return self.record(head.words[1], int(head.words[2]), head.words[3], common)
        if len(head.words) != 2:
            raise self.wrong(head.number, f"{word} Name")
        message = self.message(head.words[1], word, common, head.number)
        self.section("fields", message)
        return [self.finish(message)]

    def api(self, key, name, common):
        out = []
        for kind in ("request", "response"):
            message = self.message(name + kind.capitalize(), kind, common, self.lines[0].number)
            message.api_key = key
            message.listeners = tuple(common.get("listeners", ()))
            self.section(kind, message)
            out.append(self.finish(message))
        return out

    def record(self, log, record_id, name, common):
        out = []
        kinds = ("key", "value") if self.peek() and self.peek().words[0] == "key" else ("record",)
        for kind in kinds:
            message = self.message(name + ("" if kind == "record" else kind.capitalize()), kind, common, self.lines[0].number)
            message.log, message.record_id = log, record_id
            self.section("fields" if kind == "record" else kind, message)
            out.append(self.finish(message))
        return out

    def message(self, name, kind, common, number):
        message = Message(name, kind, self.file, self.comment, NONE, NONE, NONE)
        self.apply(message, common, number)
        message.root = Struct(name, ALL)
        return message

    def apply(self, message, properties, number):
        if "versions" in properties:
            message.versions = message.current = properties["versions"]
        message.current = properties.get("current", message.current)
        message.flexible = properties.get("flexible", message.flexible)
        message.unstable = properties.get("unstable", message.unstable)
        message.views = properties.get("views", message.views)
        if message.unstable is not None and message.unstable != message.versions.high:
            raise self.wrong(number, "only the highest version can be unstable")
        if message.versions.high == OPEN_END:
            raise self.wrong(number, "the versions of a message have an end")

    def properties(self):
        """The indented lines before the fields: versions, current, flexible, unstable, listeners, views, errors."""
        found = {}
        while self.peek() and self.peek().indent == 1:
            line = self.peek()
            name, rest = line.words[0], line.words[1:]
            if name in ("versions", "current", "flexible") and len(rest) == 1:
                versions = parse_versions(rest[0])
                if versions is None:
                    raise self.wrong(line.number, f"{name} takes versions, not {rest[0]}")
                found[name] = versions
            elif name == "unstable" and len(rest) == 1:
                found[name] = int(rest[0])
            elif name == "listeners":
                unknown = [word for word in rest if word not in LISTENERS]
                if unknown:
                    raise self.wrong(line.number, f"unknown listener {unknown[0]}")
                found[name] = rest
            elif name == "views" and not rest:
                found[name] = True
            elif name == "errors":
                found.setdefault(name, []).extend(rest)
            else:
                break
            self.next()
        return found

    def section(self, word, message):
        line = self.peek()
        if line is None:
            return
        if line.indent or line.words != [word]:
            raise self.wrong(line.number, f"expected the section {word}")
        self.next()
        own = self.properties()
        self.apply(message, own, line.number)
        message.errors = own.get("errors", [])
        named = {}
        message.root.fields = self.fields(1, named)
        while self.peek() and self.peek().indent == 1 and self.peek().words[0] == "struct":
            line = self.next()
            if len(line.words) not in (2, 3):
                raise self.wrong(line.number, "struct Name [VERSIONS]")
            versions = parse_versions(line.words[2]) if len(line.words) == 3 else ALL
            self.define(named, Struct(line.words[1], versions), line.number)
            named[line.words[1]].fields = self.fields(2, named)
        self.resolve(message, named)

    def define(self, named, struct, number):
        if struct.name in named:
            raise self.wrong(number, f"struct {struct.name} is there already")
        named[struct.name] = struct

    def fields(self, indent, named):
        out = []
        while self.peek() and self.peek().indent == indent and self.peek().words[0] != "struct":
            line = self.next()
            one = self.field(line)
            if any(other.name == one.name for other in out):
                raise self.wrong(line.number, f"field {one.name} is there already")
            if self.peek() and self.peek().indent == indent + 1:
                if not one.is_struct:
                    raise self.wrong(self.peek().number, f"{one.name} is no struct and has no fields")
                self.define(named, Struct(one.type, ALL), line.number)
                named[one.type].fields = self.fields(indent + 1, named)
            elif self.peek() and self.peek().indent > indent + 1:
                raise self.wrong(self.peek().number, "indented too far")
            out.append(one)
        return out

    def field(self, line):
        words = list(line.words)
        if len(words) < 2 or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", words[0]):
            raise self.wrong(line.number, "a field is: Name type [versions] [attributes]")
        name, kind = words.pop(0), words.pop(0)
        one = Field(name, kind.removeprefix("[]"), kind.startswith("[]"), ALL)
        one.number = line.number
        if not (one.type in PRIMITIVES or one.type in VARIABLE or one.type[:1].isupper()):
            raise self.wrong(line.number, f"unknown type {kind}")
        if words and parse_versions(words[0]):
            one.versions = parse_versions(words.pop(0))
        while words:
            self.attribute(one, words, line.number)
        return one

    def attribute(self, one, words, number):
        word = words.pop(0)

        def optional_versions():
            if words and parse_versions(words[0]):
                return parse_versions(words.pop(0))
            return one.versions

        if word == "null":
            one.nullable = optional_versions()
        elif word == "tag" and words:
            one.tag = int(words.pop(0))
            one.tagged = optional_versions()
        elif word == "default" and words:
            one.default = words.pop(0)
        elif word == "ignorable":
            one.ignorable = True
        elif word == "key":
            one.key = True
        elif word == "entity" and words and words[0] in ENTITIES:
            one.entity = words.pop(0)
            if ENTITIES[one.entity] != one.type:
                raise self.wrong(number, f"entity {one.entity} is a {ENTITIES[one.entity]}")
        elif word == "flexible" and words and words.pop(0) == "none":
            one.always_plain = True
        else:
            raise self.wrong(number, f"unknown attribute {word}")

    def resolve(self, message, named):
        """Puts the structs in the order C++ needs them, and gives each the versions in which it can be met."""
        used = []

        def visit(struct, above):
            if struct in above:
                raise SchemaError(f"{self.file}: struct {struct.name} contains itself")
            for one in struct.fields:
                if not one.is_struct:
                    continue
                if one.type not in named:
                    raise self.wrong(one.number, f"struct {one.type} is not defined")
                one.struct = named[one.type]
                visit(one.struct, above + [struct])
            if struct is not message.root and struct not in used:
                used.append(struct)

        visit(message.root, [])
        unused = [name for name, struct in named.items() if struct not in used]
        if unused:
            raise SchemaError(f"{self.file}: struct {unused[0]} of {message.name} is not used")
        message.structs = used
        met = {id(struct): [] for struct in used}
        for struct in [message.root] + used[::-1]:
            own = message.versions if struct is message.root else self.reach(met[id(struct)], message)
            struct.versions = own & struct.versions
            for one in struct.fields:
                if one.struct:
                    met[id(one.struct)].append(one.versions & struct.versions)

    @staticmethod
    def reach(ranges, message):
        ranges = [one for one in ranges if one] or [message.versions]
        return Versions(min(one.low for one in ranges), max(one.high for one in ranges))

    def finish(self, message):
        message.errors = list(dict.fromkeys(message.errors))
        if message.versions == NONE:
            raise SchemaError(f"{self.file}: {message.name} has no versions")
        for struct in message.structs + [message.root]:
            tags = set()
            for one in struct.fields:
                self.check(message, struct, one, tags)
        return message

    def check(self, message, struct, one, tags):
        def wrong(what):
            return self.wrong(one.number, f"{one.name} {what}")

        present = one.versions & struct.versions
        if not present:
            raise wrong(f"is in no version: {one.versions} of {struct.versions}")
        if one.nullable and one.type in PRIMITIVES and not one.is_array:
            raise wrong("cannot be null")
        if one.default == "null" and not one.nullable.covers(present):
            raise wrong("has the default null, but is not always nullable")
        if one.default not in (None, "null"):
            if one.is_array or one.type not in PRIMITIVES or one.type == "uuid":
                raise wrong("can have no default but null")
            if one.type == "bool":
                if one.default not in ("true", "false"):
                    raise wrong("is a bool")
            elif one.type == "float64":
                float(one.default)
            else:
                bits = 8 * PRIMITIVES[one.type]
                low, high = (0, 1 << bits) if one.type[0] == "u" else (-1 << (bits - 1), 1 << (bits - 1))
                if not low <= int(one.default, 0) < high:
                    raise wrong(f"has a default that is no {one.type}")
        if one.tag is not None:
            if one.tag in tags:
                raise wrong(f"has tag {one.tag}, which is taken")
            tags.add(one.tag)
            tagged = one.tagged & present
            if not message.flexible.covers(tagged):
                raise wrong("is tagged in versions that are not flexible")
            if tagged.high != present.high or one.type == "records" or one.key:
                raise wrong("cannot be tagged so")
            if one.nullable & tagged and not one.nullable.covers(tagged):
                raise wrong("is nullable in some of its tagged versions only")


def read_schemas(root):
    """Every message below root/api and root/records, in the order of the file names."""
    messages = []
    for path in sorted(Path(root).rglob("*.schema")):
        messages.extend(Parser(path, "schemas/" + str(path.relative_to(root))).messages())
    seen = set()
    for message in messages:
        if message.name in seen:
            raise SchemaError(f"{message.file}: {message.name} is there already")
        seen.add(message.name)
    return messages
