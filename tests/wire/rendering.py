"""Answers as text, in the form of behaviour.tsv: fields by schema name, error codes with their names, what is empty left out."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {int(code): name.upper() for name, code in
         re.findall(r"^  (\w+) = (-?\d+),$", (ROOT / "src/base/error_code.h").read_text(), re.M)}
SHOWN = 6  # elements of an array; the rest is counted


def render_value(name, value, field):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value)
    if field.type == "records":
        return f"<{len(value)} bytes>" if value else "empty"
    if field.type == "uuid":
        return "0" if value == b"\0" * 16 else "<id>"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if name == "ErrorCode":
        return "0" if value == 0 else f"{value} {NAMES.get(value, '?')}"
    return str(value)


def left_out(name, value, field):
    if value is None:
        return name != "ErrorMessage" and field.type != "records"
    if field.type == "records":
        return False
    return value == "" or value == [] or (name == "ThrottleTimeMs" and value == 0)


def render(values, its):
    parts = []
    for field in its.fields:
        if field.name not in values:
            continue
        value = values[field.name]
        if left_out(field.name, value, field):
            continue
        if field.is_array:
            items = [render(item, field.struct) if field.is_struct else render_value("", item, field) for item in value[:SHOWN]]
            if len(value) > SHOWN:
                items.append(f"...{len(value) - SHOWN} more")
            parts.append(f"{field.name}=[{', '.join(items)}]")
        elif field.is_struct:
            parts.append(f"{field.name}={render(value, field.struct)}")
        else:
            parts.append(f"{field.name}={render_value(field.name, value, field)}")
    return "{" + ", ".join(parts) + "}"


# What differs from run to run.
MASKS = (
    (re.compile(r"\b1[0-9]{12}\b|<ms>"), "<ms>"),
    (re.compile(r"\[-92233702\d+, "), "[<min>, "),
    (re.compile(r"x{20,}.*"), "<long>"),
    (re.compile(r"Port=\d+"), "Port=<port>"),
    (re.compile(r"Host=[\w.]+"), "Host=<host>"),
    (re.compile(r"ClusterId=[\w-]+"), "ClusterId=<cluster>"),
    (re.compile(r"\bw-[0-9a-f]{8}-[0-9a-f-]{27}"), "w-<uuid>"),
    (re.compile(r"SessionId=[1-9]\d*"), "SessionId=<session>"),
    (re.compile(r"ProducerId=\d+"), "ProducerId=<pid>"),
    (re.compile(r"LogDir=[^,}]+"), "LogDir=<dir>"),
    (re.compile(r"(TotalBytes|UsableBytes)=\d+"), r"\1=<n>"),
    (re.compile(r"reply \d+ bytes"), "reply"),
    (re.compile(r"first bytes.*$"), "first bytes"),
    (re.compile(r"epoch=\d+ zk"), "epoch=<n> zk"),
)


def masked(text):
    for pattern, placeholder in MASKS:
        text = pattern.sub(placeholder, text)
    return text
