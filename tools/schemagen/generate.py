#!/usr/bin/env python3
"""schemas/ -> C++: one header a message, and sources with several messages each.

    generate.py SCHEMAS OUT          writes what changed below OUT
    generate.py --list SCHEMAS OUT   prints the files it would write, one a line
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cpp import Writer, NO_FLEXIBLE
from language import SchemaError, read_schemas
from names import snake

APIS_PER_SOURCE = 8  # few enough to build in parallel, many enough not to pay for the headers again and again
RECORD_SOURCES = {"metadata": "metadata", "offsets": "offsets"}


def header_of(message):
    if message.api_key is not None:
        name = message.name.removesuffix("Request").removesuffix("Response")
        return f"protocol/messages/{snake(name)}.h"
    return f"protocol/records/{snake(message.name)}.h"


def source_of(message):
    if message.api_key is not None:
        first = message.api_key // APIS_PER_SOURCE * APIS_PER_SOURCE
        return f"protocol/messages/api_{first:03}_{first + APIS_PER_SOURCE - 1:03}"
    return "protocol/records/" + RECORD_SOURCES.get(message.log, "others")


def grouped(messages, key):
    groups = {}
    for message in messages:
        groups.setdefault(key(message), []).append(message)
    return groups


def header(messages):
    parts = [f"// Generated from {messages[0].file}.", "#pragma once", "", '#include "protocol/message.h"', "",
             "namespace klamm::protocol {", ""]
    for message in messages:
        parts += [Writer(message).declaration(), ""]
        if message.views:
            parts += [Writer(message, view=True).declaration(), ""]
    parts += ["}  // namespace klamm::protocol", ""]
    return "\n".join(parts)


def source(messages, definitions):
    includes = sorted({header_of(message) for message in messages})
    if any(message.views for message in messages):
        includes.append("protocol/same.h")
    parts = ["// Generated from schemas/."] + [f'#include "{name}"' for name in includes]
    parts += ["", "namespace klamm::protocol {", ""]
    for message in messages:
        parts += definitions(message)
    parts += ["}  // namespace klamm::protocol", ""]
    return "\n".join(parts)


def codec_definitions(message):
    out = [Writer(message).definitions()]
    if message.views:
        out.append(Writer(message, view=True).definitions())
    return out


def upper(name):
    return snake(name).upper()


def api_rows(messages):
    lines = ["// Generated from schemas/api.", "#pragma once", "", '#include "protocol/api_key.h"', "",
             "namespace klamm::protocol {", "", "inline constexpr ApiRow generated_api_rows[] = {"]
    for message in messages:
        name = message.name.removesuffix("Request")
        current = message.current
        flexible = message.flexible.low if message.flexible else NO_FLEXIBLE
        word = lambda condition: "true" if condition else "false"
        listeners = ", ".join(word(name in message.listeners) for name in ("broker", "controller", "zkBroker"))
        lines.append(f'    {{ApiKey::{snake(name)}, "{name}", "{upper(name)}", '
                     f"{{{message.versions.low}, {message.versions.high}}}, {{{current.low}, {current.high}}}, {flexible}, "
                     f"{word(message.unstable is not None)}, {{{listeners}}}}},")
    lines += ["};", "", "}  // namespace klamm::protocol", ""]
    return "\n".join(lines)


def catalog_includes(messages):
    names = dict.fromkeys(header_of(message) for message in messages)
    return "\n".join(["// Generated from schemas/.", "#pragma once", ""] + [f'#include "{name}"' for name in names] + [""])


def catalog_rows(messages):
    lines = ["// Generated from schemas/: rows of the table in catalog.cpp."]
    for message in messages:
        lines.append(f'type_of<{message.name}, Owned>("{message.name}"),')
        if message.views:
            lines.append(f'type_of<{message.name}View, Viewed>("{message.name}View"),')
    return "\n".join(lines + [""])


def check_api_keys(messages, errors):
    """Keys without a gap, pairs that agree, errors that exist."""
    for index, message in enumerate(messages):
        if message.api_key != index:
            raise SchemaError(f"{message.file}: the next key is {index}")
    for message in errors:
        for code in message.errors:
            if code.lower() not in known_errors():
                raise SchemaError(f"{message.file}: there is no error {code}")


def known_errors():
    if not hasattr(known_errors, "names"):
        text = (Path(__file__).resolve().parents[2] / "src/base/error_code.h").read_text()
        known_errors.names = set(re.findall(r"^  (\w+) = -?\d+,", text, re.M))
    return known_errors.names


def outputs(schemas):
    messages = read_schemas(schemas)
    requests = [message for message in messages if message.kind == "request"]
    check_api_keys(requests, messages)
    files = {"protocol/api_rows.h": api_rows(requests)}
    files["protocol/catalog_includes.h"] = catalog_includes(messages)
    files["protocol/catalog_rows.h"] = catalog_rows(messages)
    for name, group in grouped(messages, header_of).items():
        files[name] = header(group)
    for name, group in grouped(messages, source_of).items():
        files[name + ".cpp"] = source(group, codec_definitions)
        files[name + "_json.cpp"] = source(group, lambda message: [Writer(message).json_definitions()])
    return files


def main(arguments):
    listing = arguments[:1] == ["--list"]
    schemas, out = arguments[listing:]
    files = outputs(schemas)
    if listing:
        print("\n".join(sorted(files)))
        return 0
    for name, text in files.items():
        path = Path(out) / name
        if path.exists() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SchemaError as error:
        sys.exit(f"schemagen: {error}")
