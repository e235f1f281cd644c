"""Writes the C++ of a message: the aggregate, encode, decode and JSON; and its View twin, which owns nothing."""

import re

from language import PRIMITIVES, Versions
from names import camel, member, snake

OWNED = {
    "bool": "bool", "int8": "std::int8_t", "int16": "std::int16_t", "uint16": "std::uint16_t", "int32": "std::int32_t",
    "uint32": "std::uint32_t", "int64": "std::int64_t", "float64": "double", "uuid": "Uuid", "string": "std::string",
    "bytes": "ByteVector", "records": "Payload",
}
VIEWED = OWNED | {"string": "std::string_view", "bytes": "Bytes"}
NO_FLEXIBLE = 32767


class Names:
    """How one flavour (owned or view) spells things."""

    def __init__(self, view):
        self.view = view
        self.types = VIEWED if view else OWNED
        self.suffix = "View" if view else ""
        self.arena = "arena, " if view else ""
        self.view_word = "_view" if view else ""

    def array(self, element):
        return f"std::span<{element}>" if self.view else f"std::vector<{element}>"

    def raw_tags(self):
        return self.array("RawTaggedFieldView" if self.view else "RawTaggedField")


def can_be_null(field, struct):
    return bool(field.nullable & field.versions & struct.versions)


def cpp_type(field, struct, names):
    base = field.type if field.is_struct else names.types[field.type]
    text = names.array(base) if field.is_array else base
    if field.type == "records":
        return text
    return f"std::optional<{text}>" if can_be_null(field, struct) else text


def initializer(field, struct):
    if field.default == "null" or field.type == "records":
        return ""
    if can_be_null(field, struct):
        return " = {{}}" if field.type not in ("string",) or field.is_array else ' = ""'
    if field.is_array or field.is_struct or field.type in ("string", "bytes", "uuid"):
        return ""
    if field.default is None:
        return " = " + {"bool": "false", "float64": "0.0"}.get(field.type, "0")
    return " = " + number(field)


def number(field):
    if field.type in ("bool", "float64"):
        return field.default
    value = int(field.default, 0)
    if field.type == "int64" and value == -(1 << 63):
        return "std::numeric_limits<std::int64_t>::min()"
    if field.type == "int32" and value == -(1 << 31):
        return "std::numeric_limits<std::int32_t>::min()"
    return str(value)


def condition(versions, context):
    """C++ that is true when `v`, the version, known to lie in context, lies in versions; None when it always does."""
    both = versions & context
    if not both:
        return "false"
    if both == context:
        return None
    if both.low == both.high:
        return f"v == {both.low}"
    parts = []
    if both.low > context.low:
        parts.append(f"v >= {both.low}")
    if both.high < context.high:
        parts.append(f"v <= {both.high}")
    return " && ".join(parts)


def non_default(field, struct):
    name = member(field.name)
    nullable = can_be_null(field, struct)
    if field.type == "records" and not field.is_array:
        return f"!{name}.is_null()"
    if field.default == "null":
        return f"{name}.has_value()"
    if field.is_array or field.type in ("string", "bytes"):
        return f"!{name} || !{name}->empty()" if nullable else f"!{name}.empty()"
    if field.is_struct:
        return f"!{name} || *{name} != {field.type}{{}}" if nullable else f"{name} != {field.type}{{}}"
    if field.type == "uuid":
        return f"!{name}.is_zero()"
    if field.type == "bool":
        return f"!{name}" if field.default == "true" else name
    return f"{name} != {number(field) if field.default else 0}"


class Body:
    """Lines of a function, indented."""

    def __init__(self):
        self.lines = []
        self.depth = 1

    def add(self, text):
        self.lines.append("  " * self.depth + text)

    def when(self, cond, text):
        self.add(f"if ({cond}) {text}" if cond else text)

    def open(self, text):
        self.add(text)
        self.depth += 1

    def close(self, text="}"):
        self.depth -= 1
        self.add(text)

    def otherwise(self):
        self.depth -= 1
        self.open("} else {")

    def uses(self, word):
        return any(re.search(rf"\b{word}\b", line) for line in self.lines)

    def text(self):
        return "\n".join(self.lines)


class Writer:
    """One message in one flavour. The version is called v in definitions: some messages have a field called version."""

    def __init__(self, message, view=False):
        self.message = message
        self.names = Names(view)
        self.name = message.name + self.names.suffix

    # ---- what is common to encode, decode and JSON

    def flexible_constant(self, struct):
        cond = condition(self.message.flexible, struct.versions) if self.message.flexible else "false"
        if cond is None:
            return "true"
        return cond

    def flexible(self, field):
        return "false" if field.always_plain else "flexible"

    def null_allowed(self, field, context):
        cond = condition(field.nullable, context)
        return "true" if cond is None else cond

    def wire_bytes_min(self, struct):
        """The fewest bytes a struct takes on the wire, in any of its versions: bounds a hostile count."""
        fewest = None
        for version in range(struct.versions.low, struct.versions.high + 1):
            flexible = version in self.message.flexible
            total = 1 if flexible else 0
            for field in struct.fields:
                if version not in field.versions or version in field.tagged:
                    continue
                if field.is_array:
                    total += 1 if flexible else 4
                elif field.is_struct:
                    total += 1 if version in field.nullable else self.wire_bytes_min(field.struct)
                elif field.type in PRIMITIVES:
                    total += PRIMITIVES[field.type]
                elif field.type == "string":
                    total += 1 if flexible and not field.always_plain else 2
                else:
                    total += 1 if flexible else 4
            fewest = total if fewest is None else min(fewest, total)
        return max(fewest or 0, 1)

    # ---- decode

    def decode_statement(self, field, struct, context):
        """Reads an untagged field, or the inside of a tag."""
        name, wire, words = member(field.name), f'"{camel(field.name)}"', self.names
        nullable = can_be_null(field, struct)
        flexible = self.flexible(field)
        null = self.null_allowed(field, context)
        if field.is_array and field.is_struct:
            return (f"read_structs(r, {words.arena}{name}, {wire}, {flexible}, {null}, "
                    f"{self.wire_bytes_min(field.struct)}, v);")
        if field.is_array:
            return f"r.read_array({words.arena}{name}, {wire}, {flexible}, {null});"
        if field.is_struct:
            return f"{name}.decode(r, {words.arena}v);"
        if field.type == "records":
            return f"{name} = r.read_records({wire}, {flexible}, {null});"
        if field.type in ("string", "bytes"):
            function = f"read_{'nullable_' if nullable else ''}{field.type}{words.view_word}"
            extra = f", {null}" if nullable else ""
            return f"{name} = r.{function}({wire}, {flexible}{extra});"
        return f"{name} = r.read_{field.type}();"

    def decode_field(self, body, field, struct, context, tagged):
        name = member(field.name)
        if field.is_struct and not field.is_array and can_be_null(field, struct):
            null = condition(field.nullable, context)
            present = "r.read_unsigned_varint() != 0" if tagged else "r.read_int8() >= 0"
            if null is not None:
                present = f"!({null}) || {present}"
            body.open(f"if ({present}) {{")
            body.add(f"{name}.emplace().decode(r, {self.names.arena}v);")
            body.otherwise()
            body.add(f"{name}.reset();")
            body.close()
        else:
            body.add(self.decode_statement(field, struct, context))

    def body_of(self, struct, fill):
        """A function body, with `flexible` declared when it is used."""
        body = Body()
        flexible = self.flexible_constant(struct)
        top = fill(body, struct, flexible)
        if body.uses("flexible"):
            body.lines.insert(top, f"  const bool flexible = {flexible};")
        return body.text()

    def fill_decode(self, body, struct, flexible):
        context = struct.versions
        if struct is self.message.root:
            body.add(f'if (!r.version_is_known("{self.message.name}", v, min_version, highest_version)) return;')
        body.add("*this = {};")
        top = len(body.lines)
        for field in struct.fields:
            present = field.versions & context
            plain = self.minus(present, field.tagged)
            if not plain:
                continue
            cond = condition(plain, context)
            if cond:
                body.open(f"if ({cond}) {{")
            self.decode_field(body, field, struct, plain, False)
            if cond:
                body.close()
        tagged = [f for f in struct.fields if f.tagged & f.versions & context]
        if flexible == "false":
            return top
        if not tagged:
            body.when(None if flexible == "true" else "flexible",
                      f"r.read_unknown_tagged_fields({self.names.arena}unknown_tagged_fields);")
            return top
        if flexible != "true":
            body.add("if (!flexible) return;")
        body.open("for (TaggedFieldReader tags(r); tags.next();) {")
        body.open("switch (tags.tag()) {")
        for field in sorted(tagged, key=lambda f: f.tag):
            present = field.tagged & field.versions & context
            cond = condition(present, self.message.flexible & context)
            body.open(f"case {field.tag}:")
            if cond:
                body.open(f"if (!({cond})) {{")
                body.add(f"r.fail_tag({field.tag}, v);")
                body.add("return;")
                body.close()
            self.decode_field(body, field, struct, present, True)
            body.add("break;")
            body.depth -= 1
        body.open("default:")
        body.add(f"tags.keep({self.names.arena}unknown_tagged_fields);")
        body.depth -= 2
        body.add("}")
        body.close()
        return top

    @staticmethod
    def minus(present, tagged):
        """The versions of `present` in which the field is not tagged: tagged versions reach to the end."""
        both = present & tagged
        return Versions(present.low, both.low - 1) if both else present

    # ---- encode

    def encode_statement(self, field, struct, context):
        name, wire = member(field.name), f'"{camel(field.name)}"'
        nullable = can_be_null(field, struct)
        flexible = self.flexible(field)
        null = f", {self.null_allowed(field, context)}" if nullable else ""
        if field.is_array and field.is_struct:
            return f"write_structs(w, {name}, {wire}, {flexible}{null}, v);"
        if field.is_array:
            return f"w.write_array({name}, {wire}, {flexible}{null});"
        if field.is_struct:
            return f"{name}.encode(w, v);"
        if field.type == "records":
            return f"w.write_records({name}, {wire}, {flexible}, {self.null_allowed(field, context)});"
        if field.type in ("string", "bytes"):
            return f"w.write_{'nullable_' if nullable else ''}{field.type}({name}, {wire}, {flexible}{null});"
        return f"w.write_{field.type}({name});"

    def encode_field(self, body, field, struct, context, tagged):
        name = member(field.name)
        if field.is_struct and not field.is_array and can_be_null(field, struct):
            null = self.null_allowed(field, context)
            marker = "unsigned_varint" if tagged else "int8"
            body.open(f"if ({name}) {{")
            body.when(None if null == "true" else null, f"w.write_{marker}(1);")
            body.add(f"{name}->encode(w, v);")
            body.otherwise()
            if null != "true":
                body.add(f'if (!({null})) w.fail_null("{camel(field.name)}");')
            body.add(f"w.write_{marker}({0 if tagged else -1});")
            body.close()
        else:
            body.add(self.encode_statement(field, struct, context))

    def fill_encode(self, body, struct, flexible):
        context = struct.versions
        if struct is self.message.root:
            body.add(f'if (!w.version_is_known("{self.message.name}", v, min_version, highest_version)) return;')
        top = len(body.lines)
        for field in struct.fields:
            present = field.versions & context
            plain = self.minus(present, field.tagged)
            cond = condition(plain, context)
            if plain:
                if cond:
                    body.open(f"if ({cond}) {{")
                self.encode_field(body, field, struct, plain, False)
                if cond:
                    body.close()
            absent = condition(present, context)
            if absent and not field.ignorable:
                test = non_default(field, struct)
                body.open(f"if (!({absent}) && ({test})) {{")
                body.add(f'w.fail_absent("{camel(field.name)}", v);')
                body.close()
        if flexible == "false":
            body.add("if (!unknown_tagged_fields.empty()) w.fail_tagged(v);")
            return top
        if flexible != "true":
            body.open("if (!flexible) {")
            body.add("if (!unknown_tagged_fields.empty()) w.fail_tagged(v);")
            body.add("return;")
            body.close()
        self.encode_tags(body, struct)
        return top

    def encode_tags(self, body, struct):
        context = struct.versions & self.message.flexible
        tagged = sorted((f for f in struct.fields if f.tagged & f.versions & context), key=lambda f: f.tag)
        if not tagged:
            body.add("w.write_unknown_tagged_fields(unknown_tagged_fields);")
            return
        names = []
        for field in tagged:
            name = f"has_{snake(field.name)}"
            names.append(name)
            cond = condition(field.tagged & field.versions, context)
            test = non_default(field, struct)
            body.add(f"const bool {name} = " + (f"{cond} && ({test});" if cond else f"{test};"))
        total = " + ".join(f"std::size_t{{{name}}}" for name in names)
        body.add(f"TaggedFieldWriter tags(w, unknown_tagged_fields, {total});")
        for field, name in zip(tagged, names):
            body.open(f"if ({name}) {{")
            body.add(f"const auto start = tags.begin({field.tag});")
            self.encode_field(body, field, struct, field.tagged & field.versions & context, True)
            body.add("tags.end(start);")
            body.close()
        body.add("tags.finish();")

    # ---- JSON

    def json_body(self, struct):
        body = Body()
        context = struct.versions
        body.add("j.begin_object();")
        for field in struct.fields:
            present = field.versions & context
            name = member(field.name)
            function = "records" if field.type == "records" and not field.is_array else "field"
            version = ", v" if field.is_struct else ""
            statement = f'j.{function}("{camel(field.name)}", {name}{version});'
            plain = self.minus(present, field.tagged)
            if plain:
                body.when(condition(plain, context), statement)
            if present & field.tagged:
                cond = condition(present & field.tagged, context)
                test = non_default(field, struct)
                body.when(f"({cond}) && ({test})" if cond else test, statement)
        body.add("j.end_object();")
        return body.text()

    # ---- the pieces of the files

    def declare_struct(self, struct, indent):
        lines = []
        for field in struct.fields:
            remark = "" if (field.versions & struct.versions) == struct.versions else f"  // {self.versions_text(field)}"
            lines.append(f"{cpp_type(field, struct, self.names)} {member(field.name)}{initializer(field, struct)};{remark}")
        lines.append(f"{self.names.raw_tags()} unknown_tagged_fields;")
        lines.append("")
        lines.append("void encode(Writer& w, std::int16_t version) const;")
        lines.append(f"void decode(Reader& r, {'Arena& arena, ' if self.names.view else ''}std::int16_t version);")
        if not self.names.view:
            lines.append("void write_json(JsonWriter& j, std::int16_t version) const;")
        if self.names.view:
            lines.append(f"bool operator==(const {self.cpp_name(struct)}& other) const;")
        else:
            lines.append(f"bool operator==(const {self.cpp_name(struct)}&) const = default;")
        return [("  " * indent + line).rstrip() for line in lines]

    def versions_text(self, field):
        return f"versions {field.versions}"

    def cpp_name(self, struct):
        return self.name if struct is self.message.root else struct.name

    def space(self):
        """The namespace of the structs inside the message."""
        return snake(self.message.name) + ("_view" if self.names.view else "")

    def qualified(self, struct):
        return self.name if struct is self.message.root else f"{self.space()}::{struct.name}"

    def constants(self):
        message = self.message
        stable = message.versions.high - (1 if message.unstable is not None else 0)
        lines = []
        if message.api_key is not None:
            api = message.name.removesuffix("Request").removesuffix("Response")
            lines.append(f"static constexpr ApiKey api_key = ApiKey::{snake(api)};")
        if message.record_id is not None:
            lines.append(f"static constexpr std::int16_t record_type = {message.record_id};")
        lines.append(f"static constexpr std::int16_t min_version = {message.versions.low};")
        lines.append(f"static constexpr std::int16_t max_version = {stable};")
        lines.append(f"static constexpr std::int16_t highest_version = {message.versions.high};")
        first = message.flexible.low if message.flexible else None
        lines.append(f"static constexpr std::int16_t flexible_from = {NO_FLEXIBLE if first is None else first};")
        if message.kind == "response" and message.errors and not self.names.view:
            lines.append("// What can come back, beside unknown_server_error.")
            lines.append("static constexpr ErrorCode errors[] = {")
            lines += [f"    ErrorCode::{code.lower()}," for code in message.errors]
            lines.append("};")
        return ["  " + line for line in lines]

    def declaration(self):
        lines = []
        # The structs stand outside, with a name inside: std::optional cannot hold a nested class that has default
        # member initialisers while the class around it is not complete.
        if self.message.structs:
            lines += [f"namespace {self.space()} {{"]
            for struct in self.message.structs:
                lines += ["", f"struct {struct.name} {{"] + self.declare_struct(struct, 1) + ["};"]
            lines += ["", f"}}  // namespace {self.space()}", ""]
        if self.names.view:
            lines += [f"// {self.message.name} whose strings and arrays lie in the frame and in an arena."]
        else:
            lines += [f"// {line}" for line in self.message.comment]
        lines.append(f"struct {self.name} {{")
        lines += self.constants() + [""]
        for struct in self.message.structs:
            lines += [f"  using {struct.name} = {self.space()}::{struct.name};"]
        lines += [""] * bool(self.message.structs) + self.declare_struct(self.message.root, 1)
        lines.append("  std::size_t encoded_size(std::int16_t version) const;")
        if not self.names.view:
            lines.append("  std::string to_json(std::int16_t version, JsonRecords records = JsonRecords::bytes) const;")
        lines.append("};")
        return "\n".join(lines)

    def definitions(self):
        out = []
        for struct in self.message.structs + [self.message.root]:
            name = self.qualified(struct)
            arena = "[[maybe_unused]] Arena& arena, " if self.names.view else ""
            out.append(f"void {name}::encode(Writer& w, [[maybe_unused]] std::int16_t v) const {{\n"
                       f"{self.body_of(struct, self.fill_encode)}\n}}\n")
            out.append(f"void {name}::decode(Reader& r, {arena}[[maybe_unused]] std::int16_t v) {{\n"
                       f"{self.body_of(struct, self.fill_decode)}\n}}\n")
            if self.names.view:
                out.append(f"bool {name}::operator==(const {self.cpp_name(struct)}& other) const {{\n"
                           f"{self.equal_body(struct)}\n}}\n")
        out.append(f"std::size_t {self.name}::encoded_size(std::int16_t v) const {{\n"
                   "  Writer counter;\n  encode(counter, v);\n  return counter.wire_size();\n}\n")
        return "\n".join(out)

    def equal_body(self, struct):
        names = [member(field.name) for field in struct.fields] + ["unknown_tagged_fields"]
        return "  return " + " &&\n         ".join(f"same({name}, other.{name})" for name in names) + ";"

    def json_definitions(self):
        out = []
        for struct in self.message.structs + [self.message.root]:
            name = self.qualified(struct)
            out.append(f"void {name}::write_json(JsonWriter& j, [[maybe_unused]] std::int16_t v) const {{\n"
                       f"{self.json_body(struct)}\n}}\n")
        out.append(f"std::string {self.name}::to_json(std::int16_t v, JsonRecords records) const {{\n"
                   "  JsonWriter j(records);\n  write_json(j, v);\n  return j.take();\n}\n")
        return "\n".join(out)
