#!/usr/bin/env python3
"""What check_layers promises: the tree passes, and each planted violation fails it with its file and line."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "check_layers.py"

CMAKE = """
add_layer(base DEPENDS)
add_layer(runtime DEPENDS base)
add_layer(groups PURE DEPENDS base)
add_layer(storage DEPENDS runtime)
"""


def run(root):
    return subprocess.run([sys.executable, str(TOOL), str(root)], capture_output=True, text=True)


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        (self.root / "CMakeLists.txt").write_text(CMAKE)
        self.plant("base/bytes.h", "#pragma once\n")

    def tearDown(self):
        self.directory.cleanup()

    def plant(self, name, text):
        path = self.root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def fails_with(self, expected):
        result = run(self.root)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(expected, result.stdout)

    def test_the_tree_itself_passes(self):
        result = run(ROOT)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_a_clean_tree_passes(self):
        self.plant("storage/log.cpp", '#include "base/bytes.h"\n#include "runtime/disk.h"\n')
        self.assertEqual(run(self.root).returncode, 0)

    def test_a_room_that_is_not_depended_on(self):
        self.plant("runtime/reactor.cpp", '#include "storage/log.h"\n')
        self.fails_with("src/runtime/reactor.cpp:1: runtime may not include storage")

    def test_a_clock_outside_runtime_os(self):
        self.plant("storage/log.cpp", "auto now() {\n  return std::chrono::system_clock::now();\n}\n")
        self.fails_with("src/storage/log.cpp:2: a clock is read outside runtime/os")

    def test_a_clock_inside_runtime_os_is_fine(self):
        self.plant("runtime/os/clock.cpp", "auto now() { return std::chrono::steady_clock::now(); }\n")
        self.assertEqual(run(self.root).returncode, 0)

    def test_a_thread_a_socket_a_file_a_random_source(self):
        for header in ("thread", "sys/socket.h", "fstream", "random", "mutex"):
            self.plant("storage/log.cpp", f"#include <{header}>\n")
            self.fails_with(f"<{header}> belongs to runtime/os")

    def test_a_pure_room_that_includes_the_runtime(self):
        self.plant("groups/group.cpp", '#include "runtime/disk.h"\n')
        self.fails_with("groups may not include runtime")

    def test_a_map_keyed_by_address(self):
        self.plant("storage/log.cpp", "std::map<Log*, int> logs;\n")
        self.fails_with("ordered or hashed by address")

    def test_a_cycle(self):
        (self.root / "CMakeLists.txt").write_text(CMAKE.replace("add_layer(base DEPENDS)", "add_layer(base DEPENDS storage)"))
        self.fails_with("cycle")

    def test_a_room_without_a_layer(self):
        self.plant("helpers/util.h", "#pragma once\n")
        self.fails_with("room helpers has no add_layer line")


if __name__ == "__main__":
    unittest.main()
