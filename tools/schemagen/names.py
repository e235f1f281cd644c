"""Names of Kafka in the spelling of our C++ and of Kafka's JSON."""

import re

# Words that C++ keeps for itself or that the macros of libc take.
RESERVED = {
    "and", "auto", "bool", "break", "case", "catch", "char", "class", "const", "continue", "default", "delete", "do",
    "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline",
    "int", "long", "namespace", "new", "not", "operator", "or", "private", "protected", "public", "register", "return",
    "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "true", "try", "typedef",
    "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor",
}


def snake(name):
    """IsKRaftController -> is_kraft_controller, Enable2Pc -> enable_2pc, V0Host -> v0_host."""
    text = name.replace("KRaft", "Kraft").replace("2Pc", "_2pc")
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()
    return text.replace("__", "_")


def member(name):
    text = snake(name)
    return text + "_" if text in RESERVED else text


def camel(name):
    """The name in Kafka's JSON and error texts: the first letter small."""
    return name[:1].lower() + name[1:]
