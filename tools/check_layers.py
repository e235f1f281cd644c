#!/usr/bin/env python3
"""Fails when a file breaks the architecture that CMakeLists.txt states.

Usage: check_layers.py [ROOT]

Three rules, each finding printed as FILE:LINE: what:
 1. A file includes a room that its own room does not depend on, directly or through others; or the rooms form a cycle.
 2. A PURE room includes threads, locks, files, sockets, random sources or the runtime, or reads a clock.
 3. Outside runtime/os nobody reads a clock or a random source, starts a thread, opens a file or a socket, or keeps an
    ordered or hashed container keyed by addresses (its order would differ from run to run). Tests may, and cli/ may
    talk to the process it runs in (signals, terminal), but has no clock and no thread either.
"""
import pathlib
import re
import sys

LAYER = re.compile(r"^add_layer\(\s*(\w+)\s+(PURE\s+)?DEPENDS\s*([\w\s]*)\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

CLOCKS = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|utc_clock)\b|\b(clock_gettime|gettimeofday|timespec_get)\s*\(|"
    r"\bstd::time\s*\(|(?<![\w.:>])time\s*\(\s*(nullptr|NULL|0|&)")
CHANCE = re.compile(r"\b(random_device|mt19937(_64)?|default_random_engine|getrandom|arc4random|drand48)\b|(?<![\w.:>])s?rand\s*\(")
ADDRESS_ORDER = re.compile(r"\bstd::(unordered_)?(multi)?(map|set)\s*<\s*(const\s+)?[\w:]+(\s+const)?\s*\*")

CHANCE_HEADERS = {"random", "sys/random.h"}
THREAD_HEADERS = {"thread", "pthread.h", "condition_variable", "future", "semaphore", "semaphore.h", "latch", "barrier"}
LOCK_HEADERS = {"mutex", "shared_mutex"}
FILE_HEADERS = {"fstream", "filesystem", "fcntl.h", "sys/stat.h", "sys/mman.h", "sys/file.h", "dirent.h", "sys/statvfs.h", "sys/uio.h"}
SOCKET_HEADERS = {"sys/socket.h", "netinet/in.h", "netinet/tcp.h", "arpa/inet.h", "netdb.h", "sys/epoll.h", "sys/eventfd.h",
                  "sys/sendfile.h", "sys/un.h", "poll.h", "sys/select.h", "liburing.h"}
CLOCK_HEADERS = {"sys/time.h"}
OUTSIDE = CHANCE_HEADERS | THREAD_HEADERS | LOCK_HEADERS | FILE_HEADERS | SOCKET_HEADERS | CLOCK_HEADERS
# cli/ finds other processes, talks to its terminal and reads the files that its user names.
CLI_MAY = {"fcntl.h", "sys/stat.h", "dirent.h", "poll.h", "fstream"}


def layers_of(text):
    layers = {}
    for match in LAYER.finditer(text):
        layers[match.group(1)] = (bool(match.group(2)), match.group(3).split())
    return layers


def reachable(layers, problems):
    closure = {}

    def visit(name, path):
        if name in path:
            problems.append(f"CMakeLists.txt:1: cycle: {' -> '.join(path + [name])}")
            return set()
        if name in closure:
            return closure[name]
        if name not in layers:
            problems.append(f"CMakeLists.txt:1: {path[-1] if path else '?'} depends on {name}, which is no layer")
            return set()
        found = {name}
        for dependency in layers[name][1]:
            found |= visit(dependency, path + [name])
        closure[name] = found
        return found

    for name in layers:
        visit(name, [])
    return closure


def without_comments(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def check_file(path, relative, layers, closure, problems):
    room = relative.parts[0]
    if room not in layers:
        problems.append(f"src/{relative}:1: room {room} has no add_layer line")
        return
    pure = layers[room][0]
    is_test = path.stem.endswith("_test") or path.stem.endswith("_fuzz")
    in_os = relative.parts[:2] == ("runtime", "os")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"src/{relative}:{number}"
        match = INCLUDE.match(line)
        if match:
            kind, name = match.groups()
            target = name.split("/")[0]
            if kind == '"' and "/" not in name:
                problems.append(f"{where}: include \"{name}\" by its room: \"{room}/{name}\"")
            elif kind == '"' and target in layers and target not in closure.get(room, set()):
                problems.append(f"{where}: {room} may not include {target} ({name})")
            elif kind == '"' and name.startswith("runtime/os/") and room not in ("runtime", "cli", "broker") and not is_test:
                problems.append(f"{where}: only cli and broker may name the real outside world ({name})")
            if is_test:
                continue
            allowed = in_os or (room == "cli" and name in CLI_MAY)
            if name in OUTSIDE and not allowed:
                problems.append(f"{where}: <{name}> belongs to runtime/os")
            if pure and kind == '"' and target == "runtime":
                problems.append(f"{where}: {room} is PURE and may not include runtime ({name})")
            continue
        if is_test or in_os:
            continue
        code = without_comments(line)
        if CLOCKS.search(code):
            problems.append(f"{where}: a clock is read outside runtime/os")
        if CHANCE.search(code):
            problems.append(f"{where}: a random source outside runtime/os")
        # Its order cannot be observed where nobody walks through it; the line must say so.
        if ADDRESS_ORDER.search(code) and "only looked up" not in line:
            problems.append(f"{where}: a container ordered or hashed by address")


def check(root):
    problems = []
    layers = layers_of((root / "CMakeLists.txt").read_text(encoding="utf-8"))
    closure = reachable(layers, problems)
    for name, (pure, _) in layers.items():
        if pure and "runtime" in closure.get(name, set()):
            problems.append(f"CMakeLists.txt:1: {name} is PURE and depends on runtime")
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".h", ".cpp"))
    for path in files:
        check_file(path, path.relative_to(root / "src"), layers, closure, problems)
    return len(layers), len(files), problems


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    layers, files, problems = check(root)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{files} files in {layers} layers: each includes only what its layer may")
    return 0


if __name__ == "__main__":
    sys.exit(main())
